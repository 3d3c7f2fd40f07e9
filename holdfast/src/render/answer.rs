//! The result of a statement in the requested format, written while its rows are computed.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::TryStreamExt;
use holdfast_query::{QueryResult, shown_batch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use super::table::{Expanded, TableWriter};

/// Format of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One array of objects.
    Json,
    /// Comma-separated, with a header (RFC 4180).
    Csv,
    /// One Parquet file, not encrypted.
    Parquet,
}

/// Where the rows are written to.
#[derive(Debug)]
pub(crate) enum Place {
    Stdout,
    /// A file with mode 0600, which appears under its name when it is complete.
    File(PathBuf),
}

/// Writes all rows. Returns their number.
pub(crate) async fn write(result: QueryResult, format: Format, place: &Place) -> anyhow::Result<u64> {
    match place {
        Place::Stdout => {
            if format == Format::Parquet && io::stdout().is_terminal() {
                bail!("Parquet is not for a terminal; name a file with --out, or choose another --format");
            }
            let layout = Layout { limit: terminal_width(), expanded: Expanded::Auto };
            let out = io::BufWriter::with_capacity(64 << 10, io::stdout());
            write_to(result, format, out, layout).await
        }
        Place::File(path) => {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            let failed = || format!("write {}", path.display());
            let file = tempfile::Builder::new().prefix(".holdfast-").tempfile_in(folder).with_context(failed)?;
            let out = io::BufWriter::with_capacity(256 << 10, file.as_file());
            let rows = write_to(result, format, out, Layout::default()).await?;
            file.as_file().sync_all().with_context(failed)?;
            file.persist(path).with_context(failed)?;
            Ok(rows)
        }
    }
}

/// The width of standard output, if it is a terminal.
pub(crate) fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0).max(20))
}

/// Whether standard output may be coloured.
pub(crate) fn colours_wanted() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How a table is laid out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Layout {
    /// The width of the terminal; `None`: values are not cut.
    pub(crate) limit: Option<usize>,
    /// When rows are blocks.
    pub(crate) expanded: Expanded,
}

/// Writes all rows to `out`. Returns their number.
pub(crate) async fn write_to(
    result: QueryResult,
    format: Format,
    out: impl Write + Send,
    layout: Layout,
) -> anyhow::Result<u64> {
    let QueryResult { schema, mut batches, .. } = result;
    let mut rows = Rows::new(format, out, &schema, layout)?;
    while let Some(batch) = batches.try_next().await? {
        rows.write(&batch)?;
    }
    rows.finish()
}

enum Rows<W: Write + Send> {
    Table(TableWriter<W>),
    Json(arrow_json::ArrayWriter<W>, u64),
    Csv(Box<arrow_csv::Writer<W>>, u64),
    Parquet(Box<ArrowWriter<W>>, u64),
}

impl<W: Write + Send> Rows<W> {
    fn new(format: Format, out: W, schema: &SchemaRef, layout: Layout) -> anyhow::Result<Self> {
        Ok(match format {
            Format::Table => {
                let is_coloured = layout.limit.is_some() && colours_wanted();
                Self::Table(TableWriter::new(out, schema, layout.limit, is_coloured).expanded(layout.expanded))
            }
            Format::Json => Self::Json(arrow_json::WriterBuilder::new().with_explicit_nulls(true).build(out), 0),
            Format::Csv => {
                let mut writer = arrow_csv::WriterBuilder::new().with_header(true).build(out);
                // Writes the header even if there are no rows.
                writer.write(&RecordBatch::new_empty(schema.clone()))?;
                Self::Csv(Box::new(writer), 0)
            }
            Format::Parquet => {
                let level = ZstdLevel::try_new(3).expect("3 is a level of zstd");
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                Self::Parquet(Box::new(ArrowWriter::try_new(out, schema.clone(), Some(properties))?), 0)
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let more = batch.num_rows() as u64;
        let shown;
        let batch = if matches!(self, Self::Parquet(..)) {
            batch
        } else {
            shown = shown_batch(batch)?;
            &shown
        };
        match self {
            Self::Table(writer) => writer.write(batch)?,
            Self::Json(writer, rows) => {
                writer.write(batch)?;
                *rows += more;
            }
            Self::Csv(writer, rows) => {
                writer.write(batch)?;
                *rows += more;
            }
            Self::Parquet(writer, rows) => {
                writer.write(batch)?;
                *rows += more;
            }
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<u64> {
        match self {
            Self::Table(writer) => Ok(writer.finish()?),
            Self::Json(mut writer, rows) => {
                writer.finish()?;
                let mut out = writer.into_inner();
                out.write_all(b"\n")?;
                out.flush()?;
                Ok(rows)
            }
            Self::Csv(writer, rows) => {
                writer.into_inner().flush()?;
                Ok(rows)
            }
            Self::Parquet(writer, rows) => {
                writer.into_inner()?.flush()?;
                Ok(rows)
            }
        }
    }
}

/// All rows as JSON objects without their nulls. For small results, because it collects all rows.
pub(crate) async fn objects(result: QueryResult) -> anyhow::Result<Vec<Map<String, Value>>> {
    let batches = result.collect().await?;
    let mut writer = arrow_json::ArrayWriter::new(Vec::new());
    for batch in &batches {
        writer.write(&shown_batch(batch)?)?;
    }
    writer.finish()?;
    let text = writer.into_inner();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BinaryArray, Int32Array, StringArray};
    use futures::StreamExt;

    use super::*;

    fn result(rows: usize) -> QueryResult {
        let columns: [(&str, ArrayRef); 3] = [
            ("text", Arc::new(StringArray::from(vec![Some("a \"b\", c"), None]))),
            ("number", Arc::new(Int32Array::from(vec![Some(1), Some(2)]))),
            ("bytes", Arc::new(BinaryArray::from(vec![b"\x00\xff".as_slice(), b""]))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
        let schema = batch.schema();
        let batches = if rows == 0 { Vec::new() } else { vec![Ok(batch)] };
        QueryResult { schema, batches: futures::stream::iter(batches).boxed(), notices: Vec::new() }
    }

    async fn written(format: Format, rows: usize) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer");
        let place = Place::File(path.clone());
        assert_eq!(write(result(rows), format, &place).await.unwrap(), rows as u64);
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::read(path).unwrap()
    }

    #[tokio::test]
    async fn json_is_one_array() {
        let text = written(Format::Json, 2).await;
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value[0]["text"], "a \"b\", c");
        assert_eq!(value[1], serde_json::json!({"text": null, "number": 2, "bytes": ""}));
        assert_eq!(serde_json::from_slice::<Value>(&written(Format::Json, 0).await).unwrap(), serde_json::json!([]));
    }

    #[tokio::test]
    async fn csv_has_a_header_and_quotes() {
        assert_eq!(
            String::from_utf8(written(Format::Csv, 2).await).unwrap(),
            "text,number,bytes\n\"a \"\"b\"\", c\",1,00ff\n,2,\n"
        );
        assert_eq!(written(Format::Csv, 0).await, b"text,number,bytes\n");
    }

    #[tokio::test]
    async fn parquet_is_one_file_even_without_rows() {
        for rows in [0, 2] {
            let bytes = bytes::Bytes::from(written(Format::Parquet, rows).await);
            let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes, 10).unwrap();
            assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), rows);
        }
    }

    #[tokio::test]
    async fn objects_leave_nulls_out() {
        let objects = objects(result(2)).await.unwrap();
        assert_eq!(objects.len(), 2);
        assert!(!objects[1].contains_key("text"));
        assert!(super::objects(result(0)).await.unwrap().is_empty());
    }
}
