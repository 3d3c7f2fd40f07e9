//! `holdfast verify`

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use chrono::Utc;
use clap::Args;
use holdfast_archive::keys::Unlocker;
use holdfast_archive::verify::{Finding, Progress, Report, Scope, Verification};
use holdfast_events::Timestamp;
use holdfast_proof::note::TrustedKeys;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use super::runtime::block_on;
use super::session_context::Session;
use crate::config::Settings;
use crate::logging::colours_wanted;
use crate::render::text::{bytes, count};
use crate::wiring::{archive, identities, proof};

/// Event ids that are printed for one finding.
const MAX_EVENTS_SHOWN: usize = 5;

/// Check that the archive holds exactly what was acknowledged: nothing changed, removed, added or moved.
///
/// Needs the log's public key, and the keys of all tiers to read rows and recordings. Without the keys it checks
/// digests, counts and the proof log, and lists what it did not check. Exit code 0 when everything is intact, 1 when
/// there are findings.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    config: ConfigArguments,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Use no identity: check only what can be checked without decryption
    #[arg(long, conflicts_with = "identity")]
    without_keys: bool,
    /// File with the log's public keys [default: proof.public_keys_file]
    #[arg(long, value_name = "FILE")]
    public_keys: Option<PathBuf>,
    /// A checkpoint that was verified before: of what it covers, only the consistency with the log is checked
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Only this retention class
    #[arg(long)]
    class: Option<String>,
    /// Only this date and later ones
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    from: Option<String>,
    /// Only this date and earlier ones
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    to: Option<String>,
    /// Only about this percentage of the dates, selected at random
    #[arg(long, value_name = "PERCENT", value_parser = percentage)]
    sample: Option<f64>,
    /// Seed of the sample: the same seed selects the same dates
    #[arg(long, value_name = "NUMBER", requires = "sample")]
    seed: Option<u64>,
    /// Write the verified checkpoint to this file, for --since next time
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

fn date(text: &str) -> Result<String, String> {
    let parsed = Timestamp::parse(&format!("{text}T00:00:00Z")).map_err(|_| "write it as 2026-01-31".to_owned())?;
    Ok(parsed.date_text())
}

fn percentage(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim_end_matches('%').parse().map_err(|_| "write it as a number".to_owned())?;
    if number > 0.0 && number <= 100.0 { Ok(number) } else { Err("give a percentage between 0 and 100".to_owned()) }
}

impl Verify {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let settings = self.config.load()?;
        session.start_quiet_log(&settings);
        let report = block_on(self.verify(&settings, session))?;
        if self.json {
            print_json(&report)?;
        } else {
            print(&describe(&report, colours_wanted()))?;
        }
        Ok(if report.intact { Outcome::Success } else { Outcome::Found })
    }

    async fn verify(&self, settings: &Settings, session: &Session) -> anyhow::Result<Report> {
        let archive = archive::open(settings)?;
        let keys = match &self.public_keys {
            Some(path) => read_keys(path)?,
            None => proof::trusted_keys(settings)?,
        };
        let found = if self.without_keys { Vec::new() } else { identities::load(settings, &self.identity)? };
        let (mirrors, witnesses) = (proof::mirrors(settings)?, proof::witness_keys(settings)?);
        let since = self.since.as_ref().map(|path| {
            std::fs::read_to_string(path).with_context(|| format!("read the checkpoint {}", path.display()))
        });
        let seed = self.seed.unwrap_or_else(rand::random);
        let scope = Scope {
            class: self.class.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            since: since.transpose()?,
            sample: self.sample.map(|percent| (percent / 100.0, seed)),
        };
        let threads = match settings.config.query.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            threads => threads,
        };
        let verification = Verification {
            archive: &archive,
            keys: &keys,
            unlocker: Arc::new(Unlocker::new(archive.clone(), found)),
            mirrors: &mirrors,
            witnesses: &witnesses,
            scope,
            parallelism: threads,
            now: Timestamp(Utc::now().timestamp_micros()),
        };
        let bar = Mutex::new(session.bars.open_ended("reading the logs", ""));
        let progress = |step| {
            let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
            match step {
                Progress::Records(total) => *bar = session.bars.of(total, "verifying", "records"),
                Progress::Done(records) => bar.add(records),
            }
        };
        let mut report = verification.run(progress).await?;
        drop(bar);
        if self.sample.is_some() {
            report.notices.push(format!("the sample was selected with --seed {seed}"));
        }
        if let Some(path) = &self.save {
            save(&archive, &report, path).await?;
        }
        Ok(report)
    }
}

pub(super) fn read_keys(path: &std::path::Path) -> anyhow::Result<TrustedKeys> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read the public keys {}", path.display()))?;
    TrustedKeys::parse(&text).with_context(|| format!("{} is not usable", path.display()))
}

/// Writes the checkpoint that was verified.
async fn save(archive: &holdfast_archive::Archive, report: &Report, path: &std::path::Path) -> anyhow::Result<()> {
    use object_store::ObjectStoreExt as _;
    if !report.intact {
        bail!("the checkpoint was not written to {}, because the archive is not intact", path.display());
    }
    let note = archive.store().get(&holdfast_archive::paths::proof_checkpoint()).await?.bytes().await?;
    std::fs::write(path, note).with_context(|| format!("write {}", path.display()))
}

fn describe(report: &Report, colours: bool) -> String {
    let (red, green, plain) = if colours { ("\x1b[1;31m", "\x1b[1;32m", "\x1b[0m") } else { ("", "", "") };
    let mut text = String::new();
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<14}{value}\n"));
    line("log", report.origin.clone());
    line("checkpoint", format!("{} leaves, root {}", count(report.size), report.root));
    for witness in &report.witnesses {
        line("cosigned by", witness.clone());
    }
    let checked = &report.checked;
    line(
        "checked",
        format!(
            "{} records in {} batches, {} files, {}",
            count(checked.records),
            count(checked.batches),
            count(checked.files),
            bytes(checked.bytes)
        ),
    );
    line(
        "",
        format!(
            "{} entries of the Delta logs, {} tiles, {} checkpoints",
            count(checked.entries),
            count(checked.tiles),
            count(checked.checkpoints)
        ),
    );
    if checked.objects > 0 {
        line("", format!("{} chunks in {} objects of recordings", count(checked.chunks), count(checked.objects)));
    }
    for (partition, account) in &report.offsets {
        let mut parts = vec![format!("{} archived", count(account.archived))];
        let mut part = |number: u64, what: &str| {
            if number > 0 {
                parts.push(format!("{} {what}", count(number)));
            }
        };
        part(account.dead_letters, "dead letters");
        part(account.disposed, "disposed of");
        for (why, number) in &account.skipped {
            part(*number, &format!("not delivered ({})", why.replace('_', " ")));
        }
        part(account.missing, "MISSING");
        line("offsets", format!("{partition} {} to {}: {}", account.first, account.next, parts.join(", ")));
    }
    for notice in &report.notices {
        line("note", notice.clone());
    }
    for what in &report.not_checked {
        line("not checked", what.clone());
    }
    text.push('\n');
    for finding in &report.findings {
        text.push_str(&format!("{red}{}{plain}\n", finding.what));
        text.push_str(&details(finding));
    }
    match (report.intact, report.not_checked.is_empty()) {
        (true, true) => text.push_str(&format!("{green}Intact.{plain}\n")),
        (true, false) => text.push_str(&format!("{green}What was checked is intact.{plain}\n")),
        (false, _) => text.push_str(&format!("{red}Not intact: {} findings.{plain}\n", report.findings.len())),
    }
    text
}

fn details(finding: &Finding) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.push_str(&format!("    {name:<10}{value}\n"));
    if let Some(file) = &finding.file {
        line("in", file);
    }
    if let (Some(topic), Some(partition), Some((first, end))) = (&finding.topic, finding.partition, finding.offsets) {
        let offsets =
            if end - first <= 1 { format!("offset {first}") } else { format!("offsets {first} to {}", end - 1) };
        line("at", &format!("{topic} partition {partition}, {offsets}"));
    }
    if !finding.events.is_empty() {
        let named = finding.events.iter().take(MAX_EVENTS_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let more = finding.events.len().saturating_sub(MAX_EVENTS_SHOWN);
        line("events", &if more > 0 { format!("{named} and {more} more") } else { named });
    }
    if let Some(expected) = &finding.expected {
        line("expected", expected);
    }
    if let Some(found) = &finding.found {
        line("found", found);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_dates_and_percentages_are_refused() {
        assert_eq!(date("2026-01-31"), Ok("2026-01-31".to_owned()));
        assert!(date("2026-02-31").is_err() && date("yesterday").is_err());
        assert_eq!(percentage("12.5%"), Ok(12.5));
        assert!(percentage("0").is_err() && percentage("101").is_err() && percentage("x").is_err());
    }

    #[test]
    fn a_report_ends_with_its_verdict() {
        let report = Report { intact: true, ..Report::default() };
        assert!(describe(&report, false).ends_with("\nIntact.\n"));
        let report = Report { intact: true, not_checked: vec!["rows".to_owned()], ..Report::default() };
        assert!(describe(&report, false).ends_with("What was checked is intact.\n"));
    }
}
