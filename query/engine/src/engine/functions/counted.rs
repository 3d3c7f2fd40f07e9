//! Counts what calls make against the memory of their statement.
//!
//! ```text
//! a call ─▶ its result, whose largest new buffer owns a reservation ─▶ dropped: returned
//! ```
//!
//! One call is bounded, but a statement has many of them, and each operator holds the results of a batch until the last
//! column is computed. Short results are not counted, and a part of an argument is counted by who made that.

use crate::engine::statement_memory::StatementMemory;
use crate::error::QueryError;
use arrow_array::{Array, ArrayRef, make_array};
use bytes::Bytes;
use datafusion::arrow::array::ArrayData;
use datafusion::arrow::buffer::Buffer;
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::logical_expr::ColumnarValue;
use std::sync::Arc;

/// Bytes of a result that is counted, at least.
const LEAST: usize = 1 << 20;

/// A call whose result is counted.
#[derive(Debug)]
pub(super) struct Counted<'a> {
    function: &'a str,
    /// `None` if it is made for a plan, or outside of a statement.
    pool: Option<Arc<dyn MemoryPool>>,
    /// The addresses of the buffers of long arguments.
    shared: Vec<usize>,
}

impl<'a> Counted<'a> {
    /// A call of `function` with `args`, for which it needs `bytes` by its arguments.
    ///
    /// # Errors
    /// It makes a constant for a plan, and the plan has too long ones.
    pub(super) fn begin(function: &'a str, bytes: u64, args: &[ColumnarValue]) -> Result<Self> {
        match StatementMemory::current() {
            None => Ok(Self { function, pool: None, shared: Vec::new() }),
            Some(StatementMemory::Planning(constants)) => {
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                if bytes >= LEAST {
                    constants.add(function, bytes).map_err(QueryError::through_engine)?;
                }
                Ok(Self { function, pool: None, shared: Vec::new() })
            }
            Some(StatementMemory::Execution(pool)) => {
                Ok(Self { function, pool: Some(pool), shared: addresses_of_long(args) })
            }
        }
    }

    /// The result `made`, which owns what is reserved for it.
    ///
    /// # Errors
    /// [`QueryError::Memory`].
    pub(super) fn end(self, made: ColumnarValue) -> Result<ColumnarValue> {
        match (&self.pool, made) {
            (Some(pool), ColumnarValue::Array(made)) if made.get_buffer_memory_size() >= LEAST => {
                Ok(ColumnarValue::Array(self.count(pool, made)?))
            }
            (_, made) => Ok(made),
        }
    }

    fn count(&self, pool: &Arc<dyn MemoryPool>, made: ArrayRef) -> Result<ArrayRef> {
        let data = made.to_data();
        let mut new = Vec::new();
        add_buffers(&data, &mut |buffer| {
            let part = (address(buffer), buffer.capacity());
            if !self.shared.contains(&part.0) && !new.contains(&part) {
                new.push(part);
            }
        });
        let bytes = new.iter().map(|(_, bytes)| bytes).sum();
        let Some((largest, _)) = new.iter().max_by_key(|(_, bytes)| *bytes) else { return Ok(made) };
        if bytes < LEAST {
            return Ok(made);
        }
        let reservation = MemoryConsumer::new(self.function).register(pool);
        if reservation.try_grow(bytes).is_err() {
            let limit = if let MemoryLimit::Finite(limit) = pool.memory_limit() { limit } else { usize::MAX };
            let what = format!("{} made {} MiB", self.function, bytes >> 20);
            return Err(QueryError::Memory { limit_mib: limit >> 20, what }.through_engine());
        }
        Ok(make_array(owning(data, *largest, &mut Some(reservation))?))
    }
}

/// The addresses of all buffers of the arguments, if these are long.
fn addresses_of_long(args: &[ColumnarValue]) -> Vec<usize> {
    let mut addresses = Vec::new();
    for arg in args {
        if let ColumnarValue::Array(array) = arg
            && array.get_buffer_memory_size() >= LEAST / 4
        {
            add_buffers(&array.to_data(), &mut |buffer| addresses.push(address(buffer)));
        }
    }
    addresses
}

/// Calls `add` for each buffer of an array and of those inside.
fn add_buffers(data: &ArrayData, add: &mut impl FnMut(&Buffer)) {
    data.buffers().iter().for_each(&mut *add);
    for child in data.child_data() {
        add_buffers(child, add);
    }
}

/// Where the memory of a buffer begins.
fn address(buffer: &Buffer) -> usize {
    buffer.data_ptr().as_ptr().addr()
}

/// `data`, whose buffer at this address owns the reservation.
fn owning(data: ArrayData, place: usize, reservation: &mut Option<MemoryReservation>) -> Result<ArrayData> {
    let mut buffers = data.buffers().to_vec();
    if let Some(buffer) = buffers.iter_mut().find(|buffer| address(buffer) == place)
        && let Some(reservation) = reservation.take()
    {
        let inner = std::mem::take(buffer);
        *buffer = Buffer::from(Bytes::from_owner(Owned { buffer: inner, _reservation: reservation }));
        return Ok(data.into_builder().buffers(buffers).build()?);
    }
    let mut children = Vec::with_capacity(data.child_data().len());
    for child in data.child_data() {
        let is_owned = reservation.is_none();
        children.push(if is_owned { child.clone() } else { owning(child.clone(), place, reservation)? });
    }
    Ok(data.into_builder().child_data(children).build()?)
}

/// A buffer with what is reserved for it.
struct Owned {
    buffer: Buffer,
    _reservation: MemoryReservation,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::statement_memory::Constants;
    use arrow_array::builder::{Int64Builder, ListBuilder, StringViewBuilder};
    use arrow_array::{Int64Array, StringArray, StringViewArray};
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    const MIB: usize = 1 << 20;

    fn pool() -> Arc<dyn MemoryPool> {
        Arc::new(GreedyMemoryPool::new(4 * MIB))
    }

    fn call(pool: &Arc<dyn MemoryPool>, args: &[ColumnarValue], made: ArrayRef) -> Result<ArrayRef> {
        StatementMemory::Execution(Arc::clone(pool)).during_call(|| {
            let call = Counted::begin("f", 0, args)?;
            call.end(ColumnarValue::Array(made))?.into_array(1)
        })
    }

    fn text(bytes: usize) -> ArrayRef {
        Arc::new(StringArray::from(vec!["x".repeat(bytes - 8)]))
    }

    #[test]
    fn a_result_is_counted_until_its_last_part_is_dropped() {
        let mut lists = ListBuilder::new(Int64Builder::new());
        lists.values().append_slice(&vec![7; 2 * MIB / 8]);
        lists.append(true);
        let views = StringViewArray::from(vec!["y".repeat(2 * MIB), "short".to_owned()]);
        for made in [text(2 * MIB), Arc::new(lists.finish()) as ArrayRef, Arc::new(views)] {
            let (pool, expected) = (pool(), made.to_data());
            let result = call(&pool, &[], made).unwrap();
            assert_eq!(result.to_data(), expected);
            assert!((2 * MIB..3 * MIB).contains(&pool.reserved()), "{}", pool.reserved());
            let slice = result.slice(0, 1);
            drop(result);
            assert!(pool.reserved() >= 2 * MIB);
            drop(slice);
            assert_eq!(pool.reserved(), 0);
        }
    }

    #[test]
    fn what_has_no_memory_is_refused() {
        let pool = pool();
        let held = call(&pool, &[], text(3 * MIB)).unwrap();
        let refused = QueryError::classify(call(&pool, &[], text(2 * MIB)).unwrap_err(), 0);
        assert!(matches!(refused, QueryError::Memory { limit_mib: 4, .. }), "{refused:?}");
        drop(held);
        assert!(call(&pool, &[], text(2 * MIB)).is_ok());
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn what_is_short_or_belongs_to_an_argument_is_not_counted() {
        let pool = pool();
        let short: ArrayRef = Arc::new(Int64Array::from(vec![1; 1000]));
        let kept = call(&pool, &[], short).unwrap();
        assert_eq!(pool.reserved(), 0);
        // In sixteen buffers.
        let mut many = StringViewBuilder::new().with_fixed_block_size(150_000);
        (0..16).for_each(|_| many.append_value("x".repeat(140_000)));
        for argument in [text(2 * MIB), Arc::new(many.finish()) as ArrayRef] {
            let argument = call(&pool, &[], argument).unwrap();
            let counted = pool.reserved();
            assert!(counted >= 2 * MIB);
            let args = [ColumnarValue::Array(Arc::clone(&argument)), ColumnarValue::Array(Arc::clone(&kept))];
            let part = call(&pool, &args, argument.slice(0, 1)).unwrap();
            assert_eq!(pool.reserved(), counted);
            drop((argument, args));
            assert_eq!(pool.reserved(), counted);
            drop(part);
            assert_eq!(pool.reserved(), 0);
        }
    }

    #[test]
    fn the_constants_of_a_plan_have_a_bound_together() {
        let constants = Arc::new(Constants::default());
        let planning = StatementMemory::Planning(Arc::clone(&constants));
        let plan = |bytes: usize| planning.clone().during_call(|| Counted::begin("f", bytes as u64, &[]).map(drop));
        plan(LEAST - 1).unwrap();
        assert_eq!(constants.bytes().unwrap(), 0);
        plan(40 * MIB).unwrap();
        assert_eq!(constants.bytes().unwrap(), 40 * MIB);
        plan(40 * MIB).unwrap_err();
        // The optimizer goes on without it. The statement is refused.
        assert!(matches!(constants.bytes(), Err(QueryError::Function { .. })));
    }
}
