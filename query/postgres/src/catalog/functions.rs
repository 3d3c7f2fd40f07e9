//! The functions that clients use in queries of the catalog.
//!
//! These are the functions of `datafusion-pg-catalog`, and those that it lacks. Functions whose value depends on the server
//! are replaced. Functions about objects that do not exist here (comments, triggers, partitions) return NULL or false.

use crate::variables::{SERVER_VERSION, constant};
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, cast::as_boolean_array, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
    create_udf,
};
use datafusion_postgres::datafusion_pg_catalog::pg_catalog as theirs;
use holdfast_query::TYPE_KEY;
use std::sync::Arc;

/// The function that returns a text as a `name`, for names of the session.
pub(crate) const NAME_OF_SESSION: &str = "name_of_session";

/// The owner of all objects in the catalog.
const OWNER: &str = "holdfast";

/// All functions.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let mut all = vec![
        theirs::array_bounds_udf::create_array_lower_udf(),
        theirs::array_bounds_udf::create_array_upper_udf(),
        theirs::create_current_database_udf("holdfast"),
        theirs::create_pg_backend_pid_udf(),
        theirs::create_pg_encoding_to_char_udf(),
        theirs::create_pg_get_constraintdef(),
        theirs::create_pg_get_partition_ancestors_udf(),
        theirs::create_pg_get_partkeydef_udf(),
        theirs::create_pg_get_statisticsobjdef_columns_udf(),
        theirs::create_pg_relation_is_publishable_udf(),
        theirs::create_pg_relation_size_udf(),
        theirs::create_pg_stat_get_numscans(),
        theirs::create_pg_table_is_visible(),
        theirs::create_pg_total_relation_size_udf(),
        theirs::format_type::create_format_type_udf(),
        theirs::pg_get_expr_udf::create_pg_get_expr_udf(),
        theirs::quote_ident_udf::create_parse_ident_udf(),
        theirs::quote_ident_udf::create_quote_ident_udf(),
        current_schemas(),
        current_setting(),
    ];
    all.extend(texts().map(|(name, text)| Constant::udf(name, ScalarValue::Utf8(text))));
    all.push(ScalarUDF::new_from_impl(Named::new(NAME_OF_SESSION, None)));
    all.push(ScalarUDF::new_from_impl(Named::new("current_schema", Some("archive"))));
    let always_true =
        ["pg_collation_is_visible", "pg_function_is_visible", "pg_operator_is_visible", "pg_type_is_visible"];
    all.extend(always_true.map(|name| Constant::udf(name, ScalarValue::Boolean(Some(true)))));
    let always_false = ["pg_is_in_recovery", "pg_is_other_temp_schema", "row_security_active"];
    all.extend(always_false.map(|name| Constant::udf(name, ScalarValue::Boolean(Some(false)))));
    all.push(Constant::udf("pg_my_temp_schema", ScalarValue::Int32(Some(0))));
    all.extend(["to_regclass", "to_regtype"].map(|name| Constant::udf(name, ScalarValue::Int32(None))));
    let kinds =
        ["any_column", "column", "database", "function", "language", "schema", "sequence", "table", "tablespace"];
    all.extend(kinds.map(|kind| ScalarUDF::new_from_impl(Privilege::new(format!("has_{kind}_privilege")))));
    all.into_iter().map(Arc::new).collect()
}

/// The functions that always return the same text.
fn texts() -> impl Iterator<Item = (&'static str, Option<String>)> {
    let version = format!("PostgreSQL {SERVER_VERSION} (Holdfast {})", env!("CARGO_PKG_VERSION"));
    let known = [("pg_get_userbyid", OWNER.to_owned()), ("version", version)];
    let always_null = [
        "col_description",
        "obj_description",
        "pg_advisory_unlock_all",
        "pg_get_function_arguments",
        "pg_get_function_identity_arguments",
        "pg_get_function_result",
        "pg_get_functiondef",
        "pg_get_indexdef",
        "pg_get_ruledef",
        "pg_get_serial_sequence",
        "pg_get_statisticsobjdef",
        "pg_get_triggerdef",
        "pg_get_viewdef",
        "pg_tablespace_location",
        "shobj_description",
    ];
    let always_null = always_null.into_iter().map(|name| (name, None));
    known.into_iter().map(|(name, text)| (name, Some(text))).chain(always_null)
}

/// The schemas of the search path; with the implicit ones if the argument is true.
fn current_schemas() -> ScalarUDF {
    let function = |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let with_implicit = match arrays.first() {
            Some(array) if !array.is_empty() => as_boolean_array(array)?.value(0),
            _ => false,
        };
        let schemas = if with_implicit { vec!["pg_catalog", "archive"] } else { vec!["archive"] };
        let list = SingleRowListArrayBuilder::new(Arc::new(StringArray::from(schemas))).build_list_array();
        Ok(ColumnarValue::Scalar(ScalarValue::List(Arc::new(list))))
    };
    let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    create_udf("current_schemas", vec![DataType::Boolean], list, Volatility::Stable, Arc::new(function))
}

/// `current_setting` with the name in a parameter of the statement. If the name is a literal, the session replaces the call
/// before the statement is planned.
fn current_setting() -> ScalarUDF {
    let function = |arguments: &[ColumnarValue]| {
        let [ColumnarValue::Scalar(name)] = arguments else {
            return exec_err!("current_setting takes one name that is not a column");
        };
        let name = name.try_as_str().flatten().unwrap_or_default();
        match constant(name) {
            Some(value) => Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(value.to_owned())))),
            None => exec_err!("use SHOW {name}, or write the name as a literal: current_setting('{name}')"),
        }
    };
    create_udf("current_setting", vec![DataType::Utf8], DataType::Utf8, Volatility::Stable, Arc::new(function))
}

fn any_arguments() -> Signature {
    Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Stable)
}

/// A function that returns the same value for all arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl Constant {
    fn udf(name: &'static str, value: ScalarValue) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { name, value, signature: any_arguments() })
    }
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// A function whose result is a `name`: always the same, or its argument. It has the type of the dialect's texts, so that no cast
/// hides its name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Named {
    name: &'static str,
    value: Option<&'static str>,
    signature: Signature,
}

impl Named {
    fn new(name: &'static str, value: Option<&'static str>) -> Self {
        Self { name, value, signature: any_arguments() }
    }
}

impl ScalarUDFImpl for Named {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        let metadata = [(TYPE_KEY.to_owned(), "name".to_owned())].into();
        Ok(Arc::new(Field::new(self.name, DataType::Utf8View, true).with_metadata(metadata)))
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match (self.value, arguments.args.pop()) {
            (Some(value), _) => Ok(ColumnarValue::Scalar(ScalarValue::Utf8View(Some(value.to_owned())))),
            (None, Some(argument)) => argument.cast_to(&DataType::Utf8View, None),
            (None, None) => exec_err!("{} takes a text", self.name),
        }
    }
}

/// A function `has_..._privilege`: a user has the privileges to read what is visible, and no others.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Privilege {
    name: String,
    signature: Signature,
}

impl Privilege {
    fn new(name: String) -> Self {
        Self { name, signature: any_arguments() }
    }

    fn is_granted(privilege: &str) -> bool {
        // A list of privileges means any of them.
        privilege
            .split(',')
            .any(|one| matches!(one.trim().to_uppercase().as_str(), "SELECT" | "USAGE" | "CONNECT" | "EXECUTE"))
    }
}

impl ScalarUDFImpl for Privilege {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.last() {
            Some(ColumnarValue::Scalar(privilege)) => {
                let text = privilege.try_as_str().flatten().unwrap_or_default();
                Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(Self::is_granted(text)))))
            }
            Some(ColumnarValue::Array(privileges)) => {
                let texts = datafusion::arrow::compute::cast(privileges, &DataType::Utf8)?;
                let texts = datafusion::common::cast::as_string_array(&texts)?;
                let granted: BooleanArray =
                    texts.iter().map(|text| Some(Self::is_granted(text.unwrap_or_default()))).collect();
                Ok(ColumnarValue::Array(Arc::new(granted) as ArrayRef))
            }
            None => Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_name_is_unique() {
        let all = all();
        let names: HashSet<&str> = all.iter().map(|function| function.name()).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn only_privileges_to_read_are_granted() {
        for (privilege, is_granted) in [
            ("SELECT", true),
            ("select", true),
            ("usage", true),
            ("INSERT", false),
            ("UPDATE, SELECT", true),
            ("CREATE", false),
        ] {
            assert_eq!(Privilege::is_granted(privilege), is_granted, "{privilege}");
        }
    }
}
