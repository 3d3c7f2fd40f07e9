//! Queries: WITH, set operations, selects, ORDER BY and LIMIT.

use super::arrange::arrange;
use super::binder::Binder;
use super::names::{column_name, folded};
use super::scope::{Collected, CommonTables, Scope, whole_row};
use crate::error::{CatalogError, Result};
use crate::plan::{Body, ColumnFacts, CommonTable, Expr, Kind, QueryPlan, SelectPlan, SetOperation};
use crate::types;
use sqlparser::ast::{
    Distinct, Expr as Written, GroupByExpr, LimitClause, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableAlias, Value, With,
};
use std::cell::RefCell;
use std::sync::Arc;

/// An output of a select: what is computed, under a name, from what was written.
struct Output<'w> {
    expr: Expr,
    name: Arc<str>,
    written: Option<&'w Written>,
}

impl Binder<'_> {
    /// A query inside `outer`.
    pub(super) fn query(&self, query: &Query, outer: &Scope<'_>) -> Result<QueryPlan> {
        if !query.locks.is_empty() || query.for_clause.is_some() || !query.pipe_operators.is_empty() {
            return Err(CatalogError::unsupported("this clause of a query"));
        }
        let mut tables = CommonTables { list: Vec::new(), parent: Some(outer.tables) };
        let mut with = Vec::new();
        if let Some(With { recursive, cte_tables, .. }) = &query.with {
            for table in cte_tables {
                let name: Arc<str> = Arc::from(folded(&table.alias.name));
                let bound = self.common_table(&name, &table.alias, &table.query, *recursive, &tables, outer)?;
                let columns = bound.start.columns.clone();
                tables.list.push((name, bound.slot, columns));
                with.push(bound);
            }
        }
        // The select sees the names of `outer`, and the tables of WITH.
        let outer = outer.with_tables(&tables);
        let order: &[OrderByExpr] = match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(order)) => order,
            Some(OrderByKind::All(_)) => return Err(CatalogError::unsupported("ORDER BY ALL")),
            None => &[],
        };
        let mut plan = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, order, &outer)?,
            body => {
                let mut plan = self.body(body, &outer)?;
                plan.order = self.order_of_columns(order, &plan.columns)?;
                plan
            }
        };
        plan.with = with;
        let (limit, offset) = match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
            }
            Some(LimitClause::OffsetCommaLimit { .. } | LimitClause::LimitOffset { .. }) => {
                return Err(CatalogError::unsupported("this form of LIMIT"));
            }
            None => (None, None),
        };
        let fetch = match &query.fetch {
            Some(fetch) if fetch.with_ties || fetch.percent => {
                return Err(CatalogError::unsupported("FETCH WITH TIES or PERCENT"));
            }
            fetch => fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()),
        };
        let number = |written: &Written| {
            let expr = self.expression(written, &Scope::inside(Some(&outer), &tables))?;
            self.coerce(expr, types::INT8)
        };
        plan.limit = limit.or(fetch).map(number).transpose()?;
        plan.offset = offset.map(number).transpose()?;
        Ok(plan)
    }

    fn common_table(
        &self,
        name: &Arc<str>,
        alias: &TableAlias,
        query: &Query,
        is_recursive: bool,
        tables: &CommonTables<'_>,
        outer: &Scope<'_>,
    ) -> Result<CommonTable> {
        let slot = self.new_slot();
        let renamed = |mut plan: QueryPlan| {
            for (column, name) in plan.columns.iter_mut().zip(&alias.columns) {
                column.name = Arc::from(folded(&name.name));
            }
            plan
        };
        if is_recursive
            && let SetExpr::SetOperation { op: SetOperator::Union, left, right, set_quantifier } = query.body.as_ref()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.with.is_none()
        {
            let start = renamed(self.body(left, &outer.with_tables(tables))?);
            let list = vec![(Arc::clone(name), slot, start.columns.clone())];
            let with_itself = CommonTables { list, parent: Some(tables) };
            let again = self.body(right, &outer.with_tables(&with_itself))?;
            if again.columns.len() != start.columns.len() {
                return Err(CatalogError::new("42601", "each UNION query must have the same number of columns"));
            }
            let again = self.cast_columns(again, start.columns.iter().map(|column| column.ty))?;
            let repeated = Some((again, *set_quantifier == SetQuantifier::All));
            return Ok(CommonTable { slot, start, repeated });
        }
        Ok(CommonTable { slot, start: renamed(self.query(query, &outer.with_tables(tables))?), repeated: None })
    }

    fn body(&self, body: &SetExpr, outer: &Scope<'_>) -> Result<QueryPlan> {
        match body {
            SetExpr::Select(select) => self.select(select, &[], outer),
            SetExpr::Query(query) => {
                let inner = self.query(query, outer)?;
                let columns = inner.columns.clone();
                Ok(of_body(Body::Query(Box::new(inner)), columns))
            }
            SetExpr::Values(values) => self.values(values.rows.iter().map(|row| row.content.as_slice()), outer),
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                let operation = match op {
                    SetOperator::Union => SetOperation::Union,
                    SetOperator::Intersect => SetOperation::Intersect,
                    SetOperator::Except | SetOperator::Minus => SetOperation::Except,
                };
                let (left, right) = (self.body(left, outer)?, self.body(right, outer)?);
                if left.columns.len() != right.columns.len() {
                    let message = format!("each {op} query must have the same number of columns");
                    return Err(CatalogError::new("42601", message));
                }
                let types = left.columns.iter().zip(&right.columns);
                let types: Result<Vec<_>> =
                    types.map(|(l, r)| self.common_type([l.ty, r.ty], &op.to_string())).collect();
                let types = types?;
                let left = self.cast_columns(left, types.iter().copied())?;
                let right = self.cast_columns(right, types.iter().copied())?;
                let columns = left.columns.clone();
                let is_all = *set_quantifier == SetQuantifier::All;
                let body = Body::Set { operation, is_all, left: Box::new(left), right: Box::new(right) };
                Ok(of_body(body, columns))
            }
            _ => Err(CatalogError::unsupported("this form of a query")),
        }
    }

    fn values<'w>(&self, rows: impl Iterator<Item = &'w [Written]>, outer: &Scope<'_>) -> Result<QueryPlan> {
        let scope = Scope::inside(Some(outer), outer.tables);
        let rows: Result<Vec<Vec<Expr>>> =
            rows.map(|row| row.iter().map(|written| self.expression(written, &scope)).collect()).collect();
        let mut rows = rows?;
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(CatalogError::new("42601", "VALUES lists must all be the same length"));
        }
        let mut columns = Vec::new();
        for place in 0..width {
            let ty = self.common_type(rows.iter().map(|row| row[place].ty), "VALUES")?;
            for row in &mut rows {
                row[place] = self.coerce(row[place].clone(), ty)?;
            }
            let name = Arc::from(format!("column{}", place + 1));
            columns.push(ColumnFacts { name, ty, modifier: -1, fields: None });
        }
        Ok(of_body(Body::Values(rows), columns))
    }

    /// A query whose columns have these types.
    fn cast_columns(&self, plan: QueryPlan, types: impl Iterator<Item = types::Oid>) -> Result<QueryPlan> {
        let types: Vec<_> = types.collect();
        if plan.columns.iter().zip(&types).all(|(column, ty)| column.ty == *ty) {
            return Ok(plan);
        }
        let mut plan = plan;
        if let (Body::Select(select), true) = (&mut plan.body, plan.distinct_on.is_empty()) {
            for (place, ty) in types.iter().enumerate() {
                let expr =
                    std::mem::replace(&mut select.outputs[place], Expr::new(Kind::Const(crate::value::Datum::Null), 0));
                select.outputs[place] = self.coerce(expr, *ty)?;
                plan.columns[place].ty = *ty;
            }
            return Ok(plan);
        }
        let (mut columns, mut outputs) = (plan.columns.clone(), Vec::new());
        for (place, ty) in types.iter().enumerate() {
            let from = plan.columns[place].ty;
            let from = if from == types::UNKNOWN { types::TEXT } else { from };
            outputs.push(self.coerce(Expr::new(Kind::Column { depth: 0, index: place }, from), *ty)?);
            columns[place].ty = *ty;
        }
        let step = crate::plan::Step {
            width: plan.columns.len(),
            source: crate::plan::Source::Query { plan: Box::new(plan), is_lateral: false, slot: None },
            kind: crate::plan::JoinKind::Inner,
            start: 0,
            lookup: Vec::new(),
            on: Vec::new(),
            after: Vec::new(),
        };
        // What was bound inside one select is now inside two: nothing of it may refer to what is outside.
        if let crate::plan::Source::Query { plan, .. } = &step.source {
            let mut is_correlated = false;
            plan.columns(1, &mut |_, _| is_correlated = true);
            if is_correlated {
                return Err(CatalogError::unsupported(
                    "a set operation of different types that refers to outer columns",
                ));
            }
        }
        let select = SelectPlan {
            steps: vec![step],
            filter: Vec::new(),
            groups: None,
            aggregates: Vec::new(),
            having: None,
            windows: Vec::new(),
            series: Vec::new(),
            outputs,
            distinct: None,
        };
        Ok(of_body(Body::Select(Box::new(select)), columns))
    }

    fn select(&self, select: &Select, order: &[OrderByExpr], outer: &Scope<'_>) -> Result<QueryPlan> {
        if select.into.is_some() || select.qualify.is_some() || !select.lateral_views.is_empty() || select.top.is_some()
        {
            return Err(CatalogError::unsupported("this clause of SELECT"));
        }
        let mut scope = Scope::inside(Some(outer), outer.tables);
        let mut steps = self.from(&select.from, &mut scope)?;
        let condition = match &select.selection {
            Some(written) => Some(self.condition(self.expression(written, &scope)?, "WHERE")?),
            None => None,
        };
        let filter = arrange(&mut steps, condition);
        scope.collected = Some(RefCell::new(Collected::default()));
        let mut outputs = self.outputs(&select.projection, &scope)?;
        let visible = outputs.len();
        let columns: Vec<ColumnFacts> = outputs.iter().map(column_of).collect();
        let groups = self.groups(&select.group_by, &outputs, &scope)?;
        let having = match &select.having {
            Some(written) => Some(self.condition(self.expression(written, &scope)?, "HAVING")?),
            None => None,
        };
        let (mut distinct_on, distinct) = match &select.distinct {
            None | Some(Distinct::All) => (Vec::new(), None),
            Some(Distinct::Distinct) => (Vec::new(), Some(visible)),
            Some(Distinct::On(keys)) => (keys.iter().collect(), None),
        };
        let place_of = |written, outputs: &mut Vec<Output<'_>>| -> Result<usize> {
            let expr = match self.output_of(written, outputs, visible, true)? {
                Ok(place) => return Ok(place),
                Err(written) => self.expression(written, &scope)?,
            };
            if distinct.is_some() {
                let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                return Err(CatalogError::new("42P10", message));
            }
            outputs.push(Output { expr: self.coerce_unknown(expr)?, name: Arc::from(""), written: None });
            Ok(outputs.len() - 1)
        };
        let mut keys = Vec::new();
        for written in std::mem::take(&mut distinct_on) {
            keys.push(place_of(written, &mut outputs)?);
        }
        let mut sorted = Vec::new();
        for key in order {
            let is_descending = key.options.asc == Some(false);
            let nulls_first = key.options.nulls_first.unwrap_or(is_descending);
            sorted.push((place_of(&key.expr, &mut outputs)?, is_descending, nulls_first));
        }
        let Collected { aggregates, windows, series } =
            scope.collected.take().map(RefCell::into_inner).unwrap_or_default();
        let is_grouped = !groups.is_empty() || !aggregates.is_empty() || having.is_some();
        let plan = SelectPlan {
            steps,
            filter,
            groups: is_grouped.then_some(groups),
            aggregates,
            having,
            windows,
            series,
            outputs: outputs.into_iter().map(|output| output.expr).collect(),
            distinct,
        };
        let plan = of_body(Body::Select(Box::new(plan)), columns);
        Ok(QueryPlan { order: sorted, distinct_on: keys, ..plan })
    }

    fn outputs<'w>(&self, projection: &'w [SelectItem], scope: &Scope<'_>) -> Result<Vec<Output<'w>>> {
        let mut outputs = Vec::new();
        for item in projection {
            match item {
                SelectItem::UnnamedExpr(written) => {
                    let expr = self.coerce_unknown(self.expression(written, scope)?)?;
                    outputs.push(Output { expr, name: Arc::from(column_name(written)), written: Some(written) });
                }
                SelectItem::ExprWithAlias { expr: written, alias } => {
                    let expr = self.coerce_unknown(self.expression(written, scope)?)?;
                    outputs.push(Output { expr, name: Arc::from(folded(alias)), written: Some(written) });
                }
                SelectItem::Wildcard(_) => {
                    if scope.items.is_empty() {
                        return Err(CatalogError::new("42601", "SELECT * with no tables specified is not valid"));
                    }
                    for item in &scope.items {
                        expand(item, 0, true, &mut outputs);
                    }
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    let mut parts = super::names::parts(name);
                    let alias = parts.pop().unwrap_or_default();
                    let schema = parts.pop();
                    let Some((item, depth)) = self.item(schema.as_deref(), &alias, scope) else {
                        let message = format!("missing FROM-clause entry for table \"{alias}\"");
                        return Err(CatalogError::new("42P01", message));
                    };
                    expand(item, depth, false, &mut outputs);
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(written), _) => {
                    let expr = self.expression(written, scope)?;
                    let Some(fields) = expr.fields.clone() else {
                        return Err(CatalogError::unsupported("* of a row whose fields are not known"));
                    };
                    for (place, (name, ty)) in fields.iter().enumerate() {
                        let expr = Expr::new(Kind::Field(Box::new(expr.clone()), place), *ty);
                        outputs.push(Output { expr, name: Arc::clone(name), written: None });
                    }
                }
                SelectItem::ExprWithAliases { .. } => {
                    return Err(CatalogError::unsupported("an output with several names"));
                }
            }
        }
        Ok(outputs)
    }

    fn coerce_unknown(&self, expr: Expr) -> Result<Expr> {
        if expr.ty == types::UNKNOWN { self.coerce(expr, types::TEXT) } else { Ok(expr) }
    }

    fn groups<'w>(&self, group_by: &'w GroupByExpr, outputs: &[Output<'w>], scope: &Scope<'_>) -> Result<Vec<Expr>> {
        let GroupByExpr::Expressions(written, modifiers) = group_by else {
            return Err(CatalogError::unsupported("GROUP BY ALL"));
        };
        if !modifiers.is_empty() {
            return Err(CatalogError::unsupported("GROUP BY with a modifier"));
        }
        let mut groups = Vec::new();
        for key in written {
            if matches!(key, Written::GroupingSets(_) | Written::Cube(_) | Written::Rollup(_)) {
                return Err(CatalogError::unsupported("GROUPING SETS"));
            }
            // A name is that of a column of the sources first.
            let is_column = match key {
                Written::Identifier(ident) => self.name(&folded(ident), scope)?.is_some(),
                _ => false,
            };
            if is_column {
                groups.push(self.expression(key, scope)?);
                continue;
            }
            groups.push(match self.output_of(key, outputs, outputs.len(), false)? {
                Ok(place) => outputs[place].expr.clone(),
                Err(written) => self.expression(written, scope)?,
            });
        }
        Ok(groups)
    }

    /// The place of the output that a key of ORDER BY or GROUP BY means: by its number, its name, or what is written.
    fn output_of<'w>(
        &self,
        key: &'w Written,
        outputs: &[Output<'_>],
        visible: usize,
        by_text: bool,
    ) -> Result<std::result::Result<usize, &'w Written>> {
        if let Written::Value(value) = key
            && let Value::Number(number, _) = &value.value
        {
            let place: usize = number.to_string().parse().unwrap_or(0);
            if place == 0 || place > visible {
                return Err(CatalogError::new("42P10", format!("position {number} is not in select list")));
            }
            return Ok(Ok(place - 1));
        }
        if let Written::Identifier(ident) = key {
            let name = folded(ident);
            let mut named = outputs[..visible].iter().enumerate().filter(|(_, output)| *output.name == *name);
            if let Some((place, _)) = named.next() {
                return Ok(Ok(place));
            }
        }
        let same = |output: &Output<'_>| output.written.is_some_and(|written| written == key);
        match outputs.iter().position(same).filter(|_| by_text) {
            Some(place) => Ok(Ok(place)),
            None => Ok(Err(key)),
        }
    }

    /// The order of a query that is no select: by numbers and names of its columns.
    fn order_of_columns(&self, order: &[OrderByExpr], columns: &[ColumnFacts]) -> Result<Vec<(usize, bool, bool)>> {
        let place = |key: &OrderByExpr| {
            let outputs: Vec<Output<'_>> = columns
                .iter()
                .map(|column| Output {
                    expr: Expr::new(Kind::Const(crate::value::Datum::Null), column.ty),
                    name: Arc::clone(&column.name),
                    written: None,
                })
                .collect();
            let place = self
                .output_of(&key.expr, &outputs, columns.len(), false)?
                .map_err(|_| CatalogError::unsupported("ORDER BY an expression after UNION, INTERSECT or EXCEPT"))?;
            let is_descending = key.options.asc == Some(false);
            Ok((place, is_descending, key.options.nulls_first.unwrap_or(is_descending)))
        };
        order.iter().map(place).collect()
    }
}

fn of_body(body: Body, columns: Vec<ColumnFacts>) -> QueryPlan {
    QueryPlan { with: Vec::new(), body, order: Vec::new(), distinct_on: Vec::new(), limit: None, offset: None, columns }
}

fn column_of(output: &Output<'_>) -> ColumnFacts {
    ColumnFacts {
        name: Arc::clone(&output.name),
        ty: output.expr.ty,
        modifier: output.expr.modifier,
        fields: output.expr.fields.clone(),
    }
}

/// The columns of a source as outputs.
fn expand(item: &super::scope::Item, depth: usize, is_all: bool, outputs: &mut Vec<Output<'_>>) {
    let Kind::Row(parts) = whole_row(item, depth).kind else { return };
    for (place, (mut expr, facts)) in parts.into_iter().zip(&item.columns).enumerate() {
        if is_all && item.merged.contains(&place) {
            continue;
        }
        expr.modifier = facts.modifier;
        outputs.push(Output { expr, name: Arc::clone(&facts.name), written: None });
    }
}
