//! Tests of what a player needs, without a player.

use super::cut::{Piece, pieces};
use super::screen::{HEIGHT, Screen, WIDTH};
use super::vp8::Encoder;
use super::{CHUNK_MS, Recorder};

fn screen() -> Screen {
    let lines = ["DEVICE PRN-204 OFFLINE", "RESTARTING SPOOLER", "QUEUE EMPTY", "TEST PAGE SENT"];
    Screen::new("PRINTERS".into(), lines.iter().map(|line| (*line).to_owned()).collect(), 7)
}

fn recording(chunks: u32) -> Vec<Vec<u8>> {
    let mut recorder = Recorder::new(screen());
    (0..chunks).map(|chunk| recorder.chunk(chunk * CHUNK_MS, (chunk + 1) * CHUNK_MS)).collect()
}

#[test]
fn only_the_first_chunk_has_the_file_header_and_every_chunk_has_one_cluster() {
    let chunks = recording(3);
    assert_eq!(chunks[0][..4], [0x1a, 0x45, 0xdf, 0xa3]);
    for chunk in &chunks[1..] {
        assert_eq!(chunk[..4], [0x1f, 0x43, 0xb6, 0x75]);
    }
    let whole = chunks.concat();
    let found = pieces(&whole);
    assert_eq!(found.len(), 3);
    for (piece, chunk) in found.iter().zip(&chunks) {
        assert_eq!(&whole[piece.bytes.clone()], chunk.as_slice());
    }
    assert_eq!((found[1].first_ms, found[1].last_ms), (2_000, 3_999));
}

#[test]
fn frames_have_the_header_of_their_type() {
    let mut encoder = Encoder::new(WIDTH, HEIGHT);
    let mut screen = screen();
    let first = encoder.encode(screen.draw(0), false);
    // The first frame is a key frame: bit 0 clear, start code, 320 by 180.
    assert_eq!(first[0] & 1, 0);
    assert_eq!(first[3..10], [0x9d, 0x01, 0x2a, 64, 1, 180, 0]);
    let second = encoder.encode(screen.draw(1), false);
    assert_eq!(second[0] & 1, 1);
    assert!(second.len() * 4 < first.len(), "an inter frame codes only what changed");
}

#[test]
fn decoded_pictures_are_close_to_the_screen() {
    let mut encoder = Encoder::new(WIDTH, HEIGHT);
    let mut screen = screen();
    for number in 0..20 {
        let picture = screen.draw(number).clone();
        encoder.encode(&picture, number % 8 == 0);
        for (decoded, wanted) in encoder.reference().planes.iter().zip(&picture.planes) {
            let error: u64 = decoded.samples.iter().zip(&wanted.samples).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(error < 3 * wanted.samples.len() as u64, "frame {number}: {error}");
        }
    }
}

#[test]
fn a_file_that_is_not_webm_is_cut_by_size() {
    assert!(pieces(&[]).is_empty());
    let file = vec![7u8; 1_300_000];
    let found = pieces(&file);
    assert_eq!(found.len(), 3);
    assert_eq!(found.iter().map(|piece| piece.bytes.len()).sum::<usize>(), file.len());
    assert!(
        found.windows(2).all(|pair| pair[0].bytes.end == pair[1].bytes.start && pair[0].last_ms < pair[1].first_ms)
    );
    // A header with a size beyond the end of the file is not read past the end.
    let cut_short = &recording(1)[0][..40];
    assert_eq!(pieces(cut_short), [Piece { bytes: 0..40, first_ms: 0, last_ms: 1_999 }]);
}
