//! Checks that a type cannot express: ranges, names, and settings that contradict each other. Pure; reports all
//! mistakes.

use std::collections::{BTreeMap, BTreeSet};

use super::origin::Origin;
use super::problem::Problem;
use super::secret_names::is_secret_name;
use super::sections::{Config, Crm};
use super::values::{Listen, LockModeName, OptionalPath};
use crate::log_filter::parse_level;

/// Settings of librdkafka that the guarantees depend on, and that therefore cannot be configured.
const MANAGED_KAFKA_SETTINGS: [(&str, &str); 9] = [
    ("acks", "an event counts as received only when every replica has it"),
    ("auto.offset.reset", "the offset to resume from is in the archive's own log"),
    ("bootstrap.servers", "it is `kafka.brokers`"),
    ("metadata.broker.list", "it is `kafka.brokers`"),
    ("enable.auto.commit", "offsets are stored in the archive's own log"),
    ("enable.auto.offset.store", "offsets are stored in the archive's own log"),
    ("enable.idempotence", "without it an event could be stored twice"),
    ("group.id", "it is `kafka.group`"),
    ("isolation.level", "events of aborted transactions must not be archived"),
];

const SCHEMES: [&str; 8] = ["file", "s3", "s3a", "gs", "az", "adl", "abfs", "abfss"];

struct Findings<'a> {
    origins: &'a BTreeMap<String, Origin>,
    problems: Vec<Problem>,
}

impl Findings<'_> {
    fn add(&mut self, key: &str, what: impl Into<String>, advice: impl Into<String>) {
        self.problems.push(Problem {
            what: format!("`{key}` {}", what.into()),
            origin: self.origins.get(key).cloned(),
            advice: advice.into(),
        });
    }

    fn within(&mut self, key: &str, value: u64, smallest: u64, largest: u64) {
        if !(smallest..=largest).contains(&value) {
            self.add(key, format!("is {value}"), format!("give it a value from {smallest} to {largest}"));
        }
    }
}

/// Every problem of a configuration that has the right types.
pub(super) fn check(config: &Config, origins: &BTreeMap<String, Origin>) -> Vec<Problem> {
    let mut findings = Findings { origins, problems: Vec::new() };
    archive(config, &mut findings);
    kafka(config, &mut findings);
    servers(config, &mut findings);
    holders(config, &mut findings);
    proof(config, &mut findings);
    seal(config, &mut findings);
    queries(config, &mut findings);
    crm(&config.crm, &mut findings);
    access(config, &mut findings);
    findings.problems
}

/// What keeps servers from being opened. Commands that open none have nothing to do with it.
pub(super) fn check_servers(config: &Config, origins: &BTreeMap<String, Origin>) -> Vec<Problem> {
    let mut findings = Findings { origins, problems: Vec::new() };
    let (gateway, query) = (&config.gateway, &config.query);
    plain_http("gateway", gateway.listen, &gateway.tls_certificate_file, gateway.require_tls, &mut findings);
    plain_http("query", query.listen, &query.tls_certificate_file, query.require_tls, &mut findings);
    findings.problems
}

fn proof(config: &Config, findings: &mut Findings<'_>) {
    let proof = &config.proof;
    findings.within("proof.interval_seconds", proof.interval_seconds, 1, 3600);
    // A long round must not lose the lease.
    findings.within("proof.lease_seconds", proof.lease_seconds, (proof.interval_seconds * 3).max(10), 3600);
    findings.within("proof.keep_every_seconds", proof.keep_every_seconds, 0, 86_400);
    no_inline_secrets("proof.mirror_options", proof.mirror_options.keys(), findings);
}

fn seal(config: &Config, findings: &mut Findings<'_>) {
    let seal = &config.seal;
    findings.within("seal.after_hours", seal.after_hours, 0, 24 * 366);
    findings.within("seal.grace_hours", seal.grace_hours, 0, 24 * 366);
    findings.within("seal.interval_minutes", seal.interval_minutes, 1, 24 * 60);
    findings.within("seal.lock_days", u64::from(seal.lock_days), 1, 366 * 100);
    if seal.lock_mode != LockModeName::None && !config.archive.url.starts_with("s3") {
        findings.add(
            "seal.lock_mode",
            "locks objects, and `archive.url` is not in S3",
            "set it to \"none\", or keep the archive in an S3 bucket with Object Lock",
        );
    }
}

fn queries(config: &Config, findings: &mut Findings<'_>) {
    let query = &config.query;
    let postgres = &config.postgres;
    findings.within("postgres.max_connections", postgres.max_connections as u64, 1, 10_000);
    tls_pair("postgres", &postgres.tls_certificate_file, &postgres.tls_key_file, findings);
    tls_pair("query", &query.tls_certificate_file, &query.tls_key_file, findings);
    findings.within("query.max_connections", query.max_connections as u64, 2, 1_000_000);
    findings.within("query.memory_bytes", query.memory_bytes as u64, 16 << 20, 1 << 40);
    findings.within("query.footer_cache_bytes", query.footer_cache_bytes as u64, 1 << 20, 1 << 40);
    findings.within("query.threads", query.threads as u64, 0, 1024);
    findings.within("query.concurrent_statements", query.concurrent_statements as u64, 0, 10_000);
    findings.within("query.max_rows", query.max_rows, 1, u64::MAX);
    findings.within("query.max_seconds", query.max_seconds, 1, 24 * 3600);
    findings.within("query.sessions_interval_seconds", query.sessions_interval_seconds, 1, 3600);
}

fn crm(crm: &Crm, findings: &mut Findings<'_>) {
    let choices = [
        ("crm.kind", &crm.kind, &["", "postgres", "mysql", "sqlite", "odbc", "csv", "parquet"][..]),
        ("crm.tls", &crm.tls, &["disable", "require", "verify-ca", "verify-full"]),
        ("crm.dialect", &crm.dialect, &["sqlserver", "oracle", "db2", "postgres", "generic"]),
    ];
    for (key, value, known) in choices {
        if !known.contains(&value.as_str()) {
            let known: Vec<&str> = known.iter().copied().filter(|known| !known.is_empty()).collect();
            findings.add(key, format!("is {value:?}"), format!("use one of: {}", known.join(", ")));
        }
    }
    findings.within("crm.timeout_seconds", crm.timeout_seconds, 1, 600);
    findings.within("crm.connections", crm.connections as u64, 1, 1000);
    if crm.delimiter.len() != 1 {
        findings.add("crm.delimiter", "is not one character", "use \",\", \";\" or \"\\t\"");
    }
    if !crm.kind.is_empty() && crm.tables.is_empty() {
        findings.add("crm.tables", "is empty, and `crm.kind` is not", "name a table with [[crm.tables]]");
    }
}

fn access(config: &Config, findings: &mut Findings<'_>) {
    let access = &config.access;
    if access.users_file.as_os_str().is_empty() {
        findings.add("access.users_file", "is empty", "name the file with the users, such as \"secrets/users.toml\"");
    }
    for (value, role) in &access.oidc_roles {
        if let Err(unknown) = role.parse::<holdfast_access::Role>() {
            findings.add(&format!("access.oidc_roles.{value}"), format!("gives an {unknown}"), "give one of these");
        }
    }
    if access.oidc_issuer.is_empty() {
        return;
    }
    let needed = [
        ("access.oidc_audience", &access.oidc_audience),
        ("access.oidc_jwks_url", &access.oidc_jwks_url),
        ("access.oidc_user_claim", &access.oidc_user_claim),
        ("access.oidc_role_claim", &access.oidc_role_claim),
    ];
    for (key, value) in needed {
        if value.is_empty() {
            findings.add(key, "is empty, and `access.oidc_issuer` is not", "give it a value, or empty the issuer");
        }
    }
    let url = &access.oidc_jwks_url;
    // Without TLS, an attacker on the network could send keys of their own, and forge tokens of any user.
    let is_local = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|start| url.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
    if !url.is_empty() && !url.starts_with("https://") && !is_local {
        findings.add("access.oidc_jwks_url", format!("is {url:?}"), "begin it with https://");
    }
    if access.oidc_roles.is_empty() {
        findings.add("access.oidc_roles", "is empty, so every token is refused", "map a value of the claim to a role");
    }
}

fn archive(config: &Config, findings: &mut Findings<'_>) {
    let archive = &config.archive;
    if archive.url.trim().is_empty() {
        findings.add("archive.url", "is empty", "name a folder or a URL such as s3://bucket/prefix");
    } else if let Some((scheme, rest)) = archive.url.split_once("://") {
        if !SCHEMES.contains(&scheme) {
            findings.add(
                "archive.url",
                format!("has the unknown scheme {scheme:?}"),
                "use a folder, or a URL that begins with s3://, gs:// or az://",
            );
        } else if rest.is_empty() {
            findings.add("archive.url", "names no bucket", "write it as s3://bucket/prefix");
        }
    }
    findings.within("archive.flush_rows", archive.flush_rows as u64, 1, 10_000_000);
    findings.within("archive.flush_bytes", archive.flush_bytes as u64, 1 << 16, 4 << 30);
    findings.within("archive.flush_interval_seconds", archive.flush_interval_seconds, 1, 3600);
    no_inline_secrets("archive.options", archive.options.keys(), findings);
}

fn kafka(config: &Config, findings: &mut Findings<'_>) {
    let kafka = &config.kafka;
    for broker in kafka.brokers.split(',').filter(|_| !kafka.brokers.is_empty()) {
        let is_valid = broker
            .trim()
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0));
        if !is_valid {
            findings.add(
                "kafka.brokers",
                format!("contains {broker:?}, which is not a host and a port"),
                "write it as \"host:9092,other:9092\", or \"\" for the built-in broker",
            );
        }
    }
    let topics = [
        ("kafka.events_topic", &kafka.events_topic),
        ("kafka.recordings_topic", &kafka.recordings_topic),
        ("kafka.alerts_topic", &kafka.alerts_topic),
    ];
    let mut seen = BTreeSet::new();
    for (key, topic) in topics {
        let letters = topic.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
        if topic.is_empty() || topic.len() > 249 || !letters || matches!(topic.as_str(), "." | "..") {
            findings.add(
                key,
                format!("is {topic:?}, which Kafka does not allow"),
                "use up to 249 letters, digits, dots, underscores and hyphens",
            );
        } else if !seen.insert(topic) {
            findings.add(key, format!("is {topic:?} like another topic"), "give each topic a name of its own");
        }
    }
    if kafka.group.is_empty() {
        findings.add("kafka.group", "is empty", "name the group, for instance \"holdfast-archiver\"");
    }
    if !(1..=1000).contains(&kafka.partitions) {
        findings.add("kafka.partitions", format!("is {}", kafka.partitions), "give it a value from 1 to 1000");
    }
    if kafka.replication != -1 && !(1..=100).contains(&kafka.replication) {
        findings.add(
            "kafka.replication",
            format!("is {}", kafka.replication),
            "give it a value from 1 to 100, or -1 for the cluster's default",
        );
    }
    findings.within("kafka.queue_bytes", kafka.queue_bytes as u64, 1 << 20, 2 << 30);
    findings.within("kafka.delivery_timeout_seconds", kafka.delivery_timeout_seconds, 1, 900);
    no_inline_secrets("kafka.settings", kafka.settings.keys(), findings);
    for name in kafka.settings.keys().chain(kafka.settings_files.keys()) {
        if let Some((_, reason)) = MANAGED_KAFKA_SETTINGS.iter().find(|(managed, _)| managed == name) {
            findings.add(&format!("kafka.settings.{name}"), format!("cannot be set: {reason}"), "remove it");
        }
    }
}

/// Refuses secrets in the configuration file, because such files are often committed to repositories.
fn no_inline_secrets<'k>(table: &str, names: impl Iterator<Item = &'k String>, findings: &mut Findings<'_>) {
    for name in names.filter(|name| is_secret_name(name)) {
        findings.add(
            &format!("{table}.{name}"),
            "is a secret in plain text",
            format!("put it into a file and name that under [{table}_files]: \"{name}\" = \"secrets/FILE\""),
        );
    }
}

fn servers(config: &Config, findings: &mut Findings<'_>) {
    let gateway = &config.gateway;
    findings.within("gateway.max_event_bytes", gateway.max_event_bytes as u64, 1024, 1 << 30);
    findings.within("gateway.max_batch_bytes", gateway.max_batch_bytes as u64, 1024, 1 << 30);
    findings.within("gateway.max_chunk_bytes", gateway.max_chunk_bytes as u64, 1024, 1 << 30);
    findings.within("gateway.max_in_flight", gateway.max_in_flight as u64, 1, 10_000_000);
    findings.within("gateway.max_in_flight_bytes", gateway.max_in_flight_bytes as u64, 1 << 20, 64 << 30);
    findings.within("gateway.max_connections", gateway.max_connections as u64, 2, 1_000_000);
    tls_pair("gateway", &gateway.tls_certificate_file, &gateway.tls_key_file, findings);
    if gateway.client_ca_file.get().is_some() && gateway.tls_certificate_file.get().is_none() {
        findings.add(
            "gateway.client_ca_file",
            "is for TLS, and the gateway has no certificate",
            "name `gateway.tls_certificate_file` and `gateway.tls_key_file`, or empty it",
        );
    }
    findings.within("gateway.retry_after_seconds", gateway.retry_after_seconds, 1, 3600);
    if gateway.max_event_bytes > gateway.max_batch_bytes {
        findings.add(
            "gateway.max_event_bytes",
            "is more than `gateway.max_batch_bytes`",
            "a batch must have room for one event: raise the one or lower the other",
        );
    }
    let largest = gateway.max_chunk_bytes.max(gateway.max_batch_bytes);
    if gateway.max_in_flight_bytes < largest {
        findings.add(
            "gateway.max_in_flight_bytes",
            format!("is less than one request may contain ({largest})"),
            "raise it, or lower gateway.max_batch_bytes and gateway.max_chunk_bytes",
        );
    }
    if config.kafka.brokers.is_empty() && gateway.listen == config.broker.listen && gateway.listen.0.port() != 0 {
        findings.add("gateway.listen", "is also the address of the built-in broker", "give them different ports");
    }
    if config.query.listen == gateway.listen && gateway.listen.0.port() != 0 {
        findings.add("query.listen", "is also the address of the gateway", "give them different ports");
    }
    findings.within("shutdown.limit_seconds", config.shutdown.limit_seconds, 1, 3600);
    if let Err(error) = parse_level(&config.log.level) {
        findings.add(
            "log.level",
            format!("is not a level: {error}"),
            "write \"info\", or \"info,holdfast_ingest=debug\"",
        );
    }
}

fn tls_pair(section: &str, certificate: &OptionalPath, key: &OptionalPath, findings: &mut Findings<'_>) {
    if certificate.get().is_some() != key.get().is_some() {
        findings.add(
            &format!("{section}.tls_certificate_file"),
            format!("and `{section}.tls_key_file` belong together, and one of them is empty"),
            "name both files, or none",
        );
    }
}

/// Refuses plain HTTP where other machines reach it, because it carries tokens, passwords and what is archived.
fn plain_http(
    section: &str,
    listen: Listen,
    certificate: &OptionalPath,
    require_tls: bool,
    findings: &mut Findings<'_>,
) {
    if require_tls && certificate.get().is_none() && !listen.0.ip().to_canonical().is_loopback() {
        findings.add(
            &format!("{section}.listen"),
            "is an address that other machines reach, and no TLS certificate is configured",
            format!(
                "name one with `{section}.tls_certificate_file` and `{section}.tls_key_file` (`holdfast keys tls` makes a \
                 self-signed pair), listen on a loopback address, or set `{section}.require_tls` to false, if a proxy in \
                 front encrypts"
            ),
        );
    }
}

fn holders(config: &Config, findings: &mut Findings<'_>) {
    let mut names = BTreeSet::new();
    for holder in &config.keys.holders {
        let name = &holder.name;
        if name.is_empty() || !names.insert(name) {
            findings.add(
                "keys.holders",
                format!("has the name {name:?} twice or empty"),
                "give each holder a name of their own",
            );
        }
        if let Err(reason) = holder.recipient.parse::<age::x25519::Recipient>() {
            findings.add(
                "keys.holders",
                format!("has no usable recipient for {name:?}: {reason}"),
                "write the public key that `age-keygen -y` prints; it begins with age1",
            );
        }
        if holder.tiers.is_empty() {
            findings.add(
                "keys.holders",
                format!("gives {name:?} no tier"),
                "list operational, personal or content, or remove the holder",
            );
        }
    }
}
