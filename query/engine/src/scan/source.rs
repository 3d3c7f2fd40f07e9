//! Finds the table of the archive that a table provider reads.

use super::row_security::RowSecurityTable;
use super::sessions::SessionsTable;
use super::table::ArchiveTable;

/// The table of the archive behind a provider. `None` if the provider reads something else.
pub(crate) fn archive_table(provider: &dyn std::any::Any) -> Option<&ArchiveTable> {
    if let Some(restricted) = provider.downcast_ref::<RowSecurityTable>() {
        return archive_table(restricted.table().as_ref());
    }
    let sessions = provider.downcast_ref::<SessionsTable>();
    sessions.map(SessionsTable::base).or_else(|| provider.downcast_ref())
}
