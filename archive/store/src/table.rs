//! The tables: their columns, and the tier of each column.

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use holdfast_events::{COLUMNS, Column, Tier, arrow_schema};
use std::sync::Arc;

/// A table of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Every event that could be decoded.
    Events,
    /// Every message that could not be decoded, with the reason.
    DeadLetters,
    /// One row per session. The table is derived from the events, can be rebuilt from them, and is not evidence.
    Sessions,
}

/// The retention class of every event for which no policy names another.
pub const GENERAL_CLASS: &str = "general";

/// The names of the partition columns, which are in the log and not in the files.
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

/// The columns of `sessions`, in order. All times are UTC microseconds.
const SESSION_COLUMNS: [(&str, ColumnType, Tier); 30] = {
    use ColumnType::{Binary, Count, Number, Rating, Text, Time};
    use Tier::{Content, Operational};
    [
        ("session", Text, Operational),
        ("portal", Text, Operational),
        ("mode", Text, Operational),
        ("queue", Text, Operational),
        ("customer", Text, Operational),
        ("ticket", Text, Operational),
        ("agent", Text, Operational),
        ("agents", Text, Operational),
        ("requested_at", Time, Operational),
        ("queued_at", Time, Operational),
        ("started_at", Time, Operational),
        ("ended_at", Time, Operational),
        ("first_time", Time, Operational),
        ("last_time", Time, Operational),
        ("waited", Number, Operational),
        ("handled", Number, Operational),
        ("state", Text, Operational),
        ("ended_by", Text, Operational),
        ("resolution", Text, Operational),
        ("resolved", Text, Operational),
        ("rating", Rating, Operational),
        ("feedback", Text, Content),
        ("events", Count, Operational),
        ("chat_lines", Count, Operational),
        ("files", Count, Operational),
        ("reboots", Count, Operational),
        ("transfers", Count, Operational),
        ("diagnostics", Count, Operational),
        ("recordings", Count, Operational),
        ("fold", Binary, Operational),
    ]
};

/// The type of a column of `sessions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnType {
    Text,
    Time,
    Number,
    Rating,
    Count,
    Binary,
}

/// The index of `first_time` in `sessions`. Every session has one.
const SESSION_TIME: usize = 12;

/// The column with the secret from which the salt of a row's hash is derived, in the tables that are evidence.
pub const PROOF_SECRET: &str = "proof_secret";

impl Table {
    /// The table's name on disk and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::DeadLetters => "dead_letters",
            Self::Sessions => "sessions",
        }
    }

    /// Whether its log is evidence, which is never trimmed. The sessions are derived from the events.
    pub fn is_evidence(self) -> bool {
        match self {
            Self::Events | Self::DeadLetters => true,
            Self::Sessions => false,
        }
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
            Self::Sessions => {
                let fields = SESSION_COLUMNS.iter().enumerate().map(|(index, (name, kind, _))| {
                    let data_type = match kind {
                        ColumnType::Text => DataType::Utf8,
                        ColumnType::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                        ColumnType::Number => DataType::Float64,
                        ColumnType::Rating => DataType::Int32,
                        ColumnType::Count => DataType::Int64,
                        ColumnType::Binary => DataType::Binary,
                    };
                    let is_required =
                        index == 0 || index == SESSION_TIME || index == SESSION_TIME + 1 || *kind == ColumnType::Count;
                    Field::new(*name, data_type, !is_required)
                });
                Arc::new(Schema::new(fields.collect::<Vec<_>>()))
            }
        }
    }

    /// The tier of a column by its index in [`Table::schema`].
    pub fn tier(self, column: usize) -> Tier {
        match self {
            Self::Events => COLUMNS[column].tier,
            Self::DeadLetters => DEAD_LETTER_COLUMNS[column].1,
            Self::Sessions => SESSION_COLUMNS[column].2,
        }
    }

    /// The index of the column whose smallest and greatest value the log keeps.
    pub fn time_column(self) -> usize {
        match self {
            Self::Events => Column::Time as usize,
            Self::DeadLetters => 4,
            Self::Sessions => SESSION_TIME,
        }
    }

    /// The index of the text column that names the row's subject: a session, a ticket or an agent. `None` if the rows
    /// have no subject.
    pub fn subject_column(self) -> Option<usize> {
        match self {
            Self::Events => Some(Column::Subject as usize),
            Self::DeadLetters => None,
            Self::Sessions => Some(0),
        }
    }

    /// The index of the column with the event's type. `None` in tables that have none.
    pub fn type_column(self) -> Option<usize> {
        (self == Self::Events).then_some(Column::Type as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_column_is_a_time() {
        for table in [Table::Events, Table::DeadLetters, Table::Sessions] {
            let schema = table.schema();
            assert!(matches!(schema.field(table.time_column()).data_type(), DataType::Timestamp(..)));
        }
        for table in [Table::Events, Table::DeadLetters] {
            let schema = table.schema();
            // All columns but the last are visible to statements.
            assert_eq!(schema.fields().last().map(|field| field.name().as_str()), Some(PROOF_SECRET));
        }
    }
}
