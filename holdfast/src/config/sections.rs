//! The sections of the configuration and the types of their settings. `holdfast/default.toml` documents each setting.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::values::{Listen, LockModeName, LogFormat, OptionalPath, Text, TierName};

/// The defaults, with the documentation of each setting.
pub(super) const DEFAULT_TOML: &str = include_str!("../../default.toml");

/// The whole configuration. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of sections")]
pub(crate) struct Config {
    pub(crate) archive: Archive,
    pub(crate) kafka: Kafka,
    pub(crate) broker: Broker,
    pub(crate) gateway: Gateway,
    pub(crate) health: Health,
    pub(crate) keys: Keys,
    pub(crate) proof: Proof,
    pub(crate) seal: Seal,
    pub(crate) access: Access,
    pub(crate) query: Query,
    pub(crate) crm: Crm,
    pub(crate) postgres: Postgres,
    pub(crate) log: Log,
    pub(crate) shutdown: Shutdown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Archive {
    pub(crate) url: String,
    pub(crate) flush_rows: usize,
    pub(crate) flush_bytes: usize,
    pub(crate) flush_interval_seconds: u64,
    pub(crate) options: BTreeMap<String, Text>,
    pub(crate) options_files: BTreeMap<String, PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Kafka {
    pub(crate) brokers: String,
    pub(crate) group: String,
    pub(crate) events_topic: String,
    pub(crate) recordings_topic: String,
    pub(crate) alerts_topic: String,
    pub(crate) create_topics: bool,
    pub(crate) partitions: i32,
    pub(crate) replication: i32,
    pub(crate) queue_bytes: usize,
    pub(crate) delivery_timeout_seconds: u64,
    pub(crate) oauth_token_file: OptionalPath,
    pub(crate) settings: BTreeMap<String, Text>,
    pub(crate) settings_files: BTreeMap<String, PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Broker {
    pub(crate) dir: PathBuf,
    pub(crate) listen: Listen,
    pub(crate) key_file: OptionalPath,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Gateway {
    pub(crate) listen: Listen,
    pub(crate) tls_certificate_file: OptionalPath,
    pub(crate) tls_key_file: OptionalPath,
    pub(crate) require_tls: bool,
    pub(crate) client_ca_file: OptionalPath,
    pub(crate) max_connections: usize,
    pub(crate) token_file: OptionalPath,
    pub(crate) max_event_bytes: usize,
    pub(crate) max_batch_bytes: usize,
    pub(crate) max_chunk_bytes: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) max_in_flight_bytes: usize,
    pub(crate) retry_after_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Health {
    /// `None`: served on the gateway's address.
    #[serde(with = "super::optional_listen")]
    pub(crate) listen: Option<Listen>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Keys {
    pub(crate) identities_dir: PathBuf,
    pub(crate) holders: Vec<Holder>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Proof {
    pub(crate) signing_key_file: OptionalPath,
    pub(crate) public_keys_file: PathBuf,
    pub(crate) interval_seconds: u64,
    pub(crate) lease_seconds: u64,
    pub(crate) keep_every_seconds: u64,
    pub(crate) mirror_url: String,
    pub(crate) mirror_options: BTreeMap<String, Text>,
    pub(crate) mirror_options_files: BTreeMap<String, PathBuf>,
    pub(crate) witnesses: Vec<WitnessSection>,
}

/// A witness that cosigns checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with url and public_key")]
pub(crate) struct WitnessSection {
    pub(crate) url: String,
    pub(crate) public_key: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Seal {
    pub(crate) identities_dir: OptionalPath,
    pub(crate) after_hours: u64,
    pub(crate) grace_hours: u64,
    pub(crate) interval_minutes: u64,
    pub(crate) lock_mode: LockModeName,
    pub(crate) lock_days: u32,
}

/// A holder: an age recipient, and the tiers that are encrypted to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with name, recipient and tiers")]
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) recipient: String,
    pub(crate) tiers: Vec<TierName>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Access {
    pub(crate) users_file: PathBuf,
    pub(crate) oidc_issuer: String,
    pub(crate) oidc_audience: String,
    pub(crate) oidc_jwks_url: String,
    pub(crate) oidc_user_claim: String,
    pub(crate) oidc_role_claim: String,
    pub(crate) oidc_portals_claim: String,
    pub(crate) oidc_agents_claim: String,
    pub(crate) oidc_roles: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Crm {
    pub(crate) kind: String,
    pub(crate) timeout_seconds: u64,
    pub(crate) connections: usize,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password_file: OptionalPath,
    pub(crate) tls: String,
    pub(crate) ca_file: OptionalPath,
    pub(crate) path: OptionalPath,
    pub(crate) connection_string_file: OptionalPath,
    pub(crate) dialect: String,
    pub(crate) delimiter: String,
    pub(crate) tables: Vec<CrmTable>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct CrmTable {
    pub(crate) name: String,
    pub(crate) from: String,
    #[serde(default)]
    pub(crate) columns: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Postgres {
    pub(crate) listen: Listen,
    pub(crate) tls_certificate_file: OptionalPath,
    pub(crate) tls_key_file: OptionalPath,
    pub(crate) require_tls: bool,
    pub(crate) max_connections: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Query {
    pub(crate) listen: Listen,
    pub(crate) tls_certificate_file: OptionalPath,
    pub(crate) tls_key_file: OptionalPath,
    pub(crate) require_tls: bool,
    pub(crate) max_connections: usize,
    pub(crate) identities_dir: OptionalPath,
    pub(crate) spill_dir: OptionalPath,
    pub(crate) spill_bytes: u64,
    pub(crate) max_rows: u64,
    pub(crate) max_seconds: u64,
    pub(crate) answer_aggregates_without_record: bool,
    pub(crate) sessions_interval_seconds: u64,
    pub(crate) memory_bytes: usize,
    pub(crate) footer_cache_bytes: usize,
    pub(crate) threads: usize,
    pub(crate) concurrent_statements: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub(crate) struct Shutdown {
    pub(crate) limit_seconds: u64,
}
