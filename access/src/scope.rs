//! Which sessions are visible to a user: those of some portals, those of some agents, all, or none.

use std::collections::BTreeSet;

/// The rows that are visible to a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// All of them.
    All,
    /// The rows of the sessions in a scope. Rows that belong to no session are not visible.
    Sessions(Scope),
    /// None.
    None,
}

impl Rows {
    /// Whether a session is visible.
    pub fn covers(&self, portal: Option<&str>, agents: &[&str]) -> bool {
        match self {
            Self::All => true,
            Self::Sessions(scope) => scope.covers(portal, agents),
            Self::None => false,
        }
    }
}

/// A bound on sessions. A session is in the scope if `portals` (if given) contains its portal, and `agents` (if given) contains
/// one of its agents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Portals. `a` includes the portals below it, such as `a/b`.
    pub portals: Option<BTreeSet<String>>,
    /// Agents, as the events name them.
    pub agents: Option<BTreeSet<String>>,
}

/// Why a scope is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// A list without an entry covers nothing, which is a mistake.
    #[error("the list of {what} is empty; leave it out for all of them, or name one")]
    Empty {
        /// `portals` or `agents`.
        what: &'static str,
    },
    /// An entry that no session can have.
    #[error(
        "{name:?} cannot be a {what}; give a name of 1 to 256 bytes without control characters, and without a slash at either end"
    )]
    Name {
        /// `portal` or `agent`.
        what: &'static str,
        /// The entry.
        name: String,
    },
    /// Too many entries for the filter of a scan.
    #[error("{count} {what} are too many; name at most {MAX_ENTRIES}")]
    TooMany {
        /// `portals` or `agents`.
        what: &'static str,
        /// How many there are.
        count: usize,
    },
}

/// Entries in one set. Each becomes part of the filter of every scan.
const MAX_ENTRIES: usize = 1000;
/// Bytes of one entry.
const MAX_NAME_BYTES: usize = 256;

impl Scope {
    /// A scope with names that can occur, and without an empty set.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] names the entry that is wrong.
    pub fn new(portals: Option<BTreeSet<String>>, agents: Option<BTreeSet<String>>) -> Result<Self, InvalidScope> {
        if let Some(portals) = &portals {
            check(portals, "portals", "portal", |name| {
                !name.starts_with('/') && !name.ends_with('/') && !name.contains("//")
            })?;
        }
        if let Some(agents) = &agents {
            check(agents, "agents", "agent", |_| true)?;
        }
        Ok(Self { portals, agents })
    }

    /// Whether all sessions are in the scope.
    pub fn is_unbounded(&self) -> bool {
        self.portals.is_none() && self.agents.is_none()
    }

    /// Whether a session with this portal and these agents is in the scope.
    pub fn covers(&self, portal: Option<&str>, agents: &[&str]) -> bool {
        let in_portals = self.portals.as_ref().is_none_or(|portals| portal.is_some_and(|portal| has(portals, portal)));
        let in_agents = self.agents.as_ref().is_none_or(|own| agents.iter().any(|agent| own.contains(*agent)));
        in_portals && in_agents
    }
}

/// Whether the portal or one of its ancestors is in the set.
fn has(portals: &BTreeSet<String>, portal: &str) -> bool {
    let above = portal.match_indices('/').map(|(at, _)| &portal[..at]);
    above.chain([portal]).any(|prefix| portals.contains(prefix))
}

fn check(
    names: &BTreeSet<String>,
    many: &'static str,
    one: &'static str,
    is_allowed: impl Fn(&str) -> bool,
) -> Result<(), InvalidScope> {
    if names.is_empty() {
        return Err(InvalidScope::Empty { what: many });
    }
    if names.len() > MAX_ENTRIES {
        return Err(InvalidScope::TooMany { what: many, count: names.len() });
    }
    let is_name = |name: &str| {
        !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control) && is_allowed(name)
    };
    match names.iter().find(|name| !is_name(name)) {
        Some(name) => Err(InvalidScope::Name { what: one, name: name.chars().take(64).collect() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(names: &[&str]) -> Option<BTreeSet<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_portal_covers_the_portals_below_it_and_no_others() {
        let scope = Scope::new(set(&["a", "b/c"]), None).unwrap();
        for inside in ["a", "a/x", "a/x/y", "b/c", "b/c/d"] {
            assert!(scope.covers(Some(inside), &[]), "{inside}");
        }
        for outside in ["", "ab", "a-b", "b", "b/cd", "x/a", "A"] {
            assert!(!scope.covers(Some(outside), &[]), "{outside}");
        }
        assert!(!scope.covers(None, &["a"]));
    }

    #[test]
    fn a_session_must_be_in_every_given_set() {
        let scope = Scope::new(set(&["a"]), set(&["kim"])).unwrap();
        assert!(scope.covers(Some("a/b"), &["lee", "kim"]));
        assert!(!scope.covers(Some("a/b"), &["lee"]));
        assert!(!scope.covers(Some("a/b"), &[]));
        assert!(!scope.covers(Some("b"), &["kim"]));
        assert!(!scope.covers(None, &["kim"]));
        assert!(Scope::default().covers(None, &[]));
    }

    #[test]
    fn empty_sets_and_impossible_names_are_refused() {
        assert_eq!(Scope::new(set(&[]), None), Err(InvalidScope::Empty { what: "portals" }));
        assert_eq!(Scope::new(None, set(&[])), Err(InvalidScope::Empty { what: "agents" }));
        for name in ["", "/a", "a/", "a//b", "a\nb", &"x".repeat(257)] {
            assert!(matches!(Scope::new(set(&[name]), None), Err(InvalidScope::Name { what: "portal", .. })), "{name}");
        }
        // An agent's name may be a path of a directory service.
        assert!(Scope::new(None, set(&["/ou/kim/"])).is_ok());
    }

    fn portal() -> impl Strategy<Value = String> {
        prop::collection::vec("[ab]{1,2}", 1..4).prop_map(|segments| segments.join("/"))
    }

    proptest! {
        #[test]
        fn covering_is_a_prefix_of_segments(
            portals in prop::collection::btree_set(portal(), 1..4),
            portal in portal(),
        ) {
            let expected = portals.iter().any(|own| {
                let own: Vec<&str> = own.split('/').collect();
                portal.split('/').collect::<Vec<_>>().starts_with(&own)
            });
            let scope = Scope::new(Some(portals), None).unwrap();
            prop_assert_eq!(scope.covers(Some(&portal), &[]), expected);
        }

        #[test]
        fn more_entries_never_hide_a_session_and_one_more_set_never_shows_one(
            portals in prop::collection::btree_set(portal(), 1..4),
            more in portal(),
            agents in prop::collection::btree_set("[ab]{1,2}", 1..3),
            portal in portal(),
            of_session in prop::collection::vec("[ab]{1,2}", 0..3),
        ) {
            let of_session: Vec<&str> = of_session.iter().map(String::as_str).collect();
            let covers = |portals: Option<&BTreeSet<String>>, agents: Option<&BTreeSet<String>>| {
                Scope { portals: portals.cloned(), agents: agents.cloned() }.covers(Some(&portal), &of_session)
            };
            let mut wider = portals.clone();
            wider.insert(more);
            prop_assert!(!covers(Some(&portals), Some(&agents)) || covers(Some(&wider), Some(&agents)));
            prop_assert_eq!(
                covers(Some(&portals), Some(&agents)),
                covers(Some(&portals), None) && covers(None, Some(&agents))
            );
        }
    }
}
