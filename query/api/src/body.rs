//! A request's body, read within its limits of size and time.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use futures::StreamExt as _;

use crate::problem::Problem;

/// How many bytes of a refused body are still read, so that a client that still writes can read the response.
const DISCARD_BYTES: usize = 16 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Reads a body of at most `limit` bytes that arrives within `time`.
pub(crate) async fn read(body: Body, limit: usize, time: Duration) -> Result<Vec<u8>, Problem> {
    let announced = body.size_hint().exact().map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if announced > limit {
        discard(body).await;
        return Err(Problem::body_too_large(limit));
    }
    let mut bytes = Vec::with_capacity(announced);
    let mut stream = body.into_data_stream();
    let reading = async {
        while let Some(part) = stream.next().await {
            let part = part.map_err(|_| Problem::incomplete_body())?;
            if bytes.len() + part.len() > limit {
                return Err(Problem::body_too_large(limit));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(())
    };
    let read = tokio::time::timeout(time, reading).await.unwrap_or_else(|_| Err(Problem::body_timeout()));
    match read {
        Ok(()) => Ok(bytes),
        Err(problem) => {
            discard(Body::from_stream(stream)).await;
            Err(problem)
        }
    }
}

/// Reads and drops up to [`DISCARD_BYTES`] within [`DISCARD_TIME`].
pub(crate) async fn discard(body: Body) {
    let mut stream = body.into_data_stream();
    let mut left = DISCARD_BYTES;
    let reading = async {
        while let Some(Ok(part)) = stream.next().await {
            left = left.saturating_sub(part.len());
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
}
