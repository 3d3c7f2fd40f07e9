//! The clients that people have: each is a small program in its own language, in the folder `clients`, which runs against the
//! fixture's server.
//!
//! ```text
//! program HOST PORT USER PASSWORD CERTIFICATE ─▶ {"check": "pages", "got": ["S-000", ...]}   one line for each check
//!                                                        │
//!                              expected("pages") ─▶ equal? and were all checks of the client made?
//! ```
//!
//! What is right stands here once, for all of them. It is what PostgreSQL answers to the same statements over the same rows.

use crate::fixture::{PASSWORD, SESSIONS, Server};
use holdfast_testkit::{Error, postgres, require, tools};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// What every client does.
const COMMON: &[&str] = &["pages", "since", "unknown column", "afterwards"];

/// One program, and what is its own.
struct Client {
    program: PathBuf,
    arguments: Vec<String>,
    /// Its checks beside [`COMMON`].
    checks: &'static [&'static str],
    /// Whether its connection is encrypted if nothing is said about it. `None` if it cannot tell.
    is_encrypted: Option<bool>,
    /// The class of its error for an unknown column.
    error: &'static str,
    /// What only it answers so.
    own: Vec<(&'static str, Value)>,
}

impl Client {
    fn python(script: &str, checks: &'static [&'static str], error: &'static str) -> Result<Self, Error> {
        let program = tools::postgres_clients()?;
        Ok(Self { program, arguments: vec![source(script)], checks, is_encrypted: Some(true), error, own: Vec::new() })
    }

    fn node(script: &str, checks: &'static [&'static str], error: &'static str) -> Result<Self, Error> {
        tools::node_clients()?;
        let program = tools::command("node")?;
        Ok(Self { program, arguments: vec![source(script)], checks, is_encrypted: Some(false), error, own: Vec::new() })
    }
}

/// The path of a file of the folder.
fn source(name: &str) -> String {
    text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres/clients").join(name))
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// What is right.
fn expected(check: &str) -> Value {
    let subjects = |range: std::ops::Range<usize>| -> Value { range.map(|n| format!("S-{n:03}")).collect() };
    let check = check.strip_suffix(" (binary)").unwrap_or(check);
    match check {
        "pages" => subjects(0..SESSIONS),
        "fetch first" => subjects(2..5),
        "no limit" => json!(SESSIONS),
        "no rows" => json!(0),
        "values" => values(),
        "nulls" => values().as_object().unwrap().keys().map(|kind| (kind.clone(), Value::Null)).collect(),
        "reads" => json!({
            "time": "2026-05-10T08:03:50.123456Z", "since": 187_248_123_456_i64, "rating": "4.00",
            "texts": ["a b", null, "c\"d,{}"], "numbers": [1, null, 3],
        }),
        "any" | "in" => json!(6),
        "not all" => json!(SESSIONS - 2),
        "since" | "ago" => json!(30),
        "forms of a time" => json!(vec![31; 10]),
        "negative limit" => json!("2201W"),
        "negative offset" => json!("2201X"),
        "infinity" | "copy" => json!("0A000"),
        "cancelled" => json!("57014"),
        "afterwards" => json!(7),
        "pipeline" => json!([1, 2, 3]),
        "named" => json!([1, 2]),
        "cursor" | "join" => json!(3 * SESSIONS),
        "transaction" => json!(["on", "serializable", "on"]),
        "modes" => json!(["on", "serializable"]),
        "tls when asked for" => json!("on"),
        other => panic!("nothing is expected of the check {other}"),
    }
}

/// What is bound, and comes back. Of each type of PostgreSQL one value.
fn values() -> Value {
    json!({
        "bool": true, "int2": -1234, "int4": 123_456_789, "int8": "9007199254740993", "float4": 1.5, "float8": 0.1,
        "numeric(20,9)": "1234567890.123456789", "text": "grüße 'q' \"d\" \\", "date": "2026-11-20",
        "timestamp": "2026-11-20T05:06:07.123456", "timestamptz": "2026-11-20T05:06:07.123456Z",
        "interval": 273_906_789_000_i64, "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "bytea": "00ff41",
        "int4[]": [1, null, 3], "text[]": ["a b", null, "c\"d,{}"], "json": "{\"a\": [1, 2]}",
    })
}

/// A JSON text in one form: drivers read it, and write it again.
fn json_in_one_form(mut got: Value) -> Value {
    if let Some(text) = got.get("json").and_then(Value::as_str)
        && let Ok(parsed) = serde_json::from_str::<Value>(text)
    {
        got["json"] = json!(parsed.to_string().replace(':', ": ").replace(',', ", "));
    }
    got
}

/// Runs a program to its end.
async fn run(program: &Path, arguments: &[String], input: Option<&str>, environment: &[(&str, String)]) -> String {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (*name, value))).kill_on_drop(true);
    command.stdin(input.map_or_else(Stdio::null, |file| std::fs::File::open(file).unwrap().into()));
    let output = tokio::time::timeout(Duration::from_secs(100), command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{} does not end", program.display())).unwrap();
    let [out, errors] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}: {out}\n{errors}", program.display());
    out
}

/// Compares the lines of a program with what is expected.
fn judge(name: &str, client: &Client, out: &str) {
    let mut made = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in out.lines().filter(|line| line.starts_with('{')) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
        let (check, got) = (line["check"].as_str().unwrap(), json_in_one_form(line["got"].clone()));
        let own = client.own.iter().find(|(own, _)| *own == check).map(|(_, value)| value.clone());
        let right = own.unwrap_or_else(|| match check {
            "tls" => json!(if client.is_encrypted == Some(true) { "on" } else { "off" }),
            "unknown column" => json!(["42703", client.error]),
            "some values" | "some values (binary)" => {
                let kinds = got.as_object().unwrap().keys();
                kinds.map(|kind| (kind.clone(), values()[kind].clone())).collect()
            }
            check => expected(check),
        });
        if got != right {
            wrong.push(format!("{check}: {got} instead of {right}"));
        }
        made.insert(check.to_owned());
    }
    let tls: &[&str] = if client.is_encrypted.is_some() { &["tls"] } else { &[] };
    let missing: Vec<_> =
        client.checks.iter().chain(COMMON).chain(tls).filter(|check| !made.contains(**check)).collect();
    assert!(wrong.is_empty() && missing.is_empty(), "{name}: {}\nnot made: {missing:?}", wrong.join("\n"));
}

/// Starts a server, and runs and judges a client.
async fn check(name: &str, client: Result<Client, Error>) {
    let client = require!(client);
    let server = Server::start().await;
    let mut arguments = client.arguments.clone();
    let extra = if arguments.len() > 1 { arguments.split_off(1) } else { Vec::new() };
    let port = server.port.to_string();
    arguments.extend(["127.0.0.1", &port, "manager", PASSWORD].map(str::to_owned));
    arguments.push(text(server.certificate.path()));
    arguments.extend(extra);
    let node = tools::folder().join("node-clients/node_modules");
    let environment = [("NODE_PATH", text(&node)), ("PYTHONDONTWRITEBYTECODE", "1".to_owned())];
    judge(name, &client, &run(&client.program, &arguments, None, &environment).await);
}

#[tokio::test]
async fn psycopg_3() {
    let checks = &[
        "pages (binary)",
        "values",
        "values (binary)",
        "nulls",
        "nulls (binary)",
        "reads",
        "reads (binary)",
        "any",
        "any (binary)",
        "ago",
        "negative limit",
        "cancelled",
        "pipeline",
        "cursor",
        "transaction",
    ];
    check("psycopg 3", Client::python("psycopg3.py", checks, "UndefinedColumn")).await;
}

#[tokio::test]
async fn psycopg_2() {
    let checks = &["reads", "any", "negative limit", "cancelled", "cursor"];
    check("psycopg 2", Client::python("psycopg2_.py", checks, "UndefinedColumn")).await;
}

#[tokio::test]
async fn asyncpg() {
    let checks = &[
        "values (binary)",
        "nulls (binary)",
        "reads",
        "any",
        "no rows",
        "negative limit",
        "cancelled",
        "cursor",
        "transaction",
    ];
    check("asyncpg", Client::python("asyncpg_.py", checks, "UndefinedColumnError")).await;
}

#[tokio::test]
async fn pg8000() {
    let checks = &["values", "nulls", "reads", "any", "negative limit"];
    check("pg8000", Client::python("pg8000_.py", checks, "DatabaseError")).await;
}

#[tokio::test]
async fn sqlalchemy_and_pandas() {
    let checks = &["reads", "any", "in", "modes", "cursor", "frame"];
    let client = Client::python("sqlalchemy_.py", checks, "ProgrammingError");
    let own = vec![("frame", json!([8, "datetime64", "S-004", 5]))];
    check("SQLAlchemy", client.map(|client| Client { own, ..client })).await;
}

#[tokio::test]
async fn adbc() {
    let checks = &["some values (binary)", "types", "row", "copy", "cancelled"];
    let client = Client::python("adbc.py", checks, "ProgrammingError");
    let own = vec![
        ("types", json!(["string", "int32", "timestamp[us, tz=UTC]", "list<item: string>"])),
        ("row", json!(["2026-05-10T08:03:50.123456Z", ["a b", null]])),
    ];
    check("ADBC", client.map(|client| Client { own, ..client })).await;
}

#[tokio::test]
async fn odbc() {
    let checks = &["some values", "row", "cancelled", "cursor"];
    let client = tools::odbc_driver("psqlodbcw.so").and_then(|driver| {
        let client = Client::python("odbc.py", checks, "ProgrammingError")?;
        let own = vec![("row", json!(["4.00", "2026-05-10T08:03:50.123456"]))];
        let arguments = [client.arguments.clone(), vec![text(&driver)]].concat();
        // This driver encrypts only if it is asked to.
        Ok(Client { arguments, own, is_encrypted: Some(false), ..client })
    });
    check("psqlODBC", client).await;
}

#[tokio::test]
async fn node_postgres() {
    let checks = &[
        "values",
        "nulls",
        "reads",
        "any",
        "not all",
        "forms of a time",
        "infinity",
        "fetch first",
        "no limit",
        "negative limit",
        "negative offset",
        "cancelled",
        "named",
        "tls when asked for",
    ];
    check("node-postgres", Client::node("node_postgres.js", checks, "DatabaseError")).await;
}

#[tokio::test]
async fn postgres_js() {
    let checks = &["values", "nulls", "reads", "any", "in", "negative limit", "cancelled", "cursor", "transaction"];
    // The driver reads NULL in an array of texts as a text, of PostgreSQL as well.
    let (mut reads, mut values) = (expected("reads"), values());
    (reads["texts"][1], values["text[]"][1]) = (json!("NULL"), json!("NULL"));
    let client = Client::node("postgres_js.js", checks, "PostgresError");
    let own = vec![("reads", reads), ("values", values)];
    check("Postgres.js", client.map(|client| Client { own, ..client })).await;
}

#[tokio::test]
async fn pgx() {
    let checks = &[
        "values",
        "values (binary)",
        "nulls",
        "nulls (binary)",
        "reads",
        "any",
        "negative limit",
        "pipeline",
        "cancelled",
        "transaction",
    ];
    let client = tools::go_program("pgx-client", Path::new(&source("go"))).map(|program| Client {
        program,
        arguments: Vec::new(),
        checks,
        is_encrypted: Some(true),
        error: "PgError",
        own: Vec::new(),
    });
    check("pgx", client).await;
}

/// Compiles a program in Java, and gives the client that runs it.
async fn java(
    class: &str,
    folder: &Path,
    checks: &'static [&'static str],
    error: &'static str,
) -> Result<Client, Error> {
    let jars = format!("{}/*", text(&tools::hibernate()?));
    let (javac, java) = (tools::command("javac")?, tools::java()?);
    let arguments = ["-cp", &jars, "-d", &text(folder), &source(&format!("{class}.java"))].map(str::to_owned);
    run(&javac, &arguments, None, &[]).await;
    // The program's own arguments follow the first of these, so all of Java's are in it.
    let options = folder.join("options");
    std::fs::write(&options, format!("-cp \"{jars}:{}\" -XX:TieredStopAtLevel=1 {class}", text(folder))).unwrap();
    let arguments = vec![format!("@{}", text(&options))];
    Ok(Client { program: java, arguments, checks, is_encrypted: Some(true), error, own: Vec::new() })
}

#[tokio::test]
async fn jdbc() {
    let folder = tempfile::tempdir().unwrap();
    let checks = &[
        "values",
        "values (binary)",
        "nulls",
        "nulls (binary)",
        "reads",
        "any",
        "negative limit",
        "cancelled",
        "cursor",
        "modes",
    ];
    check("JDBC", java("Jdbc", folder.path(), checks, "PSQLException").await).await;
}

#[tokio::test]
async fn hibernate() {
    let folder = tempfile::tempdir().unwrap();
    let client = java("Hibernate", folder.path(), &["row", "in"], "SQLGrammarException").await;
    let own = vec![("row", json!(["S-003", "4", "2026-05-10T08:03:50.123456Z"]))];
    check("Hibernate", client.map(|client| Client { own, ..client })).await;
}

#[tokio::test]
async fn psql() {
    let client = tools::command("psql").map(|_| Client {
        program: "/bin/sh".into(),
        arguments: vec![source("psql.sh")],
        checks: &["negative limit", "cancelled"],
        is_encrypted: Some(true),
        error: "psql",
        own: Vec::new(),
    });
    check("psql", client).await;
}

/// Another PostgreSQL reads the archive.
#[tokio::test]
async fn postgres_fdw() {
    let other = require!(postgres::Postgres::start().await);
    let server = Server::start().await;
    let port = server.port.to_string();
    let connection =
        format!("host=127.0.0.1 port={} user={} dbname={}", other.port(), postgres::USER, postgres::DATABASE);
    let variables = [("host", "127.0.0.1"), ("port", &port), ("user", "manager"), ("password", PASSWORD)];
    let variables = variables.iter().flat_map(|(name, value)| ["-v".to_owned(), format!("{name}={value}")]);
    let arguments: Vec<String> =
        ["-X", "-q", "-At", &connection].map(str::to_owned).into_iter().chain(variables).collect();
    let environment = [("PGPASSWORD", postgres::PASSWORD.to_owned())];
    let out = run(&require!(tools::command("psql")), &arguments, Some(&source("fdw.sql")), &environment).await;
    let client = Client {
        program: PathBuf::new(),
        arguments: Vec::new(),
        checks: &["any", "row", "join"],
        is_encrypted: None,
        error: "psql",
        own: vec![("row", json!(["S-003", 4, "2026-05-10T08:03:50.123456"]))],
    };
    judge("postgres_fdw", &client, &out);
}
