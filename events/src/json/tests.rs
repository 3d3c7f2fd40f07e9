//! The scanner compared with serde_json: the same results, the same strings.

use super::*;
use proptest::prelude::*;

fn accepts(text: &str) -> Result<(), DecodeError> {
    let mut keys = Vec::new();
    let mut scanner = Scanner::new(text, &mut keys);
    scanner.value(0)?;
    scanner.finish()
}

/// JSON that is well-formed but for an occasional broken byte.
fn nearly_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        "\"([a-zé\u{1F600} ]|\\\\[\"\\\\/bfnrt]|\\\\u00[0-9a-f]{2}|\\\\ud83d\\\\ude00){0,8}\"",
        "[-+0-9eE.\"\\\\a-f]{0,6}",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(inner, 0..4).prop_map(|items| {
                let members: Vec<_> = items.iter().enumerate().map(|(n, item)| format!("\"k{n}\" :{item}")).collect();
                format!("{{ {} }}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json(text in nearly_json()) {
        // serde_json refuses numbers beyond f64 when it builds a Value; RawValue only checks the grammar.
        let theirs = serde_json::from_str::<Box<serde_json::value::RawValue>>(&text).is_ok();
        prop_assert_eq!(accepts(&text).is_ok(), theirs, "{}", text);
    }

    #[test]
    fn strings_survive(text in "\\PC{0,40}|[\u{0}-\u{20}\"\\\\]{0,12}") {
        let mut json = String::new();
        escape_into(&mut json, &text);
        let theirs: String = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&theirs, &text);
        accepts(&json).unwrap();
        prop_assert_eq!(unescape(&json[1..json.len() - 1]), text);
    }

    #[test]
    fn unescapes_as_serde_json_does(inside in "([a-z\u{e9}]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-c][0-9a-f]{3}|\\\\ud83d\\\\ude0[0-9]){0,12}") {
        let json = format!("\"{inside}\"");
        let theirs: String = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(unescape(&inside), theirs);
    }

    #[test]
    fn never_panics(text in "[\\[\\]{}:,\"\\\\ udD8cC0-9.eE+-]{0,60}") {
        let _ = accepts(&text);
    }
}

#[test]
fn finds_duplicate_keys_at_any_depth_and_in_any_spelling() {
    for text in
        [r#"{"a":1,"a":2}"#, r#"{"x":[{"a":1,"b":{},"a":2}]}"#, r#"{"a":1,"\u0061":2}"#, r#"{"b":{"c":1},"b":1}"#]
    {
        assert!(matches!(accepts(text), Err(DecodeError::DuplicateKey { .. })), "{text}");
    }
    accepts(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#).unwrap();
}

#[test]
fn finds_duplicate_keys_among_many() {
    let mut keys: Vec<String> = (0..500).map(|n| format!("\"key{n}\":{n}")).collect();
    accepts(&format!("{{{}}}", keys.join(","))).unwrap();
    for repeated in [3, 32, 33, 499] {
        let mut with = keys.clone();
        with.push(format!("\"key{repeated}\":0"));
        assert!(accepts(&format!("{{{}}}", with.join(","))).is_err(), "{repeated}");
    }
    keys.push("\"\\u006bey7\":0".to_owned());
    assert!(accepts(&format!("{{{}}}", keys.join(","))).is_err());
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    accepts(&nested(MAX_DEPTH)).unwrap();
    assert!(matches!(accepts(&nested(MAX_DEPTH + 1)), Err(DecodeError::NestedTooDeep { .. })));
    assert!(matches!(accepts(&"{\"a\":".repeat(10_000)), Err(DecodeError::NestedTooDeep { .. })));
}

#[test]
fn unpaired_surrogates_and_control_characters_are_refused() {
    for text in [r#""\ud800""#, r#""\ud800\u0041""#, r#""\udc00""#, "\"a\u{0}b\"", "\"a\nb\""] {
        assert!(matches!(accepts(text), Err(DecodeError::InvalidJson { .. })), "{text:?}");
    }
    accepts("\"a\\u0000b\"").unwrap();
}
