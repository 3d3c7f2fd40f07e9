//! A CRM with five tickets and two contacts in any kind of database, and a session that can query its tables.

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use holdfast_crm::{Crm, CrmSettings, Secret, Server, Source, TableMapping, Tls, TlsMode, install};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// The statements that create the CRM, in the SQL that PostgreSQL, MariaDB and SQLite share. Types differ.
pub(crate) fn schema_sql(text: &str, time: &str) -> String {
    format!(
        "CREATE TABLE ticket (number {text} PRIMARY KEY, opened {time}, closed {time}, kind {text}, state {text}, \
         owner_name {text}, contact_id INTEGER, hours DECIMAL(10,2)); \
         INSERT INTO ticket VALUES \
         ('T-1', '2024-01-02 10:00:00', '2024-01-02 12:30:00.25', 'printer', 'closed', 'Zoë', 1, 2.50), \
         ('T-2', '2024-02-03 09:00:00', NULL, 'printer', 'open', '李雷', 2, 0.25), \
         ('T-3', '2024-03-04 08:00:00', '2024-03-05 08:00:00', 'network', 'closed', 'O''Brien', 1, 10.75), \
         ('T-4', '2024-04-05 07:00:00', NULL, NULL, 'open', NULL, NULL, NULL), \
         ('T-5', '2024-05-06 06:00:00', NULL, 'network', 'open', 'back\\slash', 2, 1.00); \
         CREATE TABLE contact (id INTEGER PRIMARY KEY, company {text}); \
         INSERT INTO contact VALUES (1, 'Acme'), (2, 'Über GmbH')"
    )
}

pub(crate) fn tables(schema: &str) -> Vec<TableMapping> {
    let columns = [
        ("ticket", "number"),
        ("opened_at", "opened"),
        ("closed_at", "closed"),
        ("issue_type", "kind"),
        ("status", "state"),
        ("owner", "owner_name"),
        ("customer", "contact_id"),
    ];
    let columns = columns.into_iter().map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).collect();
    let table = |name: &str, from: &str, columns| TableMapping {
        name: name.to_owned(),
        from: format!("{schema}{from}"),
        columns,
    };
    vec![
        table("tickets", "ticket", columns),
        table("contacts", "contact", Default::default()),
        table(
            "work",
            "ticket",
            [("ticket", "number"), ("hours", "hours")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        ),
    ]
}

pub(crate) fn server(port: u16, database: &str, user: &str, password: &str) -> Server {
    Server {
        host: "127.0.0.1".to_owned(),
        port,
        database: database.to_owned(),
        user: user.to_owned(),
        password: Secret::new(password),
        tls: Tls { mode: TlsMode::Disable, ca: None },
    }
}

pub(crate) fn settings(source: Source, tables: Vec<TableMapping>) -> CrmSettings {
    CrmSettings { source, timeout: LIMIT, connections: 8, tables }
}

/// A session with the CRM of `settings`.
pub(crate) fn session(settings: CrmSettings) -> SessionContext {
    session_with(&Crm::connect(settings).expect("the settings are right"))
}

/// A session with this CRM and with the table `sessions`.
pub(crate) fn session_with(crm: &Crm) -> SessionContext {
    let config = SessionConfig::new().with_information_schema(true).with_target_partitions(2);
    let base = install(SessionStateBuilder::new().with_config(config).with_default_features()).build();
    // A state made from another state, as the engine does for each statement.
    let context = SessionContext::new_with_state(SessionStateBuilder::new_from_existing(base).build());
    let catalog = context.catalog("datafusion").expect("the default catalog");
    catalog.register_schema("crm", crm.schema()).expect("a schema");
    let schema = Arc::new(Schema::new(vec![
        Field::new("session", DataType::Utf8, false),
        Field::new("ticket", DataType::Utf8, true),
    ]));
    let sessions = StringArray::from(vec!["s1", "s2", "s3"]);
    let tickets = StringArray::from(vec![Some("T-1"), Some("T-5"), None]);
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(sessions), Arc::new(tickets)]).expect("rows");
    let table = MemTable::try_new(schema, vec![vec![batch]]).expect("a table");
    context.register_table("sessions", Arc::new(table)).expect("a name");
    context
}

/// The result as text, one line a row.
pub(crate) async fn query(context: &SessionContext, sql: &str) -> Result<Vec<String>, DataFusionError> {
    let batches = context.sql(sql).await?.collect().await?;
    let text = pretty_format_batches(&batches)?.to_string();
    let rows = text.lines().skip(3).filter(|line| line.starts_with('|'));
    Ok(rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect())
}

/// The statements that are sent to the CRM for `sql`.
pub(crate) async fn sent(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(&format!("EXPLAIN {sql}")).await.expect("a plan").collect().await.expect("a plan");
    let text = pretty_format_batches(&batches).expect("text").to_string();
    let lines = text.lines().filter_map(|line| line.split_once("sql=").map(|(_, sql)| sql));
    lines.map(|line| line.trim_end_matches('|').trim().to_owned()).collect()
}
