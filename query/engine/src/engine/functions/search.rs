//! A search by a pattern is called for a part of the rows after the other.
//!
//! A search takes about a nanosecond for a byte of the text, unless the text is made for its pattern (`a.{60}`): then
//! each byte takes as long as the pattern has states that are followed. Whether it is so is known only when the text was
//! searched. So a call searches in parts, each of which ends in time in any case, and goes on while it has time left.

use super::need::{CALL_STEPS, bytes_at, patterns_at, rows_of, takes_long};
use super::pattern::Syntax;
use arrow_array::{Array, ArrayRef};
use datafusion::arrow::compute::concat;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use std::collections::HashMap;
use std::time::Duration;

/// Steps of a part, at most, if it has more than one row.
const PART_STEPS: u64 = 10_000_000;
/// Time of the thread after which a call searches no further part. The everyday build does not optimize searches.
const CALL_TIME: Duration = if cfg!(debug_assertions) { Duration::from_secs(3) } else { Duration::from_millis(120) };
/// Where Linux tells the time that the thread has computed, in nanoseconds.
const THREAD_TIME: &str = "/proc/thread-self/schedstat";

/// The result of `call`, a call of `function` whose first arguments are a text and a pattern. `evaluate` computes the
/// parts of it.
pub(super) fn in_parts(
    function: &str,
    syntax: Syntax,
    call: ScalarFunctionArgs,
    evaluate: impl FnMut(ScalarFunctionArgs) -> Result<ColumnarValue>,
) -> Result<ColumnarValue> {
    in_parts_by(thread_time, function, syntax, call, evaluate)
}

/// The same by a clock. Without one, only the steps of each part are bounded.
fn in_parts_by(
    clock: impl Fn() -> Option<Duration>,
    function: &str,
    syntax: Syntax,
    call: ScalarFunctionArgs,
    mut evaluate: impl FnMut(ScalarFunctionArgs) -> Result<ColumnarValue>,
) -> Result<ColumnarValue> {
    let parts = match call.args.as_slice() {
        [text, pattern, ..] => parts(text, pattern, rows_of(&call), syntax).ok_or_else(|| takes_long(function))?,
        _ => Vec::new(),
    };
    if parts.len() <= 1 {
        return evaluate(call);
    }
    let begun = clock();
    let mut results: Vec<ArrayRef> = Vec::with_capacity(parts.len());
    let mut first = 0;
    for rows in parts {
        let computed = clock().zip(begun).map(|(now, begun)| now.saturating_sub(begun));
        if computed.is_some_and(|computed| computed > CALL_TIME) {
            return Err(takes_long(function));
        }
        results.push(evaluate(part(&call, first, rows))?.into_array(rows)?);
        first += rows;
    }
    let results: Vec<&dyn Array> = results.iter().map(AsRef::as_ref).collect();
    Ok(ColumnarValue::Array(concat(&results)?))
}

/// The rows of each part. `None` if one row alone may take too long.
fn parts(text: &ColumnarValue, pattern: &ColumnarValue, rows: usize, syntax: Syntax) -> Option<Vec<usize>> {
    let mut steps_of_eight_bytes: HashMap<&str, u64> = HashMap::new();
    let mut parts = Vec::new();
    let (mut part_rows, mut part_steps) = (0, 0_u64);
    for row in 0..rows {
        let of_eight = patterns_at(pattern, row).into_iter().fold(0_u64, |steps, pattern| {
            let of_pattern = steps_of_eight_bytes.entry(pattern).or_insert_with(|| match syntax.is_plain(pattern) {
                true => 1,
                false => syntax.followed_states(pattern).saturating_mul(8),
            });
            steps.saturating_add(*of_pattern)
        });
        let steps = (bytes_at(text, row) / 8).saturating_mul(of_eight);
        if steps > CALL_STEPS {
            return None;
        }
        if part_rows > 0 && part_steps.saturating_add(steps) > PART_STEPS {
            parts.push(part_rows);
            (part_rows, part_steps) = (0, 0);
        }
        part_rows += 1;
        part_steps = part_steps.saturating_add(steps);
    }
    parts.push(part_rows);
    Some(parts)
}

/// `call` for some of its rows.
fn part(call: &ScalarFunctionArgs, first: usize, rows: usize) -> ScalarFunctionArgs {
    let args = call.args.iter().map(|argument| match argument {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(first, rows)),
        constant @ ColumnarValue::Scalar(_) => constant.clone(),
    });
    ScalarFunctionArgs { args: args.collect(), number_rows: rows, ..call.clone() }
}

/// How long this thread has computed. `None` if the system does not tell.
pub(crate) fn thread_time() -> Option<Duration> {
    let told = std::fs::read_to_string(THREAD_TIME).ok()?;
    Some(Duration::from_nanos(told.split_whitespace().next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BooleanArray, StringArray};
    use arrow_schema::{DataType, Field};
    use datafusion::common::ScalarValue;
    use datafusion::common::config::ConfigOptions;
    use std::cell::Cell;
    use std::sync::Arc;

    fn texts(bytes: &[usize]) -> ColumnarValue {
        let texts: Vec<String> = bytes.iter().map(|bytes| "x".repeat(*bytes)).collect();
        ColumnarValue::Array(Arc::new(StringArray::from(texts)))
    }

    fn pattern(pattern: &str) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::Utf8(Some(pattern.to_owned())))
    }

    #[test]
    fn a_part_ends_in_time_whatever_its_texts_are() {
        let all = |bytes: &[usize], text: &str| parts(&texts(bytes), &pattern(text), bytes.len(), Syntax::Regular);
        assert_eq!(all(&[], "a.{9}"), Some(vec![0]));
        // Ten states: a megabyte is a part.
        assert_eq!(all(&[100, 100, 100], "a.{9}"), Some(vec![3]));
        assert_eq!(all(&[600_000, 600_000, 300_000, 100], "a.{9}"), Some(vec![1, 3]));
        assert_eq!(all(&[2_000_000, 0, 2_000_000], "a.{9}"), Some(vec![1, 1, 1]));
        assert_eq!(all(&[6_000_000], "a.{9}"), None);
        // A plain pattern takes the same for each byte.
        assert_eq!(all(&[6_000_000, 6_000_000], "word"), Some(vec![2]));
        // A pattern that is NULL is not looked for.
        let null = ColumnarValue::Scalar(ScalarValue::Utf8(None));
        assert_eq!(parts(&texts(&[6_000_000]), &null, 1, Syntax::Regular), Some(vec![1]));
    }

    /// The rows of the parts that are searched by a clock which goes on by a second with each look.
    fn searched(has_clock: bool) -> (Vec<usize>, Result<ColumnarValue>) {
        let looks = Cell::new(0);
        let clock = || {
            looks.set(looks.get() + 1);
            has_clock.then(|| Duration::from_secs(looks.get()))
        };
        let field = Arc::new(Field::new("found", DataType::Boolean, true));
        let call = ScalarFunctionArgs {
            args: vec![texts(&[2_000_000; 6]), pattern("a.{9}")],
            arg_fields: Vec::new(),
            number_rows: 6,
            return_field: field,
            config_options: Arc::new(ConfigOptions::default()),
        };
        let mut rows = Vec::new();
        let result = in_parts_by(clock, "~", Syntax::Regular, call, |part| {
            rows.push(part.number_rows);
            Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(vec![false; part.number_rows]))))
        });
        (rows, result)
    }

    #[test]
    fn a_call_goes_on_while_it_has_time_and_without_a_clock_to_its_end() {
        let (rows, result) = searched(true);
        assert!(result.is_err() && rows.len() < 6, "{rows:?}");
        let (rows, result) = searched(false);
        assert_eq!((rows, result.unwrap().into_array(6).unwrap().len()), (vec![1; 6], 6));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_time_of_a_thread_grows_while_it_computes() {
        let begun = thread_time().unwrap();
        let mut number = 1_u64;
        while thread_time().unwrap() <= begun {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
    }
}
