//! Whether a text is in a set, as a physical expression. Plans do not show the set, because it names sessions.

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Schema};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A set of ids.
pub(crate) type Ids = Arc<HashSet<String>>;

/// Whether the value of a text column is in, or is not in, a set of ids. NULL is in no set.
#[derive(Debug)]
pub(crate) struct Membership {
    column: Arc<dyn PhysicalExpr>,
    ids: Ids,
    is_in: bool,
}

impl Membership {
    pub(crate) fn is_in(column: Arc<dyn PhysicalExpr>, ids: Ids) -> Arc<dyn PhysicalExpr> {
        Arc::new(Self { column, ids, is_in: true })
    }

    pub(crate) fn is_not_in(column: Arc<dyn PhysicalExpr>, ids: Ids) -> Arc<dyn PhysicalExpr> {
        Arc::new(Self { column, ids, is_in: false })
    }

    fn of<'a>(&self, values: impl Iterator<Item = Option<&'a str>>) -> BooleanArray {
        // Rows of one session are mostly adjacent.
        let mut last: Option<(&str, bool)> = None;
        let values = values.map(|value| {
            let Some(value) = value else { return Some(!self.is_in) };
            if let Some((previous, answer)) = last
                && previous == value
            {
                return Some(answer);
            }
            let answer = self.ids.contains(value) == self.is_in;
            last = Some((value, answer));
            Some(answer)
        });
        values.collect()
    }
}

impl PartialEq for Membership {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && Arc::ptr_eq(&self.ids, &other.ids) && self.is_in == other.is_in
    }
}

impl Eq for Membership {}

impl Hash for Membership {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        Arc::as_ptr(&self.ids).hash(state);
        self.is_in.hash(state);
    }
}

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} IS {}ONE OF SOME IDS", self.column, if self.is_in { "" } else { "NOT " })
    }
}

impl PhysicalExpr for Membership {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let values = match self.column.evaluate(batch)? {
            ColumnarValue::Array(values) => values,
            ColumnarValue::Scalar(value) => {
                let text = value.try_as_str().flatten().map(str::to_owned);
                let answer = self.of(std::iter::once(text.as_deref())).value(0);
                return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(answer))));
            }
        };
        let answers = match values.data_type() {
            DataType::Utf8View => self.of(values.as_string_view().iter()),
            DataType::Utf8 => self.of(values.as_string::<i32>().iter()),
            other => return exec_err!("ids of the type {other}"),
        };
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let column = children.pop().unwrap_or_else(|| Arc::clone(&self.column));
        Ok(Arc::new(Self { column, ids: Arc::clone(&self.ids), is_in: self.is_in }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, StringArray, StringViewArray};
    use datafusion::physical_expr::expressions::Column;

    #[test]
    fn null_is_in_no_set_and_the_plan_shows_no_id() {
        let ids: Ids = Arc::new(["s-1".to_owned(), "s-2".to_owned()].into());
        let texts = [Some("s-1"), Some("s-1"), None, Some("s-3"), Some("s-2"), Some("")];
        let arrays: [ArrayRef; 2] =
            [Arc::new(StringArray::from(texts.to_vec())), Arc::new(StringViewArray::from(texts.to_vec()))];
        for array in arrays {
            let batch = RecordBatch::try_from_iter_with_nullable([("session", array, true)]).unwrap();
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new("session", 0));
            for (expression, expected) in [
                (Membership::is_in(Arc::clone(&column), Arc::clone(&ids)), [true, true, false, false, true, false]),
                (Membership::is_not_in(column, Arc::clone(&ids)), [false, false, true, true, false, true]),
            ] {
                let ColumnarValue::Array(answer) = expression.evaluate(&batch).unwrap() else { panic!("no array") };
                assert_eq!(answer.as_boolean(), &BooleanArray::from(expected.to_vec()));
                assert!(!expression.to_string().contains("s-1"));
            }
        }
    }
}
