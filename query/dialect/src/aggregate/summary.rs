//! What is kept of the rows of a group, and how the engine keeps it: for all rows, for each group, for a window.
//!
//! ```text
//! rows ─▶ Summary::add ─▶ states, one for each group ─▶ Summary::finish ─▶ results
//!                              │ save, merge: partitions
//! ```

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use arrow_select::concat::concat;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use std::collections::VecDeque;
use std::fmt::Debug;

/// What is asked for, and the types.
#[derive(Debug, Clone)]
pub(super) struct Asked<K> {
    pub(super) kind: K,
    /// The scale of a numeric argument.
    pub(super) scale: i8,
    /// The type of the result.
    pub(super) result: DataType,
}

/// To which groups rows belong, and which rows count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    /// The group of each row; all are of the first one if there are none.
    pub(super) groups: Option<&'a [usize]>,
    pub(super) filter: Option<&'a BooleanArray>,
}

impl Rows<'_> {
    /// All rows are of the first group.
    pub(super) const ALL: Rows<'static> = Rows { groups: None, filter: None };

    /// Calls `row` with each row that counts and is valid, and its group.
    pub(super) fn each(
        &self,
        rows: usize,
        nulls: Option<&NullBuffer>,
        mut row: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<()> {
        match (self.groups, self.filter, nulls) {
            (Some(groups), None, None) => {
                groups.iter().take(rows).enumerate().try_for_each(|(place, group)| row(place, *group))
            }
            (groups, filter, nulls) => (0..rows).try_for_each(|place| {
                let counts = filter.is_none_or(|filter| filter.is_valid(place) && filter.value(place))
                    && nulls.is_none_or(|nulls| nulls.is_valid(place));
                if counts { row(place, groups.map_or(0, |groups| groups[place])) } else { Ok(()) }
            }),
        }
    }
}

/// A result whose NaN has the sign with which it is above all other values.
pub(super) fn with_one_nan(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

/// What is kept of the rows of a group.
pub(super) trait Summary: Debug + Default + Clone + Send + Sync + 'static {
    /// What is computed of it.
    type Kind: Debug + Copy + Send + Sync + 'static;
    /// Whether rows are also removed: [`Summary::remove`] is exact.
    const REMOVES: bool;

    /// Adds rows to their groups.
    fn add(states: &mut [Self], arguments: &[ArrayRef], rows: Rows<'_>) -> Result<()>;

    /// Removes rows that had been added.
    fn remove(&mut self, arguments: &[ArrayRef]) -> Result<()>;

    /// The types of what is saved.
    fn saved(scale: i8) -> Vec<DataType>;

    /// The states as columns.
    fn save(states: &[Self], scale: i8) -> Result<Vec<ArrayRef>>;

    /// Adds what was saved to the groups.
    fn merge(states: &mut [Self], saved: &[ArrayRef], rows: Rows<'_>) -> Result<()>;

    /// The results.
    fn finish(states: &[Self], asked: &Asked<Self::Kind>) -> Result<ArrayRef>;
}

/// The summary of all rows.
#[derive(Debug)]
pub(super) struct Single<S: Summary> {
    state: S,
    asked: Asked<S::Kind>,
}

impl<S: Summary> Single<S> {
    pub(super) fn new(asked: Asked<S::Kind>) -> Self {
        Self { state: S::default(), asked }
    }
}

impl<S: Summary> Accumulator for Single<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        S::add(std::slice::from_mut(&mut self.state), values, Rows::ALL)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&S::finish(std::slice::from_ref(&self.state), &self.asked)?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let saved = S::save(std::slice::from_ref(&self.state), self.asked.scale)?;
        saved.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        S::merge(std::slice::from_mut(&mut self.state), states, Rows::ALL)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.state.remove(values)
    }

    fn supports_retract_batch(&self) -> bool {
        S::REMOVES
    }
}

/// The rows of a window's frame, which are added up anew for each frame: subtracting them would not be exact.
#[derive(Debug)]
pub(super) struct Frame<S: Summary> {
    pieces: VecDeque<Vec<ArrayRef>>,
    asked: Asked<S::Kind>,
}

/// Pieces of a frame that are joined.
const MOST_PIECES: usize = 64;

impl<S: Summary> Frame<S> {
    pub(super) fn new(asked: Asked<S::Kind>) -> Self {
        Self { pieces: VecDeque::new(), asked }
    }

    fn summed(&self) -> Result<S> {
        let mut state = S::default();
        for piece in &self.pieces {
            S::add(std::slice::from_mut(&mut state), piece, Rows::ALL)?;
        }
        Ok(state)
    }
}

impl<S: Summary> Accumulator for Frame<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.pieces.push_back(values.to_vec());
        if self.pieces.len() > MOST_PIECES {
            let columns = values.len();
            let joined = (0..columns)
                .map(|column| {
                    let parts: Vec<&dyn Array> = self.pieces.iter().map(|piece| piece[column].as_ref()).collect();
                    Ok(concat(&parts)?)
                })
                .collect::<Result<Vec<_>>>()?;
            self.pieces = VecDeque::from([joined]);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&S::finish(&[self.summed()?], &self.asked)?, 0)
    }

    fn size(&self) -> usize {
        let arrays = self.pieces.iter().flatten().map(|array| array.get_array_memory_size()).sum::<usize>();
        size_of_val(self) + arrays
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let saved = S::save(&[self.summed()?], self.asked.scale)?;
        saved.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        datafusion::common::internal_err!("frames of windows are not merged")
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut rows = values.first().map_or(0, |values| values.len());
        while rows > 0 {
            let Some(piece) = self.pieces.front_mut() else { break };
            let length = piece.first().map_or(0, |column| column.len());
            if length <= rows {
                self.pieces.pop_front();
                rows -= length;
            } else {
                for column in piece {
                    *column = column.slice(rows, length - rows);
                }
                rows = 0;
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// A summary for each group.
#[derive(Debug)]
pub(super) struct Grouped<S: Summary> {
    states: Vec<S>,
    asked: Asked<S::Kind>,
}

impl<S: Summary> Grouped<S> {
    pub(super) fn new(asked: Asked<S::Kind>) -> Self {
        Self { states: Vec::new(), asked }
    }
}

impl<S: Summary> GroupsAccumulator for Grouped<S> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.states.resize(total_num_groups, S::default());
        S::add(&mut self.states, values, Rows { groups: Some(group_indices), filter: opt_filter })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        S::finish(&emit_to.take_needed(&mut self.states), &self.asked)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        S::save(&emit_to.take_needed(&mut self.states), self.asked.scale)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.states.resize(total_num_groups, S::default());
        S::merge(&mut self.states, values, Rows { groups: Some(group_indices), filter: None })
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |values| values.len());
        let groups: Vec<usize> = (0..rows).collect();
        let mut states = vec![S::default(); rows];
        S::add(&mut states, values, Rows { groups: Some(&groups), filter: opt_filter })?;
        S::save(&states, self.asked.scale)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.states.capacity() * size_of::<S>()
    }
}
