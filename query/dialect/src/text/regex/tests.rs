use super::options::Options;
use super::search::Pattern;
use crate::testing::compare;

#[test]
fn the_answers_are_postgresqls() {
    compare(include_str!("answers.tsv"));
}

fn state(pattern: &str) -> &'static str {
    Pattern::new(pattern, Options::default()).err().map_or("", |error| error.state)
}

#[test]
fn what_no_automaton_can_do_is_refused() {
    for pattern in [r"(a)\1", "(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "(?b)a", "(?e)a", "[[.hyphen.]]"] {
        assert_eq!(state(pattern), "0A000", "{pattern}");
    }
}

#[test]
fn a_large_pattern_is_refused() {
    let deep = format!("{}a{}", "(".repeat(300), ")".repeat(300));
    let long = "a".repeat(70_000);
    let groups = "(a|ab)".repeat(200);
    for pattern in ["((((a{255}){255}){255}){255})", deep.as_str(), long.as_str(), groups.as_str()] {
        assert_eq!(state(pattern), "54001", "{}", &pattern[..20]);
    }
}

#[test]
fn a_text_that_is_made_for_its_pattern_is_refused_in_time() {
    // Each match looks at the rest of the text for a longer one.
    let pattern = Pattern::new("a(b|.*c)?", Options::default()).unwrap();
    let text = "a".repeat(100_000);
    let mut search = pattern.search(&text).unwrap();
    let mut at = 0;
    let refused = loop {
        match search.find(at) {
            Ok(Some(found)) => at = search.after(&found),
            Ok(None) => break None,
            Err(error) => break Some(error.state),
        }
    };
    assert_eq!(refused, Some("54000"));
}

#[test]
fn limits_of_words_beside_joined_letters_are_refused() {
    let pattern = Pattern::new(r"\ye", Options::default()).unwrap();
    assert_eq!(pattern.is_match("e\u{301}").err().map(|error| error.state), Some("0A000"));
    assert_eq!(pattern.is_match("é e"), Ok(true));
}
