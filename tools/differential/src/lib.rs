//! Holdfast beside a real PostgreSQL with the same rows: what the differential test runs on.
//!
//! ```text
//! generated tables ──▶ PostgreSQL, schema d        Holdfast, schema d (Arrow tables of an extension) ◀── generated tables
//! demo's events ─────▶ archive in memory ─▶ Holdfast, schemas archive and crm ─▶ copied into PostgreSQL by their answers
//! ```
//!
//! The comparison itself, the generator and the written statements are in `holdfast_testkit::differential`.

#![forbid(unsafe_code)]

mod archive;
mod subject;

pub use subject::{Subject, USER};

use anyhow::Context;
use holdfast_testkit::Error;
use holdfast_testkit::differential::client::{Answer, Client};
use holdfast_testkit::differential::data::tables;
use holdfast_testkit::differential::statement::Statement;
use holdfast_testkit::differential::{Copied, Judge, Sides};

/// The seed of the rows. It is not that of the statements, so that a statement's number means the same for every run.
const ROWS_SEED: u64 = 7;

/// Both servers.
pub struct Pair {
    judge: Judge,
    subject: Subject,
    copied: Vec<Copied>,
}

impl Pair {
    /// Starts both, with the same rows. `None` if PostgreSQL is not installed, and why.
    ///
    /// # Errors
    ///
    /// If one of them does not start, or they do not take the rows.
    pub async fn start() -> anyhow::Result<Result<Self, Error>> {
        let tables = tables(ROWS_SEED);
        let judge = match Judge::start(&tables, USER).await {
            Ok(judge) => judge,
            Err(error @ Error::Unavailable { .. }) => return Ok(Err(error)),
            Err(error) => return Err(error).context("start PostgreSQL with the tables"),
        };
        let subject = Subject::start(&tables).await?;
        let copied = judge.copy(&subject.address(), &["archive", "crm"]).await.context("copy the archive's rows")?;
        Ok(Ok(Self { judge, subject, copied }))
    }

    /// Where they answer.
    #[must_use]
    pub fn sides(&self) -> Sides {
        Sides { theirs: self.judge.address(), reordered: self.judge.reordered(), ours: self.subject.address() }
    }

    /// What was copied from the archive.
    #[must_use]
    pub fn copied(&self) -> &[Copied] {
        &self.copied
    }

    /// The versions that both tell: PostgreSQL's without what Debian adds, and Holdfast's.
    ///
    /// # Errors
    ///
    /// If one of them tells none.
    pub async fn versions(&self) -> anyhow::Result<(String, String)> {
        let Sides { theirs, ours, .. } = self.sides();
        let mut versions = Vec::new();
        for address in [theirs, ours] {
            let answer = Client::new(address).answer(&Statement::plain("SHOW server_version")).await;
            let Answer::Rows { rows, .. } = answer else { anyhow::bail!("no version: {answer:?}") };
            let version = rows.into_iter().flatten().flatten().next().context("no row with a version")?;
            versions.push(version.split(' ').next().unwrap_or_default().to_owned());
        }
        let ours = versions.pop().unwrap_or_default();
        Ok((versions.pop().unwrap_or_default(), ours))
    }
}
