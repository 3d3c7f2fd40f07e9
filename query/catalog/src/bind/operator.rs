//! Operators: of two values, of a value and a list, a query or an array.

use super::binder::Binder;
use super::expression::negated;
use super::scope::Scope;
use crate::error::{CatalogError, Result};
use crate::plan::{Arithmetic, Comparison, Expr, Kind, Matching};
use crate::types::{self, BOOL, Family, UNKNOWN};
use crate::value::Datum;
use sqlparser::ast::{BinaryOperator, Expr as Written, Query};

impl Binder<'_> {
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

    pub(super) fn distinct(&self, left: Expr, right: Expr) -> Result<Expr> {
        let (left, right) = self.comparable(left, right, "=")?;
        Ok(Expr::new(Kind::Distinct(Box::new(left), Box::new(right)), BOOL))
    }

    pub(super) fn matching(&self, value: Expr, pattern: Expr, how: Matching, is_insensitive: bool) -> Result<Expr> {
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

    pub(super) fn in_list(&self, expr: Expr, list: Vec<Expr>) -> Result<Expr> {
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

    pub(super) fn of_query(
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

    pub(super) fn of_array(&self, left: Expr, how: Comparison, is_all: bool, array: Expr) -> Result<Expr> {
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
    pub(super) fn quantified(
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

    pub(super) fn binary(
        &self,
        left: &Written,
        op: &BinaryOperator,
        right: &Written,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
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
}

fn symbol(how: Comparison) -> &'static str {
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
