//! What was given to the shell, line by line, as statements and commands.
//!
//! ```text
//! line ─▶ Input ─▶ Step::Statement   at a `;`
//!            │  ─▶ Step::Command     a backslash; the statement that has begun stays
//!            └─ the statement that has begun ─▶ prompt
//! ```

use holdfast_query::STATEMENT_BYTES;

use super::command::{self, Command, CommandError};
use super::lexer::{Lexer, Open, Stop, first_element, is_blank};

/// A statement, and the number of the line that it begins in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) line: usize,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Statement(Statement),
    /// A command, and the number of its line.
    Command(Result<Command, CommandError>, usize),
}

/// The statement that has begun, and what is open in it.
#[derive(Debug, Default)]
pub(super) struct Input {
    lexer: Lexer,
    text: String,
    /// The number of the line that `text` begins in.
    first_line: usize,
    /// The number of the line that is read, from 1.
    line: usize,
}

impl Input {
    /// The next line is read.
    pub(super) fn begin_line(&mut self) {
        self.line += 1;
    }

    /// The next step in the rest of a line, which becomes shorter. `None` at its end.
    pub(super) fn next(&mut self, rest: &mut &str) -> Option<Step> {
        if self.is_empty()
            && let Some(command) = word_as_command(rest)
        {
            *rest = "";
            return Some(Step::Command(Ok(command), self.line));
        }
        loop {
            let (bytes, stop) = self.lexer.scan(rest);
            let (text, after) = rest.split_at(bytes);
            self.push(text);
            match stop {
                Stop::End => {
                    *rest = "";
                    return None;
                }
                Stop::Semicolon => {
                    *rest = &after[1..];
                    if let Some(statement) = self.take() {
                        return Some(Step::Statement(statement));
                    }
                }
                Stop::Backslash => {
                    let (command, taken) = command::parse(&after[1..]);
                    *rest = &after[1 + taken..];
                    return Some(Step::Command(command, self.line));
                }
            }
        }
    }

    /// The statement that has begun, also if it is not finished. `None` if there is none. A comment that is not closed
    /// is one, so that its error is found.
    pub(super) fn take(&mut self) -> Option<Statement> {
        let is_empty = self.is_empty();
        self.lexer = Lexer::default();
        let text = std::mem::take(&mut self.text);
        if is_empty {
            return None;
        }
        let begin = first_element(&text);
        let line = self.first_line + text[..begin].matches('\n').count();
        Some(Statement { text: text.trim().to_owned(), line })
    }

    /// Forgets the statement that has begun.
    pub(super) fn reset(&mut self) {
        self.lexer = Lexer::default();
        self.text.clear();
    }

    /// The text of the statement that has begun.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether no statement has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.lexer.open().is_none() && is_blank(&self.text)
    }

    /// The prompt: the sign before `>` shows what is open.
    pub(super) fn prompt(&self) -> String {
        let sign = match self.lexer.open() {
            Some(Open::Text) => '\'',
            Some(Open::QuotedName) => '"',
            Some(Open::Comment) => '*',
            Some(Open::Dollar) => '$',
            Some(Open::Parenthesis) => '(',
            None if self.is_empty() => '=',
            None => '-',
        };
        format!("holdfast{sign}> ")
    }

    /// Text that is too long for a statement is cut off where no statement is executed any more: the rest only decides
    /// where it ends.
    fn push(&mut self, text: &str) {
        if self.text.is_empty() {
            // Lines before the statement are none of its lines.
            let text = text.trim_start();
            self.first_line = self.line;
            self.text.push_str(text);
        } else if self.text.len() <= STATEMENT_BYTES {
            self.text.push_str(text);
        }
    }
}

/// The commands that need no backslash where a statement would begin.
fn word_as_command(line: &str) -> Option<Command> {
    match line.trim().trim_end_matches(';').trim_end().to_ascii_lowercase().as_str() {
        "exit" | "quit" => Some(Command::Quit),
        "help" => Some(Command::Help),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a text, line by line: statements with their lines, and commands.
    fn steps(input: &mut Input, text: &str) -> Vec<String> {
        let mut steps = Vec::new();
        for line in text.split_inclusive('\n') {
            input.begin_line();
            let mut rest = line;
            while let Some(step) = input.next(&mut rest) {
                steps.push(match step {
                    Step::Statement(statement) => format!("{}: {}", statement.line, statement.text),
                    Step::Command(command, line) => format!("{line}: {:?}", command.unwrap()),
                });
            }
        }
        steps
    }

    #[test]
    fn statements_know_their_lines() {
        let mut input = Input::default();
        let text = "\n-- a comment\nselect\n 1; select 2;\n\nselect 3\n;;\nselect 4";
        assert_eq!(steps(&mut input, text), ["3: -- a comment\nselect\n 1", "4: select 2", "6: select 3"]);
        assert_eq!(input.take(), Some(Statement { text: "select 4".to_owned(), line: 8 }));
        assert_eq!(input.take(), None);
        assert!(steps(&mut input, "\n/* a comment").is_empty());
        assert_eq!(input.take(), Some(Statement { text: "/* a comment".to_owned(), line: 10 }));
    }

    #[test]
    fn a_command_leaves_the_statement_that_has_begun() {
        let mut input = Input::default();
        let found = steps(&mut input, "select 1\n\\x \\timing on\n;\n");
        assert_eq!(found, ["2: Expanded(None)", "2: Timing(Some(true))", "1: select 1"]);
        assert_eq!(steps(&mut input, "\\x \\\\ select 2;\n"), ["4: Expanded(None)", "4: select 2"]);
    }

    #[test]
    fn quit_ends_only_where_a_statement_would_begin() {
        for text in ["quit", "exit\n", " EXIT ;\n", "-- a\nquit"] {
            assert!(steps(&mut Input::default(), text).iter().any(|step| step.ends_with("Quit")), "{text}");
        }
        for text in ["select\nquit;\n", "'a\nexit\n", "quit 1;\n", "select quit;\n", "/* a\nquit\n"] {
            assert!(!steps(&mut Input::default(), text).iter().any(|step| step.ends_with("Quit")), "{text}");
        }
        assert_eq!(steps(&mut Input::default(), "help\n"), ["1: Help"]);
    }

    #[test]
    fn the_prompt_shows_what_is_open() {
        for (text, expected) in [
            ("", "holdfast=> "),
            ("-- a\n", "holdfast=> "),
            ("select 1;\n", "holdfast=> "),
            ("select\n", "holdfast-> "),
            ("select 'a\n", "holdfast'> "),
            ("select \"a\n", "holdfast\"> "),
            ("select (\n", "holdfast(> "),
            ("/* a\n", "holdfast*> "),
            ("select $$\n", "holdfast$> "),
            ("select 'a\n';\n", "holdfast=> "),
        ] {
            let mut input = Input::default();
            steps(&mut input, text);
            assert_eq!(input.prompt(), expected, "{text}");
            input.reset();
            assert_eq!(input.prompt(), "holdfast=> ");
        }
    }

    #[test]
    fn a_text_that_is_too_long_takes_no_more_memory_and_still_ends() {
        let mut input = Input::default();
        let line = format!("{}\n", "x".repeat(60_000));
        for _ in 0..10 {
            assert!(steps(&mut input, &line).is_empty());
        }
        let mut rest = "; select 2;\n";
        let Some(Step::Statement(statement)) = input.next(&mut rest) else { panic!("no statement") };
        assert!(statement.text.len() > STATEMENT_BYTES && statement.text.len() < STATEMENT_BYTES + line.len());
        assert_eq!(steps(&mut input, rest), ["11: select 2"]);
    }
}
