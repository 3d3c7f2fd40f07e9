//! Statements that name sessions in their texts, planned once for all sessions.
//!
//! ```text
//! .. WHERE session = 'a1' AND seq > 5 ─▶ .. WHERE session = $1 AND seq > 5, and 'a1' ─▶ is its plan kept? ([`super::kept_plans`])
//! ```
//!
//! Tools write the id of a session into the statement, and planning takes longer than reading one session. A parameter may
//! mean something else than a constant at the same place, which takes its type from what it is compared with. So the plan
//! counts only if each parameter is compared with a column of texts there; otherwise the statement is planned as it is written.

use super::placeholders::number;
use crate::error::Positions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::{InList, Placeholder};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, LogicalPlan, Operator};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// The columns that name a session, in lower case.
const SESSIONS: [&str; 2] = ["session", "subject"];

/// A statement with parameters where its text names sessions.
#[derive(Debug, PartialEq)]
pub(super) struct NamedSessions {
    pub(super) text: String,
    pub(super) values: Vec<ScalarValue>,
}

impl NamedSessions {
    /// `None` if `text` names no session where a parameter can stand, or has parameters itself.
    pub(super) fn of(text: &str) -> Option<Self> {
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().ok()?;
        let tokens: Vec<_> =
            tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)).collect();
        if tokens.iter().any(|token| matches!(token.token, Token::Placeholder(_))) {
            return None;
        }
        let mut positions = Positions::new(text);
        let mut byte = |place| Some(text.len() - positions.rest(place)?.len());
        let (mut general, mut copied, mut names) = (String::new(), 0, Vec::<&str>::new());
        for (index, three) in tokens.windows(3).enumerate() {
            let [column, equals, constant] = three else { continue };
            let Token::SingleQuotedString(name) = &constant.token else { continue };
            let next = tokens.get(index + 3).map(|token| &token.token);
            if equals.token != Token::Eq || !is_session(&column.token) || !next.is_none_or(ends_comparison) {
                continue;
            }
            let (start, end) = (byte(constant.span.start)?, byte(constant.span.end)?);
            let number = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            general.push_str(text.get(copied..start)?);
            general.push_str(&format!("${}", number + 1));
            copied = end;
        }
        if names.is_empty() {
            return None;
        }
        general.push_str(text.get(copied..)?);
        let values = names.into_iter().map(ScalarValue::from).collect();
        Some(Self { text: general, values })
    }
}

fn is_session(token: &Token) -> bool {
    match token {
        Token::Word(word) if word.quote_style.is_none() => {
            SESSIONS.iter().any(|name| word.value.eq_ignore_ascii_case(name))
        }
        Token::Word(word) => SESSIONS.contains(&word.value.as_str()),
        _ => false,
    }
}

/// Whether a comparison ends before `next`: what binds closer than `=` would belong to the constant.
fn ends_comparison(next: &Token) -> bool {
    match next {
        Token::RParen | Token::SemiColon => true,
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::GROUP
                | Keyword::HAVING
                | Keyword::ORDER
                | Keyword::LIMIT
                | Keyword::OFFSET
        ),
        _ => false,
    }
}

/// Whether each parameter of `plan`, which is optimized, is compared with a column of texts and stands nowhere else.
pub(super) fn compares_texts(plan: &LogicalPlan) -> Result<bool> {
    let mut compares = true;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if is_comparison_of_texts(part) {
                    return Ok(TreeNodeRecursion::Jump);
                }
                compares &= !is_parameter(part);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(compares)
}

fn is_comparison_of_texts(part: &Expr) -> bool {
    let is_column = |side: &Expr| matches!(side, Expr::Column(_));
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            is_column(left) && is_text(right) || is_column(right) && is_text(left)
        }
        Expr::InList(InList { expr, list, .. }) => is_column(expr) && list.iter().all(is_text),
        _ => false,
    }
}

/// Whether it is a parameter as a text, of any of the types in which the engine holds texts.
fn is_text(side: &Expr) -> bool {
    match side {
        Expr::Cast(Cast { expr, field }) => field.data_type().is_string() && is_text(expr),
        other => is_parameter(other),
    }
}

fn is_parameter(part: &Expr) -> bool {
    matches!(part, Expr::Placeholder(Placeholder { id, .. }) if number(id).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<(String, Vec<String>)> {
        let NamedSessions { text, values } = NamedSessions::of(text)?;
        Some((text, values.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn the_names_of_sessions_become_parameters() {
        for (text, general, names) in [
            ("select 1 from t where session = 'a'", "select 1 from t where session = $1", vec!["a"]),
            (
                "select 'ä' from t where a.Session='it''s' -- end\n;",
                "select 'ä' from t where a.Session=$1 -- end\n;",
                vec!["it's"],
            ),
            (
                "where x = 'ö'\nand (\"subject\" = 'b' OR session = 'b')",
                "where x = 'ö'\nand (\"subject\" = $1 OR session = $1)",
                vec!["b"],
            ),
            (
                "where session = '' and subject = 'c' order by 1",
                "where session = $1 and subject = $2 order by 1",
                vec!["", "c"],
            ),
        ] {
            let expected = names.into_iter().map(str::to_owned).collect();
            assert_eq!(of(text), Some((general.to_owned(), expected)), "{text}");
        }
    }

    #[test]
    fn other_constants_stay() {
        for text in [
            "select 1",
            "where session = 'a' || 'b'",
            "where session = 'a'\n'b'",
            "where session = 'a'::varchar",
            "where session = 'a' is true",
            "where session = E'a'",
            "where \"Session\" = 'a'",
            "where session <> 'a'",
            "where agent = 'a'",
            "where session = 'a' and x = $1",
            "where session = 'a",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
