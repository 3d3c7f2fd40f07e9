//! A heatmap: one cell for each pair of names, darker for higher numbers. The number is in the cell if it has room.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::answer::{Answer, distinct};
use super::canvas::{Anchor, Canvas, INK, MARGIN, Style, WIDTH, width};
use super::wording::{axis_title, column_words, day, value_text};
use crate::error::PlotError;
use crate::header::Unit;

/// The most rows that are legible.
const MAX_ROWS: usize = 60;
/// The most columns that are legible.
const MAX_COLUMNS: usize = 120;
/// The most room for names.
const MAX_NAME_WIDTH: f64 = 200.0;
const CELL_HEIGHT: f64 = 26.0;
const MIN_CELL_WIDTH: f64 = 20.0;
/// From low to high: one hue, so that lightness alone carries the meaning.
const SHADES: [(f64, f64, f64); 4] =
    [(238.0, 244.0, 251.0), (158.0, 202.0, 225.0), (49.0, 130.0, 189.0), (8.0, 48.0, 107.0)];

/// Draws the column `value` for each pair of `x` and `y`.
pub(super) fn draw(canvas: &mut Canvas, answer: &Answer<'_>, columns: [&str; 3]) -> Result<(), PlotError> {
    let [x, y, value] = columns;
    let unit = answer.unit(value);
    let (xs, ys, values) = (answer.texts(x)?, answer.texts(y)?, answer.numbers(value)?);
    let hours: Vec<String>;
    let (mut across, mut down) = (distinct(&xs), distinct(&ys));
    if answer.unit(x) == Unit::Hour {
        hours = (0..24).map(|hour| hour.to_string()).collect();
        across = hours.iter().map(String::as_str).collect();
    } else {
        across.sort_unstable();
    }
    let (all_across, all_down) = (across.len(), down.len());
    // The newest columns are kept.
    across.drain(..all_across.saturating_sub(MAX_COLUMNS));
    down.truncate(MAX_ROWS);
    let cells: BTreeMap<(&str, &str), f64> = xs
        .iter()
        .zip(&ys)
        .zip(&values)
        .filter_map(|((x, y), value)| Some(((x.as_str(), y.as_str()), (*value)?)))
        .collect();
    let most = cells.values().copied().fold(0.0, f64::max);

    let room = down.iter().map(|name| width(name, 12.0)).fold(30.0, f64::max).min(MAX_NAME_WIDTH);
    let left = MARGIN + room + 10.0;
    let cell = ((WIDTH - MARGIN - left) / across.len().max(1) as f64).clamp(MIN_CELL_WIDTH, 64.0);
    canvas.width = WIDTH.max(left + cell * across.len() as f64 + MARGIN);
    legend(canvas, unit, most, &axis_title(unit, value));
    let top = canvas.top;
    for (row, name) in down.iter().enumerate() {
        let at = top + CELL_HEIGHT * row as f64;
        canvas.label((left - 10.0, at + CELL_HEIGHT / 2.0 + 4.0), room, name);
        for (column, moment) in across.iter().enumerate() {
            let place = [left + cell * column as f64, at, cell - 1.0, CELL_HEIGHT - 1.0];
            let Some(value) = cells.get(&(*moment, *name)) else {
                canvas.rect(place, "#f7f8f9", &format!("{name}, {moment}: nothing"));
                continue;
            };
            let part = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
            canvas.rect(place, &shade(part), &format!("{name}, {moment}: {}", value_text(*value, unit)));
            // The unit is in the legend.
            let words = value_text(value.round(), Unit::Number);
            if width(&words, 10.0) + 3.0 < cell {
                let ink = if part > 0.55 { "#fff" } else { INK };
                let middle = (place[0] + (cell - 1.0) / 2.0, at + CELL_HEIGHT / 2.0 + 3.5);
                canvas.text(middle, Anchor::Middle, Style::new(10.0, ink), &words);
            }
        }
    }
    let bottom = top + CELL_HEIGHT * down.len() as f64;
    column_names(canvas, answer.unit(x), &across, (left, cell, bottom));
    let middle = left + cell * across.len() as f64 / 2.0;
    canvas.text((middle, bottom + 38.0), Anchor::Middle, Style::LABEL, &axis_title(answer.unit(x), x));
    canvas.top = bottom + 46.0;
    for (shown, all, what) in [(down.len(), all_down, column_words(y)), (across.len(), all_across, column_words(x))] {
        if shown < all {
            canvas.remark(&format!("{shown} of {all}: {what}; the table has all."));
        }
    }
    Ok(())
}

/// Draws the names below the columns, as many as have room.
fn column_names(canvas: &mut Canvas, unit: Unit, across: &[&str], (left, cell, bottom): (f64, f64, f64)) {
    let dates: Vec<NaiveDate> = across.iter().filter_map(|moment| moment.get(..10)?.parse().ok()).collect();
    let mut free = f64::MIN;
    for (column, moment) in across.iter().enumerate() {
        let words = match (unit, moment.get(..10).and_then(|day| day.parse().ok())) {
            (Unit::Hour, _) => format!("{moment:0>2}"),
            (_, Some(date)) if column == 0 => day(date, &dates),
            (_, Some(date)) => date.format("%-d %b").to_string(),
            _ => (*moment).to_owned(),
        };
        let middle = left + cell * (column as f64 + 0.5) - 0.5;
        let half = width(&words, 11.0) / 2.0;
        if middle - half >= free {
            canvas.text((middle, bottom + 16.0), Anchor::Middle, Style::TICK, &words);
            free = middle + half + 6.0;
        }
    }
}

/// Draws the shades from 0 to the highest value.
fn legend(canvas: &mut Canvas, unit: Unit, most: f64, title: &str) {
    let y = canvas.top - 9.0;
    canvas.text((MARGIN, canvas.top + 1.0), Anchor::Start, Style::LABEL, title);
    let mut x = MARGIN + width(title, 12.0) + 16.0;
    let none = value_text(0.0, unit);
    canvas.text((x, canvas.top + 1.0), Anchor::Start, Style::TICK, &none);
    x += width(&none, 11.0) + 6.0;
    for step in 0..40 {
        let part = f64::from(step) / 39.0;
        canvas.rect([x + 4.0 * f64::from(step), y, 4.2, 12.0], &shade(part), &value_text(most * part, unit));
    }
    canvas.text((x + 166.0, canvas.top + 1.0), Anchor::Start, Style::TICK, &value_text(most, unit));
    canvas.top += 22.0;
}

/// The colour of a fraction of the highest value.
fn shade(part: f64) -> String {
    let at = part.clamp(0.0, 1.0) * (SHADES.len() - 1) as f64;
    let index = (at.floor() as usize).min(SHADES.len() - 2);
    let (one, other, along) = (SHADES[index], SHADES[index + 1], at - index as f64);
    let mix = |one: f64, other: f64| (one + (other - one) * along).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(one.0, other.0), mix(one.1, other.1), mix(one.2, other.2))
}
