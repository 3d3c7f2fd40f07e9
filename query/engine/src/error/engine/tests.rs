use super::super::wording::assert_plain;
use super::*;
use datafusion::common::{Column, Diagnostic, Location, Span};
use holdfast_archive::ArchiveError;
use std::io;

fn statement_error(error: DataFusionError) -> StatementError {
    match classify(&error, 0) {
        QueryError::Statement(error) => *error,
        other => panic!("{other:?}"),
    }
}

/// As the reader of Parquet does it.
fn through_a_filter(error: QueryError) -> DataFusionError {
    let error = error.through_engine();
    DataFusionError::Execution(format!("Parquet error: Error evaluating filter predicate: {error:?}"))
}

/// In everything that an error can be wrapped in.
fn wrapped(error: impl Fn() -> DataFusionError) -> Vec<DataFusionError> {
    let diagnostic = || Box::new(Diagnostic::new_error("x", None));
    vec![
        error(),
        error().context("type_coercion"),
        DataFusionError::Collection(vec![error(), DataFusionError::Plan("another".into())]),
        DataFusionError::Shared(Arc::new(error())),
        DataFusionError::Diagnostic(diagnostic(), Box::new(error())),
        DataFusionError::External(Box::new(error())),
        DataFusionError::External(Box::new(Arc::new(error()))),
        DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(error()))), None),
        DataFusionError::IoError(io::Error::other(error())),
        DataFusionError::Shared(Arc::new(error().context("x").context("y"))),
    ]
}

#[test]
fn an_error_of_the_dialect_keeps_its_code_wherever_it_is() {
    let ours = SqlError {
        state: "22007",
        message: "invalid input syntax for type date: \"x\"".into(),
        detail: Some("a detail".into()),
        hint: Some("a hint".into()),
        near: Some("x".into()),
    };
    for error in wrapped(|| DataFusionError::External(Box::new(ours.clone()))) {
        let found = statement_error(error).located("SELECT date 'x'");
        assert_eq!((found.state, &found.message), (ours.state, &ours.message));
        assert_eq!((&found.detail, &found.hint, found.position), (&ours.detail, &ours.hint, Some(13)));
    }
}

#[test]
fn our_own_errors_pass_through_whatever_they_are_wrapped_in() {
    for error in wrapped(|| QueryError::TimedOut.through_engine()) {
        assert!(matches!(classify(&error, 0), QueryError::TimedOut), "{error:?}");
    }
    for error in wrapped(|| DataFusionError::ResourcesExhausted("a\nError: b".into())) {
        let found = classify(&error, 5 << 20);
        assert!(matches!(&found, QueryError::Memory { limit_mib: 5, what } if what == "b"), "{found:?}");
    }
    for error in wrapped(|| ParserError::RecursionLimitExceeded.into()) {
        assert!(matches!(classify(&error, 0), QueryError::Bound(Bound::Nesting)), "{error:?}");
    }
}

#[test]
fn a_refusal_in_a_filter_of_a_scan_keeps_its_advice() {
    for (what, advice) in [("make more than 64 MiB at a time", SHORTER_RESULTS), ("take long", SHORTER_ARGUMENTS)] {
        let refused = QueryError::Function { function: "~".into(), what: what.into(), what_to_do: advice };
        let expected = refused.to_string();
        let found = classify(&through_a_filter(refused), 0);
        assert!(matches!(found, QueryError::Function { .. }), "{found:?}");
        assert_eq!(found.to_string(), expected);
    }
    let memory = QueryError::Memory { limit_mib: 512, what: "lower made 60 MiB".into() };
    let found = classify(&through_a_filter(memory), 0);
    assert!(matches!(&found, QueryError::Memory { limit_mib: 512, what } if what == "lower made 60 MiB"), "{found:?}");
    let other = statement_error(through_a_filter(QueryError::TimedOut));
    assert_plain(&other.message);
}

#[test]
fn a_table_is_named_as_it_is_written() {
    let missing = || DataFusionError::Plan("table 'holdfast.archive.evnts' not found".into());
    assert_eq!(statement_error(missing()).message, "relation \"evnts\" does not exist");
    let span = Span::new(Location { line: 1, column: 15 }, Location { line: 1, column: 28 });
    let written = missing().with_diagnostic(Diagnostic::new_error("table 'archive.evnts' not found", Some(span)));
    let found = statement_error(written).located("SELECT 1 FROM  archive.evnts");
    assert_eq!((found.state, found.message.as_str()), ("42P01", "relation \"archive.evnts\" does not exist"));
    assert_eq!(found.position, Some(16));
}

/// One error of each variant.
fn all_errors() -> Vec<DataFusionError> {
    let arrow = [
        ArrowError::NotYetImplemented("foo of Utf8 and DataType::Int64".into()),
        ArrowError::ExternalError(Box::new(ArrowError::ComputeError("x".into()))),
        ArrowError::CastError("Cannot cast string 'abc' to value of Int64 type".into()),
        ArrowError::MemoryError("buffer".into()),
        ArrowError::ParseError("x".into()),
        ArrowError::SchemaError("Field { name: \"x\" }".into()),
        ArrowError::ComputeError("Some(x)".into()),
        ArrowError::DivideByZero,
        ArrowError::ArithmeticOverflow("Overflow happened on: 9223372036854775807 + 1".into()),
        ArrowError::CsvError("x".into()),
        ArrowError::JsonError("x".into()),
        ArrowError::AvroError("x".into()),
        ArrowError::IoError("x".into(), io::Error::other("y")),
        ArrowError::IpcError("x".into()),
        ArrowError::InvalidArgumentError("It must be Decimal128(38, 10)".into()),
        ArrowError::ParquetError("x".into()),
        ArrowError::CDataInterface("x".into()),
        ArrowError::DictionaryKeyOverflowError,
        ArrowError::RunEndIndexOverflowError,
        ArrowError::OffsetOverflowError(1),
    ];
    let column = || Box::new(Column::new(Some("t"), "x"));
    let schema = [
        SchemaError::AmbiguousReference { field: column() },
        SchemaError::DuplicateQualifiedField { qualifier: Box::new("t".into()), name: "x".into() },
        SchemaError::DuplicateUnqualifiedField { name: "x".into() },
        SchemaError::FieldNotFound { field: column(), valid_fields: Vec::new() },
    ];
    let parser = [
        ParserError::TokenizerError("Unterminated string literal at Line: 1, Column: 5".into()),
        ParserError::ParserError("Expected: an expression, found: EOF".into()),
    ];
    let text = || "Expr::Column(Column { name: \"x\" }) of type Utf8".to_owned();
    let others = [
        DataFusionError::ParquetError(Box::new(datafusion::parquet::errors::ParquetError::General("x".into()))),
        DataFusionError::ObjectStore(Box::new(object_store::Error::NotImplemented {
            operation: "x".into(),
            implementer: "y".into(),
        })),
        DataFusionError::IoError(io::Error::other("disk")),
        DataFusionError::NotImplemented(text()),
        DataFusionError::Internal(text()),
        DataFusionError::Plan(text()),
        DataFusionError::Configuration(text()),
        DataFusionError::Execution(text()),
        DataFusionError::External("some driver failed".into()),
        DataFusionError::Context("x".into(), Box::new(DataFusionError::Plan(text()))),
        DataFusionError::Substrait(text()),
        DataFusionError::Diagnostic(
            Box::new(Diagnostic::new_error("x", None)),
            Box::new(DataFusionError::Plan(text())),
        ),
        DataFusionError::Collection(vec![DataFusionError::Plan(text())]),
        DataFusionError::Collection(Vec::new()),
        DataFusionError::Shared(Arc::new(DataFusionError::Plan(text()))),
        DataFusionError::Ffi(text()),
    ];
    let arrow = arrow.into_iter().map(|error| DataFusionError::ArrowError(Box::new(error), Some("trace".into())));
    let schema =
        schema.into_iter().map(|error| DataFusionError::SchemaError(Box::new(error), Box::new(Some("trace".into()))));
    arrow.chain(schema).chain(parser.into_iter().map(DataFusionError::from)).chain(others).collect()
}

#[test]
fn no_error_of_any_library_reaches_a_person_in_its_own_words() {
    for error in all_errors() {
        let told = format!("{error:?}");
        let found = statement_error(error);
        assert_plain(&found.message);
        assert!(found.state.len() == 5 && found.message != told, "{found:?}");
        for more in found.hint.iter().chain(&found.detail) {
            assert_plain(more);
        }
    }
}

#[test]
fn an_unreadable_archive_is_no_mistake_of_the_statement() {
    let unreadable = ArchiveError::Encrypt { what: "a file".into(), source: std::io::Error::other("x") };
    let error = QueryError::from(unreadable).through_engine();
    assert!(matches!(classify(&error, 0), QueryError::Archive(_)));
}

#[tokio::test]
async fn a_panic_of_a_task_is_a_failure_of_the_engine_without_its_text() {
    let join = tokio::spawn(async { panic!("a secret of Rust") }).await.unwrap_err();
    let found = classify(&DataFusionError::ExecutionJoin(Box::new(join)), 0);
    assert!(matches!(found, QueryError::Internal(_)));
    assert!(!found.to_string().contains("secret"));
}
