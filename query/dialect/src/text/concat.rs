//! Values of any type in one text: `concat`, `concat_ws`, `||`.

use super::budget::Budget;
use super::shown::{Texts, converted};
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes, form};
use crate::types::PgType::{
    self, Bool, Bytea, Date, Float4, Float8, Int2, Int4, Int8, Interval, Numeric, Text, Time, Timestamp, Timestamptz,
};
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use datafusion::common::Result;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let text = || Returns::Of(|| Text);
    vec![
        Function::new("concat", vec![Form::new(vec![Takes::Any], text(), concat).variadic()]),
        Function::new("concat_ws", vec![Form::new(vec![Takes::Of(Text), Takes::Any], text(), concat_ws).variadic()]),
    ]
}

/// The operators. Two texts are left to the engine, and arrays are another domain's.
pub(super) fn operators() -> Vec<Function> {
    let others = [Bool, Int2, Int4, Int8, Float4, Float8, Numeric, Date, Time, Timestamp, Timestamptz, Interval];
    let forms = others
        .into_iter()
        .flat_map(|other: PgType| [form([Text, other.clone()], || Text, joined), form([other, Text], || Text, joined)]);
    vec![Function::new("||", forms.chain([form([Bytea, Bytea], || Bytea, super::bytes::joined)]).collect())]
}

/// `text || value`, the value as its cast to text.
fn joined(call: &Call) -> Result<ArrayRef> {
    let operands = [0, 1].map(|operand| converted(call.any(operand).array(), &DataType::Utf8View));
    let [left, right] = operands;
    let (left, right) = (left?, right?);
    let (left, right) = (left.as_string_view(), right.as_string_view());
    let (of_left, of_right) = (call.any(0), call.any(1));
    let mut budget = Budget::default();
    call.texts(|row| {
        if of_left.is_null(row) || of_right.is_null(row) {
            return Ok(None);
        }
        let (left, right) = (left.value(of_left.index(row)), right.value(of_right.index(row)));
        budget.take(left.len().saturating_add(right.len()))?;
        Ok(Some([left, right].concat()))
    })
}

fn concat(call: &Call) -> Result<ArrayRef> {
    let texts = (0..call.len()).map(|argument| Texts::of(call, argument)).collect::<Result<Vec<_>>>()?;
    let mut budget = Budget::default();
    call.texts(|row| {
        let parts = texts.iter().filter_map(|texts| texts.get(row));
        budget.take(parts.clone().map(str::len).fold(0, usize::saturating_add))?;
        Ok(Some(parts.collect::<String>()))
    })
}

fn concat_ws(call: &Call) -> Result<ArrayRef> {
    let separators = call.text(0);
    let texts = (1..call.len()).map(|argument| Texts::of(call, argument)).collect::<Result<Vec<_>>>()?;
    let mut budget = Budget::default();
    call.texts(|row| {
        let Some(separator) = separators.get(row) else { return Ok(None) };
        let parts: Vec<&str> = texts.iter().filter_map(|texts| texts.get(row)).collect();
        let bytes = parts.iter().map(|part| part.len().saturating_add(separator.len()));
        budget.take(bytes.fold(0, usize::saturating_add))?;
        Ok(Some(parts.join(separator)))
    })
}
