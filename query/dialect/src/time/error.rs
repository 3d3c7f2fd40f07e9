//! What is wrong with the text of a time, in PostgreSQL's words.

use crate::SqlError;

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is no time.
    Format,
    /// A field is out of its range.
    Field,
    /// A month or a day is out of its range.
    MonthOrDay,
    /// A field of an interval is out of its range.
    Interval,
    /// An offset is out of its range.
    Offset,
    /// It is a time that the type does not hold.
    Range,
    /// Something else.
    Other(SqlError),
}

impl Wrong {
    /// As the error of a text that should be a value of a type.
    pub(super) fn of(self, data_type: &str, text: &str) -> SqlError {
        let shown: String = text.chars().take(100).collect();
        let field = format!("date/time field value out of range: \"{shown}\"");
        match self {
            Self::Format => SqlError::new("22007", format!("invalid input syntax for type {data_type}: \"{shown}\"")),
            Self::Field => SqlError::new("22008", field),
            Self::MonthOrDay => {
                SqlError::new("22008", field).with_hint("Perhaps you need a different \"datestyle\" setting.")
            }
            Self::Interval => SqlError::new("22015", format!("interval field value out of range: \"{shown}\"")),
            Self::Offset => SqlError::new("22009", format!("time zone displacement out of range: \"{shown}\"")),
            Self::Range if data_type == "interval" => SqlError::new("22008", "interval out of range"),
            Self::Range => {
                let data_type = if data_type == "date" { "date" } else { "timestamp" };
                SqlError::new("22008", format!("{data_type} out of range: \"{shown}\""))
            }
            Self::Other(error) => error,
        }
    }
}

impl From<SqlError> for Wrong {
    fn from(error: SqlError) -> Self {
        Self::Other(error)
    }
}

/// `data_type out of range` (22008).
pub(super) fn out_of_range(data_type: &str) -> SqlError {
    SqlError::new("22008", format!("{data_type} out of range"))
}
