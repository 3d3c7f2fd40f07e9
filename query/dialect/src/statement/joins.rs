//! `RIGHT JOIN .. USING` and `FULL JOIN .. USING`, and NATURAL ones: the merged column is that of the right side, or of the one that
//! has a value. The engine's is always that of the left side.
//!
//! A right join becomes the left join of the exchanged sides. Where that shows, and for a full join, the statement is refused.

use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{JoinConstraint, JoinOperator, Select, SelectItem, TableWithJoins};

/// The joins of a SELECT.
pub(super) fn merged_columns(select: &mut Select) -> Result<()> {
    // The columns of the left side come first.
    let shows_order = select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_)));
    select.from.iter_mut().try_for_each(|from| of_from(from, shows_order))
}

fn of_from(from: &mut TableWithJoins, shows_order: bool) -> Result<()> {
    let joins = from.joins.len();
    for join in &mut from.joins {
        match &mut join.join_operator {
            JoinOperator::FullOuter(constraint) if merges(constraint) => {
                return Err(refused("FULL", "Use ON, and coalesce() for the merged columns."));
            }
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) if merges(constraint) => {
                if joins > 1 || shows_order {
                    return Err(refused("RIGHT", "Use LEFT JOIN with the sides exchanged."));
                }
                let constraint = std::mem::replace(constraint, JoinConstraint::None);
                join.join_operator = JoinOperator::LeftOuter(constraint);
                std::mem::swap(&mut from.relation, &mut join.relation);
            }
            _ => {}
        }
    }
    Ok(())
}

fn merges(constraint: &JoinConstraint) -> bool {
    matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
}

fn refused(join: &str, hint: &str) -> datafusion::common::DataFusionError {
    let message = format!("{join} JOIN with USING or NATURAL is not supported here");
    SqlError::not_supported(message).with_hint(hint).at(join).into()
}
