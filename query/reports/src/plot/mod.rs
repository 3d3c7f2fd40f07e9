//! The answer to a report as a picture (SVG): complete in itself, without scripts, fonts or links.
//!
//! ```text
//! record batches ─▶ answer: texts and numbers by column ─┬▶ bars     a row for each name, numbers to the right
//!                                                        ├▶ lines    time to the right, a line for each name
//!                                                        └▶ heatmap  a coloured cell for each pair
//!                        scale: round ticks, units in words ─┘   └─▶ canvas: elements of SVG, measured and escaped
//! ```
//!
//! Invariants:
//! - What does not fit is left out with a word about it, never drawn over something else.
//! - Colours differ also for those who do not see red and green apart, and no meaning is carried by colour alone.
//! - Texts from the data are escaped; they cannot add elements.

mod answer;
mod bars;
mod canvas;
mod heatmap;
mod lines;
mod scale;

use arrow_array::RecordBatch;

use crate::error::PlotError;
use crate::header::{Kind, Plot};
use crate::report::{Arguments, Report};
use answer::Answer;
use canvas::Canvas;

/// Colours of Okabe and Ito, the darker ones first; yellow is too light for a light background.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d"];

impl Report {
    /// Draws the answer to the report's statement with these arguments.
    ///
    /// # Errors
    /// [`PlotError::NoPlot`] for lists; [`PlotError::Answer`] when the batches are of another statement.
    pub fn plot(&self, arguments: &Arguments, batches: &[RecordBatch]) -> Result<String, PlotError> {
        let answer = Answer { report: self, batches };
        let mut canvas = Canvas::new(self.title, self.description, &arguments.to_string());
        let is_empty = batches.iter().all(|batch| batch.num_rows() == 0);
        match &self.plot {
            Plot::None => return Err(PlotError::NoPlot { report: self.name }),
            _ if is_empty => canvas.nothing(),
            Plot::Chart { kind: Kind::Line, x, y, series, .. } => lines::draw(&mut canvas, &answer, x, y, *series)?,
            Plot::Chart { kind, x, y, within, .. } => {
                bars::draw(&mut canvas, &answer, x, y, *within, *kind == Kind::Stacked)?;
            }
            Plot::Heatmap { x, y, value } => heatmap::draw(&mut canvas, &answer, [x, y, value])?,
        }
        Ok(canvas.finish())
    }
}

/// A column's name in words.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests;
