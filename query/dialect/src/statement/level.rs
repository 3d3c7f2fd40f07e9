//! The parts of an expression without those of its subqueries, which belong to other queries.

use datafusion::sql::sqlparser::ast::{Expr, Query, VisitMut, VisitorMut};
use std::ops::ControlFlow;

/// Calls `with` for each part of an expression, after the parts of that part, and for the expression last.
///
/// # Errors
/// The first error of `with`.
pub(super) fn each_part<E>(expression: &mut Expr, with: impl FnMut(&mut Expr) -> Result<(), E>) -> Result<(), E> {
    match VisitMut::visit(expression, &mut Level { depth: 0, with }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Level<F> {
    depth: usize,
    with: F,
}

impl<E, F: FnMut(&mut Expr) -> Result<(), E>> VisitorMut for Level<F> {
    type Break = E;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<E> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<E> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<E> {
        match if self.depth == 0 { (self.with)(expression) } else { Ok(()) } {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}
