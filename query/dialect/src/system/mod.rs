//! What the server is, and what a value is.

mod boolean;
mod nulls;
mod uuids;

use crate::SqlError;
use crate::call::Call;
use crate::cast::CastRule;
use crate::function::{Form, Function, Returns, Takes};
use crate::text_types::NAME;
use crate::types::PgType;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use datafusion::common::Result;

/// The functions.
pub(crate) fn functions() -> Vec<Function> {
    let pg_typeof = Function::new("pg_typeof", vec![Form::new(vec![Takes::Any], Returns::Named("regtype"), pg_typeof)]);
    let to_name = Function::new(
        "to_name_type",
        vec![Form::new(vec![Takes::Of(PgType::Text)], Returns::Named(NAME), to_name_type)],
    );
    [vec![pg_typeof, to_name], nulls::functions(), uuids::functions()].into_iter().flatten().collect()
}

/// The operators.
pub(crate) fn operators() -> Vec<Function> {
    Vec::new()
}

/// The casts.
pub(crate) fn casts() -> Vec<CastRule> {
    boolean::casts()
}

/// `pg_typeof(any)`.
fn pg_typeof(call: &Call) -> Result<ArrayRef> {
    let data_type = call.any(0).array().data_type().clone();
    let name = match PgType::of(&data_type) {
        PgType::Other => return Err(SqlError::not_supported("pg_typeof of a row is not supported").into()),
        PgType::Text | PgType::Array(_) if call.mark(0).is_some() => call.mark(0).unwrap_or("text").to_owned(),
        // A constant without a type.
        PgType::Text if data_type == DataType::Utf8 => "text".to_owned(),
        known => known.to_string(),
    };
    call.texts(|_| Ok(Some(name.as_str())))
}

/// Bytes of a name.
const NAME_BYTES: usize = 63;

/// `x::name`: the text, cut after whole letters.
fn to_name_type(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| Ok(texts.get(row).map(|text| &text[..text.floor_char_boundary(NAME_BYTES)])))
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("answers.tsv"));
    }
}
