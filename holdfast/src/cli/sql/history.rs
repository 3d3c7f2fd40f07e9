//! The history of the shell: a file in the user's folder for state, readable only by its owner.
//!
//! A statement may name people. So a statement that begins with a space is not kept, and `--no-history` keeps none.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustyline::error::ReadlineError;
use rustyline::history::{FileHistory, History as _};

/// The most statements that are kept.
pub(super) const HISTORY_ENTRIES: usize = 1000;
/// A statement that is longer is not kept.
const ENTRY_BYTES: usize = 64 << 10;

/// The file.
#[derive(Debug)]
pub(super) struct HistoryFile {
    path: PathBuf,
    /// Whether its last change failed, so that the next ones are not tried.
    has_failed: bool,
}

impl HistoryFile {
    /// The file of the user, by the variables of the environment. `None` if they name no folder.
    pub(super) fn of_user(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<Self> {
        let absolute = |path: &PathBuf| path.is_absolute();
        let state = variable("XDG_STATE_HOME")
            .filter(absolute)
            .or_else(|| variable("HOME").filter(absolute).map(|home| home.join(".local/state")))?;
        Some(Self { path: state.join("holdfast/sql_history"), has_failed: false })
    }

    /// Reads what was kept. If that fails, the history begins anew.
    pub(super) fn load(&mut self, history: &mut FileHistory) {
        // The first statement makes a file that does not exist.
        if let Err(error) = history.load(&self.path)
            && !matches!(&error, ReadlineError::Io(error) if error.kind() == io::ErrorKind::NotFound)
        {
            tracing::warn!("the history of the shell could not be read: {error}");
        }
    }

    /// Keeps a statement, unless it begins with a space.
    ///
    /// # Errors
    /// When the file cannot be written, once.
    pub(super) fn keep(&mut self, history: &mut FileHistory, entry: &str) -> io::Result<()> {
        let entry = entry.trim_end();
        if !is_kept(entry) {
            return Ok(());
        }
        let added = history.add(entry).map_err(into_io)?;
        if !added || self.has_failed {
            return Ok(());
        }
        let written = prepare(&self.path).and_then(|()| history.append(&self.path).map_err(into_io));
        self.has_failed = written.is_err();
        written
    }
}

fn is_kept(entry: &str) -> bool {
    !entry.is_empty() && !entry.starts_with(char::is_whitespace) && entry.len() <= ENTRY_BYTES
}

/// Makes the file and its folder, for their owner only.
fn prepare(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o777 != 0o600 {
        permissions.set_mode(0o600);
        file.set_permissions(permissions)?;
    }
    Ok(())
}

fn into_io(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use rustyline::Config;

    use super::*;

    fn history() -> FileHistory {
        FileHistory::with_config(&Config::builder().max_history_size(HISTORY_ENTRIES).unwrap().build())
    }

    #[test]
    fn the_folder_for_state_is_that_of_the_environment() {
        let path = |variables: &[(&str, &str)]| {
            let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, path)| path.into());
            HistoryFile::of_user(variable).map(|file| file.path)
        };
        assert_eq!(path(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]), Some("/s/holdfast/sql_history".into()));
        assert_eq!(
            path(&[("XDG_STATE_HOME", "s"), ("HOME", "/h")]),
            Some("/h/.local/state/holdfast/sql_history".into())
        );
        assert_eq!(path(&[("HOME", "")]), None);
    }

    #[test]
    fn statements_are_kept_for_their_user_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/holdfast/sql_history");
        let mut file = HistoryFile { path: path.clone(), has_failed: false };
        let mut kept = history();
        for entry in ["select 1;", " select 'secret';", "select\n2;", "", &"x".repeat(ENTRY_BYTES + 1)] {
            file.keep(&mut kept, entry).unwrap();
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let mut read = history();
        file.load(&mut read);
        assert_eq!(read.iter().collect::<Vec<_>>(), ["select 1;", "select\n2;"]);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("secret"));

        // A file that others may read, of another time, becomes one for its owner.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        for number in 0..HISTORY_ENTRIES {
            file.keep(&mut read, &format!("select {number};")).unwrap();
        }
        assert_eq!(mode(&path), 0o600);
        let mut last = history();
        file.load(&mut last);
        assert_eq!(last.len(), HISTORY_ENTRIES);
        assert_eq!(last.iter().next_back().unwrap(), &format!("select {};", HISTORY_ENTRIES - 1));
        assert!(std::fs::read_to_string(&path).unwrap().lines().count() <= HISTORY_ENTRIES + 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let mut file = HistoryFile { path: folder.path().join("file/history"), has_failed: false };
        let mut kept = history();
        assert!(file.keep(&mut kept, "select 1;").is_err());
        assert!(file.keep(&mut kept, "select 2;").is_ok());
        assert_eq!(kept.len(), 2);
    }
}
