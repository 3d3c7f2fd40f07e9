//! Reads a request's body within its limit, counts it while reading, and decompresses it within the same limit.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;

use super::budget::Reservation;
use super::headers::single;
use super::problem::Problem;

/// How much of a rejected body is still read. A sender that is still writing could not read the response otherwise.
const DISCARD_BYTES: usize = 64 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(10);
/// Bytes that are decompressed between two checks of the limits.
const STEP_BYTES: usize = 64 << 10;
/// RFC 9659 limits the zstd window in HTTP to 8 MiB. Without a limit, a few bytes could claim much memory.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = single(headers, &header::CONTENT_ENCODING)? else { return Ok(Self::Identity) };
        match value.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Ok(Self::Identity),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"zstd" => Ok(Self::Zstd),
            _ => Err(Problem::unsupported_encoding()),
        }
    }
}

/// The size limit of a body, and how its excess is reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimit {
    pub(super) bytes: usize,
    /// What the body contains, for the error message.
    pub(super) what: &'static str,
    pub(super) retry_after_seconds: u64,
}

impl BodyLimit {
    fn exceeded(self) -> Problem {
        let Self { bytes, what, .. } = self;
        Problem::too_large(
            "body_too_large",
            format!("{what} may have {bytes} bytes, after decompression; send less at once"),
        )
    }

    /// Reserves `bytes` more.
    pub(super) fn count(self, reservation: &mut Reservation, bytes: usize) -> Result<(), Problem> {
        reservation.add_bytes(bytes).map_err(|exhausted| Problem::busy(exhausted.reason(), self.retry_after_seconds))
    }
}

/// Reads a body as it was sent.
pub(super) async fn read(body: Body, limit: BodyLimit, reservation: &mut Reservation) -> Result<Vec<u8>, Problem> {
    let announced = body.size_hint().exact().map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let reserved = if announced > limit.bytes { Err(limit.exceeded()) } else { limit.count(reservation, announced) };
    if let Err(problem) = reserved {
        discard(body).await;
        return Err(problem);
    }
    let mut bytes = Vec::with_capacity(announced);
    let mut stream = body.into_data_stream();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| {
            let detail = "the connection ended before the body was complete; send it again";
            Problem::bad_request("incomplete_body", "The body is incomplete", detail)
        })?;
        let more = (bytes.len() + part.len()).saturating_sub(bytes.len().max(announced));
        let reserved =
            if bytes.len() + part.len() > limit.bytes { Err(limit.exceeded()) } else { limit.count(reservation, more) };
        if let Err(problem) = reserved {
            drop(bytes);
            discard(Body::from_stream(stream)).await;
            return Err(problem);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Reads the rest of a body without keeping it, up to a limit.
pub(super) async fn discard(body: Body) {
    let mut stream = body.into_data_stream();
    let mut remaining = DISCARD_BYTES;
    let reading = async {
        while let Some(Ok(part)) = stream.next().await {
            remaining = remaining.saturating_sub(part.len());
            if remaining == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
}

/// Decompresses a body. Stops as soon as it exceeds the limit, so that a decompression bomb costs no more than another
/// body.
pub(super) fn decompress(
    encoding: Encoding,
    body: Vec<u8>,
    limit: BodyLimit,
    reservation: &mut Reservation,
) -> Result<Vec<u8>, Problem> {
    let decompressed = match encoding {
        Encoding::Identity => return Ok(body),
        Encoding::Gzip => collect(flate2::bufread::MultiGzDecoder::new(body.as_slice()), limit, reservation)?,
        Encoding::Zstd => {
            let mut reader = zstd::stream::read::Decoder::with_buffer(body.as_slice()).map_err(|_| damaged())?;
            reader.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| damaged())?;
            collect(reader, limit, reservation)?
        }
    };
    reservation.release_bytes(body.len());
    Ok(decompressed)
}

fn collect(mut reader: impl Read, limit: BodyLimit, reservation: &mut Reservation) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut step = vec![0; STEP_BYTES];
    loop {
        let read = match reader.read(&mut step) {
            Ok(0) => return Ok(bytes),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(damaged()),
        };
        if bytes.len() + read > limit.bytes {
            return Err(limit.exceeded());
        }
        limit.count(reservation, read)?;
        bytes.extend_from_slice(&step[..read]);
    }
}

fn damaged() -> Problem {
    let detail = "the body does not match its Content-Encoding or is truncated; zstd windows may have 8 MiB";
    Problem::bad_request("invalid_compression", "The body cannot be decompressed", detail)
}
