//! What a caller may see: tiers, rows, and the withheld columns behind each result. Nothing here reads the archive.

mod lineage;
mod scope;
mod tiers;

pub(crate) use lineage::{Lineage, Origin, Origins, analyse};
pub use scope::{Rows, Scope, Visibility};
pub(crate) use tiers::{TierAccess, Tiers};
