//! What the catalog describes: given by the server, and of no table here.

use crate::types::Oid;

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// A table.
    Table,
    /// A view.
    View,
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The OID of its type.
    pub type_oid: Oid,
    /// The modifier of its type; -1 for none.
    pub type_modifier: i32,
    /// Whether it is never NULL.
    pub is_not_null: bool,
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Relation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// The text of a view, if it may be told.
    pub definition: Option<String>,
}

/// What the catalog describes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The name of the database.
    pub database: String,
    /// The role that owns everything.
    pub owner: String,
    /// The other roles.
    pub roles: Vec<String>,
    /// The schemas of the search path, without the implicit `pg_catalog`.
    pub search_path: Vec<String>,
    /// The schemas beside those of PostgreSQL.
    pub schemas: Vec<String>,
    /// The relations in these schemas.
    pub relations: Vec<Relation>,
}

/// The session that asks.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Its user.
    pub user: String,
    /// The names and values of its settings.
    pub settings: Vec<(String, String)>,
    /// The text of `version()`.
    pub version: String,
    /// The process that `pg_backend_pid()` names.
    pub backend: i32,
    /// When the statement began, in microseconds since 1970.
    pub now: i64,
    /// When the server began, in microseconds since 1970.
    pub started: i64,
}
