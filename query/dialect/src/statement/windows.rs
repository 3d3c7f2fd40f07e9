//! Named windows: `OVER w` and `OVER (w ROWS ..)` become the windows that they name (PostgreSQL 15, SELECT, WINDOW clause). The engine
//! looks for a name in the SELECT outside as well, where it is not known.

use super::level::each_part;
use super::names::folded;
use crate::SqlError;
use datafusion::sql::sqlparser::ast::{Expr, Function, NamedWindowExpr, Select, SelectItem, WindowSpec, WindowType};
use std::collections::HashMap;

/// Writes the windows of a SELECT where they are named.
pub(super) fn written_out(select: &mut Select) -> Result<(), SqlError> {
    if select.named_window.is_empty() {
        return Ok(());
    }
    let mut known = Known { windows: HashMap::new() };
    // The engine looks for those of ORDER BY.
    for definition in select.named_window.clone() {
        let spec = match definition.1 {
            NamedWindowExpr::WindowSpec(spec) => known.based(spec)?,
            NamedWindowExpr::NamedWindow(name) => known.named(&folded(&name))?.clone(),
        };
        known.windows.insert(folded(&definition.0), spec);
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } = item {
            each_part(expression, |part| known.write_out(part))?;
        }
    }
    Ok(())
}

/// The windows by their names.
struct Known {
    windows: HashMap<String, WindowSpec>,
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
    fn write_out(&self, part: &mut Expr) -> Result<(), SqlError> {
        if let Expr::Function(Function { over: Some(over), .. }) = part {
            *over = WindowType::WindowSpec(match &*over {
                WindowType::NamedWindow(name) => self.named(&folded(name))?.clone(),
                WindowType::WindowSpec(spec) => self.based(spec.clone())?,
            });
        }
        Ok(())
    }
}
