//! What the generator knows of the world: companies, people, machines, troubles. Plain tables; the code that uses them is
//! elsewhere.

pub(crate) mod agents;
pub(crate) mod companies;
pub(crate) mod issues;
pub(crate) mod machines;
pub(crate) mod people;

/// Dialogues by language; see `crate::dialogue` for the form.
pub(crate) const DIALOGUES: [(&str, &str); 4] = [
    ("en", include_str!("../../data/dialogues.en.txt")),
    ("de", include_str!("../../data/dialogues.de.txt")),
    ("fr", include_str!("../../data/dialogues.fr.txt")),
    ("es", include_str!("../../data/dialogues.es.txt")),
];

/// Greetings, notes, feedback.
pub(crate) const PHRASES: &str = include_str!("../../data/phrases.txt");
