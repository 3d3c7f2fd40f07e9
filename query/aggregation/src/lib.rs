//! Aggregates of SQL that stand in the place of the engine's own, because they are faster over many groups.
//!
//! `last_value(... order by ...)` and `first_value(... order by ...)`: the engine's own keep the order of each group as a list of
//! scalar values, and look at every group for every batch. Here a group is a run of bytes that compares as its order does
//! ([`arrow_row`]), with the value behind it, in one buffer for all groups:
//!
//! ```text
//! order by columns ─▶ rows of bytes ─▶ better than the group's? ─▶ │ key │ value │ key │ value │ ...
//! values ────────────────────────────── those that won, as rows ────────▲
//! ```
//!
//! Invariants:
//! - Names, types, states and answers are those of the engine's own, whose work everything but the groups stays.
//! - Where several rows come last, the first of them that was seen stays, as with the engine's own.

mod groups;

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

/// Which of a group's values it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Pick {
    First,
    Last,
}

/// The aggregates, under the names of those whose place they take.
pub fn functions() -> [AggregateUDF; 2] {
    [Pick::First, Pick::Last].map(Pick::function)
}

impl Pick {
    fn function(self) -> AggregateUDF {
        let engines = match self {
            Self::First => first_value_udaf(),
            Self::Last => last_value_udaf(),
        };
        AggregateUDF::new_from_impl(PickValue { pick: self, engines })
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
struct PickValue {
    pick: Pick,
    engines: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for PickValue {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.engines.return_type(arguments)
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        self.engines.return_field(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.engines.accumulator(arguments)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.engines.state_fields(arguments)
    }

    fn with_beneficial_ordering(self: Arc<Self>, is_beneficial: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let engines = self.engines.as_ref().clone().with_beneficial_ordering(is_beneficial)?;
        Ok(engines.map(|engines| Arc::new(Self { pick: self.pick, engines: Arc::new(engines) }) as _))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.engines.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Reversed(Arc::new(self.pick.other().function()))
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.engines.supports_null_handling_clause()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engines.documentation()
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        Picked::new(self.pick, &arguments).is_ok_and(|picked| picked.is_some())
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match Picked::new(self.pick, &arguments)? {
            Some(picked) => Ok(Box::new(picked)),
            None => internal_err!("{} of these types has no groups", self.name()),
        }
    }
}

/// What all groups have.
struct Picked {
    pick: Pick,
    ignores_nulls: bool,
    keys: RowConverter,
    key_types: Vec<DataType>,
    values: RowConverter,
    value_type: DataType,
    groups: Groups,
}

impl Picked {
    /// `None` without an order, and where values or order have types that do not compare as bytes.
    fn new(pick: Pick, arguments: &AccumulatorArgs) -> Result<Option<Self>> {
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
            pick,
            ignores_nulls: arguments.ignore_nulls,
            keys: RowConverter::new(keys)?,
            key_types,
            values: RowConverter::new(values)?,
            value_type,
            groups: Groups::default(),
        }))
    }

    /// Takes the rows that `pass` into the groups.
    fn take_in(
        &mut self,
        values: &ArrayRef,
        order: &[ArrayRef],
        group_indices: &[usize],
        pass: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.groups.grow(groups);
        let keys = self.keys.convert_columns(order)?;
        // A group's best row of this batch, until all of it was looked at.
        let mut changed: Vec<usize> = Vec::new();
        for (row, &group) in group_indices.iter().enumerate() {
            // What is neither true nor false does not pass.
            let passes = pass.is_none_or(|pass| pass.is_valid(row) && pass.value(row));
            if !passes || (self.ignores_nulls && values.is_null(row)) {
                continue;
            }
            let key = keys.row(row).data();
            let is_better = match self.groups.candidate(group) {
                Some(best) => self.pick.prefers(key, keys.row(best).data()),
                None => {
                    let known = self.groups.entry(group).key;
                    let is_better = known.is_empty() || self.pick.prefers(key, known);
                    if is_better {
                        changed.push(group);
                    }
                    is_better
                }
            };
            if is_better {
                self.groups.propose(group, row);
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

    /// The values of the first groups, and with them what the values are ordered by; NULL where nothing was found.
    fn state_of(&self, groups: usize) -> Result<(ArrayRef, Vec<ArrayRef>), ArrowError> {
        let entries = || (0..groups).map(|group| self.groups.entry(group));
        let order = back(&self.keys, &self.key_types, entries().map(|entry| entry.key))?;
        Ok((self.values_of(groups)?, order))
    }

    fn values_of(&self, groups: usize) -> Result<ArrayRef, ArrowError> {
        let values = (0..groups).map(|group| self.groups.entry(group).value);
        let mut columns = back(&self.values, std::slice::from_ref(&self.value_type), values)?;
        Ok(columns.remove(0))
    }

    fn emitted(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.groups.len(),
            EmitTo::First(groups) => groups,
        }
    }
}

/// Rows as columns again, with NULLs for what is empty.
fn back<'r>(
    converter: &RowConverter,
    types: &[DataType],
    rows: impl Iterator<Item = &'r [u8]>,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let nothing: Vec<ArrayRef> = types.iter().map(|kind| new_null_array(kind, 1)).collect();
    let nothing = converter.convert_columns(&nothing)?;
    let parser = converter.parser();
    converter.convert_rows(rows.map(|row| if row.is_empty() { nothing.row(0) } else { parser.parse(row) }))
}

impl GroupsAccumulator for Picked {
    fn update_batch(
        &mut self,
        values_and_order: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.take_in(&values_and_order[0], &values_and_order[1..], group_indices, filter, groups)
    }

    /// Of a state: the value, what it is ordered by, and whether there is one.
    fn merge_batch(&mut self, state: &[ArrayRef], group_indices: &[usize], groups: usize) -> Result<()> {
        let Some((is_set, [value, order @ ..])) = state.split_last() else {
            return internal_err!("a state without columns");
        };
        let Some(is_set) = is_set.as_any().downcast_ref::<BooleanArray>() else {
            return internal_err!("a state that does not say whether there is a value");
        };
        self.take_in(value, order, group_indices, Some(is_set), groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.emitted(emit_to);
        let values = self.values_of(groups)?;
        self.groups.forget(groups);
        Ok(values)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.emitted(emit_to);
        let (values, order) = self.state_of(groups)?;
        let is_set: BooleanArray = (0..groups).map(|group| Some(!self.groups.entry(group).key.is_empty())).collect();
        self.groups.forget(groups);
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
