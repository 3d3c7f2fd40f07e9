//! The customer's screen in a recording: a desktop, a window with lines of text, a progress bar, a pointer.

use super::font;
use super::vp8::Picture;

/// Size of the picture in pixels.
pub(crate) const WIDTH: usize = 320;
/// Size of the picture in pixels.
pub(crate) const HEIGHT: usize = 180;

/// Frames from one line of text to the next.
const FRAMES_A_LINE: usize = 4;
/// Lines that fit into the window.
const LINES: usize = 10;

/// Red, green, blue.
type Colour = [u8; 3];

const DESKTOPS: [Colour; 6] = [[36, 78, 112], [54, 90, 62], [92, 62, 88], [70, 70, 78], [26, 96, 104], [112, 84, 48]];
const PAPER: Colour = [246, 246, 242];
const TITLE_BAR: Colour = [28, 34, 48];
const TASK_BAR: Colour = [18, 20, 26];
const TROUGH: Colour = [208, 212, 216];
const BAR: Colour = [60, 150, 90];

/// What one recording shows.
pub(crate) struct Screen {
    title: String,
    lines: Vec<String>,
    desktop: Colour,
    /// The resting places of the pointer, one for every two seconds.
    rests: Vec<(usize, usize)>,
    picture: Picture,
}

impl Screen {
    /// `variety` determines the colour of the desktop and the path of the pointer.
    pub(crate) fn new(title: String, lines: Vec<String>, variety: u64) -> Self {
        let rests = (0..23u64)
            .map(|step| {
                let mixed =
                    (variety ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 16;
                (40 + (mixed % 230) as usize, 30 + (mixed / 230 % 120) as usize)
            })
            .collect();
        Self {
            title,
            lines,
            desktop: DESKTOPS[(variety % DESKTOPS.len() as u64) as usize],
            rests,
            picture: Picture::new(WIDTH, HEIGHT),
        }
    }

    /// Draws frame number `frame`.
    pub(crate) fn draw(&mut self, frame: usize) -> &Picture {
        let (desktop, full) = (self.desktop, self.picture.planes[0].samples.len() / self.picture.planes[0].stride);
        self.rectangle(0, 0, WIDTH, full, desktop);
        self.rectangle(0, 166, WIDTH, full - 166, TASK_BAR);
        self.rectangle(4, 168, 20, 10, BAR);
        self.rectangle(28, 16, 264, 138, PAPER);
        self.rectangle(28, 16, 264, 14, TITLE_BAR);
        let title = self.title.clone();
        self.text(34, 19, &title, 225);
        let seconds = frame / 2;
        self.text(266, 169, &format!("{:02}:{:02}", seconds / 60, seconds % 60), 215);

        let shown = frame / FRAMES_A_LINE + 1;
        // A full window is cleared: scrolling would change every line and cost as much as a key frame.
        let first = (shown - 1) / LINES * LINES;
        for (row, number) in (first..shown).enumerate() {
            let line = self.lines[number % self.lines.len()].clone();
            self.text(36, 36 + row * 10, &line, 40);
        }
        let done = (frame * 6) % 248;
        self.rectangle(36, 142, 248, 6, TROUGH);
        self.rectangle(36, 142, done & !1, 6, BAR);
        self.pointer(frame);
        &self.picture
    }

    fn pointer(&mut self, frame: usize) {
        let (from, to) = (self.rests[frame / 4 % self.rests.len()], self.rests[(frame / 4 + 1) % self.rests.len()]);
        // It rests in the first half of each two seconds and moves in the second.
        let step = (frame % 4).saturating_sub(2) * 2;
        let between = |from: usize, to: usize| (from * (4 - step) + to * step) / 4;
        let (x, y) = (between(from.0, to.0), between(from.1, to.1));
        let luma = &mut self.picture.planes[0];
        for row in 0..11 {
            let at = (y + row) * luma.stride + x;
            let width = if row < 8 { row + 1 } else { 11 - row };
            luma.samples[at..at + width].fill(235);
            luma.samples[at] = 16;
            luma.samples[at + width - 1] = 16;
        }
    }

    /// Fills a rectangle; positions and sizes are even, so that the chroma planes follow.
    fn rectangle(&mut self, x: usize, y: usize, width: usize, height: usize, [red, green, blue]: Colour) {
        let (red, green, blue) = (i32::from(red), i32::from(green), i32::from(blue));
        let values = [
            ((66 * red + 129 * green + 25 * blue + 128) >> 8) + 16,
            ((-38 * red - 74 * green + 112 * blue + 128) >> 8) + 128,
            ((112 * red - 94 * green - 18 * blue + 128) >> 8) + 128,
        ];
        for (index, (plane, value)) in self.picture.planes.iter_mut().zip(values).enumerate() {
            let scale = if index == 0 { 1 } else { 2 };
            for row in y / scale..(y + height) / scale {
                let at = row * plane.stride + x / scale;
                plane.samples[at..at + width / scale].fill(value as u8);
            }
        }
    }

    fn text(&mut self, x: usize, y: usize, text: &str, luma: u8) {
        let plane = &mut self.picture.planes[0];
        for (index, character) in text.chars().take(42).enumerate() {
            for (column, bits) in font::columns(character).into_iter().enumerate() {
                if bits == 0 {
                    continue;
                }
                let at = y * plane.stride + x + index * 6 + column;
                for row in 0..7 {
                    if bits >> row & 1 == 1 {
                        plane.samples[at + row * plane.stride] = luma;
                    }
                }
            }
        }
    }
}
