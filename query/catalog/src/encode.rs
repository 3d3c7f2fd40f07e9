//! Values from texts, and values as texts and as bytes of the wire.

use crate::error::{CatalogError, Result};
use crate::format;
use crate::tables::Catalog;
use crate::types::{self, Family, Oid};
use crate::value::{ArrayValue, Datum};
use std::sync::Arc;

/// Microseconds and days from 1970 to 2000, from which the wire counts.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i64 = 10_957;

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

/// The text of a value of a type, as PostgreSQL writes it. `None` for NULL.
pub fn text(catalog: &Catalog, value: &Datum, oid: Oid) -> Option<String> {
    Some(match (value, oid) {
        (Datum::Null, _) => return None,
        (Datum::Bool(value), _) => (if *value { "t" } else { "f" }).to_owned(),
        (Datum::Int(number), types::DATE) => format::date(*number),
        (Datum::Int(number), types::TIMESTAMP) => format::timestamp(*number, false),
        (Datum::Int(number), types::TIMESTAMPTZ) => format::timestamp(*number, true),
        (Datum::Int(number), _) if types::is_oid_like(oid) && oid != types::OID => {
            crate::builtin::reg_text(catalog, u32::try_from(*number).unwrap_or_default(), oid)
        }
        (Datum::Int(number), _) => number.to_string(),
        (Datum::Float(number), _) => format::float(*number, oid == types::FLOAT4),
        (Datum::Text(text), _) => text.to_string(),
        (Datum::Array(array), _) => {
            let element = types::element(oid).unwrap_or(array.element);
            let delimiter = types::facts(element).map_or(',', |facts| facts.delimiter);
            let items = array.items.iter().map(|item| text_of_element(catalog, item, element, delimiter));
            if types::is_vector(oid) {
                let items = array.items.iter().map(|item| text(catalog, item, element).unwrap_or_default());
                return Some(items.collect::<Vec<_>>().join(" "));
            }
            let items = items.collect::<Vec<_>>().join(&delimiter.to_string());
            let is_shifted = array.lower != 1 && !array.items.is_empty();
            let bounds = match is_shifted {
                true => format!("[{}:{}]=", array.lower, array.lower + array.items.len() as i64 - 1),
                false => String::new(),
            };
            format!("{bounds}{{{items}}}")
        }
        (Datum::Record(items), _) => {
            let field = |item: &Datum| match item {
                Datum::Null => String::new(),
                other => {
                    let written = text(catalog, other, natural(other)).unwrap_or_default();
                    let needs = written.is_empty() || written.contains(['"', '\\', '(', ')', ',', ' ']);
                    if needs { format!("\"{}\"", written.replace('\\', "\\\\").replace('"', "\"\"")) } else { written }
                }
            };
            format!("({})", items.iter().map(field).collect::<Vec<_>>().join(","))
        }
    })
}

/// The type of a value inside a row, of which only the value is known.
fn natural(value: &Datum) -> Oid {
    match value {
        Datum::Bool(_) => types::BOOL,
        Datum::Int(_) => types::INT8,
        Datum::Float(_) => types::FLOAT8,
        Datum::Array(array) => types::array_of(array.element).unwrap_or(types::TEXT_ARRAY),
        _ => types::TEXT,
    }
}

fn text_of_element(catalog: &Catalog, item: &Datum, element: Oid, delimiter: char) -> String {
    let Some(written) = text(catalog, item, element) else { return "NULL".to_owned() };
    let needs = written.is_empty()
        || written.eq_ignore_ascii_case("null")
        || written.contains(|c: char| matches!(c, '{' | '}' | '"' | '\\') || c == delimiter || c.is_whitespace());
    if needs { format!("\"{}\"", written.replace('\\', "\\\\").replace('"', "\\\"")) } else { written }
}

/// The bytes of a value of a type in the binary format. `None` for NULL.
///
/// # Errors
/// If the type has no binary format here.
pub fn binary(value: &Datum, oid: Oid) -> Result<Option<Vec<u8>>> {
    Ok(Some(match (value, oid) {
        (Datum::Null, _) => return Ok(None),
        (Datum::Bool(value), _) => vec![u8::from(*value)],
        (Datum::Int(number), types::INT2) => i16::try_from(*number).unwrap_or_default().to_be_bytes().to_vec(),
        (Datum::Int(number), types::INT8 | 5069) => number.to_be_bytes().to_vec(),
        (Datum::Int(number), types::DATE) => {
            i32::try_from(*number - EPOCH_DAYS).unwrap_or_default().to_be_bytes().to_vec()
        }
        (Datum::Int(number), types::TIMESTAMP | types::TIMESTAMPTZ) => {
            (*number - EPOCH_MICROSECONDS).to_be_bytes().to_vec()
        }
        // The lower 32 bits of an int4 or of an OID.
        (Datum::Int(number), _) => ((*number & 0xffff_ffff) as u32).to_be_bytes().to_vec(),
        (Datum::Float(number), types::FLOAT4) => (*number as f32).to_be_bytes().to_vec(),
        (Datum::Float(number), types::FLOAT8) => number.to_be_bytes().to_vec(),
        (Datum::Text(text), types::JSONB) => [&[1], text.as_bytes()].concat(),
        (Datum::Text(text), types::CHAR) => vec![text.as_bytes().first().copied().unwrap_or(0)],
        (Datum::Text(text), types::BYTEA) => text.as_bytes().to_vec(),
        (Datum::Text(text), _) if is_text_on_the_wire(oid) => text.as_bytes().to_vec(),
        (Datum::Array(array), _) => {
            let element = types::element(oid).unwrap_or(array.element);
            let has_null = array.items.iter().any(Datum::is_null);
            let dimensions = i32::from(!array.items.is_empty() || types::is_vector(oid));
            let mut bytes = [dimensions, i32::from(has_null)].map(i32::to_be_bytes).concat();
            bytes.extend(element.to_be_bytes());
            if dimensions == 1 {
                bytes.extend(i32::try_from(array.items.len()).unwrap_or_default().to_be_bytes());
                bytes.extend(i32::try_from(array.lower).unwrap_or(1).to_be_bytes());
            }
            for item in &array.items {
                match binary(item, element)? {
                    Some(item) => {
                        bytes.extend(i32::try_from(item.len()).unwrap_or_default().to_be_bytes());
                        bytes.extend(item);
                    }
                    None => bytes.extend((-1_i32).to_be_bytes()),
                }
            }
            bytes
        }
        (_, _) => {
            let name = types::sql_name(oid, None).unwrap_or_default();
            return Err(CatalogError::new("42883", format!("no binary output function available for type {name}")));
        }
    }))
}

/// Whether the binary format of a type is its text.
fn is_text_on_the_wire(oid: Oid) -> bool {
    matches!(
        oid,
        types::TEXT
            | types::NAME
            | types::VARCHAR
            | types::BPCHAR
            | types::UNKNOWN
            | types::JSON
            | 142
            | 194
            | 2275
            | 3361
            | 3402
            | 5017
    )
}

/// The text of a value that a client sends in the binary format. `None` if the bytes are no value of the type, or of a type
/// that has no binary format here.
pub fn text_of_binary(bytes: &[u8], oid: Oid) -> Option<String> {
    Some(match (oid, types::family(oid)) {
        (types::BOOL, _) => (if bytes == [1] { "t" } else { "f" }).to_owned(),
        (types::INT2, _) => i16::from_be_bytes(bytes.try_into().ok()?).to_string(),
        (types::INT4, _) => i32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        (types::INT8 | 5069, _) => i64::from_be_bytes(bytes.try_into().ok()?).to_string(),
        (_, Family::Int) => u32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        (types::FLOAT4, _) => f32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        (types::FLOAT8, _) => f64::from_be_bytes(bytes.try_into().ok()?).to_string(),
        (_, Family::Array) => {
            let (dimensions, rest) = bytes.split_first_chunk::<4>()?;
            let (_, rest) = rest.split_first_chunk::<4>()?;
            let (element, mut rest) = rest.split_first_chunk::<4>()?;
            let element = u32::from_be_bytes(*element);
            let mut items = Vec::new();
            match i32::from_be_bytes(*dimensions) {
                0 => {}
                1 => {
                    let (count, after) = rest.split_first_chunk::<4>()?;
                    rest = after.split_first_chunk::<4>()?.1;
                    for _ in 0..i32::from_be_bytes(*count) {
                        let (length, after) = rest.split_first_chunk::<4>()?;
                        rest = after;
                        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                            items.push("NULL".to_owned());
                            continue;
                        };
                        let (item, after) = rest.split_at_checked(length)?;
                        rest = after;
                        let text = text_of_binary(item, element)?;
                        items.push(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
                    }
                }
                _ => return None,
            }
            if types::is_vector(oid) {
                return Some(items.join(" ").replace('"', ""));
            }
            format!("{{{}}}", items.join(","))
        }
        (_, Family::Text | Family::Unknown) => std::str::from_utf8(bytes).ok()?.to_owned(),
        _ => return None,
    })
}

/// The value of a text that a client sends for a parameter of a type.
///
/// # Errors
/// 22P02 and the like if the text is none of the type.
pub fn parameter(catalog: &Catalog, text: Option<&str>, oid: Oid) -> Result<Datum> {
    match text {
        None => Ok(Datum::Null),
        Some(text) => crate::execute::cast(catalog, &Datum::text(text), types::TEXT, oid),
    }
}
