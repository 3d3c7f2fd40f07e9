//! The names of columns, as PostgreSQL gives them to expressions without an alias.
//!
//! An expression is named by its last column, function or cast: `max(x)` is `max`, `x::date` is `x`, `1::date` is `date`,
//! and what has no name is `?column?`. Two columns of one statement may have the same name; the engine demands different ones,
//! so a doubled name gets a mark, which [`shown_name`] takes off the columns of the result.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, DataType, Distinct, Expr, GroupByExpr, Ident, ObjectName, ObjectNamePart,
    OrderByKind, Query, SelectItem, SetExpr, Subscript, TrimWhereField, Visit, Visitor,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// What stands between a doubled name and its number: a character that no name has.
pub(super) const MARK: char = '\u{F8FF}';

/// The name of an expression without an alias and without a name.
const UNNAMED: &str = "?column?";

/// The name under which a column is shown.
pub fn shown_name(name: &str) -> &str {
    name.split_once(MARK).map_or(name, |(shown, _)| shown)
}

/// `*` or `t.*`.
pub(super) fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

/// Gives the items of a SELECT their names. `is_last` is that of the whole statement, whose columns nothing refers to.
pub(super) fn name_items(items: &mut [SelectItem], is_last: bool) {
    let has_wildcard = items.iter().any(is_wildcard);
    let mut taken: HashSet<String> = HashSet::new();
    for (place, item) in items.iter_mut().enumerate() {
        let name = match item {
            SelectItem::UnnamedExpr(expression) => name_of(expression),
            SelectItem::ExprWithAlias { alias, .. } => folded(alias),
            _ => continue,
        };
        let is_column = matches!(item, SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)));
        let is_new = taken.insert(name.clone());
        // A column that a wildcard may have as well.
        let is_doubled = !is_new || (is_last && has_wildcard && is_column);
        if is_column && !is_doubled {
            continue;
        }
        let alias = if is_doubled { format!("{name}{MARK}{place}") } else { name };
        let alias = Ident::with_quote('"', alias);
        match item {
            SelectItem::UnnamedExpr(expression) => {
                let expr = std::mem::replace(expression, Expr::Tuple(Vec::new()));
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
            SelectItem::ExprWithAlias { alias: given, .. } if is_doubled => *given = alias,
            _ => {}
        }
    }
}

/// Marks the names that the list of a statement gives, if a `*` beside them may have columns of the same names: nothing but its own
/// ORDER BY and DISTINCT ON refers to them.
pub(super) fn mark_beside_wildcard(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let is_grouped = !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    if is_grouped || !select.projection.iter().any(is_wildcard) {
        return;
    }
    let mut marked = Vec::new();
    for (place, item) in select.projection.iter_mut().enumerate() {
        if let SelectItem::ExprWithAlias { alias, .. } = item {
            let name = folded(alias);
            let mark = Ident::with_quote('"', format!("{name}{MARK}{place}"));
            *alias = mark.clone();
            marked.push((name, mark));
        }
    }
    let rename = |key: &mut Expr| {
        let mut key = key;
        while let Expr::Nested(inner) = key {
            key = inner;
        }
        if let Expr::Identifier(name) = key
            && let Some((_, mark)) = marked.iter().find(|(known, _)| *known == folded(name))
        {
            *name = mark.clone();
        }
    };
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        keys.iter_mut().for_each(rename);
    }
    if let Some(OrderByKind::Expressions(keys)) = query.order_by.as_mut().map(|order| &mut order.kind) {
        keys.iter_mut().map(|key| &mut key.expr).for_each(rename);
    }
}

/// A name as it is compared: in lower case, if it is not quoted.
pub(super) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_ascii_lowercase() }
}

/// Whether an expression names a column.
pub(super) fn has_columns(expression: &Expr) -> bool {
    struct Columns;
    impl Visitor for Columns {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            match expression {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    Visit::visit(expression, &mut Columns).is_break()
}

/// The name of an expression without an alias.
fn name_of(expression: &Expr) -> String {
    match named(expression) {
        Some((name, _)) => name,
        None => UNNAMED.to_owned(),
    }
}

/// How good a name is: a cast's is used only where what is cast has no better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    Weak,
    Strong,
}

fn named(expression: &Expr) -> Option<(String, Strength)> {
    let strong = |name: &str| Some((name.to_owned(), Strength::Strong));
    match expression {
        Expr::Identifier(name) => strong(&folded(name)),
        Expr::CompoundIdentifier(names) => strong(&folded(names.last()?)),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(name)) => Some(folded(name)),
                AccessExpr::Dot(_) | AccessExpr::Subscript(Subscript::Index { .. } | Subscript::Slice { .. }) => None,
            });
            field.map(|name| (name, Strength::Strong)).or_else(|| named(root))
        }
        Expr::Nested(inner) => named(inner),
        Expr::Collate { expr, .. } => named(expr),
        Expr::Function(function) => strong(&last_of(&function.name)?),
        Expr::Cast { expr, data_type, .. } => or_type(named(expr), data_type),
        Expr::TypedString(constant) => or_type(None, &constant.data_type),
        Expr::Interval(_) => Some(("interval".to_owned(), Strength::Weak)),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(named) {
            Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
            _ => Some(("case".to_owned(), Strength::Weak)),
        },
        Expr::Exists { negated: false, .. } => strong("exists"),
        Expr::Subquery(query) => first_name(query).map(|name| (name, Strength::Strong)),
        Expr::Array(Array { .. }) => strong("array"),
        Expr::Tuple(_) => strong("row"),
        Expr::BinaryOp { op: BinaryOperator::Overlaps, .. } => strong("overlaps"),
        Expr::Extract { .. } => strong("extract"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::Position { .. } => strong("position"),
        Expr::Substring { shorthand, .. } => strong(if *shorthand { "substr" } else { "substring" }),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        }),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::IsNormalized { negated: false, .. } => strong("is_normalized"),
        _ => None,
    }
}

fn or_type(name: Option<(String, Strength)>, data_type: &DataType) -> Option<(String, Strength)> {
    match name {
        Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
        _ => Some((type_name(data_type), Strength::Weak)),
    }
}

fn last_of(name: &ObjectName) -> Option<String> {
    match name.0.last()? {
        ObjectNamePart::Identifier(name) => Some(folded(name)),
        ObjectNamePart::Function(_) => None,
    }
}

/// The name of the one column of a subquery.
fn first_name(query: &Query) -> Option<String> {
    let mut body = query.body.as_ref();
    let select = loop {
        match body {
            SetExpr::Select(select) => break select,
            SetExpr::Query(query) => body = query.body.as_ref(),
            SetExpr::SetOperation { left, .. } => body = left.as_ref(),
            SetExpr::Values(_) => return Some("column1".to_owned()),
            _ => return None,
        }
    };
    match select.projection.first()? {
        SelectItem::UnnamedExpr(expression) => Some(name_of(expression)),
        SelectItem::ExprWithAlias { alias, .. } => Some(shown_name(&folded(alias)).to_owned()),
        _ => None,
    }
}

/// The name of a type in `pg_type`.
pub(super) fn type_name(data_type: &DataType) -> String {
    use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, TimezoneInfo};
    let with_zone = |zone: &TimezoneInfo| matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz);
    let name = match data_type {
        DataType::Boolean | DataType::Bool => "bool",
        DataType::SmallInt(_) | DataType::Int2(_) => "int2",
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => "int4",
        DataType::BigInt(_) | DataType::Int8(_) => "int8",
        DataType::Real | DataType::Float4 => "float4",
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float8 | DataType::Float(_) => "float8",
        DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_) => "numeric",
        DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::CharVarying(_) => "varchar",
        DataType::Char(_) | DataType::Character(_) => "bpchar",
        DataType::Timestamp(_, zone) if with_zone(zone) => "timestamptz",
        DataType::Timestamp(..) => "timestamp",
        DataType::Time(_, zone) if with_zone(zone) => "timetz",
        DataType::Time(..) => "time",
        DataType::Interval { .. } => "interval",
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _)
            | ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::Parenthesis(element),
        ) => return type_name(element),
        DataType::Custom(name, _) => return last_of(name).unwrap_or_default(),
        other => return other.to_string().to_ascii_lowercase(),
    };
    name.to_owned()
}
