//! `pg_size_pretty`: a number of bytes in the largest unit of which there are ten or more (PostgreSQL 15, 9.27.7).

use super::text::of_digits;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType::{Int8, Numeric, Text};
use arrow_array::ArrayRef;
use arrow_buffer::i256;
use datafusion::common::Result;

/// The units, each with the size from which on the next one is used, and whether it is rounded. A rounded one is counted in halves.
const UNITS: [(&str, i64, bool, u32); 6] = [
    ("bytes", 10 * 1024, false, 0),
    ("kB", 20 * 1024 - 1, true, 10),
    ("MB", 20 * 1024 - 1, true, 20),
    ("GB", 20 * 1024 - 1, true, 30),
    ("TB", 20 * 1024 - 1, true, 40),
    ("PB", 20 * 1024 - 1, true, 50),
];

pub(super) fn functions() -> Vec<Function> {
    vec![Function::new("pg_size_pretty", vec![form([Int8], || Text, of_int8), form([Numeric], || Text, of_numeric)])]
}

fn of_int8(call: &Call) -> Result<ArrayRef> {
    let sizes = call.int8(0);
    call.texts(|row| Ok(sizes.get(row).map(|size| pretty(i256::from_i128(size.into()), 0))))
}

fn of_numeric(call: &Call) -> Result<ArrayRef> {
    let (sizes, scale) = (call.numeric(0), call.scale(0));
    call.texts(|row| Ok(sizes.get(row).map(|size| pretty(size, scale))))
}

/// A size with `scale` digits behind the point. A number of bytes shows them.
fn pretty(digits: i256, scale: i8) -> String {
    let whole = match u32::try_from(scale) {
        Ok(scale) => digits / i256::from_i128(10).wrapping_pow(scale),
        Err(_) => digits * i256::from_i128(10).wrapping_pow(scale.unsigned_abs().into()),
    };
    let mut size = whole;
    let (one, two) = (i256::ONE, i256::from_i128(2));
    for (place, (name, limit, is_rounded, shift)) in UNITS.iter().enumerate() {
        let next = UNITS.get(place + 1);
        let magnitude = if size < i256::ZERO { size.wrapping_neg() } else { size };
        let Some((_, _, next_is_rounded, next_shift)) = next.filter(|_| magnitude >= i256::from_i128((*limit).into()))
        else {
            if !is_rounded {
                return format!("{} {name}", of_digits(digits, scale));
            }
            let half = if size < i256::ZERO { size - one } else { size + one };
            return format!("{} {name}", half / two);
        };
        let bits = next_shift - shift - u32::from(*next_is_rounded) + u32::from(*is_rounded);
        size /= two.wrapping_pow(bits);
    }
    format!("{size} bytes")
}
