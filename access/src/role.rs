//! Roles, and what each may do. The two tables of this file are the whole of it.

use std::fmt;
use std::str::FromStr;

use holdfast_events::Tier;

/// What somebody is to the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Runs the system and its users; sees no personal data.
    Admin,
    /// Answers to the law: sees everything, and is recorded like everybody else.
    Compliance,
    /// Reports and reviews by numbers.
    Manager,
    /// Supports customers, and sees the own sessions.
    Agent,
    /// A program that is told what happens.
    Alerting,
    /// A program that sends events.
    Ingest,
}

/// What can be asked of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Statements in SQL.
    Query,
    /// The built-in reports.
    Report,
    /// The whole story of one session, recordings included as far as the tiers go.
    Session,
    /// Bundles that leave the archive.
    Export,
    /// Putting events in.
    Ingest,
    /// Users and tokens.
    Users,
    /// State of the system and live state.
    Monitor,
}

impl Right {
    /// All rights.
    pub const ALL: [Self; 7] =
        [Self::Query, Self::Report, Self::Session, Self::Export, Self::Ingest, Self::Users, Self::Monitor];

    /// The right's name in messages and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Report => "report",
            Self::Session => "session",
            Self::Export => "export",
            Self::Ingest => "ingest",
            Self::Users => "users",
            Self::Monitor => "monitor",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A word that is not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {0:?}; the roles are admin, compliance, manager, agent, alerting and ingest")]
pub struct UnknownRole(pub String);

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Admin, Self::Compliance, Self::Manager, Self::Agent, Self::Alerting, Self::Ingest];

    /// The role's name in files, on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Compliance => "compliance",
            Self::Manager => "manager",
            Self::Agent => "agent",
            Self::Alerting => "alerting",
            Self::Ingest => "ingest",
        }
    }

    /// What the role may see at most. An agent sees all tiers, but only of the own sessions.
    pub fn tiers(self) -> &'static [Tier] {
        match self {
            Self::Compliance | Self::Agent => &Tier::ALL,
            Self::Admin | Self::Manager | Self::Alerting => &[Tier::Operational],
            Self::Ingest => &[],
        }
    }

    /// Whether the role may ask for something. What it then sees is bounded by tiers and rows.
    ///
    /// |            | query | report | session | export | ingest | users | monitor |
    /// |------------|-------|--------|---------|--------|--------|-------|---------|
    /// | admin      | yes   | yes    |         |        |        | yes   | yes     |
    /// | compliance | yes   | yes    | yes     | yes    |        |       | yes     |
    /// | manager    | yes   | yes    | yes     |        |        |       | yes     |
    /// | agent      | yes   | yes    | yes     |        |        |       |         |
    /// | alerting   | yes   |        |         |        |        |       | yes     |
    /// | ingest     |       |        |         |        | yes    |       |         |
    ///
    /// Whoever makes users does not export, and whoever exports does not make users: one person alone cannot give away
    /// the archive under another name.
    pub fn may(self, right: Right) -> bool {
        use Right::{Export, Ingest, Monitor, Query, Report, Session, Users};
        match self {
            Self::Admin => matches!(right, Query | Report | Users | Monitor),
            Self::Compliance => matches!(right, Query | Report | Session | Export | Monitor),
            Self::Manager => matches!(right, Query | Report | Session | Monitor),
            Self::Agent => matches!(right, Query | Report | Session),
            Self::Alerting => matches!(right, Query | Monitor),
            Self::Ingest => matches!(right, Ingest),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_of_rights() {
        let table = [
            (Role::Admin, "query report users monitor"),
            (Role::Compliance, "query report session export monitor"),
            (Role::Manager, "query report session monitor"),
            (Role::Agent, "query report session"),
            (Role::Alerting, "query monitor"),
            (Role::Ingest, "ingest"),
        ];
        assert_eq!(table.map(|(role, _)| role), Role::ALL);
        for (role, expected) in table {
            let granted: Vec<&str> = Right::ALL.into_iter().filter(|right| role.may(*right)).map(Right::name).collect();
            assert_eq!(granted.join(" "), expected, "{role}");
        }
    }

    #[test]
    fn the_whole_table_of_tiers() {
        let tiers = |role: Role| role.tiers().iter().map(|tier| tier.name()).collect::<Vec<_>>().join(" ");
        assert_eq!(tiers(Role::Admin), "operational");
        assert_eq!(tiers(Role::Compliance), "operational personal content");
        assert_eq!(tiers(Role::Manager), "operational");
        assert_eq!(tiers(Role::Agent), "operational personal content");
        assert_eq!(tiers(Role::Alerting), "operational");
        assert_eq!(tiers(Role::Ingest), "");
    }

    #[test]
    fn nobody_both_makes_users_and_exports() {
        for role in Role::ALL {
            assert!(!(role.may(Right::Users) && role.may(Right::Export)), "{role}");
        }
    }

    #[test]
    fn a_role_that_sees_nothing_may_ask_for_nothing() {
        for role in Role::ALL {
            let reads = [Right::Query, Right::Report, Right::Session, Right::Export].map(|right| role.may(right));
            assert_eq!(role.tiers().is_empty(), reads == [false; 4], "{role}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
        }
        let refusal = "Admin".parse::<Role>().unwrap_err().to_string();
        assert!(refusal.contains("\"Admin\"") && refusal.contains("compliance"), "{refusal}");
    }
}
