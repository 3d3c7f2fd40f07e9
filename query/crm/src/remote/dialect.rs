//! The SQL dialects of the CRMs: for the engine's unparser, and with what each computes exactly as the engine does.
//!
//! Only this module writes string literals, and reads them back where values are bound instead (`pushdown::binding`). The unparser
//! itself takes a quotation mark after a backslash, or a doubled one, for an escaped one, so that a value could end its literal and
//! continue as SQL.

use arrow_array::timezone::Tz;
use arrow_schema::TimeUnit;
use chrono::DateTime;
use datafusion::sql::sqlparser::ast::{self, Ident, ObjectName, TimezoneInfo, Value};
use datafusion::sql::unparser::dialect::{CharacterLengthStyle, DateFieldExtractStyle, Dialect, IntervalStyle};
use std::sync::Arc;

/// The SQL dialect of one kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqlDialect {
    Postgres,
    MySql,
    Sqlite,
    SqlServer,
    Oracle,
    Db2,
    Generic,
}

impl SqlDialect {
    pub(crate) fn quote(self) -> char {
        if self == Self::MySql { '`' } else { '"' }
    }

    /// Whether times have their own type and are compared as times.
    pub(crate) fn compares_times(self) -> bool {
        matches!(self, Self::Postgres | Self::MySql)
    }

    /// Whether `NULLS FIRST` and `NULLS LAST` are supported, so that a sort equals the engine's.
    pub(crate) fn sorts_nulls(self) -> bool {
        matches!(self, Self::Postgres | Self::Sqlite | Self::Oracle | Self::Db2)
    }

    /// Whether booleans can be written and compared.
    pub(crate) fn has_booleans(self) -> bool {
        matches!(self, Self::Postgres | Self::MySql | Self::Sqlite)
    }

    /// Whether an average of integers is a fraction with all its digits.
    pub(crate) fn averages(self) -> bool {
        matches!(self, Self::Postgres | Self::Sqlite)
    }

    pub(crate) fn has_full_join(self) -> bool {
        !matches!(self, Self::MySql | Self::Sqlite)
    }

    /// Whether `LIKE` is case-sensitive and has a backslash as its escape character.
    pub(crate) fn matches_patterns(self) -> bool {
        self == Self::Postgres
    }

    /// Whether the database casts text to times.
    pub(crate) fn casts_text_to_time(self) -> bool {
        self != Self::Sqlite
    }
}

fn named(name: &str) -> ast::DataType {
    ast::DataType::Custom(ObjectName::from(vec![Ident::new(name)]), vec![])
}

/// The text of a literal that [`Dialect::string_literal_to_sql`] wrote.
pub(crate) fn literal_text(literal: &str) -> Option<String> {
    let quoted = literal.strip_prefix('N').unwrap_or(literal);
    Some(quoted.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))
}

impl Dialect for SqlDialect {
    fn identifier_quote_style(&self, _: &str) -> Option<char> {
        Some(self.quote())
    }

    fn supports_nulls_first_in_sort(&self) -> bool {
        self.sorts_nulls()
    }

    fn interval_style(&self) -> IntervalStyle {
        IntervalStyle::PostgresVerbose
    }

    fn float64_ast_dtype(&self) -> ast::DataType {
        match self {
            Self::Postgres | Self::Generic => ast::DataType::DoublePrecision,
            Self::SqlServer => named("FLOAT"),
            Self::Oracle => named("BINARY_DOUBLE"),
            _ => ast::DataType::Double(ast::ExactNumberInfo::None),
        }
    }

    fn utf8_cast_dtype(&self) -> ast::DataType {
        match self {
            Self::Postgres | Self::Sqlite => ast::DataType::Text,
            Self::MySql => ast::DataType::Char(None),
            Self::SqlServer => named("NVARCHAR(4000)"),
            Self::Oracle => named("VARCHAR2(4000)"),
            Self::Db2 | Self::Generic => named("VARCHAR(4000)"),
        }
    }

    fn large_utf8_cast_dtype(&self) -> ast::DataType {
        self.utf8_cast_dtype()
    }

    fn int64_cast_dtype(&self) -> ast::DataType {
        match self {
            Self::MySql => named("SIGNED"),
            Self::Oracle => named("NUMBER(19)"),
            _ => ast::DataType::BigInt(None),
        }
    }

    fn timestamp_cast_dtype(&self, _: &TimeUnit, zone: &Option<Arc<str>>) -> ast::DataType {
        match self {
            Self::Postgres if zone.is_some() => ast::DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
            Self::MySql => ast::DataType::Datetime(Some(6)),
            Self::Sqlite => ast::DataType::Text,
            Self::SqlServer => named("DATETIME2"),
            _ => ast::DataType::Timestamp(None, TimezoneInfo::None),
        }
    }

    fn date_field_extract_style(&self) -> DateFieldExtractStyle {
        DateFieldExtractStyle::DatePart
    }

    fn character_length_style(&self) -> CharacterLengthStyle {
        CharacterLengthStyle::CharacterLength
    }

    fn supports_column_alias_in_table_alias(&self) -> bool {
        false
    }

    fn requires_derived_table_alias(&self) -> bool {
        true
    }

    fn supports_qualify(&self) -> bool {
        false
    }

    /// All times are sent in UTC; the session with the CRM is in UTC.
    fn timestamp_with_tz_to_string(&self, time: DateTime<Tz>, _: TimeUnit) -> String {
        let text = time.naive_utc().format("%Y-%m-%d %H:%M:%S%.6f").to_string();
        if *self == Self::Postgres { text + "+00" } else { text }
    }

    fn string_literal_to_sql(&self, text: &str) -> Option<ast::Expr> {
        let national = if *self == Self::SqlServer { "N" } else { "" };
        let literal = format!("{national}'{}'", text.replace('\'', "''"));
        // A placeholder is the only kind of value that is written unchanged.
        Some(ast::Expr::value(Value::Placeholder(literal)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::{col, lit};
    use datafusion::sql::unparser::Unparser;

    #[test]
    fn a_value_cannot_end_its_literal() {
        for (value, literal) in [
            ("plain", "'plain'"),
            ("it's", "'it''s'"),
            (r"\' OR 1=1 --", r"'\'' OR 1=1 --'"),
            ("''", "''''''"),
            ("x' OR ''='", "'x'' OR ''''='''"),
        ] {
            let sql = Unparser::new(&SqlDialect::Postgres).expr_to_sql(&col("a").eq(lit(value))).unwrap();
            assert_eq!(sql.to_string(), format!("(\"a\" = {literal})"));
        }
    }

    proptest::proptest! {
        /// For any value the statement stays one query, and only quotation marks in the value are doubled.
        #[test]
        fn any_value_stays_within_its_literal(
            value in proptest::string::string_regex("(\\PC|['\"`\\\\;]){0,20}").expect("a pattern"),
        ) {
            for dialect in [SqlDialect::Postgres, SqlDialect::MySql, SqlDialect::Sqlite, SqlDialect::SqlServer] {
                let sql = Unparser::new(&dialect).expr_to_sql(&lit(value.as_str())).expect("SQL").to_string();
                crate::pushdown::validate::check_statement(&format!("SELECT {sql}"), dialect.quote()).expect("one query");
                let literal = sql.strip_prefix('N').unwrap_or(&sql);
                proptest::prop_assert_eq!(literal, format!("'{}'", value.replace('\'', "''")));
                proptest::prop_assert_eq!(literal_text(&sql), Some(value.clone()));
            }
        }
    }
}
