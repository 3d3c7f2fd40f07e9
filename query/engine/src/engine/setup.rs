//! Sets up DataFusion.

use super::deliveries_of_few::DeliveriesOfFew;
use super::equal_names::KeepFiltersFromEqualNames;
use super::equal_parameters::EqualParameters;
use super::few_subjects::without_for_few;
use super::full_batches::FillBatches;
use super::functions::{BoundedOperators, bound_functions};
use super::handed_over::CountHandedOver;
use super::known_of_parts::ForgetParts;
use super::large_limits::ForgetLargeLimits;
use super::memory::Memory;
use super::one_partition::SortInOnePartition;
use super::options::{SessionOptions, Spill};
use super::spill::EncryptedTempFiles;
use super::statement_tasks::share_permits;
use super::text_types;
use super::times;
use super::window_memory::CountWindowMemory;
use super::yielding::YieldAboveJoins;
use crate::catalog::{CATALOG, SCHEMA};
use crate::scan::STORE_URL;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use std::num::NonZeroUsize;
use std::sync::Arc;
use url::Url;

/// Consumers that the error of an exhausted memory pool names.
const LARGEST_CONSUMERS_NAMED: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");

/// The state that all statements share, without a catalog.
pub(super) fn session_state(options: &SessionOptions) -> Result<SessionState, DataFusionError> {
    share_permits();
    let SessionOptions { archive, memory_limit, spill, parallelism, extensions, .. } = options;
    let memory_limit = *memory_limit;
    let disk = DiskManagerBuilder::default();
    let (pool, disk): (Arc<dyn MemoryPool>, _) = match spill {
        Spill::Refuse => {
            let pool = TrackConsumersPool::new(GreedyMemoryPool::new(memory_limit), LARGEST_CONSUMERS_NAMED);
            (Arc::new(pool), disk.with_mode(DiskManagerMode::Disabled))
        }
        Spill::Encrypted { directory, limit } => {
            let pool = TrackConsumersPool::new(Memory::new(memory_limit), LARGEST_CONSUMERS_NAMED);
            let files = EncryptedTempFiles::new(directory.clone(), *limit);
            (Arc::new(pool), disk.with_mode(DiskManagerMode::Custom(Arc::new(files))))
        }
    };
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).with_disk_manager_builder(disk).build()?;
    let url = Url::parse(STORE_URL).map_err(|error| DataFusionError::External(Box::new(error)))?;
    runtime.register_object_store(&url, Arc::clone(archive.store()));

    // A merge holds one batch of each sorted run, in an eighth of the memory at least. In measurements it counted a row
    // of whole events as some 8 KiB.
    let mut config = SessionConfig::new()
        .with_batch_size((memory_limit / (256 << 10)).clamp(128, 8192))
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        .with_target_partitions((*parallelism).max(1));
    let settings = config.options_mut();
    // Errors point to the place in the statement.
    settings.sql_parser.collect_spans = true;
    settings.execution.time_zone = Some("UTC".to_owned());
    // Groups of one or two rows are made once, after they were brought together. Before, they would be held twice: `crm.tickets` makes
    // 420,000 of 700,000 events, and so spilled.
    settings.execution.skip_partial_aggregation_probe_ratio_threshold = 0.5;
    settings.execution.skip_partial_aggregation_probe_rows_threshold = 20_000;
    // The engine refuses groups of `b IS FALSE` over VALUES, where it knows less of NULLs before it plans the input than after.
    settings.execution.skip_physical_aggregate_schema_check = true;
    // It takes the limit of a sort for that of the groups beneath a window, which then sees some of them only.
    settings.optimizer.enable_topk_aggregation = false;
    // `1.5` is a numeric.
    settings.sql_parser.parse_float_as_decimal = true;
    // What each thread of a sort reserves for merging.
    settings.execution.sort_spill_reservation_bytes = (memory_limit / 32).min(10 << 20);
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::new(runtime))
        // Before the planners of the engine, which are added to these.
        .with_expr_planners(expression_planners())
        .with_default_features()
        .with_optimizer_rule(Arc::new(EqualParameters))
        .with_optimizer_rule(Arc::new(DeliveriesOfFew))
        .with_physical_optimizer_rules(physical_rules())
        // Groups with a limit hold no batches.
        .with_physical_optimizer_rule(Arc::new(ForgetLargeLimits))
        // Windows are known by what stands directly below them.
        .with_physical_optimizer_rule(Arc::new(FillBatches))
        .with_physical_optimizer_rule(Arc::new(CountWindowMemory))
        .with_physical_optimizer_rule(Arc::new(YieldAboveJoins))
        .with_physical_optimizer_rule(Arc::new(CountHandedOver));
    let builder = extensions.iter().fold(builder, |builder, extension| extension.install(builder));
    let builder = text_types::install(builder);
    let mut state = holdfast_dialect::install(times::install(builder)).build();
    datafusion_functions_json::register_all(&mut state)?;
    for function in holdfast_aggregation::functions() {
        state.register_udaf(Arc::new(function))?;
    }
    times::register(&mut state);
    holdfast_dialect::register(&mut state)?;
    bound_functions(&mut state)?;
    Ok(state)
}

/// The rules of the engine for physical plans: one that the others rely on, one in place of the engine's, and some that only
/// statements about many subjects need.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let own = SortInOnePartition::default();
    let mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = vec![Arc::new(ForgetParts)];
    for rule in PhysicalOptimizer::new().rules {
        // Both rules that push filters down have this name.
        if rule.name().starts_with(FilterPushdown::new().name()) {
            rules.push(Arc::new(KeepFiltersFromEqualNames));
        }
        rules.push(rule);
    }
    let mut rules = without_for_few(rules);
    if let Some(place) = rules.iter().position(|rule| rule.name() == own.name()) {
        rules[place] = Arc::new(own);
    }
    rules
}

/// The planners of expressions, in the order in which they are asked.
fn expression_planners() -> Vec<Arc<dyn ExprPlanner>> {
    let mut planners = holdfast_dialect::planners();
    planners.push(Arc::new(BoundedOperators));
    planners
}

#[cfg(test)]
mod measured;
#[cfg(test)]
mod tests;
