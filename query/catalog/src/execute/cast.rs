//! Casts between types.

use crate::builtin::reg_oid;
use crate::encode;
use crate::error::{CatalogError, Result};
use crate::parse::{fit, parse};
use crate::tables::Catalog;
use crate::types::{self, Family, Oid};
use crate::value::{ArrayValue, Datum};
use std::sync::Arc;

/// `value` of type `from` as one of type `to`.
pub(crate) fn cast(catalog: &Catalog, value: &Datum, from: Oid, to: Oid) -> Result<Datum> {
    let cannot = || {
        let name = |oid| catalog.type_sql_name(oid, None).unwrap_or_default();
        CatalogError::new("42846", format!("cannot cast type {} to {}", name(from), name(to)))
    };
    Ok(match (value, types::family(from), types::family(to)) {
        (Datum::Null, ..) => Datum::Null,
        (Datum::Text(text), Family::Text | Family::Unknown, Family::Int) => {
            // A letter of the type "char" is a number.
            if from == types::CHAR && to == types::INT4 {
                return Ok(Datum::Int(i64::from(text.bytes().next().unwrap_or(0))));
            }
            if types::is_oid_like(to) && to != types::OID {
                return reg_oid(catalog, text, to).map(|oid| Datum::Int(i64::from(oid)));
            }
            parse(text, to)?
        }
        (Datum::Text(text), Family::Text | Family::Unknown, Family::Text) => match to {
            types::NAME => Datum::text(first_bytes(text, 63)),
            types::CHAR => Datum::text(first_bytes(text, 1)),
            _ => value.clone(),
        },
        (Datum::Text(text), Family::Text | Family::Unknown, Family::Array) => {
            let element = types::element(to).unwrap_or(types::TEXT);
            if !types::is_oid_like(element) || element == types::OID {
                return parse(text, to);
            }
            let texts = parse(text, types::TEXT_ARRAY)?;
            let items = texts.items().iter().map(|item| cast(catalog, item, types::TEXT, element));
            Datum::array(element, items.collect::<Result<_>>()?)
        }
        (Datum::Text(text), Family::Text | Family::Unknown, _) => parse(text, to)?,
        (_, _, Family::Text) => {
            let text = encode::text(catalog, value, from).unwrap_or_default();
            // A boolean is written out where it becomes a text.
            match value {
                Datum::Bool(value) => Datum::text(if *value { "true" } else { "false" }),
                _ => Datum::text(text),
            }
        }
        (Datum::Int(number), Family::Int, Family::Int) => fit(*number, to)?,
        (Datum::Int(number), Family::Int, Family::Float) => Datum::Float(*number as f64),
        (Datum::Int(number), Family::Int, Family::Bool) if from == types::INT4 => Datum::Bool(*number != 0),
        (Datum::Bool(value), Family::Bool, Family::Int) if to == types::INT4 => Datum::Int(i64::from(*value)),
        (Datum::Float(number), Family::Float, Family::Int) => {
            let rounded = if from == types::NUMERIC { number.round() } else { number.round_ties_even() };
            if !rounded.is_finite() || rounded.abs() > 9.2e18 {
                return Err(CatalogError::new("22003", "bigint out of range"));
            }
            fit(rounded as i64, to)?
        }
        (Datum::Float(number), Family::Float, Family::Float) => match to {
            types::FLOAT4 => Datum::Float(f64::from(*number as f32)),
            _ => Datum::Float(*number),
        },
        (Datum::Int(number), Family::Time, Family::Time) => Datum::Int(match (from, to) {
            (types::DATE, types::TIMESTAMP | types::TIMESTAMPTZ) => number * 86_400_000_000,
            (types::TIMESTAMP | types::TIMESTAMPTZ, types::DATE) => number.div_euclid(86_400_000_000),
            _ => *number,
        }),
        (Datum::Array(array), Family::Array, Family::Array) => {
            let element = types::element(to).unwrap_or(types::TEXT);
            let items = array.items.iter().map(|item| cast(catalog, item, array.element, element));
            let lower = if types::is_vector(to) { 0 } else { array.lower };
            Datum::Array(Arc::new(ArrayValue { lower, element, items: items.collect::<Result<_>>()? }))
        }
        (_, a, b) if a == b => value.clone(),
        _ => return Err(cannot()),
    })
}

/// The value of a text that a client sends for a parameter of a type.
///
/// # Errors
/// 22P02 and the like if the text is none of the type.
pub fn parameter(catalog: &Catalog, text: Option<&str>, oid: Oid) -> Result<Datum> {
    match text {
        None => Ok(Datum::Null),
        Some(text) => cast(catalog, &Datum::text(text), types::TEXT, oid),
    }
}

fn first_bytes(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}
