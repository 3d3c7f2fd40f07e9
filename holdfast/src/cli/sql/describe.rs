//! What `\d`, `\dt`, `\dv` and `\dn` print.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::catalog::{Catalog, Relation};
use super::command::RelationKind;
use crate::render::table::TableWriter;
use crate::render::text::{counted, printable};

/// A list of relations: all of a kind, or those that match a pattern.
pub(super) fn relations(
    catalog: &Catalog,
    kind: Option<RelationKind>,
    pattern: Option<&str>,
    limit: Option<usize>,
) -> String {
    let rows = catalog
        .matching(pattern.unwrap_or("*"))
        .into_iter()
        .filter(|relation| kind.is_none_or(|kind| kind == relation.kind))
        .map(|relation| vec![relation.schema.clone(), relation.name.clone(), kind_name(relation.kind).to_owned()])
        .collect();
    listing("List of relations", &["Schema", "Name", "Type"], rows, limit)
}

/// A list of schemas.
pub(super) fn schemas(catalog: &Catalog, pattern: Option<&str>, limit: Option<usize>) -> String {
    let matching = catalog.matching(&format!("{}.*", pattern.unwrap_or("*")));
    let names = catalog.schemas().into_iter().filter(|name| {
        matching.iter().any(|relation| relation.schema == *name && (pattern.is_some() || !relation.is_system()))
    });
    listing("List of schemas", &["Name"], names.map(|name| vec![name.to_owned()]).collect(), limit)
}

/// The columns of a relation, and the text of a view.
pub(super) fn relation(relation: &Relation, columns: &SchemaRef, text: Option<&str>, limit: Option<usize>) -> String {
    let title = match relation.kind {
        RelationKind::Table => "Table",
        RelationKind::View => "View",
    };
    let rows = columns.fields().iter().map(|field| {
        let nullable = if field.is_nullable() { "" } else { "not null" };
        vec![field.name().clone(), type_name(field.data_type()), nullable.to_owned()]
    });
    let title = format!("{title} \"{}.{}\"", relation.schema, relation.name);
    let mut listing = listing(&title, &["Column", "Type", "Nullable"], rows.collect(), limit);
    if let Some(text) = text {
        listing.push_str("View definition:\n");
        listing.extend(text.lines().flat_map(|line| [" ", line, "\n"]));
    }
    listing
}

/// A table of texts with a title and the number of its rows.
fn listing(title: &str, columns: &[&str], rows: Vec<Vec<String>>, limit: Option<usize>) -> String {
    let fields: Vec<Field> = columns.iter().map(|name| Field::new(*name, DataType::Utf8, false)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut out = Vec::new();
    let mut table = TableWriter::new(&mut out, &schema, limit, false);
    let count = rows.len() as u64;
    let written = rows
        .into_iter()
        .try_for_each(|row| table.row(row.iter().map(|cell| printable(cell).into_owned()).collect()))
        .and_then(|()| table.finish());
    // Writing to memory does not fail.
    debug_assert!(written.is_ok());
    format!("{title}\n{}{}", String::from_utf8_lossy(&out), row_count(count))
}

/// `(2 rows)`
pub(super) fn row_count(rows: u64) -> String {
    format!("({})\n", counted(rows, "row", "rows"))
}

fn kind_name(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table => "table",
        RelationKind::View => "view",
    }
}

/// A type by the name that PostgreSQL has for it, as the server's PostgreSQL interface reports it.
fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int64 | DataType::UInt32 => "bigint",
        DataType::UInt64 => "numeric",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "bytea",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time without time zone",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Timestamp(_, None) => "timestamp without time zone",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::Decimal128(precision, scale) => return format!("numeric({precision},{scale})"),
        DataType::Dictionary(_, value) => return type_name(value),
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            return format!("{}[]", type_name(field.data_type()));
        }
        DataType::Struct(_) => "record",
        other => return other.to_string(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use arrow_schema::TimeUnit;

    use super::super::catalog::tests::catalog;
    use super::*;

    #[test]
    fn relations_are_listed_by_kind_and_pattern() {
        assert_eq!(
            relations(&catalog(), Some(RelationKind::Table), None, None),
            "List of relations\n\
             Schema   Name     Type\n\
             ───────  ───────  ─────\n\
             archive  events   table\n\
             crm      tickets  table\n\
             (2 rows)\n"
        );
        let views = relations(&catalog(), Some(RelationKind::View), Some("s*"), None);
        assert!(views.contains("sessions") && !views.contains("access_log"), "{views}");
    }

    #[test]
    fn schemas_of_the_system_are_listed_on_request() {
        let all = schemas(&catalog(), None, None);
        assert!(all.ends_with("archive\ncrm\n(2 rows)\n"), "{all}");
        assert!(schemas(&catalog(), Some("i*"), None).ends_with("information_schema\n(1 row)\n"));
    }

    #[test]
    fn a_relation_has_columns_with_types_of_postgresql() {
        let catalog = catalog();
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let tags = DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true)));
        let fields = [("id", DataType::Utf8, false), ("started_at", time, true), ("tags", tags, true)];
        let schema = Arc::new(Schema::new(
            fields.map(|(name, data_type, nullable)| Field::new(name, data_type, nullable)).to_vec(),
        ));
        let found = catalog.matching("sessions");
        assert_eq!(
            relation(found[0], &schema, Some("select 1\nfrom x"), None),
            "View \"archive.sessions\"\n\
             Column      Type                      Nullable\n\
             ──────────  ────────────────────────  ────────\n\
             id          text                      not null\n\
             started_at  timestamp with time zone\n\
             tags        text[]\n\
             (3 rows)\n\
             View definition:\n select 1\n from x\n"
        );
    }
}
