//! The result of a statement, and its description before it is executed.

use crate::error::QueryError;
use crate::scan::Notice;
use arrow_array::RecordBatch;
use arrow_schema::{FieldRef, SchemaRef};
use futures::stream::{BoxStream, TryStreamExt};
use std::fmt;

/// The columns of a statement's result and its placeholders, before it is executed.
#[derive(Debug, Clone)]
pub struct Description {
    /// The columns of the result.
    pub schema: SchemaRef,
    /// The types of the placeholders `$1`, `$2`, ... in order; `None` if the statement does not determine the type. A
    /// name under [`TYPE_KEY`](crate::TYPE_KEY) is that of PostgreSQL's type.
    pub parameters: Vec<Option<FieldRef>>,
}

/// The result of a statement. Rows are computed while they are taken from the stream; dropping it cancels the
/// statement.
pub struct QueryResult {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    /// Columns that are NULL because the caller's keys do not open them.
    pub notices: Vec<Notice>,
}

impl fmt::Debug for QueryResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryResult").field("notices", &self.notices).finish_non_exhaustive()
    }
}

impl QueryResult {
    /// All rows at once.
    pub async fn collect(self) -> Result<Vec<RecordBatch>, QueryError> {
        self.batches.try_collect().await
    }
}
