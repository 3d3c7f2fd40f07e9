//! The queries that programs send on connecting and that cannot run here, written after their public drivers.

use crate::fixture::Server;

/// DBeaver, when it opens a connection and expands its tree.
const DBEAVER: &[&str] = &[
    "SET extra_float_digits = 3",
    "SET application_name = 'DBeaver - Main'",
    "SELECT current_schema(), session_user",
    "SELECT version()",
    "SHOW search_path",
    "SHOW server_version",
    "SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n \
     LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 ORDER BY nspname",
    "SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datname = 'holdfast'",
    "SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name \
     FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE t.typname IS NOT NULL",
    "SELECT c.oid, c.relname, c.relkind FROM pg_catalog.pg_class c \
     WHERE c.relkind NOT IN ('i', 'I', 'c') ORDER BY c.relname",
    "SELECT a.attname, a.attnum, a.atttypid, a.attnotnull FROM pg_catalog.pg_attribute a \
     WHERE NOT a.attisdropped AND a.attnum > 0 ORDER BY a.attnum",
    "SELECT con.oid, con.conname, con.contype FROM pg_catalog.pg_constraint con ORDER BY con.oid",
    "SELECT e.oid, e.extname FROM pg_catalog.pg_extension e",
];

/// Metabase, when it scans the metadata of a database.
const METABASE: &[&str] = &[
    "SHOW TIMEZONE",
    "SELECT NULL AS \"TABLE_CAT\", nspname AS \"TABLE_SCHEM\" FROM pg_catalog.pg_namespace \
     WHERE nspname <> 'pg_toast' ORDER BY \"TABLE_SCHEM\"",
    "SELECT n.nspname AS schema, c.relname AS name, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' END AS type, \
     d.description AS description, NULLIF(c.reltuples, -1) AS estimated_row_count \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid \
     LEFT JOIN pg_catalog.pg_description d ON c.oid = d.objoid AND d.objsubid = 0 \
     WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname NOT LIKE 'pg_%' ORDER BY type, schema, name",
    "WITH table_privileges AS (SELECT NULL AS role, t.schemaname AS schema, t.tablename AS \"table\", \
     has_any_column_privilege(current_user, '\"' || t.schemaname || '\".\"' || t.tablename || '\"', 'select') AS \"select\" \
     FROM pg_catalog.pg_tables t) SELECT t.* FROM table_privileges t",
    "SELECT c.column_name AS name, c.data_type AS database_type, c.ordinal_position AS position, c.table_schema, c.table_name \
     FROM information_schema.columns c WHERE c.table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY 4, 5, 3",
    "SELECT TRUE AS ok FROM archive.events WHERE 1 <> 1 LIMIT 0",
];

/// Grafana, when its query editor opens.
const GRAFANA: &[&str] = &[
    "SELECT 1",
    "SELECT current_setting('server_version_num')::int / 100 AS version",
    "SELECT CASE WHEN quote_ident(table_schema) = 'archive' THEN quote_ident(table_name) \
     ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS \"table\" \
     FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog')",
    "SELECT quote_ident(column_name) AS \"column\", data_type AS \"type\" FROM information_schema.columns \
     WHERE quote_ident(table_name) = 'events'",
    "SELECT date_trunc('minute', time) AS \"time\", count(*) AS value FROM archive.events \
     WHERE time BETWEEN '2026-05-10T00:00:00Z' AND '2026-05-11T00:00:00Z' GROUP BY 1 ORDER BY 1",
];

#[tokio::test]
async fn each_query_succeeds() {
    let server = Server::start().await;
    let client = server.connect("compliance").await;
    let mut failed = Vec::new();
    for (program, statements) in [("DBeaver", DBEAVER), ("Metabase", METABASE), ("Grafana", GRAFANA)] {
        for statement in statements {
            if let Err(error) = client.simple_query(statement).await {
                failed.push(format!(
                    "{program}: {statement}: {:?}",
                    error.as_db_error().map(|error| error.message().to_owned())
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
