//! Expressions.

use super::binder::Binder;
use super::names::{folded, parts};
use super::scope::{Scope, whole_row};
use crate::error::{CatalogError, Result};
use crate::plan::{Comparison, Expr, Kind, Matching, Subquery};
use crate::types::{self, BOOL, UNKNOWN};
use crate::value::Datum;
use sqlparser::ast::{
    AccessExpr, CharacterLength, DataType, Expr as Written, Ident, Query, Subscript, TrimWhereField, UnaryOperator,
    Value, ValueWithSpan,
};
use std::sync::Arc;

fn constant(value: Datum, ty: types::Oid) -> Expr {
    Expr::new(Kind::Const(value), ty)
}

pub(super) fn negated(expr: Expr, is_negated: bool) -> Expr {
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

    fn cast(&self, expr: Expr, data_type: &DataType) -> Result<Expr> {
        if let DataType::Char(Some(length)) | DataType::Character(Some(length)) = data_type
            && !matches!(length, CharacterLength::IntegerLength { length: 1, .. })
        {
            return Err(CatalogError::unsupported("the type character(n)"));
        }
        let (ty, modifier) = match types::named(data_type) {
            Some(named) => named,
            None => match data_type {
                DataType::Custom(name, _) => {
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

    /// A query inside an expression, and whether it is the same for all rows.
    pub(super) fn subquery(&self, query: &Query, scope: &Scope<'_>) -> Result<(Arc<Subquery>, bool)> {
        let plan = self.query(query, scope)?;
        let mut is_constant = !plan.reads_common_tables(&[]);
        plan.columns(1, &mut |_, _| is_constant = false);
        let slot = is_constant.then(|| self.new_slot());
        Ok((Arc::new(Subquery { plan, slot }), is_constant))
    }

    /// The row of the source `alias`, if there is one.
    pub(super) fn row_of(&self, alias: &str, scope: &Scope<'_>) -> Option<Expr> {
        self.item(None, alias, scope).map(|(item, depth)| whole_row(item, depth))
    }
}

fn unknown_type(data_type: &DataType) -> CatalogError {
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
