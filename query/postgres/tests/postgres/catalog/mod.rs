//! The catalog over the wire: statements of drivers, their types, and both formats.

use crate::fixture::Server;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::Type;

/// The statements of drivers, as `query/catalog` compares them with PostgreSQL's answers.
const DRIVERS: &str = include_str!("../../../../catalog/src/tables/drivers.txt");

#[tokio::test]
async fn statements_of_drivers_are_answered_without_a_record() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let blocks: Vec<&str> = DRIVERS.split("\n== ").skip(1).collect();
    assert!(blocks.len() > 20);
    for block in blocks {
        let (name, rest) = block.split_once('\n').unwrap();
        let (statement, answer) = rest.split_once("\n--\n").unwrap();
        // The columns are described alike in both protocols.
        let prepared = client.prepare(statement).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let columns = prepared.columns().iter().map(|column| format!("{}:{}", column.name(), column.type_().oid()));
        assert_eq!(columns.collect::<Vec<_>>().join("|"), answer.lines().next().unwrap(), "{name}");
        client.simple_query(statement).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    assert!(server.accesses().is_empty(), "{:?}", server.accesses());
}

#[tokio::test]
async fn values_of_the_catalog_have_their_binary_format() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let statement = "select t.oid, t.typname, t.typlen, t.typtype, t.typnotnull, t.typreceive::oid, p.proargtypes::oid[], \
                     array[t.typname], t.typdefault, t.oid::int8 \
                     from pg_type t join pg_proc p on p.oid = t.typreceive where t.oid = any($1)";
    let rows = client.query(statement, &[&vec![23_u32]]).await.unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let types: Vec<Type> = row.columns().iter().map(|column| column.type_().clone()).collect();
    let expected = [
        Type::OID,
        Type::NAME,
        Type::INT2,
        Type::CHAR,
        Type::BOOL,
        Type::OID,
        Type::OID_ARRAY,
        Type::NAME_ARRAY,
        Type::TEXT,
        Type::INT8,
    ];
    assert_eq!(types, expected);
    assert_eq!(row.get::<_, u32>(0), 23);
    assert_eq!(row.get::<_, &str>(1), "int4");
    assert_eq!(row.get::<_, i16>(2), 4);
    assert_eq!(row.get::<_, i8>(3), b'b' as i8);
    assert!(!row.get::<_, bool>(4));
    assert_eq!(row.get::<_, u32>(5), 2406);
    assert_eq!(row.get::<_, Vec<u32>>(6), [2281]);
    assert_eq!(row.get::<_, Vec<&str>>(7), ["int4"]);
    assert_eq!(row.get::<_, Option<&str>>(8), None);
    assert_eq!(row.get::<_, i64>(9), 23);
}

#[tokio::test]
async fn parameters_have_the_types_that_they_are_compared_with() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let of = async |statement: &str| client.prepare(statement).await.unwrap().params().to_vec();
    assert_eq!(of("select 1 from pg_type where typname = $1 and oid = $2").await, [Type::NAME, Type::OID]);
    assert_eq!(of("select 1 from pg_type where oid = any($1::oid[])").await, [Type::OID_ARRAY]);
    assert_eq!(of("select relname from pg_class limit $1").await, [Type::INT8]);
    let rows = client.query("select relname from pg_class where relname = $1 limit $2", &[&"events", &1_i64]).await;
    assert_eq!(rows.unwrap().len(), 1);
}

#[tokio::test]
async fn a_statement_over_the_catalog_and_the_archive_is_recorded() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let statement = "select c.relname from pg_catalog.pg_class c join events e on e.source = 'urn:test' \
                     where c.relname = 'events' and c.oid > 0 limit 1";
    let rows = client.query(statement, &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, &str>(0), "events");
    assert_eq!(server.accesses().len(), 1);
}

#[tokio::test]
async fn oids_of_relations_join_and_are_names() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let rows = client
        .simple_query(
            "select 'archive.events'::regclass, count(*) from pg_attribute \
             where attrelid = 'events'::regclass and attname in ('id', 'subject', 'time') group by 1",
        )
        .await
        .unwrap();
    let row = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0).unwrap().to_owned(), row.get(1).unwrap().to_owned())),
        _ => None,
    });
    assert_eq!(row, Some(("events".to_owned(), "3".to_owned())));
}

#[tokio::test]
async fn the_definition_of_a_view_is_told() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let row = client.query_one("select pg_get_viewdef('archive.surveys'::regclass, true)", &[]).await.unwrap();
    assert!(row.get::<_, &str>(0).to_lowercase().contains("select"));
}

#[tokio::test]
async fn a_cursor_over_the_catalog_is_fetched_in_parts() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    client.batch_execute("begin; declare c cursor for select oid from pg_type order by oid").await.unwrap();
    for part in [3, 5] {
        let messages = client.simple_query(&format!("fetch {part} from c")).await.unwrap();
        let rows = messages.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count();
        assert_eq!(rows, part);
    }
}
