//! Functions that return sets.

use super::function::Context;
use crate::error::{CatalogError, Result};
use crate::execute::cast;
use crate::format::KEYWORDS;
use crate::tables::{Row, parse_rows};
use crate::types::{self, BOOL, CHAR, Family, INT4, INT8, OID, Oid, TEXT, TEXT_ARRAY};
use crate::value::Datum;

/// The most numbers of one `generate_series`.
const MOST: i128 = 1_000_000;

/// The names of columns and their types.
type Columns = Vec<(&'static str, Oid)>;

/// A function that returns a set.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// The types of the arguments; 0 for any.
    pub(crate) parameters: &'static [Oid],
    /// The columns for arguments of these types; `None` if it does not take them.
    pub(crate) columns: fn(&[Oid]) -> Option<Columns>,
    pub(crate) call: fn(&Context<'_>, &[Datum]) -> Result<Vec<Row>>,
}

impl std::fmt::Debug for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const SERIES: &[Series] = &[
    Series {
        name: "generate_series",
        parameters: &[INT4, INT4, INT4],
        columns: |types| {
            let are_numbers = types.iter().all(|ty| types::family(*ty) == Family::Int);
            let ty = if types.contains(&INT8) { INT8 } else { INT4 };
            (matches!(types.len(), 2 | 3) && are_numbers).then(|| vec![("generate_series", ty)])
        },
        call: |_, values| {
            if values.iter().any(Datum::is_null) {
                return Ok(Vec::new());
            }
            let step = values.get(2).map_or(1, Datum::as_int);
            numbers(values[0].as_int(), values[1].as_int(), step)
        },
    },
    Series {
        name: "generate_subscripts",
        parameters: &[0, INT4, BOOL],
        columns: |types| {
            let is_array = types.first().is_some_and(|ty| types::element(*ty).is_some());
            (matches!(types.len(), 2 | 3) && is_array).then(|| vec![("generate_subscripts", INT4)])
        },
        call: |_, values| {
            let Datum::Array(array) = &values[0] else { return Ok(Vec::new()) };
            if values[1].as_int() != 1 {
                return Ok(Vec::new());
            }
            let mut rows = numbers(array.lower, array.lower + array.items.len() as i64 - 1, 1)?;
            if values.get(2).is_some_and(Datum::is_true) {
                rows.reverse();
            }
            Ok(rows)
        },
    },
    Series {
        name: "unnest",
        parameters: &[],
        columns: |types| {
            let elements: Option<Vec<Oid>> = types.iter().map(|ty| types::element(*ty)).collect();
            let elements = elements.filter(|elements| !elements.is_empty())?;
            Some(elements.into_iter().map(|element| ("unnest", element)).collect())
        },
        call: |_, values| {
            let longest = values.iter().map(|value| value.items().len()).max().unwrap_or(0);
            let value = |value: &Datum, place: usize| value.items().get(place).cloned().unwrap_or(Datum::Null);
            Ok((0..longest).map(|place| values.iter().map(|array| value(array, place)).collect()).collect())
        },
    },
    Series {
        name: "_pg_expandarray",
        parameters: &[0],
        columns: |types| match types {
            [array] => Some(vec![("x", types::element(*array)?), ("n", INT4)]),
            _ => None,
        },
        call: |_, values| {
            let items = values[0].items().iter().zip(1..);
            Ok(items.map(|(item, number)| vec![item.clone(), Datum::Int(number)]).collect())
        },
    },
    Series {
        name: "regexp_split_to_table",
        parameters: &[TEXT, TEXT],
        columns: |types| (types.len() == 2).then(|| vec![("regexp_split_to_table", TEXT)]),
        call: |_, values| {
            if values.iter().any(Datum::is_null) {
                return Ok(Vec::new());
            }
            let pattern = super::texts::pattern(values[1].as_text(), false)?;
            Ok(pattern.split(values[0].as_text()).map(|part| vec![Datum::text(part)]).collect())
        },
    },
    Series {
        name: "string_to_table",
        parameters: &[TEXT, TEXT],
        columns: |types| (types.len() == 2).then(|| vec![("string_to_table", TEXT)]),
        call: |context, values| {
            let array = super::texts::split(&values[0], &values[1])?;
            let items = array.items().iter().map(|item| cast(context.catalog, item, TEXT, TEXT));
            items.map(|item| item.map(|item| vec![item])).collect()
        },
    },
    Series {
        name: "pg_get_keywords",
        parameters: &[],
        columns: |types| {
            let texts =
                vec![("word", TEXT), ("catcode", CHAR), ("barelabel", BOOL), ("catdesc", TEXT), ("baredesc", TEXT)];
            types.is_empty().then_some(texts)
        },
        call: |_, _| Ok(parse_rows(KEYWORDS, &[TEXT, CHAR, BOOL, TEXT, TEXT])),
    },
    // Privileges and options are NULL or empty here, and give no rows.
    Series {
        name: "aclexplode",
        parameters: &[1034],
        columns: |types| {
            let columns = vec![("grantor", OID), ("grantee", OID), ("privilege_type", TEXT), ("is_grantable", BOOL)];
            (types.len() == 1).then_some(columns)
        },
        call: |_, values| none(values),
    },
    Series {
        name: "pg_options_to_table",
        parameters: &[TEXT_ARRAY],
        columns: |types| (types.len() == 1).then(|| vec![("option_name", TEXT), ("option_value", TEXT)]),
        call: |_, values| none(values),
    },
];

fn none(values: &[Datum]) -> Result<Vec<Row>> {
    if values.iter().all(|value| value.items().is_empty()) {
        return Ok(Vec::new());
    }
    Err(CatalogError::unsupported("a list of privileges or options"))
}

/// The function with this name.
pub(crate) fn series(name: &str) -> Option<&'static Series> {
    SERIES.iter().find(|series| series.name == name)
}

fn numbers(first: i64, last: i64, step: i64) -> Result<Vec<Row>> {
    if step == 0 {
        return Err(CatalogError::new("22023", "step size cannot equal zero"));
    }
    let (first, last, step) = (i128::from(first), i128::from(last), i128::from(step));
    let count = (last - first) / step + 1;
    if (last - first) * step.signum() < 0 {
        return Ok(Vec::new());
    }
    if count > MOST {
        return Err(CatalogError::new(
            "54000",
            "generate_series has at most 1000000 numbers in a statement over the catalog",
        ));
    }
    let number = |place| Datum::Int(i64::try_from(first + place * step).unwrap_or(i64::MAX));
    Ok((0..count).map(|place| vec![number(place)]).collect())
}
