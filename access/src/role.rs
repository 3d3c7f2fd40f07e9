//! Roles and their permissions. [`Role::tiers`] and [`Role::may`] are the complete tables.

use std::fmt;
use std::str::FromStr;

use holdfast_events::Tier;

/// A role of a user (role-based access control).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Operates the system and manages its users. Personal data is not visible.
    Admin,
    /// The compliance officer. Everything is visible, and each access is recorded as for other users.
    Compliance,
    /// Reads reports and reviews sessions by their operational data.
    Manager,
    /// Supports customers. Only their own sessions are visible.
    Agent,
    /// A program that receives alerts.
    Alerting,
    /// A program that sends events.
    Ingest,
}

/// A permission on the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// SQL statements.
    Query,
    /// The built-in reports.
    Report,
    /// The time line of one session, with recordings if the tier content is visible.
    Session,
    /// Exports.
    Export,
    /// Sending events.
    Ingest,
    /// Managing users and tokens.
    Users,
    /// The state of the system and the live state of sessions.
    Monitor,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 7] =
        [Self::Query, Self::Report, Self::Session, Self::Export, Self::Ingest, Self::Users, Self::Monitor];

    /// The permission's name in messages and in the audit trail.
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

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that is not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {0:?}; the roles are admin, compliance, manager, agent, alerting and ingest")]
pub struct UnknownRole(pub String);

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Admin, Self::Compliance, Self::Manager, Self::Agent, Self::Alerting, Self::Ingest];

    /// The role's name in files, on the command line and in the audit trail.
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

    /// The tiers that can be visible to the role. For an agent all tiers are visible, but only of their own sessions.
    pub fn tiers(self) -> &'static [Tier] {
        match self {
            Self::Compliance | Self::Agent => &Tier::ALL,
            Self::Admin | Self::Manager | Self::Alerting => &[Tier::Operational],
            Self::Ingest => &[],
        }
    }

    /// Whether the role has a permission. Tiers and rows bound the data that is then visible.
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
    /// Separation of duty: no role has both `export` and `users`, so one person alone cannot export the archive under another
    /// name.
    pub fn may(self, permission: Permission) -> bool {
        use Permission::{Export, Ingest, Monitor, Query, Report, Session, Users};
        match self {
            Self::Admin => matches!(permission, Query | Report | Users | Monitor),
            Self::Compliance => matches!(permission, Query | Report | Session | Export | Monitor),
            Self::Manager => matches!(permission, Query | Report | Session | Monitor),
            Self::Agent => matches!(permission, Query | Report | Session),
            Self::Alerting => matches!(permission, Query | Monitor),
            Self::Ingest => matches!(permission, Ingest),
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
    fn the_complete_table_of_permissions() {
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
            let granted: Vec<&str> =
                Permission::ALL.into_iter().filter(|permission| role.may(*permission)).map(Permission::name).collect();
            assert_eq!(granted.join(" "), expected, "{role}");
        }
    }

    #[test]
    fn the_complete_table_of_tiers() {
        let tiers = |role: Role| role.tiers().iter().map(|tier| tier.name()).collect::<Vec<_>>().join(" ");
        assert_eq!(tiers(Role::Admin), "operational");
        assert_eq!(tiers(Role::Compliance), "operational personal content");
        assert_eq!(tiers(Role::Manager), "operational");
        assert_eq!(tiers(Role::Agent), "operational personal content");
        assert_eq!(tiers(Role::Alerting), "operational");
        assert_eq!(tiers(Role::Ingest), "");
    }

    #[test]
    fn no_role_both_manages_users_and_exports() {
        for role in Role::ALL {
            assert!(!(role.may(Permission::Users) && role.may(Permission::Export)), "{role}");
        }
    }

    #[test]
    fn a_role_without_a_tier_has_no_permission_to_read() {
        for role in Role::ALL {
            let reads = [Permission::Query, Permission::Report, Permission::Session, Permission::Export]
                .map(|permission| role.may(permission));
            assert_eq!(role.tiers().is_empty(), reads == [false; 4], "{role}");
        }
    }

    #[test]
    fn names_survive_writing_and_reading() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
        }
        let refusal = "Admin".parse::<Role>().unwrap_err().to_string();
        assert!(refusal.contains("\"Admin\"") && refusal.contains("compliance"), "{refusal}");
    }
}
