//! `holdfast prove` and `holdfast verify-proof`

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type};
use clap::Args;
use holdfast_archive::proof::{RecordPlace, prove};
use holdfast_archive::{Archive, Table};
use holdfast_proof::bundle::EventProof;
use holdfast_query::{AccessKind, AccessRecord, Reader, Reads};
use serde::Serialize;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use super::runtime::block_on;
use super::session_context::Session;
use super::verify::read_keys;
use crate::config::Settings;
use crate::wiring::job::{Job, done};
use crate::wiring::query::literal;
use crate::wiring::{archive, proof, query, users_file};

/// Write a small file that proves that an event is in the archive, unchanged.
///
/// `holdfast verify-proof` checks the file with the log's public key, without the archive. The file contains the event.
#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// The event's id
    event: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// The event's source, if several sources have an event with this id
    #[arg(long)]
    source: Option<String>,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// The purpose of this access, for its record in the audit trail
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// File for the proof, which only you can read (mode 0600) [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Check the proof of an event, offline, with only the log's public key.
#[derive(Debug, Args)]
pub(crate) struct VerifyProof {
    /// The file that `holdfast prove` wrote
    file: PathBuf,
    /// File with the log's public keys, as `holdfast init` writes secrets/signing.pub
    #[arg(long, value_name = "FILE")]
    public_keys: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

impl Prove {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let settings = self.config.load()?;
        session.start_quiet_log(&settings);
        let proof = block_on(async {
            let _progress = session.bars.open_ended("proving", "");
            let archive = archive::open(&settings)?;
            let caller = query::open(&settings, archive.clone(), &self.identity)?;
            let job = Job::for_access_records(&settings, &session.bars).await?;
            let reader = query::local_reader(&settings, caller, &job.kafka)?;
            let record = async {
                let proof = self.prove(&settings, &archive, &reader).await;
                // Closes the reader's connection to Kafka before the broker stops.
                drop(reader);
                proof
            };
            done(job.run(record).await?)
        })?;
        let text = proof.to_json();
        match &self.out {
            // The proof has the whole event.
            Some(path) => users_file::write_secret(path, &text)?,
            None => print(&text)?,
        }
        Ok(Outcome::Success)
    }

    async fn prove(&self, settings: &Settings, archive: &Archive, reader: &Reader) -> anyhow::Result<EventProof> {
        let keys = proof::trusted_keys(settings)?;
        let statement = format!("proof of event {}", self.event);
        let (kind, purpose, reads) = (AccessKind::Exported, self.purpose.clone(), Reads::everything());
        let access = reader.begin(AccessRecord { kind, statement, purpose, reads }).await?;
        let caller = reader.session();
        let of_source = self.source.as_ref().map(|source| format!(" AND source = {}", literal(source)));
        let statement = format!(
            "SELECT class, date, kafka_topic, kafka_partition, kafka_offset, source, subject FROM archive.events WHERE id = {}{} \
             ORDER BY archived_at, kafka_offset",
            literal(&self.event),
            of_source.unwrap_or_default()
        );
        let rows = caller.sql(&statement).await?.collect().await?;
        let found: Vec<FoundEvent> = rows.iter().flat_map(found_events).collect();
        // If the event has duplicates, the row that was archived first is proven.
        let Some(event) = found.first() else {
            access.end(0, 0, None).await;
            bail!("there is no event with the id `{}` in the archive", self.event);
        };
        if let Some(other) = found.iter().find(|other| other.source != event.source) {
            access.end(0, 0, None).await;
            bail!(
                "several sources have an event with this id, {} and {} among them; name one with --source",
                event.source,
                other.source
            );
        }
        let proof = prove(archive, &keys, caller.unlocker(), &event.place).await?;
        access.end(1, 0, [event.subject.as_str()]).await;
        Ok(proof)
    }
}

/// A row with the event's id.
struct FoundEvent {
    place: RecordPlace,
    source: String,
    subject: String,
}

/// Reads rows with the columns class, date, kafka_topic, kafka_partition, kafka_offset, source, subject.
fn found_events(rows: &RecordBatch) -> Vec<FoundEvent> {
    let text = |column: usize, row: usize| rows.column(column).as_string_view().value(row).to_owned();
    (0..rows.num_rows())
        .map(|row| {
            let place = RecordPlace {
                table: Table::Events,
                class: text(0, row),
                date: rows.column(1).as_primitive::<Date32Type>().value(row),
                topic: text(2, row),
                partition: rows.column(3).as_primitive::<Int32Type>().value(row),
                offset: rows.column(4).as_primitive::<Int64Type>().value(row),
            };
            FoundEvent { place, source: text(5, row), subject: text(6, row) }
        })
        .collect()
}

/// The content of a proof that verifies.
#[derive(Debug, Serialize)]
struct Proven {
    valid: bool,
    /// The log's name.
    log: String,
    /// Leaves and root of the checkpoint.
    size: u64,
    root: String,
    class: String,
    date: String,
    kafka_topic: String,
    kafka_partition: i32,
    kafka_offset: i64,
    /// The event's attributes and payload.
    event: serde_json::Value,
}

impl VerifyProof {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let keys = read_keys(&self.public_keys)?;
        let file = std::fs::read(&self.file).with_context(|| format!("read {}", self.file.display()))?;
        let proof = EventProof::parse(&file).with_context(|| format!("{} is not a proof", self.file.display()))?;
        let verified = proof.verify(&keys).context("the proof does not verify")?;
        let record = holdfast_archive::proof::read_record(&proof.record);
        let record = record.context("the proven record is not an event")?;
        let proven = Proven {
            valid: true,
            log: verified.checkpoint.origin.clone(),
            size: verified.checkpoint.size,
            root: verified.checkpoint.root.to_string(),
            class: verified.batch.class,
            date: verified.batch.date,
            kafka_topic: verified.batch.topic,
            kafka_partition: verified.batch.partition,
            kafka_offset: record.offset,
            event: record.event,
        };
        if self.json {
            print_json(&proven)?;
        } else {
            print(&proven.describe())?;
        }
        Ok(Outcome::Success)
    }
}

impl Proven {
    fn describe(&self) -> String {
        let mut text = format!(
            "The proof is valid. The log {} of {} leaves has this event:\n\n  {:<17}{} partition {}, offset {}\n  {:<17}{}, {}\n",
            self.log,
            self.size,
            "kafka",
            self.kafka_topic,
            self.kafka_partition,
            self.kafka_offset,
            "class, date",
            self.class,
            self.date
        );
        for (name, value) in self.event.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!("  {name:<17}{value}\n"));
        }
        text
    }
}
