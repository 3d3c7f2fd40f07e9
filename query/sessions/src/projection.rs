//! All sessions at one moment, as one set of keys can read them.
//!
//! ```text
//! tables/sessions   base files: each session once, sorted ─────────────────────────────┐
//!                   small files: sessions that changed since ─▶ newest of each ──┐     │ except those in the overlay
//! tables/events     rows that arrived since ─▶ fold ─────────────────────────────┴▶ overlay
//! ```
//!
//! The state of a session is in the overlay, or else in its row in a base file. The overlay is kept between calls, so
//! each call folds only the events since the last one.
//!
//! Invariants:
//! - The result is the fold of exactly the events in one snapshot of `events`.
//! - Of several rows of a session, the one with the most events is the newest, because each is folded from the one
//!   before.

use crate::error::SessionsError;
use crate::event::{COLUMNS, EventColumns, EventRow};
use crate::state::{STATE_COLUMNS, State, from_batch, to_batch};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{BooleanArray, RecordBatch, StringArray};
use arrow_select::filter::filter_record_batch;
use holdfast_archive::keys::{MasterKeyId, Unlocker};
use holdfast_archive::log::TopicPartition;
use holdfast_archive::{Archive, ArchiveError, DataFile, Snapshot, Table, TableLog, read};
use holdfast_events::Tier;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The key under which the log of `sessions` stores, beside Kafka's offsets, one past the version of `events` that was
/// folded. No topic can have this name.
pub(crate) const EVENTS_VERSION: &str = "tables/events";

/// The sessions for one set of keys.
pub struct Projection {
    pub(crate) archive: Archive,
    pub(crate) events: TableLog,
    pub(crate) sessions: TableLog,
    pub(crate) unlocker: Arc<Unlocker>,
    /// Whether the tier content is read if the keys decrypt it.
    with_content: bool,
    /// Whether an unreadable tier is an error. It is for the maintainer, whose rows must be complete.
    pub(crate) requires_all_tiers: bool,
    pub(crate) reached: Reached,
    /// Rows of small files, by the file's id.
    small: HashMap<String, Arc<Vec<(String, State)>>>,
    /// Hashes of the sessions in a base file, sorted, by the file's id.
    index: HashMap<String, Arc<Vec<u64>>>,
    current: Option<Arc<Current>>,
}

/// What the projection has folded so far.
#[derive(Default)]
pub(crate) struct Reached {
    /// The version of `sessions` that the overlay is based on.
    pub(crate) sessions: Option<u64>,
    /// The version of `events` up to which rows are folded.
    pub(crate) events: Option<u64>,
    /// Kafka's offsets up to which rows of `events` are folded.
    pub(crate) offsets: BTreeMap<TopicPartition, i64>,
    /// Sessions that differ from their row in a base file.
    pub(crate) overlay: HashMap<String, State>,
    /// Sessions of the overlay that are not in a file yet.
    pub(crate) unwritten: HashSet<String>,
    pub(crate) base: Vec<DataFile>,
    pub(crate) small: Vec<DataFile>,
    /// The offsets in the log of `sessions`.
    pub(crate) written: BTreeMap<TopicPartition, i64>,
}

/// All sessions at one moment.
pub struct Current {
    /// Files with one row for each session. Ignore the rows of the sessions in `superseded`.
    pub base: Arc<Vec<DataFile>>,
    /// The sessions in `overlay`.
    pub superseded: Arc<HashSet<String>>,
    /// Rows with the schema of the table.
    pub overlay: RecordBatch,
    /// The files of `events` in the same snapshot.
    pub events: Arc<Vec<DataFile>>,
}

/// The offsets of events to fold: of each partition of Kafka from one up to before another. Where there is none, all.
struct Bounds {
    from: BTreeMap<TopicPartition, i64>,
    until: BTreeMap<TopicPartition, i64>,
}

impl Bounds {
    fn contain(&self, topic: &str, partition: i32, offset: i64) -> bool {
        let key = (topic.to_owned(), partition);
        self.from.get(&key).is_none_or(|from| offset >= *from)
            && self.until.get(&key).is_none_or(|until| offset < *until)
    }

    /// The rows of events that are within.
    fn rows_of(&self, batch: &RecordBatch) -> Result<RecordBatch, SessionsError> {
        let column = |name: &str| batch.column_by_name(name);
        let topics = column("kafka_topic").and_then(|column| column.as_string_opt::<i32>());
        let partitions = column("kafka_partition").and_then(|column| column.as_primitive_opt::<Int32Type>());
        let offsets = column("kafka_offset").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (Some(topics), Some(partitions), Some(offsets)) = (topics, partitions, offsets) else {
            return Err(corrupt_events());
        };
        let is_within = |row: usize| self.contain(topics.value(row), partitions.value(row), offsets.value(row));
        let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_within(row))).collect();
        filter_record_batch(batch, &mask).map_err(|error| SessionsError::Encode(error.to_string()))
    }
}

fn corrupt_events() -> SessionsError {
    SessionsError::Corrupt {
        file: "a file of events".to_owned(),
        why: "a column that every event has is missing".to_owned(),
    }
}

pub(crate) fn hash_of(session: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    session.hash(&mut hasher);
    hasher.finish()
}

impl Projection {
    /// The sessions of `archive` as the keys of `unlocker` can read them. Without `with_content`, the feedback of
    /// customers is left out.
    pub fn new(archive: Archive, unlocker: Arc<Unlocker>, with_content: bool) -> Self {
        let (events, sessions) = (archive.table(Table::Events), archive.table(Table::Sessions));
        Self::with_logs(archive, events, sessions, unlocker, with_content)
    }

    /// As [`Self::new`], with logs that the caller shares.
    pub fn with_logs(
        archive: Archive,
        events: TableLog,
        sessions: TableLog,
        unlocker: Arc<Unlocker>,
        with_content: bool,
    ) -> Self {
        let (reached, small, index) = Default::default();
        Self {
            archive,
            events,
            sessions,
            unlocker,
            with_content,
            requires_all_tiers: false,
            reached,
            small,
            index,
            current: None,
        }
    }

    /// All sessions with the events archived so far.
    ///
    /// # Errors
    /// [`SessionsError::Behind`] if more than `max_events` wait to be folded; other errors if files cannot be read.
    pub async fn current(&mut self, max_events: u64) -> Result<Arc<Current>, SessionsError> {
        let changed = self.advance(max_events).await?;
        if let Some(current) = self.current.as_ref().filter(|_| !changed) {
            return Ok(Arc::clone(current));
        }
        let reached = &self.reached;
        let current = Arc::new(Current {
            base: Arc::new(reached.base.clone()),
            superseded: Arc::new(reached.overlay.keys().cloned().collect()),
            overlay: to_batch(&reached.overlay)?,
            events: Arc::clone(&self.events.snapshot().await?.files),
        });
        self.current = Some(Arc::clone(&current));
        Ok(current)
    }

    /// Folds new events, unless there are more than `max_events`. Returns whether anything changed.
    pub(crate) async fn advance(&mut self, max_events: u64) -> Result<bool, SessionsError> {
        let (changed, events) = self.reload().await?;
        let Some(newest) = self.unfolded(&events) else { return Ok(changed) };
        let added = read::added(&self.archive, &self.events, self.reached.events, newest, u64::MAX).await?;
        if added.rows > max_events {
            return Err(SessionsError::Behind { events: added.rows });
        }
        self.fold_added(&events, added).await?;
        Ok(true)
    }

    /// Starts over from the files of `sessions` if these have changed. Returns whether anything changed, and the table
    /// of events.
    pub(crate) async fn reload(&mut self) -> Result<(bool, Arc<Snapshot>), SessionsError> {
        // In this order, so that every event that `sessions` contains is in the snapshot of `events`.
        let sessions = self.sessions.snapshot().await?;
        let events = self.events.snapshot().await?;
        let mut changed = self.current.is_none();
        if self.reached.sessions != sessions.version {
            self.load(&sessions.files, &sessions.offsets).await?;
            self.reached.sessions = sessions.version;
            changed = true;
        }
        Ok((changed, events))
    }

    /// Folds about `max_events` of the events that wait; never a part of a commit. Returns whether more of them wait.
    pub(crate) async fn fold_part(&mut self, events: &Snapshot, max_events: u64) -> Result<bool, SessionsError> {
        let Some(newest) = self.unfolded(events) else { return Ok(false) };
        let added = read::added(&self.archive, &self.events, self.reached.events, newest, max_events).await?;
        let through = added.through;
        self.fold_added(events, added).await?;
        Ok(through < Some(newest))
    }

    /// The newest version of `events`, if not all of it is folded.
    fn unfolded(&self, events: &Snapshot) -> Option<u64> {
        events.version.filter(|newest| self.reached.events.is_none_or(|reached| reached < *newest))
    }

    /// Folds what some entries after the version that was reached have added. `events` is as new or newer.
    async fn fold_added(&mut self, events: &Snapshot, added: read::Added) -> Result<(), SessionsError> {
        let mut files = added.files;
        // A table has very many files, and few of them were added since.
        let new: HashSet<&str> = files.iter().map(|file| file.id.as_str()).collect();
        let live: HashSet<&str> =
            events.files.iter().map(|file| file.id.as_str()).filter(|id| new.contains(id)).collect();
        // Rows that were sealed meanwhile are among older and newer rows in the sealed files of their date.
        let sealed: HashSet<(String, i32)> = files
            .iter()
            .filter(|file| !live.contains(file.id.as_str()))
            .map(|file| (file.class.clone(), file.date))
            .collect();
        files.retain(|file| live.contains(file.id.as_str()));
        if !sealed.is_empty() {
            let holds = |file: &&DataFile| read::is_sealed(file) && sealed.contains(&(file.class.clone(), file.date));
            files.extend(events.files.iter().filter(holds).cloned());
        }
        let from = self.reached.offsets.clone();
        let mut until = from.clone();
        until.extend(added.offsets);
        let bounds = Bounds { from, until };
        let mut batches = Vec::new();
        for file in &files {
            for batch in self.event_batches(std::slice::from_ref(file)).await? {
                batches.push(if read::is_sealed(file) { bounds.rows_of(&batch)? } else { batch });
            }
        }
        self.fold(&batches, &bounds).await?;
        self.reached.events = added.through;
        self.reached.offsets = if added.through == events.version { events.offsets.clone() } else { bounds.until };
        Ok(())
    }

    /// Starts over from the files of `sessions`.
    async fn load(&mut self, files: &[DataFile], offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), SessionsError> {
        let (base, small): (Vec<DataFile>, Vec<DataFile>) = files.iter().cloned().partition(read::is_sealed);
        let live: HashSet<&str> = files.iter().map(|file| file.id.as_str()).collect();
        self.small.retain(|id, _| live.contains(id.as_str()));
        self.index.retain(|id, _| live.contains(id.as_str()));
        self.unlocker.prepare(files).await?;
        let mut overlay: HashMap<String, State> = HashMap::new();
        for file in &small {
            for (session, state) in self.small_states(file).await?.iter() {
                let newest =
                    overlay.get(session).is_none_or(|known| known.fold.counts.events < state.fold.counts.events);
                if newest {
                    overlay.insert(session.clone(), state.clone());
                }
            }
        }
        let mut offsets = offsets.clone();
        let written = offsets.clone();
        let events = offsets.remove(&(EVENTS_VERSION.to_owned(), 0));
        self.reached = Reached {
            sessions: None,
            events: events.and_then(|next| u64::try_from(next).ok()?.checked_sub(1)),
            offsets,
            overlay,
            unwritten: HashSet::new(),
            base,
            small,
            written,
        };
        Ok(())
    }

    /// The rows of a small file. Each file is read once.
    async fn small_states(&mut self, file: &DataFile) -> Result<Arc<Vec<(String, State)>>, SessionsError> {
        if let Some(states) = self.small.get(&file.id) {
            return Ok(Arc::clone(states));
        }
        let states = Arc::new(self.states(file, |_| true).await?);
        self.small.insert(file.id.clone(), Arc::clone(&states));
        Ok(states)
    }

    /// Caches the rows of a small file that was just written.
    pub(crate) fn cache(&mut self, id: &str, states: Vec<(String, State)>) {
        self.small.insert(id.to_owned(), Arc::new(states));
    }

    /// The states in a file of `sessions`.
    pub(crate) async fn states(
        &self,
        file: &DataFile,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, State)>, SessionsError> {
        let mut states = Vec::new();
        let columns: Vec<&str> =
            STATE_COLUMNS.into_iter().filter(|name| *name != "feedback" || self.reads_content(file)).collect();
        for batch in self.columns(file, &columns).await? {
            states.extend(from_batch(&batch, file.path.as_ref(), &wanted)?);
        }
        Ok(states)
    }

    pub(crate) fn reads_content(&self, file: &DataFile) -> bool {
        self.with_content && self.unlocker.can_read(Tier::Content, file)
    }

    async fn columns(&self, file: &DataFile, names: &[&str]) -> Result<Vec<RecordBatch>, SessionsError> {
        let needed: &[Tier] =
            if self.requires_all_tiers { &[Tier::Operational, Tier::Content] } else { &[Tier::Operational] };
        if let Some(unreadable) = needed.iter().find(|tier| !self.unlocker.can_read(**tier, file)) {
            return Err(ArchiveError::NoKey { id: MasterKeyId::of(*unreadable, &file.class, file.date) }.into());
        }
        Ok(read::columns(&self.archive, &self.unlocker, file, names).await?)
    }

    /// The columns that sessions are folded from, in files of `events`.
    pub(crate) async fn event_batches(&self, files: &[DataFile]) -> Result<Vec<RecordBatch>, SessionsError> {
        self.unlocker.prepare(files).await?;
        let mut batches = Vec::new();
        for file in files {
            let columns: Vec<&str> =
                COLUMNS.into_iter().filter(|name| *name != "data" || self.reads_content(file)).collect();
            batches.append(&mut self.columns(file, &columns).await?);
        }
        Ok(batches)
    }

    /// Folds the rows that are within the bounds.
    async fn fold(&mut self, batches: &[RecordBatch], bounds: &Bounds) -> Result<(), SessionsError> {
        let events = in_order(batches, |event| bounds.contain(event.topic, event.partition, event.offset))?;
        let unknown: HashSet<&str> = events
            .iter()
            .map(|event| event.subject)
            .filter(|session| !self.reached.overlay.contains_key(*session))
            .collect();
        let found = self.base_states(&unknown).await?;
        self.reached.overlay.extend(found);
        for event in &events {
            let state = match self.reached.overlay.get_mut(event.subject) {
                Some(state) => state,
                None => self.reached.overlay.entry(event.subject.to_owned()).or_default(),
            };
            if state.fold.apply(event) {
                state.feedback.clone_from(&event.feedback);
            }
            if !self.reached.unwritten.contains(event.subject) {
                self.reached.unwritten.insert(event.subject.to_owned());
            }
        }
        Ok(())
    }

    /// The states of some sessions in the base files.
    async fn base_states(&mut self, sessions: &HashSet<&str>) -> Result<Vec<(String, State)>, SessionsError> {
        let hashes: Vec<u64> = sessions.iter().map(|session| hash_of(session)).collect();
        let mut found = Vec::new();
        for file in self.reached.base.clone() {
            let index = self.index(&file).await?;
            if hashes.iter().any(|hash| index.binary_search(hash).is_ok()) {
                found.extend(self.states(&file, |session| sessions.contains(session)).await?);
            }
        }
        Ok(found)
    }

    /// The hashes of the sessions in a base file.
    pub(crate) async fn index(&mut self, file: &DataFile) -> Result<Arc<Vec<u64>>, SessionsError> {
        if let Some(index) = self.index.get(&file.id) {
            return Ok(Arc::clone(index));
        }
        let mut index = Vec::with_capacity(usize::try_from(file.rows).unwrap_or_default());
        for batch in self.columns(file, &["session"]).await? {
            let sessions = batch.column_by_name("session").and_then(|column| column.as_string_opt::<i32>());
            let sessions = sessions.ok_or_else(|| SessionsError::Corrupt {
                file: file.path.to_string(),
                why: "the column `session` is missing".to_owned(),
            })?;
            index.extend(sessions.iter().flatten().map(hash_of));
        }
        index.sort_unstable();
        let index = Arc::new(index);
        self.index.insert(file.id.clone(), Arc::clone(&index));
        Ok(index)
    }
}

/// The events in `batches` that are `wanted`, in the order of topic, partition and offset.
pub(crate) fn in_order<'b>(
    batches: &'b [RecordBatch],
    wanted: impl Fn(&EventRow<'_>) -> bool,
) -> Result<Vec<EventRow<'b>>, SessionsError> {
    let mut events = Vec::new();
    for batch in batches {
        let columns = EventColumns::of(batch).ok_or_else(corrupt_events)?;
        let data: Option<&StringArray> = batch.column_by_name("data").and_then(|column| column.as_string_opt::<i32>());
        events.extend((0..batch.num_rows()).filter_map(|row| columns.row(row, data)).filter(|event| wanted(event)));
    }
    events.sort_by(|one, other| {
        (one.topic, one.partition, one.offset).cmp(&(other.topic, other.partition, other.offset))
    });
    Ok(events)
}
