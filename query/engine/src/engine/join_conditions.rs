//! Lets joins end when their statement does.
//!
//! A join compares each batch that it gets with all rows that it holds before it yields. If its condition lets few pairs
//! through, no rows leave it, and it computes for minutes on a thread that others need. So its condition is also asked
//! whether the statement was given up.

use super::statement_tasks::StatementPermit;
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Join, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::sync::Arc;

/// An optimized plan whose joins fail when its statement is given up. The optimizer would not look into the conditions.
pub(super) fn end_joins(plan: LogicalPlan) -> Result<LogicalPlan> {
    let function =
        Arc::new(ScalarUDF::new_from_impl(UntilGivenUp { signature: Signature::any(1, Volatility::Volatile) }));
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) if join.filter.is_some() => {
            let ask = |condition| Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&function), vec![condition]));
            Ok(Transformed::yes(LogicalPlan::Join(Join { filter: join.filter.map(ask), ..join })))
        }
        other => Ok(Transformed::no(other)),
    })
    .data()
}

/// A condition, as long as its statement is not given up.
#[derive(Debug, PartialEq, Eq, Hash)]
struct UntilGivenUp {
    /// Volatile, because its value is no constant even if the condition is one.
    signature: Signature,
}

impl ScalarUDFImpl for UntilGivenUp {
    fn name(&self) -> &'static str {
        "until_given_up"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, is_nullable)))
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if StatementPermit::is_given_up() {
            return exec_err!("the statement was given up");
        }
        match args.args.pop() {
            Some(condition) => Ok(condition),
            None => plan_err!("{} has one argument", self.name()),
        }
    }
}
