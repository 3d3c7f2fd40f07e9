//! Recordings: the bytes of screen videos, in chunks.
//!
//! ```text
//! screen ─▶ vp8 (transform, tokens, bool_coder) ─▶ webm ─┐
//!                                                        ├─▶ chunks: bytes, first and last millisecond
//! a file of the user ─────────────────────────▶ cut ─────┘
//! ```

mod bool_coder;
pub(crate) mod cut;
mod font;
pub(crate) mod screen;
mod tables;
mod tokens;
mod transform;
mod vp8;
mod webm;

#[cfg(test)]
mod tests;

use screen::{HEIGHT, Screen, WIDTH};
use vp8::Encoder;

/// Milliseconds from one frame to the next.
pub(crate) const FRAME_MS: u32 = 500;
/// Length of a whole chunk in milliseconds.
pub(crate) const CHUNK_MS: u32 = 2_000;

/// Generates the chunks of one recording, in order.
pub(crate) struct Recorder {
    screen: Screen,
    encoder: Encoder,
    has_started: bool,
}

impl Recorder {
    pub(crate) fn new(screen: Screen) -> Self {
        Self { screen, encoder: Encoder::new(WIDTH, HEIGHT), has_started: false }
    }

    /// The chunk from `first_ms` to `end_ms` (exclusive), both on the frame grid. It starts with a key frame, so a player can
    /// start at any chunk. The first one contains the file's header.
    pub(crate) fn chunk(&mut self, first_ms: u32, end_ms: u32) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.has_started {
            out = webm::header(WIDTH as u16, HEIGHT as u16, FRAME_MS);
            self.has_started = true;
        }
        let frames: Vec<webm::Frame> = (first_ms / FRAME_MS..end_ms / FRAME_MS)
            .map(|number| {
                let key = number * FRAME_MS == first_ms;
                webm::Frame {
                    offset: (number * FRAME_MS - first_ms) as i16,
                    key,
                    data: self.encoder.encode(self.screen.draw(number as usize), key),
                }
            })
            .collect();
        webm::cluster(&mut out, first_ms, &frames);
        out
    }
}
