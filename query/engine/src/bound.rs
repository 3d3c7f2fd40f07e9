//! The bounds of a statement. They are decided on its tokens, before anything is parsed or planned.
//!
//! What is built from a statement (its syntax tree, its plans) is as deep as the longest chain in the text, and is
//! walked, copied and dropped by recursion. So a bound on each chain bounds the stack and the time that planning takes.

use std::fmt;

/// Bytes of a statement's text.
pub const STATEMENT_BYTES: usize = 256 << 10;
/// Words, numbers, texts and signs of a statement.
pub(crate) const TOKENS: usize = 50_000;
/// Parentheses, brackets and CASE inside one another. The parser refuses more than some 45.
pub(crate) const NESTING: usize = 40;
/// Tokens that the parser reads. It reads the arguments of a call twice or three times, so calls inside one another
/// double the tokens that are read.
pub(crate) const READINGS: u64 = 1_000_000;
/// Operators, set operations, joins and parentheses that stand above one another in the tree of the statement.
pub(crate) const DEPTH: usize = 1_000;
/// Operators of a statement.
pub(crate) const OPERATORS: usize = 4_000;
/// ANDs of a statement. The optimizer collects the conditions of nested queries in one chain.
pub(crate) const CONJUNCTIONS: usize = 1_000;
/// UNION, INTERSECT and EXCEPT of a statement.
pub(crate) const SET_OPERATIONS: usize = 200;
/// Tables, subqueries and functions in FROM. A common table expression counts as often as it is used.
pub(crate) const RELATIONS: usize = 100;
/// Expressions in the grouping sets of one GROUP BY.
pub(crate) const GROUPED_EXPRESSIONS: usize = 100_000;
/// Columns of one result. This is PostgreSQL's limit.
pub(crate) const COLUMNS: usize = 1_664;
/// Bytes of the constants that are columns of a result. Each is copied for each row of a batch.
pub(crate) const CONSTANT_BYTES: usize = 32 << 10;
/// Parameters of a statement.
pub(crate) const PARAMETERS: usize = 1_000;

/// The bound that a statement exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// [`STATEMENT_BYTES`].
    Bytes,
    /// Words, numbers, texts and signs.
    Tokens,
    /// Parentheses, brackets and CASE inside one another.
    Nesting,
    /// Function calls inside one another.
    Calls,
    /// Parts of an expression or of a query above one another.
    Depth,
    /// Operators.
    Operators,
    /// ANDs.
    Conjunctions,
    /// UNION, INTERSECT and EXCEPT.
    SetOperations,
    /// Tables, subqueries and functions in FROM.
    Relations,
    /// Expressions in the grouping sets of one GROUP BY.
    GroupingSets,
    /// Columns of a result.
    Columns,
    /// Bytes of the constants that are columns of a result.
    Constants,
    /// Parameters.
    Parameters,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shorten = "use IN, or join with VALUES, instead of a chain";
        let (limit, of_what, what_to_do) = match self {
            Self::Bytes => (STATEMENT_BYTES, "bytes", "shorten it, or pass long values as parameters"),
            Self::Tokens => (TOKENS, "words, numbers and signs", "split it into several statements"),
            Self::Nesting => (NESTING, "levels of parentheses and CASE", "name the inner queries with WITH"),
            Self::Calls => {
                return f.write_str(
                    "the statement has too many function calls inside one another; compute the inner ones in a \
                     subquery",
                );
            }
            Self::Depth => (DEPTH, "operators, joins and queries above one another", shorten),
            Self::Operators => (OPERATORS, "operators", shorten),
            Self::Conjunctions => (CONJUNCTIONS, "times AND", shorten),
            Self::SetOperations => {
                (SET_OPERATIONS, "times UNION, INTERSECT or EXCEPT", "split it into several statements")
            }
            Self::Relations => {
                (RELATIONS, "tables and subqueries, those of WITH counted as often as they are used", "split it")
            }
            Self::GroupingSets => {
                (GROUPED_EXPRESSIONS, "expressions in its grouping sets", "use fewer of CUBE, ROLLUP and GROUPING SETS")
            }
            Self::Columns => (COLUMNS, "columns", "select fewer columns"),
            Self::Constants => {
                (CONSTANT_BYTES, "bytes of constants in its columns", "select them without FROM, or shorten them")
            }
            Self::Parameters => (PARAMETERS, "parameters", "number them from $1, and join with VALUES"),
        };
        write!(f, "the statement has more than {limit} {of_what}; {what_to_do}")
    }
}
