//! Types that must fit each other.

use super::binder::Binder;
use crate::error::{CatalogError, Result};
use crate::execute::cast;
use crate::parse::parse;
use crate::plan::{Expr, Kind};
use crate::types::{self, Family, Oid, UNKNOWN};
use crate::value::Datum;

impl Binder<'_> {
    fn type_text(&self, ty: Oid) -> String {
        if ty == UNKNOWN { "unknown".to_owned() } else { self.catalog.type_sql_name(ty, None).unwrap_or_default() }
    }

    /// `expr` as a value of `ty`. A literal or a parameter becomes one; others are cast if their types differ.
    pub(super) fn coerce(&self, expr: Expr, ty: Oid) -> Result<Expr> {
        let from = expr.ty;
        if from == ty || ty == 0 {
            return Ok(expr);
        }
        match expr.kind {
            Kind::Param(index) if from == UNKNOWN => {
                self.set_parameter(index, ty);
                Ok(Expr { ty, ..expr })
            }
            Kind::Const(Datum::Null) => Ok(Expr { ty, ..expr }),
            Kind::Const(value) if from == UNKNOWN => {
                let value = cast(self.catalog, &value, types::TEXT, ty)?;
                Ok(Expr::new(Kind::Const(value), ty))
            }
            _ if from == UNKNOWN => self.coerce(Expr { ty: types::TEXT, ..expr }, ty),
            // The same values under another name.
            _ if types::family(from) == types::family(ty) && types::family(ty) == Family::Text && ty != types::CHAR => {
                Ok(Expr { ty, modifier: -1, ..expr })
            }
            _ => Ok(Expr::new(Kind::Cast(Box::new(expr)), ty)),
        }
    }

    /// Both sides of a comparison as values that can be compared.
    pub(super) fn comparable(&self, left: Expr, right: Expr, operator: &str) -> Result<(Expr, Expr)> {
        let (l, r) = (left.ty, right.ty);
        if l == UNKNOWN && r == UNKNOWN {
            return Ok((self.coerce(left, types::TEXT)?, self.coerce(right, types::TEXT)?));
        }
        // A literal beside a name of an object is an OID.
        let as_literal = |ty: Oid| if types::is_oid_like(ty) { types::OID } else { ty };
        if l == UNKNOWN {
            return Ok((self.coerce(left, as_literal(r))?, right));
        }
        if r == UNKNOWN {
            return Ok((left, self.coerce(right, as_literal(l))?));
        }
        let (a, b) = (types::family(l), types::family(r));
        let is_number = |family| matches!(family, Family::Int | Family::Float);
        if a == b || is_number(a) && is_number(b) {
            return Ok((left, right));
        }
        Err(self.no_operator(operator, l, r))
    }

    pub(super) fn no_operator(&self, operator: &str, l: Oid, r: Oid) -> CatalogError {
        let (l, r) = (self.type_text(l), self.type_text(r));
        CatalogError::new("42883", format!("operator does not exist: {l} {operator} {r}"))
    }

    /// The type that values of several types have together.
    pub(super) fn common_type(&self, types: impl IntoIterator<Item = Oid>, what: &str) -> Result<Oid> {
        let mut common = UNKNOWN;
        for ty in types {
            if ty == UNKNOWN || ty == common {
                continue;
            }
            if common == UNKNOWN {
                common = ty;
                continue;
            }
            let (a, b) = (types::family(common), types::family(ty));
            let rank = |ty: Oid| match ty {
                types::INT2 => 0,
                types::INT4 => 1,
                types::INT8 => 2,
                _ => 3,
            };
            common = match (a, b) {
                (Family::Int, Family::Int) if rank(ty) > rank(common) => ty,
                (Family::Int, Family::Float) => ty,
                (Family::Float, Family::Float) if ty == types::FLOAT8 => ty,
                (Family::Text, Family::Text) if common == types::CHAR => ty,
                (Family::Float, Family::Int) => common,
                _ if a == b => common,
                _ => {
                    let (a, b) = (self.type_text(common), self.type_text(ty));
                    return Err(CatalogError::datatype(format!("{what} types {a} and {b} cannot be matched")));
                }
            };
        }
        Ok(if common == UNKNOWN { types::TEXT } else { common })
    }

    /// Expressions with the type that they have together.
    pub(super) fn alike(&self, exprs: Vec<Expr>, what: &str) -> Result<(Vec<Expr>, Oid)> {
        let common = self.common_type(exprs.iter().map(|expr| expr.ty), what)?;
        let exprs: Result<Vec<Expr>> = exprs.into_iter().map(|expr| self.coerce(expr, common)).collect();
        Ok((exprs?, common))
    }

    /// A condition.
    pub(super) fn condition(&self, expr: Expr, what: &str) -> Result<Expr> {
        match expr.ty {
            types::BOOL => Ok(expr),
            UNKNOWN => self.coerce(expr, types::BOOL),
            other => {
                let other = self.type_text(other);
                Err(CatalogError::datatype(format!("argument of {what} must be type boolean, not type {other}")))
            }
        }
    }

    /// The value of a literal text as one of `ty`, for `date '...'` and the like.
    pub(super) fn literal(&self, text: &str, ty: Oid) -> Result<Expr> {
        let value = match types::family(ty) {
            Family::Int => cast(self.catalog, &Datum::text(text), types::TEXT, ty)?,
            _ => parse(text, ty)?,
        };
        Ok(Expr::new(Kind::Const(value), ty))
    }
}
