use super::*;
use arrow_schema::{DataType, Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use std::sync::Arc;

/// A context with `events (id, rating, personal, data)` and the same as `others`; personal and data are withheld.
fn context() -> SessionContext {
    let mut context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    datafusion_functions_json::register_all(&mut context).unwrap();
    let text = |name| Field::new(name, DataType::Utf8, true);
    let schema =
        Schema::new(vec![text("id"), Field::new("rating", DataType::Int32, true), text("personal"), text("data")]);
    for name in ["events", "others"] {
        let table = MemTable::try_new(Arc::new(schema.clone()), vec![vec![]]).unwrap();
        context.register_table(name, Arc::new(table)).unwrap();
    }
    context
}

fn withheld(scan: &TableScan) -> Vec<Origins> {
    let schema = scan.source.schema();
    let origin = |column: &str, tier| vec![Origin { table: Table::Events, column: column.to_owned(), tier }];
    let of = |name: &str| match name {
        "personal" => origin(name, Tier::Personal),
        "data" => origin(name, Tier::Content),
        _ => Origins::new(),
    };
    schema.fields().iter().map(|field| of(field.name())).collect()
}

async fn analysed(sql: &str, trusted: bool) -> (Vec<String>, Vec<String>) {
    let plan = context().state().create_logical_plan(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let lineage = analyse(&plan, trusted, &withheld).unwrap();
    let names = plan.schema().fields().iter().map(|field| field.name().clone());
    let shown = names.zip(&lineage.shown).filter(|(_, origins)| !origins.is_empty()).map(|(name, _)| name).collect();
    let mut computed: Vec<String> = lineage.computed.into_iter().map(|(name, _)| name).collect();
    computed.dedup();
    (shown, computed)
}

/// Asserts that `sql` shows these withheld columns and computes with none.
async fn shows(sql: &str, columns: &[&str]) {
    let (shown, computed) = analysed(sql, false).await;
    assert_eq!((shown, computed), (columns.iter().map(|c| (*c).to_owned()).collect(), Vec::new()), "{sql}");
}

/// Asserts that `sql` computes with this withheld column.
async fn computes(sql: &str, column: &str) {
    let (_, computed) = analysed(sql, false).await;
    assert!(computed.iter().any(|name| name == column), "{sql}: {computed:?}");
}

#[tokio::test]
async fn a_column_can_be_shown_and_renamed() {
    shows("select * from events", &["personal", "data"]).await;
    shows("select id, data from events where id = 'x' order by rating limit 3", &["data"]).await;
    shows("select data as text from events", &["text"]).await;
    shows("select id, rating + 1 from events", &[]).await;
    shows("select count(*) from events", &[]).await;
    shows("select count(1), max(rating) from events group by id", &[]).await;
    shows("select t from (select data as t from events) as inner_one", &["t"]).await;
    shows("with c as (select id, data as t from events) select c.t, c.id from c", &["t"]).await;
    shows("select e.data from events e join others o on e.id = o.id", &["data"]).await;
    shows("select data, row_number() over (partition by id order by rating) from events", &["data"]).await;
    shows("select distinct on (id) id, data from events order by id", &["data"]).await;
    shows("select x from (select id as x from events union all select data from others)", &["x"]).await;
    shows("explain select data from events", &[]).await;
    shows("select 1", &[]).await;
    shows("values (1, 'a'), (2, 'b')", &[]).await;
}

#[tokio::test]
async fn filters_sorts_groups_and_expressions_compute() {
    computes("select id from events where data like '%x%'", "data").await;
    computes("select id from events where data is null", "data").await;
    computes("select id from events order by data", "data").await;
    computes("select data from events order by data", "data").await;
    computes("select count(data) from events", "data").await;
    computes("select count(distinct personal) from events", "personal").await;
    computes("select data, count(*) from events group by data", "data").await;
    computes("select count(*) from events group by rollup(id, data)", "data").await;
    computes("select id from events group by id having max(data) > 'x'", "data").await;
    computes("select distinct data from events", "data").await;
    computes("select upper(data) from events", "data").await;
    computes("select data || 'x' from events", "data").await;
    computes("select data ->> 'text' from events", "data").await;
    computes("select cast(data as int) from events", "data").await;
    computes("select coalesce(data, 'none') from events", "data").await;
    computes("select case when data is null then 1 end from events", "data").await;
    computes("select row_number() over (order by data) from events", "data").await;
    computes("select lag(data) over (order by id) from events", "data").await;
    computes("explain select id from events where data = 'x'", "data").await;
    computes("explain analyze select id from events where data = 'x'", "data").await;
}

#[tokio::test]
async fn a_column_is_followed_under_other_names() {
    computes("select t from (select data as t from events) where t = 'x'", "t").await;
    computes("with c as (select data as t from events) select upper(t) from c", "t").await;
    computes("select x from (select id as x from events union all select data from others) where x = 'a'", "x").await;
    computes("select id from events union select data from others", "id").await;
    computes("select id from events intersect select data from others", "data").await;
    computes("select id from events except select data from others", "data").await;
    computes("select a.id from (select id, data as d from events) a join others b on a.d = b.id", "d").await;
    computes("select a.id from events a join others b using (data)", "data").await;
    computes("select a.id from events a natural join others b", "data").await;
    computes("select a.id from events a left join others b on a.id = b.id and a.data > 'x'", "data").await;
    computes("select b.d from events a right join (select id, data d from others) b on a.id = b.d", "d").await;
}

#[tokio::test]
async fn subqueries_are_analysed() {
    shows("select id from events where exists (select data from others)", &[]).await;
    shows("select id from events e where exists (select 1 from others o where o.id = e.id)", &[]).await;
    shows("select id, (select max(rating) from others) from events", &[]).await;
    shows("select (select data from others limit 1) as d from events", &["d"]).await;
    computes("select id from events where id in (select data from others)", "data").await;
    computes("select id from events where data in (select id from others)", "data").await;
    computes("select id from events where id not in (select data from others)", "data").await;
    computes("select id from events where id = (select data from others limit 1)", "data").await;
    computes("select id from events where exists (select 1 from others where data = 'x')", "data").await;
    computes("select id from events e where exists (select 1 from others o where o.id = e.data)", "data").await;
    computes("select (select count(*) from others where data = 'x') from events", "data").await;
    computes("select e.id from events e, lateral (select o.id from others o where o.id = e.data) as l", "data").await;
    computes("select upper((select data from others limit 1)) from events", "data").await;
}

#[tokio::test]
async fn recursive_queries_are_followed_to_a_fixed_point() {
    let step = "with recursive r (a, b) as (select id, data from events union all select b, a from r where ";
    computes(&format!("{step} a = 'x') select * from r"), "a").await;
    shows(
        "with recursive r (a, b) as (select id, data from events union all select b, a from r) select * from r",
        &["a", "b"],
    )
    .await;
    computes("with recursive r (a) as (select data from events union select a from r) select * from r", "a").await;
}

#[tokio::test]
async fn a_query_with_the_name_of_a_table_hides_no_column_of_the_table() {
    let columns = "(id, rating, personal, data) as (select id, rating, id as p, id as d from events";
    let row = "select w.id, w.rating, w.id as p, w.id as d from others w";
    let step = format!("{row} cross join public.others s where s.data is null");
    computes(&format!("with recursive others {columns} union all {step}) select count(*) from others"), "data").await;
    computes(&format!("with others {columns}) select o.id from public.others o where o.data is null"), "data").await;
    // The query's own column of that name is not withheld.
    shows(&format!("with others {columns}) select o.id from others o where o.data is null"), &[]).await;
    let own = format!("{row} where w.data is null");
    shows(&format!("with recursive others {columns} union all {own}) select id from others"), &[]).await;
}

#[tokio::test]
async fn a_view_may_compute_in_its_projection_only() {
    let (shown, computed) = analysed("select id, data ->> 'text' as text, personal as p from events", true).await;
    assert_eq!((shown, computed), (vec!["text".to_owned(), "p".to_owned()], vec![]));
    let (_, computed) = analysed("select id from events where data = 'x'", true).await;
    assert_eq!(computed, ["data"]);
    let (_, computed) = analysed("select count(data) as n from events", true).await;
    assert_eq!(computed, ["data"]);
}
