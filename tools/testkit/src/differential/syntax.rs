//! Statements as syntax trees: parsing, and the kind of a small statement by which differences are grouped.

use super::kind::Kind;
use sqlparser::ast::{
    Array, BinaryOperator, CastKind, Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, JoinOperator, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value, Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The statement's tree, if it is one statement that the parser knows.
#[must_use]
pub(super) fn parse(sql: &str) -> Option<Statement> {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).ok()?;
    let statement = statements.pop()?;
    statements.is_empty().then_some(statement)
}

/// What a statement is made of: its functions, operators and casts with the types of their arguments, and its clauses. Two
/// statements that fail for the same reason have the same kind once they are as small as possible.
#[must_use]
pub fn kind_of(sql: &str) -> String {
    let Some(statement) = parse(sql) else {
        // The words in capitals say what it is about.
        let words = sql.split(|letter: char| !letter.is_ascii_alphabetic());
        let words: BTreeSet<&str> =
            words.filter(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())).collect();
        return format!("unparsed: {}", words.into_iter().collect::<Vec<_>>().join(" "));
    };
    let mut features = Features::default();
    let _ = statement.visit(&mut features);
    if let Statement::Query(query) = &statement {
        // A plain query of columns or constants.
        let found = features.found.iter().cloned().collect::<Vec<_>>();
        if found.is_empty() {
            return describe_plain(query);
        }
        return found.join(", ");
    }
    let text = statement.to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// The kind of the item at this place of the statement's columns, if the statement lists its columns and it is more than a
/// column's name.
#[must_use]
pub(super) fn kind_of_item(sql: &str, place: usize) -> Option<String> {
    let Statement::Query(query) = parse(sql)? else { return None };
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let is_listed = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
    if !select.projection.iter().all(is_listed) {
        return None;
    }
    let (SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. }) =
        select.projection.get(place)?
    else {
        return None;
    };
    let mut features = Features::default();
    let _ = expression.visit(&mut features);
    let found: Vec<String> = features.found.into_iter().collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn describe_plain(query: &Query) -> String {
    let SetExpr::Select(select) = query.body.as_ref() else { return "plain query".to_owned() };
    let items = select.projection.iter().map(|item| match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => type_of(expression),
        other => other.to_string(),
    });
    format!("SELECT {}", items.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", "))
}

#[derive(Default)]
struct Features {
    found: BTreeSet<String>,
}

impl Features {
    fn add(&mut self, feature: impl Into<String>) {
        self.found.insert(feature.into());
    }
}

impl Visitor for Features {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            self.add(if with.recursive { "WITH RECURSIVE" } else { "WITH" });
        }
        if query.fetch.is_some() {
            self.add("FETCH");
        }
        if let Some(limit) = &query.limit_clause {
            self.add(if limit.to_string().contains('$') { "LIMIT parameter" } else { "LIMIT" });
        }
        if let Some(order) = &query.order_by {
            self.add(if order.to_string().contains("NULLS") { "ORDER BY NULLS" } else { "ORDER BY" });
        }
        if let SetExpr::SetOperation { op, set_quantifier, .. } = query.body.as_ref() {
            self.add(format!("{op} {set_quantifier}").trim().to_owned());
        }
        if matches!(query.body.as_ref(), SetExpr::Values(_)) {
            self.add("VALUES");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        match &select.distinct {
            Some(Distinct::On(_)) => self.add("DISTINCT ON"),
            Some(_) => self.add("DISTINCT"),
            None => {}
        }
        if let GroupByExpr::Expressions(keys, _) = &select.group_by
            && !keys.is_empty()
        {
            self.add("GROUP BY");
        }
        if select.having.is_some() {
            self.add("HAVING");
        }
        for join in select.from.iter().flat_map(|from| &from.joins) {
            let name = match &join.join_operator {
                JoinOperator::Join(_) | JoinOperator::Inner(_) => "JOIN",
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => "LEFT JOIN",
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => "RIGHT JOIN",
                JoinOperator::FullOuter(_) => "FULL JOIN",
                JoinOperator::CrossJoin(_) => "CROSS JOIN",
                _ => "another JOIN",
            };
            self.add(name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Derived { lateral: true, .. } => self.add("LATERAL"),
            TableFactor::Table { name, args: Some(_), .. } => {
                self.add(format!("FROM {}()", name.to_string().to_lowercase()))
            }
            TableFactor::Function { name, .. } => self.add(format!("FROM {}()", name.to_string().to_lowercase())),
            TableFactor::UNNEST { .. } => self.add("FROM unnest()"),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Some(feature) = feature(expression) {
            self.add(feature);
        }
        ControlFlow::Continue(())
    }
}

/// What an expression is, without what is inside it; `None` for columns and constants.
fn feature(expression: &Expr) -> Option<String> {
    let one = |name: &str, expression: &Expr| Some(format!("{name} {}", type_of(expression)));
    match expression {
        Expr::BinaryOp { left, op, right } => {
            // The kind of AND and OR says nothing.
            let is_logical = matches!(op, BinaryOperator::And | BinaryOperator::Or);
            (!is_logical).then(|| format!("{} {op} {}", type_of(left), type_of(right)))
        }
        Expr::UnaryOp { op, expr } => match expr.as_ref() {
            Expr::Value(_) => None,
            expr => Some(format!("{op} {}", type_of(expr))),
        },
        Expr::Cast { kind, expr, data_type, .. } => {
            let target = data_type.to_string().to_lowercase();
            // A literal with its type is a constant.
            if matches!(expr.as_ref(), Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_))) {
                return Some(format!("'text'::{target}"));
            }
            let _: &CastKind = kind;
            Some(format!("{}::{target}", type_of(expr)))
        }
        Expr::Function(function) => Some(call(function)),
        Expr::AtTimeZone { timestamp, .. } => one("AT TIME ZONE of", timestamp),
        Expr::Extract { field, expr, .. } => Some(format!("EXTRACT({field} FROM {})", type_of(expr))),
        Expr::Like { expr, .. } => one("LIKE of", expr),
        Expr::ILike { expr, .. } => one("ILIKE of", expr),
        Expr::SimilarTo { expr, .. } => one("SIMILAR TO of", expr),
        Expr::InList { expr, list, .. } => {
            Some(format!("{} IN ({})", type_of(expr), list.first().map(type_of).unwrap_or_default()))
        }
        Expr::InSubquery { expr, .. } => one("IN subquery of", expr),
        Expr::Exists { .. } => Some("EXISTS".to_owned()),
        Expr::Subquery(_) => Some("scalar subquery".to_owned()),
        Expr::Between { expr, low, .. } => Some(format!("{} BETWEEN {}", type_of(expr), type_of(low))),
        Expr::Case { .. } => Some("CASE".to_owned()),
        Expr::AnyOp { left, compare_op, right, .. } => {
            Some(format!("{} {compare_op} ANY {}", type_of(left), type_of(right)))
        }
        Expr::AllOp { left, compare_op, right } => {
            Some(format!("{} {compare_op} ALL {}", type_of(left), type_of(right)))
        }
        Expr::IsNull(_) | Expr::IsNotNull(_) => Some("IS NULL".to_owned()),
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            Some(format!("{} IS DISTINCT FROM {}", type_of(left), type_of(right)))
        }
        Expr::Interval(_) => Some("INTERVAL literal".to_owned()),
        Expr::TypedString(typed) => Some(format!("{} literal", typed.data_type.to_string().to_lowercase())),
        Expr::Array(_) => Some("ARRAY[]".to_owned()),
        Expr::CompoundFieldAccess { .. } => Some("subscript".to_owned()),
        Expr::Tuple(_) => Some("row".to_owned()),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Nested(_) => None,
        Expr::Value(value) => match &value.value {
            Value::Placeholder(_) => Some("parameter".to_owned()),
            _ => None,
        },
        other => {
            // The name of the variant, which is that of the construct.
            let text = format!("{other:?}");
            Some(text.split([' ', '(', '{']).next().unwrap_or_default().to_owned())
        }
    }
}

fn call(function: &Function) -> String {
    let name = function.name.to_string().to_lowercase();
    let arguments = match &function.args {
        FunctionArguments::List(list) => list.args.iter().map(argument).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    };
    let mut text = format!("{name}({arguments})");
    if !function.within_group.is_empty() {
        text.push_str(&format!(
            " WITHIN GROUP {}",
            function.within_group.first().map(|key| type_of(&key.expr)).unwrap_or_default()
        ));
    }
    if function.filter.is_some() {
        text.push_str(" FILTER");
    }
    if let Some(window) = &function.over {
        text.push_str(if window.to_string().contains("BETWEEN") { " OVER frame" } else { " OVER" });
    }
    text
}

fn argument(argument: &FunctionArg) -> String {
    let (FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg)) = argument;
    match arg {
        FunctionArgExpr::Expr(expression) => type_of(expression),
        _ => "*".to_owned(),
    }
}

/// The type of an expression as far as it can be seen: of constants, casts and the columns of generated tables.
fn type_of(expression: &Expr) -> String {
    match expression {
        Expr::Nested(inner) => type_of(inner),
        Expr::UnaryOp { expr, .. } => type_of(expr),
        Expr::Identifier(name) => column_type(&name.value),
        Expr::CompoundIdentifier(names) => names.last().map(|name| column_type(&name.value)).unwrap_or_default(),
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) if number.to_string().contains(['.', 'e', 'E']) => "numeric".to_owned(),
            Value::Number(number, _) => {
                let is_long = number.to_string().parse::<i64>().is_ok_and(|number| i32::try_from(number).is_err());
                if is_long { "bigint" } else { "integer" }.to_owned()
            }
            Value::Boolean(_) => "boolean".to_owned(),
            Value::Null => "NULL".to_owned(),
            Value::Placeholder(_) => "$1".to_owned(),
            _ => "'text'".to_owned(),
        },
        Expr::Cast { data_type, .. } => normal_type(&data_type.to_string()),
        Expr::TypedString(typed) => normal_type(&typed.data_type.to_string()),
        Expr::Interval(_) => "interval".to_owned(),
        Expr::Function(function) => format!("{}()", function.name.to_string().to_lowercase()),
        Expr::Array(Array { elem, .. }) => format!("{}[]", elem.first().map(type_of).unwrap_or_default()),
        Expr::AtTimeZone { .. } => "local time".to_owned(),
        Expr::Extract { .. } => "extract()".to_owned(),
        Expr::Case { .. } => "CASE".to_owned(),
        Expr::Subquery(_) => "(SELECT)".to_owned(),
        Expr::BinaryOp { op, left, .. } => match op.to_string().as_str() {
            "=" | "<>" | "<" | ">" | "<=" | ">=" | "AND" | "OR" => "boolean".to_owned(),
            "||" => "text".to_owned(),
            _ => type_of(left),
        },
        _ => "expression".to_owned(),
    }
}

fn normal_type(text: &str) -> String {
    let text = text.to_lowercase();
    match text.as_str() {
        "int" | "int4" => "integer",
        "int2" => "smallint",
        "int8" => "bigint",
        "float8" | "float" | "double" => "double precision",
        "float4" => "real",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        "bool" => "boolean",
        other => other,
    }
    .to_owned()
}

fn column_type(name: &str) -> String {
    let kind = match name {
        "id" | "i4" | "t_id" | "v" => Kind::Int4,
        "b" => Kind::Bool,
        "i2" => Kind::Int2,
        "i8" => Kind::Int8,
        "f4" => Kind::Float4,
        "f8" | "f" => Kind::Float8,
        "num" | "big" | "amount" => Kind::Numeric,
        "s" | "s2" | "js" | "k" => Kind::Text,
        "dt" => Kind::Date,
        "tm" => Kind::Time,
        "ts" => Kind::Timestamp,
        "tz" | "at" => Kind::Timestamptz,
        "iv" => Kind::Interval,
        "ta" => Kind::TextArray,
        "ia" => Kind::IntArray,
        _ => return "column".to_owned(),
    };
    kind.name().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_a_kind_of_its_own() {
        assert_eq!(kind_of_item("SELECT id, lower(s) FROM d.t ORDER BY 1", 1).as_deref(), Some("lower(text)"));
        assert_eq!(kind_of_item("SELECT id, lower(s) FROM d.t", 0), None);
        assert_eq!(kind_of_item("SELECT *, lower(s) FROM d.t", 1), None);
    }

    #[test]
    fn kinds_have_functions_operators_and_casts() {
        assert_eq!(kind_of("SELECT lower(s) FROM d.t"), "lower(text)");
        assert_eq!(kind_of("SELECT lower(r1.s2) FROM d.e AS r1"), "lower(text)");
        assert_eq!(kind_of("SELECT i4 + 1.5, i4::text"), "integer + numeric, integer::text");
        assert_eq!(kind_of("SELECT 1 LIMIT $1"), "LIMIT parameter, parameter");
        assert_eq!(kind_of("SELECT tz FROM d.t"), "SELECT timestamptz");
        assert_eq!(kind_of("SELECT (1 FROM"), "unparsed: FROM SELECT");
        assert_eq!(kind_of("SELECT sum(i4) OVER (ORDER BY id) FROM d.t"), "sum(integer) OVER");
        assert_eq!(kind_of("SELECT extract(year FROM ts) FROM d.t"), "EXTRACT(YEAR FROM timestamp)");
    }
}
