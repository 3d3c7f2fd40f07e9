//! Counts what calls make against the memory of their statement.
//!
//! ```text
//! a call ─▶ its result, whose largest new buffer owns a reservation ─▶ dropped: returned
//! ```
//!
//! One call is bounded, but a statement has many of them, and each operator holds the results of a batch until the last
//! column is computed. Short results are not counted, and a part of an argument is counted by who made that.

use crate::engine::owned_arrays::{Reserved, add_buffers, address, owning};
use crate::error::QueryError;
use crate::statement_memory::{ExecutionMemory, StatementMemory};
use arrow_array::{Array, ArrayRef, make_array};
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::logical_expr::ColumnarValue;

/// Bytes of a result that is counted, at least.
const LEAST: usize = 1 << 20;

/// A call whose result is counted.
#[derive(Debug)]
pub(super) struct Counted<'a> {
    function: &'a str,
    /// `None` if it is made for a plan, or outside of a statement.
    memory: Option<ExecutionMemory>,
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
            None => Ok(Self { function, memory: None, shared: Vec::new() }),
            Some(StatementMemory::Planning(constants)) => {
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                if bytes >= LEAST {
                    constants.add(function, bytes).map_err(QueryError::through_engine)?;
                }
                Ok(Self { function, memory: None, shared: Vec::new() })
            }
            Some(StatementMemory::Execution(memory)) => {
                Ok(Self { function, memory: Some(memory), shared: addresses_of_long(args) })
            }
        }
    }

    /// The result `made`, which owns what is reserved for it.
    ///
    /// # Errors
    /// [`QueryError::Memory`].
    pub(super) fn end(self, made: ColumnarValue) -> Result<ColumnarValue> {
        match (&self.memory, made) {
            (Some(memory), ColumnarValue::Array(made)) if made.get_buffer_memory_size() >= LEAST => {
                Ok(ColumnarValue::Array(self.count(memory, made)?))
            }
            (_, made) => Ok(made),
        }
    }

    fn count(&self, memory: &ExecutionMemory, made: ArrayRef) -> Result<ArrayRef> {
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
        let addresses = new.iter().map(|(address, _)| *address).collect();
        let Ok(reserved) = Reserved::new(memory, self.function, bytes) else {
            let limit = if let MemoryLimit::Finite(limit) = memory.pool.memory_limit() { limit } else { usize::MAX };
            let what = format!("{} made {} MiB", self.function, bytes >> 20);
            return Err(QueryError::Memory { limit_mib: limit >> 20, what }.through_engine());
        };
        Ok(make_array(owning(data, *largest, &mut Some(reserved.known_at(addresses)))?))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement_memory::Constants;
    use arrow_array::builder::{Int64Builder, ListBuilder, StringViewBuilder};
    use arrow_array::{Int64Array, StringArray, StringViewArray};
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
    use std::sync::Arc;

    const MIB: usize = 1 << 20;

    fn pool() -> Arc<dyn MemoryPool> {
        Arc::new(GreedyMemoryPool::new(4 * MIB))
    }

    fn call(pool: &Arc<dyn MemoryPool>, args: &[ColumnarValue], made: ArrayRef) -> Result<ArrayRef> {
        StatementMemory::Execution(ExecutionMemory::new(Arc::clone(pool))).during_call(|| {
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
