//! The parts of one recording: its start, its chunks by number and by time, its pauses, its end.
//!
//! ```text
//! chunks    0 ────────┤ ├──────── 1 ────────┤         ├──── 3 ───┤ marked as the last, or as many as announced
//!                      ▲ paused, or a gap    ▲ 2 is missing
//! ```

use std::collections::BTreeMap;

use super::delivery::Delivery;
use super::detail::{Chunks, Detail};
use super::duplicates::Duplicates;
use super::gap::Gap;
use super::numbers::Numbers;
use super::pairs::{OpenReason, PairCounter};
use super::part::{Part, PartName};
use super::status::Status;

/// The events of one recording, in order.
pub(super) struct Recording<'d> {
    id: &'d str,
    events: Vec<&'d Delivery>,
    numbers: Numbers,
    /// By number; the first of each.
    chunks: BTreeMap<i64, &'d Delivery>,
    pauses: PairCounter,
    /// Milliseconds in which it was paused: from, and up to.
    paused: Vec<(i64, i64)>,
}

impl<'d> Recording<'d> {
    pub(super) fn new(id: &'d str, events: &[&'d Delivery], duplicates: &Duplicates<'_>) -> Self {
        let events: Vec<&Delivery> = events
            .iter()
            .copied()
            .filter(|event| event.family() == "recording" && event.recording_id.as_deref() == Some(id))
            .collect();
        let chunks = || events.iter().copied().filter(|event| event.type_ == "recording.chunk");
        let numbers = Numbers::new(chunks(), duplicates);
        let mut by_number = BTreeMap::new();
        for chunk in chunks() {
            if let Some(seq) = chunk.seq.filter(|seq| *seq >= 0) {
                by_number.entry(seq).or_insert(chunk);
            }
        }
        let mut recording =
            Self { id, events, numbers, chunks: by_number, pauses: PairCounter::default(), paused: Vec::new() };
        recording.pair_pauses();
        recording
    }

    /// The parts. `absent` is the status of a part that may arrive as long as the session is open.
    pub(super) fn parts(&self, absent: Status) -> Vec<Part> {
        let mut parts =
            vec![self.single(PartName::RecordingStart, "recording.started", Status::Missing), self.chunks(absent)];
        parts.extend(self.pauses(absent));
        parts.push(self.single(PartName::RecordingEnd, "recording.ended", absent));
        for part in &mut parts {
            part.recording_id = Some(self.id.to_owned());
        }
        parts
    }

    fn of<'s>(&'s self, type_: &'s str) -> impl Iterator<Item = &'d Delivery> + 's {
        self.events.iter().copied().filter(move |event| event.type_ == type_)
    }

    fn single(&self, part: PartName, event: &'static str, absent: Status) -> Part {
        match self.of(event).next() {
            Some(first) => {
                Part::new(part, Status::Present, self.of(event).count() as u64, Detail::At { time: first.time })
            }
            None if absent == Status::Open => Part::absent(part, absent, Detail::NotYet),
            None => Part::absent(part, absent, Detail::Absent { event }),
        }
    }

    /// Pairs pauses and resumptions.
    fn pair_pauses(&mut self) {
        let mut from = None;
        // A pause that no event ends is over when chunks go on, at the latest.
        let until = |chunks: &BTreeMap<i64, &Delivery>, at: i64| {
            chunks.values().filter_map(|chunk| chunk.first_ms).filter(|first| *first >= at).min().unwrap_or(at)
        };
        for event in &self.events {
            let is_pause = match event.type_.as_str() {
                "recording.paused" => true,
                "recording.resumed" => false,
                _ => continue,
            };
            self.pauses.add(is_pause, event.time);
            let begun = from.take();
            if is_pause {
                self.paused.extend(begun.map(|begun| (begun, until(&self.chunks, begun))));
                from = event.at_ms;
            } else if let (Some(begun), Some(end)) = (begun, event.at_ms) {
                self.paused.push((begun, end));
            }
        }
        self.paused.extend(from.map(|begun| (begun, until(&self.chunks, begun))));
        self.paused.sort_unstable();
    }

    fn pauses(&self, absent: Status) -> Option<Part> {
        if self.pauses.events() == 0 {
            return None;
        }
        let pairs = self.pauses.pairs("recording.paused", "recording.resumed", |_| {
            let paused_at = self.of("recording.paused").last().and_then(|event| event.at_ms);
            if self.chunks.values().any(|chunk| chunk.last_ms >= paused_at && paused_at.is_some()) {
                OpenReason::WentOn
            } else if absent == Status::Open {
                OpenReason::StillOpen
            } else {
                OpenReason::UntilEnd
            }
        });
        Some(Part::new(PartName::RecordingPauses, pairs.status(), self.pauses.events(), Detail::Pairs(pairs)))
    }

    /// Whether its chunks are all there.
    fn chunks(&self, absent: Status) -> Part {
        let events = self.of("recording.chunk").count() as u64;
        let announced = self.of("recording.ended").filter_map(|event| event.chunks).filter(|chunks| *chunks >= 0).max();
        let marked_last = self.chunks.iter().find(|(_, chunk)| chunk.last).map(|(seq, _)| *seq);
        let end = self.numbers.highest().map_or(0, |seq| seq.saturating_add(1)).max(announced.unwrap_or(0));
        let without_times =
            self.chunks.values().filter(|chunk| chunk.first_ms.is_none() || chunk.last_ms.is_none()).count() as u64;
        let (gaps, paused) = self.gaps();
        let mut chunks = Chunks {
            numbers: self.numbers.series(end),
            announced,
            marked_last,
            is_growing: false,
            without_times,
            gaps,
            paused,
        };
        chunks.is_growing = !chunks.has_end() && absent == Status::Open;
        let status = match (chunks.has_end(), chunks.is_broken()) {
            (true, _) if events == 0 && !chunks.numbers.missing.is_empty() => Status::Missing,
            (false, _) if events == 0 => absent,
            (_, true) => Status::Broken,
            (true, false) => Status::Present,
            // Without an end nothing shows how many there were.
            (false, false) => {
                if chunks.is_growing {
                    Status::Open
                } else {
                    Status::Broken
                }
            }
        };
        Part::new(PartName::RecordingChunks, status, events, Detail::Chunks(chunks))
    }

    /// Time between chunks that follow each other: lost, and paused.
    fn gaps(&self) -> (Vec<Gap>, Vec<Gap>) {
        let (mut lost, mut paused) = (Vec::new(), Vec::new());
        for ((&after, one), (&before, next)) in self.chunks.iter().zip(self.chunks.iter().skip(1)) {
            let (Some(last_ms), Some(first_ms)) = (one.last_ms, next.first_ms) else { continue };
            let gap = |from: i64, to: i64| Gap {
                after,
                before,
                first_ms: from,
                last_ms: to.saturating_sub(1),
                milliseconds: to.saturating_sub(from),
            };
            let mut at = last_ms.saturating_add(1);
            for &(from, to) in &self.paused {
                let (from, to) = (from.max(at), to.min(first_ms));
                if from >= to {
                    continue;
                }
                if from > at {
                    lost.push(gap(at, from));
                }
                paused.push(gap(from, to));
                at = to;
            }
            if at < first_ms {
                lost.push(gap(at, first_ms));
            }
        }
        (lost, paused)
    }
}
