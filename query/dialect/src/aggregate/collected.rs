//! `array_agg` and `string_agg` of different values, in the order that the statement asks for.
//!
//! Rows that are sorted for another aggregate may have the reverse of the order that one asks for, and the engine then tells it that its
//! order is reversed. Its aggregates of different values sort these themselves, and do not look at that. Values that are compared by keys
//! are told apart and sorted by [`super::different`].

use super::different::Different;
use crate::SqlError;
use crate::order::have_key;
use crate::text_types::mark_of;
use arrow_schema::{DataType, FieldRef, SortOptions};
use datafusion::common::Result;
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::functions_aggregate::string_agg::string_agg_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, Signature,
};
use datafusion::physical_expr::PhysicalSortExpr;
use std::sync::Arc;

/// The aggregates.
pub(super) fn aggregates() -> Vec<AggregateUDF> {
    vec![array_agg(), collected(string_agg_udaf())]
}

/// `array_agg`.
pub(super) fn array_agg() -> AggregateUDF {
    collected(array_agg_udaf())
}

fn collected(engines: Arc<AggregateUDF>) -> AggregateUDF {
    AggregateUDF::new_from_impl(Collected { engines })
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Collected {
    engines: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Collected {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.inner().return_type(types)
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.engines.inner().state_fields(arguments)
    }

    /// Each sorts its values itself if their order is another.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::SoftRequirement
    }

    fn with_beneficial_ordering(self: Arc<Self>, is_sorted: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        // `string_agg` sorts its values in any case.
        let engines = Arc::clone(self.engines.inner()).with_beneficial_ordering(is_sorted)?;
        let engines = engines
            .map_or_else(|| Arc::clone(&self.engines), |engines| Arc::new(AggregateUDF::new_from_shared_impl(engines)));
        Ok(Some(Arc::new(Self { engines })))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if !arguments.is_distinct {
            return self.engines.accumulator(arguments);
        }
        let is_other = |key: &PhysicalSortExpr| !arguments.exprs.first().is_some_and(|value| key.expr.eq(value));
        if arguments.order_bys.iter().any(is_other) {
            let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
            return Err(SqlError::new("42P10", message).at("ORDER").into());
        }
        let field = &arguments.expr_fields[0];
        // The order of JSON is not that of its texts; members of objects have none.
        if matches!(mark_of(field), Some("json" | "jsonb")) && !arguments.order_bys.is_empty() {
            let message = "distinct values of type json or jsonb in an aggregate are not supported";
            return Err(SqlError::not_supported(message).at("DISTINCT").into());
        }
        let asked: Vec<_> = match arguments.is_reversed {
            true => arguments.order_bys.iter().map(|key| key.clone().reverse()).collect(),
            false => arguments.order_bys.to_vec(),
        };
        if have_key(field.data_type()) {
            let order = asked.first().map_or(SortOptions { descending: false, nulls_first: false }, |key| key.options);
            return Ok(Box::new(Different::new(field.data_type(), order)));
        }
        self.engines.accumulator(AccumulatorArgs { order_bys: &asked, is_reversed: false, ..arguments })
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Reversed(Arc::new(AggregateUDF::new_from_impl(self.clone())))
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.engines.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.engines.create_groups_accumulator(arguments)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.engines.supports_null_handling_clause()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engines.documentation()
    }
}
