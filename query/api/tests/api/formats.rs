//! Every format, read back by an independent reader, contains the same rows.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::server::{MILLION, Server};

const LINES: &str = "SELECT id, kafka_offset AS place, data, CASE WHEN kafka_offset = 3 THEN NULL ELSE '' END AS hole \
                     FROM events ORDER BY kafka_offset";

fn cells(batches: &[RecordBatch]) -> Vec<(String, i64, String, Option<String>)> {
    let mut rows = Vec::new();
    for batch in batches {
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let places = batch.column(1).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let hole = (!text(3).is_null(row)).then(|| text(3).value(row).to_owned());
            rows.push((text(0).value(row).to_owned(), places.value(row), text(2).value(row).to_owned(), hole));
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_contains_the_same_rows() {
    let server = Server::start().await;
    let fetch = async |accept: &str| {
        let response = server.post(&json!({"statement": LINES})).header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), 200, "{accept}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with(accept));
        assert!(uuid::Uuid::parse_str(response.headers()["holdfast-statement"].to_str().unwrap()).is_ok());
        response.bytes().await.unwrap()
    };
    let answer: Value = serde_json::from_slice(&fetch("application/json").await).unwrap();
    assert_eq!(answer["row_count"], 20);
    assert_eq!(answer["columns"][1], json!({"name": "place", "type": "bigint"}));
    assert_eq!(answer["notices"], json!([]));
    assert!(answer.get("error").is_none());
    let objects = answer["rows"].as_array().unwrap();
    let expected: Vec<_> = objects
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().map(str::to_owned);
            (text("id").unwrap(), row["place"].as_i64().unwrap(), text("data").unwrap(), text("hole"))
        })
        .collect();
    assert_eq!(expected.len(), 20);
    assert_eq!((expected[3].3.as_deref(), expected[4].3.as_deref()), (None, Some("")));

    let lines = fetch("application/x-ndjson").await;
    let lines: Vec<Value> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(&lines, objects);

    let arrow = fetch("application/vnd.apache.arrow.stream").await;
    let reader = arrow_ipc::reader::StreamReader::try_new(Cursor::new(arrow), None).unwrap();
    assert_eq!(cells(&reader.map(Result::unwrap).collect::<Vec<_>>()), expected);

    let parquet = fetch("application/vnd.apache.parquet").await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap().build().unwrap();
    assert_eq!(cells(&reader.map(Result::unwrap).collect::<Vec<_>>()), expected);

    let csv = fetch("text/csv").await;
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let schema = Schema::new(vec![
        field("id", DataType::Utf8),
        field("place", DataType::Int64),
        field("data", DataType::Utf8),
        field("hole", DataType::Utf8),
    ]);
    let reader = arrow_csv::ReaderBuilder::new(Arc::new(schema)).with_header(true).build(Cursor::new(csv)).unwrap();
    let from_csv = cells(&reader.map(Result::unwrap).collect::<Vec<_>>());
    let visible = |rows: &[(String, i64, String, Option<String>)]| -> Vec<_> {
        rows.iter().map(|(id, place, data, _)| (id.clone(), *place, data.clone())).collect()
    };
    assert_eq!(visible(&from_csv), visible(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_exact() {
    let server = Server::start().await;
    let statement = "SELECT 9007199254740993 AS large, TIMESTAMP '2026-05-10 10:00:00.123456' AS local, \
                     CAST('12.30' AS decimal(10, 2)) AS price, 1 AS n, 2 AS \"n_2\", DATE '2026-05-10' AS day, \
                     [1, NULL] AS list, time FROM events WHERE kafka_offset = 1";
    let answer: Value = server.sql(statement).await.json().await.unwrap();
    assert_eq!(
        answer["rows"][0],
        json!({
            "large": "9007199254740993", "local": "2026-05-10T10:00:00.123456", "price": "12.30", "n": 1, "n_2": 2,
            "day": "2026-05-10", "list": [1, null], "time": "2026-05-10T08:00:01.000000Z",
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_rows_stream_in_every_format() {
    let server = Server::start().await;
    for format in ["ndjson", "json", "csv", "arrow", "parquet"] {
        let target = format!("{}/v1/sql?format={format}", server.base);
        let request = server.client.post(target).bearer_auth("officer").header("content-type", "application/sql");
        let mut response = request.body(MILLION).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let (mut bytes, mut largest) = (0, 0);
        let mut lines = 0;
        while let Some(part) = response.chunk().await.unwrap() {
            bytes += part.len();
            largest = largest.max(part.len());
            lines += part.iter().filter(|byte| **byte == b'\n').count();
        }
        assert!(largest < 8 << 20, "{format}: a part of {largest} bytes");
        match format {
            "ndjson" => assert_eq!(lines, 1_000_000),
            "csv" => assert_eq!(lines, 1_000_001),
            "parquet" => assert!(bytes > 10_000),
            _ => assert!(bytes > 100_000_000, "{format}: {bytes}"),
        }
    }
}
