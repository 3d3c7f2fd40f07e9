//! The commands of the shell, which begin with a backslash: their names and arguments.
//!
//! A command ends with its line, at `\\`, after which SQL goes on, or where the next command begins.

use super::lexer::is_word;
use crate::render::table::Expanded;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `\d [NAME]`: all relations, or the columns of those that match; with `+` also the texts of views.
    Describe { pattern: Option<String>, is_verbose: bool },
    /// `\dt`, `\dv`
    Relations { kind: RelationKind, pattern: Option<String> },
    /// `\dn`
    Schemas { pattern: Option<String> },
    /// `\timing`; without a value it is toggled.
    Timing(Option<bool>),
    /// `\x`; without a value it is toggled.
    Expanded(Option<Expanded>),
    /// `\?`
    Help,
    /// `\h [NAME]`
    StatementHelp(Option<String>),
    /// `\q`
    Quit,
    /// `\i FILE`
    Include(String),
    /// `\o [FILE]`
    Output(Option<String>),
    /// `\e`
    Edit,
    /// `\echo TEXT`
    Echo { text: String, ends_line: bool },
    /// `\set [NAME [VALUE]]`
    Set(Option<(Variable, String)>),
    /// `\r`
    Reset,
    /// `\p`
    Print,
    /// `\g`, `\gx`
    Go { is_expanded: bool, file: Option<String> },
}

/// What `\dt` and `\dv` list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelationKind {
    Table,
    View,
}

/// What `\set` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    /// Whether a script ends at its first error.
    OnErrorStop,
    /// The purpose of the accesses that follow.
    Purpose,
}

impl Variable {
    pub(super) const ALL: [Self; 2] = [Self::OnErrorStop, Self::Purpose];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OnErrorStop => "ON_ERROR_STOP",
            Self::Purpose => "PURPOSE",
        }
    }
}

/// Why a command is not executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    #[error("invalid command \\{name}; {}", nearest_or_help(.nearest))]
    Unknown { name: String, nearest: Option<&'static str> },
    #[error("\\{command}: an argument is missing: {expected}")]
    Missing { command: &'static str, expected: &'static str },
    #[error("\\{command}: `{argument}` is not understood; it takes {expected}")]
    Argument { command: &'static str, argument: String, expected: &'static str },
    #[error("\\{command}: `{argument}` is one argument too many")]
    TooMany { command: String, argument: String },
    #[error("\\set: there is no variable `{name}`; there are {}", variables())]
    Variable { name: String },
    #[error("\\{command}: the quote is not closed")]
    Quote { command: String },
}

/// The names of all commands.
pub(super) const NAMES: [&str; 22] = [
    "?", "d", "d+", "dn", "dt", "dv", "e", "echo", "edit", "g", "gx", "h", "help", "i", "include", "o", "p", "q", "r",
    "set", "timing", "x",
];

/// The command at the beginning of `text`, which follows a backslash, and the bytes that it takes. A command that is not
/// understood takes the line.
pub(super) fn parse(text: &str) -> (Result<Command, CommandError>, usize) {
    let line = &text[..text.find('\n').unwrap_or(text.len())];
    let end = line.find(|letter: char| letter.is_whitespace() || letter == '\\').unwrap_or(line.len());
    let name = line[..end].trim_end_matches(';');
    let parsed = match arguments(&line[end..]) {
        Some((arguments, taken)) => command(name, arguments).map(|command| (command, end + taken)),
        None => Err(CommandError::Quote { command: name.to_owned() }),
    };
    match parsed {
        Ok((command, taken)) => (Ok(command), taken),
        Err(error) => (Err(error), line.len()),
    }
}

fn command(name: &str, arguments: Vec<String>) -> Result<Command, CommandError> {
    let mut given = arguments.clone().into_iter();
    let joined = || arguments.join(" ");
    let command = match name {
        "d" | "d+" => Command::Describe { pattern: given.next().and_then(pattern), is_verbose: name == "d+" },
        "dt" => Command::Relations { kind: RelationKind::Table, pattern: given.next().and_then(pattern) },
        "dv" => Command::Relations { kind: RelationKind::View, pattern: given.next().and_then(pattern) },
        "dn" => Command::Schemas { pattern: given.next().and_then(pattern) },
        "timing" => Command::Timing(given.next().map(|word| switch("timing", &word)).transpose()?),
        "x" => Command::Expanded(given.next().map(|word| expanded(&word)).transpose()?),
        "?" => Command::Help,
        "h" | "help" => return Ok(Command::StatementHelp(Some(joined()).and_then(pattern))),
        "q" | "quit" => Command::Quit,
        "i" | "include" => Command::Include(
            given.next().ok_or(CommandError::Missing { command: "i", expected: "the name of a file" })?,
        ),
        "o" => Command::Output(given.next()),
        "e" | "edit" => Command::Edit,
        "echo" => return Ok(echo(&arguments)),
        "set" => return set(given),
        "r" | "reset" => Command::Reset,
        "p" | "print" => Command::Print,
        "g" | "gx" => Command::Go { is_expanded: name == "gx", file: given.next() },
        _ => return Err(CommandError::Unknown { name: name.to_owned(), nearest: nearest(name) }),
    };
    let file = match &command {
        Command::Output(file) | Command::Go { file, .. } => file.as_deref(),
        _ => None,
    };
    if let Some(argument) = file.filter(|file| file.starts_with('|')) {
        let command = if name == "o" { "o" } else { "g" };
        return Err(CommandError::Argument { command, argument: argument.to_owned(), expected: "the name of a file" });
    }
    match given.next() {
        Some(argument) => Err(CommandError::TooMany { command: name.to_owned(), argument }),
        None => Ok(command),
    }
}

fn echo(arguments: &[String]) -> Command {
    match arguments {
        [first, rest @ ..] if first == "-n" => Command::Echo { text: rest.join(" "), ends_line: false },
        all => Command::Echo { text: all.join(" "), ends_line: true },
    }
}

fn set(mut given: impl Iterator<Item = String>) -> Result<Command, CommandError> {
    let Some(name) = given.next() else { return Ok(Command::Set(None)) };
    let variable = Variable::ALL.into_iter().find(|variable| variable.name().eq_ignore_ascii_case(&name));
    let variable = variable.ok_or(CommandError::Variable { name })?;
    let value = given.collect::<Vec<_>>().join(" ");
    if variable == Variable::OnErrorStop && !value.is_empty() {
        switch("set", &value)?;
    }
    Ok(Command::Set(Some((variable, value))))
}

/// The value of a switch.
pub(super) fn switch(command: &'static str, word: &str) -> Result<bool, CommandError> {
    match word.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(CommandError::Argument { command, argument: word.to_owned(), expected: "on or off" }),
    }
}

fn expanded(word: &str) -> Result<Expanded, CommandError> {
    if word.eq_ignore_ascii_case("auto") {
        return Ok(Expanded::Auto);
    }
    match switch("x", word) {
        Ok(is_on) => Ok(if is_on { Expanded::On } else { Expanded::Off }),
        Err(_) => Err(CommandError::Argument { command: "x", argument: word.to_owned(), expected: "on, off or auto" }),
    }
}

/// An argument without the semicolons at its end, which are typed from habit.
fn pattern(argument: String) -> Option<String> {
    let text = argument.trim_end_matches(';').trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The arguments in `text`, and the bytes that they take with what ends the command. `None` if a quote is not closed.
fn arguments(text: &str) -> Option<(Vec<String>, usize)> {
    let mut arguments = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                arguments.extend(word);
                let separator = if letters.peek().is_some_and(|(_, next)| *next == '\\') { 2 } else { 0 };
                return Some((arguments, at + separator));
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()?.1 {
                        '\'' if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                            letters.next();
                            word.push('\'');
                        }
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            letter if letter.is_whitespace() => arguments.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    arguments.extend(word);
    Some((arguments, text.len()))
}

/// The command whose name is most like `name`.
fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |known: &&str| strsim::damerau_levenshtein(known, name);
    let most = match name.chars().count() {
        0 | 1 => 0,
        2 | 3 => 1,
        _ => 2,
    };
    NAMES
        .into_iter()
        .filter(|known| known.starts_with(is_word))
        .min_by_key(likeness)
        .filter(|known| likeness(known) <= most)
}

fn nearest_or_help(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(name) => format!("did you mean \\{name}? \\? lists all"),
        None => "\\? lists all".to_owned(),
    }
}

fn variables() -> String {
    Variable::ALL.map(Variable::name).join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Command {
        let (command, taken) = parse(text);
        assert_eq!(taken, text.len(), "{text}");
        command.unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn names_and_arguments_are_understood() {
        let text = |text: &str| Some(text.to_owned());
        for (given, expected) in [
            ("d", Command::Describe { pattern: None, is_verbose: false }),
            ("d events;", Command::Describe { pattern: text("events"), is_verbose: false }),
            ("d+ archive.*", Command::Describe { pattern: text("archive.*"), is_verbose: true }),
            ("dt", Command::Relations { kind: RelationKind::Table, pattern: None }),
            ("dv s*", Command::Relations { kind: RelationKind::View, pattern: text("s*") }),
            ("timing", Command::Timing(None)),
            ("timing ON", Command::Timing(Some(true))),
            ("x auto", Command::Expanded(Some(Expanded::Auto))),
            ("q;", Command::Quit),
            ("i 'a b''c.sql'", Command::Include("a b'c.sql".to_owned())),
            ("o", Command::Output(None)),
            ("echo a  'b  c'", Command::Echo { text: "a b  c".to_owned(), ends_line: true }),
            ("echo -n a", Command::Echo { text: "a".to_owned(), ends_line: false }),
            ("set purpose audit of 2026", Command::Set(Some((Variable::Purpose, "audit of 2026".to_owned())))),
            ("set ON_ERROR_STOP", Command::Set(Some((Variable::OnErrorStop, String::new())))),
            ("set", Command::Set(None)),
            ("h select", Command::StatementHelp(text("select"))),
            ("gx", Command::Go { is_expanded: true, file: None }),
            ("g f.txt", Command::Go { is_expanded: false, file: text("f.txt") }),
        ] {
            assert_eq!(parsed(given), expected, "{given}");
        }
    }

    #[test]
    fn a_command_ends_with_its_line_or_where_the_next_begins() {
        for (text, taken) in [("x\nselect", 1), ("x on\\\\ select 1", 6), ("x \\timing", 2), ("x\\timing", 1)] {
            assert_eq!(parse(text).1, taken, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, expected) in [
            ("timng on", "invalid command \\timng; did you mean \\timing? \\? lists all"),
            ("zzzzzz", "invalid command \\zzzzzz; \\? lists all"),
            ("", "invalid command \\; \\? lists all"),
            ("timing maybe", "\\timing: `maybe` is not understood; it takes on or off"),
            ("x maybe", "\\x: `maybe` is not understood; it takes on, off or auto"),
            ("dn a b", "\\dn: `b` is one argument too many"),
            ("i", "\\i: an argument is missing: the name of a file"),
            ("i 'a", "\\i: the quote is not closed"),
            ("o |cat", "\\o: `|cat` is not understood; it takes the name of a file"),
            ("set VERBOSITY x", "\\set: there is no variable `VERBOSITY`; there are ON_ERROR_STOP and PURPOSE"),
            ("set ON_ERROR_STOP maybe", "\\set: `maybe` is not understood; it takes on or off"),
        ] {
            let (command, taken) = parse(text);
            assert_eq!((command.unwrap_err().to_string(), taken), (expected.to_owned(), text.len()), "{text}");
        }
    }

    #[test]
    fn every_name_is_a_command() {
        for name in NAMES {
            let unknown = matches!(parse(name).0, Err(CommandError::Unknown { .. }));
            assert!(!unknown, "{name}");
        }
    }
}
