//! The value of an expression for one row.

use super::{Frame, Run, cast};
use crate::error::{CatalogError, Result};
use crate::plan::{Arithmetic, Comparison, Expr, Kind, Subquery};
use crate::tables::Rows;
use crate::types::{self, Family};
use crate::value::{ArrayValue, Datum};
use std::cmp::Ordering;
use std::sync::Arc;

fn holds(how: Comparison, order: Ordering) -> bool {
    match how {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// The value of a comparison; unknown with NULL.
fn compared(how: Comparison, left: &Datum, right: &Datum) -> Option<bool> {
    (!left.is_null() && !right.is_null()).then(|| holds(how, left.order(right)))
}

fn truth(value: Option<bool>) -> Datum {
    value.map_or(Datum::Null, Datum::Bool)
}

/// Whether any, or all, of the truths hold; unknown as in PostgreSQL.
fn quantified(is_all: bool, truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut is_unknown = false;
    for truth in truths {
        match truth {
            Some(value) if value != is_all => return Some(value),
            Some(_) => {}
            None => is_unknown = true,
        }
    }
    if is_unknown { None } else { Some(is_all) }
}

impl Run<'_> {
    pub(super) fn evaluate(&self, expr: &Expr, frame: &Frame<'_>) -> Result<Datum> {
        let of = |expr: &Expr| self.evaluate(expr, frame);
        Ok(match &expr.kind {
            Kind::Const(value) => value.clone(),
            Kind::Param(index) => self.values.get(*index).cloned().unwrap_or(Datum::Null),
            Kind::Column { depth, index } => {
                let mut at = Some(frame);
                for _ in 0..*depth {
                    at = at.and_then(|frame| frame.parent);
                }
                match at.and_then(|frame| frame.row.get(*index)) {
                    Some(value) => value.clone(),
                    None => {
                        return Err(CatalogError::new("XX000", "a column of a statement over the catalog is missing"));
                    }
                }
            }
            Kind::Aggregate(place) => frame.aggregates.get(*place).cloned().unwrap_or(Datum::Null),
            Kind::Window(place) => frame.windows.get(*place).cloned().unwrap_or(Datum::Null),
            Kind::Series(place) => frame.series.get(*place).cloned().unwrap_or(Datum::Null),
            Kind::Call(function, arguments) => {
                self.step(1)?;
                let values = arguments.iter().map(of).collect::<Result<Vec<_>>>()?;
                if function.is_strict && values.iter().any(Datum::is_null) {
                    return Ok(Datum::Null);
                }
                let types: Vec<types::Oid> = arguments.iter().map(|argument| argument.ty).collect();
                let value = (function.call)(&self.context, &values, &types)?;
                self.hold(value.heap_bytes())?;
                value
            }
            Kind::And(parts) => self.junction(parts, false, frame)?,
            Kind::Or(parts) => self.junction(parts, true, frame)?,
            Kind::Not(part) => match of(part)? {
                Datum::Bool(value) => Datum::Bool(!value),
                other => other,
            },
            Kind::IsNull(part) => Datum::Bool(match of(part)? {
                Datum::Null => true,
                Datum::Record(items) => items.iter().all(Datum::is_null),
                _ => false,
            }),
            Kind::Is(part, wanted) => Datum::Bool(of(part)? == Datum::Bool(*wanted)),
            Kind::Compare(how, left, right) => truth(compared(*how, &of(left)?, &of(right)?)),
            Kind::Distinct(left, right) => {
                let (left, right) = (of(left)?, of(right)?);
                Datum::Bool(match (left.is_null(), right.is_null()) {
                    (false, false) => left.order(&right).is_ne(),
                    (left, right) => left != right,
                })
            }
            Kind::Match { value, pattern, how, is_insensitive } => match (of(value)?, of(pattern)?) {
                (Datum::Text(text), Datum::Text(pattern)) => {
                    Datum::Bool(self.matches(&text, &pattern, *how, *is_insensitive)?)
                }
                _ => Datum::Null,
            },
            Kind::MatchArray { value, array, how, is_insensitive, is_negated, is_all } => {
                let (Datum::Text(text), Datum::Array(patterns)) = (of(value)?, of(array)?) else {
                    return Ok(Datum::Null);
                };
                let mut truths = Vec::new();
                for pattern in &patterns.items {
                    truths.push(match pattern {
                        Datum::Text(pattern) => {
                            Some(self.matches(&text, pattern, *how, *is_insensitive)? != *is_negated)
                        }
                        _ => None,
                    });
                }
                truth(quantified(*is_all, truths.into_iter()))
            }
            Kind::Case(whens, otherwise) => {
                for (condition, result) in whens {
                    if of(condition)?.is_true() {
                        return of(result);
                    }
                }
                otherwise.as_deref().map_or(Ok(Datum::Null), of)?
            }
            Kind::Coalesce(parts) => {
                for part in parts {
                    let value = of(part)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Datum::Null
            }
            Kind::Extreme(parts, is_greatest) => {
                let values = parts.iter().map(of).collect::<Result<Vec<_>>>()?;
                let values = values.into_iter().filter(|value| !value.is_null());
                let extreme =
                    if *is_greatest { values.max_by(|a, b| a.order(b)) } else { values.min_by(|a, b| a.order(b)) };
                extreme.unwrap_or(Datum::Null)
            }
            Kind::Scalar(query) => {
                let rows = self.subquery(query, frame)?;
                match rows.all.as_slice() {
                    [] => Datum::Null,
                    [row] => row[0].clone(),
                    _ => {
                        let message = "more than one row returned by a subquery used as an expression";
                        return Err(CatalogError::new("21000", message));
                    }
                }
            }
            Kind::Exists(query) => Datum::Bool(!self.subquery(query, frame)?.all.is_empty()),
            Kind::ArrayOf(query, element) => {
                let rows = self.subquery(query, frame)?;
                Datum::array(*element, rows.all.iter().map(|row| row[0].clone()).collect())
            }
            Kind::OfQuery { left, how, is_all, query } => {
                let left = left.iter().map(of).collect::<Result<Vec<_>>>()?;
                let rows = self.subquery(query, frame)?;
                self.of_rows(&left, *how, *is_all, &rows)?
            }
            Kind::OfArray { left, how, is_all, array } => {
                let left = of(left)?;
                let Datum::Array(array) = of(array)? else { return Ok(Datum::Null) };
                self.step(array.items.len())?;
                truth(quantified(*is_all, array.items.iter().map(|item| compared(*how, &left, item))))
            }
            Kind::InList(value, list) => {
                let value = of(value)?;
                let mut is_unknown = value.is_null();
                for item in list {
                    match compared(Comparison::Equal, &value, &of(item)?) {
                        Some(true) => return Ok(Datum::Bool(true)),
                        Some(false) => {}
                        None => is_unknown = true,
                    }
                }
                if is_unknown { Datum::Null } else { Datum::Bool(false) }
            }
            Kind::MakeArray(parts, element) => {
                Datum::array(*element, parts.iter().map(of).collect::<Result<Vec<_>>>()?)
            }
            Kind::Row(parts) => Datum::Record(parts.iter().map(of).collect::<Result<Vec<_>>>()?.into()),
            Kind::Field(row, place) => of(row)?.items().get(*place).cloned().unwrap_or(Datum::Null),
            Kind::Index(array, index) => match (of(array)?, of(index)?) {
                (Datum::Array(array), Datum::Int(index)) => {
                    let place = usize::try_from(index - array.lower).ok();
                    place.and_then(|place| array.items.get(place)).cloned().unwrap_or(Datum::Null)
                }
                _ => Datum::Null,
            },
            Kind::Slice(array, lower, upper) => {
                let Datum::Array(array) = of(array)? else { return Ok(Datum::Null) };
                let bound = |bound: &Option<Box<Expr>>, otherwise: i64| match bound {
                    Some(expr) => Ok(of(expr)?.as_int()),
                    None => Ok(otherwise),
                };
                let last = array.lower + array.items.len() as i64 - 1;
                let (lower, upper) = (bound(lower, array.lower)?.max(array.lower), bound(upper, last)?.min(last));
                let items = (lower..=upper).filter_map(|index| {
                    usize::try_from(index - array.lower).ok().and_then(|place| array.items.get(place)).cloned()
                });
                Datum::Array(Arc::new(ArrayValue { lower: 1, element: array.element, items: items.collect() }))
            }
            Kind::Cast(inner) => {
                let value = cast(self.context.catalog, &of(inner)?, inner.ty, expr.ty)?;
                self.hold(value.heap_bytes())?;
                value
            }
            Kind::Arithmetic(how, left, right) => arithmetic(*how, &of(left)?, &of(right)?, expr.ty)?,
            Kind::Negate(inner) => match of(inner)? {
                Datum::Int(number) => Datum::Int(number.checked_neg().ok_or_else(|| out_of_range(expr.ty))?),
                Datum::Float(number) => Datum::Float(-number),
                _ => Datum::Null,
            },
            Kind::Concat(left, right) => match (of(left)?, of(right)?) {
                (Datum::Text(left), Datum::Text(right)) => {
                    self.hold(left.len() + right.len())?;
                    Datum::text([&*left, &*right].concat())
                }
                _ => Datum::Null,
            },
        })
    }

    /// AND (until one is false) or OR (until one is true).
    fn junction(&self, parts: &[Expr], decides: bool, frame: &Frame<'_>) -> Result<Datum> {
        let mut is_unknown = false;
        for part in parts {
            match self.evaluate(part, frame)? {
                Datum::Bool(value) if value == decides => return Ok(Datum::Bool(decides)),
                Datum::Bool(_) => {}
                _ => is_unknown = true,
            }
        }
        Ok(if is_unknown { Datum::Null } else { Datum::Bool(!decides) })
    }

    fn subquery(&self, query: &Subquery, frame: &Frame<'_>) -> Result<Arc<Rows>> {
        if let Some(rows) = query.slot.and_then(|slot| self.slot(slot)) {
            return Ok(rows);
        }
        let before = self.bytes.get();
        let rows = Arc::new(Rows::new(self.query(&query.plan, Some(frame))?));
        // What it made on the way is gone.
        self.bytes.set(before);
        for row in &rows.all {
            self.keep(row)?;
        }
        if let Some(slot) = query.slot {
            self.set_slot(slot, Arc::clone(&rows));
        }
        Ok(rows)
    }

    fn of_rows(&self, left: &[Datum], how: Comparison, is_all: bool, rows: &Rows) -> Result<Datum> {
        // The common case is one column: by its index.
        if let ([value], Comparison::Equal, false) = (left, how, is_all)
            && !value.is_null()
            && rows.all.len() > 8
        {
            if rows.index(&[0]).contains_key(&value.key()) {
                return Ok(Datum::Bool(true));
            }
            let has_null = rows.all.iter().any(|row| row[0].is_null());
            return Ok(if has_null { Datum::Null } else { Datum::Bool(false) });
        }
        self.step(rows.all.len())?;
        let of_row = |row: &Vec<Datum>| match how {
            // A row is equal if all its columns are, and unequal if one is not.
            Comparison::NotEqual => quantified(false, left.iter().zip(row).map(|(l, r)| compared(how, l, r))),
            _ => quantified(true, left.iter().zip(row).map(|(l, r)| compared(how, l, r))),
        };
        Ok(truth(quantified(is_all, rows.all.iter().map(of_row))))
    }
}

fn out_of_range(ty: types::Oid) -> CatalogError {
    CatalogError::new("22003", format!("{} out of range", types::sql_name(ty, None).unwrap_or_default()))
}

fn arithmetic(how: Arithmetic, left: &Datum, right: &Datum, ty: types::Oid) -> Result<Datum> {
    if left.is_null() || right.is_null() {
        return Ok(Datum::Null);
    }
    let divided = || CatalogError::new("22012", "division by zero");
    if types::family(ty) == Family::Int {
        let (l, r) = (left.as_int(), right.as_int());
        let shift = || u32::try_from(r).unwrap_or(0) & 63;
        let number = match how {
            Arithmetic::Add => l.checked_add(r),
            Arithmetic::Subtract => l.checked_sub(r),
            Arithmetic::Multiply => l.checked_mul(r),
            Arithmetic::Divide if r == 0 => return Err(divided()),
            Arithmetic::Divide => l.checked_div(r),
            Arithmetic::Remainder if r == 0 => return Err(divided()),
            Arithmetic::Remainder => l.checked_rem(r),
            Arithmetic::And => Some(l & r),
            Arithmetic::Or => Some(l | r),
            Arithmetic::ShiftLeft => Some(l.wrapping_shl(shift())),
            Arithmetic::ShiftRight => Some(l >> shift()),
        };
        return crate::parse::fit(number.ok_or_else(|| out_of_range(ty))?, ty);
    }
    let (l, r) = (left.as_float(), right.as_float());
    Ok(Datum::Float(match how {
        Arithmetic::Add => l + r,
        Arithmetic::Subtract => l - r,
        Arithmetic::Multiply => l * r,
        Arithmetic::Divide if r == 0.0 => return Err(divided()),
        Arithmetic::Divide => l / r,
        Arithmetic::Remainder if r == 0.0 => return Err(divided()),
        Arithmetic::Remainder => l % r,
        _ => return Err(CatalogError::unsupported("a bit operation on numbers with a fraction")),
    }))
}
