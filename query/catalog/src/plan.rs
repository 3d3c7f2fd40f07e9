//! A statement after its names and types are known.

use crate::builtin::{Builtin, Series};
use crate::types::Oid;
use crate::value::Datum;
use std::sync::Arc;

/// A column of a statement's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// The OID of its type on the wire.
    pub type_oid: Oid,
}

/// A statement over the catalog, ready to run.
#[derive(Debug)]
pub struct Plan {
    pub(crate) query: QueryPlan,
    pub(crate) columns: Vec<OutputColumn>,
    pub(crate) parameters: Vec<Oid>,
    /// How many places common table expressions and subqueries take.
    pub(crate) slots: usize,
}

impl Plan {
    /// The columns of its result.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    /// The types of its parameters `$1`, `$2`, ...
    pub fn parameters(&self) -> &[Oid] {
        &self.parameters
    }
}

/// The names and types of the fields of a row.
pub(crate) type Fields = Arc<Vec<(Arc<str>, Oid)>>;

/// An expression with its type.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) ty: Oid,
    pub(crate) modifier: i32,
    /// Of a row whose fields are known.
    pub(crate) fields: Option<Fields>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    And,
    Or,
    ShiftLeft,
    ShiftRight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matching {
    /// With the escape character, if there is one.
    Like(Option<char>),
    Regex,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Const(Datum),
    Param(usize),
    /// A column of the row of the `depth`-th enclosing select.
    Column {
        depth: usize,
        index: usize,
    },
    Aggregate(usize),
    Window(usize),
    Series(usize),
    Call(&'static Builtin, Vec<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    /// IS TRUE or IS FALSE.
    Is(Box<Expr>, bool),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    Distinct(Box<Expr>, Box<Expr>),
    Match {
        value: Box<Expr>,
        pattern: Box<Expr>,
        how: Matching,
        is_insensitive: bool,
    },
    Case(Vec<(Expr, Expr)>, Option<Box<Expr>>),
    Coalesce(Vec<Expr>),
    /// The greatest or the least.
    Extreme(Vec<Expr>, bool),
    Scalar(Arc<Subquery>),
    Exists(Arc<Subquery>),
    ArrayOf(Arc<Subquery>, Oid),
    /// A comparison with any or all rows of a subquery.
    OfQuery {
        left: Vec<Expr>,
        how: Comparison,
        is_all: bool,
        query: Arc<Subquery>,
    },
    /// A comparison with any or all elements of an array.
    OfArray {
        left: Box<Expr>,
        how: Comparison,
        is_all: bool,
        array: Box<Expr>,
    },
    /// A match with any or all patterns of an array.
    MatchArray {
        value: Box<Expr>,
        array: Box<Expr>,
        how: Matching,
        is_insensitive: bool,
        is_negated: bool,
        is_all: bool,
    },
    InList(Box<Expr>, Vec<Expr>),
    MakeArray(Vec<Expr>, Oid),
    Row(Vec<Expr>),
    Field(Box<Expr>, usize),
    Index(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    Cast(Box<Expr>),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    Negate(Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
}

/// A query inside an expression.
#[derive(Debug)]
pub(crate) struct Subquery {
    pub(crate) plan: QueryPlan,
    /// Where its rows are kept if they are the same for all rows of the enclosing select.
    pub(crate) slot: Option<usize>,
}

/// A column that a source gives.
#[derive(Debug, Clone)]
pub(crate) struct ColumnFacts {
    pub(crate) name: Arc<str>,
    pub(crate) ty: Oid,
    pub(crate) modifier: i32,
    pub(crate) fields: Option<Fields>,
}

#[derive(Debug)]
pub(crate) struct QueryPlan {
    pub(crate) with: Vec<CommonTable>,
    pub(crate) body: Body,
    /// Places of columns, descending, NULLs first.
    pub(crate) order: Vec<(usize, bool, bool)>,
    pub(crate) distinct_on: Vec<usize>,
    pub(crate) limit: Option<Expr>,
    pub(crate) offset: Option<Expr>,
    /// The columns that are shown. Those that only sort follow them.
    pub(crate) columns: Vec<ColumnFacts>,
}

#[derive(Debug)]
pub(crate) struct CommonTable {
    pub(crate) slot: usize,
    pub(crate) start: QueryPlan,
    /// The part that is repeated with the rows of the last time, and whether equal rows are kept.
    pub(crate) repeated: Option<(QueryPlan, bool)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetOperation {
    Union,
    Intersect,
    Except,
}

#[derive(Debug)]
pub(crate) enum Body {
    Select(Box<SelectPlan>),
    Set { operation: SetOperation, is_all: bool, left: Box<QueryPlan>, right: Box<QueryPlan> },
    Values(Vec<Vec<Expr>>),
    Query(Box<QueryPlan>),
}

#[derive(Debug)]
pub(crate) struct SelectPlan {
    pub(crate) steps: Vec<Step>,
    /// Conditions of a select without sources.
    pub(crate) filter: Vec<Expr>,
    /// `None` if rows are not grouped.
    pub(crate) groups: Option<Vec<Expr>>,
    pub(crate) aggregates: Vec<Aggregate>,
    pub(crate) having: Option<Expr>,
    pub(crate) windows: Vec<Window>,
    pub(crate) series: Vec<(&'static Series, Vec<Expr>)>,
    /// Shown ones first.
    pub(crate) outputs: Vec<Expr>,
    /// How many columns are compared for DISTINCT.
    pub(crate) distinct: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// One source of a select, joined with those before it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) source: Source,
    pub(crate) kind: JoinKind,
    /// The place of its columns in the row, and how many they are.
    pub(crate) start: usize,
    pub(crate) width: usize,
    /// Columns of the source that are equal to expressions over what comes before it.
    pub(crate) lookup: Vec<(usize, Expr)>,
    /// The other conditions of the join.
    pub(crate) on: Vec<Expr>,
    /// Conditions on the joined rows.
    pub(crate) after: Vec<Expr>,
}

#[derive(Debug)]
pub(crate) enum Source {
    /// A relation of the catalog, by its place.
    Relation(usize),
    CommonTable(usize),
    Query {
        plan: Box<QueryPlan>,
        is_lateral: bool,
        /// Where its rows are kept if they are the same each time.
        slot: Option<usize>,
    },
    Series {
        series: &'static Series,
        arguments: Vec<Expr>,
        with_ordinality: bool,
        is_lateral: bool,
    },
    /// The row of one value of a function in FROM.
    Value {
        expr: Box<Expr>,
        with_ordinality: bool,
    },
    /// A join in parentheses.
    Joined(Vec<Step>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggregateKind {
    Count,
    Sum,
    Average,
    Least,
    Greatest,
    And,
    Or,
    Array,
    Text,
}

#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) kind: AggregateKind,
    pub(crate) arguments: Vec<Expr>,
    pub(crate) ty: Oid,
    pub(crate) is_distinct: bool,
    pub(crate) filter: Option<Expr>,
    /// Expression, descending, NULLs first.
    pub(crate) order: Vec<(Expr, bool, bool)>,
}

#[derive(Debug, Clone)]
pub(crate) enum WindowKind {
    RowNumber,
    Rank,
    DenseRank,
    Aggregate(Aggregate),
}

#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) kind: WindowKind,
    pub(crate) partition: Vec<Expr>,
    pub(crate) order: Vec<(Expr, bool, bool)>,
}

impl Expr {
    pub(crate) fn new(kind: Kind, ty: Oid) -> Self {
        Self { kind, ty, modifier: -1, fields: None }
    }

    /// Calls `found` with each column that is at least `level` selects outside, counted from there.
    pub(crate) fn columns(&self, level: usize, found: &mut dyn FnMut(usize, usize)) {
        let mut all = |parts: &[Expr]| parts.iter().for_each(|part| part.columns(level, found));
        match &self.kind {
            Kind::Const(_) | Kind::Param(_) | Kind::Aggregate(_) | Kind::Window(_) | Kind::Series(_) => {}
            Kind::Column { depth, index } => {
                if *depth >= level {
                    found(*depth - level, *index);
                }
            }
            Kind::Call(_, parts)
            | Kind::And(parts)
            | Kind::Or(parts)
            | Kind::Coalesce(parts)
            | Kind::Extreme(parts, _)
            | Kind::MakeArray(parts, _)
            | Kind::Row(parts) => all(parts),
            Kind::Not(part)
            | Kind::IsNull(part)
            | Kind::Is(part, _)
            | Kind::Field(part, _)
            | Kind::Cast(part)
            | Kind::Negate(part) => part.columns(level, found),
            Kind::Compare(_, a, b)
            | Kind::Distinct(a, b)
            | Kind::Match { value: a, pattern: b, .. }
            | Kind::OfArray { left: a, array: b, .. }
            | Kind::MatchArray { value: a, array: b, .. }
            | Kind::Index(a, b)
            | Kind::Arithmetic(_, a, b)
            | Kind::Concat(a, b) => {
                a.columns(level, found);
                b.columns(level, found);
            }
            Kind::Case(whens, otherwise) => {
                for (condition, result) in whens {
                    condition.columns(level, found);
                    result.columns(level, found);
                }
                otherwise.iter().for_each(|part| part.columns(level, found));
            }
            Kind::Slice(part, lower, upper) => {
                part.columns(level, found);
                lower.iter().chain(upper).for_each(|part| part.columns(level, found));
            }
            Kind::InList(part, list) => {
                part.columns(level, found);
                list.iter().for_each(|part| part.columns(level, found));
            }
            Kind::Scalar(query) | Kind::Exists(query) | Kind::ArrayOf(query, _) => {
                query.plan.columns(level + 1, found);
            }
            Kind::OfQuery { left, query, .. } => {
                all(left);
                query.plan.columns(level + 1, found);
            }
        }
    }

    /// Calls `replace` with each of its columns, until one cannot be replaced. Columns of a query inside it cannot.
    pub(crate) fn replace_columns(&mut self, replace: &mut dyn FnMut(&mut Kind) -> bool) -> bool {
        let mut all = |parts: &mut [Expr]| parts.iter_mut().all(|part| part.replace_columns(replace));
        match &mut self.kind {
            Kind::Const(_) | Kind::Param(_) => true,
            Kind::Column { .. } => replace(&mut self.kind),
            Kind::Call(_, parts)
            | Kind::And(parts)
            | Kind::Or(parts)
            | Kind::Coalesce(parts)
            | Kind::Extreme(parts, _)
            | Kind::MakeArray(parts, _)
            | Kind::Row(parts) => all(parts),
            Kind::Not(part)
            | Kind::IsNull(part)
            | Kind::Is(part, _)
            | Kind::Field(part, _)
            | Kind::Cast(part)
            | Kind::Negate(part) => part.replace_columns(replace),
            Kind::Compare(_, a, b)
            | Kind::Distinct(a, b)
            | Kind::Match { value: a, pattern: b, .. }
            | Kind::OfArray { left: a, array: b, .. }
            | Kind::MatchArray { value: a, array: b, .. }
            | Kind::Index(a, b)
            | Kind::Arithmetic(_, a, b)
            | Kind::Concat(a, b) => a.replace_columns(replace) && b.replace_columns(replace),
            Kind::InList(part, list) => all(list) && part.replace_columns(replace),
            // What is seldom in conditions stays where it is.
            _ => false,
        }
    }

    /// How many columns of the select's own row it needs: one more than the last of them.
    pub(crate) fn needs(&self) -> usize {
        let mut needs = 0;
        self.columns(0, &mut |depth, index| {
            if depth == 0 {
                needs = needs.max(index + 1);
            }
        });
        needs
    }
}

impl QueryPlan {
    /// As [`Expr::columns`], for a query inside an expression at one level less.
    pub(crate) fn columns(&self, level: usize, found: &mut dyn FnMut(usize, usize)) {
        for table in &self.with {
            table.start.columns(level, found);
            table.repeated.iter().for_each(|(plan, _)| plan.columns(level, found));
        }
        self.limit.iter().chain(&self.offset).for_each(|expr| expr.columns(level, found));
        match &self.body {
            Body::Set { left, right, .. } => {
                left.columns(level, found);
                right.columns(level, found);
            }
            Body::Query(query) => query.columns(level, found),
            Body::Values(rows) => rows.iter().flatten().for_each(|expr| expr.columns(level, found)),
            Body::Select(select) => {
                select.steps.iter().for_each(|step| step.columns(level, found));
                let groups = select.groups.iter().flatten();
                let parts = select.filter.iter().chain(groups).chain(&select.having).chain(&select.outputs);
                parts.for_each(|expr| expr.columns(level, found));
                let windows = select.windows.iter().filter_map(|window| match &window.kind {
                    WindowKind::Aggregate(aggregate) => Some(aggregate),
                    _ => None,
                });
                for aggregate in select.aggregates.iter().chain(windows) {
                    let order = aggregate.order.iter().map(|(expr, ..)| expr);
                    let parts = aggregate.arguments.iter().chain(&aggregate.filter).chain(order);
                    parts.for_each(|expr| expr.columns(level, found));
                }
                for window in &select.windows {
                    let order = window.order.iter().map(|(expr, ..)| expr);
                    window.partition.iter().chain(order).for_each(|expr| expr.columns(level, found));
                }
                select.series.iter().flat_map(|(_, parts)| parts).for_each(|expr| expr.columns(level, found));
            }
        }
    }

    /// Whether it reads the rows of a common table expression that is not its own.
    pub(crate) fn reads_common_tables(&self, own: &[usize]) -> bool {
        let own: Vec<usize> = own.iter().copied().chain(self.with.iter().map(|table| table.slot)).collect();
        let of_steps = |steps: &[Step]| steps.iter().any(|step| step.reads_common_tables(&own));
        let with = self.with.iter().any(|table| {
            table.start.reads_common_tables(&own)
                || table.repeated.as_ref().is_some_and(|(plan, _)| plan.reads_common_tables(&own))
        });
        with || match &self.body {
            Body::Set { left, right, .. } => left.reads_common_tables(&own) || right.reads_common_tables(&own),
            Body::Query(query) => query.reads_common_tables(&own),
            Body::Values(_) => false,
            Body::Select(select) => of_steps(&select.steps),
        }
    }
}

impl Step {
    /// Whether a column of the select's row is one of its own.
    pub(crate) fn has(&self, index: usize) -> bool {
        (self.start..self.start + self.width).contains(&index)
    }

    /// Calls `found` with each column of the select's row that its source is made of.
    pub(crate) fn reads(&self, found: &mut dyn FnMut(usize)) {
        let mut own = |depth, index| {
            if depth == 0 {
                found(index);
            }
        };
        match &self.source {
            Source::Relation(_) | Source::CommonTable(_) | Source::Joined(_) => {}
            Source::Query { plan, .. } => plan.columns(1, &mut own),
            Source::Series { arguments, .. } => arguments.iter().for_each(|expr| expr.columns(0, &mut own)),
            Source::Value { expr, .. } => expr.columns(0, &mut own),
        }
    }

    fn columns(&self, level: usize, found: &mut dyn FnMut(usize, usize)) {
        match &self.source {
            Source::Relation(_) | Source::CommonTable(_) => {}
            Source::Query { plan, .. } => plan.columns(level + 1, found),
            Source::Series { arguments, .. } => arguments.iter().for_each(|expr| expr.columns(level, found)),
            Source::Value { expr, .. } => expr.columns(level, found),
            Source::Joined(steps) => steps.iter().for_each(|step| step.columns(level, found)),
        }
        let lookup = self.lookup.iter().map(|(_, expr)| expr);
        lookup.chain(&self.on).chain(&self.after).for_each(|expr| expr.columns(level, found));
    }

    fn reads_common_tables(&self, own: &[usize]) -> bool {
        match &self.source {
            Source::CommonTable(slot) => !own.contains(slot),
            Source::Query { plan, .. } => plan.reads_common_tables(own),
            Source::Joined(steps) => steps.iter().any(|step| step.reads_common_tables(own)),
            _ => false,
        }
    }
}
