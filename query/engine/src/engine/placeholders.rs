//! The placeholders of a statement: `$1`, `$2`, ...

use crate::bound::PARAMETERS;
use arrow_schema::FieldRef;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;
use holdfast_dialect::parameter_types;

/// The types of `$1`, `$2`, ... in order; `None` if the statement does not determine the type.
pub(super) fn types(plan: &LogicalPlan) -> Result<Vec<Option<FieldRef>>> {
    let mut types = Vec::new();
    for (name, field) in parameter_types(plan)? {
        let Some(number) = number(&name) else {
            return plan_err!("Placeholder {name} is not one of $1 to ${PARAMETERS}");
        };
        if types.len() < number {
            types.resize(number, None);
        }
        types[number - 1] = field;
    }
    Ok(types)
}

/// The number of the placeholder `name`, if it is one that a statement may have.
pub(super) fn number(name: &str) -> Option<usize> {
    let number = name.strip_prefix('$')?.parse().ok()?;
    (1..=PARAMETERS).contains(&number).then_some(number)
}
