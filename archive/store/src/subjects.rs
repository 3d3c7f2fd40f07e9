//! The bloom filter in a data file's footer that shows which subjects the file may have rows of.
//!
//! ```text
//! rows ─▶ SubjectsBuilder ─▶ split block bloom filter ─▶ encrypted footer ─▶ Subjects ─▶ reader skips files
//! ```
//!
//! The filter is the one of the [Parquet format](https://github.com/apache/parquet-format/blob/master/BloomFilter.md),
//! with its header. It is in the footer's key-value metadata and not where Parquet has it, because parquet 59 writes
//! that place in plain text, and anybody with a plain filter can test it for a session, a ticket or an agent. A reader
//! that ignores it only reads more files. `verify` compares it with the rows, because rows of a subject that it lacks
//! are not found.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue};
use std::collections::HashSet;
use std::fmt;

/// The key in the footer's metadata.
const KEY: &str = "holdfast.subjects";
/// The rate of false positives: how often a file without rows of a subject is opened for it.
const FALSE_POSITIVE_RATE: f64 = 0.01;

/// The subjects of a file. There may be false positives and no false negatives.
pub struct Subjects(Sbbf);

impl fmt::Debug for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subjects").field("blocks", &self.0.num_blocks()).finish()
    }
}

impl Subjects {
    /// The filter in the footer of a file. `None` if there is none, or if it cannot be read.
    pub fn in_footer(footer: &FileMetaData) -> Option<Self> {
        let entry = footer.key_value_metadata()?.iter().find(|entry| entry.key == KEY)?;
        let bytes = BASE64_STANDARD.decode(entry.value.as_ref()?).ok()?;
        // A filter without blocks cannot be checked.
        Sbbf::from_bytes(&bytes).ok().filter(|filter| filter.num_blocks() > 0).map(Self)
    }

    /// Whether the file may have rows of `subject`.
    pub fn may_have(&self, subject: &str) -> bool {
        self.0.check(subject)
    }

    /// The bytes that it takes in memory.
    pub fn memory_size(&self) -> usize {
        self.0.num_blocks() * 32
    }
}

/// Records the subjects of a file that is being written.
#[derive(Debug, Default)]
pub(crate) struct SubjectsBuilder {
    seen: HashSet<Box<str>>,
    bytes: usize,
}

impl SubjectsBuilder {
    pub(crate) fn add<'s>(&mut self, subjects: impl Iterator<Item = Option<&'s str>>) {
        // Rows of a subject are often adjacent.
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

    pub(crate) fn subjects(&self) -> Result<Subjects, ParquetError> {
        let mut filter = Sbbf::new_with_ndv_fpp(self.seen.len().max(1) as u64, FALSE_POSITIVE_RATE)?;
        self.seen.iter().for_each(|subject| filter.insert(subject.as_ref()));
        Ok(Subjects(filter))
    }

    /// The entry for the footer's metadata.
    pub(crate) fn finish(&self) -> Result<KeyValue, ParquetError> {
        let mut bytes = Vec::new();
        self.subjects()?.0.write(&mut bytes)?;
        Ok(KeyValue::new(KEY.to_owned(), BASE64_STANDARD.encode(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::metadata::FileMetaData;
    use parquet::schema::types::{SchemaDescriptor, Type};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn footer(entry: Option<KeyValue>) -> FileMetaData {
        let schema = Type::group_type_builder("schema").build().unwrap();
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema)));
        FileMetaData::new(2, 0, None, entry.map(|entry| vec![entry]), schema, None)
    }

    fn of(value: &str) -> Option<Subjects> {
        Subjects::in_footer(&footer(Some(KeyValue::new(KEY.to_owned(), value.to_owned()))))
    }

    #[test]
    fn a_footer_without_a_readable_filter_has_no_subjects() {
        assert!(Subjects::in_footer(&footer(None)).is_none());
        assert!(of("").is_none());
        assert!(of("not base64!").is_none());
        assert!(of(&BASE64_STANDARD.encode("no header")).is_none());
    }

    proptest! {
        #[test]
        fn every_subject_is_found(subjects in proptest::collection::vec(".{0,12}", 0..200)) {
            let mut builder = SubjectsBuilder::default();
            builder.add(subjects.iter().map(|subject| Some(subject.as_str())).chain([None]));
            let found = Subjects::in_footer(&footer(Some(builder.finish().unwrap()))).unwrap();
            prop_assert!(subjects.iter().all(|subject| found.may_have(subject)));
        }

        #[test]
        fn any_bytes_are_a_filter_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..100), subject in ".*") {
            if let Some(subjects) = of(&BASE64_STANDARD.encode(bytes)) {
                subjects.may_have(&subject);
            }
        }
    }
}
