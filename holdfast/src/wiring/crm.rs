//! The CRM, as an extension of the query engine.

use std::sync::Arc;
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use anyhow::Context as _;
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use holdfast_crm::{Crm, CrmSettings, OdbcDialect, Secret, Server, Source, TableMapping, Tls, TlsMode};
use holdfast_query::Extension;

use crate::config::Settings;

/// The schema `crm` of the configured CRM.
struct CrmExtension(Crm);

impl Extension for CrmExtension {
    fn install(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        holdfast_crm::install(builder)
    }

    fn for_user(&self, config: SessionConfig, user: &str) -> SessionConfig {
        holdfast_crm::for_user(config, user)
    }

    fn schemas(&self, _: &Arc<dyn CatalogProviderList>) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        vec![("crm".to_owned(), self.0.schema())]
    }
}

/// The configured CRM, if there is one. No connection is opened yet.
pub(crate) fn extension(settings: &Settings) -> anyhow::Result<Option<Arc<dyn Extension>>> {
    let config = &settings.config.crm;
    let Some(source) = source(settings)? else { return Ok(None) };
    let is_files = matches!(source, Source::Csv { .. } | Source::Parquet);
    let tables = config.tables.iter().map(|table| TableMapping {
        name: table.name.clone(),
        from: if is_files {
            settings.resolve(std::path::Path::new(&table.from)).display().to_string()
        } else {
            table.from.clone()
        },
        columns: table.columns.clone(),
    });
    let crm = CrmSettings {
        source,
        timeout: Duration::from_secs(config.timeout_seconds),
        connections: config.connections,
        tables: tables.collect(),
    };
    let crm = Crm::connect(crm).context("use the CRM of [crm]")?;
    Ok(Some(Arc::new(CrmExtension(crm))))
}

fn source(settings: &Settings) -> anyhow::Result<Option<Source>> {
    let config = &settings.config.crm;
    Ok(Some(match config.kind.as_str() {
        "postgres" => Source::Postgres(server(settings, 5432)?),
        "mysql" => Source::MySql(server(settings, 3306)?),
        "sqlite" => {
            let path = config.path.get().context("`crm.path` names the SQLite file, and is empty")?;
            Source::Sqlite { path: settings.resolve(path) }
        }
        "odbc" => Source::Odbc {
            connection_string: Secret::new(settings.crm_connection_string()?.expose_secret()),
            dialect: match config.dialect.as_str() {
                "sqlserver" => OdbcDialect::SqlServer,
                "oracle" => OdbcDialect::Oracle,
                "db2" => OdbcDialect::Db2,
                "postgres" => OdbcDialect::Postgres,
                _ => OdbcDialect::Generic,
            },
        },
        "csv" => Source::Csv { delimiter: config.delimiter.bytes().next().unwrap_or(b',') },
        "parquet" => Source::Parquet,
        // Other values were refused when the configuration was read.
        _ => return Ok(None),
    }))
}

fn server(settings: &Settings, default_port: u16) -> anyhow::Result<Server> {
    let config = &settings.config.crm;
    let password = settings.crm_password()?;
    Ok(Server {
        host: config.host.clone(),
        port: if config.port == 0 { default_port } else { config.port },
        database: config.database.clone(),
        user: config.user.clone(),
        password: Secret::new(password.as_ref().map_or("", |password| password.expose_secret())),
        tls: Tls {
            mode: match config.tls.as_str() {
                "disable" => TlsMode::Disable,
                "require" => TlsMode::Require,
                "verify-ca" => TlsMode::VerifyCa,
                _ => TlsMode::VerifyFull,
            },
            ca: config.ca_file.get().map(|path| settings.resolve(path)),
        },
    })
}
