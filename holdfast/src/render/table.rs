//! Rows as a table for people.
//!
//! ```text
//! rows ─▶ the first ones are buffered ─▶ widths, fitted to the terminal ─▶ these and all others are written
//!                                    └─▶ too many columns for the terminal ─▶ one block a row
//! ```

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, SchemaRef};

use super::text::{cut, printable, width};

/// Rows that decide the widths of the columns.
const FIRST_ROWS: usize = 1000;
/// Spaces between two columns.
const GAP: usize = 2;
/// The least width of a column. If it does not fit, rows are written as blocks.
const MIN_COLUMN_WIDTH: usize = 8;

/// Writes a table.
pub(crate) struct TableWriter<W> {
    out: W,
    columns: Vec<Column>,
    /// Width of the terminal; `None`: values are not cut.
    limit: Option<usize>,
    is_coloured: bool,
    expanded: Expanded,
    first: Vec<Vec<String>>,
    layout: Option<Layout>,
    /// Rows that were passed in.
    rows: u64,
    /// Rows that were written to `out`.
    written: u64,
}

/// When a row is written as a block, one line a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Expanded {
    /// Always.
    On,
    /// Never: lines may be longer than the terminal is wide.
    Off,
    /// When the columns do not fit into the terminal.
    #[default]
    Auto,
}

struct Column {
    name: String,
    is_number: bool,
}

enum Layout {
    /// A width for each column.
    Columns(Vec<usize>),
    /// One line a value.
    Blocks,
}

impl<W: Write> TableWriter<W> {
    /// A table on `out`; `limit` is the width of the terminal, if it is one.
    pub(crate) fn new(out: W, schema: &SchemaRef, limit: Option<usize>, is_coloured: bool) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| Column { name: printable(field.name()).into_owned(), is_number: is_number(field.data_type()) })
            .collect();
        let expanded = Expanded::default();
        Self { out, columns, limit, is_coloured, expanded, first: Vec::new(), layout: None, rows: 0, written: 0 }
    }

    /// The same table, with rows as blocks or not.
    pub(crate) fn expanded(self, expanded: Expanded) -> Self {
        // Lines that may be longer than the terminal are not cut.
        let limit = if expanded == Expanded::Off { None } else { self.limit };
        Self { expanded, limit, ..self }
    }

    /// Writes the rows of a batch, or buffers them as first rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        let options = FormatOptions::new().with_null("NULL").with_display_error(true);
        let formatters: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let cells =
                formatters.iter().map(|formatter| printable(&formatter.value(row).to_string()).into_owned()).collect();
            self.row(cells)?;
        }
        Ok(())
    }

    /// Writes one row of formatted values, or buffers it.
    pub(crate) fn row(&mut self, cells: Vec<String>) -> io::Result<()> {
        self.rows += 1;
        if self.layout.is_some() {
            return self.put(&cells);
        }
        self.first.push(cells);
        if self.first.len() >= FIRST_ROWS { self.begin() } else { Ok(()) }
    }

    /// Writes the buffered rows. Returns the number of all rows.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.begin()?;
        self.out.flush()?;
        Ok(self.rows)
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.layout.is_some() {
            return Ok(());
        }
        let natural: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let cells = self.first.iter().map(|row| width(&row[index]));
                cells.chain([width(&column.name), 1]).max().unwrap_or(1)
            })
            .collect();
        let layout = match self.limit {
            _ if self.expanded == Expanded::On => Layout::Blocks,
            None => Layout::Columns(natural),
            Some(limit) => fit(&natural, limit).map_or(Layout::Blocks, Layout::Columns),
        };
        if let Layout::Columns(widths) = &layout {
            let widths = widths.clone();
            let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
            let line = self.line(&names, &widths);
            let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            writeln!(self.out, "{}", self.strong(&line))?;
            writeln!(self.out, "{}", rule.join(&" ".repeat(GAP)))?;
        }
        self.layout = Some(layout);
        for cells in std::mem::take(&mut self.first) {
            self.put(&cells)?;
        }
        Ok(())
    }

    fn put(&mut self, cells: &[String]) -> io::Result<()> {
        self.written += 1;
        match &self.layout {
            Some(Layout::Columns(widths)) => {
                let line = self.line(cells, widths);
                writeln!(self.out, "{line}")
            }
            _ => self.block(cells),
        }
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (index, (cell, column_width)) in cells.iter().zip(widths).enumerate() {
            // Without a limit nothing is cut, even if a later row is wider than the first ones.
            let cell = if self.limit.is_some() { cut(cell, *column_width) } else { cell.as_str().into() };
            let padding = " ".repeat(column_width.saturating_sub(width(&cell)));
            if index > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            if self.columns[index].is_number {
                line.push_str(&padding);
                line.push_str(&cell);
            } else {
                line.push_str(&cell);
                line.push_str(&padding);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }

    fn block(&mut self, cells: &[String]) -> io::Result<()> {
        let widest = self.columns.iter().map(|column| width(&column.name)).max().unwrap_or(0);
        let title = self.strong(&format!("── row {}", self.written));
        writeln!(self.out, "{title}")?;
        for (column, cell) in self.columns.iter().zip(cells) {
            let padding = " ".repeat(widest - width(&column.name));
            writeln!(self.out, "{}{padding}  {cell}", column.name)?;
        }
        Ok(())
    }

    fn strong(&self, text: &str) -> String {
        if self.is_coloured { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Why a row could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("a value cannot be shown: {0}")]
    Value(#[from] ArrowError),
    #[error(transparent)]
    Output(#[from] io::Error),
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Duration(_))
}

/// Widths that fit into `limit`: the widest columns are cut, none below [`MIN_COLUMN_WIDTH`]. `None` if they do not
/// fit.
fn fit(natural: &[usize], limit: usize) -> Option<Vec<usize>> {
    let gaps = GAP * natural.len().saturating_sub(1);
    let total = |cap: usize| natural.iter().map(|width| (*width).min(cap)).sum::<usize>() + gaps;
    if total(usize::MAX) <= limit {
        return Some(natural.to_vec());
    }
    let cap = (MIN_COLUMN_WIDTH..limit.max(MIN_COLUMN_WIDTH)).rev().find(|cap| total(*cap) <= limit)?;
    // The first column that needs more gets the remaining width.
    let mut left = limit - total(cap);
    Some(
        natural
            .iter()
            .map(|width| {
                let more = left.min(width.saturating_sub(cap));
                left -= more;
                (*width).min(cap) + more
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};

    use super::*;

    fn batch() -> RecordBatch {
        let columns: [(&str, ArrayRef); 3] = [
            ("agent", Arc::new(StringArray::from(vec![Some("ann"), Some("a\u{1b}b"), None]))),
            ("sessions", Arc::new(Int64Array::from(vec![12, 3, 400]))),
            ("rating", Arc::new(Float64Array::from(vec![Some(4.5), None, Some(1.0)]))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
    }

    fn table(limit: Option<usize>) -> String {
        let batch = batch();
        let mut out = Vec::new();
        let mut writer = TableWriter::new(&mut out, &batch.schema(), limit, false);
        writer.write(&batch).unwrap();
        assert_eq!(writer.finish().unwrap(), 3);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned() {
        assert_eq!(
            table(None),
            "agent     sessions  rating\n\
             ────────  ────────  ──────\n\
             ann             12     4.5\n\
             a\\u{1b}b         3    NULL\n\
             NULL           400     1.0\n"
        );
        assert_eq!(table(Some(80)), table(None));
    }

    #[test]
    fn too_many_columns_become_blocks() {
        let text = table(Some(20));
        assert!(text.starts_with("── row 1\nagent     ann\nsessions  12\nrating    4.5\n── row 2"), "{text}");
    }

    #[test]
    fn rows_are_blocks_always_or_never() {
        let text = |expanded, limit| {
            let batch = batch();
            let mut out = Vec::new();
            let mut writer = TableWriter::new(&mut out, &batch.schema(), limit, false).expanded(expanded);
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(text(Expanded::On, None).starts_with("── row 1\nagent     ann\n"));
        assert_eq!(text(Expanded::Off, Some(20)), table(None));
        assert_eq!(text(Expanded::Auto, Some(20)), table(Some(20)));
    }

    #[test]
    fn the_widest_columns_are_cut() {
        assert_eq!(fit(&[5, 6], 80), Some(vec![5, 6]));
        assert_eq!(fit(&[5, 100], 40), Some(vec![5, 33]));
        assert_eq!(fit(&[100, 100], 41), Some(vec![20, 19]));
        assert_eq!(fit(&[100; 10], 80), None);
        assert_eq!(fit(&[], 80), Some(vec![]));
    }

    #[test]
    fn rows_after_the_first_keep_the_widths() {
        let batch = batch();
        let mut out = Vec::new();
        let mut writer = TableWriter::new(&mut out, &batch.schema(), None, false);
        for _ in 0..400 {
            writer.write(&batch).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), 1200);
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 1202);
    }
}
