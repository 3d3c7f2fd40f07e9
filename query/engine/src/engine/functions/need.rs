//! What a call needs, computed from its arguments before it is made.

use super::growth::Growth;
use super::pattern::{Syntax, all_states, matches};
use crate::error::{QueryError, SHORTER_ARGUMENTS, SHORTER_RESULTS};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType};
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use std::collections::HashSet;

/// Bytes of the results and the copied arguments of one call.
const CALL_BYTES: u64 = 64 << 20;
/// Steps of a call. One takes some nanoseconds.
pub(super) const CALL_STEPS: u64 = 50_000_000;
/// Steps of an element that is made from a part of a text.
const STEPS_OF_MADE_ELEMENT: u64 = 8;
/// Steps of a letter of a format.
const STEPS_OF_FORMAT: u64 = 25;
/// Steps of an element with which a value is compared, beside its bytes.
const STEPS_OF_COMPARED_ELEMENT: u64 = 3;
/// Regular expressions that a call of a function of the dialect keeps. With more of them, each is compiled for each row.
const PATTERNS_KEPT: usize = 64;
/// Bytes of an element beside its text.
const ELEMENT_BYTES: u64 = 16;
/// Nanoseconds of a day.
const DAY: i128 = 86_400_000_000_000;

/// What a call of `function` needs. Refuses one that needs more than a call may.
pub(super) fn check(function: &str, growth: Growth, call: &ScalarFunctionArgs) -> Result<Need> {
    let need = Need::of(growth, call)?;
    check_bytes(function, need.bytes)?;
    if need.steps > CALL_STEPS { Err(takes_long(function)) } else { Ok(need) }
}

fn check_bytes(function: &str, bytes: u64) -> Result<()> {
    if bytes <= CALL_BYTES {
        return Ok(());
    }
    Err(refused(function, format!("make more than {} MiB at a time", CALL_BYTES >> 20), SHORTER_RESULTS))
}

/// A call takes more steps than it may, or more time than these should.
pub(super) fn takes_long(function: &str) -> DataFusionError {
    let what = format!("take more than {CALL_STEPS} steps at a time");
    refused(function, what, SHORTER_ARGUMENTS)
}

fn refused(function: &str, what: String, what_to_do: &'static str) -> DataFusionError {
    QueryError::Function { function: function.to_owned(), what, what_to_do }.through_engine()
}

/// Adds to `bytes` what a call of `regexp_replace` makes, and refuses more than a call may make.
pub(super) fn check_replacements(function: &str, call: &ScalarFunctionArgs, bytes: &mut u64) -> Result<()> {
    let [text, pattern, replacement, flags @ ..] = call.args.as_slice() else { return Ok(()) };
    let rows = rows_of(call);
    *bytes = replaced_bytes_of([text, pattern, replacement], flags.first(), rows, *bytes)?;
    check_bytes(function, *bytes)
}

/// The rows that a call computes: one if its arguments are constants.
pub(super) fn rows_of(call: &ScalarFunctionArgs) -> usize {
    let is_constant = call.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    if is_constant { 1 } else { call.number_rows }
}

/// What a call needs, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) bytes: u64,
    pub(super) steps: u64,
}

impl Need {
    pub(super) fn of(growth: Growth, call: &ScalarFunctionArgs) -> Result<Self> {
        let args = call.args.as_slice();
        // A call with constants only is made once, except by those that make a row of each.
        let rows = if growth == Growth::Pad { call.number_rows } else { rows_of(call) };
        let mut need = Self::default();
        if rows > 1 && growth.copies_constants() {
            let constants = args.iter().filter(|argument| matches!(argument, ColumnarValue::Scalar(_)));
            let copied = constants.map(|constant| bytes_at(constant, 0).saturating_mul(rows as u64));
            need.bytes = copied.fold(0, u64::saturating_add);
        }
        match (growth, args) {
            (Growth::Repeat, [text, times, ..]) => {
                let times = Numbers::of(times)?;
                need.add_bytes(rows, |row| bytes_at(text, row).saturating_mul(times.count_at(row)));
            }
            (Growth::Pad, [text, characters, ..]) => {
                let is_constant = matches!(characters, ColumnarValue::Scalar(_));
                let characters = Numbers::of(characters)?;
                if is_constant {
                    // The padding is made before the first row, also if there is none.
                    need.bytes = need.bytes.saturating_add(4 * characters.count_at(0));
                }
                need.add_bytes(rows, |row| bytes_at(text, row).saturating_add(4 * characters.count_at(row)));
            }
            (Growth::Series, args) => {
                let series = Series::of(args)?;
                need.add_bytes(rows, |row| series.elements_at(row).saturating_mul(ELEMENT_BYTES));
            }
            (Growth::ArrayRepeat, [element, times, ..]) => {
                let times = Numbers::of(times)?;
                need.add_bytes(rows, |row| element_bytes(element, row).saturating_mul(times.count_at(row)));
            }
            (Growth::ArrayResize, [_, elements, fill @ ..]) => {
                let elements = Numbers::of(elements)?;
                need.add_bytes(rows, |row| {
                    let element = fill.first().map_or(ELEMENT_BYTES, |fill| element_bytes(fill, row));
                    element.saturating_mul(elements.count_at(row))
                });
            }
            (Growth::Replace, [text, from, to]) => need.add_bytes(rows, |row| replaced_bytes(text, from, to, row)),
            (Growth::ArrayReplace, [array, _, to, ..]) => {
                need.add_bytes(rows, |row| elements_at(array, row).saturating_mul(element_bytes(to, row)));
            }
            (Growth::Join, [array, separators @ ..]) => need.add_bytes(rows, |row| {
                let separators: u64 = separators.iter().map(|separator| element_bytes(separator, row)).sum();
                elements_at(array, row).saturating_mul(ELEMENT_BYTES + separators)
            }),
            (Growth::Format, [_, format, ..]) => {
                need.add_bytes(rows, |row| bytes_at(format, row).saturating_mul(ELEMENT_BYTES));
                need.add_steps(rows, |row| bytes_at(format, row).saturating_mul(STEPS_OF_FORMAT));
            }
            (Growth::Gather, args) => need.add_bytes(rows, |row| all_bytes(args, row)),
            (Growth::GatherElements { steps }, args) => {
                need.add_bytes(rows, |row| all_bytes(args, row));
                need.add_elements(args, rows, steps);
            }
            (Growth::Elements { steps }, args) => need.add_elements(args, rows, steps),
            (Growth::Bytes { eighths, becomes }, args) => {
                let texts = texts(args);
                need.add_steps(rows, |row| sum(&texts, row, bytes_at).saturating_mul(eighths) / 8);
                if becomes > 1 {
                    need.add_bytes(rows, |row| sum(&texts, row, bytes_at).saturating_mul(becomes));
                }
            }
            (Growth::Case { eighths }, [text, ..]) => {
                need.add_steps(rows, |row| bytes_at(text, row).saturating_mul(eighths) / 8);
                need.add_case(text, rows);
            }
            (Growth::Trim, [text, letters, ..]) => {
                need.add_steps(rows, |row| (bytes_at(text, row) / 8).saturating_mul(bytes_at(letters, row)));
            }
            (Growth::Split, [text, separator, ..]) => need.add_made_elements(rows, |row| parts(text, separator, row)),
            (Growth::JsonElements, [json, ..]) => need.add_made_elements(rows, |row| {
                let commas = text_at(json, row).map_or(0, |json| json.matches(',').count() as u64);
                (bytes_at(json, row), commas + 1)
            }),
            (Growth::GatherBetween, [separator, texts @ ..]) => need.add_bytes(rows, |row| {
                let separators = bytes_at(separator, row).saturating_mul(texts.len() as u64);
                all_bytes(texts, row).saturating_add(separators)
            }),
            (Growth::Distance, [one, other, ..]) => {
                need.add_steps(rows, |row| bytes_at(one, row).saturating_mul(bytes_at(other, row)));
            }
            (Growth::Pairs, [one, other, ..])
            | (Growth::Overlap, [one @ ColumnarValue::Array(_), other @ ColumnarValue::Array(_)]) => {
                need.add_steps(rows, |row| elements_at(one, row).saturating_mul(elements_at(other, row)));
            }
            (Growth::AnyOf, [value, array]) => need.add_steps(rows, |row| {
                elements_at(array, row).saturating_mul(STEPS_OF_COMPARED_ELEMENT + bytes_at(value, row) / 64)
            }),
            (Growth::Search | Growth::SearchAndReplace, [text, pattern, ..]) => {
                need.add_search(text, pattern, rows, Syntax::Regular);
            }
            (Growth::Match(syntax), [text, pattern, ..]) => need.add_search(text, pattern, rows, syntax),
            _ => {}
        }
        Ok(need)
    }

    fn add_bytes(&mut self, rows: usize, of_row: impl Fn(usize) -> u64) {
        self.bytes = (0..rows).fold(self.bytes, |bytes, row| bytes.saturating_add(of_row(row)));
    }

    fn add_steps(&mut self, rows: usize, of_row: impl Fn(usize) -> u64) {
        self.steps = (0..rows).fold(self.steps, |steps, row| steps.saturating_add(of_row(row)));
    }

    fn add_elements(&mut self, args: &[ColumnarValue], rows: usize, steps: u64) {
        let lists: Vec<&ColumnarValue> = args.iter().filter(|argument| is_list(argument)).collect();
        self.add_steps(rows, |row| sum(&lists, row, elements_at).saturating_mul(steps));
    }

    /// `of_row`: the bytes of a text, and the elements that are made of it.
    fn add_made_elements(&mut self, rows: usize, of_row: impl Fn(usize) -> (u64, u64)) {
        for row in 0..rows {
            let (bytes, elements) = of_row(row);
            let made = bytes.saturating_add(elements.saturating_mul(ELEMENT_BYTES));
            self.bytes = self.bytes.saturating_add(made);
            let steps = (bytes / 8).saturating_add(elements.saturating_mul(STEPS_OF_MADE_ELEMENT));
            self.steps = self.steps.saturating_add(steps);
        }
    }

    /// A text in upper or lower case. Few letters become longer, and counting them takes as long as the call.
    fn add_case(&mut self, text: &ColumnarValue, rows: usize) {
        const BECOMES_AT_MOST: u64 = 3;
        let before = *self;
        self.add_bytes(rows, |row| bytes_at(text, row).saturating_mul(BECOMES_AT_MOST));
        if self.bytes > CALL_BYTES {
            *self = before;
            self.add_bytes(rows, |row| {
                let letters = text_at(text, row).unwrap_or_default().chars();
                let longer = letters.filter(|letter| !letter.is_ascii()).map(longer_by);
                longer.fold(bytes_at(text, row), u64::saturating_add)
            });
        }
    }

    fn add_search(&mut self, text: &ColumnarValue, pattern: &ColumnarValue, rows: usize, syntax: Syntax) {
        let mut patterns: HashSet<&str> = HashSet::new();
        let pattern_rows = if matches!(pattern, ColumnarValue::Scalar(_)) { 1 } else { rows };
        let (mut largest, mut last, mut each_time) = (0, None, 0_u64);
        for pattern in (0..pattern_rows).flat_map(|row| patterns_at(pattern, row)) {
            let steps = syntax.steps_of_compiling(pattern);
            each_time = each_time.saturating_add(steps);
            // Regular expressions are kept until the end of the call, those of LIKE until the next one.
            let is_compiled = match syntax {
                Syntax::Regular => patterns.insert(pattern),
                Syntax::Like | Syntax::ILike => last.replace(pattern) != Some(pattern),
            };
            if is_compiled {
                self.steps = self.steps.saturating_add(steps);
                if syntax == Syntax::Regular {
                    largest = largest.max(all_states(pattern));
                }
            }
        }
        if is_list(pattern) && patterns.len() > PATTERNS_KEPT {
            let times = if pattern_rows < rows { rows as u64 } else { 1 };
            self.steps = self.steps.saturating_add(each_time.saturating_mul(times));
        }
        // The automaton is built as far as the texts need it, so a byte takes less than a nanosecond, and longer if it
        // has more states than are kept. A text that is made for its pattern takes much longer: see `search`.
        let of_bytes = 1 + largest / 1_000;
        self.add_steps(rows, |row| {
            let of_pattern = (bytes_at(text, row) / 8).saturating_mul(of_bytes);
            of_pattern.saturating_mul(if is_list(pattern) { elements_at(pattern, row) } else { 1 })
        });
    }
}

/// The patterns of a row: one, or the elements of an array. NULL is none.
pub(super) fn patterns_at(value: &ColumnarValue, row: usize) -> Vec<&str> {
    let (array, row): (&dyn Array, usize) = match value {
        ColumnarValue::Scalar(ScalarValue::List(array)) => (array.as_ref(), 0),
        ColumnarValue::Array(array) => (array.as_ref(), row),
        ColumnarValue::Scalar(_) => return text_at(value, row).into_iter().collect(),
    };
    let Some(lists) = array.as_list_opt::<i32>() else { return text_at(value, row).into_iter().collect() };
    if lists.is_null(row) {
        return Vec::new();
    }
    let [first, end] = [row, row + 1].map(|at| usize::try_from(lists.value_offsets()[at]).unwrap_or_default());
    (first..end).filter_map(|element| text_in(lists.values().as_ref(), element)).collect()
}

/// `bytes`, and those of the texts with their replacements.
fn replaced_bytes_of(
    [text, pattern, replacement]: [&ColumnarValue; 3],
    flags: Option<&ColumnarValue>,
    rows: usize,
    bytes: u64,
) -> Result<u64> {
    let replaced = |row, matches: u64| {
        // A group that the replacement names is part of the text, over all matches once.
        let groups = text_at(replacement, row).map_or(0, |text| text.matches(['\\', '$']).count() as u64);
        let texts = bytes_at(text, row).saturating_mul(groups.saturating_add(1));
        texts.saturating_add(matches.saturating_mul(bytes_at(replacement, row)))
    };
    let is_global = |row| flags.and_then(|flags| text_at(flags, row)).is_some_and(has_global);
    let total = |of_row: &dyn Fn(usize) -> u64| (0..rows).fold(bytes, |bytes, row| bytes.saturating_add(of_row(row)));
    let at_most = total(&|row| {
        let matches = if is_global(row) { bytes_at(text, row).saturating_add(1) } else { 1 };
        replaced(row, matches)
    });
    // A match at each byte is seldom, and counting the matches takes as long as replacing them.
    if at_most > CALL_BYTES
        && let Some(matches) = matches(text, pattern, flags, rows)?
    {
        return Ok(total(&|row| {
            let found = if matches.is_null(row) { 0 } else { count(matches.value(row)) };
            replaced(row, if is_global(row) { found } else { found.min(1) })
        }));
    }
    Ok(at_most)
}

fn has_global(flags: &str) -> bool {
    flags.contains('g')
}

/// By how many bytes a letter becomes longer in upper or lower case.
fn longer_by(letter: char) -> u64 {
    let upper: usize = letter.to_uppercase().map(char::len_utf8).sum();
    let lower: usize = letter.to_lowercase().map(char::len_utf8).sum();
    upper.max(lower).saturating_sub(letter.len_utf8()) as u64
}

/// The bytes of a value: of a text or bytes its length, of others what they take in memory.
pub(super) fn bytes_at(value: &ColumnarValue, row: usize) -> u64 {
    let array = match value {
        ColumnarValue::Scalar(value) if value.is_null() => return 0,
        ColumnarValue::Scalar(value) => {
            return match value.try_as_str().flatten() {
                Some(text) => text.len() as u64,
                None => value.data_type().primitive_width().unwrap_or_else(|| value.size()) as u64,
            };
        }
        ColumnarValue::Array(array) => array,
    };
    if array.is_null(row) {
        return 0;
    }
    match array.data_type() {
        DataType::Utf8 => count(array.as_string::<i32>().value_length(row)),
        DataType::LargeUtf8 => count(array.as_string::<i64>().value_length(row)),
        DataType::Utf8View => array.as_string_view().value(row).len() as u64,
        DataType::Binary => count(array.as_binary::<i32>().value_length(row)),
        DataType::LargeBinary => count(array.as_binary::<i64>().value_length(row)),
        DataType::BinaryView => array.as_binary_view().value(row).len() as u64,
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            count(list.value_length(row)).saturating_mul(mean_bytes(list.values()))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            count(list.value_length(row)).saturating_mul(mean_bytes(list.values()))
        }
        _ => mean_bytes(array),
    }
}

/// The bytes of the values of a row.
fn all_bytes(values: &[ColumnarValue], row: usize) -> u64 {
    values.iter().map(|value| bytes_at(value, row)).fold(0, u64::saturating_add)
}

/// The texts and bytes among `values`.
fn texts(values: &[ColumnarValue]) -> Vec<&ColumnarValue> {
    let is_text = |value: &&ColumnarValue| {
        let kind = value.data_type();
        kind.is_string() || kind.is_binary()
    };
    values.iter().filter(is_text).collect()
}

/// What `of_value` says about a row of each of `values`, together.
fn sum(values: &[&ColumnarValue], row: usize, of_value: fn(&ColumnarValue, usize) -> u64) -> u64 {
    values.iter().map(|value| of_value(value, row)).fold(0, u64::saturating_add)
}

/// The bytes of `text`, and the number of its parts between separators. Without a separator each letter is a part.
fn parts(text: &ColumnarValue, separator: &ColumnarValue, row: usize) -> (u64, u64) {
    let Some(text) = text_at(text, row) else { return (0, 0) };
    let parts = match text_at(separator, row) {
        None => text.len(),
        Some("") => 1,
        Some(separator) => text.matches(separator).count() + 1,
    };
    (text.len() as u64, parts as u64)
}

/// The bytes of a value as an element of an array.
fn element_bytes(value: &ColumnarValue, row: usize) -> u64 {
    bytes_at(value, row).saturating_add(ELEMENT_BYTES)
}

/// The bytes of an element, on average.
fn mean_bytes(array: &ArrayRef) -> u64 {
    if let Some(width) = array.data_type().primitive_width() {
        return width as u64;
    }
    // An array may be a part of a larger one.
    let all = array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size());
    (all / array.len().max(1)) as u64 + 1
}

fn count(length: impl TryInto<u64>) -> u64 {
    length.try_into().unwrap_or(0)
}

/// A text. `None` if it is NULL or something else.
pub(super) fn text_at(value: &ColumnarValue, row: usize) -> Option<&str> {
    match value {
        ColumnarValue::Scalar(value) => value.try_as_str().flatten(),
        ColumnarValue::Array(array) => text_in(array.as_ref(), row),
    }
}

fn text_in(array: &dyn Array, row: usize) -> Option<&str> {
    match array.data_type() {
        _ if array.is_null(row) => None,
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}

/// The bytes of `text` with `to` in the place of each `from`.
fn replaced_bytes(text: &ColumnarValue, from: &ColumnarValue, to: &ColumnarValue, row: usize) -> u64 {
    let (Some(text), Some(from), Some(to)) = (text_at(text, row), text_at(from, row), text_at(to, row)) else {
        return 0;
    };
    let grown = to.len().saturating_sub(from.len()) as u64;
    // Only what grows much is worth counting.
    let matches = match grown {
        0 => 0,
        1..16 => (text.len() / from.len().max(1) + 1) as u64,
        _ => text.matches(from).count() as u64,
    };
    (text.len() as u64).saturating_add(matches.saturating_mul(grown))
}

fn is_list(value: &ColumnarValue) -> bool {
    matches!(value.data_type(), DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

/// The number of elements of an array.
fn elements_at(value: &ColumnarValue, row: usize) -> u64 {
    match value {
        ColumnarValue::Array(array) => elements_in(array.as_ref(), row),
        ColumnarValue::Scalar(value) => elements_of(value),
    }
}

/// The number of elements of a constant array.
pub(super) fn elements_of(value: &ScalarValue) -> u64 {
    match value {
        ScalarValue::List(array) => elements_in(array.as_ref(), 0),
        ScalarValue::LargeList(array) => elements_in(array.as_ref(), 0),
        ScalarValue::FixedSizeList(array) => elements_in(array.as_ref(), 0),
        _ => 1,
    }
}

fn elements_in(array: &dyn Array, row: usize) -> u64 {
    match array.data_type() {
        _ if array.is_null(row) => 0,
        DataType::List(_) => count(array.as_list::<i32>().value_length(row)),
        DataType::LargeList(_) => count(array.as_list::<i64>().value_length(row)),
        DataType::FixedSizeList(_, length) => count(*length),
        _ => 1,
    }
}

/// A whole number or NULL for each row.
enum Numbers {
    Constant(Option<i64>),
    Each(Int64Array),
}

impl Numbers {
    fn of(value: &ColumnarValue) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Scalar(value) => match value.cast_to(&DataType::Int64)? {
                ScalarValue::Int64(number) => Self::Constant(number),
                _ => Self::Constant(None),
            },
            ColumnarValue::Array(array) => {
                Self::Each(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
        })
    }

    fn at(&self, row: usize) -> Option<i64> {
        match self {
            Self::Constant(number) => *number,
            Self::Each(numbers) => numbers.is_valid(row).then(|| numbers.value(row)),
        }
    }

    fn count_at(&self, row: usize) -> u64 {
        // More than this is refused in any case, and can be multiplied.
        self.at(row).map_or(0, count).min(1 << 48)
    }
}

/// The steps of a series.
enum Steps {
    Number(Numbers),
    Interval(ColumnarValue),
}

/// A series from `start` to `stop`, both in `unit` nanoseconds if they are times.
struct Series {
    start: Numbers,
    stop: Numbers,
    step: Steps,
    unit: i128,
}

impl Series {
    fn of(args: &[ColumnarValue]) -> Result<Self> {
        let (start, stop, step) = match args {
            [stop] => (Numbers::Constant(Some(0)), Numbers::of(stop)?, None),
            [start, stop] => (Numbers::of(start)?, Numbers::of(stop)?, None),
            [start, stop, step, ..] => (Numbers::of(start)?, Numbers::of(stop)?, Some(step)),
            [] => (Numbers::Constant(None), Numbers::Constant(None), None),
        };
        let step = match step {
            None => Steps::Number(Numbers::Constant(Some(1))),
            Some(step) if matches!(step.data_type(), DataType::Interval(_)) => Steps::Interval(step.clone()),
            Some(step) => Steps::Number(Numbers::of(step)?),
        };
        let unit = match args.first().map(ColumnarValue::data_type) {
            Some(DataType::Date32) => DAY,
            Some(DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _)) => 1_000_000,
            Some(DataType::Timestamp(TimeUnit::Second, _)) => 1_000_000_000,
            Some(DataType::Timestamp(TimeUnit::Microsecond, _)) => 1_000,
            _ => 1,
        };
        Ok(Self { start, stop, step, unit })
    }

    /// The elements of the series of a row: 0 if a bound or the step is NULL, or if the step leads away from `stop`.
    fn elements_at(&self, row: usize) -> u64 {
        let (Some(start), Some(stop)) = (self.start.at(row), self.stop.at(row)) else { return 0 };
        let distance = i128::from(stop) - i128::from(start);
        let (distance, step) = match &self.step {
            Steps::Number(step) => (distance, step.at(row).map(i128::from)),
            Steps::Interval(step) => {
                let distance = distance.saturating_mul(self.unit);
                (distance, interval_at(step, row).map(|step| nanoseconds(step).unwrap_or(distance.signum())))
            }
        };
        let Some(step) = step else { return 0 };
        if distance.signum() * step.signum() < 0 {
            return 0;
        }
        // Without a step there is no series: the function says so.
        let elements = distance.abs() / step.abs().max(1) + 1;
        u64::try_from(elements).unwrap_or(u64::MAX)
    }
}

fn interval_at(interval: &ColumnarValue, row: usize) -> Option<IntervalMonthDayNano> {
    match interval {
        ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(value)) => *value,
        ColumnarValue::Array(array) => {
            let intervals = array.as_primitive_opt::<IntervalMonthDayNanoType>()?;
            intervals.is_valid(row).then(|| intervals.value(row))
        }
        // The function takes no other intervals.
        ColumnarValue::Scalar(_) => None,
    }
}

/// The nanoseconds of an interval, at least. `None` if it depends on the month whether it leads forwards or backwards.
fn nanoseconds(interval: IntervalMonthDayNano) -> Option<i128> {
    let rest = DAY * i128::from(interval.days) + i128::from(interval.nanoseconds);
    let [shortest, longest] = [28_i128, 31].map(|days| days * DAY * i128::from(interval.months) + rest);
    if shortest.signum() != longest.signum() {
        return None;
    }
    Some(if shortest.abs() < longest.abs() { shortest } else { longest })
}
