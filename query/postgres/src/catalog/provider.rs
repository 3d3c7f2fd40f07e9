//! The schema `pg_catalog`, and the catalog that its statements are answered from.
//!
//! ```text
//! metadata of the engine ─▶ Facts ─▶ Catalog, kept until the tables change
//!                                      ├─▶ statements over the catalog alone (`answer`)
//!                                      └─▶ tables for the engine: statements that read the archive as well
//! ```

use super::functions;
use super::tables::engine_table;
use crate::error::PostgresError;
use crate::values::described_type;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::PgCatalogStaticTables;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::generate_series_arg_coercion::CoerceIntArgsToBigInt;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner;
use holdfast_catalog::{Catalog, Column, Facts, Relation, RelationKind};
use holdfast_query::Extension;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The name of the schema.
pub(crate) const SCHEMA: &str = "pg_catalog";
const DATABASE: &str = "holdfast";
/// The schema whose tables never change while the server runs, and the search path.
const ARCHIVE: &str = "archive";
const INFORMATION_SCHEMA: &str = "information_schema";

/// The catalog for PostgreSQL clients, an extension of the engine.
pub struct PostgresCatalog {
    tables: Arc<PgCatalogStaticTables>,
    roles: Vec<String>,
}

impl fmt::Debug for PostgresCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresCatalog").field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl PostgresCatalog {
    /// A catalog that shows `roles`.
    ///
    /// # Errors
    /// [`PostgresError::Catalog`].
    pub fn new(roles: Vec<String>) -> std::result::Result<Self, PostgresError> {
        let tables = PgCatalogStaticTables::try_new().map_err(|error| PostgresError::Catalog(error.to_string()))?;
        Ok(Self { tables: Arc::new(tables), roles })
    }
}

impl Extension for PostgresCatalog {
    fn install(&self, mut builder: SessionStateBuilder) -> SessionStateBuilder {
        builder.scalar_functions().get_or_insert_default().extend(functions::all());
        let tables = builder.table_functions().get_or_insert_default();
        // PostgreSQL clients pass 32-bit bounds, and the engine's functions take 64-bit ones.
        let widened = SessionContext::new();
        CoerceIntArgsToBigInt::widen(&widened);
        widened.register_udtf("pg_get_keywords", self.tables.pg_get_keywords.clone());
        for name in ["generate_series", "range", "pg_get_keywords"] {
            if let Some(function) = widened.state().table_functions().get(name) {
                tables.insert(name.to_owned(), Arc::clone(function));
            }
        }
        builder.with_type_planner(Arc::new(PgOidTypePlanner))
    }

    fn schemas(&self, metadata: &Arc<dyn CatalogProviderList>) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        let schema = CatalogSchema {
            metadata: Arc::clone(metadata),
            roles: self.roles.clone(),
            columns: Mutex::default(),
            newest: Mutex::default(),
        };
        vec![(SCHEMA.to_owned(), Arc::new(schema))]
    }
}

/// A table's columns, its kind, and its text if it is a view.
type Described = (SchemaRef, TableType, Option<String>);

/// The schema `pg_catalog` of the engine.
pub(crate) struct CatalogSchema {
    metadata: Arc<dyn CatalogProviderList>,
    roles: Vec<String>,
    /// The tables of the schema [`ARCHIVE`].
    columns: Mutex<HashMap<String, Described>>,
    newest: Mutex<Option<(Facts, Arc<Catalog>)>>,
}

impl fmt::Debug for CatalogSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CatalogSchema")
    }
}

impl CatalogSchema {
    /// The catalog of the tables that there are now.
    pub(crate) async fn catalog(&self) -> Result<Arc<Catalog>> {
        let facts = self.facts().await?;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match newest.as_ref() {
            Some((known, catalog)) if *known == facts => Ok(Arc::clone(catalog)),
            _ => {
                let catalog = Arc::new(Catalog::new(facts.clone()));
                *newest = Some((facts, Arc::clone(&catalog)));
                Ok(catalog)
            }
        }
    }

    async fn facts(&self) -> Result<Facts> {
        let mut facts = Facts {
            database: DATABASE.to_owned(),
            owner: DATABASE.to_owned(),
            roles: self.roles.clone(),
            search_path: vec![ARCHIVE.to_owned()],
            ..Facts::default()
        };
        let Some(catalog) = self.metadata.catalog(DATABASE) else { return Ok(facts) };
        for schema in catalog.schema_names() {
            if schema == SCHEMA || schema == INFORMATION_SCHEMA {
                continue;
            }
            let Some(provider) = catalog.schema(&schema) else { continue };
            for table in provider.table_names() {
                // A table of the CRM that cannot be reached now is left out.
                let described = match self.described(provider.as_ref(), &schema, &table).await {
                    Ok(described) => described,
                    Err(error) if schema == ARCHIVE => return Err(error),
                    Err(error) => {
                        tracing::debug!(%error, "read the columns of a table for the catalog");
                        None
                    }
                };
                if let Some((columns, kind, definition)) = described {
                    facts.relations.push(relation(&schema, &table, &columns, kind, definition));
                }
            }
            facts.schemas.push(schema);
        }
        Ok(facts)
    }

    async fn described(&self, provider: &dyn SchemaProvider, schema: &str, table: &str) -> Result<Option<Described>> {
        let kept = || self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if schema == ARCHIVE
            && let Some(known) = kept().get(table).cloned()
        {
            return Ok(Some(known));
        }
        let Some(found) = provider.table(table).await? else { return Ok(None) };
        let kind = provider.table_type(table).await?.unwrap_or(TableType::Base);
        let described = (found.schema(), kind, found.get_table_definition().map(str::to_owned));
        if schema == ARCHIVE {
            kept().insert(table.to_owned(), described.clone());
        }
        Ok(Some(described))
    }
}

fn relation(schema: &str, name: &str, columns: &SchemaRef, kind: TableType, definition: Option<String>) -> Relation {
    let column = |field: &arrow_schema::FieldRef| {
        let (type_oid, type_modifier) = described_type(field);
        Column { name: field.name().clone(), type_oid, type_modifier, is_not_null: !field.is_nullable() }
    };
    Relation {
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind: if kind == TableType::View { RelationKind::View } else { RelationKind::Table },
        columns: columns.fields().iter().map(column).collect(),
        definition,
    }
}

#[async_trait]
impl SchemaProvider for CatalogSchema {
    fn table_names(&self) -> Vec<String> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, catalog)) = newest.as_ref() else { return Vec::new() };
        catalog.served().filter(|(schema, ..)| *schema == SCHEMA).map(|(_, name, _)| name.to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let catalog = self.catalog().await?;
        if !catalog.served().any(|(schema, known, _)| schema == SCHEMA && known == name) {
            return Ok(None);
        }
        let table = engine_table(&catalog, SCHEMA, name).map_err(|error| match error.code {
            "0A000" => DataFusionError::NotImplemented(error.message),
            _ => DataFusionError::Plan(error.message),
        })?;
        Ok(Some(table))
    }

    fn table_exist(&self, name: &str) -> bool {
        name.starts_with("pg_")
    }
}
