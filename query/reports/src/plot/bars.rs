//! Horizontal bars: names on the left, numbers at the ends of the bars.

use super::answer::{Answer, distinct};
use super::canvas::{Anchor, COLOURS, Canvas, GREY, GRID, MARGIN, Style, width};
use super::scale::Scale;
use super::wording::{axis_title, column_words, value_text};
use crate::error::PlotError;
use crate::header::Unit;

/// The most rows that are legible.
const MAX_ROWS: usize = 60;
/// The most room for names.
const MAX_NAME_WIDTH: f64 = 220.0;

/// A name with its numbers.
struct Row<'a> {
    name: &'a str,
    within: Option<&'a str>,
    values: Vec<Option<f64>>,
}

/// Draws bars of the columns `y` for each `x`, end to end if they are stacked.
pub(super) fn draw(
    canvas: &mut Canvas,
    answer: &Answer<'_>,
    x: &str,
    y: &[&str],
    within: Option<&str>,
    is_stacked: bool,
) -> Result<(), PlotError> {
    let names = answer.texts(x)?;
    let headings: Option<Vec<String>> = within.map(|within| answer.texts(within)).transpose()?;
    let columns = y.iter().map(|y| answer.numbers(y)).collect::<Result<Vec<_>, _>>()?;
    let row = |(index, name): (usize, _)| Row {
        name,
        within: headings.as_ref().map(|headings| headings[index].as_str()),
        values: columns.iter().map(|column| column[index]).collect(),
    };
    let rows: Vec<Row<'_>> = names.iter().map(String::as_str).enumerate().map(row).collect();
    if y.len() > 1 {
        let entries: Vec<(&str, String)> =
            y.iter().enumerate().map(|(index, y)| (COLOURS[index % COLOURS.len()], column_words(y))).collect();
        canvas.legend(&entries);
    }
    rows_of_bars(canvas, &rows, answer.unit(y[0]), &axis_title(answer.unit(y[0]), y[0]), is_stacked);
    Ok(())
}

/// Draws one bar for each name: a line chart with a single date has no lines.
pub(super) fn simple(canvas: &mut Canvas, values: &[(String, Option<f64>)], unit: Unit, title: &str) {
    let rows: Vec<Row<'_>> =
        values.iter().map(|(name, value)| Row { name, within: None, values: vec![*value] }).collect();
    rows_of_bars(canvas, &rows, unit, title, false);
}

fn rows_of_bars(canvas: &mut Canvas, all: &[Row<'_>], unit: Unit, title: &str, is_stacked: bool) {
    let rows = &all[..all.len().min(MAX_ROWS)];
    let total = |row: &Row<'_>| row.values.iter().flatten().sum::<f64>();
    let measures = rows.first().map_or(1, |row| row.values.len());
    let scale = if is_stacked {
        Scale::around(rows.iter().map(total), unit, 6)
    } else {
        Scale::around(rows.iter().flat_map(|row| row.values.iter().flatten().copied()), unit, 6)
    };
    let room = rows.iter().map(|row| width(row.name, 12.0)).fold(40.0, f64::max).min(MAX_NAME_WIDTH);
    let left = MARGIN + room + 10.0;
    let most = value_text(scale.high, unit);
    let right = canvas.width - MARGIN - width(&most, 11.0).max(40.0) - 14.0;
    let x = |value: f64| left + scale.part(value) * (right - left);
    let bar = if is_stacked || measures == 1 { 18.0 } else { 11.0 };
    let pitch = if is_stacked { bar } else { bar * measures as f64 } + 10.0;

    let headings = distinct(&rows.iter().filter_map(|row| row.within.map(str::to_owned)).collect::<Vec<_>>()).len();
    let top = canvas.top;
    let bottom = top + pitch * rows.len() as f64 + 26.0 * headings as f64 + 4.0;
    for (value, words) in scale.ticks() {
        canvas.line((x(value), top), (x(value), bottom), GRID);
        canvas.text((x(value), bottom + 16.0), Anchor::Middle, Style::TICK, &words);
    }
    let mut y = top + 6.0;
    let mut heading = None;
    for row in rows {
        if row.within != heading {
            heading = row.within;
            canvas.text((MARGIN, y + 14.0), Anchor::Start, Style::HEADING, heading.unwrap_or_default());
            y += 26.0;
        }
        let height = pitch - 10.0;
        canvas.label((left - 10.0, y + height / 2.0 + 4.0), room, row.name);
        let mut end = 0.0;
        for (index, value) in row.values.iter().enumerate() {
            let Some(value) = *value else { continue };
            let colour = COLOURS[index % COLOURS.len()];
            let tooltip = format!("{}: {}", row.name, value_text(value, unit));
            if is_stacked {
                canvas.rect([x(end), y, x(end + value) - x(end), bar], colour, &tooltip);
                let words = value_text(value, unit);
                if x(end + value) - x(end) > width(&words, 11.0) + 8.0 {
                    canvas.text(
                        ((x(end) + x(end + value)) / 2.0, y + 13.0),
                        Anchor::Middle,
                        Style::new(11.0, "#fff").bold(),
                        &words,
                    );
                }
                end += value;
            } else {
                let at = y + bar * index as f64;
                let (from, to) = (x(value.min(0.0)), x(value.max(0.0)));
                canvas.rect([from, at, (to - from).max(1.0), bar - 1.0], colour, &tooltip);
                let words = value_text(value, unit);
                let size = if bar > 12.0 { 11.0 } else { 10.0 };
                // A negative number is written to the left of its bar if it has room before the names.
                let is_before = value < 0.0 && from - 5.0 - width(&words, size) > left;
                let (place, anchor) = if is_before { (from - 5.0, Anchor::End) } else { (to + 5.0, Anchor::Start) };
                canvas.text((place, at + bar / 2.0 + 3.5), anchor, Style::new(size, GREY), &words);
            }
        }
        if is_stacked {
            canvas.text((x(end) + 5.0, y + 13.0), Anchor::Start, Style::TICK, &value_text(end, unit));
        }
        y += pitch;
    }
    canvas.line((x(0.0_f64.max(scale.low)), top), (x(0.0_f64.max(scale.low)), bottom), GREY);
    canvas.text(((left + right) / 2.0, bottom + 36.0), Anchor::Middle, Style::LABEL, title);
    canvas.top = bottom + 44.0;
    if all.len() > rows.len() {
        canvas.remark(&format!("The first {} of {} rows; the table has all.", rows.len(), all.len()));
    }
}
