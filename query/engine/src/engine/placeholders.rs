//! The types of a statement's placeholders.

use crate::bound::PARAMETERS;
use arrow_schema::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan};
use std::collections::BTreeMap;

/// The types of `$1`, `$2`, ... in order; `None` if the statement does not determine the type. If only a cast
/// determines it, the placeholder has the type to which it is cast.
pub(super) fn types(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>> {
    let mut cast: BTreeMap<String, DataType> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::Cast(to) = part
                    && let Expr::Placeholder(placeholder) = to.expr.as_ref()
                {
                    cast.entry(placeholder.id.clone()).or_insert_with(|| to.field.data_type().clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    let mut types = Vec::new();
    for (name, data_type) in plan.get_parameter_types()? {
        let number = name.trim_start_matches('$').parse::<usize>().unwrap_or(0);
        if !(1..=PARAMETERS).contains(&number) {
            return plan_err!("Placeholder {name} is not one of $1 to ${PARAMETERS}");
        }
        if types.len() < number {
            types.resize(number, None);
        }
        types[number - 1] = data_type.or_else(|| cast.get(&name).cloned());
    }
    Ok(types)
}
