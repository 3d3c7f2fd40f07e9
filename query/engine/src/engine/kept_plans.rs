//! Optimized plans, kept for the next statement of the same text.
//!
//! ```text
//! text, types of parameters, what the caller may see ─▶ kept? ── no ──▶ plan, optimize ─▶ keep
//!      │ yes                                                                 │
//!      └▶ open its tables ─▶ may the caller read the same tiers? ─▶ its tables, values and time in their places
//! ```
//!
//! A kept plan has no snapshot, no key and no value: its tables are unbound, its parameters are placeholders with the types
//! of the values, and the functions that return the time of the statement are placeholders as well, because the optimizer
//! would replace them by a constant. Before that a plan is checked: what reads other tables, or calls other functions whose
//! values depend on the statement, is not kept.

use super::admission::Queue;
use super::names::map_named_expressions;
use super::recent::Recent;
use super::result::Description;
use crate::catalog::{StatementCatalog, TablesRead, external_tables, inline, unbound};
use crate::error::QueryError;
use crate::visibility::{Lineage, Rows, Tiers, Visibility};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::config::Dialect;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err, internal_err, plan_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::push_down_limit::PushDownLimit;
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyExpressions};
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

/// Plans that are kept.
const PLANS: usize = 64;
/// Descriptions that are kept.
const DESCRIPTIONS: usize = 256;
/// Bytes of a text whose plan is kept.
pub(super) const TEXT_BYTES: usize = 16 << 10;
/// Nodes of a plan that is kept.
const NODES: usize = 512;
/// The functions without arguments whose values are constant during a statement.
const MOMENTS: [&str; 4] = ["now", "localtimestamp", "localtime", "current_date"];

/// A statement that is planned and optimized, and what was found out about it on the way.
pub(super) struct Optimized {
    pub(super) plan: LogicalPlan,
    pub(super) names: Vec<String>,
    pub(super) lineage: Lineage,
    pub(super) is_recorded: bool,
    pub(super) aggregates_only: bool,
    pub(super) queue: Queue,
}

/// Which statements have the same plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    text: String,
    dialect: Discriminant<Dialect>,
    types: Vec<DataType>,
    /// Whether its parameters are constants in the text that was sent.
    of_constants: bool,
    visible: Tiers,
    rows: Discriminant<Rows>,
}

impl Key {
    /// `None` if the plan of such a text is not kept.
    pub(super) fn of(
        text: &str,
        dialect: Dialect,
        parameters: &[ScalarValue],
        visibility: &Visibility,
    ) -> Option<Self> {
        (text.len() <= TEXT_BYTES).then(|| Self {
            text: text.to_owned(),
            dialect: discriminant(&dialect),
            types: parameters.iter().map(ScalarValue::data_type).collect(),
            of_constants: false,
            visible: visibility.tiers(),
            rows: discriminant(visibility.rows()),
        })
    }

    /// The same statement, whose parameters are constants in the text that was sent.
    pub(super) fn of_constants(self) -> Self {
        Self { of_constants: true, ..self }
    }
}

/// A plan without tables and values.
pub(super) struct Kept {
    optimized: Optimized,
    read: TablesRead,
}

impl Kept {
    /// `None` if `optimized` reads other tables than the archive's, or is too large.
    pub(super) fn of(optimized: &Optimized) -> Result<Option<Self>> {
        let mut nodes = 0;
        optimized.plan.apply_with_subqueries(|_| {
            nodes += 1;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if nodes > NODES {
            return Ok(None);
        }
        let Some((plan, read)) = unbound(optimized.plan.clone())? else { return Ok(None) };
        let Optimized { names, lineage, is_recorded, aggregates_only, queue, .. } = optimized;
        let (names, lineage) = (names.clone(), lineage.clone());
        let optimized = Optimized {
            plan,
            names,
            lineage,
            is_recorded: *is_recorded,
            aggregates_only: *aggregates_only,
            queue: *queue,
        };
        Ok(Some(Self { optimized, read }))
    }

    /// The plan with the tables of a statement. `None` if its caller may read other tiers.
    pub(super) async fn bound(
        &self,
        catalog: &StatementCatalog,
        classify: impl Fn(datafusion::error::DataFusionError) -> QueryError,
    ) -> Result<Option<Optimized>, QueryError> {
        if !catalog.may_read(&self.read).await? {
            return Ok(None);
        }
        let Optimized { plan, names, lineage, is_recorded, aggregates_only, queue } = &self.optimized;
        Ok(Some(Optimized {
            plan: catalog.bound(plan.clone()).map_err(classify)?,
            names: names.clone(),
            lineage: lineage.clone(),
            is_recorded: *is_recorded,
            aggregates_only: *aggregates_only,
            queue: *queue,
        }))
    }
}

/// The plans that are kept. `None` for a statement that is planned as it is written, because a plan with parameters in it
/// cannot be kept.
pub(super) type KeptPlans = Recent<Key, Option<Arc<Kept>>>;

/// What is told of statements: by their texts and the types of parameters that the caller knows.
pub(super) type KeptDescriptions = Recent<(String, Vec<Option<FieldRef>>), Description>;

/// Keeps some plans.
pub(super) fn plans() -> KeptPlans {
    Recent::new(PLANS)
}

/// Keeps some descriptions.
pub(super) fn descriptions() -> KeptDescriptions {
    Recent::new(DESCRIPTIONS)
}

/// Whether a statement has the same columns and parameters whenever it is described.
pub(super) fn can_be_described(text: &str, plan: &LogicalPlan) -> Result<bool> {
    Ok(text.len() <= TEXT_BYTES && external_tables(&inline(plan.clone())?)?.is_empty())
}

/// Whether the plan of a statement is the same whenever, and with whatever values, it is planned. In `plan` the views are
/// inlined.
pub(super) fn can_be_kept(plan: &LogicalPlan) -> Result<bool> {
    let mut can_be = true;
    plan.apply_with_subqueries(|node| {
        can_be &= !matches!(
            node,
            LogicalPlan::Explain(_)
                | LogicalPlan::Analyze(_)
                | LogicalPlan::DescribeTable(_)
                | LogicalPlan::Extension(_)
                | LogicalPlan::RecursiveQuery(_)
                | LogicalPlan::Statement(_)
        );
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                can_be &= match part {
                    Expr::ScalarFunction(call) => {
                        call.func.signature().volatility != Volatility::Stable || is_moment(call)
                    }
                    Expr::ScalarVariable(..) => false,
                    _ => true,
                };
                Ok(if can_be { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })
        })?;
        Ok(if can_be { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(can_be)
}

/// Whether a statement, whose plan is kept, has the same answer whenever it is executed in one state of the archive.
pub(super) fn is_repeatable(plan: &LogicalPlan) -> Result<bool> {
    let mut is_repeatable = true;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                is_repeatable &= match part {
                    Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Immutable,
                    Expr::Placeholder(Placeholder { id, .. }) => {
                        !MOMENTS.iter().any(|name| *id == placeholder_of(name))
                    }
                    _ => true,
                };
                Ok(if is_repeatable { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })
        })?;
        Ok(if is_repeatable { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(is_repeatable)
}

fn is_moment(call: &ScalarFunction) -> bool {
    call.args.is_empty() && MOMENTS.contains(&call.name())
}

/// What stands in the places of placeholders.
pub(super) struct Values {
    parameters: Vec<ScalarValue>,
    moments: HashMap<String, ScalarValue>,
}

impl Values {
    /// The parameters of a statement, and the time at which it begins.
    ///
    /// # Errors
    /// The engine lacks a function of time.
    pub(super) fn new(parameters: Vec<ScalarValue>, state: &SessionState) -> Result<Self> {
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(state.config_options()))
            .with_query_execution_start_time(state.execution_props().query_execution_start_time)
            .build();
        let simplifier = ExprSimplifier::new(context);
        let moment = |name: &str| {
            let function = state.scalar_functions().get(name);
            let function = function.ok_or_else(|| internal_datafusion_err!("there is no function {name}"))?;
            let call = Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), Vec::new()));
            match simplifier.simplify(call)? {
                Expr::Literal(value, _) => Ok((placeholder_of(name), value)),
                _ => internal_err!("the time of a statement is no constant"),
            }
        };
        Ok(Self { parameters, moments: MOMENTS.into_iter().map(moment).collect::<Result<_>>()? })
    }

    pub(super) fn into_parameters(self) -> Vec<ScalarValue> {
        self.parameters
    }

    pub(super) fn parameters(&self) -> &[ScalarValue] {
        &self.parameters
    }

    fn get(&self, placeholder: &str) -> Option<&ScalarValue> {
        self.moments.get(placeholder).or_else(|| {
            let number: usize = placeholder.strip_prefix('$')?.parse().ok()?;
            self.parameters.get(number.checked_sub(1)?)
        })
    }

    /// `plan` with placeholders whose types are those of the values.
    pub(super) fn typed(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let typed = |part: Expr| match part {
            Expr::Placeholder(Placeholder { id, .. }) if self.get(&id).is_some() => self.placeholder(id),
            Expr::ScalarFunction(call) if is_moment(&call) => self.placeholder(placeholder_of(call.name())),
            other => Ok(Transformed::no(other)),
        };
        let plan = plan.transform_up_with_subqueries(|node| {
            let node = map_named_expressions(node, |expression| expression.transform_up(typed))?;
            // Only parameters bring types.
            if self.parameters.is_empty() { Ok(node) } else { node.map_data(LogicalPlan::recompute_schema) }
        });
        plan.data()
    }

    fn placeholder(&self, id: String) -> Result<Transformed<Expr>> {
        let Some(value) = self.get(&id) else { return internal_err!("a placeholder has no value") };
        let field = Arc::new(Field::new("", value.data_type(), value.is_null() || !self.moments.contains_key(&id)));
        Ok(Transformed::yes(Expr::Placeholder(Placeholder::new_with_field(id, Some(field)))))
    }

    /// `plan`, which is optimized, with the values in their places.
    pub(super) fn put_into(&self, plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
        let mut counts = false;
        let put = |part: Expr| match &part {
            Expr::Placeholder(Placeholder { id, .. }) => match self.get(id) {
                Some(value) => Ok(Transformed::yes(Expr::Literal(value.clone(), None))),
                None => plan_err!("No value found for placeholder with id {id}"),
            },
            _ => Ok(Transformed::no(part)),
        };
        let plan = plan.transform_up_with_subqueries(|node| {
            if !has_placeholder(&node)? {
                return Ok(Transformed::no(node));
            }
            counts |= matches!(node, LogicalPlan::Limit(_));
            let node = map_named_expressions(node, |expression| expression.transform_up(put)).data()?;
            SimplifyExpressions::new().rewrite(node, state).map(|node| Transformed::yes(node.data))
        });
        let plan = plan.data()?;
        if !counts {
            return Ok(plan);
        }
        // The counts of LIMIT and OFFSET are known now.
        let push_down = |node| PushDownLimit::new().rewrite(node, state);
        plan.transform_down_with_subqueries(push_down).data()
    }
}

/// The name of the placeholder of a function of time. It is none that a statement can write.
fn placeholder_of(function: &str) -> String {
    format!("${function}()")
}

fn has_placeholder(node: &LogicalPlan) -> Result<bool> {
    let mut has = false;
    node.apply_expressions(|expression| {
        has = has || expression.exists(|part| Ok(matches!(part, Expr::Placeholder(_))))?;
        Ok(if has { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(has)
}
