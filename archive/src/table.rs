//! The two tables: their columns, and who may decrypt each.

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use holdfast_events::{COLUMNS, Column, Tier, arrow_schema};
use object_store::path::Path;
use std::sync::Arc;

/// A table of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Every event that could be read.
    Events,
    /// Every message that could not, with the reason.
    DeadLetters,
}

/// The retention class of everything, until policies say otherwise.
pub const GENERAL_CLASS: &str = "general";

/// The names of the partition columns, which stand in the log and not in the files.
pub const PARTITION_COLUMNS: [&str; 2] = ["class", "date"];

/// The columns of `dead_letters`, in order.
pub const DEAD_LETTER_COLUMNS: [(&str, Tier); 11] = [
    ("kafka_topic", Tier::Operational),
    ("kafka_partition", Tier::Operational),
    ("kafka_offset", Tier::Operational),
    ("kafka_time", Tier::Operational),
    ("archived_at", Tier::Operational),
    ("reason", Tier::Operational),
    ("message", Tier::Operational),
    ("key", Tier::Content),
    ("headers", Tier::Content),
    ("value", Tier::Content),
    ("proof_secret", Tier::Content),
];

/// The column with the secret that the salts of a row's hash are derived from, in both tables.
pub const PROOF_SECRET: &str = "proof_secret";

impl Table {
    /// The table's name on disk and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::DeadLetters => "dead_letters",
        }
    }

    /// The table's folder, relative to the archive.
    pub fn directory(self) -> Path {
        crate::paths::table(self)
    }

    /// The columns of its data files.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Events => arrow_schema(),
            Self::DeadLetters => {
                let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
                let types = [
                    (DataType::Utf8, false),
                    (DataType::Int32, false),
                    (DataType::Int64, false),
                    (time(), true),
                    (time(), false),
                    (DataType::Utf8, false),
                    (DataType::Utf8, false),
                    (DataType::Binary, true),
                    (DataType::Utf8, true),
                    (DataType::Binary, true),
                    (DataType::Binary, true),
                ];
                let fields = DEAD_LETTER_COLUMNS
                    .iter()
                    .zip(types)
                    .map(|((name, _), (data_type, nullable))| Field::new(*name, data_type, nullable));
                Arc::new(Schema::new(fields.collect::<Vec<_>>()))
            }
        }
    }

    /// The tier of a column by its index in [`Table::schema`].
    pub fn tier(self, column: usize) -> Tier {
        match self {
            Self::Events => COLUMNS[column].tier,
            Self::DeadLetters => DEAD_LETTER_COLUMNS[column].1,
        }
    }

    /// The index of the column whose smallest and greatest value the log keeps.
    pub fn time_column(self) -> usize {
        match self {
            Self::Events => Column::Time as usize,
            Self::DeadLetters => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_column_is_a_time() {
        for table in [Table::Events, Table::DeadLetters] {
            let schema = table.schema();
            assert!(matches!(schema.field(table.time_column()).data_type(), DataType::Timestamp(..)));
            // Statements see all columns but the last.
            assert_eq!(schema.fields().last().map(|field| field.name().as_str()), Some(PROOF_SECRET));
        }
    }
}
