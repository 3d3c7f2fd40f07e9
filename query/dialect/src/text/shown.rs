//! The text of a value of any type, as the type's output function writes it: `t` for true, `{a,b}` for arrays.
//!
//! The casts of all domains say how values of their types become texts.

use crate::SqlError;
use crate::call::Call;
use crate::cast::CastRule;
use crate::function::Evaluate;
use crate::types::PgType;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringViewArray};
use arrow_schema::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The casts of all domains between types that are no arrays.
static RULES: LazyLock<HashMap<(PgType, PgType), Evaluate>> = LazyLock::new(|| {
    let domains: [Vec<CastRule>; 4] =
        [crate::time::casts(), crate::number::casts(), super::bytes::casts(), crate::system::casts()];
    domains.into_iter().flatten().map(|rule| ((rule.from, rule.to), rule.evaluate)).collect()
});

/// `values` as values of another type that is no array.
pub(crate) fn converted(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let from = PgType::of(values.data_type());
    let target = PgType::of(to);
    if values.data_type() == to {
        return Ok(Arc::clone(values));
    }
    let Some(rule) = RULES.get(&(from.clone(), target)) else {
        let strict = arrow_cast::CastOptions { safe: false, ..Default::default() };
        return Ok(arrow_cast::cast_with_options(values, to, &strict)?);
    };
    let canonical = match from {
        PgType::Numeric => PgType::numeric_of(values.data_type()),
        known => known.arrow(),
    };
    let argument =
        if *values.data_type() == canonical { Arc::clone(values) } else { arrow_cast::cast(values, &canonical)? };
    rule(&Call::new(vec![ColumnarValue::Array(argument)], values.len(), to.clone())?)
}

/// `values` as texts.
pub(crate) fn texts(values: &ArrayRef) -> Result<StringViewArray> {
    let texts: ArrayRef = match PgType::of(values.data_type()) {
        PgType::Unknown => arrow_cast::cast(values, &DataType::Utf8View)?,
        PgType::Bool => {
            let values = values.as_boolean();
            let letter = |value: Option<bool>| value.map(|value| if value { "t" } else { "f" });
            Arc::new(values.iter().map(letter).collect::<StringViewArray>())
        }
        PgType::Array(_) => Arc::new(crate::array::texts(values, texts)?),
        PgType::Other => return Err(SqlError::not_supported("the text of a row is not supported").into()),
        _ => converted(values, &DataType::Utf8View)?,
    };
    Ok(texts.as_string_view().clone())
}

/// An argument as texts.
#[derive(Debug)]
pub(crate) struct Texts {
    texts: StringViewArray,
    is_constant: bool,
}

impl Texts {
    /// Those of an argument of a call.
    pub(crate) fn of(call: &Call, argument: usize) -> Result<Self> {
        let values = call.any(argument);
        Ok(Self { texts: texts(values.array())?, is_constant: values.is_constant() })
    }

    /// Those of an argument, as it is cast to text.
    pub(crate) fn cast_of(call: &Call, argument: usize) -> Result<Self> {
        let values = call.any(argument);
        let texts = match PgType::of(values.array().data_type()) {
            PgType::Bool => converted(values.array(), &DataType::Utf8View)?.as_string_view().clone(),
            _ => texts(values.array())?,
        };
        Ok(Self { texts, is_constant: values.is_constant() })
    }

    /// Those of an argument that are keys of JSON: truth values have their words.
    pub(crate) fn key_of(call: &Call, argument: usize) -> Result<Self> {
        let mut made = Self::of(call, argument)?;
        if PgType::of(call.any(argument).array().data_type()) == PgType::Bool {
            let word = |text: Option<&str>| text.map(|text| if text == "t" { "true" } else { "false" });
            made.texts = made.texts.iter().map(word).collect();
        }
        Ok(made)
    }

    /// A row's text.
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        let row = if self.is_constant { 0 } else { row };
        self.texts.is_valid(row).then(|| self.texts.value(row))
    }
}
