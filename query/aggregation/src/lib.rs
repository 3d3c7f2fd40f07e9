//! SQL aggregates that replace DataFusion's, because they are faster with many groups, or take less memory.
//!
//! `count(DISTINCT text)`: [`distinct`].
//!
//! `last_value(... order by ...)` and `first_value(... order by ...)`: DataFusion's keep the sort key of each group as
//! a list of scalar values, and visit every group for every batch. Here the sort key of a group is in the row format of
//! [`arrow_row`], whose bytes compare as the columns do. The value follows the key, in one buffer for all groups:
//!
//! ```text
//! order by columns ─▶ keys as rows ─▶ better than the group's? ─▶ │ key │ value │ key │ value │ ...
//! values ───────────────────────────── values of the best rows ────────▲
//! ```
//!
//! Invariants:
//! - Names, types, states and results are those of DataFusion's aggregates, which also do everything except the grouped
//!   aggregation.
//! - Of several rows with the same key, the first one wins, as in DataFusion.

mod distinct;
mod distinct_groups;
mod groups;
mod texts;

use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array, new_null_array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, FieldRef};
use arrow_select::take::take;
use datafusion::common::{Result, internal_err};
use datafusion::functions_aggregate::first_last::{first_value_udaf, last_value_udaf};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};
use groups::{Entry, Groups};
use std::sync::Arc;

/// Which value of a group is selected, in the given order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Selector {
    First,
    Last,
}

/// The aggregates, with the names of those that they replace.
pub fn functions() -> [AggregateUDF; 3] {
    [Selector::First.function(), Selector::Last.function(), distinct::function()]
}

impl Selector {
    fn function(self) -> AggregateUDF {
        let original = match self {
            Self::First => first_value_udaf(),
            Self::Last => last_value_udaf(),
        };
        AggregateUDF::new_from_impl(SelectedValue { selector: self, original })
    }

    fn other(self) -> Self {
        match self {
            Self::First => Self::Last,
            Self::Last => Self::First,
        }
    }

    fn prefers(self, key: &[u8], known: &[u8]) -> bool {
        match self {
            Self::First => key < known,
            Self::Last => key > known,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SelectedValue {
    selector: Selector,
    /// DataFusion's aggregate.
    original: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for SelectedValue {
    fn name(&self) -> &str {
        self.original.name()
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

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.original.accumulator(arguments)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.original.state_fields(arguments)
    }

    fn with_beneficial_ordering(self: Arc<Self>, is_beneficial: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let original = self.original.as_ref().clone().with_beneficial_ordering(is_beneficial)?;
        Ok(original.map(|original| Arc::new(Self { selector: self.selector, original: Arc::new(original) }) as _))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.original.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Reversed(Arc::new(self.selector.other().function()))
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.original.supports_null_handling_clause()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.original.documentation()
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        SelectedValueGroups::new(self.selector, &arguments).is_ok_and(|groups| groups.is_some())
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match SelectedValueGroups::new(self.selector, &arguments)? {
            Some(groups) => Ok(Box::new(groups)),
            None => internal_err!("{} does not support groups of these types", self.name()),
        }
    }
}

/// The selected values of all groups.
struct SelectedValueGroups {
    selector: Selector,
    ignores_nulls: bool,
    keys: RowConverter,
    key_types: Vec<DataType>,
    values: RowConverter,
    value_type: DataType,
    groups: Groups,
}

impl SelectedValueGroups {
    /// `None` without an order, or if the row format does not support a type.
    fn new(selector: Selector, arguments: &AccumulatorArgs) -> Result<Option<Self>> {
        let mut keys = Vec::with_capacity(arguments.order_bys.len());
        let mut key_types = Vec::with_capacity(arguments.order_bys.len());
        for order in arguments.order_bys {
            let kind = order.expr.data_type(arguments.schema)?;
            keys.push(SortField::new_with_options(kind.clone(), order.options));
            key_types.push(kind);
        }
        let value_type = arguments.return_field.data_type().clone();
        let values = vec![SortField::new(value_type.clone())];
        if keys.is_empty() || !RowConverter::supports_fields(&keys) || !RowConverter::supports_fields(&values) {
            return Ok(None);
        }
        Ok(Some(Self {
            selector,
            ignores_nulls: arguments.ignore_nulls,
            keys: RowConverter::new(keys)?,
            key_types,
            values: RowConverter::new(values)?,
            value_type,
            groups: Groups::default(),
        }))
    }

    /// Updates the groups with the rows that `pass`.
    fn update(
        &mut self,
        values: &ArrayRef,
        order: &[ArrayRef],
        group_indices: &[usize],
        pass: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.groups.grow(groups);
        let keys = self.keys.convert_columns(order)?;
        // The groups with a better row in this batch. Their values are stored after the last row.
        let mut changed: Vec<usize> = Vec::new();
        for (row, &group) in group_indices.iter().enumerate() {
            // NULL does not pass.
            let passes = pass.is_none_or(|pass| pass.is_valid(row) && pass.value(row));
            if !passes || (self.ignores_nulls && values.is_null(row)) {
                continue;
            }
            let key = keys.row(row).data();
            let is_better = match self.groups.candidate(group) {
                Some(best) => self.selector.prefers(key, keys.row(best).data()),
                None => {
                    let known = self.groups.entry(group).key;
                    let is_better = known.is_empty() || self.selector.prefers(key, known);
                    if is_better {
                        changed.push(group);
                    }
                    is_better
                }
            };
            if is_better {
                self.groups.set_candidate(group, row);
            }
        }
        let best: Vec<u32> =
            changed.iter().filter_map(|group| self.groups.candidate(*group)).map(|row| row as u32).collect();
        let values = self.values.convert_columns(&[take(values, &UInt32Array::from(best.clone()), None)?])?;
        for ((group, row), value) in changed.into_iter().zip(best).zip(values.iter()) {
            self.groups.put(group, Entry { key: keys.row(row as usize).data(), value: value.data() });
        }
        Ok(())
    }

    /// The values of the first groups with their keys as columns; NULL for a group without a value.
    fn state_of(&self, groups: usize) -> Result<(ArrayRef, Vec<ArrayRef>), ArrowError> {
        let entries = || (0..groups).map(|group| self.groups.entry(group));
        let order = to_columns(&self.keys, &self.key_types, entries().map(|entry| entry.key))?;
        Ok((self.values_of(groups)?, order))
    }

    fn values_of(&self, groups: usize) -> Result<ArrayRef, ArrowError> {
        let values = (0..groups).map(|group| self.groups.entry(group).value);
        let mut columns = to_columns(&self.values, std::slice::from_ref(&self.value_type), values)?;
        Ok(columns.remove(0))
    }

    fn emitted(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.groups.len(),
            EmitTo::First(groups) => groups,
        }
    }
}

/// Converts rows to columns, an empty row to NULLs.
fn to_columns<'r>(
    converter: &RowConverter,
    types: &[DataType],
    rows: impl Iterator<Item = &'r [u8]>,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let nulls: Vec<ArrayRef> = types.iter().map(|kind| new_null_array(kind, 1)).collect();
    let nulls = converter.convert_columns(&nulls)?;
    let parser = converter.parser();
    converter.convert_rows(rows.map(|row| if row.is_empty() { nulls.row(0) } else { parser.parse(row) }))
}

impl GroupsAccumulator for SelectedValueGroups {
    fn update_batch(
        &mut self,
        values_and_order: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.update(&values_and_order[0], &values_and_order[1..], group_indices, filter, groups)
    }

    /// A state has the value, its key columns, and whether there is a value.
    fn merge_batch(&mut self, state: &[ArrayRef], group_indices: &[usize], groups: usize) -> Result<()> {
        let Some((is_set, [value, order @ ..])) = state.split_last() else {
            return internal_err!("the state has no columns");
        };
        let Some(is_set) = is_set.as_any().downcast_ref::<BooleanArray>() else {
            return internal_err!("the last column of the state is not boolean");
        };
        self.update(value, order, group_indices, Some(is_set), groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.emitted(emit_to);
        let values = self.values_of(groups)?;
        self.groups.remove_first(groups);
        Ok(values)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.emitted(emit_to);
        let (values, order) = self.state_of(groups)?;
        let is_set: BooleanArray = (0..groups).map(|group| Some(!self.groups.entry(group).key.is_empty())).collect();
        self.groups.remove_first(groups);
        let mut state = vec![values];
        state.extend(order);
        state.push(Arc::new(is_set));
        Ok(state)
    }

    fn convert_to_state(&self, values_and_order: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut state = values_and_order.to_vec();
        let all = || BooleanArray::from(vec![true; values_and_order[0].len()]);
        state.push(Arc::new(filter.cloned().unwrap_or_else(all)));
        Ok(state)
    }

    fn size(&self) -> usize {
        self.groups.memory_size()
    }
}

#[cfg(test)]
mod tests;
