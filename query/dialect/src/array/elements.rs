//! The elements of one array, and how they compare: NULL is equal to NULL and behind all others; zeros are equal, and NaN is
//! equal to itself.

use crate::SqlError;
use crate::order::keys_of;
use crate::types::PgType;
use arrow_array::{Array, ArrayRef};
use arrow_ord::ord::{DynComparator, make_comparator};
use arrow_schema::{DataType, SortOptions};
use datafusion::common::Result;
use std::sync::Arc;

/// Comparisons of elements in one call.
const MOST_COMPARISONS: usize = 50_000_000;

/// The comparisons that a call has left.
#[derive(Debug)]
pub(super) struct Comparisons(usize);

impl Default for Comparisons {
    fn default() -> Self {
        Self(MOST_COMPARISONS)
    }
}

impl Comparisons {
    /// Takes so many.
    pub(super) fn take(&mut self, number: usize) -> Result<(), SqlError> {
        match self.0.checked_sub(number) {
            Some(left) => self.0 = left,
            None => return Err(SqlError::new("54000", "a call of a function would compare too many elements")),
        }
        Ok(())
    }
}

/// Compares the elements of `left` with those of `right`, by their places.
pub(super) fn comparator(left: &ArrayRef, right: &ArrayRef) -> Result<DynComparator> {
    let (left, right) = alike(left, right)?;
    let options = SortOptions { descending: false, nulls_first: false };
    Ok(make_comparator(&keys_of(&left)?, &keys_of(&right)?, options)?)
}

/// Both as values of one type.
fn alike(left: &ArrayRef, right: &ArrayRef) -> Result<(ArrayRef, ArrayRef)> {
    if left.data_type() == right.data_type() {
        return Ok((Arc::clone(left), Arc::clone(right)));
    }
    let (of_left, of_right) = (PgType::of(left.data_type()), PgType::of(right.data_type()));
    let common = match (&of_left, &of_right) {
        (PgType::Unknown, _) => right.data_type().clone(),
        (_, PgType::Unknown) => left.data_type().clone(),
        (PgType::Numeric, PgType::Numeric) => {
            let scale = |data_type: &DataType| match PgType::numeric_of(data_type) {
                DataType::Decimal256(_, scale) => scale,
                _ => 0,
            };
            crate::types::numeric(scale(left.data_type()).max(scale(right.data_type())))
        }
        _ if of_left == of_right => of_left.arrow(),
        _ => {
            return Err(SqlError::new("42883", format!("operator does not exist: {of_left}[] = {of_right}[]")).into());
        }
    };
    Ok((arrow_cast::cast(left, &common)?, arrow_cast::cast(right, &common)?))
}
