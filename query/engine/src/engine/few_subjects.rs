//! Statements about a few sessions, which one thread executes.
//!
//! What they read is little, and to distribute it costs more than to compute it: a plan for several threads has about twice as
//! many operators, and most of the time of such a statement is planning. For the same reason it is planned without the rules
//! that save reading: the filters that name the subjects are in the scans already.

use crate::scan::archive_table;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, TableScan};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_optimizer::projection_pushdown::ProjectionPushdown;
use datafusion::physical_plan::ExecutionPlan;
use holdfast_archive::Table;
use std::sync::Arc;

/// Subjects that are few.
const FEW: usize = 16;

/// A rule for physical plans.
type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// Lets a statement about few subjects be planned for one thread, and without [`OfManySubjects`].
pub(super) fn plan_for_few(options: &mut ConfigOptions) {
    options.execution.target_partitions = 1;
    options.optimizer.enable_dynamic_filter_pushdown = false;
}

/// A rule of the engine that statements about few subjects do without.
#[derive(Debug)]
struct OfManySubjects(Rule);

impl PhysicalOptimizerRule for OfManySubjects {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if config.optimizer.enable_dynamic_filter_pushdown { self.0.optimize(plan, config) } else { Ok(plan) }
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// The engine's rules, of which statements about few subjects do without the one that pushes what operators find out when
/// they run into scans, and without the first of the two that push projections.
pub(super) fn without_for_few(rules: Vec<Rule>) -> Vec<Rule> {
    let (filters, projections) = (FilterPushdown::new_post_optimization(), ProjectionPushdown::new());
    let mut is_first = true;
    let for_many = |rule: Rule| -> Rule {
        let is_left_out =
            rule.name() == filters.name() || (rule.name() == projections.name() && std::mem::take(&mut is_first));
        if is_left_out { Arc::new(OfManySubjects(rule)) } else { rule }
    };
    rules.into_iter().map(for_many).collect()
}

/// Whether the filters of each scan of `plan`, which is optimized, name a few subjects. `false` if nothing is scanned.
pub(super) fn reads_few_subjects(plan: &LogicalPlan) -> Result<bool> {
    let (mut scans, mut few) = (0, true);
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            scans += 1;
            few &= names_few_subjects(scan);
        }
        Ok(if few { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(few && scans > 0)
}

/// The archive's table that is scanned.
pub(super) fn table_of(scan: &TableScan) -> Option<Table> {
    let provider = source_as_provider(&scan.source).ok()?;
    let provider: &dyn std::any::Any = provider.as_ref();
    archive_table(provider).map(|table| table.table())
}

/// Whether the filters of `scan` name a few subjects, as constants or parameters.
pub(super) fn names_few_subjects(scan: &TableScan) -> bool {
    let Some(table) = table_of(scan) else { return false };
    let Some(subject) = table.subject_column() else { return false };
    let schema = table.schema();
    let subject = schema.field(subject).name();
    let named = |filter| named(filter, subject);
    scan.filters.iter().flat_map(split_conjunction).filter_map(named).any(|subjects| subjects <= FEW)
}

/// How many subjects `filter` leaves, if it says which. The engine writes a list of two or three with OR.
fn named(filter: &Expr, subject: &str) -> Option<usize> {
    let is_subject = |side: &Expr| matches!(side, Expr::Column(column) if column.name == subject);
    fn is_constant(side: &Expr) -> bool {
        match side {
            Expr::Literal(..) | Expr::Placeholder(_) => true,
            Expr::Cast(cast) => is_constant(&cast.expr),
            _ => false,
        }
    }
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            (is_subject(left) && is_constant(right) || is_subject(right) && is_constant(left)).then_some(1)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(named(left, subject)? + named(right, subject)?)
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            (is_subject(expr) && list.iter().all(is_constant)).then_some(list.len())
        }
        _ => None,
    }
}
