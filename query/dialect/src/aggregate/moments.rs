//! Variances, covariances and regressions of floats, by the updating formulas of Youngs and Cramer, as PostgreSQL computes
//! them: sums of the values, and sums of squares of deviations from the mean.

use super::summary::{Asked, Rows, Summary, with_one_nan};
use crate::SqlError;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use datafusion::common::Result;
use std::sync::Arc;

fn overflow() -> SqlError {
    SqlError::new("22003", "value out of range: overflow")
}

/// The moments of one column.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add_value(&mut self, value: f64) -> Result<()> {
        let (count, sum) = (self.count + 1.0, self.sum + value);
        let mut squares = self.squares;
        if self.count > 0.0 {
            let deviation = value * count - sum;
            squares += deviation * deviation / (count * self.count);
            if sum.is_infinite() || squares.is_infinite() {
                if self.sum.is_finite() && value.is_finite() {
                    return Err(overflow().into());
                }
                squares = f64::NAN;
            }
        } else if !value.is_finite() {
            squares = f64::NAN;
        }
        *self = Self { count, sum, squares };
        Ok(())
    }

    fn join(&mut self, other: &Self) -> Result<()> {
        if other.count == 0.0 {
            return Ok(());
        }
        if self.count == 0.0 {
            *self = other.clone();
            return Ok(());
        }
        let (count, sum) = (self.count + other.count, self.sum + other.sum);
        if sum.is_infinite() && self.sum.is_finite() && other.sum.is_finite() {
            return Err(overflow().into());
        }
        let between = self.sum / self.count - other.sum / other.count;
        let squares = self.squares + other.squares + self.count * other.count * between * between / count;
        if squares.is_infinite() && self.squares.is_finite() && other.squares.is_finite() {
            return Err(overflow().into());
        }
        *self = Self { count, sum, squares };
        Ok(())
    }
}

/// The columns of the states' floats.
fn floats<S>(states: &[S], part: impl Fn(&S) -> f64) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(states.iter().map(part)))
}

impl Summary for Moments {
    type Kind = super::sums::Kind;
    const REMOVES: bool = false;

    fn add(states: &mut [Self], arguments: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = arguments[0].as_primitive::<Float64Type>();
        rows.each(values.len(), values.nulls(), |row, group| states[group].add_value(values.value(row)))
    }

    fn remove(&mut self, _: &[ArrayRef]) -> Result<()> {
        datafusion::common::internal_err!("floats are not removed from moments")
    }

    fn saved(_: i8) -> Vec<DataType> {
        vec![DataType::Float64; 3]
    }

    fn save(states: &[Self], _: i8) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            floats(states, |state| state.count),
            floats(states, |state| state.sum),
            floats(states, |state| state.squares),
        ])
    }

    fn merge(states: &mut [Self], saved: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [count, sum, squares] = [0, 1, 2].map(|column| saved[column].as_primitive::<Float64Type>());
        rows.each(count.len(), count.nulls(), |row, group| {
            let other = Self { count: count.value(row), sum: sum.value(row), squares: squares.value(row) };
            states[group].join(&other)
        })
    }

    fn finish(states: &[Self], asked: &Asked<Self::Kind>) -> Result<ArrayRef> {
        let super::sums::Kind::Spread { is_root, is_sample } = asked.kind else {
            return datafusion::common::internal_err!("moments give variances");
        };
        let value = |state: &Self| {
            let divisor = if is_sample { state.count - 1.0 } else { state.count };
            let variance = state.squares / divisor;
            (divisor > 0.0).then(|| with_one_nan(if is_root { variance.sqrt() } else { variance }))
        };
        Ok(Arc::new(states.iter().map(value).collect::<Float64Array>()))
    }
}

/// What is computed of two columns, of which the first one is Y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Regressed {
    Count,
    SquaresX,
    SquaresY,
    Products,
    AverageX,
    AverageY,
    Determination,
    Slope,
    Intercept,
    Correlation,
    Covariance { is_sample: bool },
}

/// The moments of two columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Pairs {
    count: f64,
    x: f64,
    xx: f64,
    y: f64,
    yy: f64,
    xy: f64,
}

impl Pairs {
    fn add_pair(&mut self, y: f64, x: f64) -> Result<()> {
        let mut next = Self { count: self.count + 1.0, x: self.x + x, y: self.y + y, ..*self };
        if self.count > 0.0 {
            let (of_x, of_y) = (x * next.count - next.x, y * next.count - next.y);
            let scale = 1.0 / (next.count * self.count);
            next.xx += of_x * of_x * scale;
            next.yy += of_y * of_y * scale;
            next.xy += of_x * of_y * scale;
            if [next.x, next.xx, next.y, next.yy, next.xy].iter().any(|part| part.is_infinite()) {
                let (is_x, is_y) = (self.x.is_finite() && x.is_finite(), self.y.is_finite() && y.is_finite());
                let overflows = ((next.x.is_infinite() || next.xx.is_infinite()) && is_x)
                    || ((next.y.is_infinite() || next.yy.is_infinite()) && is_y)
                    || (next.xy.is_infinite() && is_x && is_y);
                if overflows {
                    return Err(overflow().into());
                }
                for part in [&mut next.xx, &mut next.yy, &mut next.xy] {
                    if part.is_infinite() {
                        *part = f64::NAN;
                    }
                }
            }
        } else {
            if !x.is_finite() {
                (next.xx, next.xy) = (f64::NAN, f64::NAN);
            }
            if !y.is_finite() {
                (next.yy, next.xy) = (f64::NAN, f64::NAN);
            }
        }
        *self = next;
        Ok(())
    }

    fn join(&mut self, other: &Self) -> Result<()> {
        if other.count == 0.0 {
            return Ok(());
        }
        if self.count == 0.0 {
            *self = other.clone();
            return Ok(());
        }
        let count = self.count + other.count;
        let of_x = self.x / self.count - other.x / other.count;
        let of_y = self.y / self.count - other.y / other.count;
        let weight = self.count * other.count;
        let next = Self {
            count,
            x: self.x + other.x,
            xx: self.xx + other.xx + weight * of_x * of_x / count,
            y: self.y + other.y,
            yy: self.yy + other.yy + weight * of_y * of_y / count,
            xy: self.xy + other.xy + weight * of_x * of_y / count,
        };
        let parts = |state: &Self| [state.x, state.xx, state.y, state.yy, state.xy];
        let mut sums = parts(&next).into_iter().zip(parts(self)).zip(parts(other));
        if sums.any(|((sum, one), other)| sum.is_infinite() && one.is_finite() && other.is_finite()) {
            return Err(overflow().into());
        }
        *self = next;
        Ok(())
    }

    fn value(&self, kind: Regressed) -> Option<f64> {
        let Self { count, x, xx, y, yy, xy } = *self;
        if count < 1.0 {
            return None;
        }
        match kind {
            Regressed::Count => Some(count),
            Regressed::SquaresX => Some(xx),
            Regressed::SquaresY => Some(yy),
            Regressed::Products => Some(xy),
            Regressed::AverageX => Some(x / count),
            Regressed::AverageY => Some(y / count),
            Regressed::Determination if xx == 0.0 => None,
            Regressed::Determination if yy == 0.0 => Some(1.0),
            Regressed::Determination => Some((xy * xy) / (xx * yy)),
            Regressed::Slope => (xx != 0.0).then(|| xy / xx),
            Regressed::Intercept => (xx != 0.0).then(|| (y - x * xy / xx) / count),
            Regressed::Correlation => (xx != 0.0 && yy != 0.0).then(|| xy / (xx * yy).sqrt()),
            Regressed::Covariance { is_sample: false } => Some(xy / count),
            Regressed::Covariance { is_sample: true } => (count > 1.0).then(|| xy / (count - 1.0)),
        }
    }
}

impl Summary for Pairs {
    type Kind = Regressed;
    const REMOVES: bool = false;

    fn add(states: &mut [Self], arguments: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let (ys, xs) = (arguments[0].as_primitive::<Float64Type>(), arguments[1].as_primitive::<Float64Type>());
        let nulls = NullBuffer::union(ys.nulls(), xs.nulls());
        rows.each(ys.len(), nulls.as_ref(), |row, group| states[group].add_pair(ys.value(row), xs.value(row)))
    }

    fn remove(&mut self, _: &[ArrayRef]) -> Result<()> {
        datafusion::common::internal_err!("floats are not removed from moments")
    }

    fn saved(_: i8) -> Vec<DataType> {
        vec![DataType::Float64; 6]
    }

    fn save(states: &[Self], _: i8) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            floats(states, |state| state.count),
            floats(states, |state| state.x),
            floats(states, |state| state.xx),
            floats(states, |state| state.y),
            floats(states, |state| state.yy),
            floats(states, |state| state.xy),
        ])
    }

    fn merge(states: &mut [Self], saved: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [count, x, xx, y, yy, xy] = [0, 1, 2, 3, 4, 5].map(|column| saved[column].as_primitive::<Float64Type>());
        rows.each(count.len(), count.nulls(), |row, group| {
            let other = Self {
                count: count.value(row),
                x: x.value(row),
                xx: xx.value(row),
                y: y.value(row),
                yy: yy.value(row),
                xy: xy.value(row),
            };
            states[group].join(&other)
        })
    }

    fn finish(states: &[Self], asked: &Asked<Regressed>) -> Result<ArrayRef> {
        if asked.kind == Regressed::Count {
            return Ok(Arc::new(Int64Array::from_iter_values(states.iter().map(|state| state.count as i64))));
        }
        Ok(Arc::new(states.iter().map(|state| state.value(asked.kind).map(with_one_nan)).collect::<Float64Array>()))
    }
}

/// The type of a count.
pub(super) fn result(kind: Regressed) -> DataType {
    if kind == Regressed::Count {
        <Int64Type as arrow_array::types::ArrowPrimitiveType>::DATA_TYPE
    } else {
        DataType::Float64
    }
}
