//! The formats of a response, their names and their media types.

/// What a response can be sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// The Arrow IPC stream.
    Arrow,
    /// One Parquet file.
    Parquet,
    /// A plot.
    Svg,
}

impl Format {
    /// The formats of rows. The first is the default.
    pub(crate) const ROWS: [Self; 5] = [Self::Json, Self::Ndjson, Self::Csv, Self::Arrow, Self::Parquet];
    /// The formats of reports. The first is the default.
    pub(crate) const REPORT: [Self; 6] = [Self::Json, Self::Ndjson, Self::Csv, Self::Arrow, Self::Parquet, Self::Svg];

    /// The format's name in the parameter `format`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
            Self::Svg => "svg",
        }
    }

    /// The media types that select the format. Responses use the first.
    pub(crate) fn media_types(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json"],
            Self::Ndjson => &["application/x-ndjson", "application/jsonl"],
            Self::Csv => &["text/csv"],
            Self::Arrow => &["application/vnd.apache.arrow.stream"],
            Self::Parquet => &["application/vnd.apache.parquet"],
            Self::Svg => &["image/svg+xml"],
        }
    }

    /// The value of the header Content-Type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            other => other.media_types()[0],
        }
    }
}
