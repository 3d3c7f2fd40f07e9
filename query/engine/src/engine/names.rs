//! Rewrites the expressions of a plan's node, whose columns keep their names.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// `node` with its expressions rewritten. What `rewrite` names differently gets its former name as an alias.
pub(super) fn map_named_expressions(
    node: LogicalPlan,
    mut rewrite: impl FnMut(Expr) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&node);
    let mut rewrite_named = |expression: Expr| -> Result<Transformed<Expr>> {
        let name = names.save(&expression);
        Ok(rewrite(expression)?.update_data(|expression| name.restore(expression)))
    };
    node.map_expressions(|expression| match expression {
        // Each expression of ROLLUP, CUBE and GROUPING SETS is a column, and the set is none.
        set @ Expr::GroupingSet(_) => set.map_children(&mut rewrite_named),
        other => rewrite_named(other),
    })
}
