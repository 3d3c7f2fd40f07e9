//! Measures every scalar function: what the longest call that its bounds let through returns, and how long it takes.

use super::super::functions::thread_time;
use super::tests::state;
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::{Int64Type, IntervalMonthDayNanoType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Date32Array, Float64Array, Int32Array, Int64Array, ListArray, StringArray,
};
use arrow_array::{IntervalMonthDayNanoArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Rows of a batch.
const ROWS: usize = 8_192;
/// Bytes that a call returns, at most, with some for each row.
const CALL_BYTES: usize = (64 << 20) + ROWS * 64;
/// Time of a thread that a call takes, at most. The everyday build does not optimize the dialect's functions, arrays and
/// regular expressions.
const CALL_TIME: Duration = if cfg!(debug_assertions) { Duration::from_secs(5) } else { Duration::from_millis(250) };
/// Bytes of a text that are tried, until a call is not refused.
const SIZES: [usize; 5] = [4_096, 1_024, 256, 32, 4];
/// Calls with arguments of any kind that are measured, of those with as many arguments.
const CALLS_OF_A_NUMBER: usize = if cfg!(debug_assertions) { 1 } else { 2 };

/// An argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Argument {
    /// Texts of so many bytes, with letters of one and of two bytes.
    Texts,
    /// Texts of JSON.
    Json,
    /// Texts of hexadecimal digits.
    Digits,
    /// Arrays of numbers, of which one takes as many bytes as a text.
    Arrays,
    /// Arrays of two texts.
    TextArrays,
    /// Whole numbers at their edges, of eight bytes and of four.
    Edges,
    SmallEdges,
    /// As many as the bytes of a text.
    Sizes,
    Floats,
    Times,
    /// Texts of dates.
    Days,
    Dates,
    Bytes,
    Intervals,
    Constant(&'static str),
}

use Argument::{
    Arrays, Bytes, Constant, Dates, Days, Digits, Edges, Floats, Intervals, Json, Sizes, SmallEdges, TextArrays, Texts,
    Times,
};

/// What functions of any kind are called with.
const CALLS: [&[Argument]; 33] = [
    &[],
    &[Texts],
    &[Arrays],
    &[Edges],
    &[Floats],
    &[Times],
    &[Dates],
    &[Bytes],
    &[Texts, Texts],
    &[Arrays, Arrays],
    &[Texts, Sizes],
    &[Texts, Edges],
    &[Texts, SmallEdges],
    &[Texts, TextArrays],
    &[Edges, Arrays],
    &[Arrays, Sizes],
    &[Arrays, Edges],
    &[Arrays, SmallEdges],
    &[Edges, Edges],
    &[Sizes, Sizes],
    &[Floats, Floats],
    &[Texts, Times],
    &[Intervals, Times],
    &[Texts, Texts, Texts],
    &[Texts, Sizes, Texts],
    &[Texts, Edges, Edges],
    &[Texts, SmallEdges, SmallEdges],
    &[Arrays, Sizes, Sizes],
    &[Arrays, Edges, Edges],
    &[Edges, Edges, Edges],
    &[Times, Times, Intervals],
    &[Texts, Texts, Edges, Edges],
    &[Texts, Texts, SmallEdges, SmallEdges],
];

/// Calls of functions whose arguments have to be of some form.
const CALLS_OF: [(&str, &[Argument]); 39] = [
    ("encode", &[Texts, Constant("hex")]),
    ("encode", &[Texts, Constant("base64")]),
    ("decode", &[Digits, Constant("hex")]),
    ("digest", &[Texts, Constant("sha512")]),
    ("digest", &[Texts, Constant("blake2b")]),
    ("date_trunc", &[Constant("month"), Times]),
    ("date_part", &[Constant("week"), Times]),
    ("to_char", &[Times, Constant("Day FMDD Month YYYY HH24:MI:SS")]),
    ("to_char", &[Times, Texts]),
    ("to_timestamp", &[Days, Constant("YYYY-MM-DD")]),
    ("to_date", &[Days, Constant("YYYY-MM-DD")]),
    ("split_part", &[Texts, Constant(" "), Sizes]),
    ("string_to_array", &[Texts, Constant("o")]),
    ("string_to_array", &[Texts, Constant("")]),
    ("substr_index", &[Texts, Constant("o"), Sizes]),
    ("translate", &[Texts, Constant("abcdefgä"), Constant("öbcdefgh")]),
    ("translate", &[Texts, Constant("abcdefg"), Constant("x")]),
    ("replace", &[Texts, Constant("o"), Constant("00")]),
    ("replace", &[Texts, Constant("ö"), Constant("ä")]),
    ("btrim", &[Texts, Constant("abcdefghijklmnopqrstuvwxyzäöü .")]),
    ("rtrim", &[Texts, Texts]),
    ("lpad", &[Texts, Sizes, Constant("äö")]),
    ("rpad", &[Constant("ä"), Sizes, Constant("ö")]),
    ("overlay", &[Texts, Texts, Sizes, Sizes]),
    ("concat_ws", &[Constant(", "), Texts, Texts]),
    ("array_to_string", &[Arrays, Constant(", ")]),
    ("array_repeat", &[Texts, Sizes]),
    ("regexp_count", &[Texts, Constant("[a-z]+")]),
    ("regexp_like", &[Texts, Constant("o.{60}x")]),
    ("regexp_match", &[Texts, Constant("(.*)(o+)(.*)")]),
    ("regexp_match_texts", &[Texts, Constant("([a-z])(.)"), Constant("g")]),
    ("to_text_array", &[Constant("{a,\"b c\",NULL}")]),
    ("regexp_instr", &[Texts, Constant("[0-9]{4}-[0-9]{2}")]),
    ("regexp_replace", &[Texts, Constant("\\w+"), Constant("x"), Constant("g")]),
    ("json_get", &[Json, Constant("last")]),
    ("json_get_str", &[Json, Constant("last")]),
    ("json_get_array", &[Json, Constant("array")]),
    ("json_keys", &[Json]),
    ("json_length", &[Json, Constant("array")]),
];

/// A text of `bytes` bytes, about.
fn text(row: usize, bytes: usize) -> String {
    let words = format!("word {row} ähnlich, foo öde. ");
    let mut text = words.repeat(bytes / words.len() + 1);
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}

fn json(bytes: usize) -> String {
    let elements = vec!["1"; bytes / 4 + 1].join(",");
    let keys: String = (0..bytes / 16).map(|key| format!("\"k{key}\":{key},")).collect();
    format!("{{{keys}\"array\":[{elements}],\"last\":\"text\"}}")
}

fn edge(row: usize) -> i64 {
    [0, -1, 1, i64::MAX, i64::MIN, 1_000][row % 6]
}

fn small_edge(row: usize) -> i32 {
    [0, -1, 1, i32::MAX, i32::MIN, 1_000][row % 6]
}

fn value(argument: Argument, size: usize) -> ColumnarValue {
    let numbers = |number: &dyn Fn(usize) -> i64| (0..ROWS).map(number).collect::<Vec<i64>>();
    let texts = |text: &dyn Fn(usize) -> String| Arc::new(StringArray::from_iter_values((0..ROWS).map(text)));
    let array: ArrayRef = match argument {
        Texts => texts(&|row| text(row, size)),
        Json => {
            let json = json(size);
            texts(&|_| json.clone())
        }
        Digits => texts(&|row| format!("{row:02x}").repeat(size)[..size / 2 * 2].to_owned()),
        Arrays => Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
            (0..ROWS).map(|row| Some((0..size / 8).map(move |element| Some((row * element) as i64 % 1_000)))),
        )),
        TextArrays => {
            let mut arrays = ListBuilder::new(StringBuilder::new());
            for row in 0..ROWS {
                arrays.append_value([text(row, size), text(row + 1, size)].map(Some));
            }
            Arc::new(arrays.finish())
        }
        Edges => Arc::new(Int64Array::from(numbers(&edge))),
        SmallEdges => Arc::new(Int32Array::from_iter_values((0..ROWS).map(small_edge))),
        Sizes => Arc::new(Int32Array::from_iter_values((0..ROWS).map(|_| size as i32))),
        Floats => Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| edge(row) as f64 / 7.0))),
        Times => Arc::new(TimestampMicrosecondArray::from(numbers(&|row| row as i64 * 86_400_000_001))),
        Days => texts(&|row| format!("2026-05-{:02}", row % 28 + 1)),
        Dates => Arc::new(Date32Array::from_iter_values((0..ROWS).map(|row| row as i32))),
        Bytes => Arc::new(BinaryArray::from_iter_values((0..ROWS).map(|row| text(row, size).into_bytes()))),
        Intervals => Arc::new(IntervalMonthDayNanoArray::from_iter_values(
            (0..ROWS).map(|_| IntervalMonthDayNanoType::make_value(0, 0, 3_600_000_000_000)),
        )),
        Constant(text) => return ColumnarValue::Scalar(ScalarValue::Utf8(Some(text.to_owned()))),
    };
    ColumnarValue::Array(array)
}

/// Values that are made once for all calls.
#[derive(Default)]
struct Values(HashMap<(Argument, usize), ColumnarValue>);

impl Values {
    fn get(&mut self, arguments: &[Argument], size: usize) -> Vec<ColumnarValue> {
        let get =
            |argument: &Argument| self.0.entry((*argument, size)).or_insert_with(|| value(*argument, size)).clone();
        arguments.iter().map(get).collect()
    }
}

/// The types to which `function` converts `values`. An error if it takes no such arguments.
fn taken(function: &ScalarUDF, values: &[ColumnarValue]) -> Result<Vec<FieldRef>> {
    let field = |kind: DataType| -> FieldRef { Arc::new(Field::new("argument", kind, true)) };
    let fields: Vec<FieldRef> = values.iter().map(|value| field(value.data_type())).collect();
    fields_with_udf(&fields, function)
}

/// Calls `function`. The values are converted to the types that it takes.
fn call(function: &ScalarUDF, values: &[ColumnarValue]) -> Result<ColumnarValue> {
    let arg_fields = taken(function, values)?;
    let args = values.iter().zip(&arg_fields).map(|(value, field)| value.cast_to(field.data_type(), None));
    let args = args.collect::<Result<Vec<ColumnarValue>>>()?;
    let scalar_arguments: Vec<Option<&ScalarValue>> = args
        .iter()
        .map(|value| match value {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        })
        .collect();
    let of_result = ReturnFieldArgs { arg_fields: &arg_fields, scalar_arguments: &scalar_arguments };
    let return_field = function.return_field_from_args(of_result)?;
    let config_options = Arc::new(ConfigOptions::default());
    function.invoke_with_args(ScalarFunctionArgs { args, arg_fields, number_rows: ROWS, return_field, config_options })
}

/// The bytes that a value refers to.
fn bytes_of(value: &ColumnarValue) -> usize {
    match value {
        // Its columns are the arguments, which are there already.
        ColumnarValue::Array(array) if matches!(array.data_type(), DataType::Struct(_)) => 0,
        ColumnarValue::Array(array) => {
            array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size())
        }
        ColumnarValue::Scalar(value) => value.size(),
    }
}

/// Calls `function` with the largest of `arguments` that it does not refuse. `None` if it takes no such arguments.
fn measure(function: &ScalarUDF, arguments: &[Argument], values: &mut Values) -> Option<(usize, Duration)> {
    taken(function, &values.get(arguments, SIZES[SIZES.len() - 1])).ok()?;
    for size in SIZES {
        let values = values.get(arguments, size);
        let timed = || {
            let begun = thread_time().unwrap_or_default();
            // The engine answers a panic as an error of its own.
            let result = catch_unwind(AssertUnwindSafe(|| call(function, &values))).ok()?.ok()?;
            Some((bytes_of(&result), thread_time().unwrap_or_default().saturating_sub(begun)))
        };
        let Some((bytes, mut time)) = timed() else { continue };
        // Something else may have taken the time.
        if time > CALL_TIME
            && let Some((_, again)) = timed()
        {
            time = time.min(again);
        }
        return Some((bytes, time));
    }
    None
}

#[test]
fn no_call_of_a_function_returns_or_takes_more_than_its_bounds() {
    let state = state();
    let mut functions: Vec<&Arc<ScalarUDF>> = state.scalar_functions().values().collect();
    functions.sort_by(|one, other| one.name().cmp(other.name()));
    functions.dedup_by(|one, other| one.name() == other.name());
    assert!(functions.len() > 150, "{}", functions.len());
    let (mut exceeds, mut measured, mut values) = (Vec::new(), 0, Values::default());
    for function in functions {
        let own = CALLS_OF.iter().filter(|(name, _)| *name == function.name()).map(|(_, arguments)| *arguments);
        let mut calls_of_number = [0_usize; 5];
        for (arguments, is_own) in own.map(|own| (own, true)).chain(CALLS.iter().map(|any| (*any, false))) {
            let calls = &mut calls_of_number[arguments.len()];
            if !is_own && *calls >= CALLS_OF_A_NUMBER {
                continue;
            }
            let Some((bytes, time)) = measure(function, arguments, &mut values) else { continue };
            *calls += usize::from(!is_own);
            measured += 1;
            if bytes > CALL_BYTES || time > CALL_TIME {
                exceeds.push(format!("{}({arguments:?}): {} KiB, {time:?}", function.name(), bytes >> 10));
            }
        }
    }
    assert!(exceeds.is_empty(), "{}", exceeds.join("\n"));
    assert!(measured > 200, "{measured} calls were measured");
}

#[test]
fn calls_of_some_form_are_of_functions_that_exist() {
    let state = state();
    let mut values = Values::default();
    let mut is_refused =
        |name: &str, arguments| measure(&state.scalar_functions()[name], arguments, &mut values).is_none();
    let refused: Vec<_> = CALLS_OF.iter().filter(|(name, arguments)| is_refused(name, arguments)).collect();
    assert!(refused.is_empty(), "refused at any size, or fail: {refused:?}");
}
