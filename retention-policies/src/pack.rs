//! A pack: the retention classes of one rule, as TOML.

use serde::Deserialize;

/// The longest period that a class may state, in years.
const LONGEST_YEARS: u32 = 100;
/// The longest name of a class: it is a part of object names.
const LONGEST_NAME: usize = 64;

/// The retention classes of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its name, such as `hipaa`.
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// Its classes.
    pub classes: Vec<RetentionClass>,
}

/// What is kept for the same time and for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionClass {
    /// Its name: a partition of the archive, and a part of the names of its keys.
    pub name: String,
    /// What belongs into it, for people.
    pub purpose: String,
    /// How many years it is kept from the date that it is filed under.
    pub years: u32,
    /// The rules that state the period. Empty: the period is a default, and the officer's to set.
    pub citations: Vec<String>,
    /// Types of events that belong into it: a type such as `config.changed`, or a family such as `hold.*`.
    pub types: Vec<String>,
}

/// Why a pack cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// It is not TOML, lacks a key, has one too many, or one of another kind.
    #[error("the pack cannot be read: {0}")]
    Toml(String),
    /// A class says something that cannot be.
    #[error("the class `{class}` {problem}")]
    Class {
        /// The class.
        class: String,
        /// What is wrong with it.
        problem: PackProblem,
    },
}

/// What is wrong with a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackProblem {
    /// The name could not be a part of a key's name.
    #[error("needs a name of up to {LONGEST_NAME} lower-case letters, digits and hyphens")]
    Name,
    /// No years, or more than anybody means.
    #[error("states a period that is not 1 to {LONGEST_YEARS} years")]
    Years,
    /// A citation or a type without text.
    #[error("has an empty citation or type")]
    Empty,
    /// A pattern other than a type or a family.
    #[error("has a type with a `*` elsewhere than in `family.*`")]
    Pattern,
}

impl Pack {
    /// Reads a pack.
    ///
    /// # Errors
    /// The first thing that is wrong; unknown keys are refused with their line.
    pub fn parse(text: &str) -> Result<Self, PackError> {
        let pack: Self = toml::from_str(text).map_err(|error| PackError::Toml(error.to_string()))?;
        for class in &pack.classes {
            class.check().map_err(|problem| PackError::Class { class: class.name.clone(), problem })?;
        }
        Ok(pack)
    }
}

impl RetentionClass {
    /// Whether no rule states the period, so that it is the officer's to set.
    pub fn is_default(&self) -> bool {
        self.citations.is_empty()
    }

    /// Whether events of this type belong into the class.
    pub fn takes(&self, event_type: &str) -> bool {
        self.types.iter().any(|pattern| match pattern.strip_suffix(".*") {
            Some(family) => event_type.strip_prefix(family).is_some_and(|rest| rest.starts_with('.')),
            None => event_type == pattern,
        })
    }

    fn check(&self) -> Result<(), PackProblem> {
        let letters = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !self.name.bytes().all(letters) {
            return Err(PackProblem::Name);
        }
        check_years(self.years)?;
        if self.citations.iter().chain(&self.types).any(|text| text.trim().is_empty()) {
            return Err(PackProblem::Empty);
        }
        let wrong = |pattern: &String| pattern.strip_suffix(".*").unwrap_or(pattern).contains('*');
        if self.types.iter().any(wrong) { Err(PackProblem::Pattern) } else { Ok(()) }
    }
}

pub(crate) fn check_years(years: u32) -> Result<(), PackProblem> {
    if (1..=LONGEST_YEARS).contains(&years) { Ok(()) } else { Err(PackProblem::Years) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"x\"\ntitle = \"X\"\n[[classes]]\nname = \"x-1\"\npurpose = \"p\"\nyears = 6\n\
                        citations = [\"1 CFR 1\"]\ntypes = [\"hold.*\", \"config.changed\"]\n";

    #[test]
    fn unknown_keys_are_refused_with_their_line() {
        assert!(Pack::parse(GOOD).is_ok());
        let PackError::Toml(message) = Pack::parse(&GOOD.replace("years", "yeras")).unwrap_err() else { panic!() };
        assert!(message.contains("line 6") && message.contains("yeras"), "{message}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (from, to, problem) in [
            ("x-1", "../x", PackProblem::Name),
            ("x-1", "", PackProblem::Name),
            ("years = 6", "years = 0", PackProblem::Years),
            ("years = 6", "years = 1000", PackProblem::Years),
            ("1 CFR 1", " ", PackProblem::Empty),
            ("hold.*", "*.placed", PackProblem::Pattern),
        ] {
            let result = Pack::parse(&GOOD.replace(from, to));
            assert!(matches!(result, Err(PackError::Class { problem: found, .. }) if found == problem), "{to}");
        }
    }

    #[test]
    fn a_family_is_of_whole_words() {
        let class = &Pack::parse(GOOD).unwrap().classes[0];
        for (event_type, taken) in [
            ("hold.placed", true),
            ("hold", false),
            ("holdup.placed", false),
            ("config.changed", true),
            ("config.changed.twice", false),
        ] {
            assert_eq!(class.takes(event_type), taken, "{event_type}");
        }
    }
}
