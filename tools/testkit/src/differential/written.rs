//! The statements that people and programs write: the files in `statements/`.
//!
//! ```text
//! -- Who writes it, or what it is for: of this statement and those after it, up to the next comment.
//! -- $1 bigint = 10        a parameter with the type that the program names; without a type, it names none
//! SELECT ... ;             ends with a semicolon at the end of a line
//! ```

use super::kind::Kind;
use super::statement::{Origin, Parameter, Statement};

const FILES: [(&str, &str); 16] = [
    ("archive.sql", include_str!("statements/archive.sql")),
    ("sessions.sql", include_str!("statements/sessions.sql")),
    ("tickets.sql", include_str!("statements/tickets.sql")),
    ("analysis.sql", include_str!("statements/analysis.sql")),
    ("reporting.sql", include_str!("statements/reporting.sql")),
    ("reports.sql", include_str!("statements/reports.sql")),
    ("structure.sql", include_str!("statements/structure.sql")),
    ("constants.sql", include_str!("statements/constants.sql")),
    ("types.sql", include_str!("statements/types.sql")),
    ("values.sql", include_str!("statements/values.sql")),
    ("dashboards.sql", include_str!("statements/dashboards.sql")),
    ("workbooks.sql", include_str!("statements/workbooks.sql")),
    ("ordered.sql", include_str!("statements/ordered.sql")),
    ("collected.sql", include_str!("statements/collected.sql")),
    ("tools.sql", include_str!("statements/tools.sql")),
    ("frameworks.sql", include_str!("statements/frameworks.sql")),
];

/// Every statement of the files.
///
/// # Errors
///
/// The file and the line that cannot be read.
pub fn statements() -> Result<Vec<Statement>, String> {
    let mut all = Vec::new();
    for (file, text) in FILES {
        read(file, text, &mut all)?;
    }
    Ok(all)
}

fn read(file: &'static str, text: &str, all: &mut Vec<Statement>) -> Result<(), String> {
    let (mut sql, mut parameters, mut is_said, mut first) = (String::new(), Vec::new(), false, 0);
    for (number, line) in text.lines().enumerate() {
        let wrong = |why: &str| format!("{file}:{}: {why}", number + 1);
        if sql.is_empty() {
            if let Some(comment) = line.strip_prefix("-- ") {
                if comment.starts_with('$') {
                    parameters.push(parameter(comment).ok_or_else(|| wrong("it is no parameter"))?);
                } else {
                    is_said = true;
                }
                continue;
            }
            if line.trim().is_empty() {
                continue;
            }
            first = number + 1;
        }
        if !sql.is_empty() {
            sql.push('\n');
        }
        sql.push_str(line);
        if let Some(statement) = sql.strip_suffix(';') {
            if !is_said {
                return Err(wrong("no comment says who writes it"));
            }
            let origin = Origin::Written { file, line: first };
            all.push(Statement { sql: statement.to_owned(), parameters: std::mem::take(&mut parameters), origin });
            sql.clear();
        }
    }
    if sql.is_empty() { Ok(()) } else { Err(format!("{file}:{first}: the statement has no end")) }
}

/// `$1 bigint = 10`, or `$1 = 10` without a type, or NULL.
fn parameter(text: &str) -> Option<Parameter> {
    let (head, value) = text.split_once(" = ")?;
    let oid = match head.split_once(' ') {
        Some((_, name)) => Kind::ALL.into_iter().find(|kind| kind.name() == name)?.oid(),
        None => 0,
    };
    Some(Parameter { oid, value: (value != "NULL").then(|| value.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_enough_of_people_and_of_programs() {
        let all = statements().unwrap();
        let of = |files: &[&str]| {
            let is_of = |statement: &&Statement| matches!(&statement.origin, Origin::Written { file, .. } if files.contains(file));
            all.iter().filter(is_of).count()
        };
        let people = of(&["archive.sql", "sessions.sql", "tickets.sql", "analysis.sql", "types.sql"]);
        let programs = of(&["dashboards.sql", "workbooks.sql", "tools.sql", "frameworks.sql"]);
        assert!(people >= 250 && programs >= 150, "{people} of people, {programs} of programs");
    }

    #[test]
    fn parameters_are_read() {
        assert_eq!(parameter("$1 bigint = 10"), Some(Parameter { oid: 20, value: Some("10".to_owned()) }));
        assert_eq!(parameter("$2 = NULL"), Some(Parameter { oid: 0, value: None }));
        assert_eq!(parameter("$2 nothing = 1"), None);
    }
}
