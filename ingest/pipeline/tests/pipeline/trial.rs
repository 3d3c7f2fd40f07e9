//! Generated messages on the whole way from a message to a commit, without Kafka. The fuzz target `message` includes
//! this file and `proof.rs`.

use holdfast_archive::keys::{Holder, KeyRing};
use holdfast_archive::{Archive, Location, Table};
use holdfast_events::Tier;
use holdfast_ingest::archiver::{ArchiverSettings, archive_messages};
use holdfast_ingest::gateway::system_clock;
use holdfast_testkit::choices::Choices;
use holdfast_testkit::messages::messages;
use object_store::memory::InMemory;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

use crate::proof;

/// What all cases share.
pub(crate) struct Trial {
    runtime: Runtime,
    officer: age::x25519::Identity,
}

/// How the messages of one case were archived.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Filed {
    pub(crate) events: u64,
    pub(crate) dead_letters: u64,
}

impl Trial {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        Self { runtime, officer: age::x25519::Identity::generate() }
    }

    /// Archives the messages that `choices` make in an empty archive. Each is an event or a dead letter afterwards, the
    /// offsets are behind the last one, and the archive is intact.
    pub(crate) fn archive(&self, choices: &mut Choices<'_>) -> Filed {
        let location = Location { url: "memory:///".parse().expect("a URL"), store: Arc::new(InMemory::new()) };
        let archive = Archive::new(location);
        let holder =
            Holder { name: "compliance".to_owned(), recipient: self.officer.to_public(), tiers: Tier::ALL.to_vec() };
        let ring = KeyRing::new(Arc::clone(archive.store()), vec![holder]).expect("there is a holder");
        let settings = ArchiverSettings {
            flush_rows: *choices.one_of(&[1, 2, 7, 1_000]),
            flush_bytes: *choices.one_of(&[1 << 20, 1, 400]),
            signing_key: Some(proof::signing_key()),
            ..ArchiverSettings::default()
        };
        let messages = messages(choices);
        let mut next = BTreeMap::new();
        for message in &messages {
            use rdkafka::Message as _;
            next.insert((message.topic().to_owned(), message.partition()), message.offset() + 1);
        }
        {
            let _context = self.runtime.enter();
            archive_messages(settings, archive.clone(), Arc::new(ring), system_clock(), &messages)
                .expect("every message is archived");
        }
        self.runtime.block_on(async {
            let filed = Filed {
                events: rows(&archive, Table::Events).await,
                dead_letters: rows(&archive, Table::DeadLetters).await,
            };
            assert_eq!(filed.events + filed.dead_letters, messages.len() as u64, "{filed:?}");
            assert_eq!(archive.table(Table::Events).offsets().await.expect("the log is readable"), next);
            proof::verify(&archive, &self.officer).await;
            filed
        })
    }
}

async fn rows(archive: &Archive, table: Table) -> u64 {
    let snapshot = archive.table(table).snapshot().await.expect("the log is readable");
    snapshot.files.iter().map(|file| file.rows).sum()
}
