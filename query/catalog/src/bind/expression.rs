//! Expressions.

use super::binder::Binder;
use super::names::{folded, parts};
use super::scope::{Scope, whole_row};
use crate::error::{CatalogError, Result};
use crate::plan::{Arithmetic, Comparison, Expr, Kind, Matching, Subquery};
use crate::types::{self, BOOL, Family, UNKNOWN};
use crate::value::Datum;
use sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr as Written, Ident, Query, Subscript, TrimWhereField, UnaryOperator, Value,
    ValueWithSpan,
};
use std::sync::Arc;

fn constant(value: Datum, ty: types::Oid) -> Expr {
    Expr::new(Kind::Const(value), ty)
}

fn negated(expr: Expr, is_negated: bool) -> Expr {
    if is_negated { Expr::new(Kind::Not(Box::new(expr)), BOOL) } else { expr }
}

impl Binder<'_> {
    pub(super) fn expression(&self, written: &Written, scope: &Scope<'_>) -> Result<Expr> {
        let bind = |written: &Written| self.expression(written, scope);
        let boxed = |written: &Written| bind(written).map(Box::new);
        let truth = |written: &Written| self.condition(bind(written)?, "IS").map(Box::new);
        Ok(match written {
            Written::Identifier(ident) => return self.identifier(ident, scope),
            Written::CompoundIdentifier(idents) => return self.compound(idents, scope),
            Written::CompoundFieldAccess { root, access_chain } => return self.access(root, access_chain, scope),
            Written::Nested(inner) => return bind(inner),
            Written::Collate { expr, .. } => return bind(expr),
            Written::Value(value) => return self.value(value),
            Written::TypedString(typed) => {
                let text = typed.value.value.clone().into_string().unwrap_or_default();
                let (ty, _) = types::named(&typed.data_type).ok_or_else(|| unknown_type(&typed.data_type))?;
                return self.literal(&text, ty);
            }
            Written::Cast { expr, data_type, .. } => return self.cast(bind(expr)?, data_type),
            Written::IsNull(expr) => Expr::new(Kind::IsNull(boxed(expr)?), BOOL),
            Written::IsNotNull(expr) => negated(Expr::new(Kind::IsNull(boxed(expr)?), BOOL), true),
            Written::IsUnknown(expr) => Expr::new(Kind::IsNull(truth(expr)?), BOOL),
            Written::IsNotUnknown(expr) => negated(Expr::new(Kind::IsNull(truth(expr)?), BOOL), true),
            Written::IsTrue(expr) => Expr::new(Kind::Is(truth(expr)?, true), BOOL),
            Written::IsNotTrue(expr) => negated(Expr::new(Kind::Is(truth(expr)?, true), BOOL), true),
            Written::IsFalse(expr) => Expr::new(Kind::Is(truth(expr)?, false), BOOL),
            Written::IsNotFalse(expr) => negated(Expr::new(Kind::Is(truth(expr)?, false), BOOL), true),
            Written::IsDistinctFrom(a, b) => self.distinct(bind(a)?, bind(b)?)?,
            Written::IsNotDistinctFrom(a, b) => negated(self.distinct(bind(a)?, bind(b)?)?, true),
            Written::Between { expr, negated: is_negated, low, high } => {
                let expr = bind(expr)?;
                let low = self.compare(expr.clone(), bind(low)?, Comparison::GreaterOrEqual)?;
                let high = self.compare(expr, bind(high)?, Comparison::LessOrEqual)?;
                negated(Expr::new(Kind::And(vec![low, high]), BOOL), *is_negated)
            }
            Written::BinaryOp { left, op, right } => return self.binary(left, op, right, scope),
            Written::UnaryOp { op, expr } => match op {
                UnaryOperator::Not => negated(self.condition(bind(expr)?, "NOT")?, true),
                UnaryOperator::Minus => match bind(expr)? {
                    Expr { kind: Kind::Const(Datum::Int(number)), ty, .. } => constant(Datum::Int(-number), ty),
                    Expr { kind: Kind::Const(Datum::Float(number)), ty, .. } => constant(Datum::Float(-number), ty),
                    expr => Expr { ty: expr.ty, ..Expr::new(Kind::Negate(Box::new(expr.clone())), expr.ty) },
                },
                UnaryOperator::Plus => return bind(expr),
                other => return Err(CatalogError::unsupported(format!("the operator {other}"))),
            },
            Written::Like { negated: is_negated, any: false, expr, pattern, escape_char } => {
                let like = self.matching(bind(expr)?, bind(pattern)?, like(escape_char.as_ref())?, false)?;
                negated(like, *is_negated)
            }
            Written::ILike { negated: is_negated, any: false, expr, pattern, escape_char } => {
                let like = self.matching(bind(expr)?, bind(pattern)?, like(escape_char.as_ref())?, true)?;
                negated(like, *is_negated)
            }
            Written::InList { expr, list, negated: is_negated } => {
                let expr = bind(expr)?;
                let list = list.iter().map(bind).collect::<Result<Vec<_>>>()?;
                negated(self.in_list(expr, list)?, *is_negated)
            }
            Written::InSubquery { expr, subquery, negated: is_negated } => {
                negated(self.of_query(expr, Comparison::Equal, false, subquery, scope)?, *is_negated)
            }
            Written::InUnnest { expr, array_expr, negated: is_negated } => {
                negated(self.of_array(bind(expr)?, Comparison::Equal, false, bind(array_expr)?)?, *is_negated)
            }
            Written::AnyOp { left, compare_op, right, .. } => {
                return self.quantified(left, compare_op, right, false, scope);
            }
            Written::AllOp { left, compare_op, right } => return self.quantified(left, compare_op, right, true, scope),
            Written::Exists { subquery, negated: is_negated } => {
                let (query, _) = self.subquery(subquery, scope)?;
                negated(Expr::new(Kind::Exists(query), BOOL), *is_negated)
            }
            Written::Subquery(subquery) => {
                let (query, _) = self.subquery(subquery, scope)?;
                let [column] = query.plan.columns.as_slice() else {
                    return Err(CatalogError::new("42601", "subquery must return only one column"));
                };
                let (ty, modifier, fields) = (column.ty, column.modifier, column.fields.clone());
                Expr { kind: Kind::Scalar(query), ty, modifier, fields }
            }
            Written::Case { operand, conditions, else_result, .. } => {
                let operand = operand.as_deref().map(bind).transpose()?;
                let mut tests = Vec::new();
                let mut results = Vec::new();
                for when in conditions {
                    let condition = bind(&when.condition)?;
                    tests.push(match &operand {
                        Some(operand) => self.compare(operand.clone(), condition, Comparison::Equal)?,
                        None => self.condition(condition, "CASE/WHEN")?,
                    });
                    results.push(bind(&when.result)?);
                }
                let has_else = else_result.is_some();
                results.extend(else_result.as_deref().map(bind).transpose()?);
                let (mut results, ty) = self.alike(results, "CASE")?;
                let otherwise = if has_else { results.pop().map(Box::new) } else { None };
                Expr::new(Kind::Case(tests.into_iter().zip(results).collect(), otherwise), ty)
            }
            Written::Array(array) => {
                let elements = array.elem.iter().map(bind).collect::<Result<Vec<_>>>()?;
                let (elements, element) = self.alike(elements, "ARRAY")?;
                let ty = types::array_of(element)
                    .ok_or_else(|| CatalogError::new("42704", "could not find array type for these elements"))?;
                Expr::new(Kind::MakeArray(elements, element), ty)
            }
            Written::Tuple(items) => {
                let items = items.iter().map(bind).collect::<Result<Vec<_>>>()?;
                self.row(items)?
            }
            Written::Function(function) => return self.function(function, scope),
            Written::Position { expr, r#in } => return self.call("position", vec![bind(r#in)?, bind(expr)?]),
            Written::Substring { expr, substring_from, substring_for, .. } => {
                let start = substring_from.as_deref().map(bind).transpose()?;
                let start = start.unwrap_or_else(|| constant(Datum::Int(1), types::INT4));
                let length = substring_for.as_deref().map(bind).transpose()?;
                let arguments = [Some(bind(expr)?), Some(start), length];
                return self.call("substring", arguments.into_iter().flatten().collect());
            }
            Written::Trim { expr, trim_where, trim_what, trim_characters } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "btrim",
                };
                let listed = trim_characters.iter().flatten();
                let what = trim_what.iter().map(AsRef::as_ref).chain(listed).map(bind).collect::<Result<Vec<_>>>()?;
                return self.call(name, [vec![bind(expr)?], what].concat());
            }
            other => {
                let text = other.to_string();
                let short: String = text.chars().take(60).collect();
                return Err(CatalogError::unsupported(format!("the expression {short}")));
            }
        })
    }

    fn identifier(&self, ident: &Ident, scope: &Scope<'_>) -> Result<Expr> {
        let name = folded(ident);
        if let Some(expr) = self.name(&name, scope)? {
            return Ok(expr);
        }
        // Functions that are written without parentheses.
        let is_bare = ["current_catalog", "current_role", "current_schema", "current_timestamp", "current_user"];
        if ident.quote_style.is_none()
            && (is_bare.contains(&name.as_str()) || ["session_user", "user"].contains(&name.as_str()))
        {
            return self.call(&name, Vec::new());
        }
        Err(CatalogError::new("42703", format!("column \"{name}\" does not exist")))
    }

    fn compound(&self, idents: &[Ident], scope: &Scope<'_>) -> Result<Expr> {
        let names: Vec<String> = idents.iter().map(folded).collect();
        match names.as_slice() {
            [alias, name] => self.qualified(None, alias, name, scope),
            [.., schema, table, name] => self.qualified(Some(schema), table, name, scope),
            _ => Err(CatalogError::unsupported("this name")),
        }
    }

    fn access(&self, root: &Written, chain: &[AccessExpr], scope: &Scope<'_>) -> Result<Expr> {
        // A name with subscripts is parsed as an identifier with fields.
        let mut chain = chain;
        let mut expr = match (root, chain) {
            (Written::Identifier(alias), [AccessExpr::Dot(Written::Identifier(name)), rest @ ..])
                if self.name(&folded(alias), scope)?.is_none_or(|expr| expr.fields.is_some()) =>
            {
                chain = rest;
                self.qualified(None, &folded(alias), &folded(name), scope)?
            }
            _ => self.expression(root, scope)?,
        };
        for access in chain {
            expr = match access {
                AccessExpr::Dot(Written::Identifier(name)) => field(expr, &folded(name))?,
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    let index = self.coerce(self.expression(index, scope)?, types::INT4)?;
                    let element = types::element(expr.ty).or((expr.ty == types::NAME).then_some(types::CHAR));
                    let Some(element) = element else {
                        return Err(CatalogError::datatype("cannot subscript a value that is no array"));
                    };
                    Expr::new(Kind::Index(Box::new(expr), Box::new(index)), element)
                }
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: None }) => {
                    let bound = |written: &Option<Written>| match written {
                        Some(written) => {
                            Ok(Some(Box::new(self.coerce(self.expression(written, scope)?, types::INT4)?)))
                        }
                        None => Ok(None),
                    };
                    let (lower, upper) = (bound(lower_bound)?, bound(upper_bound)?);
                    let ty = types::element(expr.ty).and_then(types::array_of).unwrap_or(expr.ty);
                    Expr::new(Kind::Slice(Box::new(expr), lower, upper), ty)
                }
                other => return Err(CatalogError::unsupported(format!("the access {other}"))),
            };
        }
        Ok(expr)
    }

    fn value(&self, value: &ValueWithSpan) -> Result<Expr> {
        Ok(match &value.value {
            Value::Number(digits, _) => {
                let digits = digits.to_string();
                match digits.parse::<i64>() {
                    Ok(number) if i32::try_from(number).is_ok() => constant(Datum::Int(number), types::INT4),
                    Ok(number) => constant(Datum::Int(number), types::INT8),
                    Err(_) => {
                        let number = digits.parse().map_err(|_| CatalogError::new("42601", "not a number"))?;
                        constant(Datum::Float(number), types::NUMERIC)
                    }
                }
            }
            Value::Boolean(value) => constant(Datum::Bool(*value), BOOL),
            Value::Null => constant(Datum::Null, UNKNOWN),
            Value::Placeholder(name) => {
                let number: usize = name.trim_start_matches('$').parse().unwrap_or(0);
                let Some(index) = number.checked_sub(1) else {
                    return Err(CatalogError::new("42P02", format!("there is no parameter {name}")));
                };
                let ty = self.parameter(index)?;
                Expr::new(Kind::Param(index), ty)
            }
            other => match other.clone().into_string() {
                Some(text) => constant(Datum::text(text), UNKNOWN),
                None => return Err(CatalogError::unsupported("this kind of literal")),
            },
        })
    }

    fn cast(&self, expr: Expr, data_type: &sqlparser::ast::DataType) -> Result<Expr> {
        let (ty, modifier) = match types::named(data_type) {
            Some(named) => named,
            None => match data_type {
                sqlparser::ast::DataType::Custom(name, _) => {
                    let name = parts(name).pop().unwrap_or_default();
                    match self.catalog.type_by_name(&name) {
                        Some(oid) => (oid, -1),
                        None => return Err(CatalogError::new("42704", format!("type \"{name}\" does not exist"))),
                    }
                }
                other => return Err(unknown_type(other)),
            },
        };
        let ty = types::base(ty);
        if ty == expr.ty && expr.modifier == modifier {
            return Ok(expr);
        }
        let cast = self.coerce(expr, ty)?;
        Ok(Expr { modifier, ..cast })
    }

    /// A row of expressions. Literals in it are texts.
    fn row(&self, items: Vec<Expr>) -> Result<Expr> {
        let settled = items.into_iter().map(|item| match item.ty {
            UNKNOWN => self.coerce(item, types::TEXT),
            _ => Ok(item),
        });
        let items = settled.collect::<Result<Vec<_>>>()?;
        let fields = items.iter().zip(1..).map(|(item, number)| (Arc::from(format!("f{number}")), item.ty)).collect();
        Ok(Expr { fields: Some(Arc::new(fields)), ..Expr::new(Kind::Row(items), types::RECORD) })
    }

    /// A comparison; of rows, of each pair of their items.
    pub(super) fn compare(&self, left: Expr, right: Expr, how: Comparison) -> Result<Expr> {
        if let (Kind::Row(l), Kind::Row(r)) = (&left.kind, &right.kind)
            && l.len() == r.len()
            && matches!(how, Comparison::Equal | Comparison::NotEqual)
        {
            let pairs = l.iter().cloned().zip(r.iter().cloned());
            let parts = pairs.map(|(l, r)| self.compare(l, r, how)).collect::<Result<Vec<_>>>()?;
            let kind = if how == Comparison::Equal { Kind::And(parts) } else { Kind::Or(parts) };
            return Ok(Expr::new(kind, BOOL));
        }
        let (left, right) = self.comparable(left, right, symbol(how))?;
        Ok(Expr::new(Kind::Compare(how, Box::new(left), Box::new(right)), BOOL))
    }

    fn distinct(&self, left: Expr, right: Expr) -> Result<Expr> {
        let (left, right) = self.comparable(left, right, "=")?;
        Ok(Expr::new(Kind::Distinct(Box::new(left), Box::new(right)), BOOL))
    }

    fn matching(&self, value: Expr, pattern: Expr, how: Matching, is_insensitive: bool) -> Result<Expr> {
        let (value, pattern) = (self.as_text(value, &pattern, "~~")?, pattern);
        let pattern = self.as_text(pattern, &value, "~~")?;
        let (value, pattern) = (Box::new(value), Box::new(pattern));
        Ok(Expr::new(Kind::Match { value, pattern, how, is_insensitive }, BOOL))
    }

    fn as_text(&self, expr: Expr, other: &Expr, operator: &str) -> Result<Expr> {
        match types::family(expr.ty) {
            Family::Unknown => self.coerce(expr, types::TEXT),
            Family::Text => Ok(expr),
            _ => Err(self.no_operator(operator, expr.ty, other.ty)),
        }
    }

    fn in_list(&self, expr: Expr, list: Vec<Expr>) -> Result<Expr> {
        if matches!(expr.kind, Kind::Row(_)) {
            let tests = list.into_iter().map(|item| self.compare(expr.clone(), item, Comparison::Equal));
            return Ok(Expr::new(Kind::Or(tests.collect::<Result<Vec<_>>>()?), BOOL));
        }
        let mut expr = expr;
        if expr.ty == UNKNOWN {
            let ty = self.common_type(list.iter().map(|item| item.ty), "IN")?;
            expr = self.coerce(expr, ty)?;
        }
        let items = list.into_iter().map(|item| Ok(self.comparable(expr.clone(), item, "=")?.1));
        let items = items.collect::<Result<Vec<_>>>()?;
        Ok(Expr::new(Kind::InList(Box::new(expr), items), BOOL))
    }

    /// A query inside an expression, and whether it is the same for all rows.
    pub(super) fn subquery(&self, query: &Query, scope: &Scope<'_>) -> Result<(Arc<Subquery>, bool)> {
        let plan = self.query(query, scope)?;
        let mut is_constant = !plan.reads_common_tables(&[]);
        plan.columns(1, &mut |_, _| is_constant = false);
        let slot = is_constant.then(|| self.new_slot());
        Ok((Arc::new(Subquery { plan, slot }), is_constant))
    }

    fn of_query(
        &self,
        left: &Written,
        how: Comparison,
        is_all: bool,
        query: &Query,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let left = self.expression(left, scope)?;
        let left = match left.kind {
            Kind::Row(items) => items,
            _ => vec![left],
        };
        let (query, _) = self.subquery(query, scope)?;
        if left.len() != query.plan.columns.len() {
            let few = if left.len() < query.plan.columns.len() { "many" } else { "few" };
            return Err(CatalogError::new("42601", format!("subquery has too {few} columns")));
        }
        let pairs = left.into_iter().zip(&query.plan.columns);
        let left = pairs.map(|(expr, column)| {
            let column = Expr::new(Kind::Const(Datum::Null), column.ty);
            Ok(self.comparable(expr, column, symbol(how))?.0)
        });
        let left = left.collect::<Result<Vec<_>>>()?;
        Ok(Expr::new(Kind::OfQuery { left, how, is_all, query }, BOOL))
    }

    fn of_array(&self, left: Expr, how: Comparison, is_all: bool, array: Expr) -> Result<Expr> {
        let (mut left, mut array) = (left, array);
        if array.ty == UNKNOWN {
            if left.ty == UNKNOWN {
                left = self.coerce(left, types::TEXT)?;
            }
            let ty = types::array_of(left.ty).unwrap_or(types::TEXT_ARRAY);
            array = self.coerce(array, ty)?;
        }
        let Some(element) = types::element(array.ty) else {
            return Err(CatalogError::new("42809", "op ANY/ALL (array) requires array on right side"));
        };
        let (left, _) = self.comparable(left, Expr::new(Kind::Const(Datum::Null), element), symbol(how))?;
        let (left, array) = (Box::new(left), Box::new(array));
        Ok(Expr::new(Kind::OfArray { left, how, is_all, array }, BOOL))
    }

    /// `left op ANY (...)` or `left op ALL (...)`.
    fn quantified(
        &self,
        left: &Written,
        op: &BinaryOperator,
        right: &Written,
        is_all: bool,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let op = operator(op);
        let right = match right {
            Written::Nested(inner) => inner,
            other => other,
        };
        let Some(how) = comparison(&op) else {
            let Some((how, is_insensitive, is_negated)) = pattern(&op) else {
                return Err(CatalogError::unsupported(format!("the operator {op} with ANY or ALL")));
            };
            let array = self.coerce(self.expression(right, scope)?, types::TEXT_ARRAY)?;
            let value = self.expression(left, scope)?;
            let value = self.as_text(value, &array, &op)?;
            let (value, array) = (Box::new(value), Box::new(array));
            let kind = Kind::MatchArray { value, array, how, is_insensitive, is_negated, is_all };
            return Ok(Expr::new(kind, BOOL));
        };
        match right {
            Written::Subquery(query) => self.of_query(left, how, is_all, query, scope),
            _ => self.of_array(self.expression(left, scope)?, how, is_all, self.expression(right, scope)?),
        }
    }

    fn binary(&self, left: &Written, op: &BinaryOperator, right: &Written, scope: &Scope<'_>) -> Result<Expr> {
        let op = operator(op);
        if op == "AND" || op == "OR" {
            return self.logical(left, &op, right, scope);
        }
        let (l, r) = (self.expression(left, scope)?, self.expression(right, scope)?);
        if let Some(how) = comparison(&op) {
            return self.compare(l, r, how);
        }
        if let Some((how, is_insensitive, is_negated)) = pattern(&op) {
            return Ok(negated(self.matching(l, r, how, is_insensitive)?, is_negated));
        }
        match op.as_str() {
            "||" => self.concatenation(l, r),
            "@>" | "<@" | "&&" if types::element(l.ty).is_some() || types::element(r.ty).is_some() => {
                let (l, r) = if l.ty == UNKNOWN {
                    (self.coerce(l, r.ty)?, r)
                } else {
                    let ty = l.ty;
                    (l, self.coerce(r, ty)?)
                };
                let name = match op.as_str() {
                    "&&" => "arrayoverlap",
                    "@>" => "arraycontains",
                    _ => "arraycontained",
                };
                self.call(name, vec![l, r])
            }
            "^@" => self.call("starts_with", vec![l, r]),
            "^" => {
                let is_float = |expr: &Expr| types::family(expr.ty) == Family::Int || expr.ty == types::FLOAT8;
                if !is_float(&l) || !is_float(&r) {
                    return Err(CatalogError::unsupported("the operator ^ of such values"));
                }
                self.call("power", vec![l, r])
            }
            "-" if self.is_time(&l) && self.is_time(&r) => Err(CatalogError::unsupported("a difference of times")),
            _ => match arithmetic(&op) {
                Some(how) => self.arithmetic(how, &op, l, r),
                None => Err(CatalogError::unsupported(format!("the operator {op}"))),
            },
        }
    }

    fn is_time(&self, expr: &Expr) -> bool {
        types::family(expr.ty) == Family::Time
    }

    fn logical(&self, left: &Written, op: &str, right: &Written, scope: &Scope<'_>) -> Result<Expr> {
        // A chain leans to the left: its links are collected without recursion.
        let mut links = vec![right];
        let mut first = left;
        while let Written::BinaryOp { left, op: inner, right } = first
            && operator(inner) == op
        {
            links.push(right);
            first = left;
        }
        links.push(first);
        let parts = links.into_iter().rev().map(|written| self.condition(self.expression(written, scope)?, op));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        Ok(Expr::new(if op == "AND" { Kind::And(parts) } else { Kind::Or(parts) }, BOOL))
    }

    fn arithmetic(&self, how: Arithmetic, op: &str, l: Expr, r: Expr) -> Result<Expr> {
        let (l, r) = match (l.ty, r.ty) {
            (UNKNOWN, UNKNOWN) => return Err(self.no_operator(op, UNKNOWN, UNKNOWN)),
            (UNKNOWN, ty) => (self.coerce(l, ty)?, r),
            (ty, UNKNOWN) => (l, self.coerce(r, ty)?),
            _ => (l, r),
        };
        let families = (types::family(l.ty), types::family(r.ty));
        let is_number = |family| matches!(family, Family::Int | Family::Float);
        if !is_number(families.0) || !is_number(families.1) {
            return Err(self.no_operator(op, l.ty, r.ty));
        }
        let ty = match families {
            (Family::Int, Family::Int) => {
                let rank = |ty| match ty {
                    types::INT2 => 0,
                    types::INT4 => 1,
                    _ => 2,
                };
                [types::INT2, types::INT4, types::INT8][rank(l.ty).max(rank(r.ty))]
            }
            _ => self.common_type([l.ty, r.ty], op)?,
        };
        Ok(Expr::new(Kind::Arithmetic(how, Box::new(l), Box::new(r)), ty))
    }

    fn concatenation(&self, l: Expr, r: Expr) -> Result<Expr> {
        let (is_left_array, is_right_array) = (types::element(l.ty).is_some(), types::element(r.ty).is_some());
        if is_left_array && is_right_array {
            return self.call("array_cat", vec![l, r]);
        }
        if is_left_array && !matches!(l.ty, types::INT2VECTOR | types::OIDVECTOR) {
            let array = l.ty;
            let r = if r.ty == UNKNOWN && matches!(r.kind, Kind::Const(Datum::Text(_))) {
                self.coerce(r, array)?
            } else {
                r
            };
            let name = if r.ty == array { "array_cat" } else { "array_append" };
            return self.call(name, vec![l, r]);
        }
        if is_right_array && l.ty != UNKNOWN && types::element(r.ty) == Some(l.ty) {
            return self.call("array_prepend", vec![l, r]);
        }
        let text = |expr: Expr| match types::family(expr.ty) {
            Family::Text if expr.ty != types::CHAR => Ok(expr),
            _ => self.coerce(expr, types::TEXT),
        };
        Ok(Expr::new(Kind::Concat(Box::new(text(l)?), Box::new(text(r)?)), types::TEXT))
    }

    /// The row of the source `alias`, if there is one.
    pub(super) fn row_of(&self, alias: &str, scope: &Scope<'_>) -> Option<Expr> {
        self.item(None, alias, scope).map(|(item, depth)| whole_row(item, depth))
    }
}

fn unknown_type(data_type: &sqlparser::ast::DataType) -> CatalogError {
    CatalogError::new("42704", format!("type \"{}\" does not exist", data_type.to_string().to_lowercase()))
}

/// A field of a row.
fn field(expr: Expr, name: &str) -> Result<Expr> {
    let fields = expr.fields.clone().unwrap_or_default();
    match fields.iter().position(|(known, _)| **known == *name) {
        Some(place) => Ok(Expr::new(Kind::Field(Box::new(expr), place), fields[place].1)),
        None => Err(CatalogError::new("42703", format!("column \"{name}\" not found in data type record"))),
    }
}

fn like(escape: Option<&ValueWithSpan>) -> Result<Matching> {
    let Some(written) = escape else { return Ok(Matching::Like(Some('\\'))) };
    let text = written.value.clone().into_string().unwrap_or_default();
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (escape, None) => Ok(Matching::Like(escape)),
        _ => Err(CatalogError::new("22019", "invalid escape string")),
    }
}

pub(super) fn symbol(how: Comparison) -> &'static str {
    match how {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

/// The text of an operator, also of one that is written as OPERATOR(schema.op).
fn operator(op: &BinaryOperator) -> String {
    match op {
        BinaryOperator::PGCustomBinaryOperator(parts) => parts.last().cloned().unwrap_or_default(),
        other => other.to_string(),
    }
}

fn comparison(op: &str) -> Option<Comparison> {
    Some(match op {
        "=" => Comparison::Equal,
        "<>" | "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// How an operator matches a pattern: how, without regard to case, and whether it is negated.
fn pattern(op: &str) -> Option<(Matching, bool, bool)> {
    let like = Matching::Like(Some('\\'));
    Some(match op {
        "~" => (Matching::Regex, false, false),
        "~*" => (Matching::Regex, true, false),
        "!~" => (Matching::Regex, false, true),
        "!~*" => (Matching::Regex, true, true),
        "~~" | "LIKE" => (like, false, false),
        "~~*" | "ILIKE" => (like, true, false),
        "!~~" => (like, false, true),
        "!~~*" => (like, true, true),
        _ => return None,
    })
}

fn arithmetic(op: &str) -> Option<Arithmetic> {
    Some(match op {
        "+" => Arithmetic::Add,
        "-" => Arithmetic::Subtract,
        "*" => Arithmetic::Multiply,
        "/" => Arithmetic::Divide,
        "%" => Arithmetic::Remainder,
        "&" => Arithmetic::And,
        "|" => Arithmetic::Or,
        "<<" => Arithmetic::ShiftLeft,
        ">>" => Arithmetic::ShiftRight,
        _ => return None,
    })
}
