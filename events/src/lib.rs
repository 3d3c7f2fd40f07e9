//! Events: the CloudEvents envelope, the catalogue of types, and the columns of an event.
//!
//! ```text
//! bytes ──decode──▶ Event<'_> ──┬─▶ EventBatchBuilder ──▶ Arrow RecordBatch (one column a hot field)
//!  (JSON, batch,    borrows     ├─▶ canonical bytes     (to compare two events)
//!   or binary mode) the bytes   └─▶ structured JSON     (the message to Kafka)
//! ```
//!
//! The crate is pure: it uses no Kafka client, no files and no SQL, reads no clock and keeps no state between events.
//!
//! Invariants:
//! - A decoded event is well-formed throughout: valid UTF-8 and JSON, no duplicate key at any depth, bounded nesting.
//! - `data` is kept byte for byte as received.
//! - canonical(event) = canonical(event read back from its columns).
//! - Only the catalogue decides a field's tier. A field that is not in the catalogue is tier content.

mod batch;
mod canonical;
mod catalogue;
mod chunk;
mod consistency;
mod decode;
mod error;
mod event;
mod filing;
mod json;
mod number;
mod schema;
mod span;
mod time;

pub use batch::{ChunkPlace, EventBatchBuilder, Position};
pub use canonical::{canonical_bytes, canonical_bytes_of_row};
pub use catalogue::{FieldKind, FieldSpec, TypeSpec, type_spec, types};
pub use chunk::{CHUNK_TYPE, Chunk, MAX_CHUNK_SEQ};
pub use consistency::is_consistent;
pub use decode::{Decoder, decode_binary, decode_structured, split_batch};
pub use error::{BatchError, DecodeError};
pub use event::{Data, Event, Field};
pub use filing::{FilingBounds, FilingDate};
pub use json::{JsonKind, JsonObject, escape_into, unescape};
pub use number::{InvalidNumber, whole_number};
pub use schema::{COLUMNS, Column, ColumnSpec, Tier, arrow_schema, column_index};
pub use span::{OffsetSpan, SpanError};
pub use time::{InvalidTime, TimeText, Timestamp};

/// The media type of one structured-mode CloudEvent (CloudEvents JSON format 1.0, section 3).
pub const STRUCTURED_MEDIA_TYPE: &str = "application/cloudevents+json";
/// The media type of a JSON batch of CloudEvents (CloudEvents JSON format 1.0, section 4).
pub const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";
/// The byte order mark of UTF-8. At the start of an event or a batch it belongs to nothing and is skipped (RFC 8259,
/// section 8.1): some editors, shells and spreadsheets write one.
pub const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// The maximum nesting depth of an event's values. Deeper ones are refused: no support system sends them, and unbounded
/// recursion could overflow the stack.
pub const MAX_DEPTH: usize = 128;
