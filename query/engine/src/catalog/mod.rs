//! The catalog that a statement can name: tables, views, schemas of extensions, and their metadata.

mod caller;
mod metadata;
mod names;
mod shared;
mod snapshots;
mod statement;
mod unbound;
mod views;

pub(crate) use caller::Caller;
pub(crate) use metadata::{external_tables, is_metadata, is_work_table, reads_only_metadata};
pub(crate) use names::{CATALOG, SCHEMA};
pub(crate) use shared::Shared;
pub(crate) use snapshots::Snapshots;
pub(crate) use statement::{MetadataCatalog, StatementCatalog};
pub(crate) use unbound::{TablesRead, unbound};
pub(crate) use views::{inline, withheld_everywhere, withheld_of};
