//! Window functions whose results the engine counts without a sign: `bigint` and `integer` as in PostgreSQL.

use crate::SqlError;
use arrow_array::ArrayRef;
use arrow_schema::{DataType, FieldRef, SortOptions};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_window::{ntile, rank, row_number};
use datafusion::logical_expr::function::{ExpressionArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::window_state::WindowAggState;
use datafusion::logical_expr::{LimitEffect, PartitionEvaluator, Signature, WindowUDF, WindowUDFImpl};
use datafusion::physical_plan::PhysicalExpr;
use std::ops::Range;
use std::sync::Arc;

/// The window functions.
pub(super) fn window_functions() -> Vec<WindowUDF> {
    let all = [
        (row_number::row_number_udwf(), DataType::Int64),
        (rank::rank_udwf(), DataType::Int64),
        (rank::dense_rank_udwf(), DataType::Int64),
        (ntile::ntile_udwf(), DataType::Int32),
    ];
    all.into_iter().map(|(engines, result)| WindowUDF::new_from_impl(Signed { engines, result })).collect()
}

/// A window function of the engine with another type of its result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Signed {
    engines: Arc<WindowUDF>,
    result: DataType,
}

impl WindowUDFImpl for Signed {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn expressions(&self, arguments: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        self.engines.expressions(arguments)
    }

    fn partition_evaluator(&self, arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        let engines = self.engines.partition_evaluator_factory(arguments).map_err(|error| match self.name() {
            // The engine refuses no other argument.
            "ntile" => SqlError::new("22014", "argument of ntile must be greater than zero").into(),
            _ => error,
        })?;
        Ok(Box::new(SignedEvaluator { engines, result: self.result.clone() }))
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let field = self.engines.field(arguments)?;
        Ok(Arc::new(field.as_ref().clone().with_data_type(self.result.clone())))
    }

    fn sort_options(&self) -> Option<SortOptions> {
        self.engines.sort_options()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.engines.coerce_types(types)
    }

    fn limit_effect(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.engines.inner().limit_effect(arguments)
    }
}

#[derive(Debug)]
struct SignedEvaluator {
    engines: Box<dyn PartitionEvaluator>,
    result: DataType,
}

impl SignedEvaluator {
    fn signed(&self, counted: &ArrayRef) -> Result<ArrayRef> {
        Ok(arrow_cast::cast(counted, &self.result)?)
    }
}

impl PartitionEvaluator for SignedEvaluator {
    fn memoize(&mut self, state: &mut WindowAggState) -> Result<()> {
        self.engines.memoize(state)
    }

    fn get_range(&self, row: usize, rows: usize) -> Result<Range<usize>> {
        self.engines.get_range(row, rows)
    }

    fn is_causal(&self) -> bool {
        self.engines.is_causal()
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let counted = self.engines.evaluate_all(values, rows)?;
        self.signed(&counted)
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        self.engines.evaluate(values, range)?.cast_to(&self.result)
    }

    fn evaluate_all_with_rank(&self, rows: usize, ranks: &[Range<usize>]) -> Result<ArrayRef> {
        self.signed(&self.engines.evaluate_all_with_rank(rows, ranks)?)
    }

    fn supports_bounded_execution(&self) -> bool {
        self.engines.supports_bounded_execution()
    }

    fn uses_window_frame(&self) -> bool {
        self.engines.uses_window_frame()
    }

    fn include_rank(&self) -> bool {
        self.engines.include_rank()
    }
}
