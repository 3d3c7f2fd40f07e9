//! Dialogues and phrases, read from the text files in `data/`.
//!
//! A dialogue file has sections that start with `== issue`. In a section:
//! - `C:` and `A:` start a line of the customer and of the agent; ` | ` separates variants, and `{name}` is a placeholder.
//! - `~` before a line: it may be left out. `?` before a line: it is left out if the last optional action did not happen.
//! - `!` starts an action (`!control`, `!diagnostics KIND`, `!file sent|received NAME`, `!reboot`, `!lost`, `!card TEXT`,
//!   `!url ADDRESS`, `!clipboard TEXT`, `!transfer NOTE`).
//! - `+ resolved` and `+ unresolved` start the two endings.

use std::collections::BTreeMap;

use crate::data::{DIALOGUES, PHRASES};
use crate::random::Random;

/// The sender of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Customer,
    Agent,
}

/// When a line is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    Sometimes,
    /// If the last optional action happened.
    ActionHappened,
}

/// One step of a dialogue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Line {
        speaker: Speaker,
        when: When,
        variants: Vec<&'static str>,
    },
    /// An action: its name and its argument.
    Action(&'static str, &'static str),
}

/// The dialogue about one issue in one language.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    pub(crate) opening: Vec<Step>,
    pub(crate) resolved: Vec<Step>,
    pub(crate) unresolved: Vec<Step>,
}

/// All dialogues and phrases.
pub(crate) struct Library {
    dialogues: BTreeMap<(&'static str, &'static str), Dialogue>,
    phrases: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Library {
    /// Reads the files that are part of this crate.
    pub(crate) fn new() -> Self {
        let mut dialogues = BTreeMap::new();
        for (language, text) in DIALOGUES {
            read_dialogues(language, text, &mut dialogues);
        }
        let mut phrases: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut section = "";
        for line in lines(PHRASES) {
            match line.strip_prefix("== ") {
                Some(name) => section = name,
                None => phrases.entry(section).or_default().push(line),
            }
        }
        Self { dialogues, phrases }
    }

    /// The dialogue about `issue` and its language: `language` if there is one, and otherwise English.
    pub(crate) fn dialogue(&self, language: &'static str, issue: &'static str) -> (&'static str, &Dialogue) {
        match self.dialogues.get(&(language, issue)) {
            Some(dialogue) => (language, dialogue),
            None => ("en", &self.dialogues[&("en", issue)]),
        }
    }

    /// A sentence from the section `language purpose`; empty when there is none.
    pub(crate) fn phrase(&self, random: &mut Random, language: &str, purpose: &str) -> &'static str {
        match self.phrases.get(format!("{language} {purpose}").as_str()) {
            Some(phrases) => random.word(phrases),
            None => "",
        }
    }
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn read_dialogues(
    language: &'static str,
    text: &'static str,
    dialogues: &mut BTreeMap<(&'static str, &'static str), Dialogue>,
) {
    let mut issue = "";
    let mut part = "";
    for line in lines(text) {
        if let Some(name) = line.strip_prefix("== ") {
            (issue, part) = (name, "");
            continue;
        }
        if let Some(name) = line.strip_prefix("+ ") {
            part = name;
            continue;
        }
        let dialogue = dialogues.entry((language, issue)).or_default();
        let steps = match part {
            "resolved" => &mut dialogue.resolved,
            "unresolved" => &mut dialogue.unresolved,
            _ => &mut dialogue.opening,
        };
        steps.push(read_step(line));
    }
}

fn read_step(line: &'static str) -> Step {
    if let Some(action) = line.strip_prefix('!') {
        let (name, argument) = action.split_once(' ').unwrap_or((action, ""));
        return Step::Action(name, argument);
    }
    let (when, line) = match line.as_bytes() {
        [b'~', ..] => (When::Sometimes, &line[1..]),
        [b'?', ..] => (When::ActionHappened, &line[1..]),
        _ => (When::Always, line),
    };
    let (speaker, text) = match line.split_once(": ") {
        Some(("C", text)) => (Speaker::Customer, text),
        Some((_, text)) => (Speaker::Agent, text),
        None => (Speaker::Agent, line),
    };
    Step::Line { speaker, when, variants: text.split(" | ").collect() }
}

/// Replaces each `{name}` by its value in `fields`.
pub(crate) fn fill(template: &str, fields: &[(&'static str, String)]) -> String {
    let mut out = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            rest = after;
            break;
        };
        if let Some((_, value)) = fields.iter().find(|(known, _)| *known == name) {
            out.push_str(value);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::companies::COMPANIES;
    use crate::data::issues::ISSUES;

    #[test]
    fn every_issue_has_a_dialogue_with_both_endings() {
        let library = Library::new();
        for company in &COMPANIES {
            for key in company.portals.iter().flat_map(|portal| portal.issues) {
                assert!(ISSUES.iter().any(|issue| issue.key == *key), "{key}");
                let (language, dialogue) = library.dialogue(company.language, key);
                assert_eq!(language, company.language, "{key} has a dialogue in the company's language");
                assert!(
                    matches!(&dialogue.opening[0], Step::Line { speaker: Speaker::Customer, .. }),
                    "{language} {key}"
                );
                assert!(!dialogue.resolved.is_empty() && !dialogue.unresolved.is_empty(), "{language} {key}");
            }
        }
    }

    #[test]
    fn every_action_is_known() {
        let library = Library::new();
        let known = ["control", "diagnostics", "file", "reboot", "lost", "card", "url", "clipboard", "transfer"];
        for dialogue in library.dialogues.values() {
            for step in dialogue.opening.iter().chain(&dialogue.resolved).chain(&dialogue.unresolved) {
                if let Step::Action(name, _) = step {
                    assert!(known.contains(name), "{name}");
                }
            }
        }
    }

    #[test]
    fn placeholders_are_replaced() {
        let fields = [("agent", "Mei".to_owned()), ("ticket", "HD-1".to_owned())];
        assert_eq!(fill("{agent} here, {ticket}{unknown}.", &fields), "Mei here, HD-1.");
        assert_eq!(fill("an open { brace", &fields), "an open  brace");
    }
}
