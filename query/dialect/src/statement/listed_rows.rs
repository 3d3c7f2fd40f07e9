//! Common table expressions that list functions that return rows.
//!
//! ```text
//! WITH r AS (SELECT a, unnest(x) FROM t) ..   is   WITH r AS (SELECT * FROM (SELECT a, unnest(x) FROM t) AS "rows of a subquery") ..
//! ```
//!
//! What the engine believes of such rows is forgotten where they are a table of FROM (`dependencies.rs`).

use super::cardinality::returns_rows;
use super::selects::{all_of, over, query_of};
use datafusion::sql::sqlparser::ast::{ObjectName, Query, SelectItem, SetExpr, WildcardAdditionalOptions};

/// Makes tables of FROM of them.
pub(super) fn as_tables(query: &mut Query) {
    for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
        let SetExpr::Select(select) = table.query.body.as_ref() else { continue };
        let lists_rows = select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. } => returns_rows(value),
            _ => false,
        });
        if lists_rows {
            let rows = std::mem::replace(&mut *table.query, query_of(all_of(ObjectName(Vec::new()))));
            *table.query = over(rows, SelectItem::Wildcard(WildcardAdditionalOptions::default()), &[]);
        }
    }
}
