//! Which subjects a data file may have rows of, told by the file itself.
//!
//! ```text
//! rows ─▶ SubjectsBuilder ─▶ split block bloom filter ─▶ base64 in the encrypted footer ─▶ Subjects ─▶ reader: no need to open
//! ```
//!
//! The filter is the one of the [Parquet format](https://github.com/apache/parquet-format/blob/master/BloomFilter.md), with its
//! header. It stands in the footer's key-value metadata and not where Parquet has it, because parquet 59 writes that place in
//! plain text, and whoever sees a filter can ask it for a session, a ticket or an agent. A reader that does not know it loses
//! nothing but time.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue};
use std::collections::HashSet;
use std::fmt;

/// The key in the footer's metadata.
const KEY: &str = "holdfast.subjects";
/// How often a file is opened in vain that does not have a subject.
const FALSE_POSITIVES: f64 = 0.01;

/// The subjects of a file, of which it may name some too many and none too few.
pub struct Subjects(Sbbf);

impl fmt::Debug for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subjects").field("blocks", &self.0.num_blocks()).finish()
    }
}

impl Subjects {
    /// What the footer of a file says. `None` when it says nothing that can be read.
    pub fn in_footer(footer: &FileMetaData) -> Option<Self> {
        let entry = footer.key_value_metadata()?.iter().find(|entry| entry.key == KEY)?;
        let bytes = BASE64_STANDARD.decode(entry.value.as_ref()?).ok()?;
        Sbbf::from_bytes(&bytes).ok().map(Self)
    }

    /// Whether there may be rows of `subject`.
    pub fn may_have(&self, subject: &str) -> bool {
        self.0.check(subject)
    }

    /// The bytes that it takes in memory.
    pub fn memory_size(&self) -> usize {
        self.0.num_blocks() * 32
    }
}

/// Takes note of the subjects of a file that is being written.
#[derive(Debug, Default)]
pub(crate) struct SubjectsBuilder {
    seen: HashSet<Box<str>>,
    bytes: usize,
}

impl SubjectsBuilder {
    pub(crate) fn note<'s>(&mut self, subjects: impl Iterator<Item = Option<&'s str>>) {
        // Rows of a subject often stand together.
        let mut last = None;
        for subject in subjects.flatten() {
            if last == Some(subject) {
                continue;
            }
            last = Some(subject);
            if !self.seen.contains(subject) {
                self.bytes += subject.len();
                self.seen.insert(subject.into());
            }
        }
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn memory(&self) -> usize {
        self.bytes + self.seen.capacity() * size_of::<Box<str>>()
    }

    /// What the footer is to say.
    pub(crate) fn finish(&self) -> Result<KeyValue, ParquetError> {
        let mut filter = Sbbf::new_with_ndv_fpp(self.seen.len().max(1) as u64, FALSE_POSITIVES)?;
        self.seen.iter().for_each(|subject| filter.insert(subject.as_ref()));
        let mut bytes = Vec::new();
        filter.write(&mut bytes)?;
        Ok(KeyValue::new(KEY.to_owned(), BASE64_STANDARD.encode(bytes)))
    }
}
