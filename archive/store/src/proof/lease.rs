//! The lease of the one process that integrates, by conditional puts alone.
//!
//! ```text
//! proof/lease/00000007    {"holder":"...","until":"2026-..."}    rewritten by its holder to renew it
//! proof/lease/00000008    created (If-None-Match) by a process that finds 7 expired: 7 is lost
//! ```
//!
//! The lease saves work and prevents an older checkpoint from replacing a newer one. It is not needed to prevent a
//! fork, because the leaves and their order follow from the Delta logs alone.

use super::entry::get;
use crate::error::ArchiveError;
use crate::paths;
use holdfast_events::Timestamp;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    holder: String,
    until: String,
}

/// A process's lease to integrate.
#[derive(Debug)]
pub(crate) struct Lease {
    store: Arc<dyn ObjectStore>,
    holder: String,
    length: Duration,
    /// The lease of this process, and its end.
    held: Option<(u64, Timestamp)>,
}

impl Lease {
    /// `holder` is unique to the process.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, holder: String, length: Duration) -> Self {
        Self { store, holder, length, held: None }
    }

    /// Takes or renews the lease. `false` when another process has it.
    pub(crate) async fn keep(&mut self, now: Timestamp) -> Result<bool, ArchiveError> {
        let newest = self.newest().await?;
        if let Some((number, until)) = self.held {
            if newest == Some(number) {
                // Renewed after half of its length, so that most rounds write nothing.
                if now.0 + self.micros() / 2 >= until.0 {
                    self.write(number, now, PutMode::Overwrite).await?;
                }
                return Ok(true);
            }
            self.held = None;
        }
        let next = match newest {
            None => 1,
            Some(number) => match self.claim(number).await? {
                Some(claim) if claim.holder != self.holder && !is_expired(&claim, now) => return Ok(false),
                _ => number + 1,
            },
        };
        if !self.write(next, now, PutMode::Create).await? {
            return Ok(false);
        }
        // Only the newest lease counts.
        if let Some(before) = newest {
            let _ = self.store.delete(&paths::proof_lease(before)).await;
        }
        Ok(true)
    }

    /// Whether this process still has the lease. Checked before it writes what only the holder may write.
    pub(crate) async fn is_held(&self) -> Result<bool, ArchiveError> {
        Ok(self.held.is_some() && self.newest().await? == self.held.map(|(number, _)| number))
    }

    /// Releases the lease, so that the next process need not wait.
    pub(crate) async fn release(&mut self) -> Result<(), ArchiveError> {
        if let Some((number, _)) = self.held.take() {
            let claim = Claim { holder: String::new(), until: Timestamp(0).to_string() };
            self.put(number, &claim, PutMode::Overwrite).await?;
        }
        Ok(())
    }

    fn micros(&self) -> i64 {
        i64::try_from(self.length.as_micros()).unwrap_or(i64::MAX)
    }

    async fn newest(&self) -> Result<Option<u64>, ArchiveError> {
        let folder = paths::proof_leases();
        let listed = self.store.list_with_delimiter(Some(&folder)).await;
        let listed = listed.map_err(|source| ArchiveError::Store { doing: format!("list {folder}"), source })?;
        Ok(listed.objects.iter().filter_map(|object| object.location.filename()?.parse().ok()).max())
    }

    async fn claim(&self, number: u64) -> Result<Option<Claim>, ArchiveError> {
        let bytes = get(self.store.as_ref(), &paths::proof_lease(number)).await?;
        // A claim that cannot be read has expired: its holder could not renew it.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    async fn write(&mut self, number: u64, now: Timestamp, mode: PutMode) -> Result<bool, ArchiveError> {
        let until = Timestamp(now.0.saturating_add(self.micros()));
        let claim = Claim { holder: self.holder.clone(), until: until.to_string() };
        let done = self.put(number, &claim, mode).await?;
        if done {
            self.held = Some((number, until));
        }
        Ok(done)
    }

    async fn put(&self, number: u64, claim: &Claim, mode: PutMode) -> Result<bool, ArchiveError> {
        let path = paths::proof_lease(number);
        let bytes = serde_json::to_vec(claim).expect("two texts are always JSON");
        match self.store.put_opts(&path, bytes.into(), PutOptions::from(mode)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(source) => Err(ArchiveError::Store { doing: format!("write {path}"), source }),
        }
    }
}

fn is_expired(claim: &Claim, now: Timestamp) -> bool {
    Timestamp::parse(&claim.until).map_or(true, |until| until < now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    const LENGTH: Duration = Duration::from_secs(30);
    const SECOND: i64 = 1_000_000;

    #[tokio::test]
    async fn one_process_has_the_lease_until_it_expires_or_is_released() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let lease = |holder: &str| Lease::new(Arc::clone(&store), holder.to_owned(), LENGTH);
        let (mut one, mut two) = (lease("one"), lease("two"));
        let at = |seconds: i64| Timestamp(1_795_000_000_000_000 + seconds * SECOND);
        assert!(one.keep(at(0)).await.unwrap());
        assert!(!two.keep(at(1)).await.unwrap());
        // Renewed in time, it lasts beyond its first end.
        assert!(one.keep(at(20)).await.unwrap());
        assert!(!two.keep(at(40)).await.unwrap());
        // Its holder was suspended: another process takes it, and the first one detects that.
        assert!(two.keep(at(60)).await.unwrap());
        assert!(!one.is_held().await.unwrap());
        assert!(!one.keep(at(61)).await.unwrap());
        two.release().await.unwrap();
        assert!(one.keep(at(62)).await.unwrap());
        assert!(one.is_held().await.unwrap());
    }
}
