//! The column of secrets. The salts of records are derived from them.
//!
//! ```text
//! written                       read
//! secret  NULL  NULL  other     secret  secret  secret  other
//! ```
//!
//! A NULL means the secret of the row before, in the file's order of rows. A file whose first row has no secret is not
//! attested.

use crate::table::PROOF_SECRET;
use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::ArrowError;
use holdfast_proof::Secret;
use std::sync::Arc;

/// The secrets of a file's rows, which must be read in order from the first row on.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    last: Option<Secret>,
}

impl Secrets {
    /// The column of secrets, if the batch has it.
    pub(crate) fn column(batch: &RecordBatch) -> Option<&BinaryArray> {
        batch.column_by_name(PROOF_SECRET)?.as_binary_opt()
    }

    /// The secret of the next row. A value that is not a secret is read as zeros, with which no record's hash matches.
    pub(crate) fn next(&mut self, column: &BinaryArray, row: usize) -> Option<Secret> {
        if column.is_valid(row) {
            self.last = Some(Secret(column.value(row).try_into().unwrap_or([0; 32])));
        }
        self.last
    }

    /// The next batch of a file that is read, with the secret in every row. `None` if a row has none.
    pub(crate) fn spread(&mut self, batch: &RecordBatch) -> Option<Result<RecordBatch, ArrowError>> {
        let column = Self::column(batch)?;
        let mut builder = BinaryBuilder::with_capacity(column.len(), column.len() * 32);
        for row in 0..column.len() {
            builder.append_value(self.next(column, row)?.0);
        }
        Some(replace(batch, builder.finish()))
    }

    /// The inverse: the next batch of a file that is written, with each secret only where it begins.
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

/// The batch with one secret.
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
    fn a_secret_is_stored_in_the_first_row_that_has_it() {
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
        fn spreading_is_the_inverse_of_gathering(rows in proptest::collection::vec(0u8..3, 0..40), at in 0usize..40) {
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
