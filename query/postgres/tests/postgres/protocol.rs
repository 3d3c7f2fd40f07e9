//! The protocol through a driver: statements, values, cursors, errors, cancellation.

use crate::fixture::{PASSWORD, SESSIONS, Server};
use futures::StreamExt;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio_postgres::error::SqlState;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A statement that runs for hours.
pub(crate) const ENDLESS: &str = "select count(*) from generate_series(1, 1000000000000) a where a.a % 7 = 9";

async fn code(client: &tokio_postgres::Client, statement: &str) -> String {
    let error = client.simple_query(statement).await.expect_err(statement);
    error.code().unwrap_or_else(|| panic!("{statement}: {error}")).code().to_owned()
}

#[tokio::test]
async fn values_go_in_and_rows_come_out() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let statement =
        "select subject, time, rating, kafka_offset from events where rating > $1 and subject < $2 order by subject";
    let rows = client.query(statement, &[&4_i32, &"S-010"]).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].get::<_, &str>("subject"), "S-004");
    assert_eq!(rows[0].get::<_, i32>("rating"), 5);
    assert_eq!(rows[1].get::<_, i64>("kafka_offset"), 29);
    let time: SystemTime = rows[0].get("time");
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(since, Duration::from_micros(1_778_400_290_123_456));
    // The statement is recorded in the client's text, with its values and its outcome.
    assert_eq!(server.accesses(), [format!("-- $1 = 4\n-- $2 = S-010\n{statement}")]);
    assert_eq!(server.audit_trail.ended.lock().unwrap()[0].rows, 2);
}

#[tokio::test]
async fn types_of_parameters_are_described() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let statement =
        client.prepare("select id from events where kafka_offset = $1 and time < $2 and id = $3").await.unwrap();
    let types: Vec<&str> = statement.params().iter().map(tokio_postgres::types::Type::name).collect();
    assert_eq!(types, ["int8", "timestamptz", "text"]);
    let rows = client.query(&statement, &[&0_i64, &SystemTime::now(), &None::<&str>]).await.unwrap();
    assert!(rows.is_empty());
    let row = client.query_one("select $1::bigint + 1", &[&41_i64]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 42);
}

#[tokio::test]
async fn counts_of_rows_are_bigint_and_arrays_have_the_type_of_the_other_side() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    for (statement, expected) in [
        ("select id from events limit $1 offset $2", vec!["int8", "int8"]),
        ("select id from events offset $1 rows fetch first $2 rows only", vec!["int8", "int8"]),
        ("select id from events where subject = any($1) and rating <> all($2)", vec!["_text", "_int4"]),
        ("select id from events where time = any($1) limit $2", vec!["_timestamptz", "int8"]),
        ("select id from events where $1::int is null or rating = $1", vec!["int4"]),
        ("select coalesce(rating, $1) from events", vec!["int4"]),
        (
            "select gcd(3000000000, $1), justify_hours($2), age(time, $3) from events",
            vec!["int8", "interval", "timestamptz"],
        ),
        (
            "select case when $1 then rating else $2 end from events where $3 or not $4",
            vec!["bool", "int4", "bool", "bool"],
        ),
        ("select rating, id::varchar from events union all select $1, $2", vec!["int4", "varchar"]),
        ("select array[$1, null, rating], time + $2 from events", vec!["int4", "interval"]),
        ("select $1::uuid, $2::json, $3::interval, $4::int[]", vec!["uuid", "json", "interval", "_int4"]),
    ] {
        let prepared = client.prepare(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        let types: Vec<&str> = prepared.params().iter().map(tokio_postgres::types::Type::name).collect();
        assert_eq!(types, expected, "{statement}");
    }
    let among = "select distinct subject from events where subject = any($1) order by subject limit $2 offset $3";
    let rows = client.query(among, &[&vec!["S-001", "S-003", "S-005", "nobody"], &8_i64, &1_i64]).await.unwrap();
    let subjects: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(subjects, ["S-003", "S-005"]);
    for (limit, offset, expected) in [(Some(-1_i64), None, "2201W"), (None, Some(-1_i64), "2201X")] {
        let error = client.query("select id from events limit $1 offset $2", &[&limit, &offset]).await.unwrap_err();
        assert_eq!(error.code().map(SqlState::code), Some(expected));
    }
    assert_eq!(code(&client, "select id from events limit -1").await, "2201W");
    assert_eq!(code(&client, "select id from events fetch first 3 rows with ties").await, "0A000");
    let all = client.query("select id from events limit $1 offset $2", &[&None::<i64>, &None::<i64>]).await.unwrap();
    assert_eq!(all.len(), 3 * SESSIONS);
}

#[tokio::test]
async fn elements_of_arrays_may_be_null() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    for (condition, expected) in [
        ("subject = any('{S-001,\"S-002\"}')", 6),
        ("subject = any('{}')", 0),
        ("subject <> all('{}')", 120),
        ("subject <> all('{S-001,S-002}')", 114),
        // Whether it differs from NULL is unknown.
        ("subject <> all('{S-001,NULL}')", 0),
        ("subject = any(array['S-001', NULL])", 3),
        ("rating > any(array[4, 5])", 8),
    ] {
        let row = client.query_one(&format!("select count(*) from events where {condition}"), &[]).await;
        assert_eq!(
            row.unwrap_or_else(|error| panic!("{condition}: {error:?}")).get::<_, i64>(0),
            expected,
            "{condition}"
        );
    }
}

#[tokio::test]
async fn a_session_answers_for_its_variables_and_transactions() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let show = async |name: &str| -> String {
        match client.simple_query(&format!("show {name}")).await.unwrap().remove(1) {
            SimpleQueryMessage::Row(row) => row.get(0).unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert!(show("server_version").await.starts_with("15."));
    assert!(show("server_version_num").await.starts_with("1500"));
    let row =
        client.query_one("select current_setting('jit') as cur, set_config('jit', 'on', false) as new", &[]).await;
    assert_eq!(row.unwrap().get::<_, &str>("new"), "on");
    assert_eq!(show("jit").await, "on");
    client
        .batch_execute("begin isolation level serializable read only deferrable; set local work_mem = '9MB'")
        .await
        .unwrap();
    assert_eq!(show("transaction_isolation").await, "serializable");
    assert_eq!(show("transaction_deferrable").await, "on");
    assert_eq!(show("work_mem").await, "9MB");
    assert_eq!(code(&client, "discard all").await, "25001");
    client.batch_execute("abort").await.unwrap();
    assert_eq!(show("work_mem").await, "4MB");
    assert_eq!(show("transaction_isolation").await, "read committed");
    let modes = "set session characteristics as transaction isolation level repeatable read, read write";
    client.batch_execute(modes).await.unwrap();
    assert_eq!(show("transaction_read_only").await, "on");
    assert_eq!(show("default_transaction_isolation").await, "repeatable read");
    client.batch_execute("begin; commit and chain; select 1; rollback").await.unwrap();
    client.batch_execute("discard all").await.unwrap();
    assert_eq!(show("default_transaction_isolation").await, "read committed");
}

#[tokio::test]
async fn several_statements_run_in_order() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let messages = client
        .simple_query("select 1; set extra_float_digits = 2; select 2 as b where false; show timezone")
        .await
        .unwrap();
    let received: Vec<String> = messages
        .iter()
        .map(|message| match message {
            SimpleQueryMessage::Row(row) => format!("row {}", row.get(0).unwrap()),
            SimpleQueryMessage::CommandComplete(rows) => format!("complete {rows}"),
            SimpleQueryMessage::RowDescription(columns) => format!("columns {}", columns.len()),
            _ => "other".to_owned(),
        })
        .collect();
    assert_eq!(
        received,
        [
            "columns 1",
            "row 1",
            "complete 1",
            "complete 0",
            "columns 1",
            "complete 0",
            "columns 1",
            "row UTC",
            "complete 0"
        ]
    );
    // Statements before a refused one run.
    assert_eq!(code(&client, "select 1; drop table events").await, "25006");
    for nothing in ["", " ; ", "-- nothing"] {
        client.simple_query(nothing).await.unwrap();
    }
    assert_eq!(client.query("", &[]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn each_error_has_its_sqlstate() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    for (statement, expected) in [
        ("selec 1", "42601"),
        ("select * from nothing", "42P01"),
        ("select * from archive.nothing", "42P01"),
        ("select nothing from events", "42703"),
        ("select nothing(1)", "42883"),
        ("select subject, count(*) from events", "42803"),
        ("select 1 / (kafka_offset - kafka_offset) from events", "22012"),
        ("select cast(subject as int) from events", "22P02"),
        ("select id from events a join events b on a.id = b.id", "42702"),
        ("insert into events values (1)", "25006"),
        ("create table t (a int)", "25006"),
        ("copy events to stdout", "0A000"),
        ("copy events from stdin", "25006"),
        ("select id from events where data like '%x%'", "42501"),
        ("show nothing", "42704"),
        ("set client_encoding = 'latin1'", "22023"),
        ("set role admin", "42501"),
        ("fetch 1 from nothing", "34000"),
        ("declare c cursor for select 1", "25P01"),
        ("deallocate nothing", "26000"),
    ] {
        assert_eq!(code(&client, statement).await, expected, "{statement}");
    }
    // The session goes on after all of them.
    assert_eq!(client.query_one("select 1", &[]).await.unwrap().get::<_, i32>(0), 1);
}

#[tokio::test]
async fn missing_objects_of_the_catalog_have_a_count_of_zero() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let found = async |condition: &str| {
        let statement =
            format!("select c.relname from pg_catalog.pg_class c where c.relname = 'events' and {condition}");
        let messages = client.simple_query(&statement).await.unwrap();
        messages.iter().filter(|message| matches!(message, tokio_postgres::SimpleQueryMessage::Row(_))).count()
    };
    let keys = |value: &str| format!("(select {value} from pg_catalog.pg_index i where i.indrelid = c.oid)");
    assert_eq!(found(&format!("{} = 0", keys("count(*)"))).await, 1);
    assert_eq!(found(&format!("{} is null", keys("i.indexrelid"))).await, 1);
    assert_eq!(found(&format!("{} > 0", keys("count(*)"))).await, 0);
}

#[tokio::test]
async fn withheld_columns_are_null_and_named() {
    let server = Server::start().await;
    let options = format!("host=127.0.0.1 port={} user=manager password='{PASSWORD}' sslmode=disable", server.port);
    let (client, mut connection) = tokio_postgres::connect(&options, NoTls).await.unwrap();
    let (send, mut notices) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let tokio_postgres::AsyncMessage::Notice(notice) = message {
                send.send(notice).unwrap();
            }
        }
    });
    let row = client.query_one("select id, data from events order by id limit 1", &[]).await.unwrap();
    assert_eq!(row.get::<_, Option<&str>>("data"), None);
    let notice = notices.recv().await.unwrap();
    assert_eq!(notice.code(), &SqlState::WARNING);
    assert!(notice.message().contains("column `data` is withheld"), "{notice}");

    let officer = server.connect("compliance").await;
    let row = officer.query_one("select feedback from surveys order by session limit 1", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "feedback of S-000");
}

#[tokio::test]
async fn a_portal_returns_its_rows_in_parts() {
    let server = Server::start().await;
    let mut client = server.connect("manager").await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("select kafka_offset from events order by 1", &[]).await.unwrap();
    let mut received = Vec::new();
    for expected in [50, 50, 20, 0] {
        let rows = transaction.query_portal(&portal, 50).await.unwrap();
        assert_eq!(rows.len(), expected);
        received.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
    }
    assert_eq!(received, (0..SESSIONS as i64 * 3).collect::<Vec<_>>());
    transaction.commit().await.unwrap();
    assert_eq!(server.accesses().len(), 1);
}

#[tokio::test]
async fn a_client_that_has_fetched_the_last_row_has_ended_the_access() {
    let server = Server::start().await;
    let mut client = server.connect("compliance").await;
    let transaction = client.transaction().await.unwrap();
    transaction.batch_execute("declare c cursor for select session from sessions order by 1").await.unwrap();
    let rows = transaction.query(&format!("fetch {SESSIONS} from c"), &[]).await.unwrap();
    assert_eq!(rows.len(), SESSIONS);
    let last = |server: &Server| server.audit_trail.ended.lock().unwrap().last().map(|end| (end.rows, end.outcome));
    assert_eq!(last(&server), Some((SESSIONS as u64, holdfast_query::Outcome::Complete)));
    assert_eq!(transaction.query("fetch 1 from c", &[]).await.unwrap().len(), 0);

    let portal = transaction.bind("select kafka_offset from events", &[]).await.unwrap();
    let rows = transaction.query_portal(&portal, SESSIONS as i32 * 3).await.unwrap();
    assert_eq!(rows.len(), SESSIONS * 3);
    assert_eq!(last(&server), Some((SESSIONS as u64 * 3, holdfast_query::Outcome::Complete)));
    assert_eq!(transaction.query_portal(&portal, 1).await.unwrap().len(), 0);
    // A fetch that leaves rows does not end it.
    let portal = transaction.bind("select id from events", &[]).await.unwrap();
    assert_eq!(transaction.query_portal(&portal, SESSIONS as i32).await.unwrap().len(), SESSIONS);
    assert_eq!(server.audit_trail.ended.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn cursors_are_declared_fetched_and_closed() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    client
        .batch_execute("begin; declare c cursor for select session from sessions order by 1")
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let rows = client.query("fetch forward 3 from c", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), ["S-000", "S-001", "S-002"]);
    assert_eq!(client.query("fetch all from c", &[]).await.unwrap().len(), SESSIONS - 3);
    assert_eq!(client.query("fetch next from c", &[]).await.unwrap().len(), 0);
    assert_eq!(code(&client, "declare c cursor for select 1").await, "42P03");
    client.batch_execute("rollback; begin").await.unwrap();
    assert_eq!(code(&client, "fetch 1 from c").await, "34000");
    client.batch_execute("rollback").await.unwrap();
    client.batch_execute("declare h cursor with hold for select 7").await.unwrap();
    assert_eq!(client.query_one("fetch 1 from h", &[]).await.unwrap().get::<_, i32>(0), 7);
    client.batch_execute("close h").await.unwrap();
}

#[tokio::test]
async fn a_failed_transaction_refuses_statements_until_it_ends() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    client.batch_execute("begin; savepoint a").await.unwrap();
    assert_eq!(code(&client, "select nothing").await, "42703");
    assert_eq!(code(&client, "select 1").await, "25P02");
    client.batch_execute("rollback to savepoint a; select 1").await.unwrap();
    assert_eq!(code(&client, "select nothing").await, "42703");
    client.batch_execute("commit; select 1").await.unwrap();
}

#[tokio::test]
async fn a_client_with_the_cancel_key_cancels_the_statement() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let token = client.cancel_token();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(NoTls).await.unwrap();
    };
    let (error, ()) = tokio::join!(code(&client, ENDLESS), cancel);
    assert_eq!(error, "57014");
    client.batch_execute("select 1").await.unwrap();
    // A cancel request without a running statement has no effect.
    token.cancel_query(NoTls).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.batch_execute("select 1").await.unwrap();
}

#[tokio::test]
async fn the_purpose_is_part_of_the_access_record() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    client.batch_execute("set holdfast.purpose = 'complaint 7'; select count(*) from events").await.unwrap();
    client.batch_execute("reset holdfast.purpose; select count(*) from events").await.unwrap();
    let options = format!("user=manager password='{PASSWORD}' options='-c holdfast.purpose=audit\\\\ 9'");
    let other = server.connect_with(&options).await.unwrap();
    other.batch_execute("select count(*) from events").await.unwrap();
    let begun = server.audit_trail.begun.lock().unwrap();
    let purposes: Vec<Option<&str>> = begun.iter().map(|record| record.purpose.as_deref()).collect();
    assert_eq!(purposes, [Some("complaint 7"), None, Some("audit 9")]);
}

#[tokio::test]
async fn without_an_audit_trail_only_metadata_can_be_read() {
    let server = Server::start().await;
    server.audit_trail.is_unavailable.store(true, Ordering::SeqCst);
    let client = server.connect("manager").await;
    for statement in [
        "select 1",
        "select version(), current_user, current_schema()",
        "select relname from pg_catalog.pg_class",
        "select table_name from information_schema.tables",
        "select * from generate_series(1, 3)",
        "show server_version",
    ] {
        client.simple_query(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    assert_eq!(code(&client, "select count(*) from events").await, "58030");
    assert_eq!(code(&client, "select relname from pg_class where relname in (select id from events)").await, "58030");
    server.audit_trail.is_unavailable.store(false, Ordering::SeqCst);
    client.simple_query("select count(*) from events").await.unwrap();
    assert_eq!(server.accesses(), ["select count(*) from events"]);
}

#[tokio::test]
async fn a_client_that_disconnects_ends_its_statement() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let stream =
        client.query_raw("select a.id from events a, events b, events c order by b.id", Vec::<i32>::new()).await;
    let mut stream = Box::pin(stream.unwrap());
    drop(stream.next().await);
    drop(stream);
    drop(client);
    for _ in 0..200 {
        if !server.audit_trail.ended.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = server.audit_trail.ended.lock().unwrap();
    assert_eq!(ended.len(), 1);
    assert!(ended[0].rows < (SESSIONS as u64 * 3).pow(3));
}
