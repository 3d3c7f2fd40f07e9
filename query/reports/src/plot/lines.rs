//! Numbers over time: a line for each name, with its last value beside its name.

use chrono::{Datelike as _, NaiveDate};

use super::answer::{Answer, distinct};
use super::canvas::{Anchor, Canvas, GREY, GRID, INK, MARGIN, shorten, width};
use super::scale::{Scale, axis, say};
use super::{COLOURS, bars, words};
use crate::error::PlotError;

const HEIGHT: f64 = 360.0;
/// Room for names at most.
const NAMES: f64 = 190.0;
/// With each of these, every colour is used once more.
const DASHES: [&str; 3] = ["", "7 4", "2 3"];
const MOST: usize = COLOURS.len() * DASHES.len();

/// Draws the first of the columns `y` over `x`, a line for each value of `series`.
pub(super) fn draw(
    canvas: &mut Canvas,
    answer: &Answer<'_>,
    x: &str,
    y: &[&str],
    series: Option<&str>,
) -> Result<(), PlotError> {
    let column = y[0];
    let unit = answer.unit(column);
    let wrong = |what| PlotError::Answer { column: x.to_owned(), what };
    let days = answer.texts(x)?;
    let dates = days.iter().map(|day| day.get(..10).unwrap_or(day).parse::<NaiveDate>()).collect::<Result<Vec<_>, _>>();
    let dates = dates.map_err(|_| wrong("holds what is no date"))?;
    let values = answer.numbers(column)?;
    let names = match series {
        Some(series) => answer.texts(series)?,
        None => vec![words(column); dates.len()],
    };
    let mut moments = dates.clone();
    moments.sort_unstable();
    moments.dedup();
    let title = axis(unit, column);
    if let [only] = moments.as_slice() {
        // A line needs two points.
        let bars: Vec<(String, Option<f64>)> = names.into_iter().zip(values).collect();
        bars::simple(canvas, &bars, unit, &format!("{title}, {} {only}", words(x)));
        return Ok(());
    }
    let (Some(first), Some(last)) = (moments.first().copied(), moments.last().copied()) else { return Ok(()) };
    let mut lines: Vec<(&str, Vec<(NaiveDate, f64)>)> = distinct(&names)
        .into_iter()
        .map(|name| {
            let points = names.iter().zip(dates.iter().zip(&values));
            let mut points: Vec<(NaiveDate, f64)> = points
                .filter_map(|(of, (date, value))| if of == name { Some((*date, (*value)?)) } else { None })
                .collect();
            points.sort_by_key(|(date, _)| *date);
            (name, points)
        })
        .filter(|(_, points)| !points.is_empty())
        .collect();
    // Names stand in the order in which the lines end.
    lines.sort_by(|(_, one), (_, other)| {
        let end = |points: &[(NaiveDate, f64)]| points.last().map_or(0.0, |(_, value)| *value);
        end(other).total_cmp(&end(one))
    });
    let count = lines.len();
    lines.truncate(MOST);

    let all = lines.iter().flat_map(|(_, points)| points.iter().map(|(_, value)| *value));
    let scale = Scale::around(all, unit, 5).beginning_at_one();
    let room = lines.iter().map(|(name, _)| width(name, 12.0)).fold(40.0, f64::max).min(NAMES);
    let ticks = scale.ticks();
    let left = MARGIN + ticks.iter().map(|(_, words)| width(words, 11.0)).fold(0.0, f64::max) + 10.0;
    let right = canvas.width - MARGIN - room - 92.0;
    canvas.text(MARGIN, canvas.top, Anchor::Start, 12.0, INK, false, &title);
    let top = canvas.top + 16.0;
    let bottom = top + HEIGHT.max(lines.len() as f64 * 18.0);
    let down = |value: f64| bottom - scale.part(value) * (bottom - top);
    for (value, words) in &ticks {
        canvas.line((left, down(*value)), (right, down(*value)), GRID);
        canvas.text(left - 8.0, down(*value) + 4.0, Anchor::End, 11.0, GREY, false, words);
    }
    let days = (last - first).num_days().max(1) as f64;
    // A little room, so that no point lies on the frame.
    let across = |date: NaiveDate| left + 16.0 + (date - first).num_days() as f64 / days * (right - left - 32.0);
    canvas.line((left, bottom), (right, bottom), GREY);
    let mut free = f64::MIN;
    for date in &moments {
        let words = day(*date, &moments);
        let half = width(&words, 11.0) / 2.0;
        if across(*date) - half < free {
            continue;
        }
        canvas.line((across(*date), bottom), (across(*date), bottom + 4.0), GREY);
        canvas.text(across(*date), bottom + 18.0, Anchor::Middle, 11.0, GREY, false, &words);
        free = across(*date) + half + 12.0;
    }
    canvas.text((left + right) / 2.0, bottom + 40.0, Anchor::Middle, 12.0, INK, false, &words(x));
    for (index, (name, points)) in lines.iter().enumerate() {
        let (colour, dashes) = (COLOURS[index % COLOURS.len()], DASHES[index / COLOURS.len() % DASHES.len()]);
        let places: Vec<(f64, f64)> = points.iter().map(|(date, value)| (across(*date), down(*value))).collect();
        canvas.path(&places, colour, dashes);
        for ((date, value), place) in points.iter().zip(&places) {
            canvas.dot(place.0, place.1, colour, &format!("{name}, {}: {}", day(*date, &moments), say(*value, unit)));
        }
        let at = top + 6.0 + 18.0 * index as f64;
        canvas.path(&[(right + 16.0, at), (right + 44.0, at)], colour, dashes);
        canvas.text(right + 52.0, at + 4.0, Anchor::Start, 12.0, INK, false, &shorten(name, 12.0, room));
        let end = points.last().map_or_else(String::new, |(_, value)| say(*value, unit));
        canvas.text(canvas.width - MARGIN, at + 4.0, Anchor::End, 11.0, GREY, false, &end);
    }
    canvas.top = bottom + 48.0;
    if count > lines.len() {
        canvas.remark(&format!("The {} highest of {count} lines; the table has all.", lines.len()));
    }
    Ok(())
}

/// A day in words: its month alone, where all days are the first of a month.
pub(super) fn day(date: NaiveDate, among: &[NaiveDate]) -> String {
    if among.len() > 1 && among.iter().all(|date| date.day() == 1) {
        date.format("%b %Y").to_string()
    } else {
        date.format("%-d %b %Y").to_string()
    }
}
