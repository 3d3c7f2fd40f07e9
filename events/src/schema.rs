//! The columns of `archive.events` in a data file, and the tier of each.
//!
//! Three columns have JSON: `operational` and `personal` the fields of their tier without a column of their own, and
//! `data` the whole payload, byte for byte. A content field is only in `data`. The retention class and the date are
//! partition values of the table and not columns of a file.

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Decides who may decrypt a column: each tier has its own master keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Ids, times, agent, portal, rating, resolution.
    Operational,
    /// Names, addresses, device ids, serials.
    Personal,
    /// Chat text, diagnostics, feedback, recordings, and all fields that are not in the catalogue.
    Content,
}

impl Tier {
    /// All tiers, from the least to the most sensitive.
    pub const ALL: [Self; 3] = [Self::Operational, Self::Personal, Self::Content];

    /// The tier's name on disk and in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operational => "operational",
            Self::Personal => "personal",
            Self::Content => "content",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tier {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.name() == name)
            .ok_or_else(|| format!("unknown tier `{name}`; the tiers are operational, personal and content"))
    }
}

macro_rules! columns {
    ($( $variant:ident $name:literal $kind:ident $tier:ident $null:literal $doc:literal ),* $(,)?) => {
        /// A column of a data file. The discriminant is its index.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Column { $( #[doc = $doc] $variant ),* }

        /// Every column of a data file, in order.
        pub const COLUMNS: &[ColumnSpec] = &[
            $( ColumnSpec { column: Column::$variant, name: $name, kind: ColumnKind::$kind, tier: Tier::$tier, nullable: $null } ),*
        ];
    };
}

columns! {
    Id "id" Text Operational false "Unique per source.",
    Source "source" Text Operational false "The source of the event.",
    Type "type" Text Operational false "The event's type.",
    Subject "subject" Text Operational false "The session's id.",
    Time "time" Time Operational false "When it happened, as the source claims.",
    Ticket "ticket" Text Operational true "The CRM ticket's number.",
    Agent "agent" Text Operational true "The agent's id.",
    Portal "portal" Text Operational true "The entry portal.",
    Customer "customer" Text Operational true "The customer's account.",
    DataContentType "datacontenttype" Text Operational true "The media type of `data`.",
    DataSchema "dataschema" Text Operational true "The schema of `data`.",
    ArchivedAt "archived_at" Time Operational false "When it was archived.",
    KafkaTopic "kafka_topic" Text Operational false "The Kafka topic.",
    KafkaPartition "kafka_partition" Int32 Operational false "The topic's partition.",
    KafkaOffset "kafka_offset" Int64 Operational false "The offset in the partition.",
    TimeImplausible "time_implausible" Bool Operational false "Whether the claimed time was too implausible to file the event under its date.",
    Problems "problems" Text Operational true "Its violations of the catalogue, without values.",
    Seq "seq" Int64 Operational true "The number within the session or the recording.",
    Sender "sender" Text Operational true "Who wrote the chat line.",
    ParticipantId "participant_id" Text Operational true "The participant.",
    Role "role" Text Operational true "The participant's role.",
    Visibility "visibility" Text Operational true "To whom the chat line is visible.",
    Mode "mode" Text Operational true "How the session was requested.",
    Queue "queue" Text Operational true "The queue.",
    Skill "skill" Text Operational true "The requested skill.",
    Reason "reason" Text Operational true "The reason.",
    Kind "kind" Text Operational true "The kind of diagnostics.",
    Rating "rating" Int32 Operational true "The customer's rating, 1 to 5.",
    Resolved "resolved" Text Operational true "The customer's answer: yes or no.",
    Resolution "resolution" Text Operational true "The agent's outcome.",
    EndedBy "ended_by" Text Operational true "Who ended the session.",
    Duration "duration" Float64 Operational true "Seconds.",
    Waited "waited" Float64 Operational true "Seconds in the queue.",
    RecordingId "recording_id" Text Operational true "The recording.",
    MediaType "media_type" Text Operational true "The media type of a recording or a file.",
    FirstMs "first_ms" Int64 Operational true "The chunk's first millisecond.",
    LastMs "last_ms" Int64 Operational true "The chunk's last millisecond.",
    Last "last" Bool Operational true "Whether it is the recording's last chunk.",
    Size "size" Int64 Operational true "Bytes.",
    Sha256 "sha256" Text Operational true "SHA-256 of a file or a chunk, hexadecimal.",
    ObjectPath "object_path" Text Operational true "The object with the chunk's bytes.",
    ObjectOffset "object_offset" Int64 Operational true "The first byte of the chunk in the decrypted object.",
    Operational "operational" Text Operational true "JSON of the operational fields without a column.",
    Personal "personal" Text Personal true "JSON of the personal fields.",
    Extensions "extensions" Text Content true "JSON of the extension attributes without a column.",
    Data "data" Text Content true "The payload if it is text, byte for byte.",
    DataBinary "data_binary" Binary Content true "The payload if it is not text.",
    ProofSecret "proof_secret" Binary Content true "The secret from which the salt of the event's hash is derived.",
}

/// The definition of a column.
#[derive(Debug, Clone, Copy)]
pub struct ColumnSpec {
    /// The column.
    pub column: Column,
    /// Its name in files and in SQL.
    pub name: &'static str,
    pub(crate) kind: ColumnKind,
    /// Its tier.
    pub tier: Tier,
    /// Whether it may be NULL.
    pub nullable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    Text,
    Time,
    Int32,
    Int64,
    Float64,
    Bool,
    Binary,
}

impl ColumnSpec {
    /// The Arrow type.
    pub fn data_type(&self) -> DataType {
        match self.kind {
            ColumnKind::Text => DataType::Utf8,
            ColumnKind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ColumnKind::Int32 => DataType::Int32,
            ColumnKind::Int64 => DataType::Int64,
            ColumnKind::Float64 => DataType::Float64,
            ColumnKind::Bool => DataType::Boolean,
            ColumnKind::Binary => DataType::Binary,
        }
    }
}

/// The Arrow schema of a data file.
pub fn arrow_schema() -> SchemaRef {
    Arc::new(Schema::new(
        COLUMNS.iter().map(|spec| Field::new(spec.name, spec.data_type(), spec.nullable)).collect::<Vec<_>>(),
    ))
}

/// The index of the column with this name.
pub fn column_index(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|spec| spec.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_at_their_index_and_have_unique_names() {
        for (index, spec) in COLUMNS.iter().enumerate() {
            assert_eq!(spec.column as usize, index, "{}", spec.name);
            assert_eq!(column_index(spec.name), Some(index));
        }
    }

    #[test]
    fn tiers_are_read_back_from_their_names() {
        for tier in Tier::ALL {
            assert_eq!(tier.name().parse(), Ok(tier));
        }
        assert!("secret".parse::<Tier>().is_err());
    }
}
