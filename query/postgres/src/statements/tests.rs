use super::*;
use crate::variables::TransactionModes;
use std::time::Duration;

fn parse(text: &str) -> Result<Vec<Result<Command, Failure>>, Failure> {
    let variables = Variables::new("ada", Duration::from_secs(60), Duration::from_secs(60));
    Statements.parse(text, &variables)
}

fn one(text: &str) -> Result<Command, Failure> {
    let mut commands = parse(text).unwrap_or_else(|failure| panic!("{text}: {failure:?}"));
    assert_eq!(commands.len(), 1, "{text}");
    commands.remove(0)
}

fn query(text: &str) -> String {
    match one(text) {
        Ok(Command::Query(query)) => query.text,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_query_that_needs_no_rewrite_keeps_its_text() {
    let text = "select  Id -- the event\nfrom events where rating > $1";
    assert_eq!(query(&format!(" {text} ;")), text);
}

#[test]
fn a_query_of_the_archive_keeps_its_meaning() {
    let subquery = "select subject, (select count(*) from surveys s where s.session = e.subject) from events e";
    assert_eq!(query(subquery), subquery);
    assert_eq!(query("select id, * from events"), "select id, * from events");
    assert_eq!(query("select 1 where 2 = any($1)"), "select 1 where 2 = any($1)");
    let of_elements = "select 1 where a = any('{x,\"y z\",NULL}') and b <> all('{}') and c = '{1,NULL}'::int[]";
    assert_eq!(query(of_elements), of_elements);
    assert_eq!(query("select pg_catalog.upper(id) from events"), "SELECT upper(id) FROM events");
}

/// The client's text of a statement over the catalog alone.
fn of_catalog(text: &str) -> Option<String> {
    match one(text) {
        Ok(Command::Query(query)) => query.catalog.map(|(text, _)| text),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_query_of_the_catalog_alone_keeps_its_text_for_the_catalog() {
    for text in [
        "select c.relname from pg_class c where c.relname operator(pg_catalog.~) '^x$' collate \"C\"",
        "with t as (select oid from pg_class) select t.oid, t.* from t",
        "select table_name from information_schema.tables",
        "select 'events'::regclass",
        "select pg_catalog.format_type(25, -1)",
        "select current_schemas(true)",
    ] {
        assert_eq!(of_catalog(&format!("{text};")).as_deref(), Some(text));
    }
    for text in [
        "select relname from pg_class where relname in (select id from events)",
        "select 1",
        "select id::text from events",
        "select * from generate_series(1, 3)",
        "explain select * from pg_class",
    ] {
        assert_eq!(of_catalog(text), None, "{text}");
    }
}

#[test]
fn a_pattern_with_another_escape_character_is_rewritten_with_the_backslash() {
    let text = query(r"select id from events where id like 'a/_\%' escape '/'");
    assert_eq!(text, r"SELECT id FROM events WHERE id LIKE 'a\_\\%'");
}

#[test]
fn functions_about_the_session_are_replaced_by_their_values() {
    assert_eq!(query("select current_user"), "SELECT name_of_session('ada') AS \"current_user\"");
    assert_eq!(query("select current_setting('TimeZone')"), "SELECT 'UTC' AS \"current_setting\"");
    let of_agent = query("select id from events where agent = session_user");
    assert_eq!(of_agent, "SELECT id FROM events WHERE agent = name_of_session('ada')");
    assert_eq!(query("select current_setting('no.such', true)"), "SELECT NULL AS \"current_setting\"");
}

#[test]
fn statements_that_write_are_refused() {
    for text in [
        "insert into events values (1)",
        "update events set id = 1",
        "delete from events",
        "with x as (delete from events returning *) select * from x",
        "select * into copy from events",
        "select * from events for update",
        "create table t (a int)",
        "create temporary table t as select 1",
        "drop view sessions",
        "alter table events add column x int",
        "truncate events",
        "grant select on events to public",
        "copy events from stdin",
        "explain analyze delete from events",
        "declare c cursor for select * from events for update",
        "vacuum",
        "notify x",
        "lock table events",
        "merge into a using b on true when matched then delete",
    ] {
        let failure = match parse(text) {
            Ok(mut commands) => commands.remove(0).expect_err(text),
            Err(failure) => failure,
        };
        assert_eq!(failure.code, "25006", "{text}: {}", failure.message);
    }
    assert_eq!(one("drop table events").unwrap_err().message, "the archive is read-only: DROP TABLE is refused");
}

#[test]
fn unsupported_statements_and_invalid_ones_have_different_sqlstates() {
    assert_eq!(one("copy events to stdout").unwrap_err().code, "0A000");
    assert_eq!(one("prepare p as select 1").unwrap_err().code, "0A000");
    assert_eq!(one("declare c scroll cursor for select 1").unwrap_err().code, "0A000");
    assert_eq!(one("fetch prior from c").unwrap_err().code, "55000");
    for text in ["selec 1", "select 'open", "select ("] {
        assert_eq!(parse(text).unwrap_err().code, "42601", "{text}");
    }
    let deep = format!("select {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(parse(&deep).unwrap_err().code, "54001");
    let chain = |links: usize| format!("select 1{}", "+1".repeat(links));
    assert_eq!(parse(&chain(3000)).unwrap_err().code, "54001");
    assert_eq!(parse(&format!("declare c cursor for {}", chain(3000))).unwrap_err().code, "54001");
    assert_eq!(parse(&chain(300_000)).unwrap_err().code, "54000");
    assert_eq!(parse("select $1001").unwrap_err().code, "54023");
    assert_eq!(parse(&format!("select {}1", "1,".repeat(2000))).unwrap_err().code, "54011");
}

#[test]
fn commands_of_the_session_are_parsed() {
    let set = |name: &str, value: &str| {
        Command::Set(Setting { name: name.to_owned(), value: Some(value.to_owned()), is_local: false })
    };
    for (text, command) in [
        ("set statement_timeout = '2s'", set("statement_timeout", "2s")),
        ("SET SESSION statement_timeout TO 500", set("statement_timeout", "500")),
        ("set extra_float_digits = 3", set("extra_float_digits", "3")),
        ("set holdfast.purpose = 'ticket T-1'", set("holdfast.purpose", "ticket T-1")),
        ("set search_path to archive, crm", set("search_path", "archive, crm")),
        ("set time zone 'Europe/Vienna'", set("TimeZone", "Europe/Vienna")),
        ("set names 'UTF8'", set("client_encoding", "UTF8")),
        ("set role none", set("role", "none")),
        (
            "set application_name to default",
            Command::Set(Setting { name: "application_name".to_owned(), value: None, is_local: false }),
        ),
        (
            "set local work_mem = '1MB'",
            Command::Set(Setting { name: "work_mem".to_owned(), value: Some("1MB".to_owned()), is_local: true }),
        ),
        ("show transaction_isolation", Command::Show("transaction_isolation".to_owned())),
        ("show transaction isolation level", Command::Show("transaction_isolation".to_owned())),
        ("show time zone", Command::Show("TimeZone".to_owned())),
        ("show holdfast.purpose", Command::Show("holdfast.purpose".to_owned())),
        ("show all", Command::ShowAll),
        ("reset all", Command::Reset(None)),
        ("reset statement_timeout", Command::Reset(Some("statement_timeout".to_owned()))),
        ("begin", Command::Begin(TransactionModes::default())),
        ("commit", Command::Commit { is_chained: false }),
        ("ABORT;", Command::Rollback { is_chained: false }),
        ("savepoint a", Command::Savepoint),
        ("release savepoint a", Command::Release),
        ("rollback to savepoint a", Command::RollbackToSavepoint),
        ("discard all", Command::DiscardAll),
        ("deallocate all", Command::Deallocate(None)),
        ("deallocate prepare s1", Command::Deallocate(Some("s1".to_owned()))),
        ("close all", Command::Close(None)),
        ("close \"C\"", Command::Close(Some("C".to_owned()))),
        ("fetch 20 from c", Command::Fetch { cursor: "c".to_owned(), count: FetchCount::Rows(20) }),
        ("fetch forward 20 from c", Command::Fetch { cursor: "c".to_owned(), count: FetchCount::Rows(20) }),
        ("fetch all in c", Command::Fetch { cursor: "c".to_owned(), count: FetchCount::All }),
        ("fetch next from c", Command::Fetch { cursor: "c".to_owned(), count: FetchCount::Rows(1) }),
        ("listen x", Command::NoOperation("LISTEN")),
        ("unlisten *", Command::NoOperation("UNLISTEN")),
    ] {
        assert_eq!(one(text), Ok(command), "{text}");
    }
    let Ok(Command::Declare { cursor, query, is_held: true }) =
        one("declare \"C\" no scroll cursor with hold for select $1")
    else {
        panic!()
    };
    assert_eq!((cursor.as_str(), query.text.as_str()), ("C", "SELECT $1"));
}

#[test]
fn statements_before_a_refused_one_are_kept() {
    let commands = parse("select 1; drop table events; select 2;;").unwrap();
    assert!(matches!(commands.as_slice(), [Ok(_), Err(_), Ok(_)]));
    assert!(parse("").unwrap().is_empty());
    assert!(parse(" ; ;-- nothing\n").unwrap().is_empty());
}
