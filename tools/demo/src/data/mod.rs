//! The tables of the generator: companies, people, machines, issues. Only data; the code that uses it is elsewhere.

pub(crate) mod agents;
pub(crate) mod companies;
pub(crate) mod issues;
pub(crate) mod machines;
pub(crate) mod people;

/// Dialogues by language; `crate::dialogue` documents the format.
pub(crate) const DIALOGUES: [(&str, &str); 4] = [
    ("en", include_str!("../../data/dialogues.en.txt")),
    ("de", include_str!("../../data/dialogues.de.txt")),
    ("fr", include_str!("../../data/dialogues.fr.txt")),
    ("es", include_str!("../../data/dialogues.es.txt")),
];

/// Greetings, notes, feedback.
pub(crate) const PHRASES: &str = include_str!("../../data/phrases.txt");
