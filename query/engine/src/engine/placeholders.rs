//! The types of a statement's placeholders.

use crate::bound::PARAMETERS;
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a plan tells of one placeholder.
#[derive(Default)]
struct Told {
    /// By what it is compared or computed with.
    beside: Option<FieldRef>,
    /// By the type to which it is cast.
    cast: Option<FieldRef>,
    /// By the other arguments of a function whose arguments have one type.
    argument: Option<DataType>,
}

/// Functions whose arguments have one type.
const OF_ONE_TYPE: [&str; 4] = ["coalesce", "nullif", "greatest", "least"];

/// The types of `$1`, `$2`, ... in order; `None` if the statement does not determine the type. If only a cast
/// determines it, the placeholder has the type to which it is cast.
pub(super) fn types(plan: &LogicalPlan) -> Result<Vec<Option<FieldRef>>> {
    let mut told: BTreeMap<usize, Told> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                tell(part, &schema, &mut told)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    let mut types = vec![None; told.last_key_value().map_or(0, |(number, _)| *number)];
    for (number, Told { beside, cast, argument }) in told {
        let of_argument = argument.map(|data_type| Arc::new(Field::new("", data_type, true)));
        types[number - 1] = beside.or(cast).or(of_argument);
    }
    Ok(types)
}

fn tell(part: &Expr, schema: &DFSchema, told: &mut BTreeMap<usize, Told>) -> Result<()> {
    match part {
        Expr::Placeholder(placeholder) => {
            let Some(number) = number(&placeholder.id) else {
                return plan_err!("Placeholder {} is not one of $1 to ${PARAMETERS}", placeholder.id);
            };
            let told = told.entry(number).or_default();
            told.beside = told.beside.take().or_else(|| placeholder.field.clone());
        }
        Expr::Cast(to) => {
            if let Expr::Placeholder(placeholder) = to.expr.as_ref()
                && let Some(number) = number(&placeholder.id)
            {
                told.entry(number).or_default().cast.get_or_insert_with(|| to.field.clone());
            }
        }
        Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.name()) => {
            let types = call.args.iter().filter_map(|argument| argument.get_type(schema).ok());
            let Some(data_type) = types.into_iter().find(|data_type| *data_type != DataType::Null) else {
                return Ok(());
            };
            for argument in &call.args {
                if let Expr::Placeholder(placeholder) = argument
                    && let Some(number) = number(&placeholder.id)
                {
                    told.entry(number).or_default().argument.get_or_insert_with(|| data_type.clone());
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// The number of the placeholder `name`, if it is one that a statement may have.
pub(super) fn number(name: &str) -> Option<usize> {
    let number = name.strip_prefix('$')?.parse().ok()?;
    (1..=PARAMETERS).contains(&number).then_some(number)
}
