//! The roles that run in child processes, and how each is started: its arguments, its secrets, its memory.

use std::ffi::OsString;
use std::net::SocketAddr;

use anyhow::Context as _;

use crate::children::ChildSettings;
use crate::config::Settings;

/// Beside the memory of statements: footers, connections, the program itself.
const QUERY_OVERHEAD: u64 = 512 << 20;
/// Keeping the table of sessions. A rebuild of 10,000,000 events held 2.2 GiB (docs/performance.md).
const SESSIONS_MEMORY: u64 = 5 << 30;
/// Sealing. Merging the files of a large date held 1.3 GiB (docs/performance.md).
const SEALER_MEMORY: u64 = 3 << 30;

/// A role that reads the archive with private keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChildRole {
    /// Answers SQL, over HTTP and the PostgreSQL wire protocol.
    Query,
    /// Keeps the table of sessions.
    Sessions,
    /// Merges the files of closed dates. It alone signs and deletes with private keys at hand.
    Sealer,
}

impl ChildRole {
    /// Its name on the command line, in the log, in `/readyz` and in the metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Sessions => "sessions",
            Self::Sealer => "sealer",
        }
    }

    /// Whether its process gets the secret with this key, if that is in the environment.
    fn needs(self, key: &str) -> bool {
        // What integrates the proof log writes to its mirror.
        !self.withheld().contains(&key) && !key.starts_with("proof.mirror_options.")
    }

    /// The keys of secrets that it does not need.
    fn withheld(self) -> &'static [&'static str] {
        match self {
            Self::Query => &["gateway.token", "broker.key", "proof.signing_key"],
            Self::Sessions => {
                &["gateway.token", "broker.key", "proof.signing_key", "crm.password", "crm.connection_string"]
            }
            Self::Sealer => {
                &["gateway.token", "broker.key", "crm.password", "crm.connection_string", "kafka.oauth_token"]
            }
        }
    }

    /// Bytes of memory beyond which its process is killed.
    pub(super) fn memory_limit(self, settings: &Settings) -> u64 {
        match self {
            Self::Query => {
                let statements = u64::try_from(settings.config.query.memory_bytes).unwrap_or(u64::MAX);
                statements.saturating_mul(2).saturating_add(QUERY_OVERHEAD)
            }
            Self::Sessions => SESSIONS_MEMORY,
            Self::Sealer => SEALER_MEMORY,
        }
    }
}

/// How to start the process of a role. `broker` is the address of this process's built-in broker.
pub(crate) fn settings(
    settings: &Settings,
    role: ChildRole,
    broker: Option<SocketAddr>,
) -> anyhow::Result<ChildSettings> {
    let mut arguments: Vec<OsString> = ["serve", "--child", "--roles", role.as_str()].map(OsString::from).into();
    if let Some(file) = &settings.file {
        arguments.extend(["--config".into(), file.into()]);
    }
    if let Some(address) = broker {
        arguments.extend(["--broker".into(), address.to_string().into()]);
    }
    let withheld = settings.secrets.names().filter(|(key, _)| !role.needs(key));
    Ok(ChildSettings {
        name: role.as_str(),
        program: std::env::current_exe().context("find this program, to start it again for another role")?,
        arguments,
        withheld: withheld.map(|(_, variable)| variable.to_owned()).collect(),
        memory_limit: role.memory_limit(settings),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn settings_of(environment: &[(&str, &str)]) -> Settings {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        load(&Sources { file: None, environment }).unwrap()
    }

    #[test]
    fn what_answers_gets_neither_the_signing_key_nor_other_secrets_that_it_does_not_need() {
        let configured = settings_of(&[
            ("HOLDFAST__PROOF__SIGNING_KEY", "x"),
            ("HOLDFAST__PROOF__MIRROR_OPTIONS__AWS_SECRET_ACCESS_KEY", "x"),
            ("HOLDFAST__GATEWAY__TOKEN", "x"),
            ("HOLDFAST__BROKER__KEY", "x"),
            ("HOLDFAST__CRM__PASSWORD", "x"),
            ("HOLDFAST__ARCHIVE__OPTIONS__AWS_SECRET_ACCESS_KEY", "x"),
        ]);
        let withheld = |role| settings(&configured, role, None).unwrap().withheld;
        let [signing, mirror, token, broker, crm] = [
            "HOLDFAST__PROOF__SIGNING_KEY",
            "HOLDFAST__PROOF__MIRROR_OPTIONS__AWS_SECRET_ACCESS_KEY",
            "HOLDFAST__GATEWAY__TOKEN",
            "HOLDFAST__BROKER__KEY",
            "HOLDFAST__CRM__PASSWORD",
        ];
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        assert_eq!(sorted(withheld(ChildRole::Query)), [broker, token, mirror, signing]);
        assert_eq!(sorted(withheld(ChildRole::Sessions)), [broker, crm, token, mirror, signing]);
        assert_eq!(sorted(withheld(ChildRole::Sealer)), [broker, crm, token, mirror], "it signs");
    }

    #[test]
    fn what_answers_may_take_twice_the_memory_of_statements_and_half_a_gibibyte() {
        let of = |bytes: &str| ChildRole::Query.memory_limit(&settings_of(&[("HOLDFAST__QUERY__MEMORY_BYTES", bytes)]));
        assert_eq!(of("536870912"), 1536 << 20);
        assert_eq!(of("16777216"), 544 << 20);
    }
}
