//! Calls on the file system, which block, and their errors.

use object_store::path::Path;
use object_store::{Error, Result};
use std::io::ErrorKind;

/// The store's name in errors.
pub(super) const STORE: &str = "folder";

/// Does what blocks to the file of `location`.
pub(super) async fn blocking<T: Send + 'static>(
    location: &Path,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Error::Generic { store: STORE, source: error.into() })?;
    done.map_err(|error| failed(location, error))
}

/// The error of a call to the file of `location`.
pub(super) fn failed(location: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NotFound { path: location.to_string(), source: error.into() },
        ErrorKind::AlreadyExists => Error::AlreadyExists { path: location.to_string(), source: error.into() },
        _ => Error::Generic { store: STORE, source: format!("{location}: {error}").into() },
    }
}
