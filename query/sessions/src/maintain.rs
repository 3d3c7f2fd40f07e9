//! Maintains the table `sessions`, a few seconds behind the events.
//!
//! ```text
//! round:    new events ─▶ fold ─▶ changed sessions ─▶ one small file a date ─▶ commit (files and offsets)
//!              └ a part of them at a time, each with a commit
//! compact:  many small files ─▶ newest of each session ─▶ merge with base files that have any of these ─▶ base files
//! rebuild:  all events ─▶ fold, one share of the sessions at a time ─▶ new base files ─┐
//!           events since ─▶ fold ─▶ small files ───────────────────────────────────────┴▶ replace all files, in one commit
//! ```
//!
//! Invariants:
//! - A commit stores with its files the offsets of the folded events. It succeeds only if the previous offsets are
//!   unchanged, so two maintainers cannot overwrite each other's rows.
//! - A file that is no longer part of the table is deleted after a grace period, so that running statements can finish
//!   reading it. The period begins with the commit, however long the process was suspended before it.
//! - What a process was about to read may be gone when it was suspended for longer than files of another version stay.
//!   It then begins again with what the logs say now.

use crate::error::SessionsError;
use crate::projection::{EVENTS_VERSION, Projection, Reached, hash_of, in_order};
use crate::state::{State, to_batch};
use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use holdfast_archive::keys::{KeyRing, Unlocker};
use holdfast_archive::segment::{Partition, Segment, SegmentKeys, SegmentWriter};
use holdfast_archive::{Advance, Archive, ArchiveError, Change, DataFile, Snapshot, Table, read};
use holdfast_events::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Versions of `events` that may be folded before their offset is committed, if no session changed.
const MAX_UNCOMMITTED_VERSIONS: i64 = 500;

/// Attempts of the commit of a rebuild, each lost to a process that maintains the table meanwhile. Between two commits
/// of such a process are seconds, and an attempt takes less.
const MAX_REBUILD_ATTEMPTS: u32 = 10;

/// After so long a file that was part of a table at the beginning may be gone.
const MAX_STANDSTILL: Duration = Duration::from_secs(10 * 60);

/// The current time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How the table is maintained.
#[derive(Debug, Clone)]
pub struct MaintainerSettings {
    /// The retention class of new files.
    pub class: String,
    /// More small files than this are compacted.
    pub max_small_files: usize,
    /// More sessions in small files than this are compacted.
    pub max_small_rows: usize,
    /// Maximum sessions in a base file.
    pub base_rows: usize,
    /// Events in memory at a time during a rebuild.
    pub rebuild_events: u64,
    /// Events that are folded before they are committed. More that wait are folded in parts of this size.
    pub fold_events: u64,
    /// How long files stay in the store after they were removed from the table.
    pub grace: Duration,
}

impl MaintainerSettings {
    /// The settings for a server.
    pub fn new(class: &str) -> Self {
        Self {
            class: class.to_owned(),
            max_small_files: 24,
            max_small_rows: 50_000,
            base_rows: 128 * 1024,
            rebuild_events: 3_000_000,
            fold_events: 500_000,
            grace: Duration::from_secs(600),
        }
    }
}

/// The result of a round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Sessions that changed.
    pub sessions: usize,
    /// Files that were replaced by base files.
    pub compacted: usize,
}

/// The result of a rebuild.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Events that were read.
    pub events: u64,
    /// Sessions of these events.
    pub sessions: u64,
}

/// Maintains the table. One process is enough.
pub struct Maintainer {
    projection: Projection,
    ring: Arc<KeyRing>,
    settings: MaintainerSettings,
    clock: Clock,
    /// When the round or the rebuild began: as the caller says, and by the clock.
    began: (Timestamp, Timestamp),
    /// Files to delete, and when they were removed from the table.
    removed: Vec<(DataFile, Timestamp)>,
}

impl Maintainer {
    /// `unlocker` decrypts all tiers, `ring` encrypts.
    pub fn new(archive: Archive, unlocker: Arc<Unlocker>, ring: Arc<KeyRing>, settings: MaintainerSettings) -> Self {
        let mut projection = Projection::new(archive, unlocker, true);
        projection.requires_all_tiers = true;
        let clock: Clock = Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        });
        let began = (Timestamp(0), Timestamp(0));
        Self { projection, ring, settings, clock, began, removed: Vec::new() }
    }

    /// With another clock than the system's, by which the maintainer measures how long it takes.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Folds new events, commits the changed sessions, and compacts if necessary. A backlog is folded in parts, each with
    /// its commit, so that it takes no more memory than one part, and so that what is done stays done.
    ///
    /// # Errors
    /// See [`SessionsError`]. After [`SessionsError::Conflict`] the next round starts from the other process's commit.
    pub async fn round(&mut self, now: Timestamp) -> Result<Round, SessionsError> {
        self.began = (now, (self.clock)());
        match self.try_round().await {
            Err(SessionsError::Archive(error)) if self.stood_still() => {
                self.begin_again(&error);
                self.try_round().await
            }
            other => other,
        }
    }

    async fn try_round(&mut self) -> Result<Round, SessionsError> {
        self.sweep(self.now()).await?;
        let mut round = Round::default();
        loop {
            let (_, events) = self.projection.reload().await?;
            let more = self.projection.fold_part(&events, self.settings.fold_events).await?;
            let reached = &self.projection.reached;
            let sessions = reached.unwritten.len();
            // If no session changed, the offset is still committed from time to time.
            let written = reached.written.get(&(EVENTS_VERSION.to_owned(), 0)).copied().unwrap_or_default();
            let ahead =
                reached.events.map_or(0, |version| i64::try_from(version).unwrap_or(i64::MAX).saturating_sub(written));
            if sessions > 0 || ahead > MAX_UNCOMMITTED_VERSIONS {
                self.write().await?;
                round.sessions += sessions;
            }
            let reached = &self.projection.reached;
            let is_due = reached.small.len() > self.settings.max_small_files
                || reached.small.iter().map(|file| file.rows as usize).sum::<usize>() > self.settings.max_small_rows;
            if is_due {
                round.compacted += self.compact().await?;
            }
            if !more {
                return Ok(round);
            }
        }
    }

    /// Commits the changed sessions.
    async fn write(&mut self) -> Result<(), SessionsError> {
        let reached = &self.projection.reached;
        let unwritten = reached.overlay.iter().filter(|(session, _)| reached.unwritten.contains(*session)).collect();
        let small = self.small_files(unwritten).await?;
        let segments: Vec<Segment> = small.iter().map(|(segment, _)| segment.clone()).collect();
        self.commit(&segments, &[]).await?;
        for (segment, states) in small {
            self.projection.cache(&segment.id, states);
        }
        self.projection.reload().await?;
        Ok(())
    }

    /// Writes small files with these sessions, one for each date.
    async fn small_files(
        &self,
        sessions: Vec<(&String, &State)>,
    ) -> Result<Vec<(Segment, Vec<(String, State)>)>, SessionsError> {
        let mut by_date: BTreeMap<i32, BTreeMap<&String, &State>> = BTreeMap::new();
        for (session, state) in sessions {
            by_date.entry(state.date()).or_default().insert(session, state);
        }
        let mut files = Vec::new();
        for (date, states) in by_date {
            let batch = to_batch(states.iter().map(|(session, state)| (*session, *state)))?;
            let segment = self.segment(date, &batch, false).await?;
            files.push((segment, states.iter().map(|(name, state)| ((*name).clone(), (*state).clone())).collect()));
        }
        Ok(files)
    }

    /// Replaces all small files by base files. Returns the number of replaced files.
    async fn compact(&mut self) -> Result<usize, SessionsError> {
        // The overlay now has the rows of the small files, and no others. After an error it is read again.
        let overlay = std::mem::take(&mut self.projection.reached.overlay);
        self.projection.reached.sessions = None;
        let base = self.projection.reached.base.clone();
        let hashes: Vec<u64> = overlay.keys().map(|session| hash_of(session)).collect();
        let mut by_date: BTreeMap<i32, HashMap<String, State>> = BTreeMap::new();
        for (session, state) in overlay {
            by_date.entry(state.date()).or_default().insert(session, state);
        }
        let mut removed = self.projection.reached.small.clone();
        // A base file is rewritten if one of its sessions changed, or if it has space for other sessions of its date.
        let mut touched: Vec<DataFile> = Vec::new();
        for file in base {
            let index = self.projection.index(&file).await?;
            let has_space = file.rows < self.settings.base_rows as u64 / 2 && by_date.contains_key(&file.date);
            if has_space || hashes.iter().any(|hash| index.binary_search(hash).is_ok()) {
                touched.push(file);
            }
        }
        let superseded: std::collections::HashSet<String> =
            by_date.values().flat_map(|states| states.keys().cloned()).collect();
        let mut segments = Vec::new();
        let dates: std::collections::BTreeSet<i32> =
            by_date.keys().copied().chain(touched.iter().map(|file| file.date)).collect();
        for date in dates {
            let mut states = by_date.remove(&date).unwrap_or_default();
            for file in touched.iter().filter(|file| file.date == date) {
                states.extend(self.projection.states(file, |session| !superseded.contains(session)).await?);
            }
            segments.append(&mut self.base(date, states).await?);
        }
        removed.extend(touched);
        self.commit(&segments, &removed).await?;
        self.projection.reload().await?;
        Ok(removed.len())
    }

    /// Rebuilds the table from all events. Calls `progress` with the number of events that were read since its last
    /// call. Another process may maintain the table meanwhile: what it has folded until the commit is folded as well.
    ///
    /// # Errors
    /// See [`SessionsError`].
    pub async fn rebuild(&mut self, now: Timestamp, progress: impl Fn(u64)) -> Result<Rebuilt, SessionsError> {
        self.began = (now, (self.clock)());
        match self.try_rebuild(&progress).await {
            Err(SessionsError::Archive(error)) if self.stood_still() => {
                self.begin_again(&error);
                self.try_rebuild(&progress).await
            }
            other => other,
        }
    }

    async fn try_rebuild(&mut self, progress: impl Fn(u64)) -> Result<Rebuilt, SessionsError> {
        let events = self.projection.events.snapshot().await?;
        let (rebuilt, base) = self.fold_from_events(&events, progress).await?;
        self.projection.reached = Reached {
            events: events.version,
            offsets: events.offsets.clone(),
            base: base.iter().map(|segment| self.projection.sessions.file_of(segment)).collect(),
            ..Reached::default()
        };
        let committed = self.commit_rebuilt(&base).await;
        // From here on the table is what its log says.
        self.projection.reached = Reached::default();
        if let Err(SessionsError::Conflict) = &committed {
            self.discard(&base).await;
        }
        committed?;
        self.projection.reload().await?;
        Ok(rebuilt)
    }

    /// Folds all events in `events` into base files.
    async fn fold_from_events(
        &self,
        events: &Snapshot,
        progress: impl Fn(u64),
    ) -> Result<(Rebuilt, Vec<Segment>), SessionsError> {
        let total: u64 = events.files.iter().map(|file| file.rows).sum();
        let shares = total.div_ceil(self.settings.rebuild_events).max(1);
        let mut rebuilt = Rebuilt { events: total, sessions: 0 };
        let mut segments = Vec::new();
        for share in 0..shares {
            let mut batches = Vec::new();
            for file in events.files.iter() {
                for batch in self.projection.event_batches(std::slice::from_ref(file)).await? {
                    batches.push(share_of(&batch, share, shares)?);
                }
                progress(file.rows / shares);
            }
            let states = fold_all(&batches)?;
            drop(batches);
            rebuilt.sessions += states.len() as u64;
            let mut by_date: BTreeMap<i32, HashMap<String, State>> = BTreeMap::new();
            for (session, state) in states {
                by_date.entry(state.date()).or_default().insert(session, state);
            }
            for (date, states) in by_date {
                segments.append(&mut self.base(date, states).await?);
            }
        }
        Ok((rebuilt, segments))
    }

    /// Replaces all files of the table by `base`, and by small files with the events that came since it was folded.
    async fn commit_rebuilt(&mut self, base: &[Segment]) -> Result<(), SessionsError> {
        let mut attempt = 1;
        loop {
            // In this order, so that every event that the other process has folded is folded here.
            let sessions = self.projection.sessions.snapshot().await?;
            let events = self.projection.events.snapshot().await?;
            while self.projection.fold_part(&events, self.settings.fold_events).await? {}
            self.projection.reached.written.clone_from(&sessions.offsets);
            let small = self.small_files(self.projection.reached.overlay.iter().collect()).await?;
            let small: Vec<Segment> = small.into_iter().map(|(segment, _)| segment).collect();
            let segments: Vec<Segment> = base.iter().chain(&small).cloned().collect();
            match self.commit(&segments, &sessions.files).await {
                Err(SessionsError::Conflict) => self.discard(&small).await,
                other => return other,
            }
            if attempt == MAX_REBUILD_ATTEMPTS {
                return Err(SessionsError::Conflict);
            }
            attempt += 1;
        }
    }

    /// Deletes files whose commit was refused. What a failing store keeps of them is only waste.
    async fn discard(&self, segments: &[Segment]) {
        for segment in segments {
            let _ = read::delete(&self.projection.archive, &self.projection.sessions.file_of(segment)).await;
        }
    }

    /// Writes base files with these states, sorted by session.
    async fn base(&self, date: i32, states: HashMap<String, State>) -> Result<Vec<Segment>, SessionsError> {
        let states: BTreeMap<String, State> = states.into_iter().collect();
        let all: Vec<(&String, &State)> = states.iter().collect();
        let mut segments = Vec::new();
        for part in all.chunks(self.settings.base_rows.max(1)) {
            let batch = to_batch(part.iter().copied())?;
            segments.push(self.segment(date, &batch, true).await?);
        }
        Ok(segments)
    }

    async fn segment(&self, date: i32, batch: &RecordBatch, is_base: bool) -> Result<Segment, SessionsError> {
        let partition = Partition { class: self.settings.class.clone(), date };
        let id = uuid::Uuid::now_v7().to_string();
        let id = if is_base { read::sealed_id(&id) } else { id };
        let keys = SegmentKeys::new(&self.ring, Table::Sessions, &partition, id).await?;
        let mut writer = if is_base {
            SegmentWriter::sealed(Table::Sessions, partition, keys)?
        } else {
            SegmentWriter::new(Table::Sessions, partition, keys)?
        };
        writer.write(batch)?;
        let segment = writer.finish()?;
        self.projection.sessions.put(&segment).await?;
        Ok(segment)
    }

    /// Adds `segments` to the table, removes `removed`, and stores the offsets of the folded events.
    async fn commit(&mut self, segments: &[Segment], removed: &[DataFile]) -> Result<(), SessionsError> {
        let now = self.now();
        let reached = &self.projection.reached;
        let version = reached.events.map(|version| i64::try_from(version).unwrap_or(i64::MAX).saturating_add(1));
        let mut next = reached.offsets.clone();
        next.extend(version.map(|version| ((EVENTS_VERSION.to_owned(), 0), version)));
        let advances: Vec<Advance> = next
            .into_iter()
            .map(|(key, next)| {
                let expected = reached.written.get(&key).copied();
                Advance { topic: key.0, partition: key.1, expected, next }
            })
            .collect();
        let commit_id = uuid::Uuid::now_v7().to_string();
        let change = Change { segments, removed, advances: &advances, commit_id: &commit_id, attestation: None };
        let result = self.projection.sessions.change(&change, now).await;
        // Also after an error, the next round reads the current table.
        self.projection.reached.sessions = None;
        result?;
        self.removed.extend(removed.iter().map(|file| (file.clone(), now)));
        Ok(())
    }

    /// The caller's time, and what has passed since the beginning.
    fn now(&self) -> Timestamp {
        let (now, then) = self.began;
        let elapsed = (self.clock)().0.saturating_sub(then.0).max(0);
        Timestamp(now.0.saturating_add(elapsed))
    }

    /// Whether so much time has passed that files may be gone which were part of their tables at the beginning.
    fn stood_still(&self) -> bool {
        let elapsed = self.now().0.saturating_sub(self.began.0.0);
        i128::from(elapsed) >= MAX_STANDSTILL.as_micros() as i128
    }

    /// Forgets what was read of the table.
    fn begin_again(&mut self, error: &ArchiveError) {
        tracing::warn!(%error, "this process was suspended, or was slow; it reads the tables again and begins anew");
        self.projection.reached = Reached::default();
    }

    /// Deletes removed files after the grace period.
    async fn sweep(&mut self, now: Timestamp) -> Result<(), SessionsError> {
        let grace = i64::try_from(self.settings.grace.as_micros()).unwrap_or(i64::MAX);
        let is_due = |at: &Timestamp| now.0.saturating_sub(at.0) >= grace;
        for (file, _) in self.removed.iter().filter(|(_, at)| is_due(at)) {
            read::delete(&self.projection.archive, file).await?;
        }
        self.removed.retain(|(_, at)| !is_due(at));
        Ok(())
    }
}

/// Folds events into the sessions that they belong to.
pub(crate) fn fold_all(batches: &[RecordBatch]) -> Result<HashMap<String, State>, SessionsError> {
    let mut states: HashMap<String, State> = HashMap::new();
    for event in in_order(batches, |_| true)? {
        let state = match states.get_mut(event.subject) {
            Some(state) => state,
            None => states.entry(event.subject.to_owned()).or_default(),
        };
        if state.fold.apply(&event) {
            state.feedback.clone_from(&event.feedback);
        }
    }
    Ok(states)
}

/// The rows of one share of the sessions.
fn share_of(batch: &RecordBatch, share: u64, shares: u64) -> Result<RecordBatch, SessionsError> {
    if shares == 1 {
        return Ok(batch.clone());
    }
    let subjects = batch.column_by_name("subject").and_then(|column| column.as_string_opt::<i32>());
    let subjects = subjects.ok_or_else(|| SessionsError::Encode("events without the column `subject`".to_owned()))?;
    let is_in_share = |row: usize| hash_of(subjects.value(row)) % shares == share;
    let mask: BooleanArray = (0..subjects.len()).map(|row| Some(is_in_share(row))).collect();
    filter_record_batch(batch, &mask).map_err(|error| SessionsError::Encode(error.to_string()))
}
