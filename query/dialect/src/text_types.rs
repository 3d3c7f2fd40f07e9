//! `character varying`, `name`, `json` and `jsonb`: texts that a client is told by these names, and arrays of them.
//!
//! It is a mark on a field, under [`TYPE_KEY`]. A cast makes it, and PostgreSQL keeps it where the type of a result is that of an
//! argument: in columns of subqueries, branches, arrays and their elements, set operations ([`crate::called`]). Every function of
//! texts returns a text, `min` and `max` as well.

use crate::types::{TYPE_KEY, array_of};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType as SqlType};
use std::sync::Arc;

/// The mark of a text.
pub(crate) const VARCHAR: &str = "character varying";
/// The mark of the name of an object of the catalog.
pub(crate) const NAME: &str = "name";
/// The marks of texts, and of arrays of them.
const MARKS: [(&str, &str); 4] =
    [(VARCHAR, "character varying[]"), (NAME, "name[]"), ("json", "json[]"), ("jsonb", "jsonb[]")];

/// The name of the field of a cast to text that is written: what it makes of a constant has a type.
pub(crate) const WRITTEN: &str = "text";

/// The type as which a cast's SQL type is planned, if it is one of these.
pub(crate) fn planned(sql_type: &SqlType) -> Option<FieldRef> {
    match sql_type {
        SqlType::Text => Some(Arc::new(Field::new(WRITTEN, DataType::Utf8View, true))),
        SqlType::Varchar(None) | SqlType::CharacterVarying(None) | SqlType::CharVarying(None) => {
            Some(marked(DataType::Utf8View, VARCHAR))
        }
        SqlType::Array(ArrayElemTypeDef::SquareBracket(element, None)) => {
            // The type does not tell the number of dimensions.
            let element = planned(element)?;
            let array = array_of(element.data_type().clone());
            Some(match mark_of(&element).and_then(of_arrays) {
                Some(mark) => marked(array, mark),
                None => Arc::new(Field::new(WRITTEN, array, true)),
            })
        }
        _ => None,
    }
}

/// A field without a name and with this mark.
pub(crate) fn marked(data_type: DataType, mark: &str) -> FieldRef {
    Arc::new(Field::new("", data_type, true).with_metadata([(TYPE_KEY.to_owned(), mark.to_owned())].into()))
}

/// The mark of a field, if it is one of these.
pub(crate) fn mark_of(field: &Field) -> Option<&'static str> {
    let mark = any_mark(field)?;
    MARKS.into_iter().flat_map(<[&str; 2]>::from).find(|known| *known == mark)
}

/// The mark of an array of values with this mark, and of an array of such arrays.
pub(crate) fn of_arrays(mark: &str) -> Option<&'static str> {
    pair(mark).map(|(_, array)| array)
}

/// The mark of the elements of an array with this mark, and of the elements of these.
pub(crate) fn of_elements(mark: &str) -> Option<&'static str> {
    pair(mark).map(|(element, _)| element)
}

fn pair(mark: &str) -> Option<(&'static str, &'static str)> {
    MARKS.into_iter().find(|(element, array)| *element == mark || *array == mark)
}

/// What a value is called: also `uuid` and others.
pub(crate) fn any_mark(field: &Field) -> Option<&str> {
    field.metadata().get(TYPE_KEY).map(String::as_str)
}

/// A field whose values are those of an argument, with the argument's mark.
pub(crate) fn same_as(field: Field, argument: &Field) -> Field {
    with_mark(field, mark_of(argument))
}

/// A field whose values are the elements of an argument, with their mark.
pub(crate) fn element_of(field: Field, argument: &Field) -> Field {
    with_mark(field, mark_of(argument).and_then(of_elements))
}

/// A field whose values are arrays of an argument, with their mark.
pub(crate) fn array_of_marked(field: Field, argument: &Field) -> Field {
    with_mark(field, mark_of(argument).and_then(of_arrays))
}

/// A field with this mark.
pub(crate) fn with_mark(field: Field, mark: Option<&str>) -> Field {
    match mark {
        Some(mark) => field.with_metadata([(TYPE_KEY.to_owned(), mark.to_owned())].into()),
        None => field,
    }
}
