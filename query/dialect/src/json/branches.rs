//! Constants beside a `json` or `jsonb` in COALESCE, CASE and ARRAY, which are read as one (PostgreSQL 15, 10.5).

use super::get;
use super::marked::is_marked;
use crate::types::PgType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// The rule.
#[derive(Debug)]
pub(crate) struct Branches {
    /// The types' names, and the functions that read a text as one.
    read: Vec<(String, Arc<ScalarUDF>)>,
}

impl Default for Branches {
    fn default() -> Self {
        let read = get::functions().into_iter().filter_map(|function| {
            let udf = function.udf();
            let name = udf.name().strip_prefix("to_")?.strip_suffix("_type")?.to_owned();
            matches!(name.as_str(), "json" | "jsonb").then(|| (name, Arc::new(udf)))
        });
        Self { read: read.collect() }
    }
}

impl AnalyzerRule for Branches {
    fn name(&self) -> &str {
        "json_of_branches"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| self.of_node(node))?.data)
    }
}

impl Branches {
    fn of_node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expression| {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|part| Ok(self.of_part(part, &schema)))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        })
    }

    fn of_part(&self, part: Expr, schema: &DFSchema) -> Transformed<Expr> {
        match part {
            Expr::Case(mut case) => {
                let mut branches: Vec<&mut Expr> =
                    case.when_then_expr.iter_mut().map(|(_, then)| then.as_mut()).collect();
                branches.extend(case.else_expr.as_deref_mut());
                let is_changed = self.read_constants(branches, schema);
                Transformed::new_transformed(Expr::Case(case), is_changed)
            }
            Expr::ScalarFunction(mut call) if matches!(call.name(), "coalesce" | "make_array") => {
                let is_changed = self.read_constants(call.args.iter_mut().collect(), schema);
                Transformed::new_transformed(Expr::ScalarFunction(call), is_changed)
            }
            other => Transformed::no(other),
        }
    }

    fn read_constants(&self, branches: Vec<&mut Expr>, schema: &DFSchema) -> bool {
        let is_text = |branch: &Expr| branch.get_type(schema).is_ok_and(|known| PgType::of(&known) == PgType::Text);
        let is_constant = |branch: &Expr| matches!(branch, Expr::Literal(value, None) if value.data_type().is_string());
        if !branches.iter().any(|branch| is_constant(branch)) {
            return false;
        }
        let is_of = |name: &str| branches.iter().any(|branch| is_text(branch) && is_marked(branch, name, schema));
        let Some((_, read)) = self.read.iter().find(|(name, _)| is_of(name)) else { return false };
        for branch in branches.into_iter().filter(|branch| is_constant(branch)) {
            let constant = std::mem::take(branch);
            *branch = Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(read), vec![constant]));
        }
        true
    }
}
