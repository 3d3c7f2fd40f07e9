//! What a caller may see beneath SQL, whatever the statement says and whatever the keys at hand open.

use crate::tier_access::Tiers;
use holdfast_events::Tier;

/// The bounds of one caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Visibility {
    tiers: Tiers,
    rows: Rows,
}

/// Which rows a caller sees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rows {
    /// All of them.
    All,
    /// Those of some sessions: what says nothing of a session is not seen.
    Sessions(Scope),
    /// None.
    None,
}

/// Some sessions: those that every bound which is set lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Entry portals; `a` stands for its sub-portals `a/b` as well.
    pub portals: Option<Vec<String>>,
    /// Agents of whom one took part in the session.
    pub agents: Option<Vec<String>>,
}

impl Visibility {
    /// Everything that the keys open.
    pub const ALL: Self = Self { tiers: Tiers::ALL, rows: Rows::All };

    /// Nothing at all.
    pub(crate) const NONE: Self = Self { tiers: Tiers::NONE, rows: Rows::None };

    /// At most `tiers` of the rows that `rows` names.
    pub fn new(tiers: impl IntoIterator<Item = Tier>, rows: Rows) -> Self {
        Self { tiers: tiers.into_iter().collect(), rows }
    }

    pub(crate) fn tiers(&self) -> Tiers {
        self.tiers
    }

    /// The rows.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }
}

impl Scope {
    /// Whether a session is among them.
    pub fn covers<'a>(&self, portal: Option<&str>, agents: impl IntoIterator<Item = &'a str>) -> bool {
        let through_portal =
            |allowed: &Vec<String>| portal.is_some_and(|portal| allowed.iter().any(|one| within(portal, one)));
        self.portals.as_ref().is_none_or(through_portal)
            && self
                .agents
                .as_ref()
                .is_none_or(|allowed| agents.into_iter().any(|agent| allowed.iter().any(|one| one == agent)))
    }
}

/// Whether `portal` is `whole` or one of its sub-portals.
fn within(portal: &str, whole: &str) -> bool {
    portal.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_stands_for_its_sub_portals_and_not_for_its_neighbours() {
        let scope = Scope { portals: Some(vec!["help".into()]), agents: None };
        for (portal, seen) in [("help", true), ("help/vip", true), ("helpdesk", false), ("hel", false), ("", false)] {
            assert_eq!(scope.covers(Some(portal), []), seen, "{portal}");
        }
        assert!(!scope.covers(None, []));
    }

    #[test]
    fn every_bound_must_let_a_session_through() {
        let scope = Scope { portals: Some(vec!["help".into()]), agents: Some(vec!["a-1".into()]) };
        assert!(scope.covers(Some("help"), ["a-2", "a-1"]));
        assert!(!scope.covers(Some("help"), ["a-2"]));
        assert!(!scope.covers(Some("sales"), ["a-1"]));
        assert!(!Scope { portals: None, agents: Some(Vec::new()) }.covers(Some("help"), ["a-1"]));
        assert!(Scope::default().covers(None, []));
    }
}
