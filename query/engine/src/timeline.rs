//! The whole timeline of one session.

use crate::error::QueryError;
use crate::session::{QueryResult, Session};
use datafusion::common::ScalarValue;
use datafusion::common::config::Dialect;

/// The statement behind [`timeline`]; `$1` is the session's id.
pub(crate) const TIMELINE: &str = include_str!("timeline.sql");

/// All events of the session `id`, each once, in order. The columns are those of `archive.events` and, behind them,
/// `deliveries`: how often the event was delivered.
///
/// Order is that of delivery (partition and offset). Where events carry a `seq`, chat lines and the chunks of a recording
/// stand in its order, in the places where events of their series were delivered. Recordings come through another topic,
/// and are merged by time.
///
/// # Errors
/// Those of [`Session::sql`].
pub async fn timeline(session: &Session, id: &str) -> Result<QueryResult, QueryError> {
    let id = ScalarValue::Utf8(Some(id.to_owned()));
    session.run(TIMELINE, Dialect::Generic, vec![id]).await
}
