//! Named windows: `OVER w` and `OVER (w ROWS ..)` become the windows that they name (PostgreSQL 15, SELECT, WINDOW clause). The engine
//! looks for a name in the SELECT outside as well, where it is not known.

use super::names::folded;
use crate::SqlError;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, NamedWindowExpr, Query, Select, SelectItem, VisitMut, VisitorMut, WindowSpec, WindowType,
};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Writes the windows of a SELECT where they are named.
pub(super) fn written_out(select: &mut Select) -> Result<(), SqlError> {
    if select.named_window.is_empty() {
        return Ok(());
    }
    let mut known = Known { windows: HashMap::new(), depth: 0 };
    // The engine looks for those of ORDER BY.
    for definition in select.named_window.clone() {
        let spec = match definition.1 {
            NamedWindowExpr::WindowSpec(spec) => known.based(spec)?,
            NamedWindowExpr::NamedWindow(name) => known.named(&folded(&name))?.clone(),
        };
        known.windows.insert(folded(&definition.0), spec);
    }
    let mut visit = |expression: &mut Expr| match VisitMut::visit(expression, &mut known) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } = item {
            visit(expression)?;
        }
    }
    Ok(())
}

/// The windows by their names.
struct Known {
    windows: HashMap<String, WindowSpec>,
    depth: usize,
}

impl Known {
    fn named(&self, name: &str) -> Result<&WindowSpec, SqlError> {
        self.windows
            .get(name)
            .ok_or_else(|| SqlError::new("42704", format!("window \"{name}\" does not exist")).at(name.to_owned()))
    }

    /// A window with what it takes of the one that it names.
    fn based(&self, mut spec: WindowSpec) -> Result<WindowSpec, SqlError> {
        let Some(name) = spec.window_name.take() else { return Ok(spec) };
        let name = folded(&name);
        let base = self.named(&name)?;
        let refused = |why: String| SqlError::new("42P20", why).at(name.clone());
        if !spec.partition_by.is_empty() {
            return Err(refused(format!("cannot override PARTITION BY clause of window \"{name}\"")));
        }
        if !spec.order_by.is_empty() && !base.order_by.is_empty() {
            return Err(refused(format!("cannot override ORDER BY clause of window \"{name}\"")));
        }
        if base.window_frame.is_some() {
            return Err(refused(format!("cannot copy window \"{name}\" because it has a frame clause")));
        }
        spec.partition_by = base.partition_by.clone();
        if spec.order_by.is_empty() {
            spec.order_by = base.order_by.clone();
        }
        Ok(spec)
    }
}

impl VisitorMut for Known {
    type Break = SqlError;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<SqlError> {
        let Expr::Function(Function { over: Some(over), .. }) = expression else {
            return ControlFlow::Continue(());
        };
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let spec = match &*over {
            WindowType::NamedWindow(name) => self.named(&folded(name)).cloned(),
            WindowType::WindowSpec(spec) => self.based(spec.clone()),
        };
        match spec {
            Ok(spec) => *over = WindowType::WindowSpec(spec),
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}
