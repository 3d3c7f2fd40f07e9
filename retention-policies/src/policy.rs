//! A policy: the packs in force.

use crate::pack::{Pack, PackError, PackProblem, RetentionClass, check_years};
use holdfast_events::{Event, Timestamp};
use std::collections::BTreeSet;

/// The class of every event that no other class covers.
pub const GENERAL_CLASS: &str = "general";

/// The built-in packs: names and texts. `general` is always in force.
pub const BUILT_IN_PACKS: [(&str, &str); 4] = [
    ("general", include_str!("../packs/general.toml")),
    ("glba", include_str!("../packs/glba.toml")),
    ("hipaa", include_str!("../packs/hipaa.toml")),
    ("sox", include_str!("../packs/sox.toml")),
];

/// The packs in force. A policy always has the class `general`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    packs: Vec<Pack>,
}

/// Why a policy is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// There is no built-in pack of this name.
    #[error("there is no pack `{name}`; the packs are general, glba, hipaa and sox")]
    UnknownPack {
        /// Its name.
        name: String,
    },
    /// A pack cannot be used.
    #[error("the pack `{name}`: {source}")]
    Pack {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: PackError,
    },
    /// Two classes have the same name.
    #[error("two classes have the name `{class}`; names must be unique")]
    DuplicateClass {
        /// The name.
        class: String,
    },
    /// The period for `general` is invalid.
    #[error("the class `general` {0}")]
    General(PackProblem),
}

impl Policy {
    /// The built-in packs of these names, with `general`.
    ///
    /// # Errors
    /// [`PolicyError::UnknownPack`] for a name that no pack has.
    pub fn built_in(names: &[&str]) -> Result<Self, PolicyError> {
        let wanted: BTreeSet<&str> = names.iter().copied().chain([GENERAL_CLASS]).collect();
        let packs = wanted.into_iter().map(|name| {
            let (_, text) = BUILT_IN_PACKS
                .iter()
                .find(|(known, _)| *known == name)
                .ok_or_else(|| PolicyError::UnknownPack { name: name.to_owned() })?;
            Pack::parse(text).map_err(|source| PolicyError::Pack { name: name.to_owned(), source })
        });
        Self::of(packs.collect::<Result<_, _>>()?)
    }

    /// Adds packs, such as a company's own rules.
    ///
    /// # Errors
    /// [`PolicyError::DuplicateClass`] if two classes have the same name.
    pub fn with(self, packs: Vec<Pack>) -> Result<Self, PolicyError> {
        Self::of(self.packs.into_iter().chain(packs).collect())
    }

    fn of(packs: Vec<Pack>) -> Result<Self, PolicyError> {
        let mut seen = BTreeSet::new();
        for class in packs.iter().flat_map(|pack| &pack.classes) {
            if !seen.insert(&class.name) {
                return Err(PolicyError::DuplicateClass { class: class.name.clone() });
            }
        }
        Ok(Self { packs })
    }

    /// Sets the compliance officer's period for the class `general`.
    ///
    /// # Errors
    /// [`PolicyError::General`] if the period is invalid.
    pub fn with_general_years(mut self, years: u32) -> Result<Self, PolicyError> {
        check_years(years).map_err(PolicyError::General)?;
        let classes = self.packs.iter_mut().flat_map(|pack| &mut pack.classes);
        classes.filter(|class| class.name == GENERAL_CLASS).for_each(|class| class.years = years);
        Ok(self)
    }

    /// The packs in force.
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// Every class, by pack.
    pub fn classes(&self) -> impl Iterator<Item = &RetentionClass> {
        self.packs.iter().flat_map(|pack| &pack.classes)
    }

    /// The class of an event: of those that cover its type the one with the longest period, or else `general`.
    pub fn classify(&self, event: &Event<'_>) -> &RetentionClass {
        self.classes()
            .filter(|class| class.covers(&event.type_))
            .max_by_key(|class| class.years)
            .or_else(|| self.classes().find(|class| class.name == GENERAL_CLASS))
            .expect("a policy always has the class general")
    }
}

/// The first date on which all events with the filing date `filed` are past the period of `class`. Both are days since
/// 1970-01-01 UTC.
///
/// It is the day after the anniversary: an event late on the filing date has reached the full period only late on the
/// anniversary. The anniversary of 29 February in other years is 1 March.
pub fn disposal_date(class: &RetentionClass, filed: i64) -> i64 {
    let date = |days: i64| Timestamp(0).plus_days(days).date();
    let (year, month, day) = date(filed);
    let anniversary = (year + i64::from(class.years), month, day);
    // No year is shorter than 365 days. The leap days in between, fewer than the years, are added one by one.
    let least = filed.saturating_add(i64::from(class.years) * 365);
    let leap_days =
        (0..=i64::from(class.years)).find(|leap_days| date(least.saturating_add(*leap_days)) >= anniversary);
    least.saturating_add(leap_days.unwrap_or(i64::from(class.years)) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_events::decode_structured;
    use proptest::prelude::*;

    fn class_of(policy: &Policy, event_type: &str) -> String {
        let json = format!(
            r#"{{"specversion":"1.0","id":"1","source":"s","type":"{event_type}","subject":"x","time":"2026-01-01T00:00:00Z"}}"#
        );
        policy.classify(&decode_structured(json.as_bytes()).unwrap()).name.clone()
    }

    fn days(date: &str) -> i64 {
        Timestamp::parse(&format!("{date}T00:00:00Z")).unwrap().days()
    }

    fn class(years: u32) -> RetentionClass {
        let policy = Policy::built_in(&[]).unwrap().with_general_years(years).unwrap();
        policy.classes().next().unwrap().clone()
    }

    #[test]
    fn every_built_in_pack_is_valid_and_has_its_name() {
        for (name, text) in BUILT_IN_PACKS {
            assert_eq!(Pack::parse(text).unwrap().name, name);
        }
        let all: Vec<&str> = BUILT_IN_PACKS.iter().map(|(name, _)| *name).collect();
        assert_eq!(Policy::built_in(&all).unwrap().packs().len(), 4);
        let unknown = Policy::built_in(&["gdpr"]);
        assert_eq!(unknown, Err(PolicyError::UnknownPack { name: "gdpr".to_owned() }));
    }

    #[test]
    fn packs_state_the_periods_and_citations_of_their_rules() {
        let policy = Policy::built_in(&["hipaa", "sox", "glba"]).unwrap();
        let stated: Vec<_> =
            policy.classes().map(|class| (class.name.as_str(), class.years, &class.citations)).collect();
        let cites = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            stated,
            [
                ("general", 7, &cites(&[])),
                ("hipaa-documentation", 6, &cites(&["45 CFR 164.316(b)(2)(i)", "45 CFR 164.530(j)"])),
                ("sox-workpapers", 7, &cites(&["17 CFR 210.2-06"])),
            ]
        );
        let defaults: Vec<_> = policy.classes().filter(|class| class.is_default()).map(|class| &class.name).collect();
        assert_eq!(defaults, [GENERAL_CLASS]);
    }

    #[test]
    fn every_event_has_a_class() {
        let policy = Policy::built_in(&["hipaa", "sox"]).unwrap();
        assert_eq!(class_of(&policy, "archive.exported"), "hipaa-documentation");
        assert_eq!(class_of(&policy, "config.changed"), "hipaa-documentation");
        for event_type in ["chat.line", "survey.submitted", "acme.invented"] {
            assert_eq!(class_of(&policy, event_type), GENERAL_CLASS);
        }
        assert_eq!(class_of(&Policy::built_in(&[]).unwrap(), "archive.exported"), GENERAL_CLASS);
    }

    #[test]
    fn the_longest_period_wins_and_names_are_unique() {
        let own = "name = \"own\"\ntitle = \"\"\n[[classes]]\nname = \"own-holds\"\npurpose = \"\"\nyears = 20\n\
                   citations = []\ntypes = [\"hold.placed\"]\n";
        let own = Pack::parse(own).unwrap();
        let policy = Policy::built_in(&["hipaa"]).unwrap().with(vec![own.clone()]).unwrap();
        assert_eq!(class_of(&policy, "hold.placed"), "own-holds");
        assert_eq!(class_of(&policy, "hold.released"), "hipaa-documentation");
        assert!(matches!(policy.with(vec![own]), Err(PolicyError::DuplicateClass { .. })));
        assert!(Policy::built_in(&[]).unwrap().with_general_years(0).is_err());
    }

    #[test]
    fn disposal_is_the_day_after_the_anniversary() {
        for (years, filed, disposed) in [
            (6, "2026-11-23", "2032-11-24"),
            (1, "2024-02-29", "2025-03-02"),
            (4, "2024-02-29", "2028-03-01"),
            (7, "2025-12-31", "2033-01-01"),
            (100, "1969-07-20", "2069-07-21"),
        ] {
            assert_eq!(disposal_date(&class(years), days(filed)), days(disposed), "{filed} and {years} years");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_disposed_of_early(years in 1u32..=100, filed in -100_000i64..100_000) {
            let kept = disposal_date(&class(years), filed) - filed;
            let years = f64::from(years);
            prop_assert!(kept as f64 > years * 365.0 && (kept as f64) < years * 365.2425 + 4.0);
        }
    }
}
