//! Writing to standard output, and text that a shell can read.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

/// Prints one JSON value and a newline to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("write the result as JSON")?;
    text.push('\n');
    print(&text)
}

/// Prints text to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("write to standard output")
}

/// The name that this program was started with, as a word of a shell's command line.
pub(super) fn program() -> String {
    let called = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let called = PathBuf::from(called);
    let short = called.strip_prefix(&here).map_or(called.clone(), |path| PathBuf::from(".").join(path));
    if short.as_os_str().is_empty() { "holdfast".to_owned() } else { shell_path(&short) }
}

/// A path as one word of a shell's command line.
pub(super) fn shell_path(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

/// A text as one word of a shell's command line.
fn shell_word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@%+=,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("a/b.toml"), "a/b.toml");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
