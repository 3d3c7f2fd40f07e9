//! FROM: the sources of a select and their joins.

use super::arrange::{arrange, conjuncts};
use super::binder::Binder;
use super::names::{folded, parts};
use super::scope::{CommonTables, Item, Scope};
use crate::builtin;
use crate::error::{CatalogError, Result};
use crate::plan::{ColumnFacts, Comparison, Expr, JoinKind, Kind, Source, Step};
use crate::types;
use sqlparser::ast::{
    Expr as Written, FunctionArg, FunctionArgExpr, Ident, JoinConstraint, JoinOperator, ObjectName, TableAlias,
    TableFactor, TableWithJoins,
};
use std::sync::Arc;

impl Binder<'_> {
    /// The steps of FROM as they are written: see [`arrange`]. Their names are added to `scope`.
    pub(super) fn from(&self, from: &[TableWithJoins], scope: &mut Scope<'_>) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        for (number, tables) in from.iter().enumerate() {
            let keeps_right = tables.joins.iter().any(|join| {
                matches!(
                    join.join_operator,
                    JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
                )
            });
            if number > 0 && keeps_right {
                steps.push(self.joined(tables, scope)?);
            } else {
                self.joins(tables, scope, &mut steps)?;
            }
        }
        Ok(steps)
    }

    /// A join as one source.
    fn joined(&self, tables: &TableWithJoins, scope: &mut Scope<'_>) -> Result<Step> {
        let mut inner = Scope::inside(scope.parent, scope.tables);
        let mut steps = Vec::new();
        self.joins(tables, &mut inner, &mut steps)?;
        arrange(&mut steps, None);
        let (start, width) = (scope.width, inner.width);
        for mut item in inner.items {
            item.start += start;
            scope.add(item);
        }
        Ok(step(Source::Joined(steps), JoinKind::Inner, start, width))
    }

    fn joins(&self, tables: &TableWithJoins, scope: &mut Scope<'_>, steps: &mut Vec<Step>) -> Result<()> {
        let first = self.factor(&tables.relation, JoinKind::Inner, scope)?;
        steps.push(first);
        for join in &tables.joins {
            let (kind, constraint) = match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::CrossJoin(constraint) => (JoinKind::Inner, constraint),
                JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (JoinKind::Left, constraint),
                JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (JoinKind::Right, constraint),
                JoinOperator::FullOuter(constraint) => (JoinKind::Full, constraint),
                _ => return Err(CatalogError::unsupported("this kind of join")),
            };
            let left_items = scope.items.len();
            let mut next = self.factor(&join.relation, kind, scope)?;
            let conditions = match constraint {
                JoinConstraint::On(written) => {
                    let condition = self.condition(self.expression(written, scope)?, "JOIN/ON")?;
                    conjuncts(condition)
                }
                JoinConstraint::Using(columns) => {
                    let names: Vec<String> = columns.iter().filter_map(|name| parts(name).pop()).collect();
                    self.using(&names, left_items, scope)?
                }
                JoinConstraint::Natural => {
                    let names = |items: &[Item]| -> Vec<Arc<str>> {
                        items
                            .iter()
                            .flat_map(|item| item.columns.iter().map(|column| Arc::clone(&column.name)))
                            .collect()
                    };
                    let (left, right) = (names(&scope.items[..left_items]), names(&scope.items[left_items..]));
                    let common = left.iter().filter(|name| right.contains(name)).map(|name| name.to_string());
                    let common: Vec<String> = common.collect();
                    self.using(&common, left_items, scope)?
                }
                JoinConstraint::None => Vec::new(),
            };
            next.on = conditions;
            steps.push(next);
        }
        Ok(())
    }

    /// The conditions of USING. The columns on the right are merged with those on the left.
    fn using(&self, names: &[String], left_items: usize, scope: &mut Scope<'_>) -> Result<Vec<Expr>> {
        let mut conditions = Vec::new();
        for name in names {
            let place = |items: &[Item], is_last: bool| {
                let mut found = items.iter().enumerate().flat_map(|(number, item)| {
                    let column = item.columns.iter().position(|column| *column.name == **name);
                    column.filter(|place| !item.merged.contains(place)).map(|place| (number, place))
                });
                if is_last { found.last() } else { found.next() }
            };
            let missing =
                || CatalogError::new("42703", format!("column \"{name}\" specified in USING clause does not exist"));
            let (left, left_place) = place(&scope.items[..left_items], false).ok_or_else(missing)?;
            let (right, right_place) = place(&scope.items[left_items..], true).ok_or_else(missing)?;
            let column = |item: &Item, place: usize| {
                let facts = &item.columns[place];
                Expr::new(Kind::Column { depth: 0, index: item.start + place }, types::base(facts.ty))
            };
            let l = column(&scope.items[left], left_place);
            let r = column(&scope.items[left_items + right], right_place);
            let (l, r) = self.comparable(l, r, "=")?;
            conditions.push(Expr::new(Kind::Compare(Comparison::Equal, Box::new(l), Box::new(r)), types::BOOL));
            scope.items[left_items + right].merged.push(right_place);
        }
        Ok(conditions)
    }

    /// One source. Its names are added to `scope`.
    fn factor(&self, factor: &TableFactor, kind: JoinKind, scope: &mut Scope<'_>) -> Result<Step> {
        let start = scope.width;
        match factor {
            TableFactor::Table { name, alias, args: None, sample: None, .. } => {
                self.relation(name, alias.as_ref(), kind, scope)
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
                self.table_function(name, &args.args, alias.as_ref(), *with_ordinality, kind, scope)
            }
            TableFactor::Function { name, args, alias, with_ordinality, .. } => {
                self.table_function(name, args, alias.as_ref(), *with_ordinality, kind, scope)
            }
            TableFactor::UNNEST { alias, array_exprs, with_ordinality, with_offset: false, .. } => {
                let name = ObjectName::from(vec![Ident::new("unnest")]);
                let unnamed = |expr: &Written| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr.clone()));
                let args: Vec<FunctionArg> = array_exprs.iter().map(unnamed).collect();
                self.table_function(&name, &args, alias.as_ref(), *with_ordinality, kind, scope)
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                // Without LATERAL, the sources before it are out of sight.
                let hidden;
                let outer: &Scope<'_> = if *lateral {
                    scope
                } else {
                    hidden = Scope::inside(scope.parent, scope.tables);
                    &hidden
                };
                let plan = self.query(subquery, outer)?;
                let columns = plan.columns.clone();
                let width = columns.len();
                let mut is_lateral = false;
                let mut is_constant = !plan.reads_common_tables(&[]);
                plan.columns(1, &mut |depth, _| {
                    is_lateral |= depth == 0;
                    is_constant = false;
                });
                let slot = is_constant.then(|| self.new_slot());
                scope.add(item(alias.as_ref(), "", start, columns));
                Ok(step(Source::Query { plan: Box::new(plan), is_lateral, slot }, kind, start, width))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let joined = self.joined(table_with_joins, scope)?;
                Ok(Step { kind, ..joined })
            }
            _ => Err(CatalogError::unsupported("this kind of source in FROM")),
        }
    }

    fn relation(
        &self,
        name: &ObjectName,
        alias: Option<&TableAlias>,
        kind: JoinKind,
        scope: &mut Scope<'_>,
    ) -> Result<Step> {
        let start = scope.width;
        let mut parts = parts(name);
        let table = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        if parts.pop().is_some_and(|database| database != self.catalog.facts.database) {
            return Err(CatalogError::unsupported("another database"));
        }
        let common: Option<(usize, Vec<ColumnFacts>)> = match schema {
            None => CommonTables::find(scope.tables, &table).map(|(slot, columns)| (slot, columns.to_vec())),
            Some(_) => None,
        };
        if let Some((slot, columns)) = common {
            let width = columns.len();
            scope.add(item(alias, &table, start, columns));
            return Ok(step(Source::CommonTable(slot), kind, start, width));
        }
        let Some(place) = self.catalog.find(schema.as_deref(), &table) else {
            let name = schema.map_or_else(|| table.clone(), |schema| format!("{schema}.{table}"));
            return Err(CatalogError::new("42P01", format!("relation \"{name}\" does not exist")));
        };
        let entry = &self.catalog.entries[place];
        let columns: Vec<ColumnFacts> = entry
            .attributes
            .iter()
            .map(|column| ColumnFacts {
                name: Arc::clone(&column.name),
                ty: types::base(column.type_oid),
                modifier: column.modifier,
                fields: None,
            })
            .collect();
        let width = columns.len();
        let mut item = item(alias, &table, start, columns);
        item.relation = Some(entry.oid);
        if alias.is_none() {
            item.schema = Some(Arc::clone(&entry.schema));
        }
        scope.add(item);
        Ok(step(Source::Relation(place), kind, start, width))
    }

    fn table_function(
        &self,
        name: &ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        with_ordinality: bool,
        kind: JoinKind,
        scope: &mut Scope<'_>,
    ) -> Result<Step> {
        let start = scope.width;
        let name = parts(name).pop().unwrap_or_default();
        let written = args.iter().map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(written)) => self.expression(written, scope),
            _ => Err(CatalogError::unsupported("an argument with a name")),
        });
        let arguments = written.collect::<Result<Vec<Expr>>>()?;
        let ordinality = with_ordinality.then(|| ColumnFacts {
            name: Arc::from("ordinality"),
            ty: types::INT8,
            modifier: -1,
            fields: None,
        });
        let is_lateral = arguments.iter().any(|argument| argument.needs() > 0);
        let (source, mut columns) = match builtin::series(&name) {
            Some(series) => {
                let (arguments, columns) = self.series_arguments(series, arguments)?;
                (Source::Series { series, arguments, with_ordinality, is_lateral }, columns)
            }
            None => {
                let expr = self.call(&name, arguments)?;
                let column = ColumnFacts {
                    name: Arc::from(name.as_str()),
                    ty: expr.ty,
                    modifier: -1,
                    fields: expr.fields.clone(),
                };
                (Source::Value { expr: Box::new(expr), with_ordinality }, vec![column])
            }
        };
        let is_scalar = columns.len() == 1;
        // The column of a function with one column has the name of its alias.
        if let (true, Some(alias)) = (is_scalar, alias) {
            columns[0].name = Arc::from(folded(&alias.name));
        }
        columns.extend(ordinality);
        let width = columns.len();
        let mut item = item(alias, &name, start, columns);
        item.is_scalar = is_scalar;
        scope.add(item);
        Ok(step(source, kind, start, width))
    }
}

fn item(alias: Option<&TableAlias>, name: &str, start: usize, mut columns: Vec<ColumnFacts>) -> Item {
    let name: Arc<str> = match alias {
        Some(alias) => Arc::from(folded(&alias.name)),
        None => Arc::from(name),
    };
    for (column, written) in columns.iter_mut().zip(alias.iter().flat_map(|alias| &alias.columns)) {
        column.name = Arc::from(folded(&written.name));
    }
    Item { alias: name, schema: None, start, columns, merged: Vec::new(), relation: None, is_scalar: false }
}

fn step(source: Source, kind: JoinKind, start: usize, width: usize) -> Step {
    Step { source, kind, start, width, lookup: Vec::new(), on: Vec::new(), after: Vec::new() }
}
