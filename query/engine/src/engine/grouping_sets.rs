//! Bounds the grouping sets of a statement.
//!
//! GROUPING SETS, CUBE and ROLLUP of a few words become many groups: a CUBE of n expressions has 2ⁿ sets, and several of
//! them in one GROUP BY are multiplied. The engine writes all of them down while it plans.

use crate::bound::{Bound, GROUPED_EXPRESSIONS};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, Select, Visit, Visitor};
use std::ops::ControlFlow;

/// Refuses a statement with a GROUP BY that has too many expressions in all of its sets.
///
/// # Errors
/// [`Bound::GroupingSets`].
pub(super) fn check_grouping_sets(parsed: &Parsed) -> Result<(), Bound> {
    let exceeds = match parsed {
        Parsed::Statement(statement) => Visit::visit(statement, &mut Groups).is_break(),
        Parsed::Explain(explain) => return check_grouping_sets(&explain.statement),
        _ => false,
    };
    if exceeds { Err(Bound::GroupingSets) } else { Ok(()) }
}

struct Groups;

impl Visitor for Groups {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let GroupByExpr::Expressions(expressions, _) = &select.group_by else { return ControlFlow::Continue(()) };
        let (sets, members) = expressions.iter().map(size).fold((1, 0), product);
        let exceeds = sets > 1 && sets.saturating_mul(members) > GROUPED_EXPRESSIONS;
        if exceeds { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The sets that an expression of GROUP BY stands for, and the expressions in them.
fn size(expression: &Expr) -> (usize, usize) {
    let count = |lists: &[Vec<Expr>]| lists.iter().map(Vec::len).sum();
    match expression {
        Expr::Nested(inner) => size(inner),
        Expr::Cube(lists) => {
            let sets = u32::try_from(lists.len()).ok().and_then(|lists| 1_usize.checked_shl(lists));
            (sets.unwrap_or(usize::MAX), count(lists))
        }
        Expr::Rollup(lists) => (lists.len() + 1, count(lists)),
        Expr::GroupingSets(lists) => lists
            .iter()
            .map(|list| list.iter().map(size).fold((1, 0), product))
            .fold((0, 0), |all: (usize, usize), list| (all.0.saturating_add(list.0), all.1.saturating_add(list.1))),
        _ => (1, 1),
    }
}

/// Of two lists of sets, each combined with each.
fn product(one: (usize, usize), other: (usize, usize)) -> (usize, usize) {
    (one.0.saturating_mul(other.0), one.1.saturating_add(other.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParserBuilder;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

    fn check(groups: &str) -> Result<(), Bound> {
        let sql = format!("SELECT 1 WHERE 1 IN (SELECT count(*) FROM t GROUP BY {groups})");
        let mut parser = DFParserBuilder::new(sql.as_str()).with_dialect(&PostgreSqlDialect {}).build().unwrap();
        check_grouping_sets(&parser.parse_statement().unwrap())
    }

    fn columns(number: usize) -> String {
        (0..number).map(|column| format!("c{column}")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn sets_are_counted_with_what_is_in_them() {
        let sets = |sets: usize| format!("GROUPING SETS ({})", vec!["(a, b)"; sets].join(", "));
        for kept in [
            columns(1_000),
            format!("CUBE ({})", columns(12)),
            format!("ROLLUP ({})", columns(300)),
            sets(200),
            format!("a, CUBE ({}), ROLLUP ({})", columns(5), columns(9)),
        ] {
            assert_eq!(check(&kept), Ok(()), "{kept}");
        }
        for refused in [
            format!("CUBE ({})", columns(13)),
            format!("CUBE ({})", columns(200)),
            format!("ROLLUP ({})", columns(400)),
            sets(300),
            format!("CUBE ({}), ROLLUP ({})", columns(9), columns(20)),
        ] {
            assert_eq!(check(&refused), Err(Bound::GroupingSets), "{refused}");
        }
    }
}
