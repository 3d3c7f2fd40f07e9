//! The parts of one recording: its start, its chunks by number and by time, its pauses, its end.
//!
//! ```text
//! chunks    0 ────────┤ ├──────── 1 ────────┤         ├──── 3 ───┤ last, or as many as recording.ended says
//!                      ▲ paused, or a gap    ▲ 2 is missing
//! ```

use std::collections::BTreeMap;

use serde::Serialize;

use super::numbers::{Numbers, listed};
use super::pairs::Pairs;
use super::words::{each, moment, plural};
use super::{Fact, Part, Repetitions, Status};
use crate::render::text::count;

/// Gaps that are named in words.
const NAMED: usize = 20;

/// Milliseconds of a recording that no chunk covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(in crate::cli::session) struct Gap {
    /// The chunk before it.
    pub(in crate::cli::session) after: i64,
    /// The chunk behind it.
    pub(in crate::cli::session) before: i64,
    /// The first millisecond that is not covered.
    pub(in crate::cli::session) first_ms: i64,
    /// The last one.
    pub(in crate::cli::session) last_ms: i64,
    /// How many they are.
    pub(in crate::cli::session) milliseconds: i64,
}

/// The events of one recording, in order.
pub(super) struct Recording<'f> {
    id: &'f str,
    facts: Vec<&'f Fact>,
    numbers: Numbers,
    /// By number; the first of each.
    chunks: BTreeMap<i64, &'f Fact>,
    pauses: Pairs,
    /// Milliseconds in which it was paused: from, and up to.
    paused: Vec<(i64, i64)>,
}

impl<'f> Recording<'f> {
    pub(super) fn new(id: &'f str, facts: &[&'f Fact], repetitions: &Repetitions<'_>) -> Self {
        let facts: Vec<&Fact> = facts
            .iter()
            .copied()
            .filter(|fact| fact.family() == "recording" && fact.recording.as_deref() == Some(id))
            .collect();
        let chunks = || facts.iter().copied().filter(|fact| fact.kind == "recording.chunk");
        let numbers = Numbers::new(chunks(), repetitions);
        let mut by_number = BTreeMap::new();
        for chunk in chunks() {
            if let Some(seq) = chunk.seq.filter(|seq| *seq >= 0) {
                by_number.entry(seq).or_insert(chunk);
            }
        }
        let mut recording =
            Self { id, facts, numbers, chunks: by_number, pauses: Pairs::default(), paused: Vec::new() };
        recording.pause();
        recording
    }

    /// The parts. `absent` is the status of what may come as long as the session is open.
    pub(super) fn parts(&self, absent: Status) -> Vec<Part> {
        let mut parts =
            vec![self.single("recording_start", "recording.started", Status::Missing), self.covered(absent)];
        parts.extend(self.pauses(absent));
        parts.push(self.single("recording_end", "recording.ended", absent));
        for part in &mut parts {
            part.recording_id = Some(self.id.to_owned());
        }
        parts
    }

    fn of<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'f Fact> + 's {
        self.facts.iter().copied().filter(move |fact| fact.kind == kind)
    }

    fn single(&self, part: &'static str, kind: &str, absent: Status) -> Part {
        match self.of(kind).next() {
            Some(first) => Part::new(part, Status::Present, self.of(kind).count() as u64, moment(first.time)),
            None if absent == Status::Open => Part::new(part, absent, 0, "not yet"),
            None => Part::new(part, absent, 0, format!("{kind} is not there")),
        }
    }

    /// Pairs pauses and resumptions.
    fn pause(&mut self) {
        let mut from = None;
        // A pause that nothing ends is over at the latest when chunks go on.
        let until = |chunks: &BTreeMap<i64, &Fact>, at: i64| {
            chunks.values().filter_map(|chunk| chunk.first_ms).filter(|first| *first >= at).min().unwrap_or(at)
        };
        for fact in &self.facts {
            let is_pause = match fact.kind.as_str() {
                "recording.paused" => true,
                "recording.resumed" => false,
                _ => continue,
            };
            self.pauses.take(is_pause, fact.time);
            let begun = from.take();
            if is_pause {
                self.paused.extend(begun.map(|begun| (begun, until(&self.chunks, begun))));
                from = fact.at_ms;
            } else if let (Some(begun), Some(end)) = (begun, fact.at_ms) {
                self.paused.push((begun, end));
            }
        }
        self.paused.extend(from.map(|begun| (begun, until(&self.chunks, begun))));
        self.paused.sort_unstable();
    }

    fn pauses(&self, absent: Status) -> Option<Part> {
        let pauses = &self.pauses;
        let events = pauses.opened + pauses.closed;
        if events == 0 {
            return None;
        }
        let mut status = Status::Present;
        let mut told = vec![format!("{}, {} resumed", plural(pauses.opened, "pause"), pauses.closed)];
        if pauses.unclosed > 0 {
            status = Status::Broken;
            told.push(format!("{} missing before the next pause", each(pauses.unclosed, "recording.resumed")));
        }
        if pauses.unopened > 0 {
            status = Status::Broken;
            told.push(format!("{} missing before recording.resumed", each(pauses.unopened, "recording.paused")));
        }
        if pauses.open.is_some() {
            let paused_at = self.of("recording.paused").last().and_then(|fact| fact.at_ms);
            let goes_on = self.chunks.values().any(|chunk| chunk.last_ms >= paused_at && paused_at.is_some());
            if goes_on {
                status = Status::Broken;
                told.push("chunks go on after the last pause, and recording.resumed is not there".to_owned());
            } else if absent == Status::Open {
                status = if status == Status::Broken { status } else { Status::Open };
                told.push("still paused".to_owned());
            } else {
                told.push("paused until its end".to_owned());
            }
        }
        Some(Part::new("recording_pauses", status, events, told.join("; ")))
    }

    /// Whether its chunks are all there.
    fn covered(&self, absent: Status) -> Part {
        let part = "recording_chunks";
        let events = self.of("recording.chunk").count() as u64;
        let announced = self.of("recording.ended").filter_map(|fact| fact.chunks).filter(|chunks| *chunks >= 0).max();
        let flagged = self.chunks.iter().filter(|(_, chunk)| chunk.last).map(|(seq, _)| *seq).next();
        let highest = self.numbers.highest();
        let behind = |seq: Option<i64>| seq.map_or(0, |seq| seq.saturating_add(1));
        let missing = self.numbers.missing(behind(highest).max(announced.unwrap_or(0)));
        let repeated = self.numbers.repeated();
        let (gaps, paused) = self.gaps();
        let untimed = self.chunks.values().filter(|chunk| chunk.first_ms.is_none() || chunk.last_ms.is_none()).count();

        let mut is_broken = !missing.is_empty() || !gaps.is_empty();
        let mut told = vec![match self.numbers.span() {
            Some(span) => format!("{}, {span}", plural(events, "chunk")),
            None if announced == Some(0) && events == 0 => "none, as recording.ended says".to_owned(),
            None => "none".to_owned(),
        }];
        let mut found = |words: String| {
            is_broken = true;
            words
        };
        if !missing.is_empty() {
            told.push(format!("missing {}", listed(&missing)));
        }
        if !gaps.is_empty() {
            told.push(format!("not covered {}", spoken(&gaps)));
        }
        if !paused.is_empty() {
            told.push(format!("paused {}", spoken(&paused)));
        }
        if self.numbers.without > 0 {
            told.push(found(format!("{} without a number", plural(self.numbers.without, "chunk"))));
        }
        if untimed > 0 {
            told.push(found(format!("{} without times", plural(untimed as u64, "chunk"))));
        }
        if let Some(announced) = announced.filter(|announced| *announced < behind(highest)) {
            told.push(found(format!("recording.ended says {announced}")));
        }
        if let Some(flagged) = flagged.filter(|flagged| Some(*flagged) < highest) {
            told.push(found(format!("{flagged} says it is the last one")));
        }
        if !repeated.is_empty() {
            told.push(format!("more than once {}", listed(&repeated)));
        }
        let has_end = announced.is_some() || flagged.is_some();
        let mut status = if is_broken { Status::Broken } else { Status::Present };
        if events == 0 && (!missing.is_empty() || !has_end) {
            status = if has_end { Status::Missing } else { absent };
        } else if !has_end && absent == Status::Open {
            status = if is_broken { status } else { Status::Open };
            told.push("goes on".to_owned());
        } else if !has_end {
            status = Status::Broken;
            told.push("none is the last one, and nothing says how many there were".to_owned());
        }
        Part { missing, repeated, gaps, paused, ..Part::new(part, status, events, told.join("; ")) }
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

fn spoken(gaps: &[Gap]) -> String {
    let named: Vec<String> = gaps
        .iter()
        .take(NAMED)
        .map(|gap| {
            let length = u64::try_from(gap.milliseconds).unwrap_or(0);
            format!("{} ms between {} and {} (from {} ms)", count(length), gap.after, gap.before, gap.first_ms)
        })
        .collect();
    let more = if gaps.len() > NAMED { format!(" and {} more gaps", gaps.len() - NAMED) } else { String::new() };
    format!("{}{more}", named.join(", "))
}
