//! Applies a computation to the digits of numerics.

use super::kernel::binary;
use crate::call::Call;
use arrow_array::ArrayRef;
use arrow_array::types::Decimal256Type;
use arrow_buffer::i256;
use datafusion::common::Result;

/// Two numerics row by row; `value` gets the digits.
pub(super) fn numerics(call: &Call, value: impl Fn(i256, i256) -> Result<i256>) -> Result<ArrayRef> {
    binary::<Decimal256Type, Decimal256Type, Decimal256Type>(call, call.numeric(0), call.numeric(1), value)
}
