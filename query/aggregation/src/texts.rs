//! Columns of texts of any type, in bytes.

use arrow_array::cast::AsArray;
use arrow_array::{
    ArrayRef, BinaryArray, BinaryViewArray, LargeBinaryArray, LargeStringArray, StringArray, StringViewArray,
};
use arrow_schema::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err, internal_err};
use std::sync::Arc;

/// Whether a column of this type has texts.
pub(super) fn is_text(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
    matches!(data_type, Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView)
}

/// The values of a column of texts, in bytes.
pub(super) fn bytes_of(values: &ArrayRef) -> Result<Box<dyn Iterator<Item = Option<&[u8]>> + '_>> {
    Ok(match values.data_type() {
        DataType::Utf8 => Box::new(values.as_string::<i32>().iter().map(|value| value.map(str::as_bytes))),
        DataType::LargeUtf8 => Box::new(values.as_string::<i64>().iter().map(|value| value.map(str::as_bytes))),
        DataType::Utf8View => Box::new(values.as_string_view().iter().map(|value| value.map(str::as_bytes))),
        DataType::Binary => Box::new(values.as_binary::<i32>().iter()),
        DataType::LargeBinary => Box::new(values.as_binary::<i64>().iter()),
        DataType::BinaryView => Box::new(values.as_binary_view().iter()),
        other => return internal_err!("{other} is no text"),
    })
}

/// A column of this type with these values.
pub(super) fn column_of<'v>(values: impl Iterator<Item = &'v [u8]> + Clone, data_type: &DataType) -> Result<ArrayRef> {
    let has_short_offsets = matches!(data_type, DataType::Utf8 | DataType::Binary);
    if has_short_offsets && i32::try_from(values.clone().map(<[u8]>::len).sum::<usize>()).is_err() {
        return exec_err!("texts of more than 2 GiB are too long for one column");
    }
    let texts = || -> Result<Vec<&str>> {
        let text = |value| std::str::from_utf8(value).map_err(|_| exec_datafusion_err!("a text is not UTF-8"));
        values.clone().map(text).collect()
    };
    Ok(match data_type {
        DataType::Utf8 => Arc::new(StringArray::from(texts()?)),
        DataType::LargeUtf8 => Arc::new(LargeStringArray::from(texts()?)),
        DataType::Utf8View => Arc::new(StringViewArray::from(texts()?)),
        DataType::Binary => Arc::new(BinaryArray::from_iter_values(values)),
        DataType::LargeBinary => Arc::new(LargeBinaryArray::from_iter_values(values)),
        DataType::BinaryView => Arc::new(BinaryViewArray::from_iter_values(values)),
        other => return internal_err!("{other} is no text"),
    })
}
