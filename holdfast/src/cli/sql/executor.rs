//! Executes statements and commands, one after another.
//!
//! ```text
//! Step::Statement ─▶ its access is recorded ─▶ rows ─▶ Output
//! Step::Command   ─▶ settings, lists, files with further steps
//! error           ─▶ standard error, with file and line ─▶ Flow::Failed
//! ```

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use holdfast_query::{QueryError, Reader, Request};

use super::catalog::{self, Relation};
use super::command::{Command, RelationKind, Variable, switch};
use super::editor::LazyCatalog;
use super::input::{Input, Statement, Step};
use super::output::{Closed, Output};
use super::script::{Lines, Script};
use super::{describe, help};
use crate::cli::{Session, print};
use crate::render::statement_error::statement_error;
use crate::render::table::Expanded;
use crate::render::text::{counted, printable};
use crate::wiring::query::literal;

/// How deep files may include one another.
const MAX_INCLUDED: usize = 16;

/// What happens after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    /// The step failed, and its error was printed.
    Failed,
    Quit,
}

/// Where statements come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// The terminal, or the command line.
    Direct,
    /// A file, which `depth` files include.
    File { name: String, depth: usize },
}

impl Source {
    /// What is before an error of the line `line`.
    fn prefix(&self, line: usize) -> String {
        match self {
            Self::Direct => String::new(),
            Self::File { name, .. } => format!("holdfast:{name}:{line}: "),
        }
    }
}

/// What the commands of the shell set.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) purpose: Option<String>,
    pub(super) stops_at_error: bool,
    pub(super) is_timed: bool,
    pub(super) expanded: Expanded,
    /// Whether a person reads at a terminal: the number of rows follows each table.
    pub(super) is_shell: bool,
}

/// Executes statements and commands.
pub(super) struct Executor<'session> {
    session: &'session Session,
    reader: Reader,
    catalog: LazyCatalog,
    output: Output,
    settings: Settings,
    /// The statement that was executed last.
    last: Option<Statement>,
    has_failed: bool,
}

impl<'session> Executor<'session> {
    pub(super) fn new(session: &'session Session, reader: Reader, output: Output, settings: Settings) -> Self {
        let catalog = LazyCatalog::new(reader.clone());
        Self { session, reader, catalog, output, settings, last: None, has_failed: false }
    }

    pub(super) fn catalog(&self) -> &LazyCatalog {
        &self.catalog
    }

    pub(super) fn session(&self) -> &'session Session {
        self.session
    }

    /// Whether a statement or a command failed.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether an error ended the script.
    pub(super) fn has_stopped(&self) -> bool {
        self.has_failed && self.settings.stops_at_error
    }

    /// The file that results go to gets its name.
    pub(super) fn close(&mut self) -> anyhow::Result<()> {
        let closed = self.output.close()?;
        self.report_closed(closed);
        Ok(())
    }

    /// Executes a script to its end, or to its first error.
    ///
    /// # Errors
    /// When it cannot be read, or its results cannot be written. Errors of statements are printed.
    pub(super) async fn script(&mut self, script: Script, depth: usize) -> anyhow::Result<Flow> {
        let source = Source::File { name: script.name.clone(), depth };
        let mut lines = Lines::new(script);
        let mut input = Input::default();
        while let Some(line) = lines.next().await? {
            match self.line(&mut input, &line, &source).await? {
                Flow::Failed if !self.settings.stops_at_error => {}
                Flow::Continue => {}
                ended => return Ok(ended),
            }
        }
        self.rest(&mut input, &source).await
    }

    /// Executes a text of the command line.
    ///
    /// # Errors
    /// See [`Executor::script`].
    pub(super) async fn text(&mut self, text: &str) -> anyhow::Result<Flow> {
        let mut input = Input::default();
        match self.lines(&mut input, text, &Source::Direct).await? {
            Flow::Continue => self.rest(&mut input, &Source::Direct).await,
            ended => Ok(ended),
        }
    }

    /// Executes the statement that the end of a text ends.
    async fn rest(&mut self, input: &mut Input, source: &Source) -> anyhow::Result<Flow> {
        match input.take() {
            Some(statement) => self.statement(statement, source, None, None).await,
            None => Ok(Flow::Continue),
        }
    }

    async fn lines(&mut self, input: &mut Input, text: &str, source: &Source) -> anyhow::Result<Flow> {
        for line in text.split_inclusive('\n') {
            match self.line(input, line, source).await? {
                Flow::Failed if !self.settings.stops_at_error => {}
                Flow::Continue => {}
                ended => return Ok(ended),
            }
        }
        Ok(Flow::Continue)
    }

    /// Executes what a line completes.
    ///
    /// # Errors
    /// See [`Executor::script`].
    pub(super) async fn line(&mut self, input: &mut Input, line: &str, source: &Source) -> anyhow::Result<Flow> {
        input.begin_line();
        let mut flow = Flow::Continue;
        let mut rest = line;
        while let Some(step) = input.next(&mut rest) {
            let stepped = match step {
                Step::Statement(statement) => self.statement(statement, source, None, None).await?,
                Step::Command(Ok(command), line) => self.command(command, line, input, source).await?,
                Step::Command(Err(error), line) => self.failed(&source.prefix(line), &error.to_string()),
            };
            match stepped {
                Flow::Continue => {}
                Flow::Failed if !self.settings.stops_at_error => flow = Flow::Failed,
                ended => return Ok(ended),
            }
        }
        Ok(flow)
    }

    /// Executes a statement; once with another layout, or into a file.
    async fn statement(
        &mut self,
        statement: Statement,
        source: &Source,
        expanded: Option<Expanded>,
        file: Option<&Path>,
    ) -> anyhow::Result<Flow> {
        let begun = Instant::now();
        let executed = self.execute(&statement.text, expanded.unwrap_or(self.settings.expanded), file).await;
        let prefix = source.prefix(statement.line);
        let flow = match executed {
            Ok(()) => Flow::Continue,
            Err(error) => self.error(error, &prefix, &statement.text)?,
        };
        self.last = Some(statement);
        if self.settings.is_timed {
            print(&duration_line(begun.elapsed()))?;
        }
        Ok(flow)
    }

    async fn execute(&mut self, statement: &str, expanded: Expanded, file: Option<&Path>) -> anyhow::Result<()> {
        let request =
            Request { statement: statement.to_owned(), purpose: self.settings.purpose.clone(), ..Request::default() };
        let result = {
            let _progress = self.session.bars.open_ended("planning", "");
            self.reader.query(request).await?
        };
        result.notices.iter().for_each(|notice| self.session.remark(&format!("notice: {notice}")));
        let Some(path) = file else {
            return self.output.rows(result, expanded, self.settings.is_shell).await;
        };
        let mut output = Output::new(self.output.format(), None);
        output.open(path)?;
        output.rows(result, expanded, false).await?;
        let closed = output.close()?;
        self.report_closed(closed);
        Ok(())
    }

    /// Prints the error of a statement. Other errors end a script, and not the shell.
    fn error(&mut self, error: anyhow::Error, prefix: &str, statement: &str) -> anyhow::Result<Flow> {
        if let Some(error) = error.chain().find_map(|cause| cause.downcast_ref::<QueryError>()) {
            self.has_failed = true;
            let text = statement_error(statement, error);
            self.session.remark(format!("{prefix}{text}").trim_end_matches('\n'));
            return Ok(Flow::Failed);
        }
        let is_broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
        };
        if !self.settings.is_shell || error.chain().any(is_broken_pipe) {
            return Err(error);
        }
        Ok(self.failed(prefix, &format!("{error:#}")))
    }

    fn failed(&mut self, prefix: &str, message: &str) -> Flow {
        self.has_failed = true;
        self.session.remark(&format!("{prefix}ERROR:  {}", printable(message)));
        Flow::Failed
    }

    async fn command(
        &mut self,
        command: Command,
        line: usize,
        input: &mut Input,
        source: &Source,
    ) -> anyhow::Result<Flow> {
        let prefix = source.prefix(line);
        let done = match command {
            Command::Quit => return Ok(Flow::Quit),
            Command::Go { is_expanded, file } => {
                let Some(statement) = input.take().or_else(|| self.last.clone()) else { return Ok(Flow::Continue) };
                let expanded = is_expanded.then_some(Expanded::On);
                return self.statement(statement, source, expanded, file.as_deref().map(Path::new)).await;
            }
            Command::Include(path) => {
                let depth = if let Source::File { depth, .. } = source { depth + 1 } else { 0 };
                if depth >= MAX_INCLUDED {
                    return Ok(
                        self.failed(&prefix, &format!("\\i: files include one another more than {MAX_INCLUDED} times"))
                    );
                }
                match Script::open(Path::new(&path)) {
                    Ok(script) => return Box::pin(self.script(script, depth)).await,
                    Err(error) => Err(error),
                }
            }
            Command::Edit => {
                let text =
                    if input.is_empty() { self.last.as_ref().map_or("", |last| &last.text) } else { input.text() };
                match edit(text) {
                    Ok(edited) => {
                        input.reset();
                        return Box::pin(self.lines(input, &edited, source)).await;
                    }
                    Err(error) => Err(error),
                }
            }
            Command::Describe { pattern: Some(pattern), is_verbose } => {
                return match self.describe(&pattern, is_verbose).await {
                    Ok(Some(text)) => self.write(&text, &prefix),
                    Ok(None) => {
                        let message = self.no_relation(&pattern).await;
                        Ok(self.failed(&prefix, &message))
                    }
                    Err(error) => self.error(error.into(), &prefix, ""),
                };
            }
            Command::Describe { .. } | Command::Relations { .. } | Command::Schemas { .. } => {
                let width = self.output.width();
                let text = match self.catalog.get().await {
                    Ok(catalog) => match &command {
                        Command::Relations { kind, pattern } => {
                            describe::relations(catalog, Some(*kind), pattern.as_deref(), width)
                        }
                        Command::Schemas { pattern } => describe::schemas(catalog, pattern.as_deref(), width),
                        _ => describe::relations(catalog, None, None, width),
                    },
                    Err(error) => return self.error(error.into(), &prefix, ""),
                };
                return self.write(&format!("{text}\n"), &prefix);
            }
            Command::Output(path) => self.redirect(path.map(PathBuf::from)),
            Command::Timing(value) => {
                self.settings.is_timed = value.unwrap_or(!self.settings.is_timed);
                self.say(&format!("Timing is {}.", on_off(self.settings.is_timed)))
            }
            Command::Expanded(value) => {
                let toggled = if self.settings.expanded == Expanded::On { Expanded::Off } else { Expanded::On };
                self.settings.expanded = value.unwrap_or(toggled);
                self.say(match self.settings.expanded {
                    Expanded::On => "Expanded display is on.",
                    Expanded::Off => "Expanded display is off.",
                    Expanded::Auto => "Expanded display is on for rows that do not fit into the terminal.",
                })
            }
            Command::Set(None) => {
                let purpose = self.settings.purpose.as_deref().unwrap_or_default();
                let stops = on_off(self.settings.stops_at_error);
                let [stop_name, purpose_name] = Variable::ALL.map(Variable::name);
                print(&format!("{stop_name} = '{stops}'\n{purpose_name} = {}\n", literal(purpose)))
            }
            Command::Set(Some((Variable::Purpose, purpose))) => {
                self.settings.purpose = Some(purpose).filter(|purpose| !purpose.is_empty());
                Ok(())
            }
            Command::Set(Some((Variable::OnErrorStop, value))) => {
                // Its value was checked with the command.
                self.settings.stops_at_error = value.is_empty() || switch("set", &value).unwrap_or(false);
                Ok(())
            }
            Command::Help => return self.write(help::COMMANDS, &prefix),
            Command::StatementHelp(name) => return self.write(&help::statements(name.as_deref()), &prefix),
            Command::Echo { text, ends_line } => print(&format!("{text}{}", if ends_line { "\n" } else { "" })),
            Command::Reset => {
                input.reset();
                self.say("The statement was reset.")
            }
            Command::Print if input.is_empty() => match &self.last {
                Some(last) => print(&format!("{}\n", last.text)),
                None => self.say("There is no statement."),
            },
            Command::Print => print(&format!("{}\n", input.text().trim_end())),
        };
        match done {
            Ok(()) => Ok(Flow::Continue),
            Err(error) => self.error(error, &prefix, ""),
        }
    }

    fn write(&mut self, text: &str, prefix: &str) -> anyhow::Result<Flow> {
        match self.output.text(text) {
            Ok(()) => Ok(Flow::Continue),
            Err(error) => self.error(error, prefix, ""),
        }
    }

    /// Confirms a command to a person.
    fn say(&self, text: &str) -> anyhow::Result<()> {
        if self.settings.is_shell { print(&format!("{text}\n")) } else { Ok(()) }
    }

    /// The columns of the relations that match; `None` if none does.
    async fn describe(&self, pattern: &str, is_verbose: bool) -> Result<Option<String>, QueryError> {
        let found: Vec<&Relation> = self.catalog.get().await?.matching(pattern);
        let mut text = String::new();
        for relation in &found {
            let name = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let statement = format!("SELECT * FROM {}.{}", name(&relation.schema), name(&relation.name));
            let columns = self.reader.describe(&statement).await?.schema;
            let view = match relation.kind {
                RelationKind::View if is_verbose => catalog::view_text(&self.reader, relation).await?,
                _ => None,
            };
            text.push_str(&describe::relation(relation, &columns, view.as_deref(), self.output.width()));
            text.push('\n');
        }
        Ok((!found.is_empty()).then_some(text))
    }

    async fn no_relation(&self, pattern: &str) -> String {
        let nearest = match self.catalog.get().await {
            Ok(catalog) => catalog.nearest(pattern),
            Err(_) => None,
        };
        match nearest {
            Some(name) => format!("there is no relation `{pattern}`; did you mean {name}?"),
            None => format!("there is no relation `{pattern}`; \\d lists all"),
        }
    }

    fn redirect(&mut self, path: Option<PathBuf>) -> anyhow::Result<()> {
        let closed = match path {
            Some(path) => self.output.open(&path)?,
            None => self.output.close()?,
        };
        self.report_closed(closed);
        Ok(())
    }

    /// As [`Executor::redirect`], before the first statement.
    pub(super) fn write_to(&mut self, path: PathBuf) -> anyhow::Result<()> {
        self.redirect(Some(path))
    }

    fn report_closed(&self, closed: Option<Closed>) {
        if let Some(Closed { path, rows }) = closed {
            let rows = counted(rows, "row", "rows");
            self.session.remark(&format!("Wrote {rows} to {}, not encrypted, readable only by you.", path.display()));
        }
    }
}

fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// `Time: 12.345 ms`; from a second on with minutes and seconds too.
fn duration_line(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    let seconds = duration.as_secs_f64();
    let minutes = duration.as_secs() / 60;
    match duration.as_secs() {
        0 => format!("Time: {milliseconds:.3} ms\n"),
        _ => format!("Time: {milliseconds:.3} ms ({minutes:02}:{:06.3})\n", seconds - (minutes * 60) as f64),
    }
}

/// The text as the user left it in an editor, in a file for the user only.
fn edit(text: &str) -> anyhow::Result<String> {
    let editor = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|command| !command.trim().is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let mut file =
        tempfile::Builder::new().prefix("holdfast-").suffix(".sql").tempfile().context("make a file to edit")?;
    writeln!(file, "{}", text.trim_end()).and_then(|()| file.flush()).context("write the file to edit")?;
    // The command may have arguments.
    let status = Process::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file.path()).status();
    let status = status.with_context(|| format!("start the editor `{editor}`"))?;
    if !status.success() {
        bail!("the editor `{editor}` failed: {status}");
    }
    std::fs::read_to_string(file.path()).context("read the file that was edited")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_milliseconds_and_from_a_second_on_in_minutes_too() {
        assert_eq!(duration_line(Duration::from_micros(12_345)), "Time: 12.345 ms\n");
        assert_eq!(duration_line(Duration::from_millis(61_500)), "Time: 61500.000 ms (01:01.500)\n");
    }

    #[test]
    fn errors_of_files_name_file_and_line() {
        let file = Source::File { name: "a.sql".to_owned(), depth: 0 };
        assert_eq!(file.prefix(3), "holdfast:a.sql:3: ");
        assert_eq!(Source::Direct.prefix(3), "");
    }
}
