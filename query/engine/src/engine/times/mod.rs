//! Times as PostgreSQL computes with them: in microseconds, over all of them that a column holds.
//!
//! An event keeps the time that its source claims, be it of the year 1 or 10000. The functions of the engine compute in
//! nanoseconds, which reach from 1677 to 2262, and one time outside fails a statement for everybody.
//!
//! ```text
//! text ─▶ parse ─▶ statement: AT TIME ZONE becomes timezone()
//!      ─▶ plan  ─▶ types: TIMESTAMP has microseconds; operators: EXTRACT, time - date
//!                  functions: date_trunc, date_bin, date_part, timezone, to_local_time, to_char, now
//!      ─▶ types are coerced ─▶ rule: comparisons, sums, differences and casts of times
//!      ─▶ optimize ─▶ filter: a view's time that is NULL if implausible still selects files
//! ```
//!
//! `calendar` and `zone` compute. What no result can hold is NULL and no error.

mod arithmetic;
mod bin;
mod calendar;
mod columns;
mod filter;
mod interval;
mod local;
mod now;
mod operators;
mod part;
mod rule;
mod series;
mod shift;
mod statement;
mod truncate;
mod types;
mod written;
mod zone;

pub(super) use operators::TimeOperators;
pub(super) use statement::name_time_zones;

use datafusion::common::Result;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{FunctionRegistry, SessionState};
use std::sync::Arc;

/// Adds the types and the rules. To be called after the extensions, whose types are kept.
pub(super) fn install(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let others = builder.type_planner().take();
    builder
        .with_type_planner(Arc::new(types::Microseconds::new(others)))
        .with_analyzer_rule(Arc::new(rule::WholeRange::default()))
        .with_optimizer_rule(Arc::new(filter::FilterOfCase))
}

/// Registers the functions over those of the engine.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    let zone = state.config_options().execution.time_zone.clone();
    for function in [
        bin::DateBin::udf(),
        local::TimeZoneFunction::udf(),
        local::ToLocalTime::udf(),
        now::Now::udf(zone.as_deref()),
        part::DatePart::udf(),
        truncate::DateTrunc::udf(),
        written::ToChar::udf(),
    ] {
        state.register_udf(Arc::new(function))?;
    }
    series::accept_microseconds(state);
    Ok(())
}

#[cfg(test)]
mod tests;
