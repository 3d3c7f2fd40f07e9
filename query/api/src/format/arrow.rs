//! Rows as an Arrow IPC stream. An incomplete stream lacks its end-of-stream marker, and readers report that.

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;

use super::row_encoder::{RowEncoder, Unrepresentable};
use crate::problem::Problem;

pub(crate) struct Arrow {
    writer: StreamWriter<Vec<u8>>,
}

impl Arrow {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, Unrepresentable> {
        Ok(Self { writer: StreamWriter::try_new(Vec::new(), schema)? })
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        out.append(self.writer.get_mut());
    }
}

impl RowEncoder for Arrow {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        self.take(out);
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        self.writer.write(rows)?;
        self.take(out);
        Ok(())
    }

    fn end(&mut self, _: u64, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        self.writer.finish()?;
        self.take(out);
        Ok(())
    }

    fn abort(&mut self, _: u64, _: &Problem, _: &mut Vec<u8>) -> bool {
        false
    }
}
