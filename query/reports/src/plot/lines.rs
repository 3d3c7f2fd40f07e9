//! Lines over time: one line for each name, with its last value next to the name.

use chrono::NaiveDate;

use super::answer::{Answer, distinct};
use super::bars;
use super::canvas::{Anchor, COLOURS, Canvas, GREY, GRID, MARGIN, Style, shorten, width};
use super::scale::Scale;
use super::wording::{axis_title, column_words, day, value_text};
use crate::error::PlotError;

const HEIGHT: f64 = 360.0;
/// The most room for names.
const MAX_NAME_WIDTH: f64 = 190.0;
/// The dash patterns. Each is combined with every colour.
const DASHES: [&str; 3] = ["", "7 4", "2 3"];
const MAX_LINES: usize = COLOURS.len() * DASHES.len();

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
    let dates = dates.map_err(|_| wrong("contains a value that is not a date"))?;
    let values = answer.numbers(column)?;
    let names = match series {
        Some(series) => answer.texts(series)?,
        None => vec![column_words(column); dates.len()],
    };
    let mut moments = dates.clone();
    moments.sort_unstable();
    moments.dedup();
    let title = axis_title(unit, column);
    if let [only] = moments.as_slice() {
        // A line needs two points.
        let bars: Vec<(String, Option<f64>)> = names.into_iter().zip(values).collect();
        bars::simple(canvas, &bars, unit, &format!("{title}, {} {only}", column_words(x)));
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
    // The names are in the order of the last values.
    lines.sort_by(|(_, one), (_, other)| {
        let end = |points: &[(NaiveDate, f64)]| points.last().map_or(0.0, |(_, value)| *value);
        end(other).total_cmp(&end(one))
    });
    let count = lines.len();
    lines.truncate(MAX_LINES);

    let all = lines.iter().flat_map(|(_, points)| points.iter().map(|(_, value)| *value));
    let scale = Scale::around(all, unit, 5).starting_at_one();
    let room = lines.iter().map(|(name, _)| width(name, 12.0)).fold(40.0, f64::max).min(MAX_NAME_WIDTH);
    let ticks = scale.ticks();
    let left = MARGIN + ticks.iter().map(|(_, words)| width(words, 11.0)).fold(0.0, f64::max) + 10.0;
    let right = canvas.width - MARGIN - room - 92.0;
    canvas.text((MARGIN, canvas.top), Anchor::Start, Style::LABEL, &title);
    let top = canvas.top + 16.0;
    let bottom = top + HEIGHT.max(lines.len() as f64 * 18.0);
    let down = |value: f64| bottom - scale.part(value) * (bottom - top);
    for (value, words) in &ticks {
        canvas.line((left, down(*value)), (right, down(*value)), GRID);
        canvas.text((left - 8.0, down(*value) + 4.0), Anchor::End, Style::TICK, words);
    }
    let days = (last - first).num_days().max(1) as f64;
    // An inset keeps points off the frame.
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
        canvas.text((across(*date), bottom + 18.0), Anchor::Middle, Style::TICK, &words);
        free = across(*date) + half + 12.0;
    }
    canvas.text(((left + right) / 2.0, bottom + 40.0), Anchor::Middle, Style::LABEL, &column_words(x));
    for (index, (name, points)) in lines.iter().enumerate() {
        let (colour, dashes) = (COLOURS[index % COLOURS.len()], DASHES[index / COLOURS.len() % DASHES.len()]);
        let places: Vec<(f64, f64)> = points.iter().map(|(date, value)| (across(*date), down(*value))).collect();
        canvas.path(&places, colour, dashes);
        for ((date, value), place) in points.iter().zip(&places) {
            canvas.dot(*place, colour, &format!("{name}, {}: {}", day(*date, &moments), value_text(*value, unit)));
        }
        let at = top + 6.0 + 18.0 * index as f64;
        canvas.path(&[(right + 16.0, at), (right + 44.0, at)], colour, dashes);
        canvas.text((right + 52.0, at + 4.0), Anchor::Start, Style::LABEL, &shorten(name, 12.0, room));
        let end = points.last().map_or_else(String::new, |(_, value)| value_text(*value, unit));
        canvas.text((canvas.width - MARGIN, at + 4.0), Anchor::End, Style::TICK, &end);
    }
    canvas.top = bottom + 48.0;
    if count > lines.len() {
        canvas.remark(&format!("The {} highest of {count} lines; the table has all.", lines.len()));
    }
    Ok(())
}
