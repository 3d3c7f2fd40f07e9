//! `percentile_cont` of floats for many groups: the values of each group, of which the two around the fraction are selected.

use crate::error::SqlError;
use crate::types::array_of;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use std::sync::Arc;

/// The keys of the values of a group, and the fraction that is asked for, which is the same in all of its rows.
#[derive(Debug, Default, Clone)]
struct Group {
    keys: Vec<u64>,
    fraction: Option<f64>,
}

/// The groups.
#[derive(Debug)]
pub(super) struct Medians {
    /// The bits of keys that are turned, so that the largest value comes first.
    turned: u64,
    groups: Vec<Group>,
    /// Bytes of the values of all groups.
    bytes: usize,
}

/// The sign bit.
const SIGN: u64 = 1 << 63;

/// A number that has the place of a value in PostgreSQL's order, where NaN is above all other values. Numbers are selected without
/// branches.
fn key(value: f64) -> u64 {
    // One NaN, whose sign says nothing.
    let bits = if value.is_nan() { f64::NAN.to_bits() & !SIGN } else { value.to_bits() };
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The value that has this place.
fn value(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

/// The error of a fraction that is not between 0 and 1.
pub(super) fn not_a_fraction(fraction: f64) -> SqlError {
    let shown = crate::number::text::of_float8(fraction);
    SqlError::new("22003", format!("percentile value {shown} is not between 0 and 1"))
}

/// The value at a fraction of values without an order, whose keys these are, between the two that are around it.
///
/// # Errors
/// The fraction is not between 0 and 1 (22003).
fn between(keys: &mut [u64], fraction: f64, turned: u64) -> Result<Option<f64>> {
    if !(0.0..=1.0).contains(&fraction) {
        return Err(not_a_fraction(fraction).into());
    }
    let Some(last) = keys.len().checked_sub(1) else { return Ok(None) };
    let place = fraction * last as f64;
    let (_, low, above) = keys.select_nth_unstable(place.floor() as usize);
    let low = value(*low ^ turned);
    let rest = place - place.floor();
    if rest == 0.0 {
        return Ok(Some(low));
    }
    let high = above.iter().min().map_or(low, |high| value(*high ^ turned));
    Ok(Some(low + (high - low) * rest))
}

impl Medians {
    pub(super) fn new(descending: bool) -> Self {
        Self { turned: if descending { u64::MAX } else { 0 }, groups: Vec::new(), bytes: 0 }
    }

    fn add(&mut self, group: usize, values: &[f64], fraction: Option<f64>) {
        let group = &mut self.groups[group];
        let before = group.keys.capacity();
        group.keys.extend(values.iter().map(|value| key(*value) ^ self.turned));
        self.bytes += (group.keys.capacity() - before) * size_of::<u64>();
        group.fraction = group.fraction.or(fraction);
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<Group> {
        let taken = emit_to.take_needed(&mut self.groups);
        self.bytes -= taken.iter().map(|group| group.keys.capacity() * size_of::<u64>()).sum::<usize>();
        taken
    }
}

/// A fraction of a row.
fn fraction_at(fractions: &Float64Array, row: usize) -> Option<f64> {
    fractions.is_valid(row).then(|| fractions.value(row))
}

/// The lists of values, and the fractions.
fn saved(groups: &[Group], turned: u64) -> Result<Vec<ArrayRef>> {
    let DataType::List(field) = array_of(DataType::Float64) else { return internal_err!("an array is a list") };
    let offsets = OffsetBuffer::from_lengths(groups.iter().map(|group| group.keys.len()));
    let values = groups.iter().flat_map(|group| group.keys.iter().map(|key| value(*key ^ turned)));
    let values = Arc::new(Float64Array::from_iter_values(values));
    let fractions: Float64Array = groups.iter().map(|group| group.fraction).collect();
    Ok(vec![Arc::new(ListArray::try_new(field, offsets, values, None)?), Arc::new(fractions)])
}

impl GroupsAccumulator for Medians {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, Group::default);
        let (values, fractions) = (values[0].as_primitive::<Float64Type>(), values[1].as_primitive::<Float64Type>());
        for (row, group) in group_indices.iter().enumerate() {
            let counts = opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if counts {
                let value = if values.is_valid(row) { &values.values()[row..=row] } else { &[] };
                self.add(*group, value, fraction_at(fractions, row));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let turned = self.turned;
        let result = |group: &mut Group| match group.fraction {
            Some(fraction) => between(&mut group.keys, fraction, turned),
            None => Ok(None),
        };
        let results = self.take(emit_to).iter_mut().map(result).collect::<Result<Float64Array>>()?;
        Ok(Arc::new(results))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let turned = self.turned;
        saved(&self.take(emit_to), turned)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize_with(total_num_groups, Group::default);
        let (lists, fractions) = (values[0].as_list::<i32>(), values[1].as_primitive::<Float64Type>());
        for (row, group) in group_indices.iter().enumerate() {
            if lists.is_valid(row) {
                let list = lists.value(row);
                let list = list.as_primitive::<Float64Type>();
                self.add(*group, list.values(), fraction_at(fractions, row));
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self { turned: self.turned, groups: Vec::new(), bytes: 0 };
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, opt_filter, rows.len())?;
        saved(&each.groups, self.turned)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.groups.capacity() * size_of::<Group>() + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_selected_values_are_those_of_sorted_ones(
            values in proptest::collection::vec(prop_oneof![Just(f64::NAN), Just(-f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), -9.0..9.0_f64], 1..40),
            fraction in 0.0..=1.0_f64,
            descending in any::<bool>(),
        ) {
            let mut sorted = values.clone();
            let nans_above = |one: &f64, other: &f64| one.partial_cmp(other).unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()));
            sorted.sort_by(|one, other| if descending { nans_above(other, one) } else { nans_above(one, other) });
            let place = fraction * (sorted.len() - 1) as f64;
            let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
            let wanted = if place.fract() == 0.0 { low } else { low + (high - low) * place.fract() };
            let turned = Medians::new(descending).turned;
            let mut keys: Vec<u64> = values.iter().map(|value| key(*value) ^ turned).collect();
            let found = between(&mut keys, fraction, turned).unwrap().unwrap();
            prop_assert!(found == wanted || (found.is_nan() && wanted.is_nan()), "{found} {wanted}");
        }
    }

    #[test]
    fn groups_are_saved_and_merged() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(4.0), None, Some(2.0), Some(8.0)]));
        let fractions: ArrayRef = Arc::new(Float64Array::from(vec![0.5; 5]));
        let filter = BooleanArray::from(vec![true, true, true, true, false]);
        let mut first = Medians::new(false);
        first.update_batch(&[values, fractions], &[0, 0, 1, 2, 2], Some(&filter), 3).unwrap();
        let size = first.size();
        let saved = first.state(EmitTo::All).unwrap();
        assert!(size > first.size());
        let mut second = Medians::new(false);
        second.merge_batch(&saved, &[2, 1, 0], 3).unwrap();
        second.merge_batch(&saved, &[2, 1, 1], 3).unwrap();
        let results = second.evaluate(EmitTo::All).unwrap();
        let results: Vec<Option<f64>> = results.as_primitive::<Float64Type>().iter().collect();
        assert_eq!(results, [Some(2.0), Some(2.0), Some(2.5)]);
        assert_eq!(second.bytes, 0);
    }
}
