//! What the rows of a batch take.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RecordBatch};
use arrow_schema::DataType;
use datafusion::common::{DataFusionError, Result};
use std::sync::Arc;

/// Of a text in a column of views, beside its bytes.
const VIEW_BYTES: usize = 16;

/// The bytes of the values in a batch. It may be a slice of a larger one.
pub(super) fn bytes_of(batch: &RecordBatch) -> Result<usize> {
    batch.columns().iter().try_fold(0, |bytes, column| Ok(bytes + bytes_of_values(column)?))
}

/// The bytes of the values in a column, which may be a slice as well.
pub(super) fn bytes_of_values(values: &ArrayRef) -> Result<usize> {
    let offsets = values.len() * size_of::<i64>();
    Ok(match values.data_type() {
        DataType::Utf8View => values.len() * VIEW_BYTES + values.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => values.len() * VIEW_BYTES + values.as_binary_view().total_buffer_bytes_used(),
        DataType::List(_) => {
            offsets + bytes_between(values.as_list::<i32>().values(), values.as_list::<i32>().offsets())?
        }
        DataType::LargeList(_) => {
            offsets + bytes_between(values.as_list::<i64>().values(), values.as_list::<i64>().offsets())?
        }
        DataType::Map(_, _) => {
            let entries: ArrayRef = Arc::new(values.as_map().entries().clone());
            offsets + bytes_between(&entries, values.as_map().offsets())?
        }
        DataType::Struct(_) => values
            .as_struct()
            .columns()
            .iter()
            .try_fold(0, |bytes, column| Ok::<_, DataFusionError>(bytes + bytes_of_values(column)?))?,
        _ => values.to_data().get_slice_memory_size()?,
    })
}

/// Of the elements of lists that begin and end at `offsets`.
fn bytes_between<O: OffsetSizeTrait>(elements: &ArrayRef, offsets: &[O]) -> Result<usize> {
    let (first, last) =
        (offsets.first().map_or(0, |offset| offset.as_usize()), offsets.last().map_or(0, |offset| offset.as_usize()));
    bytes_of_values(&elements.slice(first, last - first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::StringViewArray;
    use arrow_array::builder::{ListBuilder, StringViewBuilder};

    #[test]
    fn the_bytes_of_a_slice_are_its_own() {
        let texts: Vec<String> = (0..100).map(|number| format!("a text of some bytes, number {number}")).collect();
        let views: ArrayRef = Arc::new(StringViewArray::from_iter_values(&texts));
        let batch = RecordBatch::try_from_iter([("views", views)]).unwrap();
        let all = bytes_of(&batch).unwrap();
        let one = bytes_of(&batch.slice(10, 1)).unwrap();
        assert!((16 + 28..60).contains(&one) && all > 90 * one, "{one} of {all}");

        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for text in &texts {
            lists.append_value([Some(text), None]);
        }
        let lists: ArrayRef = Arc::new(lists.finish());
        let batch = RecordBatch::try_from_iter([("lists", lists)]).unwrap();
        let (all, one) = (bytes_of(&batch).unwrap(), bytes_of(&batch.slice(10, 1)).unwrap());
        assert!((16 + 28..100).contains(&one) && all > 90 * one, "{one} of {all}");
    }
}
