//! `SELECT * FROM name`, and a column of a subquery.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, ObjectName, Query, Select, SelectFlavor, SelectItem, SetExpr, TableAlias,
    TableAliasColumnDef, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};

/// The name of a subquery.
const ROWS: &str = "rows of a subquery";

/// `SELECT item FROM (query)`. The columns of the query have the names `columns`, if some are given.
pub(super) fn over(query: Query, item: SelectItem, columns: &[String]) -> Query {
    let columns =
        columns.iter().map(|name| TableAliasColumnDef { name: Ident::with_quote('"', name), data_type: None });
    let name = Ident::with_quote('"', ROWS);
    let alias = TableAlias { explicit: true, name, columns: columns.collect(), at: None };
    let relation = TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: Some(alias), sample: None };
    let mut select = all_of(ObjectName::from(Vec::new()));
    select.projection = vec![item];
    select.from = vec![TableWithJoins { relation, joins: Vec::new() }];
    query_of(select)
}

/// A SELECT as a query.
pub(super) fn query_of(select: Select) -> Query {
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// A column of the query in [`over`].
pub(super) fn column_of(name: &str) -> Expr {
    Expr::CompoundIdentifier(vec![Ident::with_quote('"', ROWS), Ident::with_quote('"', name)])
}

/// All columns of a table.
pub(super) fn all_of(name: ObjectName) -> Select {
    let relation = TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    };
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
        exclude: None,
        into: None,
        from: vec![TableWithJoins { relation, joins: Vec::new() }],
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}
