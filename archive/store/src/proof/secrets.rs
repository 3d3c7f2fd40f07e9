//! The column of secrets, from which the salts of records are derived.
//!
//! ```text
//! written                       read
//! secret  NULL  NULL  other     secret  secret  secret  other
//! ```
//!
//! A secret stands where it begins, and a NULL says that it is that of the row before, in whatever order the file has its rows.
//! A file whose first row has none is not attested.

use crate::table::PROOF_SECRET;
use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::ArrowError;
use holdfast_proof::Secret;
use std::sync::Arc;

/// The secrets of a file's rows, which are asked for one after the other from the first row on.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    last: Option<Secret>,
}

impl Secrets {
    /// The column of secrets, where the batch has it.
    pub(crate) fn column(batch: &RecordBatch) -> Option<&BinaryArray> {
        batch.column_by_name(PROOF_SECRET)?.as_binary_opt()
    }

    /// The secret of the next row. What is no secret counts as zeros, with which no record fits.
    pub(crate) fn next(&mut self, column: &BinaryArray, row: usize) -> Option<Secret> {
        if column.is_valid(row) {
            self.last = Some(Secret(column.value(row).try_into().unwrap_or([0; 32])));
        }
        self.last
    }

    /// The file's next batch with the secret in every row. `None` where it has none.
    pub(crate) fn spread(&mut self, batch: &RecordBatch) -> Option<Result<RecordBatch, ArrowError>> {
        let column = Self::column(batch)?;
        let mut builder = BinaryBuilder::with_capacity(column.len(), column.len() * 32);
        for row in 0..column.len() {
            builder.append_value(self.next(column, row)?.0);
        }
        Some(replace(batch, builder.finish()))
    }

    /// The opposite: the next batch of a file that is written.
    pub(crate) fn gather(&mut self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let Some(column) = Self::column(batch) else { return Ok(batch.clone()) };
        let mut builder = BinaryBuilder::with_capacity(column.len(), 1024);
        for row in 0..column.len() {
            let before = self.last;
            let own = self.next(column, row);
            builder.append_option(own.filter(|_| own != before).map(|secret| secret.0));
        }
        replace(batch, builder.finish())
    }
}

/// The batch under one secret.
pub(crate) fn with_secret(batch: &RecordBatch, secret: &Secret) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let mut builder = BinaryBuilder::with_capacity(rows, secret.0.len());
    if rows > 0 {
        builder.append_value(secret.0);
        builder.append_nulls(rows - 1);
    }
    replace(batch, builder.finish())
}

fn replace(batch: &RecordBatch, secrets: BinaryArray) -> Result<RecordBatch, ArrowError> {
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns[batch.schema_ref().index_of(PROOF_SECRET)?] = Arc::new(secrets);
    RecordBatch::try_new(batch.schema(), columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::{DataType, Field, Schema};
    use proptest::prelude::*;

    fn batch(secrets: &[Option<u8>]) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new(PROOF_SECRET, DataType::Binary, true)]));
        let values: BinaryArray = secrets.iter().map(|secret| secret.map(|byte| [byte; 32])).collect();
        RecordBatch::try_new(schema, vec![Arc::new(values)]).unwrap()
    }

    #[test]
    fn a_secret_stands_where_it_begins() {
        let mut secrets = Secrets::default();
        assert_eq!(secrets.gather(&batch(&[Some(1), Some(1), Some(2)])).unwrap(), batch(&[Some(1), None, Some(2)]));
        assert_eq!(secrets.gather(&batch(&[Some(2), Some(1)])).unwrap(), batch(&[None, Some(1)]));
        assert_eq!(
            with_secret(&batch(&[None, None, Some(9)]), &Secret([7; 32])).unwrap(),
            batch(&[Some(7), None, None])
        );
        assert_eq!(with_secret(&batch(&[]), &Secret([7; 32])).unwrap(), batch(&[]));
        assert!(Secrets::default().spread(&batch(&[None, Some(1)])).is_none());
    }

    proptest! {
        #[test]
        fn what_is_gathered_is_spread_again(rows in proptest::collection::vec(0u8..3, 0..40), at in 0usize..40) {
            let (first, second) = rows.split_at(at.min(rows.len()));
            let (mut writing, mut reading) = (Secrets::default(), Secrets::default());
            for part in [first, second] {
                let whole = batch(&part.iter().copied().map(Some).collect::<Vec<_>>());
                let written = writing.gather(&whole).unwrap();
                prop_assert_eq!(reading.spread(&written).unwrap().unwrap(), whole);
            }
        }
    }
}
