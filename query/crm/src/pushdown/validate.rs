//! The validation of a statement before it is sent to the CRM: it is one query, and every quoted name in it ends where it
//! should.

use crate::error::CrmError;

/// The greatest length of a name that no CRM truncates: PostgreSQL truncates longer ones.
const MAX_NAME_BYTES: usize = 63;

/// Refuses names that a database could truncate.
pub(crate) fn check_names(sql: &str, quote: char) -> Result<(), CrmError> {
    let mut rest = sql;
    // String literals are skipped: a quotation mark in one starts no name.
    while let Some(start) = rest.find(['\'', quote]) {
        let mark = if rest[start..].starts_with('\'') { '\'' } else { quote };
        let after = &rest[start + 1..];
        let end = after.find(mark).unwrap_or(after.len());
        if mark == quote && end > MAX_NAME_BYTES {
            return Err(CrmError::Unsendable { reason: "a name is too long for some databases".to_owned() });
        }
        rest = after.get(end + 1..).unwrap_or_default();
    }
    Ok(())
}

/// Parses `sql` as the CRM does: string literals in single quotes with doubled quotes for a quote and no other escapes (each
/// session is configured so; where none can be, no literal is sent), names in `quote` likewise. Refuses what is not one `SELECT`,
/// and names in which a quotation mark follows a backslash: the engine's unparser does not double such a mark, so the name would
/// end there.
pub(crate) fn check_statement(sql: &str, quote: char) -> Result<(), CrmError> {
    let refuse = |reason: &str| Err(CrmError::Unsendable { reason: reason.to_owned() });
    let first = sql.split_whitespace().next().unwrap_or_default();
    if !["SELECT", "WITH"].contains(&first.to_ascii_uppercase().as_str()) {
        return refuse("it is not a query");
    }
    if sql.contains('\0') {
        return refuse("it contains a NUL character");
    }
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => loop {
                match characters.next() {
                    Some('\'') if characters.next_if_eq(&'\'').is_some() => {}
                    Some('\'') => break,
                    Some(_) => {}
                    None => return refuse("a string literal is not closed"),
                }
            },
            mark if mark == quote => {
                let mut previous = mark;
                loop {
                    match characters.next() {
                        Some(next) if next == quote => {
                            if previous == '\\' {
                                return refuse("a name has a quotation mark after a backslash");
                            }
                            if characters.next_if_eq(&quote).is_none() {
                                break;
                            }
                            previous = quote;
                        }
                        Some(next) => previous = next,
                        None => return refuse("a name is not closed"),
                    }
                }
            }
            ';' => return refuse("it has more than one statement"),
            '-' if characters.peek() == Some(&'-') => return refuse("it contains a comment"),
            '/' if characters.peek() == Some(&'*') => return refuse("it contains a comment"),
            '#' | '\\' | '`' | '"' => return refuse("it contains an unexpected character"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_pass() {
        for sql in [
            "SELECT \"a\" FROM \"b\"",
            "SELECT \"a\"\"b\" FROM \"c\" WHERE (\"d\" = 'it''s; -- \\')",
            "SELECT count(1) AS \"x = Utf8(\"\"y\"\")\" FROM \"b\"",
        ] {
            check_statement(sql, '"').unwrap();
        }
        check_statement("SELECT `a` FROM `b` WHERE (`c` = '\"#')", '`').unwrap();
    }

    #[test]
    fn long_literals_pass_and_long_names_do_not() {
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        check_names(&format!("SELECT \"a\" FROM \"b\" WHERE (\"c\" = '\"{long}''\"{long}')"), '"').unwrap();
        assert!(check_names(&format!("SELECT 'a''\"' AS \"{long}\""), '"').is_err());
    }

    #[test]
    fn a_statement_that_could_be_more_than_one_query_is_refused() {
        for sql in [
            "DELETE FROM \"a\"",
            "SELECT 1; DELETE FROM \"a\"",
            "SELECT 1 -- and the rest",
            "SELECT 1 /* and the rest",
            "SELECT \"a\\\" FROM x\"",
            "SELECT \"a\\\"\" FROM x",
            "SELECT 'open",
            "SELECT \"open",
            "SELECT `a` FROM \"b\"",
            "SELECT 'a\0b'",
        ] {
            assert!(check_statement(sql, '"').is_err(), "{sql}");
        }
    }
}
