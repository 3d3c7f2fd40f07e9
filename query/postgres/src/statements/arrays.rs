//! Constants of arrays: `x = ANY('{a,b}')` and `'{a,b}'::text[]`. The engine knows arrays only by their elements, and a cast would make
//! an array of the whole text.

use crate::values::elements_of_text;
use datafusion::sql::sqlparser::ast::{Array, Expr, Statement, Value, ValueWithSpan, VisitMut, VisitorMut};
use std::ops::ControlFlow;

/// Writes constants of arrays as their elements beside ANY and ALL.
pub(super) fn write_elements(mut statement: Statement) -> Statement {
    let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut Elements);
    statement
}

struct Elements;

impl VisitorMut for Elements {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let (right, of_none) = match expression {
            Expr::AnyOp { right, .. } => (right, false),
            Expr::AllOp { right, .. } => (right, true),
            _ => return ControlFlow::Continue(()),
        };
        let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) = right.as_ref() else {
            return ControlFlow::Continue(());
        };
        // The engine refuses a constant that is no array.
        let Some(elements) = elements_of_text(text) else { return ControlFlow::Continue(()) };
        if elements.is_empty() {
            *expression = Expr::value(Value::Boolean(of_none));
            return ControlFlow::Continue(());
        }
        let constant = |element: Option<String>| Expr::value(element.map_or(Value::Null, Value::SingleQuotedString));
        **right = Expr::Array(Array { elem: elements.into_iter().map(constant).collect(), named: true });
        ControlFlow::Continue(())
    }
}
