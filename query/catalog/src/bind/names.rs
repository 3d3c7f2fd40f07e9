//! The names of columns that a statement does not name.

use sqlparser::ast::{AccessExpr, Expr, ObjectName, Query, SelectItem, SetExpr, Subscript, TrimWhereField};

/// An identifier as PostgreSQL folds it.
pub(crate) fn folded(ident: &sqlparser::ast::Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// The parts of a name.
pub(crate) fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().map(|part| part.as_ident().map_or_else(|| part.to_string(), folded)).collect()
}

pub(super) fn column_name(expr: &Expr) -> String {
    found(expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// A name, and whether it is more than a guess from a type.
fn found(expr: &Expr) -> Option<(String, bool)> {
    let sure = |name: &str| Some((name.to_owned(), true));
    match expr {
        Expr::Identifier(ident) => Some((folded(ident), true)),
        Expr::CompoundIdentifier(idents) => idents.last().map(|ident| (folded(ident), true)),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let name = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(ident)) => Some((folded(ident), true)),
                _ => None,
            });
            let is_element = |access: &AccessExpr| {
                matches!(access, AccessExpr::Subscript(Subscript::Index { .. } | Subscript::Slice { .. }))
            };
            name.or_else(|| access_chain.iter().all(is_element).then(|| found(root)).flatten())
        }
        Expr::Nested(inner) => found(inner),
        Expr::Collate { expr, .. } => found(expr),
        Expr::Function(function) => parts(&function.name).pop().map(|name| (name, true)),
        Expr::Cast { expr, data_type, .. } => match found(expr) {
            Some((name, true)) => Some((name, true)),
            guess => {
                let named = crate::types::named(data_type).and_then(|(oid, _)| crate::types::type_name(oid));
                let named = named.map(|name| (name.trim_start_matches('_').to_owned(), false));
                named.or(guess)
            }
        },
        Expr::TypedString(typed) => {
            let named = crate::types::named(&typed.data_type).and_then(|(oid, _)| crate::types::type_name(oid));
            named.map(|name| (name.to_owned(), false))
        }
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(found) {
            Some((name, true)) => Some((name, true)),
            _ => Some(("case".to_owned(), false)),
        },
        Expr::Exists { .. } => sure("exists"),
        Expr::Array(_) => sure("array"),
        Expr::Tuple(_) => sure("row"),
        Expr::Subquery(query) => of_query(query).map(|name| (name, true)),
        Expr::Extract { .. } => sure("extract"),
        Expr::Position { .. } => sure("position"),
        Expr::Substring { .. } => sure("substring"),
        Expr::Trim { trim_where, .. } => sure(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        _ => None,
    }
}

fn of_query(query: &Query) -> Option<String> {
    match query.body.as_ref() {
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expr) => Some(column_name(expr)),
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            _ => None,
        },
        SetExpr::Query(query) => of_query(query),
        _ => None,
    }
}
