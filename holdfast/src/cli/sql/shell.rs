//! The shell: statements that a person types in a terminal.
//!
//! ```text
//! prompt ─▶ line ─▶ Executor ─▶ prompt ...
//!    │                 └─ Ctrl-C: the statement is cancelled, and the shell goes on
//!    ├─ Ctrl-C: the statement so far is forgotten
//!    └─ Ctrl-D: the end
//! ```

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::editor::{Line, LineEditor, TerminalMode};
use super::executor::{Executor, Flow, Source};
use super::history::HistoryFile;
use super::input::Input;
use crate::cli::print;

/// Runs until its user ends it.
///
/// # Errors
/// When the terminal cannot be read or written.
pub(super) async fn run(executor: &mut Executor<'_>, history: Option<HistoryFile>) -> anyhow::Result<()> {
    let _mode = TerminalMode::current();
    // From here on Ctrl-C does not end the process.
    let _interrupts = signal(SignalKind::interrupt()).context("prepare for Ctrl-C")?;
    let mut editor = LineEditor::new(executor.catalog().clone(), history)?;
    let mut input = Input::default();
    let mut entry = String::new();
    if io::stdout().is_terminal() {
        let version = env!("CARGO_PKG_VERSION");
        print(&format!("holdfast {version}: SQL over the archive. \\? shows the commands, \\q ends.\n"))?;
    }
    loop {
        let line = match editor.line(input.prompt(), input.text()).await? {
            Line::Text(line) => line + "\n",
            Line::Interrupted => {
                input.reset();
                entry.clear();
                continue;
            }
            Line::End => return Ok(()),
        };
        entry.push_str(&line);
        // A new listener for each line: it does not know of signals before the line.
        let mut interrupts = signal(SignalKind::interrupt()).context("prepare for Ctrl-C")?;
        let flow = tokio::select! {
            biased;
            flow = executor.line(&mut input, &line, &Source::Direct) => flow?,
            _ = interrupts.recv() => {
                input.reset();
                executor.session().remark("The statement was cancelled.");
                Flow::Failed
            }
        };
        if input.is_empty() || flow == Flow::Quit {
            if let Some(error) = editor.keep(&entry) {
                executor.session().remark(&format!("the history is not kept: {error}"));
            }
            entry.clear();
        }
        if flow == Flow::Quit {
            return Ok(());
        }
    }
}
