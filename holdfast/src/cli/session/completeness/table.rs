//! The completeness of a session as a table and a sentence. Pure.

use holdfast_timeline::{Completeness, Part, Status, Verdict};

use super::detail;
use crate::cli::session::wrap::wrap;
use crate::render::text::{counted, printable, width};

/// Columns between two columns.
const GAP: usize = 2;
/// The least width of the last column, also in a narrower terminal.
const MIN_DETAIL_WIDTH: usize = 20;

/// The report as text. `limit` is the terminal's width.
pub(super) fn text(
    session: &str,
    report: &Completeness,
    dead_letters: u64,
    limit: Option<usize>,
    is_coloured: bool,
) -> String {
    let paint = |code: &str, words: &str| match is_coloured {
        true => format!("\x1b[{code}m{words}\x1b[0m"),
        false => words.to_owned(),
    };
    let title = format!("Session {}", printable(session));
    let mut lines = vec![paint("1", &title), String::new()];

    let names: Vec<String> = report.parts.iter().map(|part| printable(&name(part)).into_owned()).collect();
    let first = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let second = status(Status::NotExpected).len();
    let indent = first + second + 2 * GAP;
    let room = limit.map_or(usize::MAX, |limit| limit.saturating_sub(indent).max(MIN_DETAIL_WIDTH));
    let row = |name: &str, status: &str, words: &str| {
        let pad = |text: &str, columns: usize| " ".repeat((columns + GAP).saturating_sub(width(text)));
        format!("{name}{}{status}{}{words}", pad(name, first), pad(status, second)).trim_end().to_owned()
    };
    let detail = |part: &Part| wrap(&printable(&detail::text(part, report.state)), room, room);
    let details: Vec<Vec<String>> = report.parts.iter().map(detail).collect();
    let third = details.iter().flatten().map(|line| width(line)).max().unwrap_or(0);
    lines.push(paint("1", &row("part", "status", "detail")));
    lines.push(row(&"─".repeat(first), &"─".repeat(second), &"─".repeat(third)));
    for ((part, name), words) in report.parts.iter().zip(&names).zip(&details) {
        for (index, words) in words.iter().enumerate() {
            let line = match index {
                0 => row(name, status(part.status), words),
                _ => format!("{}{words}", " ".repeat(indent)),
            };
            lines.push(if part.status.is_finding() { paint("31", &line) } else { line });
        }
    }

    lines.push(String::new());
    let mut counts = vec![counted(report.events, "event", "events")];
    if report.duplicates > 0 {
        counts.push(counted(report.duplicates, "duplicate", "duplicates"));
    }
    counts.push(match report.with_problems {
        0 => "none with problems".to_owned(),
        number => format!("{} with problems (column `problems` of archive.events)", counted(number, "event", "events")),
    });
    lines.push(format!("{}.", counts.join(", ")));
    if dead_letters > 0 {
        let letters = counted(dead_letters, "dead letter", "dead letters");
        lines.push(format!("{letters} in the archive, of unknown sessions."));
    }
    lines.push(paint("1", &printable(&verdict(report))));
    lines.push(String::new());
    lines.join("\n")
}

/// The part's name in the table.
fn name(part: &Part) -> String {
    match &part.recording_id {
        Some(recording) => format!("{} of {recording}", part.part.as_str().trim_start_matches("recording_")),
        None => part.part.as_str().to_owned(),
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Present => "present",
        Status::Missing => "missing",
        Status::Broken => "broken",
        Status::NotExpected => "not expected",
        Status::NotGiven => "not given",
        Status::Open => "open",
    }
}

/// The verdict as a sentence.
fn verdict(report: &Completeness) -> String {
    let of = |status: Status| {
        let names: Vec<String> = report.parts.iter().filter(|part| part.status == status).map(name).collect();
        (names.len() as u64, names.join(", "))
    };
    let parts = |(number, names): (u64, String), what: &str| {
        format!("{} {what}: {names}", counted(number, "part is", "parts are"))
    };
    let (missing, broken) = (of(Status::Missing), of(Status::Broken));
    match report.verdict {
        Verdict::Complete => "Complete.".to_owned(),
        Verdict::Open => format!("Nothing is missing so far; {}.", parts(of(Status::Open), "still open")),
        Verdict::Incomplete if broken.0 == 0 => format!("{}.", parts(missing, "missing")),
        Verdict::Incomplete if missing.0 == 0 => format!("{}.", parts(broken, "broken")),
        Verdict::Incomplete => format!("{}; {}.", parts(missing, "missing"), parts(broken, "broken")),
    }
}
