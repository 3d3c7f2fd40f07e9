//! What `\?` and `\h` print.

/// The commands of the shell.
pub(super) const COMMANDS: &str = r"Statements end with a semicolon, and may take several lines. Ctrl-C empties the line or cancels
the statement that executes, Ctrl-D ends, TAB completes names.

  \d                   tables and views
  \d[+] NAME           columns of a table or view; with + the text of a view
  \dt, \dv, \dn [NAME] tables, views, schemas; in a NAME * is any text and ? any letter

  \g [FILE]            execute the statement, or the last one again; write its result to a file
  \gx                  the same, one line a value
  \p                   print the statement so far
  \r                   forget the statement so far
  \e                   edit the statement, or the last one, with $VISUAL or $EDITOR
  \i FILE              execute the statements of a file
  \o [FILE]            write results to a file; without a name, to the terminal
  \echo [-n] TEXT      print a text
  \x [on|off|auto]     one line a value; auto: when the columns do not fit into the terminal
  \timing [on|off]     print how long each statement takes
  \set [NAME VALUE]    PURPOSE: the purpose in the records of the accesses that follow
                       ON_ERROR_STOP: on, off: whether a file ends at its first error
  \h [STATEMENT]       the statements of SQL
  \q                   end, as quit and exit do
";

/// The statements: what `\h` calls them, what they do, and how they are written.
const STATEMENTS: [(&str, &str, &str); 7] = [
    (
        "SELECT",
        "rows of tables and views",
        "[WITH [RECURSIVE] name AS (query) [, ...]]\n\
         SELECT [ALL | DISTINCT [ON (expression [, ...])]] expression [[AS] name] [, ...]\n\
         \x20 [FROM relation [[AS] alias] [, ...] [join ...]]\n\
         \x20 [WHERE condition] [GROUP BY expression [, ...]] [HAVING condition] [QUALIFY condition]\n\
         \x20 [{UNION | INTERSECT | EXCEPT} [ALL] query]\n\
         \x20 [ORDER BY expression [ASC | DESC] [NULLS {FIRST | LAST}] [, ...]]\n\
         \x20 [LIMIT count] [OFFSET start]",
    ),
    ("VALUES", "rows that the statement gives", "VALUES (expression [, ...]) [, ...]"),
    ("EXPLAIN", "the plan of a query", "EXPLAIN [ANALYZE] [VERBOSE] query"),
    ("DESCRIBE", "the columns of a relation", "DESCRIBE relation"),
    ("SHOW TABLES", "all tables and views", "SHOW TABLES"),
    ("SHOW COLUMNS", "the columns of a relation", "SHOW COLUMNS FROM relation"),
    ("SHOW FUNCTIONS", "the functions", "SHOW FUNCTIONS [LIKE 'pattern']"),
];

/// The statements, or those that begin with `name`.
pub(super) fn statements(name: Option<&str>) -> String {
    let Some(name) = name else {
        let mut text = "The archive is read-only. Its statements, of which \\h NAME shows more:\n".to_owned();
        text.extend(STATEMENTS.map(|(name, what, _)| format!("  {name:14}  {what}\n")));
        return text;
    };
    let begins = |known: &str| known.to_lowercase().starts_with(&name.to_lowercase());
    let found: String = STATEMENTS
        .iter()
        .filter(|(known, _, _)| {
            begins(known) || known.eq_ignore_ascii_case("SELECT") && name.eq_ignore_ascii_case("WITH")
        })
        .map(|(known, what, syntax)| format!("{known}: {what}\n{syntax}\n"))
        .collect();
    if found.is_empty() { format!("There is no help for `{name}`; \\h lists the statements.\n") } else { found }
}

#[cfg(test)]
mod tests {
    use super::super::command::{self, NAMES};
    use super::*;

    #[test]
    fn every_command_has_help() {
        for name in NAMES {
            let alias = ["?", "edit", "help", "include"].contains(&name);
            let is_named = COMMANDS.contains(&format!("\\{}", name.trim_end_matches('+')));
            assert!(alias || is_named, "{name}");
        }
        for word in COMMANDS.split_whitespace().filter_map(|word| word.strip_prefix('\\')) {
            let name = word.trim_end_matches(',').replace("[+]", "");
            let unknown = matches!(command::parse(&name).0, Err(command::CommandError::Unknown { .. }));
            assert!(!unknown, "{word}");
        }
    }

    #[test]
    fn statements_are_found_by_the_beginning_of_their_names() {
        assert!(statements(None).contains("EXPLAIN"));
        assert!(statements(Some("sel")).starts_with("SELECT: "));
        assert!(statements(Some("with")).starts_with("SELECT: "));
        assert_eq!(statements(Some("show")).matches("SHOW TABLES:").count(), 1);
        assert!(statements(Some("drop")).contains("no help for `drop`"));
    }
}
