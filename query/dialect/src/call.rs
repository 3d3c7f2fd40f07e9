//! The arguments of a call, by rows.
//!
//! An argument that is the same in all rows is kept once: compile a pattern once, not for each row.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal256Type, Float32Type, Float64Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, ArrowNativeTypeOp, BinaryArray, BooleanArray, ListArray, PrimitiveArray, StringViewArray,
};
use arrow_schema::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

/// One call of a function, for a batch of rows. Its arguments have the types of the chosen form.
#[derive(Debug)]
pub(crate) struct Call {
    arguments: Vec<Argument>,
    rows: usize,
    result: DataType,
    /// The names of PostgreSQL's types that the arguments' fields tell.
    marks: Vec<Option<String>>,
}

#[derive(Debug)]
struct Argument {
    values: ArrayRef,
    is_constant: bool,
}

/// An argument with values of an array type.
#[derive(Debug)]
pub(crate) struct Values<'a, A> {
    values: &'a A,
    is_constant: bool,
}

impl<A> Clone for Values<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Values<'_, A> {}

impl<'a, A: Array> Values<'a, A> {
    /// The place of a row's value in [`array`](Self::array).
    pub(crate) fn index(&self, row: usize) -> usize {
        if self.is_constant { 0 } else { row }
    }

    /// The values: one for each row, or one for all.
    pub(crate) fn array(&self) -> &'a A {
        self.values
    }

    /// Whether it is the same in all rows.
    pub(crate) fn is_constant(&self) -> bool {
        self.is_constant
    }

    /// Whether a row's value is NULL.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.values.is_null(self.index(row))
    }
}

impl<'a> Values<'a, StringViewArray> {
    /// A row's text.
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        let index = self.index(row);
        self.values.is_valid(index).then(|| self.values.value(index))
    }
}

impl<'a> Values<'a, BinaryArray> {
    /// A row's bytes.
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        let index = self.index(row);
        self.values.is_valid(index).then(|| self.values.value(index))
    }
}

impl Values<'_, BooleanArray> {
    /// A row's value.
    pub(crate) fn get(&self, row: usize) -> Option<bool> {
        let index = self.index(row);
        self.values.is_valid(index).then(|| self.values.value(index))
    }
}

impl<T: ArrowPrimitiveType> Values<'_, PrimitiveArray<T>> {
    /// A row's value.
    pub(crate) fn get(&self, row: usize) -> Option<T::Native> {
        let index = self.index(row);
        self.values.is_valid(index).then(|| self.values.value(index))
    }
}

impl Values<'_, ListArray> {
    /// A row's array.
    pub(crate) fn get(&self, row: usize) -> Option<ArrayRef> {
        let index = self.index(row);
        self.values.is_valid(index).then(|| self.values.value(index))
    }
}

impl Call {
    pub(crate) fn new(arguments: Vec<ColumnarValue>, rows: usize, result: DataType) -> Result<Self> {
        let arguments = arguments
            .into_iter()
            .map(|argument| {
                Ok(match argument {
                    ColumnarValue::Array(values) => Argument { values, is_constant: false },
                    ColumnarValue::Scalar(value) => Argument { values: value.to_array_of_size(1)?, is_constant: true },
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { arguments, rows, result, marks: Vec::new() })
    }

    /// With the names of types that the arguments' fields tell.
    #[must_use]
    pub(crate) fn with_marks(mut self, marks: Vec<Option<String>>) -> Self {
        self.marks = marks;
        self
    }

    /// The name of PostgreSQL's type that an argument's field tells, such as `json`.
    pub(crate) fn mark(&self, argument: usize) -> Option<&str> {
        self.marks.get(argument)?.as_deref()
    }

    /// The rows of the result.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The arguments that are given.
    pub(crate) fn len(&self) -> usize {
        self.arguments.len()
    }

    /// The Arrow type of the result.
    pub(crate) fn result(&self) -> &DataType {
        &self.result
    }

    /// The values of an argument, and whether it is one for all rows.
    pub(crate) fn any(&self, argument: usize) -> Values<'_, ArrayRef> {
        let Argument { values, is_constant } = &self.arguments[argument];
        Values { values, is_constant: *is_constant }
    }

    /// Values of any primitive type.
    pub(crate) fn values<T: ArrowPrimitiveType>(&self, argument: usize) -> Values<'_, PrimitiveArray<T>> {
        self.primitive(argument)
    }

    fn primitive<T: ArrowPrimitiveType>(&self, argument: usize) -> Values<'_, PrimitiveArray<T>> {
        let Argument { values, is_constant } = &self.arguments[argument];
        Values { values: values.as_primitive::<T>(), is_constant: *is_constant }
    }

    /// Texts.
    pub(crate) fn text(&self, argument: usize) -> Values<'_, StringViewArray> {
        let Argument { values, is_constant } = &self.arguments[argument];
        Values { values: values.as_string_view(), is_constant: *is_constant }
    }

    /// `bytea`.
    pub(crate) fn bytea(&self, argument: usize) -> Values<'_, BinaryArray> {
        let Argument { values, is_constant } = &self.arguments[argument];
        Values { values: values.as_binary::<i32>(), is_constant: *is_constant }
    }

    /// `boolean`.
    pub(crate) fn bool(&self, argument: usize) -> Values<'_, BooleanArray> {
        let Argument { values, is_constant } = &self.arguments[argument];
        Values { values: values.as_boolean(), is_constant: *is_constant }
    }

    /// `integer`.
    pub(crate) fn int4(&self, argument: usize) -> Values<'_, PrimitiveArray<Int32Type>> {
        self.primitive(argument)
    }

    /// `bigint`.
    pub(crate) fn int8(&self, argument: usize) -> Values<'_, PrimitiveArray<Int64Type>> {
        self.primitive(argument)
    }

    /// `real`.
    pub(crate) fn float4(&self, argument: usize) -> Values<'_, PrimitiveArray<Float32Type>> {
        self.primitive(argument)
    }

    /// `double precision`.
    pub(crate) fn float8(&self, argument: usize) -> Values<'_, PrimitiveArray<Float64Type>> {
        self.primitive(argument)
    }

    /// `numeric`: the digits; the point is [`scale`](Self::scale) digits from the right.
    pub(crate) fn numeric(&self, argument: usize) -> Values<'_, PrimitiveArray<Decimal256Type>> {
        self.primitive(argument)
    }

    /// The scale of a `numeric`.
    pub(crate) fn scale(&self, argument: usize) -> i8 {
        match self.arguments[argument].values.data_type() {
            DataType::Decimal256(_, scale) => *scale,
            _ => 0,
        }
    }

    /// `date`: days since 1970-01-01.
    pub(crate) fn date(&self, argument: usize) -> Values<'_, PrimitiveArray<Date32Type>> {
        self.primitive(argument)
    }

    /// `time`: microseconds of the day.
    pub(crate) fn time(&self, argument: usize) -> Values<'_, PrimitiveArray<Time64MicrosecondType>> {
        self.primitive(argument)
    }

    /// `timestamp` and `timestamp with time zone`: microseconds since 1970-01-01.
    pub(crate) fn timestamp(&self, argument: usize) -> Values<'_, PrimitiveArray<TimestampMicrosecondType>> {
        self.primitive(argument)
    }

    /// `interval`.
    pub(crate) fn interval(&self, argument: usize) -> Values<'_, PrimitiveArray<IntervalMonthDayNanoType>> {
        self.primitive(argument)
    }

    /// Arrays.
    pub(crate) fn list(&self, argument: usize) -> Values<'_, ListArray> {
        let Argument { values, is_constant } = &self.arguments[argument];
        Values { values: values.as_list::<i32>(), is_constant: *is_constant }
    }

    /// The result whose rows `value` computes.
    ///
    /// # Errors
    /// That of the first row whose value fails.
    pub(crate) fn primitives<T: ArrowPrimitiveType>(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ArrayRef>
    where
        T::Native: ArrowNativeTypeOp,
    {
        let mut values = PrimitiveArray::<T>::builder(self.rows);
        for row in 0..self.rows {
            values.append_option(value(row)?);
        }
        Ok(std::sync::Arc::new(values.finish().with_data_type(self.result.clone())))
    }

    /// The texts that `value` computes.
    ///
    /// # Errors
    /// That of the first row whose value fails.
    pub(crate) fn texts<S: AsRef<str>>(&self, mut value: impl FnMut(usize) -> Result<Option<S>>) -> Result<ArrayRef> {
        let mut values = arrow_array::builder::StringViewBuilder::with_capacity(self.rows);
        for row in 0..self.rows {
            values.append_option(value(row)?);
        }
        Ok(std::sync::Arc::new(values.finish()))
    }

    /// The truth values that `value` computes.
    ///
    /// # Errors
    /// That of the first row whose value fails.
    pub(crate) fn bools(&self, mut value: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
        let values: BooleanArray = (0..self.rows).map(&mut value).collect::<Result<_>>()?;
        Ok(std::sync::Arc::new(values))
    }
}
