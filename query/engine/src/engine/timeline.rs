//! The time line of one session.

use super::result::QueryResult;
use super::session::Session;
use crate::error::QueryError;
use datafusion::common::ScalarValue;
use datafusion::common::config::Dialect;

/// The statement of [`timeline`]; `$1` is the session's id.
pub(crate) const TIMELINE: &str = include_str!("timeline.sql");

/// All events of the session `id`, each once, in order. The columns are those of `archive.events`, followed by
/// `deliveries`: how often the event was delivered.
///
/// Events are in the order of delivery (partition and offset). Events with a `seq`, which are chat lines and the chunks
/// of a recording, are in the order of `seq`, at the positions where events of their series were delivered. Recordings
/// arrive through another topic, and are merged by time.
///
/// # Errors
/// Those of [`Session::sql`].
pub async fn timeline(session: &Session, id: &str) -> Result<QueryResult, QueryError> {
    let id = ScalarValue::Utf8(Some(id.to_owned()));
    session.run(TIMELINE, Dialect::Generic, vec![id]).await
}
