//! Rows as one Parquet file, not encrypted, because the caller may read them. Row groups are small enough to be buffered in
//! memory until they are written. An incomplete file lacks its footer, so no reader accepts it.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::row_encoder::{RowEncoder, Unrepresentable};
use crate::problem::Problem;

/// The approximate size in memory at which a row group is written, in bytes.
const ROW_GROUP_BYTES: usize = 8 << 20;
const ROW_GROUP_ROWS: usize = 128 << 10;

pub(crate) struct Parquet {
    writer: ArrowWriter<Vec<u8>>,
}

impl Parquet {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, Unrepresentable> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        Ok(Self { writer: ArrowWriter::try_new(Vec::new(), SchemaRef::clone(schema), Some(properties))? })
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        out.append(self.writer.inner_mut());
    }
}

impl RowEncoder for Parquet {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        self.take(out);
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        self.writer.write(rows)?;
        if self.writer.in_progress_size() > ROW_GROUP_BYTES {
            self.writer.flush()?;
        }
        self.take(out);
        Ok(())
    }

    fn end(&mut self, _: u64, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        self.writer.finish()?;
        self.writer.sync().map_err(|error| Unrepresentable(error.to_string()))?;
        self.take(out);
        Ok(())
    }

    fn abort(&mut self, _: u64, _: &Problem, _: &mut Vec<u8>) -> bool {
        false
    }
}
