//! Lets a filter on a column that is NULL under a condition select files as a filter on the column itself does.
//!
//! ```text
//! CASE WHEN condition THEN column END >= constant     is true exactly if     condition AND column >= constant
//! ```
//!
//! The views show the time of an event only if it is plausible. Files are selected by their first and last times, which
//! the engine does not find inside a CASE. A condition also guards a value whose computation may fail: only a column is
//! taken out of its CASE.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Case, InList};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, LogicalPlan, Operator, TryCast};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use std::sync::Arc;

/// The rule.
#[derive(Debug)]
pub(super) struct FilterOfCase;

impl OptimizerRule for FilterOfCase {
    fn name(&self) -> &str {
        "filter_of_case"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Filter(mut filter) => {
                let predicate = selecting(std::mem::take(&mut filter.predicate))?;
                filter.predicate = predicate.data;
                Ok(Transformed::new_transformed(LogicalPlan::Filter(filter), predicate.transformed))
            }
            LogicalPlan::TableScan(mut scan) => {
                let (mut filters, mut is_new) = (Vec::with_capacity(scan.filters.len()), false);
                for filter in std::mem::take(&mut scan.filters) {
                    let filter = selecting(filter)?;
                    if filter.transformed {
                        is_new = true;
                        filters.extend(split_conjunction_owned(filter.data));
                    } else {
                        filters.push(filter.data);
                    }
                }
                scan.filters = filters;
                Ok(Transformed::new_transformed(LogicalPlan::TableScan(scan), is_new))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

/// What is true exactly if `predicate` is, with columns outside of CASE. What is not true may be NULL or false: so below
/// AND and OR, and nowhere deeper.
fn selecting(predicate: Expr) -> Result<Transformed<Expr>> {
    predicate.transform_down(|part| match part {
        Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) => Ok(Transformed::no(part)),
        other => {
            let opened = opened(&other);
            let is_new = opened.is_some();
            Ok(Transformed::new(opened.unwrap_or(other), is_new, TreeNodeRecursion::Jump))
        }
    })
}

/// The conditions that a comparison with a CASE stands for.
fn opened(comparison: &Expr) -> Option<Expr> {
    match comparison {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            if let Some((condition, column)) = only_branch(left) {
                let comparison = BinaryExpr::new(Box::new(column), *op, right.clone());
                return Some(condition.and(Expr::BinaryExpr(comparison)));
            }
            let (condition, column) = only_branch(right)?;
            Some(condition.and(Expr::BinaryExpr(BinaryExpr::new(left.clone(), *op, Box::new(column)))))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let (condition, column) = only_branch(expr)?;
            let between = Between::new(Box::new(column), *negated, low.clone(), high.clone());
            Some(condition.and(Expr::Between(between)))
        }
        // NULL is not in an empty list.
        Expr::InList(InList { expr, list, negated }) if !list.is_empty() => {
            let (condition, column) = only_branch(expr)?;
            Some(condition.and(Expr::InList(InList::new(Box::new(column), list.clone(), *negated))))
        }
        _ => None,
    }
}

fn is_comparison(operator: Operator) -> bool {
    matches!(operator, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
}

/// The condition and the column of a CASE that is NULL otherwise, with the casts around it.
fn only_branch(expression: &Expr) -> Option<(Expr, Expr)> {
    let (condition, value) = branch(expression)?;
    never_fails(&value).then_some((condition, value))
}

fn branch(expression: &Expr) -> Option<(Expr, Expr)> {
    match expression {
        Expr::Case(Case { expr: None, when_then_expr, else_expr }) => {
            let is_null = match else_expr.as_deref() {
                None => true,
                Some(Expr::Literal(value, _)) => value.is_null(),
                Some(_) => false,
            };
            match when_then_expr.as_slice() {
                [(condition, value)] if is_null => Some((condition.as_ref().clone(), value.as_ref().clone())),
                _ => None,
            }
        }
        Expr::Cast(Cast { expr, field }) => {
            let (condition, value) = branch(expr)?;
            Some((condition, Expr::Cast(Cast::new_from_field(Box::new(value), Arc::clone(field)))))
        }
        Expr::TryCast(TryCast { expr, field }) => {
            let (condition, value) = branch(expr)?;
            Some((condition, Expr::TryCast(TryCast::new_from_field(Box::new(value), Arc::clone(field)))))
        }
        _ => None,
    }
}

/// Whether a value is a column, perhaps cast, which is computed of any row.
fn never_fails(value: &Expr) -> bool {
    match value {
        Expr::Column(_) => true,
        Expr::TryCast(TryCast { expr, .. }) => never_fails(expr),
        _ => false,
    }
}
