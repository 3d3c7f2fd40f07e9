//! The bloom filters in a data file's footer that show which subjects the file may have rows of, and of which types.
//!
//! ```text
//! rows ─▶ SubjectsBuilder ─▶ split block bloom filters ─▶ encrypted footer ─▶ Subjects ─▶ reader skips files
//! ```
//!
//! The filters are those of the [Parquet format](https://github.com/apache/parquet-format/blob/master/BloomFilter.md),
//! with their headers. They are in the footer's key-value metadata and not where Parquet has them, because parquet 59
//! writes that place in plain text, and anybody with a plain filter can test it for a session, a ticket or an agent. A
//! reader that ignores them only reads more files. `verify` compares them with the rows, because rows of a subject that
//! they lack are not found.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue};
use std::collections::HashSet;
use std::fmt;

/// The key of the filter of subjects in the footer's metadata.
const KEY: &str = "holdfast.subjects";
/// The key of the filter of subjects with their types.
const TYPES_KEY: &str = "holdfast.subject_types";
/// The rate of false positives: how often a file without rows of a subject is opened for it.
const FALSE_POSITIVE_RATE: f64 = 0.01;

/// The subjects of a file. There may be false positives and no false negatives.
pub struct Subjects {
    subjects: Sbbf,
    /// Subjects with the types of their events. `None` if the file has no such filter.
    with_types: Option<Sbbf>,
}

impl fmt::Debug for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks_with_types = self.with_types.as_ref().map(Sbbf::num_blocks);
        f.debug_struct("Subjects")
            .field("blocks", &self.subjects.num_blocks())
            .field("blocks_with_types", &blocks_with_types)
            .finish()
    }
}

impl Subjects {
    /// The filters in the footer of a file. `None` if there is none of subjects, or if it cannot be read.
    pub fn in_footer(footer: &FileMetaData) -> Option<Self> {
        Some(Self { subjects: in_footer(footer, KEY)?, with_types: in_footer(footer, TYPES_KEY) })
    }

    /// Whether the file may have rows of `subject`.
    pub fn may_have(&self, subject: &str) -> bool {
        self.subjects.check(subject)
    }

    /// Whether the file may have rows of `subject` that are events of `event_type`.
    pub fn may_have_type(&self, subject: &str, event_type: &str) -> bool {
        let has_type = |filter: &Sbbf| {
            let mut text = String::new();
            write_with_type(&mut text, subject, event_type);
            filter.check(text.as_str())
        };
        self.may_have(subject) && self.with_types.as_ref().is_none_or(has_type)
    }

    /// The bytes that it takes in memory.
    pub fn memory_size(&self) -> usize {
        (self.subjects.num_blocks() + self.with_types.as_ref().map_or(0, Sbbf::num_blocks)) * 32
    }
}

fn in_footer(footer: &FileMetaData, key: &str) -> Option<Sbbf> {
    let entry = footer.key_value_metadata()?.iter().find(|entry| entry.key == key)?;
    let bytes = BASE64_STANDARD.decode(entry.value.as_ref()?).ok()?;
    // A filter without blocks cannot be checked.
    Sbbf::from_bytes(&bytes).ok().filter(|filter| filter.num_blocks() > 0)
}

/// Writes what stands for a subject with a type. Where a name has the character between them, a file may be opened in vain.
fn write_with_type(text: &mut String, subject: &str, event_type: &str) {
    text.clear();
    text.extend([event_type, "\0", subject]);
}

/// Records the subjects of a file that is being written.
#[derive(Debug, Default)]
pub(crate) struct SubjectsBuilder {
    subjects: Texts,
    with_types: Texts,
    /// The last one of `with_types`, whose memory the next one uses.
    text: String,
}

/// Different texts.
#[derive(Debug, Default)]
struct Texts {
    seen: HashSet<Box<str>>,
    bytes: usize,
}

impl Texts {
    fn add(&mut self, text: &str) {
        if !self.seen.contains(text) {
            self.bytes += text.len();
            self.seen.insert(text.into());
        }
    }

    fn memory(&self) -> usize {
        self.bytes + self.seen.capacity() * size_of::<Box<str>>()
    }

    fn filter(&self) -> Result<Sbbf, ParquetError> {
        let mut filter = Sbbf::new_with_ndv_fpp(self.seen.len().max(1) as u64, FALSE_POSITIVE_RATE)?;
        self.seen.iter().for_each(|text| filter.insert(text.as_ref()));
        Ok(filter)
    }
}

impl SubjectsBuilder {
    /// Adds rows with their types, if they are events.
    pub(crate) fn add<'s>(&mut self, rows: impl Iterator<Item = (Option<&'s str>, Option<&'s str>)>) {
        // Rows of a subject are often adjacent, and so are those of a type.
        let mut last = (None, None);
        for (subject, event_type) in rows {
            let Some(name) = subject else { continue };
            if last == (subject, event_type) {
                continue;
            }
            if last.0 != subject {
                self.subjects.add(name);
            }
            if let Some(event_type) = event_type {
                write_with_type(&mut self.text, name, event_type);
                self.with_types.add(&self.text);
            }
            last = (subject, event_type);
        }
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn memory(&self) -> usize {
        self.subjects.memory() + self.with_types.memory()
    }

    pub(crate) fn subjects(&self) -> Result<Subjects, ParquetError> {
        let with_types = (!self.with_types.seen.is_empty()).then(|| self.with_types.filter()).transpose()?;
        Ok(Subjects { subjects: self.subjects.filter()?, with_types })
    }

    /// The entries for the footer's metadata.
    pub(crate) fn finish(&self) -> Result<Vec<KeyValue>, ParquetError> {
        let Subjects { subjects, with_types } = self.subjects()?;
        let filters = [(KEY, Some(subjects)), (TYPES_KEY, with_types)];
        let entry = |(key, filter): (&str, Sbbf)| {
            let mut bytes = Vec::new();
            filter.write(&mut bytes)?;
            Ok(KeyValue::new(key.to_owned(), BASE64_STANDARD.encode(bytes)))
        };
        filters.into_iter().filter_map(|(key, filter)| Some((key, filter?))).map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::metadata::FileMetaData;
    use parquet::schema::types::{SchemaDescriptor, Type};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn footer(entries: Option<Vec<KeyValue>>) -> FileMetaData {
        let schema = Type::group_type_builder("schema").build().unwrap();
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema)));
        FileMetaData::new(2, 0, None, entries, schema, None)
    }

    fn of(value: &str) -> Option<Subjects> {
        Subjects::in_footer(&footer(Some(vec![KeyValue::new(KEY.to_owned(), value.to_owned())])))
    }

    #[test]
    fn a_file_has_the_types_of_each_subject() {
        let mut builder = SubjectsBuilder::default();
        builder.add([("a", "x"), ("a", "y"), ("b", "y"), ("b", "y")].map(|(a, b)| (Some(a), Some(b))).into_iter());
        let mut entries = builder.finish().unwrap();
        let found = Subjects::in_footer(&footer(Some(entries.clone()))).unwrap();
        let has = |subject, event_type| found.may_have_type(subject, event_type);
        assert!(has("a", "x") && has("a", "y") && has("b", "y"));
        assert!(!has("b", "x") && !has("c", "x") && !has("a", "z"));
        // A file from before has a filter of subjects only.
        entries.truncate(1);
        let found = Subjects::in_footer(&footer(Some(entries))).unwrap();
        assert!(found.may_have_type("b", "x") && !found.may_have_type("c", "x"));
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
            builder.add(subjects.iter().map(|subject| (Some(subject.as_str()), Some("t"))).chain([(None, Some("t"))]));
            let found = Subjects::in_footer(&footer(Some(builder.finish().unwrap()))).unwrap();
            prop_assert!(subjects.iter().all(|subject| found.may_have(subject) && found.may_have_type(subject, "t")));
        }

        #[test]
        fn any_bytes_are_a_filter_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..100), subject in ".*") {
            if let Some(subjects) = of(&BASE64_STANDARD.encode(bytes)) {
                subjects.may_have(&subject);
            }
        }
    }
}
