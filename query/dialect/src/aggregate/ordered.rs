//! Aggregates of sorted rows: `percentile_cont`, `percentile_disc` and `mode`, each `WITHIN GROUP (ORDER BY ...)`.
//!
//! ```text
//! values ─▶ kept until the result is asked for ─▶ sorted ─▶ the values at the asked places
//! ```
//!
//! The fraction is an argument beside the values. It is the same in all rows, and without rows the result is NULL.

use super::medians::{Medians, not_a_fraction};
use crate::error::SqlError;
use crate::order::keys_of;
use crate::text_types;
use crate::time::interval_between;
use crate::types::{PgType, array_of};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, IntervalMonthDayNanoType};
use arrow_array::{Array, ArrayRef, UInt32Array, new_empty_array};
use arrow_ord::ord::make_comparator;
use arrow_ord::sort::sort_to_indices;
use arrow_schema::{DataType, Field, FieldRef, SortOptions};
use arrow_select::concat::concat;
use arrow_select::filter::filter;
use arrow_select::take::take;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};
use std::cmp::Ordering;
use std::sync::Arc;

/// What is computed of the sorted values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// `percentile_cont`: between the two values around the fraction.
    Between,
    /// `percentile_disc`: the first value that is at or behind the fraction.
    First,
    /// `mode`: the most frequent value, of several the first one.
    MostFrequent,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OfSorted {
    name: &'static str,
    kind: Kind,
    signature: Signature,
}

/// The aggregates.
pub(super) fn aggregates() -> Vec<AggregateUDF> {
    [("percentile_cont", Kind::Between), ("percentile_disc", Kind::First), ("mode", Kind::MostFrequent)]
        .into_iter()
        .map(|(name, kind)| {
            let signature = Signature::user_defined(Volatility::Immutable);
            AggregateUDF::new_from_impl(OfSorted { name, kind, signature })
        })
        .collect()
}

impl AggregateUDFImpl for OfSorted {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let does_not_exist = || {
            let types: Vec<String> = types.iter().map(|data_type| PgType::of(data_type).to_string()).collect();
            SqlError::new("42883", format!("function {}({}) does not exist", self.name, types.join(", "))).at(self.name)
        };
        match (self.kind, types) {
            (Kind::MostFrequent, [values]) => Ok(vec![values.clone()]),
            (Kind::Between | Kind::First, [values, fraction]) => {
                let fraction = match PgType::of(fraction) {
                    PgType::Array(element) if element.becomes(&PgType::Float8) => array_of(DataType::Float64),
                    known if known == PgType::Text || known.becomes(&PgType::Float8) => DataType::Float64,
                    _ => return Err(does_not_exist().into()),
                };
                let values = match (self.kind, PgType::of(values)) {
                    (Kind::Between, known) if known.becomes(&PgType::Float8) => DataType::Float64,
                    (Kind::Between, PgType::Interval) => PgType::Interval.arrow(),
                    (Kind::Between, _) => return Err(does_not_exist().into()),
                    _ => values.clone(),
                };
                Ok(vec![values, fraction])
            }
            _ => Err(does_not_exist().into()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match types.get(1) {
            Some(DataType::List(_)) => array_of(types[0].clone()),
            _ => types[0].clone(),
        })
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.name, self.return_type(&types)?, true);
        Ok(Arc::new(match types.get(1) {
            Some(DataType::List(_)) => text_types::array_of_marked(field, &arguments[0]),
            _ => text_types::same_as(field, &arguments[0]),
        }))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct {
            return Err(SqlError::not_supported(format!("{}(DISTINCT ...) is not supported", self.name)).into());
        }
        let types: Vec<DataType> = arguments.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let descending = arguments.order_bys.first().is_some_and(|order| order.options.descending);
        Ok(Box::new(Sorted { kind: self.kind, types, descending, values: Vec::new(), fraction: None }))
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        let is_float = |field: &FieldRef| *field.data_type() == DataType::Float64;
        self.kind == Kind::Between && !arguments.is_distinct && arguments.expr_fields.iter().all(is_float)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let descending = arguments.order_bys.first().is_some_and(|order| order.options.descending);
        Ok(Box::new(Medians::new(descending)))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name: &str, data_type: DataType| {
            Arc::new(Field::new(format_state_name(arguments.name, name), data_type, true))
        };
        let mut fields = vec![field("values", array_of(arguments.input_fields[0].data_type().clone()))];
        if let Some(fraction) = arguments.input_fields.get(1) {
            fields.push(field("fraction", fraction.data_type().clone()));
        }
        Ok(fields)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug)]
struct Sorted {
    kind: Kind,
    /// The types of the arguments.
    types: Vec<DataType>,
    descending: bool,
    values: Vec<ArrayRef>,
    fraction: Option<ScalarValue>,
}

impl Sorted {
    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        let values = match values.nulls() {
            Some(nulls) if nulls.null_count() > 0 => filter(values, &nulls.inner().clone().into())?,
            _ => Arc::clone(values),
        };
        if !values.is_empty() {
            self.values.push(values);
        }
        Ok(())
    }

    fn all(&self) -> Result<ArrayRef> {
        if self.values.is_empty() {
            return Ok(new_empty_array(&self.types[0]));
        }
        let parts: Vec<&dyn Array> = self.values.iter().map(AsRef::as_ref).collect();
        Ok(concat(&parts)?)
    }

    fn take_fraction(&mut self, fractions: Option<&ArrayRef>) -> Result<()> {
        if let Some(fractions) = fractions
            && self.fraction.is_none()
            && let Some(row) = (0..fractions.len()).next()
        {
            self.fraction = Some(ScalarValue::try_from_array(fractions, row)?);
        }
        Ok(())
    }

    /// The value at a fraction.
    fn at(&self, sorted: &ArrayRef, fraction: f64) -> Result<ScalarValue> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(not_a_fraction(fraction).into());
        }
        let count = sorted.len() as f64;
        if self.kind == Kind::First {
            let place = (fraction * count).ceil().max(1.0) as usize - 1;
            return ScalarValue::try_from_array(sorted, place.min(sorted.len() - 1));
        }
        let place = fraction * (count - 1.0);
        if let Some(intervals) = sorted.as_primitive_opt::<IntervalMonthDayNanoType>() {
            let (low, high) = (intervals.value(place.floor() as usize), intervals.value(place.ceil() as usize));
            let value = match place.floor() == place.ceil() {
                true => low,
                false => interval_between(low, high, place - place.floor())?,
            };
            return Ok(ScalarValue::IntervalMonthDayNano(Some(value)));
        }
        let values = sorted.as_primitive::<Float64Type>();
        let (low, high) = (values.value(place.floor() as usize), values.value(place.ceil() as usize));
        let value = if place.floor() == place.ceil() { low } else { low + (high - low) * (place - place.floor()) };
        Ok(ScalarValue::Float64(Some(value)))
    }

    fn most_frequent(&self, sorted: &ArrayRef) -> Result<ScalarValue> {
        let keys = keys_of(sorted)?;
        let compare = make_comparator(&keys, &keys, SortOptions::default())?;
        let (mut best, mut best_count) = (0, 0);
        let mut first = 0;
        for row in 1..=sorted.len() {
            if row == sorted.len() || compare(first, row) != Ordering::Equal {
                if row - first > best_count {
                    (best, best_count) = (first, row - first);
                }
                first = row;
            }
        }
        ScalarValue::try_from_array(sorted, best)
    }
}

impl Accumulator for Sorted {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take_fraction(values.get(1))?;
        self.add(&values[0])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = match self.types.get(1) {
            Some(DataType::List(_)) => array_of(self.types[0].clone()),
            _ => self.types[0].clone(),
        };
        let values = self.all()?;
        if values.is_empty() {
            return ScalarValue::try_from(&result);
        }
        let options = SortOptions { descending: self.descending, nulls_first: false };
        let order: UInt32Array = sort_to_indices(&keys_of(&values)?, Some(options), None)?;
        let sorted = take(&values, &order, None)?;
        match &self.fraction {
            None => self.most_frequent(&sorted),
            Some(ScalarValue::List(fractions)) => {
                if fractions.is_null(0) {
                    return ScalarValue::try_from(&result);
                }
                let fractions = fractions.value(0);
                let fractions = fractions.as_primitive::<Float64Type>();
                let at = |fraction: Option<f64>| match fraction {
                    Some(fraction) => self.at(&sorted, fraction),
                    None => ScalarValue::try_from(&self.types[0]),
                };
                let made = fractions.iter().map(at).collect::<Result<Vec<_>>>()?;
                Ok(ScalarValue::List(ScalarValue::new_list_nullable(&made, &self.types[0])))
            }
            Some(ScalarValue::Float64(Some(fraction))) => self.at(&sorted, *fraction),
            Some(_) => ScalarValue::try_from(&result),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.iter().map(|values| values.get_array_memory_size()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.all()?;
        let offsets = arrow_buffer::OffsetBuffer::from_lengths([values.len()]);
        let field = Arc::new(Field::new_list_field(self.types[0].clone(), true));
        let list = arrow_array::ListArray::try_new(field, offsets, values, None)?;
        let mut state = vec![ScalarValue::List(Arc::new(list))];
        if let Some(fraction) = self.types.get(1) {
            state.push(match &self.fraction {
                Some(fraction) => fraction.clone(),
                None => ScalarValue::try_from(fraction)?,
            });
        }
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        for row in (0..lists.len()).filter(|row| lists.is_valid(*row) && !lists.value(*row).is_empty()) {
            self.take_fraction(states.get(1).map(|fractions| fractions.slice(row, 1)).as_ref())?;
            // The values of this group alone: they are a part of those of all groups.
            let values = lists.value(row);
            let places = UInt32Array::from_iter_values(0..u32::try_from(values.len()).unwrap_or(u32::MAX));
            self.add(&take(&values, &places, None)?)?;
        }
        Ok(())
    }
}
