//! The recording of a session: when it starts, pauses and ends, and its chunks.
//!
//! The clock of a recording stands still while it is paused, so the chunks of one recording follow each other without a
//! gap: `first_ms` is the millisecond after the `last_ms` before.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::clock::{SECOND, rfc3339};
use crate::event::{Body, Bytes, Chunk, Draft};
use crate::hex;
use crate::json::Object;
use crate::session::Scene;
use crate::video::cut::Piece;
use crate::video::screen::{HEIGHT, Screen, WIDTH};
use crate::video::{CHUNK_MS, Camera, FRAME_MS};

/// Adds the recording to the session's events. With `cut` the session breaks off there: no last chunk, no end.
pub(crate) fn record(scene: &mut Scene<'_>, started: i64, ended: i64, cut: Option<i64>) {
    let mut reel = Reel { id: format!("r-{}", &scene.session[2..]), seq: 0, digest: Sha256::new() };
    let finished = match &scene.setting.file {
        Some((file, pieces)) => play(scene, &mut reel, file, pieces, started, cut.unwrap_or(ended), cut.is_some()),
        None => film(scene, &mut reel, started, ended, cut),
    };
    if let Some((time, duration_ms)) = finished {
        reel.end(scene, time, duration_ms);
    }
}

/// A recording as far as it has been made.
struct Reel {
    id: String,
    seq: u32,
    digest: Sha256,
}

impl Reel {
    fn start(&self, scene: &mut Scene<'_>, time: i64, size: Option<(usize, usize)>) {
        let mut fields = Object::new().text("recording_id", &self.id).text("media_type", "video/webm");
        if let Some((width, height)) = size {
            fields = fields.number("width", width as i64).number("height", height as i64);
        }
        let fields = fields.text("started_at", &rfc3339(time));
        scene.drafts.push(Draft::new(time, "recording.started", Some(scene.agent), fields));
    }

    fn chunk(&mut self, scene: &mut Scene<'_>, time: i64, first_ms: u32, last_ms: u32, last: bool, bytes: Bytes) {
        self.digest.update(bytes.as_slice());
        let chunk = Chunk { seq: self.seq, first_ms, last_ms, last, bytes };
        self.seq += 1;
        scene.drafts.push(Draft {
            time,
            kind: "recording.chunk",
            subject: None,
            agent: Some(scene.agent),
            attributed: true,
            body: Body::Chunk(chunk),
        });
    }

    fn mark(&self, scene: &mut Scene<'_>, time: i64, kind: &'static str, at_ms: u32, by: &str) {
        let fields = Object::new()
            .text("recording_id", &self.id)
            .number("at_ms", i64::from(at_ms))
            .text("reason", "pci")
            .text("by", by);
        scene.drafts.push(Draft::new(time, kind, Some(scene.agent), fields));
    }

    fn end(self, scene: &mut Scene<'_>, time: i64, duration_ms: u32) {
        let fields = Object::new()
            .text("recording_id", &self.id)
            .number("chunks", i64::from(self.seq))
            .seconds("duration", i64::from(duration_ms))
            .text("sha256", &hex(&self.digest.finalize()));
        scene.drafts.push(Draft::new(time, "recording.ended", Some(scene.agent), fields));
    }
}

/// Films the customer's screen. Gives the time and the length at which the recording ended, if it did.
fn film(scene: &mut Scene<'_>, reel: &mut Reel, started: i64, ended: i64, cut: Option<i64>) -> Option<(i64, u32)> {
    let length = i64::from(scene.setting.recording_ms) * scene.dice.between(60, 120) / 100;
    let end = cut.unwrap_or(ended);
    let earliest = started + 2 * SECOND;
    // What is worth a recording: the card number that must not be in it, the moment it all broke off, the remote control.
    let wanted = match (cut, scene.card, scene.control_since) {
        (Some(cut), _, _) => cut - length * 3 / 4,
        (None, Some((shown, _)), _) => shown - length * 2 / 5,
        (None, None, Some(since)) => since,
        (None, None, None) => earliest,
    };
    let begin = wanted.min(end - 3 * SECOND).max(earliest);
    let frame = i64::from(FRAME_MS);
    // The pause begins before the number is there, since customers announce it, and ends when it is gone.
    let pause = scene
        .card
        .map(|(shown, gone)| (shown - 2 * SECOND, gone + 3 * SECOND))
        .filter(|(from, to)| *from > begin + SECOND && *to + SECOND < end && *from < begin + length);

    let lines = scene.issue.screen.iter().map(|line| (*line).to_owned());
    let names = [format!("{} - {}", scene.customer.device.hostname, scene.customer.company.name)];
    let screen =
        Screen::new(scene.issue.window.to_owned(), names.into_iter().chain(lines).collect(), scene.dice.number());
    let mut camera = Camera::new(screen);
    reel.start(scene, begin, Some((WIDTH, HEIGHT)));

    // Pieces of wall time on the grid of frames, each with the pause that follows it.
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
        // A recording that breaks off has its unfinished chunk lost with it.
        if cut.is_some() && end_ms == total {
            return None;
        }
        let time = begin + shift + i64::from(end_ms);
        let bytes = camera.chunk(first_ms, end_ms);
        let last = cut.is_none() && end_ms == total;
        reel.chunk(scene, time, first_ms, end_ms - 1, last, Bytes::Own(bytes));
        if pause_at == Some(end_ms) {
            let by = if scene.dice.chance(500) { "system" } else { "agent" };
            reel.mark(scene, time, "recording.paused", end_ms, by);
            shift = paused;
            reel.mark(scene, time + paused, "recording.resumed", end_ms, by);
        }
        first_ms = end_ms;
    }
    cut.is_none().then(|| (begin + shift + i64::from(total) + 20, total))
}

/// Plays the user's own recording, as much of it as the session lasts.
fn play(
    scene: &mut Scene<'_>,
    reel: &mut Reel,
    file: &Arc<[u8]>,
    pieces: &[Piece],
    started: i64,
    end: i64,
    broken_off: bool,
) -> Option<(i64, u32)> {
    let begin = started + 2 * SECOND;
    let room = end - begin;
    let fitting = pieces.iter().filter(|piece| i64::from(piece.last_ms) < room).count().max(1).min(pieces.len());
    reel.start(scene, begin, None);
    let mut played = (begin, 0);
    for (index, piece) in pieces[..fitting].iter().enumerate() {
        let time = (begin + i64::from(piece.last_ms) + 1).min(end).max(begin);
        let last = !broken_off && index + 1 == fitting;
        let bytes = Bytes::Part(Arc::clone(file), piece.bytes.clone());
        reel.chunk(scene, time, piece.first_ms, piece.last_ms, last, bytes);
        played = (time, piece.last_ms.saturating_add(1));
    }
    (!broken_off).then_some(played)
}
