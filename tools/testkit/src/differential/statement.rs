//! A statement with its parameters, and where it comes from.

use super::kind::type_name;
use std::fmt;

/// A parameter as a client sends it, in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The type that the client names; 0 if it names none.
    pub oid: u32,
    /// The value; `None` is NULL.
    pub value: Option<String>,
}

/// Where a statement comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The generator: the seed and the number of the statement.
    Generated {
        /// The seed.
        seed: u64,
        /// The number.
        number: u64,
    },
    /// A file of `statements/`.
    Written {
        /// The file's name.
        file: &'static str,
        /// The statement's first line.
        line: usize,
    },
    /// Another one, such as a statement that sets up a connection.
    Other,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated { seed, number } => write!(f, "seed {seed}, statement {number}"),
            Self::Written { file, line } => write!(f, "{file}:{line}"),
            Self::Other => f.write_str("-"),
        }
    }
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text.
    pub sql: String,
    /// The values of `$1`, `$2`, ...
    pub parameters: Vec<Parameter>,
    /// Where it comes from.
    pub origin: Origin,
}

impl Statement {
    /// A statement without parameters.
    #[must_use]
    pub fn plain(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), parameters: Vec::new(), origin: Origin::Other }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)?;
        for (number, parameter) in self.parameters.iter().enumerate() {
            let value = parameter.value.as_ref().map_or("NULL".to_owned(), |value| format!("'{value}'"));
            let kind = if parameter.oid == 0 { "no type".to_owned() } else { type_name(parameter.oid) };
            write!(f, "{} ${} = {value} ({kind})", if number == 0 { "  --" } else { "," }, number + 1)?;
        }
        Ok(())
    }
}
