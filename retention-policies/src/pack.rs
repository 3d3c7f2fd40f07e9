//! A pack: the retention classes of one rule, as TOML.

use serde::Deserialize;

/// The longest period of a class, in years.
const MAX_YEARS: u32 = 100;
/// The length of the longest name of a class. The name is a part of object names.
const MAX_NAME_BYTES: usize = 64;

/// The retention classes of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its name, such as `hipaa`.
    pub name: String,
    /// Its title, for display.
    pub title: String,
    /// Its classes.
    pub classes: Vec<RetentionClass>,
}

/// A retention class: events that are retained for the same period and for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionClass {
    /// Its name: a partition of the archive, and a part of the names of its keys.
    pub name: String,
    /// The events in it, for display.
    pub purpose: String,
    /// The retention period: years from the filing date.
    pub years: u32,
    /// The rules that state the period. If empty, the period is a default, which the compliance officer sets.
    pub citations: Vec<String>,
    /// The event types in it: a type such as `config.changed`, or a family such as `hold.*`.
    pub types: Vec<String>,
}

/// Why a pack cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// It is not TOML, or a key is missing, unknown or of the wrong type.
    #[error("the pack cannot be read: {0}")]
    Toml(String),
    /// A class is invalid.
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
    #[error("needs a name of up to {MAX_NAME_BYTES} lower-case letters, digits and hyphens")]
    Name,
    /// The number of years is not in the allowed range.
    #[error("states a period that is not 1 to {MAX_YEARS} years")]
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
    /// [`PackError`] for the first problem. Unknown keys are refused with their line.
    pub fn parse(text: &str) -> Result<Self, PackError> {
        let pack: Self = toml::from_str(text).map_err(|error| PackError::Toml(error.to_string()))?;
        for class in &pack.classes {
            class.check().map_err(|problem| PackError::Class { class: class.name.clone(), problem })?;
        }
        Ok(pack)
    }
}

impl RetentionClass {
    /// Whether no rule states the period, so that the compliance officer sets it.
    pub fn is_default(&self) -> bool {
        self.citations.is_empty()
    }

    /// Whether events of this type are in the class.
    pub fn covers(&self, event_type: &str) -> bool {
        self.types.iter().any(|pattern| match pattern.strip_suffix(".*") {
            Some(family) => event_type.strip_prefix(family).is_some_and(|rest| rest.starts_with('.')),
            None => event_type == pattern,
        })
    }

    fn check(&self) -> Result<(), PackProblem> {
        let letters = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES || !self.name.bytes().all(letters) {
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
    if (1..=MAX_YEARS).contains(&years) { Ok(()) } else { Err(PackProblem::Years) }
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
    fn invalid_names_periods_and_patterns_are_refused() {
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
    fn a_family_matches_whole_words() {
        let class = &Pack::parse(GOOD).unwrap().classes[0];
        for (event_type, is_covered) in [
            ("hold.placed", true),
            ("hold", false),
            ("holdup.placed", false),
            ("config.changed", true),
            ("config.changed.twice", false),
        ] {
            assert_eq!(class.covers(event_type), is_covered, "{event_type}");
        }
    }
}
