//! Decides on the tokens of a statement whether it keeps its bounds.
//!
//! ```text
//! text ─▶ tokens, a flat list ─▶ levels: parentheses, brackets, CASE ─▶ the first bound that is exceeded
//! ```
//!
//! Pure. The tokens are not parsed, so the decision errs on the side of refusing: a sign that may be an operator counts
//! as one.

use crate::bound::{
    Bound, COLUMNS, CONJUNCTIONS, DEPTH, NESTING, OPERATORS, PARAMETERS, READINGS, RELATIONS, SET_OPERATIONS,
    STATEMENT_BYTES, TOKENS,
};
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::HashMap;

/// Nodes of a plan that one SELECT makes at most, beside those of its joins: projection, filter, groups, windows,
/// DISTINCT, order, limit, alias.
const SELECT_DEPTH: usize = 8;
/// Parts of a name (`catalog.schema.table.column.field`) that are no chain yet.
const NAME_PARTS: usize = 8;

/// Whether a statement, in the dialect of PostgreSQL, keeps its bounds. What is no statement keeps them: the parser
/// says what is wrong with it.
///
/// # Errors
/// The bound that it exceeds.
pub fn check_bounds(text: &str) -> Result<(), Bound> {
    check(text, &PostgreSqlDialect {})
}

/// The same in another dialect.
pub(super) fn check(text: &str, dialect: &dyn Dialect) -> Result<(), Bound> {
    if text.len() > STATEMENT_BYTES {
        return Err(Bound::Bytes);
    }
    match Tokenizer::new(dialect, text).tokenize() {
        Ok(tokens) => check_tokens(&tokens),
        // The parser fails at the same place, before it builds anything.
        Err(_) => Ok(()),
    }
}

fn check_tokens(tokens: &[Token]) -> Result<(), Bound> {
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    if tokens.len() > TOKENS {
        return Err(Bound::Tokens);
    }
    let mut statement = Statement::new();
    for place in 0..tokens.len() {
        statement.read(&tokens, place)?;
    }
    statement.finish()
}

/// The size of what a level becomes.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    depth: usize,
    relations: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    Statement,
    Bracket,
    Case,
}

/// What stands between two parentheses, between CASE and END, or outside all of them.
#[derive(Debug)]
struct Level {
    opened: Opened,
    /// The place of the token that opened it.
    place: usize,
    /// How often the parser reads a token in it.
    readings: u64,
    /// The name of the common table expression that it defines.
    defines: Option<String>,
    /// Whether it is a relation in FROM.
    is_relation: bool,
    has_select: bool,
    in_select_list: bool,
    in_from: bool,
    /// Whether the next token begins a relation.
    expects_relation: bool,
    columns: usize,
    set_operations: usize,
    /// Its own relations, which become one chain of joins.
    joins: usize,
    /// Its own relations and those inside.
    relations: usize,
    /// Operators of the current expression.
    operators: usize,
    /// The depth of the deepest level inside the current expression.
    inner: usize,
    /// The depth of the deepest expression so far.
    deepest: usize,
    /// The depth of the deepest relation. The optimizer puts expressions over a relation in the place of its columns.
    below: usize,
    /// The depth of the deepest common table expression that it defines.
    defined: usize,
    /// The places of the parentheses that were closed last in it.
    last_closed: Option<(usize, usize)>,
}

impl Level {
    fn new(opened: Opened, place: usize, readings: u64) -> Self {
        Self {
            opened,
            place,
            readings,
            defines: None,
            is_relation: false,
            has_select: false,
            in_select_list: false,
            in_from: false,
            expects_relation: false,
            columns: 0,
            set_operations: 0,
            joins: 0,
            relations: 0,
            operators: 0,
            inner: 0,
            deepest: 0,
            below: 0,
            defined: 0,
            last_closed: None,
        }
    }

    fn end_expression(&mut self) {
        self.deepest = self.deepest.max(self.operators.saturating_add(self.inner));
        (self.operators, self.inner) = (0, 0);
    }

    fn begin_relation(&mut self) {
        self.end_expression();
        self.joins += 1;
        self.relations = self.relations.saturating_add(1);
        self.expects_relation = true;
    }

    fn size(&mut self) -> Size {
        self.end_expression();
        let of_select = if self.has_select { SELECT_DEPTH } else { 0 };
        let above = 1 + of_select + self.set_operations + self.joins;
        let depth = self.deepest.saturating_add(self.below).saturating_add(above).max(self.defined + 1);
        Size { depth, relations: self.relations }
    }
}

/// The state of one statement. A text may have several.
struct Statement {
    /// The outermost level first. Never empty.
    levels: Vec<Level>,
    /// The common table expressions so far, by their lower-case names.
    common_tables: HashMap<String, Size>,
    operators: usize,
    conjunctions: usize,
    set_operations: usize,
    unnumbered_parameters: usize,
    /// Over all statements of the text.
    readings: u64,
    /// Periods that follow each other with words between them.
    periods: usize,
}

impl Statement {
    fn new() -> Self {
        Self {
            levels: vec![Level::new(Opened::Statement, 0, 1)],
            common_tables: HashMap::new(),
            operators: 0,
            conjunctions: 0,
            set_operations: 0,
            unnumbered_parameters: 0,
            readings: 0,
            periods: 0,
        }
    }

    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::new(Opened::Statement, 0, 1));
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn read(&mut self, tokens: &[&Token], place: usize) -> Result<(), Bound> {
        let token = tokens[place];
        self.readings = self.readings.saturating_add(self.level().readings);
        if self.readings > READINGS {
            return Err(Bound::Calls);
        }
        if !matches!(token, Token::Word(_) | Token::Period) {
            self.periods = 0;
        }
        let expects_relation = std::mem::take(&mut self.level().expects_relation);
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => self.open(tokens, place, expects_relation),
            Token::RParen | Token::RBracket | Token::RBrace => {
                while self.level().opened == Opened::Case {
                    self.close(place)?;
                }
                self.close(place)
            }
            Token::Comma => self.comma(),
            Token::SemiColon if self.levels.len() == 1 => {
                self.check_last_level()?;
                *self = Self { readings: self.readings, ..Self::new() };
                Ok(())
            }
            Token::Period => {
                self.periods += 1;
                if self.periods > NAME_PARTS { self.operator() } else { Ok(()) }
            }
            Token::Placeholder(name) => self.parameter(name),
            // A part of a name is no keyword.
            Token::Word(_) if place.checked_sub(1).is_some_and(|before| *tokens[before] == Token::Period) => Ok(()),
            Token::Word(word) => {
                self.periods = 0;
                let keyword = keyword_of(token);
                if expects_relation && keyword == Keyword::LATERAL {
                    self.level().expects_relation = true;
                    return Ok(());
                }
                if expects_relation {
                    self.reference(&word.value, tokens.get(place + 1).copied());
                }
                self.keyword(keyword, tokens, place)
            }
            // Casts and signs make an expression deeper, and lists of such values are long.
            Token::DoubleColon => {
                self.level().operators += 1;
                Ok(())
            }
            Token::Minus | Token::Plus if is_sign(tokens, place) => {
                self.level().operators += 1;
                Ok(())
            }
            other if is_operator(other) => self.operator(),
            _ => Ok(()),
        }
    }

    fn keyword(&mut self, keyword: Keyword, tokens: &[&Token], place: usize) -> Result<(), Bound> {
        let before = place.checked_sub(1).map(|before| tokens[before]);
        match keyword {
            Keyword::CASE => self.push(Level::new(Opened::Case, place, 1)),
            Keyword::END if self.level().opened == Opened::Case => self.close(place),
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE | Keyword::ON | Keyword::USING => {
                self.level().end_expression();
                Ok(())
            }
            Keyword::SELECT => {
                let level = self.level();
                level.end_expression();
                (level.has_select, level.in_select_list, level.in_from, level.columns) = (true, true, false, 1);
                Ok(())
            }
            // `IS DISTINCT FROM`, and the FROM of functions such as `extract`, name no relation.
            Keyword::FROM if self.level().has_select && before.map(keyword_of) != Some(Keyword::DISTINCT) => {
                let level = self.level();
                (level.in_select_list, level.in_from) = (false, true);
                level.begin_relation();
                Ok(())
            }
            Keyword::JOIN | Keyword::TABLE => {
                self.level().begin_relation();
                Ok(())
            }
            Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::FETCH
            | Keyword::QUALIFY
            | Keyword::WINDOW
            | Keyword::VALUES => {
                let level = self.level();
                level.end_expression();
                level.in_from = false;
                Ok(())
            }
            // `* EXCEPT (...)` leaves columns out.
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS if before != Some(&Token::Mul) => {
                self.set_operations += 1;
                let level = self.level();
                level.end_expression();
                level.set_operations += 1;
                (level.in_select_list, level.in_from) = (false, false);
                if self.set_operations > SET_OPERATIONS { Err(Bound::SetOperations) } else { Ok(()) }
            }
            Keyword::AND => {
                self.conjunctions += 1;
                if self.conjunctions > CONJUNCTIONS { Err(Bound::Conjunctions) } else { self.operator() }
            }
            Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::NOTNULL
            | Keyword::IS
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::DIV
            | Keyword::OVERLAPS
            | Keyword::OPERATOR
            | Keyword::MEMBER
            | Keyword::AT
            | Keyword::COLLATE => self.operator(),
            _ => Ok(()),
        }
    }

    fn operator(&mut self) -> Result<(), Bound> {
        self.operators += 1;
        self.level().operators += 1;
        if self.operators > OPERATORS { Err(Bound::Operators) } else { Ok(()) }
    }

    fn comma(&mut self) -> Result<(), Bound> {
        let level = self.level();
        level.end_expression();
        if level.in_from {
            level.begin_relation();
        } else if level.in_select_list {
            level.columns += 1;
            if level.columns > COLUMNS {
                return Err(Bound::Columns);
            }
        }
        Ok(())
    }

    fn parameter(&mut self, name: &str) -> Result<(), Bound> {
        let digits = name.strip_prefix('$').filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        let number = match digits.filter(|digits| !digits.is_empty()) {
            Some(digits) => digits.parse().unwrap_or(usize::MAX),
            None => {
                self.unnumbered_parameters += 1;
                self.unnumbered_parameters
            }
        };
        if number > PARAMETERS { Err(Bound::Parameters) } else { Ok(()) }
    }

    /// A name where a relation begins: if it is that of a common table expression, what that is made of is there once
    /// more.
    fn reference(&mut self, name: &str, next: Option<&Token>) {
        // A name with a schema is not one of WITH.
        if next == Some(&Token::Period) {
            return;
        }
        let Some(size) = self.common_tables.get(&name.to_lowercase()).copied() else { return };
        let level = self.level();
        level.relations = level.relations.saturating_add(size.relations);
        level.below = level.below.max(size.depth);
    }

    fn open(&mut self, tokens: &[&Token], place: usize, expects_relation: bool) -> Result<(), Bound> {
        // A subscript (`a[1][2]`) is an operator, and so is what looks like one.
        if *tokens[place] == Token::LBracket {
            self.operator()?;
        }
        let before = place.checked_sub(1).map(|before| tokens[before]);
        let readings = if expects_relation { 2 } else { readings_of_arguments(before) };
        let mut level = Level::new(Opened::Bracket, place, readings);
        (level.is_relation, level.expects_relation) = (expects_relation, expects_relation);
        level.defines = defined_table(tokens, place, self.level().last_closed);
        self.push(level)
    }

    /// Opens `level`, whose `readings` are those for one reading of the level around it.
    fn push(&mut self, mut level: Level) -> Result<(), Bound> {
        level.readings = level.readings.saturating_mul(self.level().readings);
        self.levels.push(level);
        if self.levels.len() - 1 > NESTING { Err(Bound::Nesting) } else { Ok(()) }
    }

    /// Closes the innermost level, unless it is the outermost: then the parser refuses the statement.
    fn close(&mut self, place: usize) -> Result<(), Bound> {
        if self.levels.len() == 1 {
            return Ok(());
        }
        let size = self.check_last_level()?;
        let Some(closed) = self.levels.pop() else { return Ok(()) };
        let level = self.level();
        let deepest = match (&closed.defines, closed.is_relation) {
            (Some(_), _) => &mut level.defined,
            (None, true) => &mut level.below,
            (None, false) => &mut level.inner,
        };
        *deepest = (*deepest).max(size.depth);
        level.last_closed = Some((closed.place, place));
        match closed.defines {
            // Its relations count where it is used.
            Some(name) => {
                let known = self.common_tables.entry(name).or_default();
                known.depth = known.depth.max(size.depth);
                known.relations = known.relations.max(size.relations);
            }
            None => level.relations = level.relations.saturating_add(size.relations),
        }
        Ok(())
    }

    fn check_last_level(&mut self) -> Result<Size, Bound> {
        let size = self.level().size();
        if size.relations > RELATIONS {
            return Err(Bound::Relations);
        }
        if size.depth > DEPTH { Err(Bound::Depth) } else { Ok(size) }
    }

    fn finish(mut self) -> Result<(), Bound> {
        while self.levels.len() > 1 {
            self.close(0)?;
        }
        self.check_last_level().map(|_| ())
    }
}

/// The keyword that a token is. A word in quotes is none.
fn keyword_of(token: &Token) -> Keyword {
    match token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

/// How often the parser reads what stands in parentheses after `before`.
fn readings_of_arguments(before: Option<&Token>) -> u64 {
    let Some(token @ Token::Word(_)) = before else { return 1 };
    match keyword_of(token) {
        Keyword::AND
        | Keyword::OR
        | Keyword::WHERE
        | Keyword::HAVING
        | Keyword::ON
        | Keyword::SELECT
        | Keyword::BY
        | Keyword::WHEN
        | Keyword::THEN
        | Keyword::ELSE
        | Keyword::CASE
        | Keyword::BETWEEN
        | Keyword::LIKE
        | Keyword::AS
        | Keyword::OVER
        | Keyword::FILTER
        | Keyword::EXISTS
        | Keyword::UNION
        | Keyword::ALL
        | Keyword::EXCEPT
        | Keyword::INTERSECT
        | Keyword::VALUES
        | Keyword::LIMIT
        | Keyword::OFFSET => 1,
        // Read by their own syntax first; if that fails, as the arguments of a function, twice.
        Keyword::ARRAY
        | Keyword::CAST
        | Keyword::CEIL
        | Keyword::CONVERT
        | Keyword::EXTRACT
        | Keyword::FLOOR
        | Keyword::INTERVAL
        | Keyword::MAP
        | Keyword::NOT
        | Keyword::OVERLAY
        | Keyword::POSITION
        | Keyword::SAFE_CAST
        | Keyword::STRUCT
        | Keyword::SUBSTR
        | Keyword::SUBSTRING
        | Keyword::TRIM
        | Keyword::TRY_CAST
        | Keyword::TRY_CONVERT => 3,
        // An argument is read as the name of an argument first.
        _ => 2,
    }
}

/// The lower-case name of the common table expression whose query begins with the parenthesis at `place`:
/// `name [(columns)] AS [[NOT] MATERIALIZED] (`.
fn defined_table(tokens: &[&Token], place: usize, last_closed: Option<(usize, usize)>) -> Option<String> {
    let mut before = place.checked_sub(1)?;
    if keyword_of(tokens[before]) == Keyword::MATERIALIZED {
        before = before.checked_sub(1)?;
        if keyword_of(tokens[before]) == Keyword::NOT {
            before = before.checked_sub(1)?;
        }
    }
    if keyword_of(tokens[before]) != Keyword::AS {
        return None;
    }
    before = before.checked_sub(1)?;
    if let Some((opened, closed)) = last_closed
        && closed == before
    {
        before = opened.checked_sub(1)?;
    }
    match tokens[before] {
        Token::Word(name) => Some(name.value.to_lowercase()),
        _ => None,
    }
}

/// Whether the plus or minus at `place` is the sign of a number that begins an expression in a list.
fn is_sign(tokens: &[&Token], place: usize) -> bool {
    let before = place.checked_sub(1).map(|before| tokens[before]);
    let begins = matches!(before, Some(Token::Comma | Token::LParen | Token::LBracket));
    begins && matches!(tokens.get(place + 1), Some(Token::Number(..)))
}

/// Whether a token that is no word may be an operator.
fn is_operator(token: &Token) -> bool {
    !matches!(
        token,
        Token::EOF
            | Token::Word(_)
            | Token::Number(..)
            | Token::Char(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::TripleSingleQuotedString(_)
            | Token::TripleDoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::DoubleQuotedByteStringLiteral(_)
            | Token::TripleSingleQuotedByteStringLiteral(_)
            | Token::TripleDoubleQuotedByteStringLiteral(_)
            | Token::SingleQuotedRawStringLiteral(_)
            | Token::DoubleQuotedRawStringLiteral(_)
            | Token::TripleSingleQuotedRawStringLiteral(_)
            | Token::TripleDoubleQuotedRawStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::QuoteDelimitedStringLiteral(_)
            | Token::NationalQuoteDelimitedStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::Comma
            | Token::Whitespace(_)
            | Token::SemiColon
            | Token::Backslash
    )
}

#[cfg(test)]
mod tests;
