//! Values as texts and as bytes of the wire.

use crate::builtin::reg_text;
use crate::error::{CatalogError, Result};
use crate::format;
use crate::tables::Catalog;
use crate::types::{self, Family, Oid};
use crate::value::Datum;

/// Microseconds and days from 1970 to 2000, from which the wire counts.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i64 = 10_957;

/// The text of a value of a type, as PostgreSQL writes it. `None` for NULL.
pub fn text(catalog: &Catalog, value: &Datum, oid: Oid) -> Option<String> {
    Some(match (value, oid) {
        (Datum::Null, _) => return None,
        (Datum::Bool(value), _) => (if *value { "t" } else { "f" }).to_owned(),
        (Datum::Int(number), types::DATE) => format::date(*number),
        (Datum::Int(number), types::TIMESTAMP) => format::timestamp(*number, false),
        (Datum::Int(number), types::TIMESTAMPTZ) => format::timestamp(*number, true),
        (Datum::Int(number), _) if types::is_oid_like(oid) && oid != types::OID => {
            reg_text(catalog, u32::try_from(*number).unwrap_or_default(), oid)
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
