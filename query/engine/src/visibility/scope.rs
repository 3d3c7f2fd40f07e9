//! What a caller may see: tiers and rows. It holds for every statement, whatever the available keys open.

use super::tiers::Tiers;
use holdfast_events::Tier;

/// The tiers and the rows that one caller may see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Visibility {
    tiers: Tiers,
    rows: Rows,
}

/// The rows that are visible to a caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rows {
    /// All of them.
    All,
    /// The rows of some sessions. Rows that belong to no session are not visible.
    Sessions(Scope),
    /// None.
    None,
}

/// Some sessions: those that satisfy every bound that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Entry portals; `a` includes its sub-portals `a/b`.
    pub portals: Option<Vec<String>>,
    /// Agents, of whom at least one took part in the session.
    pub agents: Option<Vec<String>>,
}

impl Visibility {
    /// Everything that the keys open.
    pub const ALL: Self = Self { tiers: Tiers::ALL, rows: Rows::All };

    /// Nothing.
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
    /// Whether a session is in the scope.
    pub fn covers<'a>(&self, portal: Option<&str>, agents: impl IntoIterator<Item = &'a str>) -> bool {
        let in_portals =
            |allowed: &Vec<String>| portal.is_some_and(|portal| allowed.iter().any(|one| within(portal, one)));
        self.portals.as_ref().is_none_or(in_portals)
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
    fn a_portal_includes_its_sub_portals_and_not_its_neighbours() {
        let scope = Scope { portals: Some(vec!["help".into()]), agents: None };
        for (portal, is_covered) in
            [("help", true), ("help/vip", true), ("helpdesk", false), ("hel", false), ("", false)]
        {
            assert_eq!(scope.covers(Some(portal), []), is_covered, "{portal}");
        }
        assert!(!scope.covers(None, []));
    }

    #[test]
    fn a_session_must_satisfy_every_bound() {
        let scope = Scope { portals: Some(vec!["help".into()]), agents: Some(vec!["a-1".into()]) };
        assert!(scope.covers(Some("help"), ["a-2", "a-1"]));
        assert!(!scope.covers(Some("help"), ["a-2"]));
        assert!(!scope.covers(Some("sales"), ["a-1"]));
        assert!(!Scope { portals: None, agents: Some(Vec::new()) }.covers(Some("help"), ["a-1"]));
        assert!(Scope::default().covers(None, []));
    }
}
