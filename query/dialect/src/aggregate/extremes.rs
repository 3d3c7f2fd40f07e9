//! `min` and `max` of values that have [keys](crate::order): floats, intervals and arrays. Of those that are equal, the last one, as
//! PostgreSQL has it. Of all other values the engine's.

use super::summary::{Asked, Frame, Grouped, Rows, Single, Summary};
use crate::order::{have_key, keys_of};
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array};
use arrow_ord::ord::make_comparator;
use arrow_schema::{DataType, Field, FieldRef, SortOptions};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature, StatisticsArgs,
};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

/// `min` or `max`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Extreme {
    is_max: bool,
    engines: Arc<AggregateUDF>,
}

/// The aggregates.
pub(super) fn aggregates() -> Vec<AggregateUDF> {
    [(false, min_udaf()), (true, max_udaf())]
        .into_iter()
        .map(|(is_max, engines)| AggregateUDF::new_from_impl(Extreme { is_max, engines }))
        .collect()
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

impl AggregateUDFImpl for Extreme {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.return_type(types)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.engines.coerce_types(types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !is_float(args.return_type()) {
            return self.engines.state_fields(args);
        }
        let name = format_state_name(args.name, "extreme");
        Ok(vec![Arc::new(Field::new(name, DataType::Float64, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let result = args.return_field.data_type().clone();
        match (is_float(&result), have_key(&result)) {
            (true, _) if self.is_max => Ok(Box::new(Single::<Float<true>>::new(asked(result)))),
            (true, _) => Ok(Box::new(Single::<Float<false>>::new(asked(result)))),
            (false, true) => Ok(Box::new(Kept::new(self.is_max, result)?)),
            (false, false) => self.engines.accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let result = args.return_field.data_type().clone();
        match (is_float(&result), have_key(&result)) {
            (true, _) if self.is_max => Ok(Box::new(Frame::<Float<true>>::new(asked(result)))),
            (true, _) => Ok(Box::new(Frame::<Float<false>>::new(asked(result)))),
            (false, true) => Ok(Box::new(Sliding { of: Kept::new(self.is_max, result)?, pieces: VecDeque::new() })),
            (false, false) => self.engines.create_sliding_accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        is_float(args.return_field.data_type()) || self.engines.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let result = args.return_field.data_type().clone();
        match is_float(&result) {
            true if self.is_max => Ok(Box::new(Grouped::<Float<true>>::new(asked(result)))),
            true => Ok(Box::new(Grouped::<Float<false>>::new(asked(result)))),
            false => self.engines.create_groups_accumulator(args),
        }
    }

    fn order_sensitivity(&self) -> datafusion::logical_expr::utils::AggregateOrderSensitivity {
        self.engines.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn is_descending(&self) -> Option<bool> {
        self.engines.is_descending()
    }

    fn value_from_stats(&self, statistics: &StatisticsArgs) -> Option<ScalarValue> {
        // Statistics leave NaN out.
        if have_key(statistics.return_type) { None } else { self.engines.value_from_stats(statistics) }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engines.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.engines.inner().set_monotonicity(data_type)
    }
}

fn asked(result: DataType) -> Asked<()> {
    Asked { kind: (), scale: 0, result }
}

/// The extreme of floats.
#[derive(Debug, Clone, Default)]
struct Float<const MAX: bool>(Option<f64>);

impl<const MAX: bool> Float<MAX> {
    fn add_value(&mut self, value: f64) {
        let is_kept = self.0.is_some_and(|best| is_better(MAX, compare(best, value)));
        if !is_kept {
            self.0 = Some(value);
        }
    }
}

/// The order of floats, in which NaN is above all.
fn compare(one: f64, other: f64) -> Ordering {
    one.partial_cmp(&other).unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()))
}

fn is_better(is_max: bool, ordering: Ordering) -> bool {
    if is_max { ordering.is_gt() } else { ordering.is_lt() }
}

impl<const MAX: bool> Summary for Float<MAX> {
    type Kind = ();
    const REMOVES: bool = false;

    fn add(states: &mut [Self], arguments: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = arrow_cast::cast(&arguments[0], &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        rows.each(values.len(), values.nulls(), |row, group| {
            states[group].add_value(values.value(row));
            Ok(())
        })
    }

    fn remove(&mut self, _: &[ArrayRef]) -> Result<()> {
        datafusion::common::internal_err!("an extreme is not removed")
    }

    fn saved(_: i8) -> Vec<DataType> {
        vec![DataType::Float64]
    }

    fn save(states: &[Self], _: i8) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(states.iter().map(|state| state.0).collect::<Float64Array>())])
    }

    fn merge(states: &mut [Self], saved: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        Self::add(states, saved, rows)
    }

    fn finish(states: &[Self], asked: &Asked<Self::Kind>) -> Result<ArrayRef> {
        let values: Float64Array = states.iter().map(|state| state.0).collect();
        Ok(arrow_cast::cast(&values, &asked.result)?)
    }
}

/// The extreme of intervals or arrays, as an array of one value.
#[derive(Debug)]
struct Kept {
    is_max: bool,
    best: ArrayRef,
}

impl Kept {
    fn new(is_max: bool, data_type: DataType) -> Result<Self> {
        Ok(Self { is_max, best: ScalarValue::try_new_null(&data_type)?.to_array()? })
    }

    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        let (keys, best) = (keys_of(values)?, keys_of(&self.best)?);
        let with_best = make_comparator(&best, &keys, SortOptions::default())?;
        let among = make_comparator(&keys, &keys, SortOptions::default())?;
        let mut place = None;
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            let is_kept = match place {
                Some(place) => is_better(self.is_max, among(place, row)),
                None => best.is_valid(0) && is_better(self.is_max, with_best(0, row)),
            };
            if !is_kept {
                place = Some(row);
            }
        }
        if let Some(place) = place {
            // Without the rows of the batch.
            let mut best = ScalarValue::try_from_array(values, place)?;
            best.compact();
            self.best = best.to_array()?;
        }
        Ok(())
    }
}

impl Accumulator for Kept {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.best, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.best.get_array_memory_size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.add(&states[0])
    }
}

/// The extreme of a window's frame, which is looked for anew in each frame.
#[derive(Debug)]
struct Sliding {
    of: Kept,
    pieces: VecDeque<ArrayRef>,
}

impl Accumulator for Sliding {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.pieces.push_back(ArrayRef::clone(&values[0]));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut of = Kept::new(self.of.is_max, self.of.best.data_type().clone())?;
        for piece in &self.pieces {
            of.add(piece)?;
        }
        of.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.pieces.iter().map(|piece| piece.get_array_memory_size()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        datafusion::common::internal_err!("frames of windows are not merged")
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut rows = values[0].len();
        while rows > 0 {
            let Some(piece) = self.pieces.front_mut() else { break };
            if piece.len() <= rows {
                rows -= piece.len();
                self.pieces.pop_front();
            } else {
                *piece = piece.slice(rows, piece.len() - rows);
                rows = 0;
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}
