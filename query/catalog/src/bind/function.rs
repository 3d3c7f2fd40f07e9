//! Calls of functions: of scalars, of aggregates, over windows, and of those that return sets.

use super::binder::Binder;
use super::names::parts;
use super::scope::Scope;
use crate::builtin::{self, Series};
use crate::error::{CatalogError, Result};
use crate::plan::{Aggregate, AggregateKind, ColumnFacts, Comparison, Expr, Kind, Window, WindowKind};
use crate::types::{self, Family, UNKNOWN};
use crate::value::Datum;
use sqlparser::ast::{
    DuplicateTreatment, Expr as Written, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, OrderByExpr, WindowType,
};
use std::sync::Arc;

/// The arguments of a call as they are written.
#[derive(Default)]
struct Arguments<'w> {
    written: Vec<&'w Written>,
    is_star: bool,
    is_distinct: bool,
    order: Vec<&'w OrderByExpr>,
}

impl Binder<'_> {
    pub(super) fn function(&self, function: &Function, scope: &Scope<'_>) -> Result<Expr> {
        let mut names = parts(&function.name);
        let name = names.pop().unwrap_or_default();
        let schema = names.pop();
        if schema.as_deref().is_some_and(|schema| !matches!(schema, "pg_catalog" | "information_schema")) {
            let schema = schema.unwrap_or_default();
            return Err(CatalogError::new("42883", format!("function {schema}.{name} does not exist")));
        }
        if let FunctionArguments::Subquery(query) = &function.args {
            if name != "array" {
                return Err(CatalogError::unsupported(format!("{name} of a query")));
            }
            let (query, _) = self.subquery(query, scope)?;
            let [column] = query.plan.columns.as_slice() else {
                return Err(CatalogError::new("42601", "subquery must return only one column"));
            };
            let element = column.ty;
            let ty = types::array_of(element)
                .ok_or_else(|| CatalogError::new("42704", "could not find array type for the column of the query"))?;
            return Ok(Expr::new(Kind::ArrayOf(query, element), ty));
        }
        let written = arguments(&function.args)?;
        if let Some(over) = &function.over {
            return self.window(&name, &written, function, over, scope);
        }
        if let Some(kind) = aggregate_kind(&name) {
            let aggregate = self.aggregate(kind, &name, &written, function, scope)?;
            let Some(collected) = &scope.collected else {
                return Err(CatalogError::new("42803", format!("aggregate functions are not allowed here: {name}")));
            };
            let (ty, mut collected) = (aggregate.ty, collected.borrow_mut());
            collected.aggregates.push(aggregate);
            return Ok(Expr::new(Kind::Aggregate(collected.aggregates.len() - 1), ty));
        }
        if written.is_distinct || !written.order.is_empty() || function.filter.is_some() || written.is_star {
            return Err(CatalogError::new("42809", format!("{name} is not an aggregate function")));
        }
        let mut arguments = Vec::new();
        for written in &written.written {
            // A source by its name is its row.
            let row = match written {
                Written::Identifier(ident) if matches!(name.as_str(), "row_to_json" | "to_json") => {
                    self.row_of(&super::names::folded(ident), scope)
                }
                _ => None,
            };
            arguments.push(match row {
                Some(row) => row,
                None => self.expression(written, scope)?,
            });
        }
        if let Some(series) = builtin::series(&name) {
            return self.series_output(series, arguments, scope);
        }
        self.call(&name, arguments)
    }

    fn series_output(&self, series: &'static Series, arguments: Vec<Expr>, scope: &Scope<'_>) -> Result<Expr> {
        let (arguments, columns) = self.series_arguments(series, arguments)?;
        let Some(collected) = &scope.collected else {
            return Err(CatalogError::new("0A000", "set-returning functions are not allowed here"));
        };
        let mut collected = collected.borrow_mut();
        collected.series.push((series, arguments));
        let kind = Kind::Series(collected.series.len() - 1);
        Ok(match columns.as_slice() {
            [column] => Expr::new(kind, column.ty),
            _ => {
                let fields = columns.iter().map(|column| (Arc::clone(&column.name), column.ty)).collect();
                Expr { fields: Some(Arc::new(fields)), ..Expr::new(kind, types::RECORD) }
            }
        })
    }

    /// The arguments of a function that returns a set, with their types, and its columns.
    pub(super) fn series_arguments(
        &self,
        series: &'static Series,
        arguments: Vec<Expr>,
    ) -> Result<(Vec<Expr>, Vec<ColumnFacts>)> {
        let settled = arguments.into_iter().enumerate().map(|(place, argument)| {
            match (argument.ty, series.parameters.get(place)) {
                (UNKNOWN, Some(ty)) if *ty != 0 => self.coerce(argument, *ty),
                (UNKNOWN, _) => self.coerce(argument, types::TEXT_ARRAY),
                _ => Ok(argument),
            }
        });
        let arguments = settled.collect::<Result<Vec<_>>>()?;
        let types: Vec<types::Oid> = arguments.iter().map(|argument| argument.ty).collect();
        let Some(columns) = (series.columns)(&types) else {
            return Err(self.no_function(series.name, &types));
        };
        let columns =
            columns.into_iter().map(|(name, ty)| ColumnFacts { name: Arc::from(name), ty, modifier: -1, fields: None });
        Ok((arguments, columns.collect()))
    }

    fn no_function(&self, name: &str, types: &[types::Oid]) -> CatalogError {
        let text = |ty: &types::Oid| match *ty {
            UNKNOWN => "unknown".to_owned(),
            ty => self.catalog.type_sql_name(ty, None).unwrap_or_default(),
        };
        let types: Vec<String> = types.iter().map(text).collect();
        CatalogError::new("42883", format!("function {name}({}) does not exist", types.join(", ")))
    }

    /// A call of a function of one value.
    pub(super) fn call(&self, name: &str, arguments: Vec<Expr>) -> Result<Expr> {
        match (name, arguments.as_slice()) {
            ("coalesce", [_, ..]) => {
                let (arguments, ty) = self.alike(arguments, "COALESCE")?;
                return Ok(Expr::new(Kind::Coalesce(arguments), ty));
            }
            ("greatest" | "least", [_, ..]) => {
                let (arguments, ty) = self.alike(arguments, "GREATEST")?;
                return Ok(Expr::new(Kind::Extreme(arguments, name == "greatest"), ty));
            }
            ("nullif", [value, other]) => {
                let ty = if value.ty == UNKNOWN { types::TEXT } else { value.ty };
                let value = self.coerce(value.clone(), ty)?;
                let test = self.compare(value.clone(), other.clone(), Comparison::Equal)?;
                let null = Expr::new(Kind::Const(Datum::Null), ty);
                return Ok(Expr::new(Kind::Case(vec![(test, null)], Some(Box::new(value))), ty));
            }
            ("row", _) => {
                let fields = arguments.iter().zip(1..).map(|(item, n)| (Arc::from(format!("f{n}")), item.ty)).collect();
                return Ok(Expr { fields: Some(Arc::new(fields)), ..Expr::new(Kind::Row(arguments), types::RECORD) });
            }
            // The name of a type is a cast to it.
            ("text" | "name" | "oid" | "int4" | "int8" | "int2" | "float8" | "bpchar" | "varchar", [_]) => {
                let ty = types::oid_of_type(name).unwrap_or(types::TEXT);
                return self.coerce(arguments.into_iter().next().unwrap_or_else(null), ty);
            }
            _ => {}
        }
        let types: Vec<types::Oid> = arguments.iter().map(|argument| argument.ty).collect();
        let Some(function) = builtin::function(name, &types) else { return Err(self.no_function(name, &types)) };
        let mut settled = Vec::with_capacity(arguments.len());
        for (place, argument) in arguments.into_iter().enumerate() {
            let wanted = function.parameter(place);
            let is_unknown = argument.ty == UNKNOWN;
            settled.push(match wanted {
                0 if is_unknown => self.coerce(argument, types::TEXT)?,
                0 => argument,
                wanted if is_unknown => self.coerce(argument, wanted)?,
                wanted if types::family(argument.ty) != types::family(wanted) => self.coerce(argument, wanted)?,
                types::TEXT if argument.ty == types::CHAR => self.coerce(argument, types::TEXT)?,
                _ => argument,
            });
        }
        let types: Vec<types::Oid> = settled.iter().map(|argument| argument.ty).collect();
        let ty = function.result(&types);
        Ok(Expr::new(Kind::Call(function, settled), ty))
    }

    fn aggregate(
        &self,
        kind: AggregateKind,
        name: &str,
        written: &Arguments<'_>,
        function: &Function,
        scope: &Scope<'_>,
    ) -> Result<Aggregate> {
        // What an aggregate computes with is not aggregated itself.
        let inner = Scope {
            items: scope.items.clone(),
            width: scope.width,
            parent: scope.parent,
            tables: scope.tables,
            collected: None,
        };
        let arguments = written.written.iter().map(|written| self.expression(written, &inner));
        let mut arguments = arguments.collect::<Result<Vec<_>>>()?;
        for argument in &mut arguments {
            if argument.ty == UNKNOWN {
                *argument = self.coerce(argument.clone(), types::TEXT)?;
            }
        }
        let types: Vec<types::Oid> = arguments.iter().map(|argument| argument.ty).collect();
        let wrong = || self.no_function(name, &types);
        let ty = match (kind, types.as_slice()) {
            (AggregateKind::Count, []) if written.is_star => types::INT8,
            (AggregateKind::Count, [_]) => types::INT8,
            (AggregateKind::Sum, [types::INT2 | types::INT4]) => types::INT8,
            (AggregateKind::Sum, [types::INT8 | types::NUMERIC]) => types::NUMERIC,
            (AggregateKind::Sum, [ty @ (types::FLOAT4 | types::FLOAT8)]) => *ty,
            (AggregateKind::Average, [types::FLOAT4 | types::FLOAT8]) => types::FLOAT8,
            (AggregateKind::Average, [types::INT2 | types::INT4 | types::INT8 | types::NUMERIC]) => types::NUMERIC,
            (AggregateKind::Least | AggregateKind::Greatest, [ty]) => match types::family(*ty) {
                Family::Text => types::TEXT,
                Family::Bool | Family::Record => return Err(wrong()),
                _ => *ty,
            },
            (AggregateKind::And | AggregateKind::Or, [types::BOOL]) => types::BOOL,
            (AggregateKind::Array, [ty]) => types::array_of(*ty).ok_or_else(wrong)?,
            (AggregateKind::Text, [_, _]) => {
                for argument in &mut arguments {
                    if types::family(argument.ty) != Family::Text {
                        return Err(self.no_function(name, &types));
                    }
                }
                types::TEXT
            }
            _ => return Err(wrong()),
        };
        let filter = match &function.filter {
            Some(written) => Some(self.condition(self.expression(written, &inner)?, "FILTER")?),
            None => None,
        };
        let order = self.sort_keys(&written.order, &inner)?;
        Ok(Aggregate { kind, arguments, ty, is_distinct: written.is_distinct, filter, order })
    }

    fn sort_keys(&self, order: &[&OrderByExpr], scope: &Scope<'_>) -> Result<Vec<(Expr, bool, bool)>> {
        let key = |key: &&OrderByExpr| {
            let is_descending = key.options.asc == Some(false);
            let nulls_first = key.options.nulls_first.unwrap_or(is_descending);
            Ok((self.expression(&key.expr, scope)?, is_descending, nulls_first))
        };
        order.iter().map(key).collect()
    }

    fn window(
        &self,
        name: &str,
        written: &Arguments<'_>,
        function: &Function,
        over: &WindowType,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let WindowType::WindowSpec(spec) = over else { return Err(CatalogError::unsupported("a window with a name")) };
        if spec.window_frame.is_some() || spec.window_name.is_some() {
            return Err(CatalogError::unsupported("a frame of a window"));
        }
        let partition = spec.partition_by.iter().map(|written| self.expression(written, scope));
        let partition = partition.collect::<Result<Vec<_>>>()?;
        let order = self.sort_keys(&spec.order_by.iter().collect::<Vec<_>>(), scope)?;
        let (kind, ty) = match (name, aggregate_kind(name)) {
            ("row_number", _) => (WindowKind::RowNumber, types::INT8),
            ("rank", _) => (WindowKind::Rank, types::INT8),
            ("dense_rank", _) => (WindowKind::DenseRank, types::INT8),
            (_, Some(kind)) if order.is_empty() => {
                let aggregate = self.aggregate(kind, name, written, function, scope)?;
                let ty = aggregate.ty;
                (WindowKind::Aggregate(aggregate), ty)
            }
            _ => return Err(CatalogError::unsupported(format!("{name} over a window"))),
        };
        let Some(collected) = &scope.collected else {
            return Err(CatalogError::new("42P20", "window functions are not allowed here"));
        };
        let mut collected = collected.borrow_mut();
        collected.windows.push(Window { kind, partition, order });
        Ok(Expr::new(Kind::Window(collected.windows.len() - 1), ty))
    }
}

fn null() -> Expr {
    Expr::new(Kind::Const(Datum::Null), UNKNOWN)
}

fn aggregate_kind(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "count" => AggregateKind::Count,
        "sum" => AggregateKind::Sum,
        "avg" => AggregateKind::Average,
        "min" => AggregateKind::Least,
        "max" => AggregateKind::Greatest,
        "bool_and" | "every" => AggregateKind::And,
        "bool_or" => AggregateKind::Or,
        "array_agg" => AggregateKind::Array,
        "string_agg" => AggregateKind::Text,
        _ => return None,
    })
}

fn arguments(arguments: &FunctionArguments) -> Result<Arguments<'_>> {
    let FunctionArguments::List(list) = arguments else { return Ok(Arguments::default()) };
    let mut all = Arguments {
        is_distinct: list.duplicate_treatment == Some(DuplicateTreatment::Distinct),
        ..Arguments::default()
    };
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(written)) => all.written.push(written),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => all.is_star = true,
            _ => return Err(CatalogError::unsupported("an argument with a name")),
        }
    }
    for clause in &list.clauses {
        match clause {
            FunctionArgumentClause::OrderBy(order) => all.order.extend(order),
            _ => return Err(CatalogError::unsupported("a clause of a call")),
        }
    }
    Ok(all)
}
