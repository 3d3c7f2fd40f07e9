//! Values from texts.

use crate::error::{CatalogError, Result};
use crate::types::{self, Family, Oid};
use crate::value::{ArrayValue, Datum};
use std::sync::Arc;

fn invalid(text: &str, oid: Oid) -> CatalogError {
    let name = types::sql_name(oid, None).unwrap_or_default();
    CatalogError::new("22P02", format!("invalid input syntax for type {name}: \"{text}\""))
}

/// The value of a text of a type that does not need the catalog.
pub(crate) fn parse(text: &str, oid: Oid) -> Result<Datum> {
    let oid = types::base(oid);
    Ok(match types::family(oid) {
        Family::Bool => match text.trim().to_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => Datum::Bool(true),
            "f" | "false" | "n" | "no" | "off" | "0" => Datum::Bool(false),
            _ => return Err(invalid(text, oid)),
        },
        Family::Int => {
            let number: i64 = text.trim().parse().map_err(|_| invalid(text, oid))?;
            return fit(number, oid).map_err(|_| {
                let name = types::sql_name(oid, None).unwrap_or_default();
                CatalogError::new("22003", format!("value \"{text}\" is out of range for type {name}"))
            });
        }
        Family::Float => Datum::Float(text.trim().parse().map_err(|_| invalid(text, oid))?),
        Family::Array => {
            let element = types::element(oid).unwrap_or(types::TEXT);
            if types::is_vector(oid) {
                let items: Result<Vec<Datum>> = text.split_whitespace().map(|item| parse(item, element)).collect();
                return Ok(Datum::Array(Arc::new(ArrayValue { lower: 0, element, items: items? })));
            }
            let items = elements(text)
                .ok_or_else(|| CatalogError::new("22P02", format!("malformed array literal: \"{text}\"")))?;
            let items: Result<Vec<Datum>> =
                items.into_iter().map(|item| item.map_or(Ok(Datum::Null), |item| parse(&item, element))).collect();
            Datum::array(element, items?)
        }
        Family::Time | Family::Record => {
            return Err(CatalogError::unsupported(format!(
                "a literal of type {}",
                types::type_name(oid).unwrap_or("record")
            )));
        }
        Family::Text | Family::Unknown => match oid {
            // PostgreSQL keeps the first byte.
            types::CHAR => Datum::text(text.get(..1).unwrap_or(text)),
            _ => Datum::text(text),
        },
    })
}

/// A whole number as one of a type.
pub(crate) fn fit(number: i64, oid: Oid) -> Result<Datum> {
    let is_within = match oid {
        types::INT2 => i16::try_from(number).is_ok(),
        types::INT4 => i32::try_from(number).is_ok(),
        types::INT8 | 5069 => true,
        // An OID that is written as a negative number is the same 32 bits.
        _ if (i64::from(i32::MIN)..0).contains(&number) => return Ok(Datum::Int(number & 0xffff_ffff)),
        _ => u32::try_from(number).is_ok(),
    };
    if is_within {
        return Ok(Datum::Int(number));
    }
    let name = types::sql_name(oid, None).unwrap_or_default();
    Err(CatalogError::new("22003", format!("{name} out of range")))
}

/// The texts of the elements in the text of an array of one dimension.
fn elements(text: &str) -> Option<Vec<Option<String>>> {
    let inside = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let (mut items, mut item) = (Vec::new(), String::new());
    let (mut is_quoted, mut was_quoted) = (false, false);
    if inside.trim().is_empty() {
        return Some(items);
    }
    let end = |item: &mut String, was_quoted: &mut bool| {
        let text = std::mem::take(item);
        let is_null = !std::mem::take(was_quoted) && text.trim().eq_ignore_ascii_case("null");
        (!is_null).then_some(text)
    };
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => item.push(letters.next()?),
            '"' => {
                is_quoted = !is_quoted;
                was_quoted = true;
            }
            ',' if !is_quoted => items.push(end(&mut item, &mut was_quoted)),
            '{' | '}' if !is_quoted => return None,
            letter if letter.is_whitespace() && !is_quoted && item.is_empty() => {}
            letter => item.push(letter),
        }
    }
    items.push(end(&mut item, &mut was_quoted));
    (!is_quoted).then_some(items)
}
