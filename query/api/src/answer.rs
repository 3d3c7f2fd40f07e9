//! The rows of an answer on their way to who asked.
//!
//! ```text
//! QueryResult ─▶ shape ─▶ encoder ─▶ the first 64 KiB ─▶ status 200, or the status of what went wrong
//!      ▲                     │
//!      │ drop: cancelled     └─▶ a part at a time ─▶ channel of one ─▶ body ─▶ reader
//!      └── the reader went away, stalls, or cancelled
//! ```
//!
//! Invariants:
//! - What goes wrong before the first 64 KiB are full has its own status. Later it is told at the end of the body, where
//!   the format can tell it; where it cannot, the body breaks off, so that no client takes it for whole.
//! - A body ends as a whole body does only behind its last row or an error that stands in it.
//! - No more than three parts of an answer are in memory: one in work, one in the channel, one on the wire.

use std::future::Future;
use std::time::Duration;

use arrow_array::RecordBatch;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use holdfast_query::{Limits, Notice, QueryError, QueryResult};
use http_body_util::StreamBody;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::format::{self, Encoder, Format, Shape, Unrepresentable};
use crate::headers::value_of;
use crate::problem::Problem;
use crate::refusal;
use crate::running::Entry;
use crate::settings::ApiSettings;

/// Bytes of an answer that are kept back until its status is sent.
const FIRST_BYTES: usize = 64 << 10;
/// Notices that are sent in headers.
const MOST_NOTICES: usize = 32;

/// The id of the statement, for `DELETE /v1/statements/{id}`.
pub(crate) const STATEMENT: HeaderName = HeaderName::from_static("holdfast-statement");
/// A column that is withheld.
pub(crate) const NOTICE: HeaderName = HeaderName::from_static("holdfast-notice");
/// How an answer ended; a trailer.
pub(crate) const OUTCOME: HeaderName = HeaderName::from_static("holdfast-outcome");
/// How many rows it has; a trailer.
pub(crate) const ROWS: HeaderName = HeaderName::from_static("holdfast-rows");

/// A part of a body.
enum Part {
    Bytes(Bytes),
    /// Nothing more comes, and nothing is missing that the body does not tell of.
    End(HeaderMap),
}

/// The body ended without its end.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
struct BrokenOff;

/// Rows being written.
struct Production {
    encoder: Box<dyn Encoder>,
    shape: Shape,
    batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    pieces: Box<dyn Iterator<Item = RecordBatch> + Send>,
    rows: u64,
    retry_after_seconds: u64,
}

/// Does `work` unless the statement is cancelled first.
pub(crate) async fn unless_cancelled<T>(entry: &Entry, work: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::select! {
        biased;
        () = entry.cancelled() => Err(Problem::cancelled()),
        done = work => Ok(done),
    }
}

/// Holds an answer to bounds that it does not have by itself.
pub(crate) fn bounded(result: QueryResult, limits: Limits) -> QueryResult {
    let QueryResult { schema, batches, notices } = result;
    let deadline = limits.time.map(|time| Instant::now() + time);
    let begin = (Some(batches), 0u64);
    let batches = stream::unfold(begin, move |(batches, rows)| async move {
        let mut batches = batches?;
        let next = match deadline {
            Some(deadline) => timeout_at(deadline, batches.next()).await.unwrap_or(Some(Err(QueryError::TimedOut))),
            None => batches.next().await,
        };
        match next? {
            Ok(batch) => {
                let rows = rows + batch.num_rows() as u64;
                match limits.rows {
                    Some(most) if rows > most => Some((Err(QueryError::TooManyRows { limit: most }), (None, rows))),
                    _ => Some((Ok(batch), (Some(batches), rows))),
                }
            }
            Err(error) => Some((Err(error), (None, rows))),
        }
    });
    QueryResult { schema, batches: batches.boxed(), notices }
}

/// The answer with the rows of `result`. An answer without rows is the problem `if_empty`, where there is one.
pub(crate) async fn rows(
    settings: &ApiSettings,
    entry: Entry,
    result: QueryResult,
    format: Format,
    if_empty: Option<Problem>,
) -> Result<Response, Problem> {
    let QueryResult { schema, batches, notices } = result;
    let shape = Shape::of(&schema);
    let encoder = format::encoder(format, shape.schema(), &notices).map_err(not_representable)?;
    let encoder = encoder.ok_or_else(Problem::internal)?;
    let retry_after_seconds = settings.retry_after_seconds();
    let pieces = Box::new(std::iter::empty());
    let mut production = Production { encoder, shape, batches, pieces, rows: 0, retry_after_seconds };

    let mut first = Vec::new();
    let is_whole = unless_cancelled(&entry, production.first(&mut first)).await??;
    if production.rows == 0
        && is_whole
        && let Some(problem) = if_empty
    {
        return Err(problem);
    }
    let id = entry.id().to_string();
    let body = if is_whole {
        let parts = [Part::Bytes(first.into()), Part::End(trailers("complete", production.rows))];
        body_of(stream::iter(parts))
    } else {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(production.deliver(first, entry, sender, settings.read_timeout));
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
    notify(headers, &notices);
    Ok(response)
}

/// Tells of withheld columns.
pub(crate) fn notify(headers: &mut HeaderMap, notices: &[Notice]) {
    for notice in notices.iter().take(MOST_NOTICES) {
        headers.append(NOTICE, value_of(&notice.to_string()));
    }
    if let Some(more) = notices.len().checked_sub(MOST_NOTICES).filter(|more| *more > 0) {
        headers.append(NOTICE, value_of(&format!("{more} more columns are withheld")));
    }
}

fn not_representable(error: impl Into<Unrepresentable>) -> Problem {
    Problem::not_representable(error.into().to_string())
}

fn trailers(outcome: &'static str, rows: u64) -> HeaderMap {
    HeaderMap::from_iter([(OUTCOME, HeaderValue::from_static(outcome)), (ROWS, HeaderValue::from(rows))])
}

/// A body of parts. It is whole only when its end was among them.
fn body_of(parts: impl futures::Stream<Item = Part> + Send + 'static) -> Body {
    let frames = stream::unfold((Box::pin(parts), false), |(mut parts, has_ended)| async move {
        if has_ended {
            return None;
        }
        Some(match parts.next().await {
            Some(Part::Bytes(bytes)) => (Ok(http_body::Frame::data(bytes)), (parts, false)),
            Some(Part::End(trailers)) => (Ok(http_body::Frame::trailers(trailers)), (parts, true)),
            None => (Err(BrokenOff), (parts, true)),
        })
    });
    Body::new(StreamBody::new(frames))
}

impl Production {
    /// Writes until there is enough for a first part. Whether that is all.
    async fn first(&mut self, out: &mut Vec<u8>) -> Result<bool, Problem> {
        self.encoder.begin(out).map_err(not_representable)?;
        while out.len() < FIRST_BYTES {
            if self.step(out).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes one piece. Whether that was all.
    async fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, Problem> {
        loop {
            if let Some(piece) = self.pieces.next() {
                self.encoder.rows(&piece, out).map_err(not_representable)?;
                self.rows += piece.num_rows() as u64;
                return Ok(false);
            }
            match self.batches.next().await {
                Some(Ok(batch)) => {
                    self.pieces = Box::new(format::pieces(self.shape.apply(&batch).map_err(not_representable)?));
                }
                Some(Err(error)) => return Err(refusal::of_query(&error, self.retry_after_seconds)),
                None => {
                    self.encoder.end(self.rows, out).map_err(not_representable)?;
                    return Ok(true);
                }
            }
        }
    }

    /// Sends the first part and all others. Returns when all is sent, or when it makes no sense to go on; `self` is
    /// dropped then, and the statement ends.
    async fn deliver(mut self, first: Vec<u8>, entry: Entry, sender: mpsc::Sender<Part>, patience: Duration) {
        let mut out = first;
        loop {
            // What is written stays in `out` until there is room for it, so that an error can stand behind it.
            let room = tokio::select! {
                biased;
                () = entry.cancelled() => return self.break_off(&Problem::cancelled(), out, &sender, patience).await,
                room = timeout(patience, sender.reserve()) => room,
            };
            match room {
                Ok(Ok(room)) => room.send(Part::Bytes(std::mem::take(&mut out).into())),
                Ok(Err(_)) => return,
                Err(_) => {
                    tracing::info!(statement = %entry.id(), "cut off a reader that takes nothing");
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
                () = entry.cancelled() => Err(Problem::cancelled()),
                stepped = step => stepped,
            };
            match stepped {
                Ok(false) => {}
                Ok(true) => {
                    send_last(out, trailers("complete", self.rows), &sender, patience).await;
                    return;
                }
                Err(problem) => {
                    tracing::info!(statement = %entry.id(), reason = problem.reason, "an answer broke off");
                    return self.break_off(&problem, out, &sender, patience).await;
                }
            }
        }
    }

    /// Ends the body, behind what is in `out`, with what went wrong; or lets it break off.
    async fn break_off(mut self, problem: &Problem, mut out: Vec<u8>, sender: &mpsc::Sender<Part>, patience: Duration) {
        // What still runs ends now, however slow the reader is.
        self.batches = stream::empty().boxed();
        if self.encoder.break_off(self.rows, problem, &mut out) {
            send_last(out, trailers(problem.reason, self.rows), sender, patience).await;
        }
    }
}

/// Sends what is left of a body, and its end.
async fn send_last(out: Vec<u8>, trailers: HeaderMap, sender: &mpsc::Sender<Part>, patience: Duration) {
    let last = timeout(patience, sender.send(Part::Bytes(out.into()))).await;
    if matches!(last, Ok(Ok(()))) {
        // Without its end the body breaks off.
        let _ = timeout(patience, sender.send(Part::End(trailers))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_end_makes_a_body_whole() {
        let part = || Part::Bytes(Bytes::from_static(b"x"));
        let whole = body_of(stream::iter([part(), Part::End(trailers("complete", 1))]));
        assert_eq!(axum::body::to_bytes(whole, 10).await.unwrap(), "x");
        let broken = body_of(stream::iter([part()]));
        assert!(axum::body::to_bytes(broken, 10).await.is_err());
    }
}
