//! What the statement itself says about an error, and the engine does not: the types of a call's constants, and the alias of
//! a table. Pure, from the tokens.

use super::position::{Placed, What, tokens};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Word};

/// The names of types as people write them after `::`, and PostgreSQL's.
const WRITTEN_TYPES: [(&str, &str); 17] = [
    ("int", "integer"),
    ("int4", "integer"),
    ("integer", "integer"),
    ("int2", "smallint"),
    ("smallint", "smallint"),
    ("int8", "bigint"),
    ("bigint", "bigint"),
    ("numeric", "numeric"),
    ("float8", "double precision"),
    ("real", "real"),
    ("float4", "real"),
    ("text", "text"),
    ("boolean", "boolean"),
    ("bool", "boolean"),
    ("date", "date"),
    ("interval", "interval"),
    ("timestamptz", "timestamp with time zone"),
];

/// The call of a function at a position, with the types of its arguments: `foo(integer, unknown)`. `None` if an argument is
/// more than a constant or a cast.
pub(super) fn call_at(statement: &str, position: usize, name: &str) -> Option<String> {
    let tokens = tokens(statement)?;
    let start = tokens.iter().position(|placed| placed.position == position)?;
    let open = start + tokens[start..].iter().position(|placed| placed.token == Token::LParen)?;
    let mut arguments: Vec<&[Placed]> = Vec::new();
    let (mut depth, mut first) = (0_usize, open + 1);
    for (index, placed) in tokens.iter().enumerate().skip(open + 1) {
        match placed.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen if depth == 0 => {
                if index > open + 1 {
                    arguments.push(&tokens[first..index]);
                }
                let types: Option<Vec<&str>> = arguments.into_iter().map(type_of).collect();
                return Some(format!("{name}({})", types?.join(", ")));
            }
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Comma if depth == 0 => {
                arguments.push(&tokens[first..index]);
                first = index + 1;
            }
            _ => {}
        }
    }
    None
}

/// The type of an argument that is a constant or a cast.
fn type_of(argument: &[Placed]) -> Option<&'static str> {
    let written: Vec<&Token> = argument.iter().map(|placed| &placed.token).collect();
    match written.as_slice() {
        [Token::Number(digits, _)] | [Token::Minus, Token::Number(digits, _)] => Some(type_of_number(digits)),
        [Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_)] => Some("unknown"),
        [Token::Word(Word { keyword: Keyword::TRUE | Keyword::FALSE, quote_style: None, .. })] => Some("boolean"),
        [Token::Word(Word { keyword: Keyword::NULL, quote_style: None, .. })] => Some("unknown"),
        [.., Token::DoubleColon, Token::Word(word)] => {
            let name = word.value.to_lowercase();
            WRITTEN_TYPES.iter().find(|(written, _)| *written == name).map(|(_, name)| *name)
        }
        _ => None,
    }
}

fn type_of_number(digits: &str) -> &'static str {
    if digits.parse::<i32>().is_ok() {
        "integer"
    } else if digits.parse::<i64>().is_ok() {
        "bigint"
    } else {
        "numeric"
    }
}

/// The alias by which a statement names the table `name`, if it names it once.
pub(super) fn alias_of(statement: &str, name: &str) -> Option<String> {
    let tokens = tokens(statement)?;
    let table = What::Relation(name.to_owned());
    let mut places = (0..tokens.len()).filter(|index| table.is_at(&tokens, *index));
    let at = places.next().filter(|_| places.next().is_none())?;
    let after = |count: usize| match tokens.get(at + count).map(|placed| &placed.token) {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    };
    let alias = match after(1)? {
        word if word.keyword == Keyword::AS => after(2)?,
        word => word,
    };
    let is_name = alias.keyword == Keyword::NoKeyword || alias.quote_style.is_some();
    is_name.then(|| if alias.quote_style.is_some() { alias.value.clone() } else { alias.value.to_lowercase() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_of_a_call_have_types() {
        for (statement, call) in [
            ("SELECT foo()", Some("foo()")),
            ("SELECT foo(1, -2.5, 'a', NULL, true)", Some("foo(integer, numeric, unknown, unknown, boolean)")),
            ("SELECT foo(99999999999, (x)::date)", Some("foo(bigint, date)")),
            ("SELECT foo(1, bar)", None),
            ("SELECT foo(1 + 2)", None),
            ("SELECT foo(1", None),
        ] {
            assert_eq!(call_at(statement, 8, "foo").as_deref(), call, "{statement}");
        }
        assert_eq!(call_at("SELECT 1", 9, "foo"), None);
    }

    #[test]
    fn a_table_has_an_alias_if_it_occurs_once() {
        for (statement, alias) in [
            ("SELECT events.id FROM events e", Some("e")),
            ("SELECT events.id FROM archive.events AS \"E\"", Some("E")),
            ("SELECT events.id FROM events WHERE true", None),
            ("SELECT events.id FROM events a, events b", None),
            ("SELECT events.id FROM x", None),
        ] {
            assert_eq!(alias_of(statement, "events").as_deref(), alias, "{statement}");
        }
    }
}
