//! What a search by a pattern takes: a regular expression, or that of LIKE, from which one is made.

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
/// Those of them that are followed at the same time: the bytes of one letter.
const FOLLOWED_CLASS_STATES: u64 = 2;
/// Bytes of a pattern whose letters may all have begun to match at each byte of the text.
const MAX_PLAIN_BYTES: usize = 4_096;
/// Letters of LIKE that may be any (`_`) and whose place is not fixed. Each doubles the states of the automaton.
const MAX_OPEN_LETTERS: usize = 4;
/// Steps that compiling a pattern takes, at least.
const STEPS_OF_PATTERN: u64 = 500_000;
/// Steps that compiling a pattern of LIKE takes, at least. It has no classes.
const STEPS_OF_LIKE: u64 = 20_000;
/// Steps that compiling a state of a pattern takes. The engine refuses a pattern that takes more than some megabytes.
const STEPS_OF_STATE: u64 = 100;

/// How a pattern is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Syntax {
    /// A regular expression.
    Regular,
    /// LIKE: `%` and `_`.
    Like,
    /// ILIKE, which compiles a regular expression for nearly every pattern.
    ILike,
}

impl Syntax {
    /// Whether the automaton of `pattern` stays small on any text, so that a byte of the text takes about a nanosecond.
    /// Of others the automaton is built anew for each byte, if the text is made for it.
    pub(super) fn is_plain(self, pattern: &str) -> bool {
        if pattern.len() > MAX_PLAIN_BYTES {
            return false;
        }
        match self {
            // Words, alternatives of them, and anchors. Any text before them or behind them makes no difference.
            Self::Regular => {
                let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
                let pattern = pattern.strip_prefix(".*").unwrap_or(pattern);
                let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
                let pattern = pattern.strip_suffix(".*").unwrap_or(pattern);
                !pattern.contains(['.', '*', '+', '?', '[', ']', '{', '}', '\\']) && pattern.matches('(').count() <= 1
            }
            Self::Like | Self::ILike => {
                let open = pattern.split_once('%').map_or("", |(_, open)| open);
                open.matches('_').count() <= MAX_OPEN_LETTERS
            }
        }
    }

    /// About how many states of its automaton are followed at the same time, at most.
    pub(super) fn followed_states(self, pattern: &str) -> u64 {
        match self {
            Self::Regular => states(pattern, FOLLOWED_CLASS_STATES),
            Self::Like | Self::ILike => (pattern.chars().count() as u64).max(1),
        }
    }

    /// The steps of compiling `pattern`.
    pub(super) fn steps_of_compiling(self, pattern: &str) -> u64 {
        match self {
            Self::Regular => all_states(pattern).saturating_mul(STEPS_OF_STATE).max(STEPS_OF_PATTERN),
            Self::Like if is_simple(pattern) => 0,
            Self::Like | Self::ILike => (pattern.len() as u64).saturating_mul(STEPS_OF_STATE).max(STEPS_OF_LIKE),
        }
    }
}

/// Whether LIKE with this pattern compares or looks for its text, without an automaton.
fn is_simple(pattern: &str) -> bool {
    let text = pattern.strip_suffix('%').unwrap_or(pattern);
    let text = text.strip_prefix('%').unwrap_or(text);
    !text.contains(['%', '_', '\\'])
}

/// About how many states the automaton of a regular expression has.
pub(super) fn all_states(pattern: &str) -> u64 {
    states(pattern, CLASS_STATES)
}

/// The states of a regular expression, of which a class of Unicode has `of_class`. A repetition multiplies what it
/// repeats.
fn states(pattern: &str, of_class: u64) -> u64 {
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
                    '[' => class(&mut letters, of_class),
                    '\\' => escaped(&mut letters, of_class),
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
fn escaped(letters: &mut Peekable<Chars<'_>>, of_class: u64) -> u64 {
    let Some(letter) = letters.next() else { return 1 };
    if matches!(letter, 'p' | 'P' | 'x' | 'u' | 'U' | 'b') && letters.peek() == Some(&'{') {
        skip_through(letters, '}');
    }
    if letter.is_ascii_alphabetic() { of_class } else { 1 }
}

/// The states of a class such as `[0-9\w]`, which is open.
fn class(letters: &mut Peekable<Chars<'_>>, of_class: u64) -> u64 {
    let mut states = 1_u64;
    let _ = letters.next_if_eq(&'^');
    // A bracket that is first is a letter of the class.
    let _ = letters.next_if_eq(&']');
    let mut open = 1_usize;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => states = states.saturating_add(escaped(letters, of_class)),
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
    use super::*;

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
            assert_eq!(all_states(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_class_counts_once_for_each_byte_that_is_followed() {
        assert_eq!(Syntax::Regular.followed_states("\\d{4}-[0-9]"), 10);
        assert_eq!(Syntax::Regular.followed_states(""), 1);
        assert_eq!(Syntax::Like.followed_states("%aé_"), 4);
    }

    #[test]
    fn a_plain_pattern_has_no_letter_that_may_be_any_at_an_open_place() {
        for (pattern, expected) in [
            ("", true),
            ("^(events|sessions)$", true),
            ("word|other word", true),
            ("^session", true),
            ("^session.*", true),
            ("session.*$", true),
            (".*", true),
            ("^.*$", true),
            (".*ended|failed.*", true),
            ("^.*(ended|failed).*$", true),
            ("a(b|c)(d|e)", false),
            ("a.*c", false),
            (".*.*a", false),
            ("a..*", false),
            ("[.*", false),
            ("\\.*", false),
            ("a.*?", false),
            ("a.+", false),
            ("a.c", false),
            ("[ab]", false),
            ("\\d", false),
        ] {
            assert_eq!(Syntax::Regular.is_plain(pattern), expected, "{pattern}");
        }
        for (pattern, expected) in
            [("", true), ("%word%", true), ("____-__", true), ("%a____", true), ("%a_____", false)]
        {
            assert_eq!(Syntax::Like.is_plain(pattern), expected, "{pattern}");
        }
        assert!(!Syntax::Regular.is_plain(&"a".repeat(MAX_PLAIN_BYTES + 1)));
        assert!(!Syntax::Like.is_plain(&"a".repeat(MAX_PLAIN_BYTES + 1)));
    }

    #[test]
    fn like_compiles_nothing_for_a_prefix_a_suffix_or_a_part() {
        for pattern in ["", "%", "%%", "word", "word%", "%word", "%word%"] {
            assert_eq!(Syntax::Like.steps_of_compiling(pattern), 0, "{pattern}");
            assert_eq!(Syntax::ILike.steps_of_compiling(pattern), STEPS_OF_LIKE, "{pattern}");
        }
        for pattern in ["a%b", "_", "a\\%", "%a%b%"] {
            assert_eq!(Syntax::Like.steps_of_compiling(pattern), STEPS_OF_LIKE, "{pattern}");
        }
    }
}
