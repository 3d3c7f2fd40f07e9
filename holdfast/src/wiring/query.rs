//! SQL for the commands of the command line.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use holdfast_archive::Archive;
use holdfast_ingest::gateway::system_clock;
use holdfast_ingest::kafka::KafkaSettings;
use holdfast_ingest::producer::KafkaProducer;
use holdfast_query::{
    AuthenticatedUser, FooterCache, Interface, Reader, Session, SessionOptions, Spill, StatementRuntime, WithoutRecord,
};

use super::audit_trail::KafkaAuditTrail;
use super::{crm, identities};
use crate::config::Settings;

/// A session over `archive` with the identities in the `named` files, or those in `keys.identities_dir`.
pub(crate) fn open(settings: &Settings, archive: Archive, named: &[PathBuf]) -> anyhow::Result<Session> {
    let identities = identities::load(settings, named)?;
    if identities.is_empty() {
        let folder = settings.resolve(&settings.config.keys.identities_dir);
        tracing::warn!(folder = %folder.display(), "found no identity to read with; name one with --identity");
    }
    Ok(Session::new(options(settings, archive, identities)?)?)
}

/// The options of a session, with the threads of its statements.
pub(crate) fn options(
    settings: &Settings,
    archive: Archive,
    identities: Vec<age::x25519::Identity>,
) -> anyhow::Result<SessionOptions> {
    let query = &settings.config.query;
    let mut options = SessionOptions::new(archive, identities);
    options.memory_limit = query.memory_bytes;
    options.footers = Arc::new(FooterCache::new(query.footer_cache_bytes));
    if query.threads > 0 {
        options.parallelism = query.threads;
    }
    options.concurrent_statements = match query.concurrent_statements {
        0 => 2 * options.parallelism,
        some => some,
    };
    let runtime = StatementRuntime::new(options.parallelism).context("start the threads of statements")?;
    options.runtime = Some(Arc::new(runtime));
    options.extensions.extend(crm::extension(settings)?);
    if let Some(folder) = query.spill_dir.get() {
        // The first spill creates the folder.
        options.spill = Spill::Encrypted { directory: settings.resolve(folder), limit: query.spill_bytes };
    }
    Ok(options)
}

/// The reader for a command: the user of the operating system, with the role `local` and the interface `cli`.
pub(crate) fn local_reader(settings: &Settings, session: Session, kafka: &KafkaSettings) -> anyhow::Result<Reader> {
    let producer = KafkaProducer::new(kafka).context("prepare the Kafka producer for access records")?;
    let timeout = kafka.delivery_timeout;
    let audit_trail = KafkaAuditTrail::new(Arc::new(producer), kafka.events_topic.clone(), system_clock(), timeout);
    let name =
        ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    let name = name.unwrap_or_else(|| {
        // The owner of `/proc/self` is the user of this process.
        std::fs::metadata("/proc/self")
            .map_or_else(|_| "unknown".to_owned(), |process| format!("uid {}", process.uid()))
    });
    let user = AuthenticatedUser { name, role: "local".to_owned(), interface: Interface::CommandLine, remote: None };
    Ok(Reader::new(session, user, Arc::new(audit_trail), without_record(settings)))
}

/// What happens when an access record cannot be written.
pub(crate) fn without_record(settings: &Settings) -> WithoutRecord {
    if settings.config.query.answer_aggregates_without_record {
        WithoutRecord::AnswerAggregates
    } else {
        WithoutRecord::Refuse
    }
}

/// A text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_a_literal_are_doubled() {
        assert_eq!(literal("s-1"), "'s-1'");
        assert_eq!(literal("'; select 1 --"), "'''; select 1 --'");
    }
}
