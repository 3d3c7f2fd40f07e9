//! Counts what calls make against the memory of their statement.
//!
//! ```text
//! need of a call ─▶ reserve ─▶ the function ─▶ its result, whose largest buffer owns the reservation ─▶ dropped: returned
//! ```
//!
//! One call is bounded, but a statement has many of them, and each operator holds the results of a batch until the last
//! column is computed. Short results are not counted.

use crate::engine::statement_memory::StatementMemory;
use arrow_array::{Array, ArrayRef, make_array};
use bytes::Bytes;
use datafusion::arrow::array::ArrayData;
use datafusion::arrow::buffer::Buffer;
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
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
    reserved: Option<MemoryReservation>,
    /// The addresses of long buffers of the arguments, which are counted by who made them.
    shared: Vec<usize>,
}

impl<'a> Counted<'a> {
    /// A call of `function` with `args`, for which it needs `bytes` by its arguments.
    ///
    /// # Errors
    /// The statement has no memory for it.
    pub(super) fn begin(function: &'a str, bytes: u64, args: &[ColumnarValue]) -> Result<Self> {
        let mut call = Self { function, pool: None, reserved: None, shared: Vec::new() };
        let needed = Some(usize::try_from(bytes).unwrap_or(usize::MAX)).filter(|needed| *needed >= LEAST);
        match StatementMemory::current() {
            None => {}
            Some(StatementMemory::Planning(constants)) => {
                if let Some(needed) = needed {
                    constants.try_grow(needed)?;
                }
            }
            Some(StatementMemory::Execution(pool)) => {
                call.reserved = needed.map(|needed| reserve(function, &pool, needed)).transpose()?;
                call.shared = long_buffers(args);
                call.pool = Some(pool);
            }
        }
        Ok(call)
    }

    /// The result `made`, which owns what is reserved for it.
    ///
    /// # Errors
    /// It is larger than was known before, and the statement has no memory for it.
    pub(super) fn end(self, made: ColumnarValue) -> Result<ColumnarValue> {
        match (&self.pool, made) {
            (Some(pool), ColumnarValue::Array(made)) if made.get_buffer_memory_size() >= LEAST => {
                let pool = Arc::clone(pool);
                Ok(ColumnarValue::Array(self.count(&pool, made)?))
            }
            (_, made) => Ok(made),
        }
    }

    fn count(self, pool: &Arc<dyn MemoryPool>, made: ArrayRef) -> Result<ArrayRef> {
        let (data, bytes) = (made.to_data(), made.get_buffer_memory_size());
        if largest(&data).is_none_or(|buffer| self.shared.contains(&address(buffer))) {
            return Ok(made);
        }
        let reservation = match self.reserved {
            Some(reservation) => {
                reservation.try_resize(bytes)?;
                reservation
            }
            None => reserve(self.function, pool, bytes)?,
        };
        Ok(make_array(owning(data, reservation)?))
    }
}

fn reserve(function: &str, pool: &Arc<dyn MemoryPool>, bytes: usize) -> Result<MemoryReservation> {
    let reservation = MemoryConsumer::new(function).register(pool);
    reservation.try_grow(bytes)?;
    Ok(reservation)
}

/// The addresses of the buffers of arguments that are long.
fn long_buffers(args: &[ColumnarValue]) -> Vec<usize> {
    fn add(data: &ArrayData, addresses: &mut Vec<usize>) {
        addresses.extend(data.buffers().iter().filter(|buffer| buffer.len() >= LEAST / 4).map(address));
        data.child_data().iter().for_each(|child| add(child, addresses));
    }
    let mut addresses = Vec::new();
    for arg in args {
        if let ColumnarValue::Array(array) = arg
            && array.get_buffer_memory_size() >= LEAST
        {
            add(&array.to_data(), &mut addresses);
        }
    }
    addresses
}

fn address(buffer: &Buffer) -> usize {
    buffer.data_ptr().as_ptr().addr()
}

/// The largest buffer of an array and of those inside.
fn largest(data: &ArrayData) -> Option<&Buffer> {
    let inside = data.child_data().iter().filter_map(largest);
    data.buffers().iter().chain(inside).max_by_key(|buffer| buffer.capacity())
}

/// `data`, whose largest buffer owns `reservation`.
fn owning(data: ArrayData, reservation: MemoryReservation) -> Result<ArrayData> {
    let own = data.buffers().iter().map(Buffer::capacity).enumerate().max_by_key(|(_, bytes)| *bytes);
    let inside = data.child_data().iter().map(|child| largest(child).map_or(0, Buffer::capacity));
    let inside = inside.enumerate().max_by_key(|(_, bytes)| *bytes);
    let owned = match (own, inside) {
        (own, Some((place, bytes))) if own.is_none_or(|(_, own)| own < bytes) => {
            let mut children = data.child_data().to_vec();
            let child = children.swap_remove(place);
            children.push(owning(child, reservation)?);
            let last = children.len() - 1;
            children.swap(place, last);
            data.into_builder().child_data(children)
        }
        (Some((place, _)), _) => {
            let mut buffers = data.buffers().to_vec();
            let buffer = std::mem::take(&mut buffers[place]);
            buffers[place] = Buffer::from(Bytes::from_owner(Owned { buffer, _reservation: reservation }));
            data.into_builder().buffers(buffers)
        }
        (None, _) => return Ok(data),
    };
    Ok(owned.build()?)
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
    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{Int64Array, StringArray, StringViewArray};
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    const MIB: usize = 1 << 20;

    fn pool() -> Arc<dyn MemoryPool> {
        Arc::new(GreedyMemoryPool::new(4 * MIB))
    }

    fn call(pool: &Arc<dyn MemoryPool>, need: usize, args: &[ColumnarValue], made: ArrayRef) -> Result<ArrayRef> {
        StatementMemory::Execution(Arc::clone(pool)).during_call(|| {
            let call = Counted::begin("f", need as u64, args)?;
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
            // Whether or not it is known before.
            for need in [0, 2 * MIB, 3 * MIB] {
                let result = call(&pool, need, &[], make_array(expected.clone())).unwrap();
                assert_eq!(result.to_data(), expected);
                assert!((2 * MIB..3 * MIB).contains(&pool.reserved()), "{}", pool.reserved());
                let slice = result.slice(0, 1);
                drop(result);
                assert!(pool.reserved() >= 2 * MIB);
                drop(slice);
                assert_eq!(pool.reserved(), 0);
            }
        }
    }

    #[test]
    fn what_has_no_memory_is_refused_before_it_is_made() {
        let pool = pool();
        let held = call(&pool, 3 * MIB, &[], text(3 * MIB)).unwrap();
        let memory = StatementMemory::Execution(Arc::clone(&pool));
        assert!(memory.during_call(|| Counted::begin("f", 2 * MIB as u64, &[])).is_err());
        // What is not known before is refused when it is there.
        assert!(call(&pool, 0, &[], text(2 * MIB)).is_err());
        drop(held);
        assert!(call(&pool, 0, &[], text(2 * MIB)).is_ok());
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn what_is_short_or_belongs_to_an_argument_is_not_counted() {
        let pool = pool();
        let short: ArrayRef = Arc::new(Int64Array::from(vec![1; 1000]));
        let kept = call(&pool, 0, &[], short).unwrap();
        assert_eq!(pool.reserved(), 0);
        let argument = call(&pool, 0, &[], text(2 * MIB)).unwrap();
        let counted = pool.reserved();
        let args = [ColumnarValue::Array(Arc::clone(&argument)), ColumnarValue::Array(kept)];
        let part = call(&pool, 0, &args, argument.slice(0, 1)).unwrap();
        assert_eq!(pool.reserved(), counted);
        drop((argument, args));
        assert_eq!(pool.reserved(), counted);
        drop(part);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn constants_are_counted_as_long_as_the_plan_lives() {
        let pool = pool();
        let constants = Arc::new(MemoryConsumer::new("constants").register(&pool));
        let planning = StatementMemory::Planning(Arc::clone(&constants));
        let plan = |bytes: usize| {
            planning
                .clone()
                .during_call(|| Counted::begin("f", bytes as u64, &[])?.end(ColumnarValue::Array(text(bytes))))
        };
        drop(plan(3 * MIB).unwrap());
        assert_eq!(pool.reserved(), 3 * MIB);
        assert!(plan(2 * MIB).is_err());
        drop((planning, constants));
        assert_eq!(pool.reserved(), 0);
    }
}
