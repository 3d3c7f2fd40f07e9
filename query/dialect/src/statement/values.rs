//! The columns of VALUES: a `character varying` beside other texts is a text, since the engine takes columns of one kind only.

use super::calls::function_name;
use datafusion::sql::sqlparser::ast::{DataType, Expr, Ident, ObjectName, SetExpr};

/// Makes texts of those casts to `character varying` that do not stand in every row.
pub(super) fn same_texts(body: &mut SetExpr) {
    match body {
        SetExpr::Values(values) => {
            for column in 0..values.rows.first().map_or(0, |row| row.len()) {
                let of_column = || values.rows.iter().filter_map(|row| row.get(column));
                if of_column().all(is_varchar) || !of_column().any(is_varchar) {
                    continue;
                }
                values.rows.iter_mut().filter_map(|row| row.get_mut(column)).for_each(as_text);
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            same_texts(left);
            same_texts(right);
        }
        _ => {}
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
