//! The result of a report as an SVG image: self-contained, without scripts, fonts or links.
//!
//! ```text
//! record batches ─▶ answer: texts and numbers by column ─┬▶ bars     a row for each name, numbers to the right
//!                                                        ├▶ lines    time to the right, a line for each name
//!                                                        └▶ heatmap  a coloured cell for each pair
//!         scale: round ticks; wording: units in words ───────┘   └─▶ canvas: SVG elements, measured and escaped
//! ```
//!
//! Invariants:
//! - Rows that exceed the room are left out with a remark. Nothing is drawn over something else.
//! - The colours are distinct for readers with red-green colour blindness, and no meaning depends on colour alone.
//! - Texts from the data are escaped, so they cannot add elements.

mod answer;
mod bars;
mod canvas;
mod heatmap;
mod lines;
mod scale;
mod wording;

use arrow_array::RecordBatch;

use crate::error::PlotError;
use crate::header::{Kind, Plot};
use crate::report::{Arguments, Report};
use answer::Answer;
use canvas::Canvas;

impl Report {
    /// Draws the result of the report's statement with these arguments.
    ///
    /// # Errors
    /// [`PlotError::NoPlot`] for lists; [`PlotError::Answer`] if the batches are not the result of this report.
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

#[cfg(test)]
mod tests;
