//! `coalesce`, whose type is PostgreSQL's common type of numbers and of times (PostgreSQL 15, 10.5): of a numeric and a float
//! the float, of a date and a time with time zone that. The engine evaluates it, and has the common types of all else.

use crate::SqlError;
use crate::function::common;
use crate::types::PgType;
use arrow_schema::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Coalesce {
    engines: Arc<ScalarUDF>,
}

/// The function.
pub(crate) fn udf() -> ScalarUDF {
    ScalarUDF::new_from_impl(Coalesce { engines: datafusion::functions::core::coalesce() })
}

impl ScalarUDFImpl for Coalesce {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        use PgType::{Float4, Float8, Int2, Int4, Int8, Numeric};
        let is_number = |known: &PgType| matches!(known, Numeric | Float4 | Float8);
        let is_any_number = |known: &PgType| is_number(known) || matches!(known, Int2 | Int4 | Int8 | PgType::Unknown);
        let is_time = |known: &PgType| matches!(known, PgType::Date | PgType::Timestamp | PgType::Timestamptz);
        let given: Vec<PgType> = types.iter().map(PgType::of).collect();
        let has_several = |is_one: &dyn Fn(&PgType) -> bool| {
            let mut ones = given.iter().filter(|known| is_one(known));
            ones.next().is_some_and(|first| ones.any(|other| other != first))
        };
        // Numerics of several scales are several types.
        let are_numbers = given.iter().all(is_any_number)
            && given.iter().any(is_number)
            && types.iter().any(|data_type| *data_type != types[0]);
        if (are_numbers || has_several(&is_number) || has_several(&is_time))
            && let Some(data_type) = common(types)
        {
            return Ok(vec![data_type; types.len()]);
        }
        match (self.engines.coerce_types(types), common(types)) {
            (Ok(types), _) => Ok(types),
            // A constant text is of the others' type.
            (Err(_), Some(data_type)) => Ok(vec![data_type; types.len()]),
            (Err(_), None) => {
                let mut known = given.iter().filter(|known| **known != PgType::Unknown);
                let first = known.next().unwrap_or(&PgType::Unknown);
                let other = known.find(|other| *other != first).unwrap_or(first);
                let message = format!("COALESCE types {first} and {other} cannot be matched");
                Err(SqlError::new("42804", message).at("coalesce").into())
            }
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        // The engine expects a first one.
        if args.arg_fields.is_empty() {
            return Err(SqlError::new("42601", "syntax error at or near \")\"").at("coalesce").into());
        }
        self.engines.return_field_from_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.engines.simplify(args, info)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.engines.invoke_with_args(args)
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.engines.conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.engines.short_circuits()
    }
}
