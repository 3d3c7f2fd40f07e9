//! `uuid`, which is a text in its canonical form.

use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, form};
use crate::types::PgType::Text;
use arrow_array::ArrayRef;
use datafusion::common::Result;
use datafusion::logical_expr::Volatility;
use uuid::Uuid;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let uuid = || Returns::Named("uuid");
    vec![
        Function::new("to_uuid_type", vec![form([Text], || Text, to_uuid_type).returning(uuid())]),
        Function::new("gen_random_uuid", vec![Form::new(Vec::new(), uuid(), random)]).volatility(Volatility::Volatile),
    ]
}

/// Reads the digits, which may stand in braces, with a hyphen behind each four of them.
fn read(text: &str) -> Option<Uuid> {
    let inner = match text.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => text,
    };
    let mut bytes = [0_u8; 16];
    let mut rest = inner.as_bytes();
    for (place, byte) in bytes.iter_mut().enumerate() {
        let [first, second, behind @ ..] = rest else { return None };
        let digit = |letter: &u8| char::from(*letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(first)? * 16 + digit(second)?;
        rest = behind;
        if let [b'-', behind @ ..] = rest
            && place % 2 == 1
            && place < 15
        {
            rest = behind;
        }
    }
    rest.is_empty().then(|| Uuid::from_bytes(bytes))
}

/// `x::uuid`.
fn to_uuid_type(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        Ok(Some(read(text).ok_or_else(|| SqlError::invalid_text("uuid", text))?.to_string()))
    })
}

fn random(call: &Call) -> Result<ArrayRef> {
    call.texts(|_| Ok(Some(Uuid::new_v4().to_string())))
}

#[cfg(test)]
mod tests {
    use crate::testing::{context, rows};
    use std::collections::HashSet;

    #[test]
    fn each_row_has_another_random_uuid() {
        let rows = rows(&context(), "SELECT gen_random_uuid() FROM (VALUES (1), (2), (3)) t(x)").unwrap();
        let uuids: HashSet<String> = rows.into_iter().flatten().flatten().collect();
        assert_eq!(uuids.len(), 3);
        assert!(uuids.iter().all(|uuid| uuid.len() == 36 && uuid.as_bytes()[14] == b'4'), "{uuids:?}");
    }
}
