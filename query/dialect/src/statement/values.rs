//! The columns of VALUES.
//!
//! - A `character varying` beside other texts is a text, since the engine takes columns of one kind only.
//! - The engine casts rows to a type that they have in common, which is not always PostgreSQL's ([`OfParts`]). A cast that is
//!   written is written twice, so that it is not taken for one of the engine's.
//!
//! [`OfParts`]: crate::common_types::OfParts

use super::calls::function_name;
use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, Ident, ObjectName, SetExpr, Value};

/// Makes texts of those casts to `character varying` that do not stand in every row, and writes other casts twice.
pub(super) fn casts_of_rows(body: &mut SetExpr) {
    match body {
        SetExpr::Values(values) => {
            for column in 0..values.rows.first().map_or(0, |row| row.len()) {
                let of_column = || values.rows.iter().filter_map(|row| row.get(column));
                if of_column().all(is_varchar) || !of_column().any(is_varchar) {
                    continue;
                }
                values.rows.iter_mut().filter_map(|row| row.get_mut(column)).for_each(as_text);
            }
            values.rows.iter_mut().flat_map(|row| row.iter_mut()).for_each(twice);
        }
        SetExpr::SetOperation { left, right, .. } => {
            casts_of_rows(left);
            casts_of_rows(right);
        }
        _ => {}
    }
}

fn twice(expression: &mut Expr) {
    let written = match expression {
        Expr::Nested(inner) => return twice(inner),
        Expr::Cast { data_type, .. } => data_type.clone(),
        _ => return,
    };
    if matches!(written, DataType::Timestamp(..) | DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_)) {
        let inner = std::mem::replace(expression, Expr::value(Value::Null));
        *expression = Expr::Cast {
            kind: CastKind::DoubleColon,
            expr: Box::new(inner),
            data_type: written,
            array: false,
            format: None,
        };
    }
}

fn is_cut(expression: &Expr) -> bool {
    matches!(expression, Expr::Function(function)
        if function_name(&function.name).is_some_and(|name| name == "to_varchar_type"))
}

fn is_varchar(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => is_varchar(inner),
        Expr::Cast { data_type: DataType::Varchar(None), .. } => true,
        other => is_cut(other),
    }
}

fn as_text(expression: &mut Expr) {
    if is_cut(expression)
        && let Expr::Function(function) = expression
    {
        function.name = ObjectName::from(vec![Ident::new("left")]);
        return;
    }
    match expression {
        Expr::Nested(inner) => as_text(inner),
        Expr::Cast { data_type: data_type @ DataType::Varchar(None), .. } => *data_type = DataType::Text,
        _ => {}
    }
}
