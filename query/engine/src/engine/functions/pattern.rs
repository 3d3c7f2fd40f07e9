//! What a regular expression takes.

use arrow_array::Int64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::regex::regexpcount::regexp_count_func;
use datafusion::logical_expr::ColumnarValue;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

/// The states of a class of Unicode (`\w`, `\p{..}`), which is some hundred ranges.
const CLASS_STATES: u64 = 100;

/// About how many states the automaton of a pattern has. A repetition multiplies what it repeats.
pub(super) fn states(pattern: &str) -> u64 {
    // The states before the open groups, the outermost group first.
    let mut before: Vec<u64> = Vec::new();
    let (mut states, mut last) = (0_u64, 0_u64);
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' | '+' | '?' | '|' => {}
            '{' => {
                if let Some(times) = repetitions(&mut letters) {
                    last = last.saturating_mul(times);
                }
            }
            ')' => {
                last = states.saturating_add(last);
                states = before.pop().unwrap_or(0);
            }
            _ => {
                states = states.saturating_add(last);
                last = match letter {
                    '(' => {
                        before.push(std::mem::take(&mut states));
                        0
                    }
                    '[' => class(&mut letters),
                    '\\' => escaped(&mut letters),
                    _ => 1,
                };
            }
        }
    }
    // Groups that are not closed are refused when the pattern is compiled.
    before.into_iter().fold(states.saturating_add(last), u64::saturating_add).max(1)
}

/// The larger number of `m,n}`, which is behind a brace. `None` if these are other letters.
fn repetitions(letters: &mut Peekable<Chars<'_>>) -> Option<u64> {
    let numbers: String = letters.clone().take_while(|letter| *letter != '}').collect();
    let largest = numbers.split(',').filter_map(|number| number.trim().parse::<u64>().ok()).max()?;
    skip_through(letters, '}');
    Some(largest.max(1))
}

/// The states of what is behind a backslash.
fn escaped(letters: &mut Peekable<Chars<'_>>) -> u64 {
    let Some(letter) = letters.next() else { return 1 };
    if matches!(letter, 'p' | 'P' | 'x' | 'u' | 'U' | 'b') && letters.peek() == Some(&'{') {
        skip_through(letters, '}');
    }
    if letter.is_ascii_alphabetic() { CLASS_STATES } else { 1 }
}

/// The states of a class such as `[0-9\w]`, which is open.
fn class(letters: &mut Peekable<Chars<'_>>) -> u64 {
    let mut states = 1_u64;
    let _ = letters.next_if_eq(&'^');
    // A bracket that is first is a letter of the class.
    let _ = letters.next_if_eq(&']');
    let mut open = 1_usize;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => states = states.saturating_add(escaped(letters)),
            '[' => open += 1,
            ']' => open -= 1,
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    states
}

fn skip_through(letters: &mut Peekable<Chars<'_>>, last: char) {
    for letter in letters.by_ref() {
        if letter == last {
            return;
        }
    }
}

/// How often a constant pattern matches in each text. `None` if the pattern or its flags differ between rows.
pub(super) fn matches(
    text: &ColumnarValue,
    pattern: &ColumnarValue,
    flags: Option<&ColumnarValue>,
    rows: usize,
) -> Result<Option<Int64Array>> {
    let ColumnarValue::Scalar(pattern) = pattern else { return Ok(None) };
    let flags = match flags {
        None => "",
        Some(ColumnarValue::Scalar(flags)) => flags.try_as_str().flatten().unwrap_or(""),
        Some(ColumnarValue::Array(_)) => return Ok(None),
    };
    let texts = match text {
        ColumnarValue::Array(texts) => Arc::clone(texts),
        ColumnarValue::Scalar(text) if rows == 1 => text.to_array_of_size(1)?,
        ColumnarValue::Scalar(_) => return Ok(None),
    };
    let Some(pattern) = pattern.try_as_str().flatten() else { return Ok(None) };
    let flags = flags.replace('g', "");
    let pattern = if flags.is_empty() { pattern.to_owned() } else { format!("(?{flags}){pattern}") };
    let pattern = ScalarValue::Utf8(Some(pattern)).cast_to(texts.data_type())?.to_array_of_size(1)?;
    Ok(Some(regexp_count_func(&[texts, pattern])?.as_primitive::<Int64Type>().clone()))
}

#[cfg(test)]
mod tests {
    use super::states;

    #[test]
    fn a_repetition_multiplies_what_it_repeats() {
        for (pattern, expected) in [
            ("", 1),
            ("abc", 3),
            ("ab{10}c", 12),
            ("(ab){3,10}c", 21),
            ("((a{10}){10}){10}", 1_000),
            ("[0-9a-f]{8}-[0-9a-f]{4}", 13),
            ("[]\\]a]{5}", 10),
            ("\\d{2}", 200),
            ("\\p{Greek}{2}b", 201),
            ("(?:a|b)*", 3),
            ("a{", 1),
            ("(((", 1),
            (")", 1),
            ("\\", 1),
            ("[", 1),
            ("(a{18446744073709551615}){9}", u64::MAX),
        ] {
            assert_eq!(states(pattern), expected, "{pattern}");
        }
    }
}
