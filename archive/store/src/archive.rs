//! The archive at its location.

use crate::location::Location;
use crate::log::TableLog;
use crate::table::Table;
use object_store::ObjectStore;
use std::sync::Arc;
use url::Url;

/// An archive at its location. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archive {
    location: Location,
}

impl Archive {
    /// The archive at `location`.
    pub fn new(location: Location) -> Self {
        Self { location }
    }

    /// Its URL.
    pub fn url(&self) -> &Url {
        &self.location.url
    }

    /// Its store, whose root is the archive's root.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.location.store
    }

    /// The log of one of its tables.
    pub fn table(&self, table: Table) -> TableLog {
        TableLog::new(Arc::clone(self.store()), table)
    }
}
