//! A small VP8 coder for pictures of a screen (RFC 6386).
//!
//! ```text
//! picture ─▶ per macroblock: unchanged? ──yes──▶ still: copied from the last frame
//!                               │no
//!                               ▼
//!                  predict (mean, column, row) ─▶ residue ─▶ transform ─▶ quantise ─▶ tokens
//!                               ▲                                            │
//!                               └────────── reconstruction ◀── dequantise ◀──┘
//! ```
//!
//! A key frame codes every macroblock. An inter frame codes only what changed since the last picture; the rest is a zero
//! motion vector into the last frame. No loop filter, one quantiser, default probabilities: screens stay sharp.

use super::bool_coder::BoolCoder;
use super::tables::{COEFFICIENT_UPDATE, MOTION_UPDATE, STILL_BY_NEIGHBOURS};
use super::tokens::write_tokens;
use super::transform::{Block, forward_cosine, forward_walsh, inverse_cosine, inverse_walsh};

/// Index into the quantiser tables (RFC 6386, section 14.1), and the steps that follow from it.
const QUANTISER: u32 = 44;
const LUMA_STEP: i32 = 48;
const MEANS_FIRST_STEP: i32 = 80;
const MEANS_STEP: i32 = 74;
const CHROMA_FIRST_STEP: i32 = 40;
const CHROMA_STEP: i32 = 48;

/// A residue of at most this size is not coded.
const TOLERANCE: i32 = 2;

/// One plane of samples, whole macroblocks wide and high.
#[derive(Clone)]
pub(crate) struct Plane {
    pub(crate) stride: usize,
    pub(crate) samples: Vec<u8>,
}

impl Plane {
    fn same_block(&self, other: &Plane, x: usize, y: usize, size: usize) -> bool {
        (y..y + size).all(|row| {
            let at = row * self.stride + x;
            self.samples[at..at + size] == other.samples[at..at + size]
        })
    }
}

/// A picture in 4:2:0.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Luma, then the two chroma planes at half the size.
    pub(crate) planes: [Plane; 3],
}

impl Picture {
    /// A picture of `width` by `height` pixels, padded to whole macroblocks.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let (columns, rows) = (width.div_ceil(16), height.div_ceil(16));
        let plane = |size: usize| Plane { stride: columns * size, samples: vec![128; columns * size * rows * size] };
        Self { width, height, planes: [plane(16), plane(8), plane(8)] }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prediction {
    Mean,
    FromAbove,
    FromLeft,
}

/// One macroblock of a picture, by its position.
#[derive(Clone, Copy)]
struct Macroblock<'p> {
    picture: &'p Picture,
    column: usize,
    row: usize,
}

/// The prediction of a macroblock.
struct Guess {
    luma: [u8; 256],
    chroma: [[u8; 64]; 2],
}

/// Where the tokens of a macroblock are written, and their contexts.
struct TokenWriter<'t> {
    tokens: &'t mut BoolCoder,
    above: &'t mut Neighbours,
    left: &'t mut Neighbours,
}

impl TokenWriter<'_> {
    /// Writes one block. `up` and `side` are its positions in the contexts.
    fn write(&mut self, levels: &Block, kind: usize, first: usize, up: usize, side: usize) {
        let context = usize::from(self.above[up] + self.left[side]);
        let written = write_tokens(self.tokens, levels, kind, first, context);
        self.above[up] = u8::from(written);
        self.left[side] = u8::from(written);
    }
}

#[derive(Clone, Copy)]
enum Choice {
    Still,
    Intra { luma: Prediction, coded: bool },
}

/// Whether the neighbouring blocks have coefficients: four luma, two of each chroma plane, the means.
type Neighbours = [u8; 9];
const MEANS: usize = 8;

/// The encoder, with the state that a decoder has too: the last frame.
pub(crate) struct Encoder {
    columns: usize,
    rows: usize,
    source: Picture,
    reference: Picture,
    started: bool,
}

impl Encoder {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self {
            columns: width.div_ceil(16),
            rows: height.div_ceil(16),
            source: Picture::new(width, height),
            reference: Picture::new(width, height),
            started: false,
        }
    }

    /// The reference frame: the decoded picture after the frames so far.
    #[cfg(test)]
    pub(crate) fn reference(&self) -> &Picture {
        &self.reference
    }

    /// Codes one picture. The first one is a key frame whatever `key` says.
    pub(crate) fn encode(&mut self, picture: &Picture, key: bool) -> Vec<u8> {
        let key = key || !self.started;
        let mut tokens = BoolCoder::new();
        let mut choices = Vec::with_capacity(self.columns * self.rows);
        let mut above = vec![Neighbours::default(); self.columns];
        for row in 0..self.rows {
            let mut left = Neighbours::default();
            for (column, above) in above.iter_mut().enumerate() {
                let choice = if !key && self.unchanged(picture, column, row) {
                    Choice::Still
                } else {
                    let writer = TokenWriter { tokens: &mut tokens, above, left: &mut left };
                    self.intra(Macroblock { picture, column, row }, writer)
                };
                if !matches!(choice, Choice::Intra { coded: true, .. }) {
                    *above = Neighbours::default();
                    left = Neighbours::default();
                }
                choices.push(choice);
            }
        }
        let modes = self.header_and_modes(key, &choices);
        let tokens = tokens.finish();
        self.source.clone_from(picture);
        self.started = true;

        let tag = u32::from(!key) | 1 << 4 | (modes.len() as u32) << 5;
        let mut frame = Vec::with_capacity(10 + modes.len() + tokens.len());
        frame.extend_from_slice(&tag.to_le_bytes()[..3]);
        if key {
            frame.extend_from_slice(&[0x9d, 0x01, 0x2a]);
            frame.extend_from_slice(&(picture.width as u16).to_le_bytes());
            frame.extend_from_slice(&(picture.height as u16).to_le_bytes());
        }
        frame.extend_from_slice(&modes);
        frame.extend_from_slice(&tokens);
        frame
    }

    fn unchanged(&self, picture: &Picture, column: usize, row: usize) -> bool {
        (0..3).all(|plane| {
            let size = if plane == 0 { 16 } else { 8 };
            picture.planes[plane].same_block(&self.source.planes[plane], column * size, row * size, size)
        })
    }

    /// The first partition: frame header (section 9, 19.2), then the mode of every macroblock.
    fn header_and_modes(&self, key: bool, choices: &[Choice]) -> Vec<u8> {
        let mut out = BoolCoder::new();
        if key {
            out.literal(0, 1); // colour space
            out.literal(0, 1); // clamp samples
        }
        out.literal(0, 1); // no segments
        out.literal(0, 1 + 6 + 3); // loop filter: type, level 0, sharpness
        out.literal(0, 1); // no adjustment of it
        out.literal(0, 2); // one token partition
        out.literal(QUANTISER, 7);
        out.literal(0, 5); // no deltas to it
        if key {
            out.literal(1, 1); // keep the probabilities
        } else {
            out.literal(0, 2); // golden and alternate frame stay,
            out.literal(0, 4); // nothing is copied to them,
            out.literal(0, 2); // no sign bias
            out.literal(1, 1); // keep the probabilities
            out.literal(1, 1); // this is the next "last frame"
        }
        for probability in COEFFICIENT_UPDATE.as_flattened().as_flattened().as_flattened() {
            out.bit(*probability, false);
        }
        let total = choices.len();
        let count = |wanted: fn(&Choice) -> bool| choices.iter().filter(|choice| wanted(choice)).count();
        let probability = |part: usize| (part * 256 / total).clamp(1, 255) as u8;
        let coded_probability = probability(count(|choice| matches!(choice, Choice::Intra { coded: true, .. })));
        let intra_probability = probability(count(|choice| matches!(choice, Choice::Intra { .. })));
        out.literal(1, 1); // empty macroblocks are marked
        out.literal(u32::from(coded_probability), 8);
        if !key {
            out.literal(u32::from(intra_probability), 8);
            out.literal(255, 8); // always the last frame,
            out.literal(128, 8); // never the golden one
            out.literal(0, 2); // default mode probabilities
            for probability in MOTION_UPDATE.as_flattened() {
                out.bit(*probability, false);
            }
        }
        for (index, choice) in choices.iter().enumerate() {
            match *choice {
                Choice::Still => {
                    out.bit(coded_probability, true);
                    out.bit(intra_probability, true);
                    out.bit(255, false);
                    out.bit(STILL_BY_NEIGHBOURS[self.still_weight(choices, index)], false);
                }
                Choice::Intra { luma, coded } => {
                    out.bit(coded_probability, !coded);
                    if key {
                        key_mode(&mut out, luma);
                    } else {
                        out.bit(intra_probability, false);
                        inter_mode(&mut out, luma);
                    }
                }
            }
        }
        out.finish()
    }

    /// Section 16.3: inter coded neighbours above and left weigh two, the one between them one.
    fn still_weight(&self, choices: &[Choice], index: usize) -> usize {
        let (column, row) = (index % self.columns, index / self.columns);
        let still = |at: usize| matches!(choices[at], Choice::Still);
        let mut weight = 0;
        if row > 0 && still(index - self.columns) {
            weight += 2;
        }
        if column > 0 && still(index - 1) {
            weight += 2;
        }
        if row > 0 && column > 0 && still(index - self.columns - 1) {
            weight += 1;
        }
        weight
    }

    /// Predicts, codes and reconstructs one macroblock.
    fn intra(&mut self, macroblock: Macroblock<'_>, writer: TokenWriter<'_>) -> Choice {
        let Macroblock { picture, column, row } = macroblock;
        let (mut luma_mode, mut luma) = (Prediction::Mean, [0; 256]);
        let mut best = u32::MAX;
        for mode in [Prediction::Mean, Prediction::FromAbove, Prediction::FromLeft] {
            if (mode == Prediction::FromAbove && row == 0) || (mode == Prediction::FromLeft && column == 0) {
                continue;
            }
            let guess = predict::<256>(&self.reference.planes[0], column * 16, row * 16, 16, mode);
            let cost = difference(&picture.planes[0], column * 16, row * 16, 16, &guess);
            if cost < best {
                (best, luma_mode, luma) = (cost, mode, guess);
            }
            if best == 0 {
                break;
            }
        }
        let chroma: [[u8; 64]; 2] = std::array::from_fn(|plane| {
            predict::<64>(&self.reference.planes[plane + 1], column * 8, row * 8, 8, Prediction::Mean)
        });
        let close = within(&picture.planes[0], column * 16, row * 16, 16, &luma)
            && (0..2).all(|plane| within(&picture.planes[plane + 1], column * 8, row * 8, 8, &chroma[plane]));
        let guess = Guess { luma, chroma };
        let coded = !close && self.residue(macroblock, &guess, writer);
        if !coded {
            place(&mut self.reference.planes[0], column * 16, row * 16, 16, &guess.luma);
            for (plane, guess) in self.reference.planes[1..].iter_mut().zip(&guess.chroma) {
                place(plane, column * 8, row * 8, 8, guess);
            }
        }
        Choice::Intra { luma: luma_mode, coded }
    }

    /// Codes the difference to the prediction. `false`, and nothing is written, if all of it rounds to zero.
    fn residue(&mut self, macroblock: Macroblock<'_>, guess: &Guess, mut writer: TokenWriter<'_>) -> bool {
        let Macroblock { picture, column, row } = macroblock;
        let luma = PlaneGuess { left: column * 16, top: row * 16, size: 16, samples: &guess.luma };
        let chroma = [0, 1].map(|plane| {
            let samples: &[u8] = &guess.chroma[plane];
            PlaneGuess { left: column * 8, top: row * 8, size: 8, samples }
        });
        let mut means = [0; 16];
        let mut luma_levels = [[0; 16]; 16];
        for block in 0..16 {
            let (x, y) = (block % 4 * 4, block / 4 * 4);
            let residue = luma.subtract_from(&picture.planes[0], x, y);
            let coefficients = forward_cosine(&residue);
            means[block] = coefficients[0];
            luma_levels[block] = quantise(&coefficients, LUMA_STEP, LUMA_STEP);
            luma_levels[block][0] = 0;
        }
        let means_levels = quantise(&forward_walsh(&means), MEANS_FIRST_STEP, MEANS_STEP);
        let mut chroma_levels = [[0; 16]; 8];
        for (block, levels) in chroma_levels.iter_mut().enumerate() {
            let (x, y) = (block % 2 * 4, block % 4 / 2 * 4);
            let plane = block / 4;
            let residue = chroma[plane].subtract_from(&picture.planes[plane + 1], x, y);
            *levels = quantise(&forward_cosine(&residue), CHROMA_FIRST_STEP, CHROMA_STEP);
        }
        let some = |levels: &Block| levels.iter().any(|level| *level != 0);
        if !some(&means_levels) && !luma_levels.iter().any(some) && !chroma_levels.iter().any(some) {
            return false;
        }

        writer.write(&means_levels, 1, 0, MEANS, MEANS);
        for (block, levels) in luma_levels.iter().enumerate() {
            writer.write(levels, 0, 1, block % 4, block / 4);
        }
        for (block, levels) in chroma_levels.iter().enumerate() {
            let plane = 4 + block / 4 * 2;
            writer.write(levels, 2, 0, plane + block % 2, plane + block % 4 / 2);
        }

        let means = inverse_walsh(&dequantise(&means_levels, MEANS_FIRST_STEP, MEANS_STEP));
        for (block, levels) in luma_levels.iter().enumerate() {
            let mut coefficients = dequantise(levels, LUMA_STEP, LUMA_STEP);
            coefficients[0] = means[block];
            let (x, y) = (block % 4 * 4, block / 4 * 4);
            luma.add_to(&mut self.reference.planes[0], x, y, &coefficients);
        }
        for (block, levels) in chroma_levels.iter().enumerate() {
            let coefficients = dequantise(levels, CHROMA_FIRST_STEP, CHROMA_STEP);
            let (x, y) = (block % 2 * 4, block % 4 / 2 * 4);
            let plane = block / 4;
            chroma[plane].add_to(&mut self.reference.planes[plane + 1], x, y, &coefficients);
        }
        true
    }
}

/// Modes in a key frame (section 11.2, 11.4); chroma is always predicted by its mean.
fn key_mode(out: &mut BoolCoder, luma: Prediction) {
    out.bit(145, true);
    match luma {
        Prediction::Mean => {
            out.bit(156, false);
            out.bit(163, false);
        }
        Prediction::FromAbove => {
            out.bit(156, false);
            out.bit(163, true);
        }
        Prediction::FromLeft => {
            out.bit(156, true);
            out.bit(128, false);
        }
    }
    out.bit(142, false);
}

/// Modes of an intra macroblock in an inter frame (section 16.1).
fn inter_mode(out: &mut BoolCoder, luma: Prediction) {
    match luma {
        Prediction::Mean => out.bit(112, false),
        Prediction::FromAbove => {
            out.bit(112, true);
            out.bit(86, false);
            out.bit(140, false);
        }
        Prediction::FromLeft => {
            out.bit(112, true);
            out.bit(86, false);
            out.bit(140, true);
        }
    }
    out.bit(162, false);
}

/// Sections 12.2 and 12.3. Samples outside the frame do not count for a mean.
fn predict<const AREA: usize>(plane: &Plane, x: usize, y: usize, size: usize, mode: Prediction) -> [u8; AREA] {
    let stride = plane.stride;
    let mut guess = [128; AREA];
    match mode {
        Prediction::Mean => {
            let (mut sum, mut count) = (0u32, 0u32);
            if y > 0 {
                let at = (y - 1) * stride + x;
                sum += plane.samples[at..at + size].iter().map(|sample| u32::from(*sample)).sum::<u32>();
                count += size as u32;
            }
            if x > 0 {
                sum += (y..y + size).map(|row| u32::from(plane.samples[row * stride + x - 1])).sum::<u32>();
                count += size as u32;
            }
            // Without a neighbour the prediction is 128.
            if let Some(mean) = (sum + count / 2).checked_div(count) {
                guess.fill(mean as u8);
            }
        }
        Prediction::FromAbove => {
            let at = (y - 1) * stride + x;
            for row in guess.chunks_exact_mut(size) {
                row.copy_from_slice(&plane.samples[at..at + size]);
            }
        }
        Prediction::FromLeft => {
            for (row, line) in guess.chunks_exact_mut(size).enumerate() {
                line.fill(plane.samples[(y + row) * stride + x - 1]);
            }
        }
    }
    guess
}

fn difference(plane: &Plane, x: usize, y: usize, size: usize, guess: &[u8]) -> u32 {
    let mut sum = 0;
    for (row, line) in guess.chunks_exact(size).enumerate() {
        let at = (y + row) * plane.stride + x;
        let samples = &plane.samples[at..at + size];
        // Most rows of a screen are predicted exactly, and comparing whole rows is cheap.
        if samples != line {
            for (sample, guess) in samples.iter().zip(line) {
                sum += u32::from(sample.abs_diff(*guess));
            }
        }
    }
    sum
}

fn within(plane: &Plane, x: usize, y: usize, size: usize, guess: &[u8]) -> bool {
    guess.chunks_exact(size).enumerate().all(|(row, line)| {
        let at = (y + row) * plane.stride + x;
        let samples = &plane.samples[at..at + size];
        samples == line
            || samples.iter().zip(line).all(|(sample, guess)| i32::from(sample.abs_diff(*guess)) <= TOLERANCE)
    })
}

fn place(plane: &mut Plane, x: usize, y: usize, size: usize, block: &[u8]) {
    for (row, line) in block.chunks_exact(size).enumerate() {
        let at = (y + row) * plane.stride + x;
        plane.samples[at..at + size].copy_from_slice(line);
    }
}

/// The prediction of a macroblock in one plane.
struct PlaneGuess<'g> {
    left: usize,
    top: usize,
    /// Width and height of the macroblock in the plane.
    size: usize,
    samples: &'g [u8],
}

impl PlaneGuess<'_> {
    /// The difference of `plane` to the prediction in the 4x4 block at `x`, `y` of the macroblock.
    fn subtract_from(&self, plane: &Plane, x: usize, y: usize) -> Block {
        let mut residue = [0; 16];
        for row in 0..4 {
            let at = (self.top + y + row) * plane.stride + self.left + x;
            let guessed = (y + row) * self.size + x;
            for column in 0..4 {
                let guess = i32::from(self.samples[guessed + column]);
                residue[row * 4 + column] = i32::from(plane.samples[at + column]) - guess;
            }
        }
        residue
    }

    /// Writes the prediction and the decoded residue into the 4x4 block at `x`, `y` of the macroblock.
    fn add_to(&self, plane: &mut Plane, x: usize, y: usize, coefficients: &Block) {
        let residue = inverse_cosine(coefficients);
        for row in 0..4 {
            let at = (self.top + y + row) * plane.stride + self.left + x;
            let guessed = (y + row) * self.size + x;
            for column in 0..4 {
                let value = i32::from(self.samples[guessed + column]) + residue[row * 4 + column];
                plane.samples[at + column] = value.clamp(0, 255) as u8;
            }
        }
    }
}

fn quantise(coefficients: &Block, first_step: i32, step: i32) -> Block {
    let mut levels = [0; 16];
    for (index, coefficient) in coefficients.iter().enumerate() {
        let step = if index == 0 { first_step } else { step };
        let level = (coefficient.abs() + step / 3) / step;
        levels[index] = level.min(2047) * coefficient.signum();
    }
    levels
}

fn dequantise(levels: &Block, first_step: i32, step: i32) -> Block {
    let mut coefficients = [0; 16];
    for (index, level) in levels.iter().enumerate() {
        coefficients[index] = level * if index == 0 { first_step } else { step };
    }
    coefficients
}
