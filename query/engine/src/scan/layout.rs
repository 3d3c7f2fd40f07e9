//! The columns of a table as SQL shows them.

use arrow_schema::{DataType, Field, Schema};
use datafusion::datasource::table_schema::TableSchema;
use holdfast_archive::Table;
use holdfast_archive::table::PARTITION_COLUMNS;
use holdfast_events::Tier;
use std::sync::Arc;

/// Columns with long texts. Statements rarely join or group by them.
const LONG_COLUMNS: [&str; 5] = ["data", "data_binary", "operational", "personal", "value"];

/// The columns of a table's files, followed by `class` and `date`.
pub(super) fn layout(table: Table) -> TableSchema {
    let fields = table.schema();
    let fields = fields.fields().iter().enumerate().take(shown_columns(table)).map(|(index, field)| {
        // Texts are read as views: a filter, sort or join then moves sixteen bytes a row and not the text. But a view
        // keeps the whole page that it points into, so a few long texts would hold the memory of all around them.
        let data_type = match field.data_type() {
            long if LONG_COLUMNS.contains(&field.name().as_str()) => long.clone(),
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            other => other.clone(),
        };
        // A withheld column is NULL.
        let nullable = field.is_nullable() || table.tier(index) != Tier::Operational;
        Field::new(field.name(), data_type, nullable)
    });
    let [class, date] = PARTITION_COLUMNS;
    TableSchema::builder(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
        .with_table_partition_cols(vec![
            Arc::new(Field::new(class, DataType::Utf8View, false)),
            Arc::new(Field::new(date, DataType::Date32, false)),
        ])
        .build()
}

/// The tier of a column of [`layout`].
pub(crate) fn tier_of(table: Table, column: usize) -> Tier {
    if column < shown_columns(table) { table.tier(column) } else { Tier::Operational }
}

/// How many columns of a file are shown: all but the last, the secret that proofs are salted with. The secret describes
/// no event, and with it a caller could guess the hashes of disposed events.
fn shown_columns(table: Table) -> usize {
    table.schema().fields().len() - 1
}
