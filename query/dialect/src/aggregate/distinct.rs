//! An aggregate of distinct values: they are collected, and aggregated in their order when the result is asked for.

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::Accumulator;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt::Debug;

/// Makes the accumulator of the distinct values.
pub(super) type Make = Box<dyn Fn() -> Result<Box<dyn Accumulator>> + Send + Sync>;

pub(super) struct Distinct {
    values: HashSet<ScalarValue>,
    data_type: DataType,
    make: Make,
}

impl Debug for Distinct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Distinct").field("data_type", &self.data_type).finish_non_exhaustive()
    }
}

impl Distinct {
    pub(super) fn new(data_type: DataType, make: Make) -> Self {
        Self { values: HashSet::new(), data_type, make }
    }

    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            let value = ScalarValue::try_from_array(values, row)?;
            // A zero is equal to a negative zero.
            let value = match value {
                ScalarValue::Float64(Some(float)) => ScalarValue::Float64(Some(float + 0.0)),
                ScalarValue::Float32(Some(float)) => ScalarValue::Float32(Some(float + 0.0)),
                other => other,
            };
            self.values.insert(value);
        }
        Ok(())
    }
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match values {
            [values] => self.add(values),
            _ => internal_err!("distinct values are of one column"),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut accumulator = (self.make)()?;
        if !self.values.is_empty() {
            let mut values: Vec<ScalarValue> = self.values.iter().cloned().collect();
            values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
            accumulator.update_batch(&[ScalarValue::iter_to_array(values)?])?;
        }
        accumulator.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + ScalarValue::size_of_hashset(&self.values) - size_of_val(&self.values)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Vec<ScalarValue> = self.values.iter().cloned().collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &self.data_type))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(lists) = states.first() else { return Ok(()) };
        let lists = arrow_array::cast::AsArray::as_list::<i32>(lists);
        for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
            self.add(&lists.value(row))?;
        }
        Ok(())
    }
}
