//! Converts sessions to rows of the table `sessions`, and back.
//!
//! Users query the columns. The last column is the fold, which the next event of the session is applied to: one byte
//! with the format version, then the fold in postcard's wire format. It does not contain the feedback, which belongs to
//! another tier.

use crate::error::SessionsError;
use crate::fold::Fold;
use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use holdfast_archive::Table;
use holdfast_events::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format version of folds. Folds of another version are not read; the table is rebuilt from the events.
const FOLD_VERSION: u8 = 2;

/// The columns that a state is read from.
pub(crate) const STATE_COLUMNS: [&str; 3] = ["session", "feedback", "fold"];

/// The state of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) fold: Fold,
    pub(crate) feedback: Option<String>,
}

impl State {
    /// Its filing date, in days since 1970: the first day of the month of its earliest filing time. Keys are monthly,
    /// so the sessions of a month are in few files and stay readable as long as its events.
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
    let mut encoded = BinaryBuilder::new();
    for (session, state) in &states {
        sessions.append_value(session);
        feedback.append_option(state.feedback.as_deref());
        let fold = postcard::to_extend(&state.fold, vec![FOLD_VERSION])
            .map_err(|error| SessionsError::Encode(error.to_string()))?;
        encoded.append_value(fold);
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
        time(|fold| fold.requested_at.time()),
        time(|fold| fold.queued_at.time()),
        time(|fold| fold.started_at.time()),
        time(|fold| fold.ended_at.time()),
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
        Arc::new(encoded.finish()),
    ];
    RecordBatch::try_new(Table::Sessions.schema(), columns).map_err(|error| SessionsError::Encode(error.to_string()))
}

/// The states in the rows of `batch` whose sessions are `wanted`. `file` is their file, for errors.
pub(crate) fn from_batch(
    batch: &RecordBatch,
    file: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(String, State)>, SessionsError> {
    let corrupt = |why: &str| SessionsError::Corrupt { file: file.to_owned(), why: why.to_owned() };
    let column = |name: &str| batch.column_by_name(name);
    let sessions = column("session").and_then(|column| column.as_string_opt::<i32>());
    let folds = column("fold").and_then(|column| column.as_binary_opt::<i32>());
    let feedback = column("feedback").and_then(|column| column.as_string_opt::<i32>());
    let (Some(sessions), Some(folds)) = (sessions, folds) else {
        return Err(corrupt("a column is missing"));
    };
    let mut states = Vec::new();
    for row in (0..batch.num_rows()).filter(|row| wanted(sessions.value(*row))) {
        let (version, fold) = folds.value(row).split_first().ok_or_else(|| corrupt("a fold is empty"))?;
        if *version != FOLD_VERSION {
            return Err(corrupt("its folds have another format version"));
        }
        let fold = postcard::from_bytes(fold).map_err(|error| corrupt(&format!("a fold cannot be read: {error}")))?;
        let feedback = feedback.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row).to_owned());
        states.push((sessions.value(row).to_owned(), State { fold, feedback }));
    }
    Ok(states)
}
