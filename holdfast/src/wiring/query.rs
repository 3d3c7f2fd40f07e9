//! SQL for one caller.

use std::path::PathBuf;

use holdfast_archive::Archive;
use holdfast_query::{Session, SessionOptions};

use super::identities;
use crate::config::Settings;

/// A session over `archive` with the identities in the `named` files, or those that the configuration points to.
pub(crate) fn open(settings: &Settings, archive: Archive, named: &[PathBuf]) -> anyhow::Result<Session> {
    let identities = identities::load(settings, named)?;
    if identities.is_empty() {
        let folder = settings.resolve(&settings.config.keys.identities_dir);
        tracing::warn!(folder = %folder.display(), "found no identity to read with; name one with --identity");
    }
    let mut options = SessionOptions::new(archive, identities);
    options.memory_limit = settings.config.query.memory_bytes;
    if settings.config.query.threads > 0 {
        options.parallelism = settings.config.query.threads;
    }
    Ok(Session::new(options)?)
}

/// A text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_ends_where_it_should() {
        assert_eq!(literal("s-1"), "'s-1'");
        assert_eq!(literal("'; select 1 --"), "'''; select 1 --'");
    }
}
