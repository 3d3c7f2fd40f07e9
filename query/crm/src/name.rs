//! Parses the name of a table in the CRM, as written in the configuration.

use crate::error::CrmError;
use datafusion::common::TableReference;

/// Points separate the parts. A part in double quotes may contain points, and a doubled quote for a quote. The case of letters
/// is preserved: statements quote the name.
pub(crate) fn parse(table: &str, text: &str) -> Result<TableReference, CrmError> {
    let wrong = |reason: &str| CrmError::Settings {
        setting: format!("table {table:?}, from = {text:?}"),
        reason: reason.to_owned(),
    };
    let mut parts = Vec::new();
    let mut characters = text.trim().chars().peekable();
    loop {
        let mut part = String::new();
        if characters.next_if_eq(&'"').is_some() {
            loop {
                match characters.next() {
                    Some('"') if characters.next_if_eq(&'"').is_some() => part.push('"'),
                    Some('"') => break,
                    Some(other) => part.push(other),
                    None => return Err(wrong("a quotation mark is not closed")),
                }
            }
        } else {
            while let Some(other) = characters.next_if(|&next| next != '.' && next != '"') {
                part.push(other);
            }
        }
        if part.is_empty() {
            return Err(wrong("a part of the name is empty; write it as the CRM does, such as public.ticket"));
        }
        parts.push(part);
        match characters.next() {
            None => break,
            Some('.') => {}
            Some(_) => return Err(wrong("a part in quotation marks must end at a point or at the end")),
        }
    }
    let mut parts = parts.into_iter();
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(table), None, None, None) => Ok(TableReference::bare(table)),
        (Some(schema), Some(table), None, None) => Ok(TableReference::partial(schema, table)),
        (Some(catalog), Some(schema), Some(table), None) => Ok(TableReference::full(catalog, schema, table)),
        _ => Err(wrong("a name has at most three parts: database, schema and table")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_case_and_quoted_points() {
        let parse = |text| parse("tickets", text);
        assert_eq!(parse("Ticket").unwrap(), TableReference::bare("Ticket"));
        assert_eq!(parse("dbo.\"Support.Case\"").unwrap(), TableReference::partial("dbo", "Support.Case"));
        assert_eq!(parse("a.b.\"c\"\"d\"").unwrap(), TableReference::full("a", "b", "c\"d"));
    }

    #[test]
    fn an_incomplete_name_is_refused() {
        for text in ["", ".", "a.", "\"a", "\"a\"b", "a.b.c.d", "a\"b"] {
            let error = parse("tickets", text).unwrap_err().to_string();
            assert!(error.starts_with("[crm] table \"tickets\""), "{text}: {error}");
        }
    }
}
