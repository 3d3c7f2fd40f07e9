//! Sums, and what is computed of them: `sum`, `avg`, and `variance` and `stddev` of exact numbers.
//!
//! Sums of integers are kept in 128 bits, which no number of rows overflows; of numerics in 256 bits, checked.

use super::summary::{Asked, Rows, Summary, with_one_nan};
use crate::SqlError;
use crate::number::decimal::{self, big, checked, quotient, rescaled, small, too_many_digits};
use crate::number::power;
use crate::types::numeric;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp, Int64Array, PrimitiveArray};
use arrow_buffer::i256;
use arrow_schema::DataType;
use datafusion::common::Result;
use std::marker::PhantomData;
use std::sync::Arc;

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Sum,
    Average,
    /// The variance or its root, of a sample or of the population.
    Spread {
        is_root: bool,
        is_sample: bool,
    },
}

/// The sum of integers.
#[derive(Debug)]
pub(super) struct WholeSum<T> {
    sum: i128,
    count: i64,
    of: PhantomData<fn() -> T>,
}

impl<T> Default for WholeSum<T> {
    fn default() -> Self {
        Self { sum: 0, count: 0, of: PhantomData }
    }
}

impl<T> Clone for WholeSum<T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

/// An integer type whose values are added.
pub(super) trait Addend: ArrowPrimitiveType + std::fmt::Debug {
    fn wide(value: Self::Native) -> i128;
    /// The sum of all values.
    fn total(values: &[Self::Native]) -> i128;
}

impl Addend for Int32Type {
    fn wide(value: i32) -> i128 {
        value.into()
    }

    fn total(values: &[i32]) -> i128 {
        // A batch has fewer than 2^31 rows, so 64 bits hold its sum.
        values.chunks(1 << 30).map(|chunk| i128::from(chunk.iter().map(|value| i64::from(*value)).sum::<i64>())).sum()
    }
}

impl Addend for Int64Type {
    fn wide(value: i64) -> i128 {
        value.into()
    }

    fn total(values: &[i64]) -> i128 {
        // By halves, each of whose sums 64 bits hold.
        let of = |chunk: &[i64]| {
            let (mut low, mut high) = (0_u64, 0_i64);
            for value in chunk {
                low += *value as u64 & 0xffff_ffff;
                high += value >> 32;
            }
            (i128::from(high) << 32) + i128::from(low)
        };
        values.chunks(1 << 30).map(of).sum()
    }
}

fn counts(states: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(states.collect::<Int64Array>())
}

impl<T: Addend> Summary for WholeSum<T> {
    type Kind = Kind;
    const REMOVES: bool = true;

    fn add(states: &mut [Self], arguments: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = arguments[0].as_primitive::<T>();
        if rows.groups.is_none() && rows.filter.is_none() && values.null_count() == 0 {
            states[0].sum += T::total(values.values());
            states[0].count += values.len() as i64;
            return Ok(());
        }
        rows.each(values.len(), values.nulls(), |row, group| {
            let state = &mut states[group];
            state.sum += T::wide(values.value(row));
            state.count += 1;
            Ok(())
        })
    }

    fn remove(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let values = arguments[0].as_primitive::<T>();
        Rows::ALL.each(values.len(), values.nulls(), |row, _| {
            self.sum -= T::wide(values.value(row));
            self.count -= 1;
            Ok(())
        })
    }

    fn saved(_: i8) -> Vec<DataType> {
        vec![DataType::Decimal128(38, 0), DataType::Int64]
    }

    fn save(states: &[Self], _: i8) -> Result<Vec<ArrayRef>> {
        let sums = PrimitiveArray::<Decimal128Type>::from_iter_values(states.iter().map(|state| state.sum));
        Ok(vec![
            Arc::new(sums.with_data_type(DataType::Decimal128(38, 0))),
            counts(states.iter().map(|state| state.count)),
        ])
    }

    fn merge(states: &mut [Self], saved: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let (sums, counts) = (saved[0].as_primitive::<Decimal128Type>(), saved[1].as_primitive::<Int64Type>());
        rows.each(sums.len(), sums.nulls(), |row, group| {
            let state = &mut states[group];
            state.sum += sums.value(row);
            state.count += counts.value(row);
            Ok(())
        })
    }

    fn finish(states: &[Self], asked: &Asked<Kind>) -> Result<ArrayRef> {
        if asked.result == DataType::Int64 {
            let sum = |state: &Self| -> Result<Option<i64>> {
                if state.count == 0 {
                    return Ok(None);
                }
                i64::try_from(state.sum).map(Some).map_err(|_| SqlError::out_of_range("bigint").into())
            };
            return Ok(Arc::new(states.iter().map(sum).collect::<Result<Int64Array>>()?));
        }
        decimals(asked, states.len(), |place, to| {
            let state = &states[place];
            exact(asked.kind, i256::from_i128(state.sum), state.count, 0, to)
        })
    }
}

/// Numerics of the result's scale.
fn decimals(
    asked: &Asked<Kind>,
    results: usize,
    value: impl Fn(usize, i8) -> Result<Option<i256>>,
) -> Result<ArrayRef> {
    let DataType::Decimal256(_, to) = asked.result else {
        return datafusion::common::internal_err!("a sum of exact numbers is numeric, not {}", asked.result);
    };
    let made: Vec<Option<i256>> = (0..results).map(|place| value(place, to)).collect::<Result<_>>()?;
    Ok(Arc::new(PrimitiveArray::<Decimal256Type>::from(made).with_data_type(asked.result.clone())))
}

/// A sum or an average.
fn exact(kind: Kind, sum: i256, count: i64, scale: i8, to: i8) -> Result<Option<i256>> {
    if count == 0 {
        return Ok(None);
    }
    match kind {
        Kind::Average => quotient((sum, scale), (i256::from_i128(count.into()), 0), to).map(Some),
        _ => rescaled(sum, scale, to).map(Some),
    }
}

/// The sum of numerics.
#[derive(Debug, Clone, Default)]
pub(super) struct NumericSum {
    sum: i256,
    count: i64,
}

fn total(one: i256, other: i256) -> Result<i256> {
    checked(one.checked_add(other))
}

impl Summary for NumericSum {
    type Kind = Kind;
    const REMOVES: bool = true;

    fn add(states: &mut [Self], arguments: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = arguments[0].as_primitive::<Decimal256Type>();
        rows.each(values.len(), values.nulls(), |row, group| {
            let state = &mut states[group];
            state.sum = total(state.sum, values.value(row))?;
            state.count += 1;
            Ok(())
        })
    }

    fn remove(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let values = arguments[0].as_primitive::<Decimal256Type>();
        Rows::ALL.each(values.len(), values.nulls(), |row, _| {
            self.sum = total(self.sum, values.value(row).wrapping_neg())?;
            self.count -= 1;
            Ok(())
        })
    }

    fn saved(scale: i8) -> Vec<DataType> {
        vec![numeric(scale), DataType::Int64]
    }

    fn save(states: &[Self], scale: i8) -> Result<Vec<ArrayRef>> {
        let sums = PrimitiveArray::<Decimal256Type>::from_iter_values(states.iter().map(|state| state.sum));
        Ok(vec![Arc::new(sums.with_data_type(numeric(scale))), counts(states.iter().map(|state| state.count))])
    }

    fn merge(states: &mut [Self], saved: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let (sums, counts) = (saved[0].as_primitive::<Decimal256Type>(), saved[1].as_primitive::<Int64Type>());
        rows.each(sums.len(), sums.nulls(), |row, group| {
            let state = &mut states[group];
            state.sum = total(state.sum, sums.value(row))?;
            state.count += counts.value(row);
            Ok(())
        })
    }

    fn finish(states: &[Self], asked: &Asked<Kind>) -> Result<ArrayRef> {
        decimals(asked, states.len(), |place, to| {
            let state = &states[place];
            exact(asked.kind, state.sum, state.count, asked.scale, to)
        })
    }
}

/// The sum of exact numbers and of their squares.
#[derive(Debug, Clone, Default)]
pub(super) struct Squares {
    sum: i256,
    squares: i256,
    count: i64,
}

impl Squares {
    fn change(&mut self, value: i256, count: i64) -> Result<()> {
        let square = value.checked_mul(value).ok_or_else(too_many_digits)?;
        let (value, square) = if count > 0 { (value, square) } else { (value.wrapping_neg(), square.wrapping_neg()) };
        self.sum = total(self.sum, value)?;
        self.squares = total(self.squares, square)?;
        self.count += count;
        Ok(())
    }

    /// The variance or its root as PostgreSQL rounds it.
    fn spread(&self, is_root: bool, is_sample: bool, scale: i8, to: i8) -> Result<Option<i256>> {
        if self.count == 0 || (is_sample && self.count == 1) {
            return Ok(None);
        }
        let count = i256::from_i128(self.count.into());
        // n Σx² - (Σx)², over n (n - 1) or n².
        let squares = big(self.squares) * self.count - big(self.sum) * big(self.sum);
        let squares = small(&squares)?;
        if squares == i256::ZERO || squares.is_negative() {
            return Ok(Some(i256::ZERO));
        }
        let other = if is_sample { count.wrapping_sub(i256::ONE) } else { count };
        let divisor = checked(count.checked_mul(other))?;
        let scale = scale.saturating_mul(2);
        if !is_root {
            return quotient((squares, scale), (divisor, 0), to).map(Some);
        }
        let digits = decimal::quotient_scale((squares, scale), (divisor, 0));
        let variance = decimal::rounded_quotient((squares, scale), (divisor, 0), digits);
        power::root_of(&variance, digits, to).map(Some)
    }
}

impl Summary for Squares {
    type Kind = Kind;
    const REMOVES: bool = true;

    fn add(states: &mut [Self], arguments: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = arguments[0].as_primitive::<Decimal256Type>();
        rows.each(values.len(), values.nulls(), |row, group| states[group].change(values.value(row), 1))
    }

    fn remove(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let values = arguments[0].as_primitive::<Decimal256Type>();
        Rows::ALL.each(values.len(), values.nulls(), |row, _| self.change(values.value(row), -1))
    }

    fn saved(scale: i8) -> Vec<DataType> {
        vec![numeric(scale), numeric(scale.saturating_mul(2)), DataType::Int64]
    }

    fn save(states: &[Self], scale: i8) -> Result<Vec<ArrayRef>> {
        let of = |values: PrimitiveArray<Decimal256Type>, scale: i8| Arc::new(values.with_data_type(numeric(scale)));
        let sums = PrimitiveArray::from_iter_values(states.iter().map(|state| state.sum));
        let squares = PrimitiveArray::from_iter_values(states.iter().map(|state| state.squares));
        Ok(vec![of(sums, scale), of(squares, scale.saturating_mul(2)), counts(states.iter().map(|state| state.count))])
    }

    fn merge(states: &mut [Self], saved: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let sums = saved[0].as_primitive::<Decimal256Type>();
        let squares = saved[1].as_primitive::<Decimal256Type>();
        let counts = saved[2].as_primitive::<Int64Type>();
        rows.each(sums.len(), sums.nulls(), |row, group| {
            let state = &mut states[group];
            state.sum = total(state.sum, sums.value(row))?;
            state.squares = total(state.squares, squares.value(row))?;
            state.count += counts.value(row);
            Ok(())
        })
    }

    fn finish(states: &[Self], asked: &Asked<Kind>) -> Result<ArrayRef> {
        decimals(asked, states.len(), |place, to| match asked.kind {
            Kind::Spread { is_root, is_sample } => states[place].spread(is_root, is_sample, asked.scale, to),
            kind => exact(kind, states[place].sum, states[place].count, asked.scale, to),
        })
    }
}

/// The sum of floats, in the precision of their type.
#[derive(Debug)]
pub(super) struct FloatSum<T: ArrowPrimitiveType> {
    sum: T::Native,
    count: i64,
}

impl<T: FloatAddend> Default for FloatSum<T> {
    fn default() -> Self {
        Self { sum: T::START, count: 0 }
    }
}

impl<T: ArrowPrimitiveType> Clone for FloatSum<T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

/// A float type whose values are added.
pub(super) trait FloatAddend: ArrowPrimitiveType + std::fmt::Debug {
    /// What a sum begins with: the negative zero, to which each value is added unchanged.
    const START: Self::Native;
    fn is_overflow(sum: Self::Native, one: Self::Native, other: Self::Native) -> bool;
    fn average(sum: Self::Native, count: i64) -> f64;
    fn with_one_nan(sum: Self::Native) -> Self::Native;
}

impl FloatAddend for Float64Type {
    const START: f64 = -0.0;

    fn is_overflow(sum: f64, one: f64, other: f64) -> bool {
        sum.is_infinite() && one.is_finite() && other.is_finite()
    }

    fn average(sum: f64, count: i64) -> f64 {
        // PostgreSQL's sum for an average begins with the positive zero.
        with_one_nan((sum + 0.0) / count as f64)
    }

    fn with_one_nan(sum: f64) -> f64 {
        with_one_nan(sum)
    }
}

impl FloatAddend for Float32Type {
    const START: f32 = -0.0;

    fn is_overflow(sum: f32, one: f32, other: f32) -> bool {
        sum.is_infinite() && one.is_finite() && other.is_finite()
    }

    fn average(sum: f32, count: i64) -> f64 {
        with_one_nan(f64::from(sum + 0.0) / count as f64)
    }

    fn with_one_nan(sum: f32) -> f32 {
        if sum.is_nan() { f32::NAN } else { sum }
    }
}

impl<T: FloatAddend> FloatSum<T> {
    fn change(&mut self, value: T::Native, count: i64) -> Result<()> {
        let sum = self.sum.add_wrapping(value);
        if T::is_overflow(sum, self.sum, value) {
            return Err(SqlError::new("22003", "value out of range: overflow").into());
        }
        self.sum = sum;
        self.count += count;
        Ok(())
    }
}

impl<T: FloatAddend> Summary for FloatSum<T> {
    type Kind = Kind;
    const REMOVES: bool = false;

    fn add(states: &mut [Self], arguments: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = arguments[0].as_primitive::<T>();
        rows.each(values.len(), values.nulls(), |row, group| states[group].change(values.value(row), 1))
    }

    fn remove(&mut self, _: &[ArrayRef]) -> Result<()> {
        datafusion::common::internal_err!("floats are not removed from a sum")
    }

    fn saved(_: i8) -> Vec<DataType> {
        vec![T::DATA_TYPE, DataType::Int64]
    }

    fn save(states: &[Self], _: i8) -> Result<Vec<ArrayRef>> {
        let sums = PrimitiveArray::<T>::from_iter_values(states.iter().map(|state| state.sum));
        Ok(vec![Arc::new(sums), counts(states.iter().map(|state| state.count))])
    }

    fn merge(states: &mut [Self], saved: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let (sums, counts) = (saved[0].as_primitive::<T>(), saved[1].as_primitive::<Int64Type>());
        rows.each(sums.len(), sums.nulls(), |row, group| states[group].change(sums.value(row), counts.value(row)))
    }

    fn finish(states: &[Self], asked: &Asked<Kind>) -> Result<ArrayRef> {
        if asked.kind == Kind::Average {
            let average = |state: &Self| (state.count > 0).then(|| T::average(state.sum, state.count));
            return Ok(Arc::new(states.iter().map(average).collect::<PrimitiveArray<Float64Type>>()));
        }
        let sums = states.iter().map(|state| (state.count > 0).then(|| T::with_one_nan(state.sum)));
        Ok(Arc::new(PrimitiveArray::<T>::from_iter(sums)))
    }
}
