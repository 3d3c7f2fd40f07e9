//! The functions that clients ask the catalog with.
//!
//! Those of `datafusion-pg-catalog`, with the answers of this server in place of PostgreSQL's where the two differ, and
//! those that it lacks. What does not exist here (comments, triggers, partitions) is NULL or false.

use crate::variables::{SERVER_VERSION, unchanging};
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray};
use arrow_schema::{DataType, Field};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, cast::as_boolean_array, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility, create_udf,
};
use datafusion_postgres::datafusion_pg_catalog::pg_catalog as theirs;
use std::sync::Arc;

/// Who owns what the catalog shows.
const OWNER: &str = "holdfast";

/// All of them.
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
    let truths = ["pg_collation_is_visible", "pg_function_is_visible", "pg_operator_is_visible", "pg_type_is_visible"];
    all.extend(truths.map(|name| Constant::udf(name, ScalarValue::Boolean(Some(true)))));
    let untruths = ["pg_is_in_recovery", "pg_is_other_temp_schema", "row_security_active"];
    all.extend(untruths.map(|name| Constant::udf(name, ScalarValue::Boolean(Some(false)))));
    all.push(Constant::udf("pg_my_temp_schema", ScalarValue::Int32(Some(0))));
    all.extend(["to_regclass", "to_regtype"].map(|name| Constant::udf(name, ScalarValue::Int32(None))));
    let kinds =
        ["any_column", "column", "database", "function", "language", "schema", "sequence", "table", "tablespace"];
    all.extend(kinds.map(|kind| ScalarUDF::new_from_impl(Privilege::new(format!("has_{kind}_privilege")))));
    all.into_iter().map(Arc::new).collect()
}

/// Functions whose answer is always the same text.
fn texts() -> impl Iterator<Item = (&'static str, Option<String>)> {
    let version = format!("PostgreSQL {SERVER_VERSION} (Holdfast {})", env!("CARGO_PKG_VERSION"));
    let known = [("current_schema", "archive".to_owned()), ("pg_get_userbyid", OWNER.to_owned()), ("version", version)];
    let nothing = [
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
        "pg_size_pretty",
        "pg_tablespace_location",
        "shobj_description",
    ];
    let nothing = nothing.into_iter().map(|name| (name, None));
    known.into_iter().map(|(name, text)| (name, Some(text))).chain(nothing)
}

/// The schemas in which names are looked up; those that are always looked in as well, when asked for.
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

/// `current_setting` where the name comes with the parameters of a statement. Where it stands in the statement itself, the session
/// answers before anything is planned.
fn current_setting() -> ScalarUDF {
    let function = |arguments: &[ColumnarValue]| {
        let [ColumnarValue::Scalar(name)] = arguments else {
            return exec_err!("current_setting is asked for one variable at a time");
        };
        let name = name.try_as_str().flatten().unwrap_or_default();
        match unchanging(name) {
            Some(value) => Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(value.to_owned())))),
            None => exec_err!("ask for '{name}' by SHOW, or write its name into current_setting('...') itself"),
        }
    };
    create_udf("current_setting", vec![DataType::Utf8], DataType::Utf8, Volatility::Stable, Arc::new(function))
}

fn anything() -> Signature {
    Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Stable)
}

/// A function that gives one value, whatever it is asked.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl Constant {
    fn udf(name: &'static str, value: ScalarValue) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { name, value, signature: anything() })
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

/// A function `has_..._privilege`: whoever sees something may read it, and nobody may do anything else.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Privilege {
    name: String,
    signature: Signature,
}

impl Privilege {
    fn new(name: String) -> Self {
        Self { name, signature: anything() }
    }

    fn is_had(privilege: &str) -> bool {
        // Several privileges stand for any of them.
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
                Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(Self::is_had(text)))))
            }
            Some(ColumnarValue::Array(privileges)) => {
                let texts = datafusion::arrow::compute::cast(privileges, &DataType::Utf8)?;
                let texts = datafusion::common::cast::as_string_array(&texts)?;
                let had: BooleanArray = texts.iter().map(|text| Some(Self::is_had(text.unwrap_or_default()))).collect();
                Ok(ColumnarValue::Array(Arc::new(had) as ArrayRef))
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
    fn each_name_stands_once() {
        let all = all();
        let names: HashSet<&str> = all.iter().map(|function| function.name()).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn reading_is_allowed_and_nothing_else() {
        for (privilege, is_had) in [
            ("SELECT", true),
            ("select", true),
            ("usage", true),
            ("INSERT", false),
            ("UPDATE, SELECT", true),
            ("CREATE", false),
        ] {
            assert_eq!(Privilege::is_had(privilege), is_had, "{privilege}");
        }
    }
}
