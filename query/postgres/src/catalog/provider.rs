//! The schema `pg_catalog`: metadata of tables, columns and types.
//!
//! The tables are those of `datafusion-pg-catalog`. This file adds the archive's metadata, OIDs that stay the same while the
//! server runs, and the functions that clients use with them.

use super::functions;
use crate::error::PostgresError;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::{PgCatalogContextProvider, Role};
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::generate_series_arg_coercion::CoerceIntArgsToBigInt;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::{PgCatalogSchemaProvider, PgCatalogStaticTables};
use holdfast_query::Extension;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

const SCHEMA: &str = "pg_catalog";
/// The schemas whose tables never change while the server runs.
const STATIC_SCHEMAS: [&str; 2] = ["archive", SCHEMA];

/// The catalog for PostgreSQL clients, an extension of the engine.
pub struct PostgresCatalog {
    tables: Arc<PgCatalogStaticTables>,
    roles: Roles,
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
    pub fn new(roles: Vec<String>) -> Result<Self, PostgresError> {
        let tables = PgCatalogStaticTables::try_new().map_err(|error| PostgresError::Catalog(error.to_string()))?;
        Ok(Self { tables: Arc::new(tables), roles: Roles(Arc::new(roles)) })
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

    fn schemas(&self, catalogs: &Arc<dyn CatalogProviderList>) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        let metadata = ArchiveMetadata { catalogs: Arc::clone(catalogs), cache: Arc::default() };
        match PgCatalogSchemaProvider::try_new(metadata, Arc::clone(&self.tables), self.roles.clone()) {
            Ok(provider) => vec![(SCHEMA.to_owned(), Arc::new(provider))],
            Err(error) => {
                tracing::error!("the schema pg_catalog cannot be created: {error}");
                Vec::new()
            }
        }
    }
}

/// The roles that the catalog shows.
#[derive(Debug, Clone)]
struct Roles(Arc<Vec<String>>);

#[async_trait]
impl PgCatalogContextProvider for Roles {
    async fn roles(&self) -> Vec<String> {
        self.0.to_vec()
    }

    async fn role(&self, name: &str) -> Option<Role> {
        Some(Role {
            name: name.to_owned(),
            is_superuser: false,
            can_login: true,
            can_create_db: false,
            can_create_role: false,
            can_create_user: false,
            can_replication: false,
            grants: Vec::new(),
            inherited_roles: Vec::new(),
        })
    }
}

/// A table's columns and kind.
type Columns = (SchemaRef, Option<TableType>);

/// The metadata of the archive. Tables of [`STATIC_SCHEMAS`] are cached.
#[derive(Clone)]
struct ArchiveMetadata {
    catalogs: Arc<dyn CatalogProviderList>,
    cache: Arc<Mutex<HashMap<(String, String), Columns>>>,
}

impl fmt::Debug for ArchiveMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArchiveMetadata")
    }
}

impl ArchiveMetadata {
    async fn find(&self, catalog: &str, schema: &str, table: &str) -> Result<Option<Columns>, DataFusionError> {
        let key = (schema.to_owned(), table.to_owned());
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = cache().get(&key).cloned() {
            return Ok(Some(found));
        }
        let Some(provider) = self.catalogs.catalog(catalog).and_then(|catalog| catalog.schema(schema)) else {
            return Ok(None);
        };
        let Some(found) = provider.table(table).await? else { return Ok(None) };
        let found = (found.schema(), provider.table_type(table).await?);
        if STATIC_SCHEMAS.contains(&schema) {
            cache().insert(key, found.clone());
        }
        Ok(Some(found))
    }
}

#[async_trait]
impl CatalogInfo for ArchiveMetadata {
    async fn catalog_names(&self) -> Result<Vec<String>, DataFusionError> {
        Ok(CatalogProviderList::catalog_names(self.catalogs.as_ref()))
    }

    async fn schema_names(&self, catalog: &str) -> Result<Option<Vec<String>>, DataFusionError> {
        Ok(self.catalogs.catalog(catalog).map(|catalog| catalog.schema_names()))
    }

    async fn table_names(&self, catalog: &str, schema: &str) -> Result<Option<Vec<String>>, DataFusionError> {
        let schema = self.catalogs.catalog(catalog).and_then(|catalog| catalog.schema(schema));
        Ok(schema.map(|schema| schema.table_names()))
    }

    async fn table_schema(
        &self,
        catalog: &str,
        schema: &str,
        table: &str,
    ) -> Result<Option<SchemaRef>, DataFusionError> {
        Ok(self.find(catalog, schema, table).await?.map(|(columns, _)| columns))
    }

    async fn table_type(&self, catalog: &str, schema: &str, table: &str) -> Result<Option<TableType>, DataFusionError> {
        Ok(self.find(catalog, schema, table).await?.and_then(|(_, kind)| kind))
    }
}
