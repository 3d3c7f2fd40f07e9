//! What a run found: counts, refusals by kind with their rates, and differences by kind.

use super::client::{Answer, Refusal};
use super::compare::{Aspect, Outcome};
use super::deliberate::Deliberate;
use super::kind::type_name;
use super::statement::{Origin, Statement};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Characters of a cell, of a statement and of a message that are shown.
const SHOWN: usize = 400;
/// Rows of an answer that are shown.
const SHOWN_ROWS: usize = 6;

/// A difference, reduced.
#[derive(Debug)]
pub struct Difference {
    /// What differs.
    pub aspect: Aspect,
    /// The kind of the smallest statement.
    pub kind: String,
    /// The smallest statement.
    pub statement: Statement,
    /// The statement that was executed first.
    pub original: Statement,
    /// PostgreSQL's answer to the smallest.
    pub theirs: Answer,
    /// Holdfast's answer to it.
    pub ours: Answer,
}

/// Statements of one kind.
#[derive(Debug, Default)]
pub struct Group {
    /// Generated ones.
    pub generated: usize,
    /// Written ones.
    pub written: usize,
    /// The shortest of them.
    pub example: Option<Statement>,
}

impl Group {
    fn add(&mut self, statement: &Statement) {
        match statement.origin {
            Origin::Written { .. } => self.written += 1,
            _ => self.generated += 1,
        }
        if self.example.as_ref().is_none_or(|example| statement.sql.len() < example.sql.len()) {
            self.example = Some(statement.clone());
        }
    }

    fn all(&self) -> usize {
        self.generated + self.written
    }
}

/// How many statements had which outcome.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// All.
    pub all: usize,
    /// Both answer the same.
    pub same: usize,
    /// Both refuse.
    pub both_refuse: usize,
    /// Holdfast says that it does not have something.
    pub refused: usize,
    /// PostgreSQL refuses and Holdfast answers.
    pub lenient: usize,
    /// The answers differ, deliberate ones among them.
    pub different: usize,
    /// Nothing can be compared.
    pub indeterminate: usize,
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// Of generated statements.
    pub generated: Counts,
    /// Of written ones.
    pub written: Counts,
    /// By SQLSTATE and message.
    pub refused: BTreeMap<(String, String), Group>,
    /// By PostgreSQL's SQLSTATE and message.
    pub lenient: BTreeMap<(String, String), Group>,
    /// By the sentence of docs/postgres.md.
    pub deliberate: BTreeMap<&'static str, Group>,
    /// Every difference that is not deliberate.
    pub differences: Vec<Difference>,
}

impl Report {
    pub(super) fn count(&mut self, statement: &Statement, outcome: &Outcome) {
        let counts = match statement.origin {
            Origin::Written { .. } => &mut self.written,
            _ => &mut self.generated,
        };
        counts.all += 1;
        match outcome {
            Outcome::Same => counts.same += 1,
            Outcome::BothRefuse => counts.both_refuse += 1,
            Outcome::Indeterminate => counts.indeterminate += 1,
            Outcome::Difference(_) => counts.different += 1,
            Outcome::Refused(refusal) => {
                counts.refused += 1;
                self.refused.entry(key(refusal)).or_default().add(statement);
            }
            Outcome::Lenient(refusal) => {
                counts.lenient += 1;
                self.lenient.entry(key(refusal)).or_default().add(statement);
            }
        }
    }

    pub(super) fn deliberate(&mut self, statement: &Statement, deliberate: &'static Deliberate) {
        self.deliberate.entry(deliberate.says).or_default().add(statement);
    }

    pub(super) fn difference(&mut self, difference: Difference) {
        self.differences.push(difference);
    }

    /// Differences that give a client a wrong answer without an error.
    pub fn silent(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.aspect.is_silent())
    }

    /// The differences by aspect and kind, those with most statements first.
    #[must_use]
    pub fn groups(&self) -> Vec<Vec<&Difference>> {
        let mut groups: BTreeMap<(&Aspect, &str), Vec<&Difference>> = BTreeMap::new();
        for difference in &self.differences {
            groups.entry((&difference.aspect, &difference.kind)).or_default().push(difference);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        for group in &mut groups {
            group.sort_by_key(|difference| difference.statement.sql.len());
        }
        groups.sort_by_key(|group| (!group[0].aspect.is_silent(), usize::MAX - group.len()));
        groups
    }

    /// The counts and the refusals by kind, in few lines.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let _ = self.write_counts(&mut text);
        let _ = write_groups(&mut text, "Refused", &self.refused);
        text
    }

    fn write_counts(&self, f: &mut impl Write) -> fmt::Result {
        writeln!(f, "| statements | all | same | both refuse | refused | lenient | different | not comparable |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for (name, counts) in [("generated", &self.generated), ("written", &self.written)] {
            let Counts { all, same, both_refuse, refused, lenient, different, indeterminate } = counts;
            writeln!(
                f,
                "| {name} | {all} | {same} | {both_refuse} | {refused} ({}) | {lenient} | {different} | {indeterminate} |",
                rate(*refused, *all)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Holdfast beside PostgreSQL\n")?;
        self.write_counts(f)?;
        let groups = self.groups();
        writeln!(f, "\n## Differences by kind ({} kinds, {} statements)\n", groups.len(), self.differences.len())?;
        writeln!(f, "| statements | of them written | what differs | kind |\n|---|---|---|---|")?;
        for group in &groups {
            let written = group.iter().filter(|one| matches!(one.original.origin, Origin::Written { .. })).count();
            writeln!(f, "| {} | {written} | {} | {} |", group.len(), group[0].aspect, cell(&group[0].kind))?;
        }
        for group in &groups {
            writeln!(f, "\n### {}: {} ({})\n", group[0].aspect, group[0].kind, group.len())?;
            for difference in group.iter().take(2) {
                write!(f, "{difference}")?;
            }
        }
        writeln!(f, "\n## Deliberate differences\n")?;
        for (says, group) in &self.deliberate {
            writeln!(f, "- {says}: {}", group.all())?;
        }
        write_groups(f, "Refused", &self.refused)?;
        write_groups(f, "Lenient: PostgreSQL refuses", &self.lenient)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", shown(&self.statement.to_string()))?;
        writeln!(f, "    differs in {} (from {})", self.aspect, self.original.origin)?;
        writeln!(f, "    PostgreSQL: {}", answer(&self.theirs))?;
        writeln!(f, "    Holdfast:   {}", answer(&self.ours))
    }
}

fn write_groups(f: &mut impl Write, title: &str, groups: &BTreeMap<(String, String), Group>) -> fmt::Result {
    writeln!(
        f,
        "\n## {title} ({} kinds)\n\n| generated | written | code | message | example |\n|---|---|---|---|---|",
        groups.len()
    )?;
    let mut sorted: Vec<_> = groups.iter().collect();
    sorted.sort_by_key(|(_, group)| usize::MAX - group.all());
    for ((code, message), group) in sorted {
        let example = group.example.as_ref().map(|example| cell(&shown(&example.to_string()))).unwrap_or_default();
        writeln!(f, "| {} | {} | {code} | {} | `{example}` |", group.generated, group.written, cell(message))?;
    }
    Ok(())
}

fn rate(part: usize, all: usize) -> String {
    format!("{:.2} %", 100.0 * part as f64 / all.max(1) as f64)
}

/// A refusal's code and its message without the constants in it. Names in quotes stay: they say what is missing.
fn key(refusal: &Refusal) -> (String, String) {
    let line = refusal.message.lines().next().unwrap_or_default();
    let mut text = String::new();
    for (number, part) in line.split('\'').enumerate() {
        let is_quoted = number % 2 == 1;
        if is_quoted {
            text.push_str(if is_name(part) { part } else { "'…'" });
        } else {
            text.push_str(&without_numbers(part));
        }
    }
    (refusal.code.clone(), text.chars().take(140).collect())
}

/// Whether a quoted text is the name of a function, a type or a rule.
fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() > 2 && text.bytes().all(is_letter) && text.starts_with(|first: char| first.is_ascii_lowercase())
}

/// With `#` for each number that stands alone.
fn without_numbers(text: &str) -> String {
    let mut without = String::new();
    for letter in text.chars() {
        let follows_word = without.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '_');
        match letter {
            '0'..='9' if without.ends_with('#') => {}
            '0'..='9' if !follows_word => without.push('#'),
            letter => without.push(letter),
        }
    }
    without
}

fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start}… ({} bytes)", text.len())
}

/// Fit for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// An answer in few lines.
#[must_use]
pub fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Lost(why) => format!("no answer: {why}"),
        Answer::Refused(refusal) => format!("{} {}", refusal.code, shown(&refusal.message)),
        Answer::Rows { parameters, columns, rows } => {
            let columns: Vec<String> =
                columns.iter().map(|column| format!("{} {}", column.name, type_name(column.oid))).collect();
            let row = |row: &Vec<Option<String>>| {
                let cells =
                    row.iter().map(|cell| cell.as_ref().map_or("NULL".to_owned(), |cell| format!("{:?}", shown(cell))));
                format!("({})", cells.collect::<Vec<_>>().join(", "))
            };
            let shown_rows: Vec<String> = rows.iter().take(SHOWN_ROWS).map(row).collect();
            let rest = if rows.len() > SHOWN_ROWS { format!(" … {} rows", rows.len()) } else { String::new() };
            let given: Vec<String> = parameters.iter().map(|oid| type_name(*oid)).collect();
            let given = if given.is_empty() { String::new() } else { format!(" of ({})", given.join(", ")) };
            format!("[{}]{given} {}{rest}", columns.join(", "), shown_rows.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_with_other_constants_are_of_one_kind() {
        let of = |message: &str| key(&Refusal { code: "0A000".to_owned(), message: message.to_owned() });
        assert_eq!(of("no function f2('A', 17)"), of("no function f2('it is', 4)"));
        assert_ne!(of("no function 'age'"), of("no function 'justify_days'"));
        assert_ne!(of("no function f2(1)"), of("no function f3(1)"));
    }
}
