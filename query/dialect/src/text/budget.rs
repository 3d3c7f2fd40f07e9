//! What the results of one call may take.

use crate::SqlError;

/// Bytes of the results of one call.
const CALL_BYTES: usize = 64 << 20;

/// What is left for the results of a call.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: CALL_BYTES }
    }
}

impl Budget {
    /// Takes so many bytes, which are not allocated yet.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), SqlError> {
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => {
                return Err(SqlError::new("54000", "a call of a function would make more than 64 MiB")
                    .with_hint("Make shorter results, or fewer rows at a time."));
            }
        }
        Ok(())
    }
}
