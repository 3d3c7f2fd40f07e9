//! Completes the names of files after `\i`, `\o` and `\g`.

use std::path::Path;

/// The files whose paths begin with `prefix`, as arguments of a command. Folders end with `/`.
pub(super) fn paths(prefix: &str) -> Vec<String> {
    let (folder, begin) = prefix.rfind('/').map_or(("", prefix), |at| prefix.split_at(at + 1));
    let read = std::fs::read_dir(if folder.is_empty() { Path::new(".") } else { Path::new(folder) });
    // A folder that cannot be read has no names to offer.
    let entries = read.into_iter().flatten().flatten();
    let mut paths: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_offered = name.starts_with(begin) && (!name.starts_with('.') || begin.starts_with('.'));
            let slash = if entry.path().is_dir() { "/" } else { "" };
            is_offered.then(|| argument(&format!("{folder}{name}{slash}")))
        })
        .collect();
    paths.sort_unstable();
    paths
}

/// A path as one argument of a command.
fn argument(path: &str) -> String {
    let is_plain = |letter: char| !letter.is_whitespace() && letter != '\'' && letter != '\\';
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::super::command::{self, Command};
    use super::*;

    #[test]
    fn names_of_files_are_found_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["first.sql", "first part.sql", "first's.sql", "second.sql", ".first"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("first_folder")).unwrap();
        let path = |name: &str| format!("{}/{name}", folder.path().display());
        let found = paths(&path("first"));
        assert_eq!(found.len(), 4, "{found:?}");
        for argument in &found {
            let Ok(Command::Include(read)) = command::parse(&format!("i {argument}")).0 else { panic!("{argument}") };
            assert!(Path::new(&read).exists(), "{argument}");
        }
        assert!(found.contains(&path("first_folder/")), "{found:?}");
        assert!(paths(&path("missing/")).is_empty());
    }
}
