//! Events to columns. Values are copied from the event's bytes straight into the column's buffer. A column costs
//! nothing for the events that lack it.

use crate::catalogue::{FieldKind, FieldSpec, TypeSpec, type_spec};
use crate::event::{Data, Event, Field};
use crate::json::escape_into;
use crate::number::whole_number;
use crate::schema::{COLUMNS, Column, ColumnKind, Tier, arrow_schema};
use crate::time::Timestamp;
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::SchemaRef;
use std::fmt::Write;
use std::sync::Arc;

/// The position of an event in Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position<'p> {
    /// The topic.
    pub topic: &'p str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// The place of a recording chunk's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlace<'p> {
    /// The object's path, relative to the archive.
    pub path: &'p str,
    /// The first byte of the chunk in the decrypted object.
    pub offset: i64,
}

/// Collects events into one record batch.
#[derive(Debug)]
pub struct EventBatchBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    rows: usize,
    bytes: usize,
    /// The catalogue's entry for the previous event: adjacent events mostly have the same type.
    spec: Option<&'static TypeSpec>,
    /// Scratch space for the columns that are assembled from several fields.
    problems: String,
    operational: String,
    personal: String,
}

#[derive(Debug)]
enum ColumnBuilder {
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Bool(BooleanBuilder),
    Binary(BinaryBuilder),
}

/// Appends to the builder of one kind, with nulls for the rows since the last value.
macro_rules! append {
    ($self:ident, $column:expr, $kind:ident, $value:expr) => {
        if let ColumnBuilder::$kind(builder) = &mut $self.columns[$column as usize] {
            let missing = $self.rows - builder.len();
            if missing > 0 {
                builder.append_nulls(missing);
            }
            builder.append_value($value);
        }
    };
}

impl Default for EventBatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl EventBatchBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        let schema = arrow_schema();
        let columns = COLUMNS
            .iter()
            .map(|spec| match spec.kind {
                ColumnKind::Text => ColumnBuilder::Text(StringBuilder::with_capacity(0, 0)),
                ColumnKind::Time => {
                    ColumnBuilder::Time(TimestampMicrosecondBuilder::with_capacity(0).with_timezone("UTC"))
                }
                ColumnKind::Int32 => ColumnBuilder::Int32(Int32Builder::with_capacity(0)),
                ColumnKind::Int64 => ColumnBuilder::Int64(Int64Builder::with_capacity(0)),
                ColumnKind::Float64 => ColumnBuilder::Float64(Float64Builder::with_capacity(0)),
                ColumnKind::Bool => ColumnBuilder::Bool(BooleanBuilder::with_capacity(0)),
                ColumnKind::Binary => ColumnBuilder::Binary(BinaryBuilder::with_capacity(0, 0)),
            })
            .collect();
        Self {
            schema,
            columns,
            rows: 0,
            bytes: 0,
            spec: None,
            problems: String::new(),
            operational: String::new(),
            personal: String::new(),
        }
    }

    /// How many events are in it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes are in it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends one event.
    pub fn append(
        &mut self,
        event: &Event<'_>,
        position: Position<'_>,
        archived_at: Timestamp,
        time_implausible: bool,
        chunk: Option<ChunkPlace<'_>>,
    ) {
        append!(self, Column::Id, Text, &event.id);
        append!(self, Column::Source, Text, &event.source);
        append!(self, Column::Type, Text, &event.type_);
        append!(self, Column::Subject, Text, &event.subject);
        append!(self, Column::Time, Time, event.time.0);
        append!(self, Column::ArchivedAt, Time, archived_at.0);
        append!(self, Column::KafkaTopic, Text, position.topic);
        append!(self, Column::KafkaPartition, Int32, position.partition);
        append!(self, Column::KafkaOffset, Int64, position.offset);
        append!(self, Column::TimeImplausible, Bool, time_implausible);
        let attributes = [
            (Column::Ticket, &event.ticket),
            (Column::Agent, &event.agent),
            (Column::Portal, &event.portal),
            (Column::Customer, &event.customer),
            (Column::DataContentType, &event.datacontenttype),
            (Column::DataSchema, &event.dataschema),
        ];
        for (column, value) in attributes {
            if let Some(value) = value {
                append!(self, column, Text, value);
            }
        }
        if let Some(chunk) = chunk {
            append!(self, Column::ObjectPath, Text, chunk.path);
            append!(self, Column::ObjectOffset, Int64, chunk.offset);
        }
        if !event.extensions.is_empty() {
            let mut json = String::new();
            for (name, value) in &event.extensions {
                json.push(if json.is_empty() { '{' } else { ',' });
                escape_into(&mut json, name);
                json.push(':');
                escape_into(&mut json, value);
            }
            json.push('}');
            append!(self, Column::Extensions, Text, &json);
        }
        match &event.data {
            Data::None => {}
            Data::Text(text) => {
                append!(self, Column::Data, Text, text);
                self.bytes += text.len();
            }
            Data::Binary(bytes) => {
                append!(self, Column::DataBinary, Binary, bytes);
                self.bytes += bytes.len();
            }
        }
        self.append_fields(event);
        self.bytes += 128 + event.id.len() + event.subject.len();
        self.rows += 1;
    }

    fn append_fields(&mut self, event: &Event<'_>) {
        if self.spec.is_none_or(|spec| !spec.names.contains(&event.type_.as_ref())) {
            self.spec = type_spec(&event.type_);
        }
        let Some(spec) = self.spec else { return };
        let mut problems = std::mem::take(&mut self.problems);
        let mut operational = std::mem::take(&mut self.operational);
        let mut personal = std::mem::take(&mut self.personal);
        event.match_fields(spec, &mut problems, |known, field| match (known.column, known.tier) {
            (Some(column), _) => self.append_field(column, field),
            (None, Tier::Operational) => append_member(&mut operational, known, field),
            (None, Tier::Personal) => append_member(&mut personal, known, field),
            // A content field is stored only in `data`.
            (None, Tier::Content) => {}
        });
        if !problems.is_empty() {
            append!(self, Column::Problems, Text, &problems);
            problems.clear();
        }
        for (column, json) in [(Column::Operational, &mut operational), (Column::Personal, &mut personal)] {
            if !json.is_empty() {
                json.push('}');
                append!(self, column, Text, &*json);
                json.clear();
            }
        }
        (self.problems, self.operational, self.personal) = (problems, operational, personal);
    }

    /// Appends a field that has a column and follows the catalogue's rules.
    fn append_field(&mut self, column: Column, field: &Field<'_>) {
        match COLUMNS[column as usize].kind {
            ColumnKind::Text => append!(self, column, Text, field.text()),
            ColumnKind::Int32 => {
                if let Some(value) = whole_number(field.raw).ok().and_then(|value| i32::try_from(value).ok()) {
                    append!(self, column, Int32, value);
                }
            }
            ColumnKind::Int64 => {
                if let Ok(value) = whole_number(field.raw) {
                    append!(self, column, Int64, value);
                }
            }
            ColumnKind::Float64 => {
                if let Ok(value) = field.raw.parse() {
                    append!(self, column, Float64, value);
                }
            }
            ColumnKind::Bool => append!(self, column, Bool, field.raw == "true"),
            // No field of the catalogue has a column of these kinds, which a test of the catalogue checks.
            ColumnKind::Time | ColumnKind::Binary => {}
        }
    }

    /// Takes the collected events as a record batch and leaves the builder empty.
    pub fn finish(&mut self) -> RecordBatch {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let columns: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .zip(COLUMNS)
            .map(|(builder, spec)| builder.finish(rows).unwrap_or_else(|| new_null_array(&spec.data_type(), rows)))
            .collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns).expect("the columns are built after the schema")
    }
}

impl ColumnBuilder {
    /// The column with `rows` rows; `None` when no row has a value.
    fn finish(&mut self, rows: usize) -> Option<ArrayRef> {
        macro_rules! finish {
            ($builder:ident) => {{
                if $builder.is_empty() && rows > 0 {
                    return None;
                }
                $builder.append_nulls(rows - $builder.len());
                Some(Arc::new($builder.finish()))
            }};
        }
        match self {
            Self::Text(builder) => finish!(builder),
            Self::Time(builder) => finish!(builder),
            Self::Int32(builder) => finish!(builder),
            Self::Int64(builder) => finish!(builder),
            Self::Float64(builder) => finish!(builder),
            Self::Bool(builder) => finish!(builder),
            Self::Binary(builder) => finish!(builder),
        }
    }
}

/// Appends a member to a JSON object under construction. The caller appends the closing brace. A whole number is written
/// as such, also if its sender wrote `5.0`, because readers of the column take it from there.
fn append_member(json: &mut String, known: &FieldSpec, field: &Field<'_>) {
    json.push(if json.is_empty() { '{' } else { ',' });
    escape_into(json, known.name);
    json.push(':');
    let is_whole = matches!(known.kind, FieldKind::Integer | FieldKind::Range(..));
    match is_whole.then(|| whole_number(field.raw)) {
        Some(Ok(number)) => {
            let _ = write!(json, "{number}");
        }
        Some(Err(_)) | None => field.write_json(json),
    }
}

#[cfg(test)]
mod tests;
