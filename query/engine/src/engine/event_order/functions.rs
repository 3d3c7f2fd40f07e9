//! The window functions of the statement of a time line. Statements of users do not have them.
//!
//! Both are asked of all deliveries of one session at once: `over ()`. [`super::super::window_memory`] counts their memory.

use super::places::{Delivery, Identity, counts, places};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use std::sync::Arc;

const PLACE: &str = "timeline_place";
const DELIVERIES: &str = "timeline_deliveries";

/// The bytes that a window function holds for each row beside its arguments, about: a delivery, its places in lists, sets and
/// maps, and copies of its texts. `call` is the name of its column.
pub(in super::super) fn row_bytes(call: &str) -> usize {
    if call.starts_with(PLACE) || call.starts_with(DELIVERIES) { 256 } else { 0 }
}

/// Gives `state` the functions.
pub(in super::super) fn register(state: &mut SessionState) -> Result<()> {
    for kind in [Kind::Place, Kind::Deliveries] {
        let signature = Signature::any(kind.arguments(), Volatility::Immutable);
        state.register_udwf(Arc::new(WindowUDF::new_from_impl(Function { kind, signature })))?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// `timeline_place(type, source, id, kafka_topic, kafka_partition, kafka_offset, time, seq, recording_id)`: the place of
    /// the delivery's event, counted from 1. NULL if the delivery repeats the event.
    Place,
    /// `timeline_deliveries(type, source, id)`: how often the event was delivered.
    Deliveries,
}

impl Kind {
    fn arguments(self) -> usize {
        match self {
            Kind::Place => 9,
            Kind::Deliveries => 3,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    kind: Kind,
    signature: Signature,
}

impl WindowUDFImpl for Function {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Place => PLACE,
            Kind::Deliveries => DELIVERIES,
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(self.kind))
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(arguments.name(), DataType::Int64, self.kind == Kind::Place)))
    }
}

impl PartitionEvaluator for Kind {
    fn evaluate_all(&mut self, values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
        let identity = Texts::of(values, 0)?;
        let identity = [identity, Texts::of(values, 1)?, Texts::of(values, 2)?];
        let event = |row: usize| -> Identity<'_> { identity.each_ref().map(|texts| texts.get(row)) };
        let rows = values[0].len();
        if *self == Kind::Deliveries {
            let events: Vec<_> = (0..rows).map(event).collect();
            return Ok(Arc::new(Int64Array::from(counts(&events))));
        }
        let (topic, recording) = (Texts::of(values, 3)?, Texts::of(values, 8)?);
        let [partition, offset, time] = [4, 5, 6].map(|argument| known_numbers(values, argument));
        let (partition, offset, time) = (partition?, offset?, time?);
        let seq = numbers(values, 7)?;
        let deliveries: Vec<_> = (0..rows)
            .map(|row| Delivery {
                event: event(row),
                position: (topic.get(row).unwrap_or_default(), partition.value(row), offset.value(row)),
                time: time.value(row),
                seq: seq.is_valid(row).then(|| seq.value(row)),
                recording: recording.get(row),
            })
            .collect();
        Ok(Arc::new(Int64Array::from(places(&deliveries))))
    }
}

/// Texts, of whichever type the engine holds them in.
struct Texts(ArrayRef);

impl Texts {
    fn of(values: &[ArrayRef], argument: usize) -> Result<Self> {
        Ok(Self(arrow_cast::cast(value(values, argument)?, &DataType::Utf8)?))
    }

    fn get(&self, row: usize) -> Option<&str> {
        let texts = self.0.as_string::<i32>();
        texts.is_valid(row).then(|| texts.value(row))
    }
}

/// Integers, or times in µs.
fn numbers(values: &[ArrayRef], argument: usize) -> Result<Int64Array> {
    Ok(arrow_cast::cast(value(values, argument)?, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

/// Integers of a column without NULL.
fn known_numbers(values: &[ArrayRef], argument: usize) -> Result<Int64Array> {
    let numbers = numbers(values, argument)?;
    if numbers.null_count() > 0 {
        return exec_err!("argument {} of a function of the time line is NULL", argument + 1);
    }
    Ok(numbers)
}

fn value(values: &[ArrayRef], argument: usize) -> Result<&ArrayRef> {
    match values.get(argument) {
        Some(value) => Ok(value),
        None => exec_err!("argument {} of a function of the time line is missing", argument + 1),
    }
}
