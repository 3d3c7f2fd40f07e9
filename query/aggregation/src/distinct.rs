//! `count(DISTINCT text)`, whose memory follows the number of groups and of their values.
//!
//! ```text
//! with GROUP BY ─▶ all groups in one set
//! without, and in windows ─▶ a list of a few values ─▶ from the next on, the engine's set
//! ```
//!
//! The engine allocates a set for 512 values for each group, and does not count it: with 248,000 groups of one value each,
//! a process took 3.8 GB.

use crate::distinct_groups::DistinctTextGroups;
use crate::texts::{bytes_of, column_of, is_text};
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, FieldRef, Schema};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Operator, ReversedUDAF,
    SetMonotonicity, Signature, StatisticsArgs,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use std::sync::Arc;

/// Values of a group that are kept as a list.
const FEW: usize = 16;
/// What an empty hash set of the engine takes, which it does not count: 1,024 entries and their control bytes.
const EMPTY_SET_BYTES: usize = 33 << 10;

/// `count`, whose distinct texts are counted here.
pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Count { original: count_udaf() })
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Count {
    /// DataFusion's aggregate.
    original: Arc<AggregateUDF>,
}

// Each method of the trait is passed on, also those that have a default.
#[warn(clippy::missing_trait_methods)]
impl AggregateUDFImpl for Count {
    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match distinct_texts(&arguments).map(Arc::clone) {
            Some(field) => Ok(Box::new(DistinctTexts::new(field, arguments.return_field))),
            None => self.original.accumulator(arguments),
        }
    }

    fn name(&self) -> &str {
        self.original.name()
    }

    fn aliases(&self) -> &[String] {
        self.original.aliases()
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.original.inner().schema_name(params)
    }

    fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.original.inner().human_display(params)
    }

    fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.original.inner().window_function_schema_name(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.original.inner().display_name(params)
    }

    fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.original.inner().window_function_display_name(params)
    }

    fn signature(&self) -> &Signature {
        self.original.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.original.return_type(arguments)
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        self.original.return_field(arguments)
    }

    fn is_nullable(&self) -> bool {
        self.original.is_nullable()
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.original.state_fields(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        distinct_texts(&arguments).is_some() || self.original.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match distinct_texts(&arguments) {
            Some(field) => Ok(Box::new(DistinctTextGroups::new(field.data_type().clone()))),
            None => self.original.create_groups_accumulator(arguments),
        }
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.original.create_sliding_accumulator(arguments)
    }

    fn with_beneficial_ordering(self: Arc<Self>, is_beneficial: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let original = self.original.as_ref().clone().with_beneficial_ordering(is_beneficial)?;
        Ok(original.map(|original| Arc::new(Self { original: Arc::new(original) }) as _))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.original.order_sensitivity()
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.original.simplify()
    }

    fn simplify_expr_op_literal(
        &self,
        function: &AggregateFunction,
        argument: &Expr,
        operator: Operator,
        literal: &Expr,
        argument_is_left: bool,
    ) -> Result<Option<Expr>> {
        let original = self.original.inner();
        original.simplify_expr_op_literal(function, argument, operator, literal, argument_is_left)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.original.reverse_udf()
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.original.coerce_types(arguments)
    }

    fn is_descending(&self) -> Option<bool> {
        self.original.is_descending()
    }

    fn value_from_stats(&self, arguments: &StatisticsArgs) -> Option<ScalarValue> {
        self.original.inner().value_from_stats(arguments)
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.original.default_value(data_type)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.original.supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.original.supports_within_group_clause()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.original.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.original.inner().set_monotonicity(data_type)
    }
}

/// The texts whose distinct values are counted, if they are texts.
fn distinct_texts<'a>(arguments: &AccumulatorArgs<'a>) -> Option<&'a FieldRef> {
    match arguments.expr_fields {
        [field] if arguments.is_distinct && is_text(field.data_type()) => Some(field),
        _ => None,
    }
}

/// The distinct texts of a group.
#[derive(Debug)]
struct DistinctTexts {
    field: FieldRef,
    /// The field of the result.
    result: FieldRef,
    few: Vec<Box<[u8]>>,
    few_bytes: usize,
    /// The engine's, once there are more than a few.
    many: Option<Box<dyn Accumulator>>,
}

impl DistinctTexts {
    fn new(field: FieldRef, result: FieldRef) -> Self {
        Self { field, result, few: Vec::new(), few_bytes: 0, many: None }
    }

    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        if let Some(many) = &mut self.many {
            return many.update_batch(std::slice::from_ref(values));
        }
        for value in bytes_of(values)?.flatten() {
            if self.few.iter().any(|known| **known == *value) {
                continue;
            }
            if self.few.len() == FEW {
                let mut many = self.set()?;
                many.update_batch(&[self.few_values()?])?;
                many.update_batch(std::slice::from_ref(values))?;
                (self.few, self.few_bytes, self.many) = (Vec::new(), 0, Some(many));
                return Ok(());
            }
            self.few_bytes += value.len();
            self.few.push(value.into());
        }
        Ok(())
    }

    /// An empty set of the engine.
    fn set(&self) -> Result<Box<dyn Accumulator>> {
        let value: Arc<dyn PhysicalExpr> = Arc::new(Literal::new(ScalarValue::try_from(self.field.data_type())?));
        count_udaf().accumulator(AccumulatorArgs {
            return_field: Arc::clone(&self.result),
            schema: &Schema::empty(),
            ignore_nulls: false,
            order_bys: &[],
            is_reversed: false,
            name: "count",
            is_distinct: true,
            exprs: &[value],
            expr_fields: std::slice::from_ref(&self.field),
        })
    }

    /// The few values as a column.
    fn few_values(&self) -> Result<ArrayRef> {
        column_of(self.few.iter().map(AsRef::as_ref), self.field.data_type())
    }
}

impl Accumulator for DistinctTexts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        values.first().map_or(Ok(()), |values| self.add(values))
    }

    /// A state is the list of the values.
    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(lists) = states.first() else { return Ok(()) };
        lists.as_list::<i32>().iter().flatten().try_for_each(|values| self.add(&values))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        match &mut self.many {
            Some(many) => many.state(),
            None => Ok(vec![SingleRowListArrayBuilder::new(self.few_values()?).build_list_scalar()]),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match &mut self.many {
            Some(many) => many.evaluate(),
            None => Ok(ScalarValue::Int64(i64::try_from(self.few.len()).ok())),
        }
    }

    fn size(&self) -> usize {
        let many = self.many.as_ref().map_or(0, |many| EMPTY_SET_BYTES + many.size());
        size_of_val(self) + self.few.capacity() * size_of::<Box<[u8]>>() + self.few_bytes + many
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Array, ListArray, StringArray};
    use arrow_cast::cast;
    use arrow_schema::Field;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const TYPES: [DataType; 6] = [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
    ];

    fn accumulator(data_type: &DataType) -> DistinctTexts {
        let field = |data_type: &DataType| Arc::new(Field::new("value", data_type.clone(), true));
        DistinctTexts::new(field(data_type), field(&DataType::Int64))
    }

    fn column(values: &[Option<String>], data_type: &DataType) -> ArrayRef {
        let texts: ArrayRef = Arc::new(values.iter().map(Option::as_deref).collect::<StringArray>());
        cast(&texts, data_type).unwrap()
    }

    proptest! {
        /// Around the number of values that are kept as a list, and through states of other threads.
        #[test]
        fn values_are_counted_once(
            batches in proptest::collection::vec(
                proptest::collection::vec(proptest::option::of("[a-e]{0,2}|a text that is in no view itself [0-9]"), 0..12),
                0..6,
            ),
            kind in 0..TYPES.len(),
        ) {
            let data_type = &TYPES[kind];
            let known: HashSet<&String> = batches.iter().flatten().flatten().collect();
            let expected = ScalarValue::Int64(Some(known.len() as i64));
            let mut all = accumulator(data_type);
            let mut merged = accumulator(data_type);
            for values in &batches {
                all.update_batch(&[column(values, data_type)]).unwrap();
                let mut part = accumulator(data_type);
                part.update_batch(&[column(values, data_type)]).unwrap();
                let state = part.state().unwrap();
                merged.merge_batch(&[state[0].to_array().unwrap()]).unwrap();
            }
            prop_assert_eq!(all.evaluate().unwrap(), expected.clone());
            prop_assert_eq!(merged.evaluate().unwrap(), expected);
        }
    }

    #[test]
    fn a_group_with_few_values_takes_little() {
        for data_type in &TYPES {
            let mut texts = accumulator(data_type);
            let few: Vec<Option<String>> =
                (0..FEW).map(|number| Some(format!("value {number}"))).chain([None]).collect();
            texts.update_batch(&[column(&few, data_type)]).unwrap();
            assert!(texts.size() < 1 << 10, "{}", texts.size());
            let state = texts.state().unwrap();
            let ScalarValue::List(list) = &state[0] else { panic!("{state:?}") };
            assert_eq!((ListArray::len(list), list.value_type()), (1, data_type.clone()));
            assert_eq!(list.value(0).len(), FEW);
            texts.update_batch(&[column(&[Some("another".to_owned())], data_type)]).unwrap();
            assert!(texts.size() > EMPTY_SET_BYTES, "what the engine does not count is counted");
        }
    }
}
