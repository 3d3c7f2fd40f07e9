//! Arrays from their texts (`{1,2,NULL}`) and their binary form (`array_recv`). They have one dimension: the engine's lists of
//! lists have another type for each number of dimensions, and a parameter's type does not tell it.

use super::error::InputError;
use datafusion::common::ScalarValue;

/// The elements of a text. `element` reads each.
pub(super) fn from_text(
    text: &str,
    element: impl Fn(&str) -> Result<ScalarValue, InputError>,
) -> Result<Vec<ScalarValue>, InputError> {
    let malformed = || InputError::new("22P02", format!("malformed array literal: \"{text}\""));
    let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(malformed)?;
    let mut elements = Vec::new();
    if inner.trim().is_empty() {
        return Ok(elements);
    }
    let mut letters = inner.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        let mut word = String::new();
        let is_quoted = letters.next_if_eq(&'"').is_some();
        // Spaces at the end belong to no element that is not quoted, unless they are escaped.
        let mut kept = 0;
        loop {
            match letters.peek() {
                None if is_quoted => return Err(malformed()),
                None => break,
                Some(',') if !is_quoted => break,
                Some('{') if !is_quoted => return Err(dimensions()),
                Some('}') if !is_quoted => return Err(malformed()),
                Some('"') if !is_quoted => return Err(malformed()),
                Some(_) => {}
            }
            match letters.next() {
                Some('\\') => {
                    word.push(letters.next().ok_or_else(malformed)?);
                    kept = word.len();
                }
                Some('"') => break,
                Some(letter) => word.push(letter),
                None => break,
            }
        }
        if is_quoted {
            while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
            elements.push(element(&word)?);
        } else {
            word.truncate(word.trim_end().len().max(kept));
            if word.is_empty() {
                return Err(malformed());
            }
            let is_null = kept == 0 && word.eq_ignore_ascii_case("null");
            elements.push(if is_null { ScalarValue::Null } else { element(&word)? });
        }
        match letters.next() {
            None => return Ok(elements),
            Some(',') => {}
            Some(_) => return Err(malformed()),
        }
    }
}

/// The elements of the binary form, whose elements are of the type `oid`; `None` if the bytes are none.
pub(super) fn from_binary(
    bytes: &[u8],
    oid: u32,
    element: impl Fn(&[u8]) -> Result<ScalarValue, InputError>,
) -> Result<Option<Vec<ScalarValue>>, InputError> {
    let mut rest = bytes;
    let head = [take(&mut rest), take(&mut rest), take(&mut rest)];
    let [Some(dimensions_count), Some(_has_nulls), Some(element_type)] = head else { return Ok(None) };
    if element_type.cast_unsigned() != oid {
        return Err(InputError::new("42804", "the elements of an array have another type than it"));
    }
    match dimensions_count {
        0 => return Ok(rest.is_empty().then(Vec::new)),
        1 => {}
        2..=6 => return Err(dimensions()),
        _ => return Ok(None),
    }
    let [Some(count), Some(_first)] = [take(&mut rest), take(&mut rest)] else { return Ok(None) };
    // Each element has four bytes at least.
    let count = usize::try_from(count).ok().filter(|count| count.saturating_mul(4) <= rest.len());
    let Some(count) = count else { return Ok(None) };
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        let Some(length) = take(&mut rest) else { return Ok(None) };
        if length == -1 {
            elements.push(ScalarValue::Null);
            continue;
        }
        let Some((value, after)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) else {
            return Ok(None);
        };
        rest = after;
        elements.push(element(value)?);
    }
    Ok(rest.is_empty().then_some(elements))
}

fn take(rest: &mut &[u8]) -> Option<i32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(i32::from_be_bytes(*number))
}

fn dimensions() -> InputError {
    InputError::new("0A000", "an array of several dimensions as a parameter is not supported")
}
