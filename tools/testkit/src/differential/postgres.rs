//! PostgreSQL as the judge: one server with the rows in two databases, in two orders.

use super::client::{Address, Answer, Client, Column, Row};
use super::data::Table;
use super::kind::type_name;
use super::statement::Statement;
use crate::Error;
use crate::postgres::{DATABASE, PASSWORD, Postgres, USER};

/// The database, by the same name as Holdfast's.
const ORDERED: &str = "holdfast";
const REORDERED: &str = "holdfast_reordered";
/// Rows of one INSERT.
const ROWS: usize = 200;

/// A PostgreSQL with the generated tables, and with what is copied from Holdfast.
#[derive(Debug)]
pub struct Judge {
    server: Postgres,
    user: String,
}

/// A relation that was copied from Holdfast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its name with the schema.
    pub name: String,
    /// Its rows.
    pub rows: usize,
}

impl Judge {
    /// Starts a server with these tables in the schema `d`. Statements come from `user`, who has the name of Holdfast's user.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if PostgreSQL is not installed; other errors if it does not start or refuses a table.
    pub async fn start(tables: &[Table], user: &str) -> Result<Self, Error> {
        let judge = Self { server: Postgres::start().await?, user: user.to_owned() };
        judge.execute(DATABASE, &format!("CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")).await?;
        for (database, reversed) in [(ORDERED, false), (REORDERED, true)] {
            // The order of bytes, and the letters of Unicode, as Holdfast has them.
            let locale = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'";
            judge.execute(DATABASE, &format!("CREATE DATABASE {database} {locale}")).await?;
            let mut text = "CREATE SCHEMA d; CREATE SCHEMA archive; CREATE SCHEMA crm;\n".to_owned();
            tables.iter().for_each(|table| text.push_str(&table.statements(reversed)));
            judge.execute(database, &text).await?;
        }
        Ok(judge)
    }

    /// Copies the relations of these schemas from Holdfast, with the columns that its answers have.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if Holdfast does not answer, or PostgreSQL refuses a row.
    pub async fn copy(&self, ours: &Address, schemas: &[&str]) -> Result<Vec<Copied>, Error> {
        let mut client = Client::new(ours.clone());
        let mut all = Vec::new();
        for schema in schemas {
            let list = format!(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' ORDER BY table_name"
            );
            let (_, names) = rows(client.answer(&Statement::plain(list)).await)?;
            for name in names.into_iter().flatten().flatten() {
                let name = format!("{schema}.{name}");
                let (columns, rows) = rows(client.answer(&Statement::plain(format!("SELECT * FROM {name}"))).await)?;
                for (database, reversed) in [(ORDERED, false), (REORDERED, true)] {
                    self.execute(database, &copied(&name, &columns, &rows, reversed)).await?;
                }
                all.push(Copied { name, rows: rows.len() });
            }
        }
        Ok(all)
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> Address {
        self.of(ORDERED, &[])
    }

    /// Where it answers with the rows in another order, and by other plans.
    #[must_use]
    pub fn reordered(&self) -> Address {
        self.of(REORDERED, &["SET enable_hashagg = off", "SET enable_hashjoin = off", "SET enable_mergejoin = off"])
    }

    fn of(&self, database: &str, more: &[&str]) -> Address {
        let common = [
            "SET timezone = 'UTC'",
            "SET search_path = archive",
            "SET statement_timeout = '10s'",
            "SET jit = off",
            "SET default_transaction_read_only = on",
        ];
        Address {
            port: self.server.port(),
            database: database.to_owned(),
            user: self.user.clone(),
            password: PASSWORD.to_owned(),
            setup: common.iter().chain(more).map(|setup| (*setup).to_owned()).collect(),
        }
    }

    async fn execute(&self, database: &str, text: &str) -> Result<(), Error> {
        let options = format!(
            "host=127.0.0.1 port={} user={USER} password={PASSWORD} dbname={database} options='-c timezone=UTC'",
            self.server.port()
        );
        let refused = |error: &tokio_postgres::Error| {
            let reason = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            Error::Sql { server: "PostgreSQL", reason }
        };
        let (client, connection) =
            tokio_postgres::connect(&options, tokio_postgres::NoTls).await.map_err(|error| refused(&error))?;
        let connection = tokio::spawn(connection);
        let done = client.batch_execute(text).await.map_err(|error| refused(&error));
        drop(client);
        let _ = connection.await;
        done
    }
}

fn rows(answer: Answer) -> Result<(Vec<Column>, Vec<Row>), Error> {
    let reason = match answer {
        Answer::Rows { columns, rows, .. } => return Ok((columns, rows)),
        Answer::Refused(refusal) => format!("{} {}", refusal.code, refusal.message),
        Answer::Lost(why) => why,
    };
    Err(Error::Sql { server: "Holdfast", reason })
}

fn copied(name: &str, columns: &[Column], rows: &[Row], reversed: bool) -> String {
    let quoted = |text: &str, quote: char| {
        let doubled = text.replace(quote, &format!("{quote}{quote}"));
        format!("{quote}{doubled}{quote}")
    };
    let list: Vec<String> =
        columns.iter().map(|column| format!("{} {}", quoted(&column.name, '"'), type_name(column.oid))).collect();
    let mut text = format!("CREATE TABLE {name} ({});\n", list.join(", "));
    let mut rows: Vec<&Row> = rows.iter().collect();
    if reversed {
        rows.reverse();
    }
    for part in rows.chunks(ROWS) {
        let row = |row: &&Row| {
            let cells = row.iter().map(|cell| cell.as_ref().map_or("NULL".to_owned(), |cell| quoted(cell, '\'')));
            format!("({})", cells.collect::<Vec<_>>().join(", "))
        };
        let values: Vec<String> = part.iter().map(row).collect();
        text.push_str(&format!("INSERT INTO {name} VALUES {};\n", values.join(",\n")));
    }
    text
}
