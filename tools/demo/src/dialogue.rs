//! Dialogues and phrases, read from the text files in `data/`.
//!
//! A dialogue file holds `== issue` sections. In a section, `C:` and `A:` are lines of the customer and the agent, a `~`
//! in front of them says that the line may be left out, a `?` that it belongs to the stage direction before and is left out with
//! it, ` | ` parts variants, `{name}` is filled in, and `!` begins a
//! stage direction (`!control`, `!diagnostics KIND`, `!file sent|received NAME`, `!reboot`, `!lost`, `!card TEXT`,
//! `!url ADDRESS`, `!clipboard TEXT`, `!transfer NOTE`). `+ resolved` and `+ unresolved` begin the two endings.

use std::collections::BTreeMap;

use crate::data::{DIALOGUES, PHRASES};
use crate::dice::Dice;

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Customer,
    Agent,
}

/// When a line is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    Sometimes,
    /// If the last stage direction came about.
    Happened,
}

/// One step of a dialogue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Line {
        speaker: Speaker,
        when: When,
        variants: Vec<&'static str>,
    },
    /// A stage direction: its word and what follows it.
    Stage(&'static str, &'static str),
}

/// What is said about one kind of trouble in one language.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    pub(crate) opening: Vec<Step>,
    pub(crate) resolved: Vec<Step>,
    pub(crate) unresolved: Vec<Step>,
}

/// Everything that people say.
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

    /// The dialogue about `issue`, in `language` where there is one and in English otherwise, and its language.
    pub(crate) fn dialogue(&self, language: &'static str, issue: &'static str) -> (&'static str, &Dialogue) {
        match self.dialogues.get(&(language, issue)) {
            Some(dialogue) => (language, dialogue),
            None => ("en", &self.dialogues[&("en", issue)]),
        }
    }

    /// A sentence from the section `language purpose`; empty when there is none.
    pub(crate) fn phrase(&self, dice: &mut Dice, language: &str, purpose: &str) -> &'static str {
        match self.phrases.get(format!("{language} {purpose}").as_str()) {
            Some(phrases) => dice.word(phrases),
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
    if let Some(stage) = line.strip_prefix('!') {
        let (word, rest) = stage.split_once(' ').unwrap_or((stage, ""));
        return Step::Stage(word, rest);
    }
    let (when, line) = match line.as_bytes() {
        [b'~', ..] => (When::Sometimes, &line[1..]),
        [b'?', ..] => (When::Happened, &line[1..]),
        _ => (When::Always, line),
    };
    let (speaker, said) = match line.split_once(": ") {
        Some(("C", said)) => (Speaker::Customer, said),
        Some((_, said)) => (Speaker::Agent, said),
        None => (Speaker::Agent, line),
    };
    Step::Line { speaker, when, variants: said.split(" | ").collect() }
}

/// Puts the values of `fields` in place of `{name}`.
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
    fn every_trouble_has_a_dialogue_with_both_endings() {
        let library = Library::new();
        for company in &COMPANIES {
            for key in company.portals.iter().flat_map(|portal| portal.issues) {
                assert!(ISSUES.iter().any(|issue| issue.key == *key), "{key}");
                let (language, dialogue) = library.dialogue(company.language, key);
                assert_eq!(language, company.language, "{key} is spoken of in the company's language");
                assert!(
                    matches!(&dialogue.opening[0], Step::Line { speaker: Speaker::Customer, .. }),
                    "{language} {key}"
                );
                assert!(!dialogue.resolved.is_empty() && !dialogue.unresolved.is_empty(), "{language} {key}");
            }
        }
    }

    #[test]
    fn every_stage_direction_is_known() {
        let library = Library::new();
        let known = ["control", "diagnostics", "file", "reboot", "lost", "card", "url", "clipboard", "transfer"];
        for dialogue in library.dialogues.values() {
            for step in dialogue.opening.iter().chain(&dialogue.resolved).chain(&dialogue.unresolved) {
                if let Step::Stage(word, _) = step {
                    assert!(known.contains(word), "{word}");
                }
            }
        }
    }

    #[test]
    fn names_in_braces_are_filled_in() {
        let fields = [("agent", "Mei".to_owned()), ("ticket", "HD-1".to_owned())];
        assert_eq!(fill("{agent} here, {ticket}{unknown}.", &fields), "Mei here, HD-1.");
        assert_eq!(fill("an open { brace", &fields), "an open  brace");
    }
}
