//! A session as a row of the table `sessions`, and back.
//!
//! The columns are what people ask for. Behind them stands the fold, from which the session goes on when another event
//! comes: one byte with the version of the form, then the fold in postcard's wire format. The feedback is the one thing that
//! is not in it, because it is of another tier.

use crate::error::SessionsError;
use crate::fold::Fold;
use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use holdfast_archive::Table;
use holdfast_events::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The form of the fold that is written, and the only one that is read: another one is made anew from the events.
const FORM: u8 = 2;

/// The columns from which a state is read back.
pub(crate) const STATE_COLUMNS: [&str; 3] = ["session", "feedback", "fold"];

/// What is known of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) fold: Fold,
    pub(crate) feedback: Option<String>,
}

impl State {
    /// The day that it is filed under, in days since 1970: the first of the month that the first of its events is filed
    /// under. A month has one key, and so a month's sessions lie in few files and can be read as long as its events.
    pub(crate) fn date(&self) -> i32 {
        let first = Timestamp(self.fold.filed.unwrap_or_default());
        let (_, _, day) = first.date();
        i32::try_from(first.days() - (day - 1)).unwrap_or_default()
    }
}

/// Rows of `sessions`, in the order of their ids.
pub(crate) fn to_batch<'s>(
    states: impl IntoIterator<Item = (&'s String, &'s State)>,
) -> Result<RecordBatch, SessionsError> {
    let states: BTreeMap<&String, &State> = states.into_iter().collect();
    let folds = || states.values().map(|state| &state.fold);
    let text = |value: &dyn Fn(&Fold) -> Option<String>| -> ArrayRef {
        let mut builder = StringBuilder::new();
        folds().for_each(|fold| builder.append_option(value(fold)));
        Arc::new(builder.finish())
    };
    let own = |value: Option<&str>| value.map(str::to_owned);
    let time = |value: fn(&Fold) -> Option<i64>| -> ArrayRef {
        Arc::new(folds().map(value).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let number =
        |value: fn(&Fold) -> Option<f64>| -> ArrayRef { Arc::new(folds().map(value).collect::<Float64Array>()) };
    let count = |value: fn(&Fold) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(folds().map(value))) };

    let mut sessions = StringBuilder::new();
    let mut feedback = StringBuilder::new();
    let mut forms = BinaryBuilder::new();
    for (session, state) in &states {
        sessions.append_value(session);
        feedback.append_option(state.feedback.as_deref());
        let form =
            postcard::to_extend(&state.fold, vec![FORM]).map_err(|error| SessionsError::Encode(error.to_string()))?;
        forms.append_value(form);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(sessions.finish()),
        text(&|fold| own(fold.portal())),
        text(&|fold| own(fold.mode())),
        text(&|fold| own(fold.queue())),
        text(&|fold| own(fold.customer())),
        text(&|fold| own(fold.ticket())),
        text(&|fold| own(fold.agent())),
        text(&Fold::agents),
        time(|fold| fold.requested_at),
        time(|fold| fold.queued_at),
        time(|fold| fold.started_at),
        time(|fold| fold.ended_at),
        time(|fold| fold.first_time),
        time(|fold| fold.last_time),
        number(Fold::waited),
        number(Fold::handled),
        text(&|fold| own(fold.state())),
        text(&|fold| own(fold.ended_by())),
        text(&|fold| own(fold.resolution())),
        text(&|fold| own(fold.resolved())),
        Arc::new(folds().map(Fold::rating).collect::<Int32Array>()),
        Arc::new(feedback.finish()),
        count(|fold| fold.counts.events),
        count(|fold| fold.counts.chat_lines),
        count(|fold| fold.counts.files),
        count(|fold| fold.counts.reboots),
        count(|fold| fold.counts.transfers),
        count(|fold| fold.counts.diagnostics),
        count(Fold::recordings),
        Arc::new(forms.finish()),
    ];
    RecordBatch::try_new(Table::Sessions.schema(), columns).map_err(|error| SessionsError::Encode(error.to_string()))
}

/// The states in the rows of `batch` whose sessions are `wanted`. `file` is where they come from, for errors.
pub(crate) fn from_batch(
    batch: &RecordBatch,
    file: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(String, State)>, SessionsError> {
    let damaged = |why: &str| SessionsError::Damaged { file: file.to_owned(), why: why.to_owned() };
    let column = |name: &str| batch.column_by_name(name);
    let sessions = column("session").and_then(|column| column.as_string_opt::<i32>());
    let forms = column("fold").and_then(|column| column.as_binary_opt::<i32>());
    let feedback = column("feedback").and_then(|column| column.as_string_opt::<i32>());
    let (Some(sessions), Some(forms)) = (sessions, forms) else {
        return Err(damaged("it lacks a column"));
    };
    let mut states = Vec::new();
    for row in (0..batch.num_rows()).filter(|row| wanted(sessions.value(*row))) {
        let (form, fold) = forms.value(row).split_first().ok_or_else(|| damaged("a fold is empty"))?;
        if *form != FORM {
            return Err(damaged("its folds are of a form that this version does not read"));
        }
        let fold = postcard::from_bytes(fold).map_err(|error| damaged(&format!("a fold cannot be read: {error}")))?;
        let feedback = feedback.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row).to_owned());
        states.push((sessions.value(row).to_owned(), State { fold, feedback }));
    }
    Ok(states)
}
