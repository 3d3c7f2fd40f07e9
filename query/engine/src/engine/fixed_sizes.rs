//! Types of a fixed size, such as an array of two billion elements: a NULL of it is as large as any other value.
//!
//! PostgreSQL ignores the size that an array type is declared with (manual 8.15.1), so `bigint[3]` becomes `bigint[]`.
//! What the engine casts to by its own names is refused.

use arrow_schema::DataType;
use datafusion::common::{Result, not_impl_err};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType as SqlType, Expr, visit_expressions_mut};
use std::ops::ControlFlow;

/// Takes the sizes away from the array types of a statement.
pub(super) fn forget_array_sizes(parsed: &mut Parsed) {
    match parsed {
        Parsed::Statement(statement) => {
            let _: ControlFlow<()> = visit_expressions_mut(statement, |expression| {
                match expression {
                    Expr::Cast { data_type, .. } => forget_size(data_type),
                    Expr::TypedString(text) => forget_size(&mut text.data_type),
                    _ => {}
                }
                ControlFlow::Continue(())
            });
        }
        Parsed::Explain(explain) => forget_array_sizes(&mut explain.statement),
        _ => {}
    }
}

fn forget_size(data_type: &mut SqlType) {
    let mut inner = data_type;
    while let SqlType::Array(ArrayElemTypeDef::SquareBracket(element, size)) = inner {
        *size = None;
        inner = element;
    }
}

/// Refuses a type of a fixed size to cast to.
///
/// # Errors
/// It is one, or has one inside.
pub(super) fn refuse_fixed_size(data_type: &DataType) -> Result<()> {
    let elements = |fields: &[&DataType]| fields.iter().try_for_each(|field| refuse_fixed_size(field));
    match data_type {
        DataType::FixedSizeBinary(_) | DataType::FixedSizeList(_, _) => {
            not_impl_err!("a cast to a type of a fixed size is not supported")
        }
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::Map(field, _) => elements(&[field.data_type()]),
        DataType::Struct(fields) => fields.iter().try_for_each(|field| refuse_fixed_size(field.data_type())),
        DataType::Union(fields, _) => fields.iter().try_for_each(|(_, field)| refuse_fixed_size(field.data_type())),
        DataType::Dictionary(key, value) => elements(&[key, value]),
        DataType::RunEndEncoded(ends, values) => elements(&[ends.data_type(), values.data_type()]),
        _ => Ok(()),
    }
}
