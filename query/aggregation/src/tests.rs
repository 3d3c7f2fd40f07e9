use super::*;
use arrow_array::{Int64Array, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray};
use arrow_cast::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Row {
    group: u8,
    time: Option<i64>,
    name: Option<String>,
    text: Option<String>,
    number: Option<i64>,
    passes: Option<bool>,
}

fn row() -> impl Strategy<Value = Row> {
    let text = || proptest::option::of("[a-c]{0,2}|a long text that is in no view itself [a-c]");
    let (time, number) = (proptest::option::of(0..4_i64), proptest::option::of(-3..3_i64));
    (0..6_u8, time, text(), text(), number, proptest::option::of(any::<bool>()))
        .prop_map(|(group, time, name, text, number, passes)| Row { group, time, name, text, number, passes })
}

/// The rows as a table with partitions of several batches. `row_id` is unique, which makes every order total.
fn table(rows: &[Row], parts: usize, batch: usize) -> MemTable {
    let batches: Vec<RecordBatch> = rows
        .chunks(batch)
        .enumerate()
        .map(|(number, rows)| {
            let first = (number * batch) as i64;
            let columns: [(&str, ArrayRef); 7] = [
                ("g", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::from(row.group))))),
                ("time", Arc::new(rows.iter().map(|row| row.time).collect::<TimestampMicrosecondArray>())),
                ("name", Arc::new(rows.iter().map(|row| row.name.clone()).collect::<StringViewArray>())),
                ("text", Arc::new(rows.iter().map(|row| row.text.clone()).collect::<StringArray>())),
                ("number", Arc::new(rows.iter().map(|row| row.number).collect::<Int64Array>())),
                ("passes", Arc::new(rows.iter().map(|row| row.passes).collect::<BooleanArray>())),
                ("row_id", Arc::new(Int64Array::from_iter_values(first..first + rows.len() as i64))),
            ];
            RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
        })
        .collect();
    let schema = batches[0].schema();
    let mut partitions = vec![Vec::new(); parts];
    for (number, batch) in batches.into_iter().enumerate() {
        partitions[number % parts].push(batch);
    }
    MemTable::try_new(schema, partitions).unwrap()
}

const STATEMENT: &str = "select g,
        last_value(text order by time, row_id) as last,
        last_value(text order by time nulls first, name desc, row_id) filter (where passes) as filtered,
        last_value(name order by time desc nulls last, row_id) filter (where name is not null) as known,
        last_value(number order by name, row_id) ignore nulls as number,
        first_value(text order by name desc nulls last, row_id) as first,
        first_value(time order by row_id desc) filter (where passes is null) as first_time,
        last_value(passes order by row_id) as flag
    from t group by g order by g";

async fn run(rows: &[Row], parts: usize, batch: usize, is_replaced: bool) -> String {
    let config = SessionConfig::new().with_batch_size(batch).with_target_partitions(parts);
    // DataFusion then skips the partial aggregation as soon as it can.
    let config = config
        .set_u64("datafusion.execution.skip_partial_aggregation_probe_rows_threshold", 1)
        .set_str("datafusion.execution.skip_partial_aggregation_probe_ratio_threshold", "0.1");
    let context = SessionContext::new_with_config(config);
    if is_replaced {
        functions().into_iter().for_each(|function| context.register_udaf(function));
    }
    context.register_table("t", Arc::new(table(rows, parts, batch))).unwrap();
    let batches = context.sql(STATEMENT).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn results_equal_those_of_datafusion(
        rows in proptest::collection::vec(row(), 1..120),
        parts in 1..4_usize,
        batch in 1..20_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (original, replaced) = runtime.block_on(async {
            (run(&rows, parts, batch, false).await, run(&rows, parts, batch, true).await)
        });
        prop_assert_eq!(original, replaced);
    }
}

#[tokio::test]
async fn groups_with_text_keys_and_values_use_the_replacement() {
    let context = SessionContext::new();
    functions().into_iter().for_each(|function| context.register_udaf(function));
    let row = Row { group: 0, time: Some(1), name: None, text: None, number: None, passes: None };
    context.register_table("t", Arc::new(table(&[row], 1, 1))).unwrap();
    let frame = context.sql("select last_value(text order by name) from t group by g").await.unwrap();
    let plan = frame.create_physical_plan().await.unwrap();
    let mut aggregates = Vec::new();
    let mut waiting = vec![plan];
    while let Some(node) = waiting.pop() {
        waiting.extend(node.children().into_iter().cloned());
        if let Some(node) = node.downcast_ref::<datafusion::physical_plan::aggregates::AggregateExec>() {
            aggregates.extend(node.aggr_expr().to_vec());
        }
    }
    assert!(!aggregates.is_empty());
    for aggregate in aggregates {
        let implementation: &dyn std::any::Any = aggregate.fun().inner().as_ref();
        assert!(implementation.is::<SelectedValue>() && aggregate.groups_accumulator_supported());
    }
}
