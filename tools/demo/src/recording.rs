//! The recording of a session: its start, pauses and end, and its chunks.
//!
//! The time of a recording does not advance while it is paused, so the chunks of one recording follow each other without a gap:
//! `first_ms` is the millisecond after the previous `last_ms`.

use std::ops::RangeInclusive;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::clock::{SECOND, rfc3339};
use crate::event::{Body, Bytes, Chunk, Draft};
use crate::hex;
use crate::json::Object;
use crate::simulation::Simulation;
use crate::video::cut::Piece;
use crate::video::screen::{HEIGHT, Screen, WIDTH};
use crate::video::{CHUNK_MS, FRAME_MS, Recorder};

/// When a session started, ended and, if so, broke off. Milliseconds since 1970 UTC.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) started: i64,
    pub(crate) ended: i64,
    /// The session broke off here: the recording has no last chunk and no end.
    pub(crate) cut: Option<i64>,
}

impl Extent {
    fn last_moment(self) -> i64 {
        self.cut.unwrap_or(self.ended)
    }
}

/// Adds the recording to the session's events.
pub(crate) fn record(simulation: &mut Simulation<'_>, extent: Extent) {
    let id = format!("r-{}", &simulation.session_id[2..]);
    let mut events = RecordingEvents { id, seq: 0, digest: Sha256::new() };
    let finished = match &simulation.run.file {
        Some((file, pieces)) => record_file(simulation, &mut events, file, pieces, extent),
        None => record_screen(simulation, &mut events, extent),
    };
    if let Some((time, duration_ms)) = finished {
        events.end(simulation, time, duration_ms);
    }
}

/// Adds the events of one recording.
struct RecordingEvents {
    id: String,
    seq: u32,
    digest: Sha256,
}

impl RecordingEvents {
    fn start(&self, simulation: &mut Simulation<'_>, time: i64, size: Option<(usize, usize)>) {
        let mut fields = Object::new().text("recording_id", &self.id).text("media_type", "video/webm");
        if let Some((width, height)) = size {
            fields = fields.number("width", width as i64).number("height", height as i64);
        }
        let fields = fields.text("started_at", &rfc3339(time));
        simulation.drafts.push(Draft::new(time, "recording.started", Some(simulation.agent), fields));
    }

    fn chunk(
        &mut self,
        simulation: &mut Simulation<'_>,
        time: i64,
        milliseconds: RangeInclusive<u32>,
        last: bool,
        bytes: Bytes,
    ) {
        self.digest.update(bytes.as_slice());
        let (first_ms, last_ms) = milliseconds.into_inner();
        let chunk = Chunk { seq: self.seq, first_ms, last_ms, last, bytes };
        self.seq += 1;
        simulation.drafts.push(Draft {
            time,
            kind: "recording.chunk",
            subject: None,
            agent: Some(simulation.agent),
            attributed: true,
            body: Body::Chunk(chunk),
        });
    }

    fn mark(&self, simulation: &mut Simulation<'_>, time: i64, kind: &'static str, at_ms: u32, by: &str) {
        let fields = Object::new()
            .text("recording_id", &self.id)
            .number("at_ms", i64::from(at_ms))
            .text("reason", "pci")
            .text("by", by);
        simulation.drafts.push(Draft::new(time, kind, Some(simulation.agent), fields));
    }

    fn end(self, simulation: &mut Simulation<'_>, time: i64, duration_ms: u32) {
        let fields = Object::new()
            .text("recording_id", &self.id)
            .number("chunks", i64::from(self.seq))
            .seconds("duration", i64::from(duration_ms))
            .text("sha256", &hex(&self.digest.finalize()));
        simulation.drafts.push(Draft::new(time, "recording.ended", Some(simulation.agent), fields));
    }
}

/// Records the customer's screen. Returns the time and the length at which the recording ended, if it did.
fn record_screen(simulation: &mut Simulation<'_>, events: &mut RecordingEvents, extent: Extent) -> Option<(i64, u32)> {
    let Extent { started, cut, .. } = extent;
    let length = i64::from(simulation.run.recording_ms) * simulation.random.between(60, 120) / 100;
    let end = extent.last_moment();
    let earliest = started + 2 * SECOND;
    // Recordings should show these: a card number that must not be visible, the moment a session breaks off, remote control.
    let wanted = match (cut, simulation.card, simulation.control_since) {
        (Some(cut), _, _) => cut - length * 3 / 4,
        (None, Some((shown, _)), _) => shown - length * 2 / 5,
        (None, None, Some(since)) => since,
        (None, None, None) => earliest,
    };
    let begin = wanted.min(end - 3 * SECOND).max(earliest);
    let frame = i64::from(FRAME_MS);
    // The pause starts before the number is visible, because customers announce it, and ends after it was redacted.
    let pause = simulation
        .card
        .map(|(shown, redacted)| (shown - 2 * SECOND, redacted + 3 * SECOND))
        .filter(|(from, to)| *from > begin + SECOND && *to + SECOND < end && *from < begin + length);

    let lines = simulation.issue.screen.iter().map(|line| (*line).to_owned());
    let names = [format!("{} - {}", simulation.customer.device.hostname, simulation.customer.company.name)];
    let screen = Screen::new(
        simulation.issue.window.to_owned(),
        names.into_iter().chain(lines).collect(),
        simulation.random.number(),
    );
    let mut recorder = Recorder::new(screen);
    events.start(simulation, begin, Some((WIDTH, HEIGHT)));

    // Chunks on the grid of frames. A pause shifts the following chunks in time.
    let before_pause = pause.map(|(from, _)| (from - begin) / frame * frame);
    let paused = pause.map_or(0, |(from, to)| to - from);
    let room = end - begin - paused;
    let total = if cut.is_some() { room } else { length.min(room) };
    let total = (total / frame * frame).max(frame) as u32;
    let pause_at = before_pause.map(|at| at as u32).filter(|at| *at > 0 && *at < total);
    let mut shift = 0;
    let mut first_ms = 0;
    while first_ms < total {
        let mut end_ms = (first_ms + CHUNK_MS).min(total);
        if let Some(at) = pause_at.filter(|at| first_ms < *at) {
            end_ms = end_ms.min(at);
        }
        // The unfinished chunk of a recording that breaks off is lost.
        if cut.is_some() && end_ms == total {
            return None;
        }
        let time = begin + shift + i64::from(end_ms);
        let bytes = recorder.chunk(first_ms, end_ms);
        let last = cut.is_none() && end_ms == total;
        events.chunk(simulation, time, first_ms..=end_ms - 1, last, Bytes::Own(bytes));
        if pause_at == Some(end_ms) {
            let by = if simulation.random.chance(500) { "system" } else { "agent" };
            events.mark(simulation, time, "recording.paused", end_ms, by);
            shift = paused;
            events.mark(simulation, time + paused, "recording.resumed", end_ms, by);
        }
        first_ms = end_ms;
    }
    cut.is_none().then(|| (begin + shift + i64::from(total) + 20, total))
}

/// Uses the user's own recording, as much of it as the session is long.
fn record_file(
    simulation: &mut Simulation<'_>,
    events: &mut RecordingEvents,
    file: &Arc<[u8]>,
    pieces: &[Piece],
    extent: Extent,
) -> Option<(i64, u32)> {
    let (end, broken_off) = (extent.last_moment(), extent.cut.is_some());
    let begin = extent.started + 2 * SECOND;
    let room = end - begin;
    let fitting = pieces.iter().filter(|piece| i64::from(piece.last_ms) < room).count().max(1).min(pieces.len());
    events.start(simulation, begin, None);
    let mut recorded = (begin, 0);
    for (index, piece) in pieces[..fitting].iter().enumerate() {
        let time = (begin + i64::from(piece.last_ms) + 1).min(end).max(begin);
        let last = !broken_off && index + 1 == fitting;
        let bytes = Bytes::Part(Arc::clone(file), piece.bytes.clone());
        events.chunk(simulation, time, piece.first_ms..=piece.last_ms, last, bytes);
        recorded = (time, piece.last_ms.saturating_add(1));
    }
    (!broken_off).then_some(recorded)
}
