use super::*;
use crate::facts::{Column, Facts, Relation, RelationKind};
use crate::{Bounds, plan, text};
use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// A catalog with a table and a view in the schema `archive`.
pub(crate) fn example() -> Catalog {
    let column = |(name, ty): &(&str, &str)| Column {
        name: (*name).to_owned(),
        type_oid: types::oid_of_type(ty).unwrap(),
        type_modifier: -1,
        is_not_null: false,
    };
    let events = [
        ("id", "text"),
        ("rating", "int8"),
        ("time", "timestamptz"),
        ("labels", "_text"),
        ("is_last", "bool"),
        ("waited", "float8"),
        ("day", "date"),
    ];
    let relation = |name: &str, kind, columns: &[(&str, &str)], definition: Option<&str>| Relation {
        schema: "archive".to_owned(),
        name: name.to_owned(),
        kind,
        columns: columns.iter().map(column).collect(),
        definition: definition.map(str::to_owned),
    };
    Catalog::new(Facts {
        database: "holdfast".to_owned(),
        owner: "holdfast".to_owned(),
        roles: vec!["manager".to_owned()],
        search_path: vec!["archive".to_owned()],
        schemas: vec!["archive".to_owned(), "crm".to_owned()],
        relations: vec![
            relation("events", RelationKind::Table, &events, None),
            relation("surveys", RelationKind::View, &events[..2], Some(" SELECT id, rating FROM archive.events;")),
        ],
    })
}

pub(crate) fn session() -> Session {
    Session {
        user: "manager".to_owned(),
        settings: vec![("server_version_num".to_owned(), "150018".to_owned())],
        version: "PostgreSQL 15.18".to_owned(),
        ..Session::default()
    }
}

/// The columns of a statement with their types, and its rows as texts.
type Answer = (Vec<(String, Oid)>, Vec<Vec<Option<String>>>);

/// The answer of a statement.
pub(crate) fn run(sql: &str, values: Vec<Datum>) -> Result<Answer> {
    run_within(sql, values, Bounds::default())
}

fn run_within(sql: &str, values: Vec<Datum>, bounds: Bounds) -> Result<Answer> {
    let catalog = example();
    let own = |name| catalog.find(Some("archive"), name).map(|place| catalog.entries[place].oid.to_string()).unwrap();
    let sql = &sql.replace("16412", &own("events")).replace("16417", &own("surveys"));
    let mut statements =
        Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|error| CatalogError::new("42601", error.to_string()))?;
    let Some(Statement::Query(query)) = statements.pop() else { panic!("{sql}") };
    let plan = plan(&catalog, &query, &[])?;
    let rows = plan.run(&catalog, &session(), values, bounds)?;
    let columns: Vec<(String, Oid)> =
        plan.columns().iter().map(|column| (column.name.clone(), column.type_oid)).collect();
    let of_row =
        |row: &Vec<Datum>| row.iter().zip(&columns).map(|(value, (_, ty))| text(&catalog, value, *ty)).collect();
    let rows = rows.iter().map(of_row).collect();
    Ok((columns, rows))
}

/// One statement of a driver, with the line of each column and row that PostgreSQL answers.
fn cases() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let blocks = include_str!("drivers.txt").split("\n== ").skip(1);
    blocks
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let (sql, answer) = rest.split_once("\n--\n").unwrap();
            (name, sql.to_owned(), answer.trim_end().lines().collect())
        })
        .collect()
}

#[test]
fn drivers_get_the_answers_of_postgresql() {
    let mut wrong = Vec::new();
    for (name, sql, expected) in cases() {
        let (columns, rows) = run(&sql, Vec::new()).unwrap_or_else(|error| panic!("{name}: {} {error}", error.code));
        let heads: Vec<String> = columns.iter().map(|(name, ty)| format!("{name}:{ty}")).collect();
        let row = |row: Vec<Option<String>>| {
            row.into_iter().map(|text| text.unwrap_or_else(|| "~".to_owned())).collect::<Vec<_>>().join("|")
        };
        let mut actual: Vec<String> =
            rows.into_iter().map(row).flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        // Rows that ORDER BY leaves equal have any order.
        let mut expected_rows: Vec<&str> = expected[1..].to_vec();
        actual.sort();
        expected_rows.sort_unstable();
        if heads.join("|") != expected[0] || actual != expected_rows {
            wrong.push(format!("{name}:\n{}\n{}\n", heads.join("|"), actual.join("\n")));
        }
    }
    assert!(cases().len() > 20 && wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A source is read by the keys that are known, however the statement orders its sources.
#[test]
fn statements_look_at_few_rows() {
    let bounds = |steps| Bounds { steps, ..Bounds::default() };
    for (name, sql, _) in cases() {
        if let Err(error) = run_within(&sql, Vec::new(), bounds(50_000)) {
            panic!("{name}: {} {error}", error.code);
        }
    }
    let by_keys =
        "from pg_attribute a join pg_class c on a.attrelid = c.oid where c.relname = 'pg_am' and a.attnum > 0";
    for sql in [
        format!("select count(*) {by_keys}"),
        format!("select (select count(*) {by_keys} and c.reltype = t.oid) from pg_type t where t.typname = 'pg_am'"),
        "select x.typname from (select oid, typname from pg_type) x where x.oid = 16".to_owned(),
    ] {
        assert!(run_within(&sql, Vec::new(), bounds(40)).is_ok(), "{sql}");
    }
    let error = run_within("select 1 from pg_type a, pg_type b", Vec::new(), bounds(1000)).expect_err("too many");
    assert_eq!(error.code, "54000");
}

#[test]
fn what_is_unknown_is_refused_with_postgresqls_codes() {
    for (sql, code) in [
        ("select * from pg_catalog.nothing", "42P01"),
        ("select nothing from pg_class", "42703"),
        ("select oid from pg_class, pg_type", "42702"),
        ("select c.relname from pg_class", "42P01"),
        ("select 'nothing'::regclass from pg_class", "42P01"),
        ("select 'nothing'::regtype from pg_class", "42704"),
        ("select 1 from pg_type where typinput = 'array_in'", "22P02"),
        ("select nothing(1) from pg_class", "42883"),
        ("select 1 from pg_class where relname = oid", "42883"),
        ("select (select oid from pg_class)", "21000"),
        ("select pg_get_viewdef('pg_tables'::regclass)", "0A000"),
        ("select * from pg_catalog.pg_amop", "0A000"),
        ("select 1 from pg_class limit -1", "2201W"),
        ("select 1 from pg_proc a, pg_proc b, pg_proc c", "53200"),
        ("select relname from pg_class where relname ~ '('", "2201B"),
        ("select 1/0 from pg_class", "22012"),
        ("select relname from pg_class order by 2", "42P10"),
        ("select relname from pg_class where count(*) = 1", "42803"),
    ] {
        let error = run(sql, Vec::new()).expect_err(sql);
        assert_eq!(error.code, code, "{sql}: {error}");
    }
}

/// Statements whose answers do not depend on the server's own objects.
#[test]
fn parts_of_sql_have_postgresqls_meaning() {
    for (sql, expected) in [
        ("select count(*) from pg_type where oid in (16, 23)", "2"),
        ("select string_agg(typname, ',' order by typname desc) from pg_type where oid in (16, 23)", "int4,bool"),
        ("select array_agg(oid order by oid) from pg_type where oid = any('{23,16}'::oid[])", "{16,23}"),
        ("select (select count(*) from pg_enum e where e.enumtypid = t.oid) from pg_type t where t.oid = 16", "0"),
        ("select array(select typname from pg_type where oid in (16, 23) order by 1)", "{bool,int4}"),
        (
            "select count(*) from pg_type a left join pg_type b on b.oid = a.typelem where a.oid = 1007 and b.oid = 23",
            "1",
        ),
        ("select t.typname from pg_type t, lateral (select t.typarray as a) x where x.a = 1007", "int4"),
        ("select x from unnest(array[3,1,2]) with ordinality u(x, n) where n = 3 and 'pg_am'::regclass > 0", "2"),
        (
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select sum(i), 'pg_am'::regclass from n",
            "15|pg_am",
        ),
        ("select max(n) from (select row_number() over (order by oid) n from pg_type where oid in (16, 23)) x", "2"),
        ("select relname from pg_class where relname like 'pg\\_ty%' and relkind = 'r'", "pg_type"),
        ("select case when typname = 'bool' then 1 else 2 end from pg_type where oid = 16", "1"),
        ("select distinct typtype from pg_type where oid in (16, 23)", "b"),
        ("select null is distinct from oid from pg_type where oid = 16", "t"),
        ("select count(*) from pg_type where oid in (16) and typname not in (select null::name)", "0"),
        ("select typname from pg_type where (oid, typlen) in ((16, 1), (23, 9))", "bool"),
        ("select count(*) from (values (16), (23)) v(o) full join pg_range r on r.rngtypid = v.o", "8"),
        ("select typname from pg_type where oid in (16, 23) order by typname offset 1 fetch first 1 row only", "int4"),
        (
            "select typname from pg_type where oid = 16 union select 'x' union all select 'x' order by 1 limit 2",
            "bool\nx",
        ),
        (
            "select format('%I %L %s', 'a b', 'it''s', 5), quote_ident('order') from pg_type where oid = 16",
            "\"a b\" 'it''s' 5|\"order\"",
        ),
        ("select has_table_privilege('archive.events', 'SELECT'), has_table_privilege('events', 'INSERT')", "t|f"),
        ("select current_schemas(true), current_schema, current_database()", "{pg_catalog,archive}|archive|holdfast"),
        // Sources run in another order than they are written, and conditions move into queries.
        (
            "select a.typname, b.typname, c.typname from pg_type a left join pg_type b on b.oid = a.typelem and b.typlen > 4 \
             join pg_type c on c.oid = a.typarray where c.typname = '_int8' or b.oid is null and c.oid in (1005, 1007) order by 1",
            "int2|~|_int2\nint4|~|_int4\nint8|~|_int8",
        ),
        (
            "select a.x, t.typname, d.z from (values (1), (2)) a(x) left join (values (2, 3), (2, 4)) b(x, y) on a.x = b.x \
             join pg_type t on t.oid = coalesce(b.y, 16) + 13 and t.typname is null right join (values (7)) d(z) on true",
            "~|~|7",
        ),
        (
            "select a.x, t.typname from (values (16), (5)) a(x) left join pg_type t on t.oid = a.x where t.oid is null",
            "5|~",
        ),
        (
            "select a.x, b.y from (values (1), (2)) a(x) full join (values (2), (3)) b(y) on b.y = a.x \
             where 'pg_am'::regclass > 0 and (a.x is null or b.y is null) order by 1, 2",
            "1|~\n~|3",
        ),
        (
            "select u.k, t.typname from pg_type t join lateral unnest(array[t.typarray, t.oid]) u(k) on true \
             where t.typname = 'bool' order by 1",
            "16|bool\n1000|bool",
        ),
        (
            "select x.n, x.c from (select typtype n, count(*) c from pg_type where oid in (16, 23) group by 1) x where x.c = 2",
            "b|2",
        ),
        (
            "select x.oid from (select oid from pg_type where oid in (16, 23) order by oid limit 1) x where x.oid = 23",
            "",
        ),
        (
            "select t.typname, (select x.typname from (select oid, typname from pg_type) x where x.oid = t.typelem) \
             from pg_type t where t.oid in (1007, 1005) order by 1",
            "_int2|int2\n_int4|int4",
        ),
        ("select relname, relname collate \"C\" from pg_class where oid = 'events'::regclass", "events|events"),
    ] {
        let rows = match run(sql, Vec::new()) {
            Ok((_, rows)) => rows,
            Err(error) => panic!("{sql}: {} {error}", error.code),
        };
        let texts: Vec<String> = rows
            .into_iter()
            .map(|row| row.into_iter().map(|text| text.unwrap_or_else(|| "~".to_owned())).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(texts.join("\n"), expected, "{sql}");
    }
}

#[test]
fn every_table_is_made_of_its_columns() {
    let catalog = example();
    let mut served = 0;
    for (schema, name, columns) in catalog.served() {
        match catalog.all_rows(schema, name, &session()) {
            Ok(rows) => {
                served += 1;
                assert!(rows.iter().all(|row| row.len() == columns.len()), "{schema}.{name}");
            }
            Err(error) => assert_eq!(error.code, "0A000", "{schema}.{name}"),
        }
    }
    assert!(served > 120, "{served}");
}

#[test]
fn oids_are_the_same_in_each_process() {
    let oid = |catalog: &Catalog| catalog.find(None, "events").map(|place| catalog.entries[place].oid);
    assert_eq!(oid(&example()), Some(1_053_781_696));
}
