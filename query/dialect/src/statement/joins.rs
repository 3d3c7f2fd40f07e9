//! `RIGHT JOIN .. USING` and `FULL JOIN .. USING`, and NATURAL ones: the merged column is that of the right side, or of the one that
//! has a value. The engine's is always that of the left side.
//!
//! A right join becomes the left join of the exchanged sides; a `*`, which would show that, is written out before. A right join of
//! several and a full join are refused.

use super::stars;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{JoinConstraint, JoinOperator, Select, TableWithJoins};

/// The joins of a SELECT.
pub(super) fn merged_columns(select: &mut Select) -> Result<()> {
    stars::written_out(&mut select.projection, &select.from)?;
    select.from.iter_mut().try_for_each(of_from)
}

fn of_from(from: &mut TableWithJoins) -> Result<()> {
    let joins = from.joins.len();
    for join in &mut from.joins {
        match &mut join.join_operator {
            JoinOperator::FullOuter(constraint) if merges(constraint) => {
                return Err(refused("FULL", "Use ON, and coalesce() for the merged columns."));
            }
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) if merges(constraint) => {
                if joins > 1 {
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
