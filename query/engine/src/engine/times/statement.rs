//! `time AT TIME ZONE zone` is a function call, as PostgreSQL plans it.

use super::local::TimeZoneFunction;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Value,
    VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Replaces `AT TIME ZONE` in `statement` by calls of `timezone`. The engine would cast the time to nanoseconds.
pub(crate) fn name_time_zones(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => {
            let _: ControlFlow<()> = VisitMut::visit(statement.as_mut(), &mut TimeZones);
        }
        Statement::Explain(explained) => name_time_zones(&mut explained.statement),
        _ => {}
    }
}

struct TimeZones;

impl VisitorMut for TimeZones {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if matches!(expression, Expr::AtTimeZone { .. })
            && let Expr::AtTimeZone { timestamp, time_zone } = std::mem::replace(expression, Expr::value(Value::Null))
        {
            *expression = call(*time_zone, *timestamp);
        }
        ControlFlow::Continue(())
    }
}

fn call(zone: Expr, time: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(TimeZoneFunction::NAME)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: [zone, time].map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).to_vec(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
