//! Lines that are edited in a terminal, with history and completion.
//!
//! ```text
//! prompt ─▶ a thread of its own: rustyline ─▶ line
//!             ├─ TAB: completion from the catalog, which is loaded once
//!             └─ history: the file of the user, one entry a statement
//! ```

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use holdfast_query::{QueryError, Reader};
use rustyline::completion::{Completer, Pair};
use rustyline::config::{Behavior, CompletionType};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::catalog::Catalog;
use super::completion::{Completion, complete};
use super::files::paths;
use super::history::{HISTORY_ENTRIES, HistoryFile};

/// How long a completion waits for the catalog.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(5);

/// The catalog of the session, which is loaded when it is needed first.
#[derive(Clone)]
pub(super) struct LazyCatalog {
    reader: Reader,
    catalog: Arc<OnceCell<Catalog>>,
}

impl LazyCatalog {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, catalog: Arc::default() }
    }

    /// The catalog.
    ///
    /// # Errors
    /// See [`QueryError`]. The next call tries again.
    pub(super) async fn get(&self) -> Result<&Catalog, QueryError> {
        self.catalog.get_or_try_init(|| Catalog::load(&self.reader)).await
    }
}

/// What was given at a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    /// Ctrl-C
    Interrupted,
    /// Ctrl-D in an empty line, or the terminal is gone.
    End,
}

/// The lines of a terminal.
pub(super) struct LineEditor {
    /// `None` while a line is read.
    editor: Option<Editor<Completing, FileHistory>>,
    history: Option<HistoryFile>,
}

impl LineEditor {
    /// Reads from the terminal of standard input, also if standard output is none.
    pub(super) fn new(catalog: LazyCatalog, mut history: Option<HistoryFile>) -> anyhow::Result<Self> {
        let behavior = if io::stdout().is_terminal() { Behavior::Stdio } else { Behavior::PreferTerm };
        let config = Config::builder()
            .behavior(behavior)
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY_ENTRIES)
            .and_then(|config| config.history_ignore_dups(true))
            .context("set up the history")?
            .build();
        let mut editor = Editor::with_config(config).context("set up the terminal")?;
        let helper = Completing { before: String::new(), catalog, runtime: Handle::current() };
        editor.set_helper(Some(helper));
        if let Some(file) = &mut history {
            file.load(editor.history_mut());
        }
        Ok(Self { editor: Some(editor), history })
    }

    /// Reads one line. `before` is the statement that has begun in the lines before it.
    pub(super) async fn line(&mut self, prompt: String, before: &str) -> anyhow::Result<Line> {
        let mut editor = self.editor.take().context("a line is being read already")?;
        if let Some(helper) = editor.helper_mut() {
            before.clone_into(&mut helper.before);
        }
        // It blocks, and signals must not wait for it.
        let read = move || {
            let line = editor.readline(&prompt);
            (editor, line)
        };
        let (editor, line) = tokio::task::spawn_blocking(read).await.context("read a line")?;
        self.editor = Some(editor);
        match line {
            Ok(text) => Ok(Line::Text(text)),
            Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
            Err(ReadlineError::Eof) => Ok(Line::End),
            // The terminal is gone.
            Err(ReadlineError::Errno(_)) => Ok(Line::End),
            Err(error) => Err(error).context("read a line"),
        }
    }

    /// Keeps a statement with its commands, unless it begins with a space.
    pub(super) fn keep(&mut self, entry: &str) -> Option<io::Error> {
        let (Some(editor), Some(file)) = (&mut self.editor, &mut self.history) else { return None };
        file.keep(editor.history_mut(), entry).err()
    }
}

/// The mode of the terminal when the shell began, which is restored when it ends while a line is read.
pub(super) struct TerminalMode(Option<rustix::termios::Termios>);

impl TerminalMode {
    pub(super) fn current() -> Self {
        Self(rustix::termios::tcgetattr(io::stdin()).ok())
    }
}

impl Drop for TerminalMode {
    fn drop(&mut self) {
        if let Some(mode) = &self.0 {
            // Nothing else can be done for a terminal that is gone.
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, mode);
            if io::stdout().is_terminal() {
                // Text that is pasted is not bracketed any more.
                let _ = io::stdout().write_all(b"\x1b[?2004l").and_then(|()| io::stdout().flush());
            }
        }
    }
}

/// Completes what is typed.
struct Completing {
    /// The statement that has begun in the lines before.
    before: String,
    catalog: LazyCatalog,
    runtime: Handle,
}

impl Completer for Completing {
    type Candidate = Pair;

    fn complete(&self, line: &str, cursor: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let catalog = self.runtime.block_on(async {
            match tokio::time::timeout(CATALOG_TIMEOUT, self.catalog.get()).await {
                Ok(Ok(catalog)) => Cow::Borrowed(catalog),
                // Keywords and commands are completed without it.
                Ok(Err(_)) | Err(_) => Cow::Owned(Catalog::default()),
            }
        });
        let text = format!("{}{line}", self.before);
        let offset = self.before.len();
        match complete(&text, offset + cursor, &catalog) {
            // What lines before hold is not replaced.
            Completion::Words { start, .. } | Completion::File { start } if start < offset => Ok((cursor, Vec::new())),
            Completion::Words { start, candidates } => Ok((start - offset, pairs(candidates))),
            Completion::File { start } => Ok((start - offset, pairs(paths(&text[start..offset + cursor])))),
        }
    }
}

/// Candidates for the editor. After the only one a space follows, unless its name goes on.
fn pairs(candidates: Vec<String>) -> Vec<Pair> {
    let is_only = candidates.len() == 1;
    let pair = |display: String| {
        let mut replacement = display.clone();
        if is_only && !display.ends_with(['.', '/']) {
            replacement.push(' ');
        }
        Pair { display, replacement }
    };
    candidates.into_iter().map(pair).collect()
}

impl Hinter for Completing {
    type Hint = String;
}

impl Highlighter for Completing {}
impl Validator for Completing {}
impl Helper for Completing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_is_complete_is_followed_by_a_space() {
        let replacements = |candidates: &[&str]| {
            let pairs = pairs(candidates.iter().map(|name| (*name).to_owned()).collect());
            pairs.into_iter().map(|pair| pair.replacement).collect::<Vec<_>>()
        };
        assert_eq!(replacements(&["events"]), ["events "]);
        assert_eq!(replacements(&["archive."]), ["archive."]);
        assert_eq!(replacements(&["events", "sessions"]), ["events", "sessions"]);
    }
}
