//! The names that an expression can use.

use super::binder::Binder;
use crate::builtin::Series;
use crate::error::{CatalogError, Result};
use crate::plan::{Aggregate, ColumnFacts, Expr, Kind, Window};
use crate::types::{self, Oid};
use crate::value::Datum;
use std::cell::RefCell;
use std::sync::Arc;

/// The common table expressions of a query, and of those around it.
#[derive(Default)]
pub(super) struct CommonTables<'p> {
    pub(super) list: Vec<(Arc<str>, usize, Vec<ColumnFacts>)>,
    pub(super) parent: Option<&'p CommonTables<'p>>,
}

impl CommonTables<'_> {
    pub(super) fn find(&self, name: &str) -> Option<(usize, &[ColumnFacts])> {
        let own = self.list.iter().rev().find(|(known, ..)| **known == *name);
        match own {
            Some((_, slot, columns)) => Some((*slot, columns)),
            None => self.parent.and_then(|parent| parent.find(name)),
        }
    }
}

/// One source of a select by its name.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) alias: Arc<str>,
    pub(super) schema: Option<Arc<str>>,
    /// The place of its first column in the row.
    pub(super) start: usize,
    pub(super) columns: Vec<ColumnFacts>,
    /// Columns that USING has merged with those of a source before it.
    pub(super) merged: Vec<usize>,
    /// The relation that it is.
    pub(super) relation: Option<Oid>,
    /// Whether its name alone means its only column.
    pub(super) is_scalar: bool,
}

/// What expressions of a select need to be computed beside the row.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) windows: Vec<Window>,
    pub(super) series: Vec<(&'static Series, Vec<Expr>)>,
}

/// The names of a select, and of those around it.
pub(super) struct Scope<'p> {
    pub(super) items: Vec<Item>,
    pub(super) width: usize,
    pub(super) parent: Option<&'p Scope<'p>>,
    pub(super) tables: &'p CommonTables<'p>,
    /// `None` where aggregates, windows and functions that return sets are refused.
    pub(super) collected: Option<RefCell<Collected>>,
}

impl<'p> Scope<'p> {
    pub(super) fn outermost(tables: &'p CommonTables<'p>) -> Self {
        Self { items: Vec::new(), width: 0, parent: None, tables, collected: None }
    }

    /// A scope without sources, for a select inside `parent`.
    pub(super) fn inside(parent: Option<&'p Scope<'p>>, tables: &'p CommonTables<'p>) -> Self {
        Self { items: Vec::new(), width: 0, parent, tables, collected: None }
    }

    /// The same names, with the tables of WITH.
    pub(super) fn with_tables<'t>(&self, tables: &'t CommonTables<'t>) -> Scope<'t>
    where
        'p: 't,
    {
        Scope { items: self.items.clone(), width: self.width, parent: self.parent, tables, collected: None }
    }

    pub(super) fn add(&mut self, item: Item) {
        self.width += item.columns.len();
        self.items.push(item);
    }
}

fn ambiguous(name: &str) -> CatalogError {
    CatalogError::new("42702", format!("column reference \"{name}\" is ambiguous"))
}

fn column(item: &Item, place: usize, depth: usize) -> Expr {
    let facts = &item.columns[place];
    Expr {
        kind: Kind::Column { depth, index: item.start + place },
        ty: types::base(facts.ty),
        modifier: facts.modifier,
        fields: facts.fields.clone(),
    }
}

/// The row of a source as one value.
pub(super) fn whole_row(item: &Item, depth: usize) -> Expr {
    let parts = (0..item.columns.len()).map(|place| column(item, place, depth)).collect();
    let fields = item.columns.iter().map(|facts| (Arc::clone(&facts.name), types::base(facts.ty))).collect();
    Expr { fields: Some(Arc::new(fields)), ..Expr::new(Kind::Row(parts), types::RECORD) }
}

impl Binder<'_> {
    /// A name without qualification.
    pub(super) fn name(&self, name: &str, scope: &Scope<'_>) -> Result<Option<Expr>> {
        let (mut level, mut depth) = (Some(scope), 0);
        while let Some(scope) = level {
            let mut found = None;
            for item in &scope.items {
                let places = item.columns.iter().enumerate().filter(|(_, facts)| *facts.name == *name);
                for (place, _) in places.filter(|(place, _)| !item.merged.contains(place)) {
                    if found.replace((item, place)).is_some() {
                        return Err(ambiguous(name));
                    }
                }
            }
            if let Some((item, place)) = found {
                return Ok(Some(column(item, place, depth)));
            }
            if let Some(item) = scope.items.iter().find(|item| *item.alias == *name) {
                return Ok(Some(if item.is_scalar { column(item, 0, depth) } else { whole_row(item, depth) }));
            }
            if let [item] = scope.items.as_slice()
                && let Some(expr) = system_column(item, name)
            {
                return Ok(Some(expr));
            }
            (level, depth) = (scope.parent, depth + 1);
        }
        Ok(None)
    }

    /// The source with this name, and how many selects outside it is.
    pub(super) fn item<'s>(
        &self,
        schema: Option<&str>,
        alias: &str,
        scope: &'s Scope<'s>,
    ) -> Option<(&'s Item, usize)> {
        let (mut level, mut depth) = (Some(scope), 0);
        while let Some(scope) = level {
            let is_meant = |item: &&Item| {
                *item.alias == *alias && schema.is_none_or(|schema| item.schema.as_deref() == Some(schema))
            };
            if let Some(item) = scope.items.iter().find(is_meant) {
                return Some((item, depth));
            }
            (level, depth) = (scope.parent, depth + 1);
        }
        None
    }

    /// A column of a source.
    pub(super) fn qualified(&self, schema: Option<&str>, alias: &str, name: &str, scope: &Scope<'_>) -> Result<Expr> {
        let Some((item, depth)) = self.item(schema, alias, scope) else {
            return Err(CatalogError::new("42P01", format!("missing FROM-clause entry for table \"{alias}\"")));
        };
        let mut places = (0..item.columns.len()).filter(|place| *item.columns[*place].name == *name);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(column(item, place, depth)),
            (Some(_), Some(_)) => Err(ambiguous(name)),
            (None, _) => system_column(item, name)
                .ok_or_else(|| CatalogError::new("42703", format!("column {alias}.{name} does not exist"))),
        }
    }
}

/// The columns of every table of PostgreSQL that tools read: rows here are all of one transaction.
fn system_column(item: &Item, name: &str) -> Option<Expr> {
    let relation = item.relation?;
    match name {
        "tableoid" => Some(Expr::new(Kind::Const(Datum::Int(i64::from(relation))), types::OID)),
        "xmin" => Some(Expr::new(Kind::Const(Datum::Int(1)), types::XID)),
        _ => None,
    }
}
