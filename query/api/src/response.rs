//! Streams the rows of a result to the client.
//!
//! ```text
//! QueryResult ─▶ shape ─▶ encoder ─▶ the first 64 KiB ─▶ status 200, or the status of the problem
//!      ▲                     │
//!      │ drop: cancelled     └─▶ one part at a time ─▶ channel of one ─▶ body ─▶ client
//!      └── the client disconnects, stops reading, or cancels
//! ```
//!
//! Invariants:
//! - A problem before the first 64 KiB has its own status. A later one is reported at the end of the body if the format has
//!   a place for it. Otherwise the body is aborted, so that no client takes it for complete.
//! - Only a body with all rows, or with an error at its end, is terminated properly.
//! - At most three parts of a response are in memory: one being encoded, one in the channel, one being sent.

use std::future::Future;
use std::time::Duration;

use arrow_array::RecordBatch;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use holdfast_query::{Notice, QueryError, QueryResult};
use http_body_util::StreamBody;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::error_mapping::query_problem;
use crate::format::{self, Format, RowEncoder, Shape, Unrepresentable};
use crate::headers::value_of;
use crate::problem::Problem;
use crate::running::Registration;
use crate::settings::ApiSettings;

/// The bytes of a response that are buffered before its status is sent.
const FIRST_PART_BYTES: usize = 64 << 10;
/// The most notices in headers.
const MAX_NOTICES: usize = 32;

/// The id of the statement, for `DELETE /v1/statements/{id}`.
pub(crate) const STATEMENT: HeaderName = HeaderName::from_static("holdfast-statement");
/// A column that is withheld.
pub(crate) const NOTICE: HeaderName = HeaderName::from_static("holdfast-notice");
/// How a statement ended; a trailer.
pub(crate) const OUTCOME: HeaderName = HeaderName::from_static("holdfast-outcome");
/// The number of rows; a trailer.
pub(crate) const ROWS: HeaderName = HeaderName::from_static("holdfast-rows");

/// A part of a body.
enum Part {
    Bytes(Bytes),
    /// The end of the body. The body is complete, or it contains the error that ended it.
    End(HeaderMap),
}

/// The parts of a body ended without [`Part::End`].
#[derive(Debug, thiserror::Error)]
#[error("the response is incomplete")]
struct Incomplete;

/// A result that is being encoded.
struct ResultWriter {
    encoder: Box<dyn RowEncoder>,
    shape: Shape,
    batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    slices: Box<dyn Iterator<Item = RecordBatch> + Send>,
    rows: u64,
    retry_after_seconds: u64,
}

/// Does `work` unless the statement is cancelled first.
pub(crate) async fn unless_cancelled<T>(
    registration: &Registration,
    work: impl Future<Output = T>,
) -> Result<T, Problem> {
    tokio::select! {
        biased;
        () = registration.cancelled() => Err(Problem::cancelled()),
        done = work => Ok(done),
    }
}

/// The response with the rows of `result`. Without rows it is the problem `if_empty`, if that is given.
pub(crate) async fn rows(
    settings: &ApiSettings,
    registration: Registration,
    result: QueryResult,
    format: Format,
    if_empty: Option<Problem>,
) -> Result<Response, Problem> {
    let QueryResult { schema, batches, notices } = result;
    let shape = Shape::of(&schema);
    let encoder = format::encoder(format, shape.schema(), &notices).map_err(not_representable)?;
    let encoder = encoder.ok_or_else(Problem::internal)?;
    let retry_after_seconds = settings.retry_after_seconds();
    let slices = Box::new(std::iter::empty());
    let mut writer = ResultWriter { encoder, shape, batches, slices, rows: 0, retry_after_seconds };

    let mut first = Vec::new();
    let is_complete = unless_cancelled(&registration, writer.first_part(&mut first)).await??;
    if writer.rows == 0
        && is_complete
        && let Some(problem) = if_empty
    {
        return Err(problem);
    }
    let id = registration.id().to_string();
    let body = if is_complete {
        let parts = [Part::Bytes(first.into()), Part::End(trailers("complete", writer.rows))];
        body_of(stream::iter(parts))
    } else {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(writer.send(first, registration, sender, settings.read_timeout));
        body_of(stream::unfold(receiver, |mut receiver| async move {
            let part = receiver.recv().await?;
            Some((part, receiver))
        }))
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(header::TRAILER, HeaderValue::from_static("holdfast-outcome, holdfast-rows"));
    headers.insert(STATEMENT, value_of(&id));
    append_notices(headers, &notices);
    Ok(response)
}

/// Appends a header for each withheld column.
pub(crate) fn append_notices(headers: &mut HeaderMap, notices: &[Notice]) {
    for notice in notices.iter().take(MAX_NOTICES) {
        headers.append(NOTICE, value_of(&notice.to_string()));
    }
    if let Some(more) = notices.len().checked_sub(MAX_NOTICES).filter(|more| *more > 0) {
        headers.append(NOTICE, value_of(&format!("{more} more columns are withheld")));
    }
}

fn not_representable(error: impl Into<Unrepresentable>) -> Problem {
    Problem::not_representable(error.into().to_string())
}

fn trailers(outcome: &'static str, rows: u64) -> HeaderMap {
    HeaderMap::from_iter([(OUTCOME, HeaderValue::from_static(outcome)), (ROWS, HeaderValue::from(rows))])
}

/// A body of parts. It fails unless the parts contain their end.
fn body_of(parts: impl futures::Stream<Item = Part> + Send + 'static) -> Body {
    let frames = stream::unfold((Box::pin(parts), false), |(mut parts, has_ended)| async move {
        if has_ended {
            return None;
        }
        Some(match parts.next().await {
            Some(Part::Bytes(bytes)) => (Ok(http_body::Frame::data(bytes)), (parts, false)),
            Some(Part::End(trailers)) => (Ok(http_body::Frame::trailers(trailers)), (parts, true)),
            None => (Err(Incomplete), (parts, true)),
        })
    });
    Body::new(StreamBody::new(frames))
}

impl ResultWriter {
    /// Encodes the first part. Returns whether the result is complete.
    async fn first_part(&mut self, out: &mut Vec<u8>) -> Result<bool, Problem> {
        self.encoder.begin(out).map_err(not_representable)?;
        while out.len() < FIRST_PART_BYTES {
            if self.step(out).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Encodes one slice. Returns whether the result is complete.
    async fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, Problem> {
        loop {
            if let Some(slice) = self.slices.next() {
                self.encoder.rows(&slice, out).map_err(not_representable)?;
                self.rows += slice.num_rows() as u64;
                return Ok(false);
            }
            match self.batches.next().await {
                Some(Ok(batch)) => {
                    self.slices = Box::new(format::slices(self.shape.apply(&batch).map_err(not_representable)?));
                }
                Some(Err(error)) => return Err(query_problem(&error, self.retry_after_seconds)),
                None => {
                    self.encoder.end(self.rows, out).map_err(not_representable)?;
                    return Ok(true);
                }
            }
        }
    }

    /// Sends the first part and all others. Returns when all is sent, or when the client is gone or the statement is
    /// cancelled. Dropping `self` then ends the statement.
    async fn send(
        mut self,
        first: Vec<u8>,
        registration: Registration,
        sender: mpsc::Sender<Part>,
        read_timeout: Duration,
    ) {
        let mut out = first;
        loop {
            // The bytes stay in `out` until the channel has room, so that an error can follow them.
            let room = tokio::select! {
                biased;
                () = registration.cancelled() => return self.abort(&Problem::cancelled(), out, &sender, read_timeout).await,
                room = timeout(read_timeout, sender.reserve()) => room,
            };
            match room {
                Ok(Ok(room)) => room.send(Part::Bytes(std::mem::take(&mut out).into())),
                Ok(Err(_)) => return,
                Err(_) => {
                    tracing::info!(statement = %registration.id(), "closed a connection whose client does not read");
                    return;
                }
            }
            let step = async {
                while out.is_empty() {
                    if self.step(&mut out).await? {
                        return Ok(true);
                    }
                }
                Ok::<_, Problem>(false)
            };
            let stepped = tokio::select! {
                biased;
                () = sender.closed() => return,
                () = registration.cancelled() => Err(Problem::cancelled()),
                stepped = step => stepped,
            };
            match stepped {
                Ok(false) => {}
                Ok(true) => {
                    send_last(out, trailers("complete", self.rows), &sender, read_timeout).await;
                    return;
                }
                Err(problem) => {
                    tracing::info!(statement = %registration.id(), reason = problem.reason, "a response is incomplete");
                    return self.abort(&problem, out, &sender, read_timeout).await;
                }
            }
        }
    }

    /// Ends the body after `out` with the problem, or leaves it incomplete if the format has no place for the problem.
    async fn abort(mut self, problem: &Problem, mut out: Vec<u8>, sender: &mpsc::Sender<Part>, read_timeout: Duration) {
        // The statement ends now, however slowly the client reads.
        self.batches = stream::empty().boxed();
        if self.encoder.abort(self.rows, problem, &mut out) {
            send_last(out, trailers(problem.reason, self.rows), sender, read_timeout).await;
        }
    }
}

/// Sends the last bytes of a body, and its end.
async fn send_last(out: Vec<u8>, trailers: HeaderMap, sender: &mpsc::Sender<Part>, read_timeout: Duration) {
    let last = timeout(read_timeout, sender.send(Part::Bytes(out.into()))).await;
    if matches!(last, Ok(Ok(()))) {
        // Without its end the body is incomplete.
        let _ = timeout(read_timeout, sender.send(Part::End(trailers))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_body_with_its_end_is_complete() {
        let part = || Part::Bytes(Bytes::from_static(b"x"));
        let complete = body_of(stream::iter([part(), Part::End(trailers("complete", 1))]));
        assert_eq!(axum::body::to_bytes(complete, 10).await.unwrap(), "x");
        let incomplete = body_of(stream::iter([part()]));
        assert!(axum::body::to_bytes(incomplete, 10).await.is_err());
    }
}
