//! A request's body: read within its limit, counted while it is read, decompressed within the same limit.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;

use super::budget::Reservation;
use super::headers::single;
use super::problem::Problem;

/// How much of a body that is refused is still read, so that its sender, who is still writing, gets to see the answer.
const DISCARD_BYTES: usize = 64 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(10);
/// Bytes that are decompressed between two looks at the limits.
const STEP: usize = 64 << 10;
/// RFC 9659: a zstd window of more than 8 MiB is not for HTTP. Without it a few bytes ask for much memory.
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

/// How much of a body is taken, and what is said when that is not enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimit {
    pub(super) bytes: usize,
    /// What the body is, for people.
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

    fn count(self, reservation: &mut Reservation, bytes: usize) -> Result<(), Problem> {
        reservation.add_bytes(bytes).map_err(|full| Problem::busy(full.reason(), self.retry_after_seconds))
    }
}

/// Reads a body as it was sent.
pub(super) async fn read(body: Body, limit: BodyLimit, reservation: &mut Reservation) -> Result<Vec<u8>, Problem> {
    let announced = body.size_hint().exact().map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let admitted = if announced > limit.bytes { Err(limit.exceeded()) } else { limit.count(reservation, announced) };
    if let Err(problem) = admitted {
        discard(body).await;
        return Err(problem);
    }
    let mut bytes = Vec::with_capacity(announced);
    let mut stream = body.into_data_stream();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| {
            let detail = "the connection ended before the whole body was there; send it again";
            Problem::bad_request("incomplete_body", "The body is incomplete", detail)
        })?;
        let more = (bytes.len() + part.len()).saturating_sub(bytes.len().max(announced));
        let room =
            if bytes.len() + part.len() > limit.bytes { Err(limit.exceeded()) } else { limit.count(reservation, more) };
        if let Err(problem) = room {
            drop(bytes);
            discard(Body::from_stream(stream)).await;
            return Err(problem);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Reads on without keeping anything, for a while.
pub(super) async fn discard(body: Body) {
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

/// Decompresses a body that was read. Stops as soon as there is more than the limit, so that a bomb costs no more than
/// an honest body.
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
    let mut step = vec![0; STEP];
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
    let detail = "the body is not what its Content-Encoding says, or it ends too early; zstd windows may have 8 MiB";
    Problem::bad_request("invalid_compression", "The body cannot be decompressed", detail)
}
