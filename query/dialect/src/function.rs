//! A function or operator of PostgreSQL: its forms, and which of them a call means.
//!
//! ```text
//! call ─▶ types of the arguments ─▶ form (PostgreSQL 15, 10.3) ─▶ casts to the form's types ─▶ evaluation of a batch
//! ```
//!
//! A text constant has type text here, so where no form takes a text, a text may be of any type, as PostgreSQL reads a
//! constant of unknown type.

use crate::bounds::unbounded;
use crate::call::Call;
use crate::error::SqlError;
use crate::text_types;
use crate::types::{PgType, TYPE_KEY, array_of, numeric};
use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Takes {
    /// A value of this type, or one that becomes one.
    Of(PgType),
    /// A value of exactly this type.
    Exactly(PgType),
    /// A value of any type, as it is.
    Any,
    /// An array of any type, as it is.
    AnyArray,
    /// The same as the element of the array argument at this place.
    ElementOf(usize),
    /// A value of the common type of all parameters that are `Common`.
    Common,
}

/// The type of a result.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Returns {
    /// Always this type.
    Of(fn() -> PgType),
    /// That of an argument.
    SameAs(usize),
    /// That of an argument, called as the argument is.
    Itself(usize),
    /// The element of an array argument.
    ElementOf(usize),
    /// An array of what an argument is.
    ArrayOf(usize),
    /// A numeric whose scale is computed of the arguments.
    Scale(fn(&Arguments<'_>) -> i8),
    /// What is computed of the arguments.
    Computed(fn(&Arguments<'_>) -> Result<DataType>),
    /// A text that is called by another name, such as `json`.
    Named(&'static str),
    /// A text that is called as an argument is, such as `jsonb`, and by this name if that has none.
    NamedAs(usize, &'static str),
}

/// The arguments for which a result's type is computed.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    types: Vec<&'a DataType>,
    constants: &'a [Option<&'a ScalarValue>],
}

impl Arguments<'_> {
    /// The Arrow type of an argument.
    pub(crate) fn data_type(&self, argument: usize) -> &DataType {
        self.types[argument]
    }

    /// The number of arguments.
    pub(crate) fn len(&self) -> usize {
        self.types.len()
    }

    /// The scale of a numeric argument; 0 of others.
    pub(crate) fn scale(&self, argument: usize) -> i8 {
        match self.types[argument] {
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => *scale,
            _ => 0,
        }
    }

    /// A text that is constant.
    pub(crate) fn constant_text(&self, argument: usize) -> Option<&str> {
        self.constants.get(argument).copied().flatten()?.try_as_str().flatten()
    }

    /// A whole number that is constant.
    pub(crate) fn constant(&self, argument: usize) -> Option<i64> {
        let value = self.constants.get(argument).copied().flatten()?;
        match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(value)) => value,
            _ => None,
        }
    }
}

/// Evaluates a call for a batch. A row with a NULL argument is asked for as well.
pub(crate) type Evaluate = fn(&Call) -> Result<ArrayRef>;

/// One form of a function.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    takes: Vec<Takes>,
    /// The last parameter is given any number of times, at least once.
    is_variadic: bool,
    returns: Returns,
    evaluate: Evaluate,
}

/// A form with these parameters.
pub(crate) fn form(takes: impl IntoIterator<Item = PgType>, returns: fn() -> PgType, evaluate: Evaluate) -> Form {
    let takes = takes.into_iter().map(Takes::Of).collect();
    Form { takes, is_variadic: false, returns: Returns::Of(returns), evaluate }
}

impl Form {
    /// A form whose types are not fixed.
    pub(crate) fn new(takes: Vec<Takes>, returns: Returns, evaluate: Evaluate) -> Self {
        Self { takes, is_variadic: false, returns, evaluate }
    }

    /// With another result.
    #[must_use]
    pub(crate) fn returning(mut self, returns: Returns) -> Self {
        self.returns = returns;
        self
    }

    /// The last parameter may be given many times.
    #[must_use]
    pub(crate) fn variadic(mut self) -> Self {
        self.is_variadic = true;
        self
    }

    fn takes(&self, arguments: usize) -> Option<Vec<&Takes>> {
        if !self.is_variadic {
            return (self.takes.len() == arguments).then(|| self.takes.iter().collect());
        }
        let last = self.takes.last()?;
        let first = self.takes.iter().take(arguments);
        let more = arguments.checked_sub(self.takes.len())?;
        Some(first.chain(std::iter::repeat_n(last, more)).collect())
    }
}

/// What a call with these arguments is instead, if it is simpler.
pub(crate) type Simplified = fn(&[Expr]) -> Option<Expr>;

/// The values of an argument, from `start` and below `end`, for which a call has a value.
#[derive(Debug)]
pub(crate) struct Preimage {
    pub argument: usize,
    pub start: ScalarValue,
    pub end: ScalarValue,
}

/// The preimage of a constant by a call with these arguments. The last parameter is a NULL of the type of the second argument.
pub(crate) type FindPreimage = fn(&[Expr], &ScalarValue, &ScalarValue) -> Option<Preimage>;

/// A function of PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    name: &'static str,
    aliases: Vec<String>,
    forms: Vec<Form>,
    signature: Signature,
    /// Of an operator: the operands that are left to the engine.
    unless: Option<fn(&[Expr]) -> bool>,
    /// What a call with some constants is instead.
    simplified: Option<Simplified>,
    /// By which a filter on a call becomes one on an argument.
    preimage: Option<FindPreimage>,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Function {
    /// An immutable function with these forms.
    pub(crate) fn new(name: &'static str, forms: Vec<Form>) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { name, aliases: Vec::new(), forms, signature, unless: None, simplified: None, preimage: None }
    }

    /// With another name by which it is also called.
    #[must_use]
    pub(crate) fn or(mut self, alias: &str) -> Self {
        self.aliases.push(alias.to_owned());
        self
    }

    /// With another volatility.
    #[must_use]
    pub(crate) fn volatility(mut self, volatility: Volatility) -> Self {
        self.signature = Signature::user_defined(volatility);
        self
    }

    /// An operator that is left to the engine for some operands, for which the engine has PostgreSQL's result.
    #[must_use]
    pub(crate) fn unless(mut self, is_left: fn(&[Expr]) -> bool) -> Self {
        self.unless = Some(is_left);
        self
    }

    /// A call that is simplified to an expression, about which the engine knows more.
    #[must_use]
    pub(crate) fn simplified(mut self, simplified: Simplified) -> Self {
        self.simplified = Some(simplified);
        self
    }

    /// A function whose calls have a preimage.
    #[must_use]
    pub(crate) fn preimage(mut self, preimage: FindPreimage) -> Self {
        self.preimage = Some(preimage);
        self
    }

    /// Whether these operands are left to the engine.
    pub(crate) fn leaves(&self, operands: &[Expr]) -> bool {
        self.unless.is_some_and(|is_left| is_left(operands))
    }

    /// The name, which is the symbol of an operator.
    pub(crate) fn symbol(&self) -> &'static str {
        self.name
    }

    /// With the forms of another one of the same name behind its own.
    pub(crate) fn with_forms_of(mut self, other: Self) -> Self {
        self.forms.extend(other.forms);
        self.unless = self.unless.or(other.unless);
        self.aliases.extend(other.aliases);
        self
    }

    /// Whether a form takes arguments of these types. Of texts alone none is taken for a constant of another type.
    pub(crate) fn has_form_for(&self, types: &[DataType]) -> bool {
        let are_texts = types.iter().all(|data_type| PgType::of(data_type) == PgType::Text);
        if are_texts {
            let given = vec![PgType::Text; types.len()];
            return self.forms.iter().any(|form| fit(form, &given, types, false).is_some());
        }
        self.resolve(types).is_ok()
    }

    /// The Arrow types of the arguments of the form that arguments of these types mean.
    pub(crate) fn argument_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.resolve(types).map(|(_, types)| types)
    }

    /// As the engine calls it.
    pub(crate) fn udf(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(self)
    }

    /// The form that arguments of these types mean, and the Arrow types of its arguments.
    fn resolve(&self, types: &[DataType]) -> Result<(&Form, Vec<DataType>)> {
        let given: Vec<PgType> = types.iter().map(PgType::of).collect();
        let candidates = |text_is_unknown: bool| -> Vec<(&Form, Rank, Vec<DataType>)> {
            self.forms
                .iter()
                .filter_map(|form| {
                    let (rank, types) = fit(form, &given, types, text_is_unknown)?;
                    Some((form, rank, types))
                })
                .collect()
        };
        let mut fitting = candidates(false);
        if fitting.is_empty() {
            fitting = candidates(true);
        }
        // Of those that are as good, the first.
        fitting.sort_by_key(|(_, rank, _)| std::cmp::Reverse(*rank));
        match fitting.into_iter().next() {
            Some((form, _, types)) => Ok((form, types)),
            None => Err(self.does_not_exist(&given).into()),
        }
    }

    fn does_not_exist(&self, given: &[PgType]) -> SqlError {
        let types: Vec<String> = given.iter().map(ToString::to_string).collect();
        let is_operator = !self.name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let error = match (is_operator, types.as_slice()) {
            (true, [one]) => SqlError::new("42883", format!("operator does not exist: {} {one}", self.name)),
            (true, [left, right]) => {
                SqlError::new("42883", format!("operator does not exist: {left} {} {right}", self.name))
            }
            _ => SqlError::new("42883", format!("function {}({}) does not exist", self.name, types.join(", "))),
        };
        error.at(self.name).with_hint(format!(
            "No {} matches the given name and argument types. You might need to add explicit type casts.",
            if is_operator { "operator" } else { "function" }
        ))
    }
}

/// The functions, those of the same name made one.
pub(crate) fn merged(functions: impl IntoIterator<Item = Function>) -> Vec<Function> {
    let mut merged: Vec<Function> = Vec::new();
    let mut places: HashMap<&'static str, usize> = HashMap::new();
    for function in functions {
        match places.get(function.name) {
            Some(place) => {
                let known = &mut merged[*place];
                *known = known.clone().with_forms_of(function);
            }
            None => {
                places.insert(function.name, merged.len());
                merged.push(function);
            }
        }
    }
    merged
}

/// How well a form fits: arguments of exactly its type, and then those of a preferred type.
type Rank = (usize, usize);

fn fit(form: &Form, given: &[PgType], types: &[DataType], text_is_unknown: bool) -> Option<(Rank, Vec<DataType>)> {
    let all = form.takes(given.len())?;
    let (mut exact, mut preferred) = (0, 0);
    let common = common_type(&all, given, types);
    let mut arguments = Vec::with_capacity(given.len());
    for (place, takes) in all.iter().enumerate() {
        let (pg, data_type) = (&given[place], &types[place]);
        let is_unknown = *pg == PgType::Unknown || (text_is_unknown && *pg == PgType::Text);
        arguments.push(match takes {
            Takes::Of(wanted) => {
                // Of two operands, one of unknown type is taken to be what the other one is.
                let other = given.get(1 - place.min(1)).filter(|_| given.len() == 2 && is_unknown);
                if pg == wanted || other == Some(wanted) {
                    exact += 1;
                } else if !is_unknown && !pg.becomes(wanted) {
                    return None;
                }
                preferred += usize::from(wanted.is_preferred());
                argument_type(wanted, data_type)
            }
            Takes::Exactly(wanted) => {
                if pg != wanted {
                    return None;
                }
                exact += 1;
                argument_type(wanted, data_type)
            }
            Takes::Any => {
                exact += 1;
                as_it_is(data_type)
            }
            Takes::AnyArray => match pg {
                PgType::Array(_) => {
                    exact += 1;
                    as_it_is(data_type)
                }
                _ if is_unknown => {
                    // An array of what it is compared with fits better than one of a wider type.
                    let element = all.iter().position(|takes| **takes == Takes::ElementOf(place));
                    exact += usize::from(element.is_some_and(|element| given[element] != PgType::Unknown));
                    array_beside(place, &all, given, types)
                }
                _ => return None,
            },
            Takes::ElementOf(array) => match types.get(*array) {
                Some(DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _)) => {
                    if !is_unknown && !pg.becomes(&PgType::of(element.data_type())) {
                        return None;
                    }
                    as_it_is(element.data_type())
                }
                // A constant array may have more digits.
                _ if *pg == PgType::Numeric => PgType::Numeric.arrow(),
                _ => as_it_is(data_type),
            },
            Takes::Common => common.clone()?,
        });
    }
    Some(((exact, preferred), arguments))
}

/// The array that a constant text is: as another array, or of what it is compared with.
fn array_beside(place: usize, takes: &[&Takes], given: &[PgType], types: &[DataType]) -> DataType {
    let array = given.iter().position(|given| matches!(given, PgType::Array(_)));
    let element = takes.iter().position(|takes| **takes == Takes::ElementOf(place));
    match (array, element) {
        (Some(array), _) => as_it_is(&types[array]),
        (None, Some(element)) if given[element] == PgType::Numeric => array_of(PgType::Numeric.arrow()),
        (None, Some(element)) if given[element] != PgType::Unknown => array_of(as_it_is(&types[element])),
        (None, _) => array_of(DataType::Utf8View),
    }
}

/// The type that values of these types have in common.
pub(crate) fn common(types: &[DataType]) -> Option<DataType> {
    let given: Vec<PgType> = types.iter().map(PgType::of).collect();
    common_type(&vec![&Takes::Common; types.len()], &given, types)
}

/// The type that all `Common` arguments become.
fn common_type(takes: &[&Takes], given: &[PgType], types: &[DataType]) -> Option<DataType> {
    let places = || takes.iter().enumerate().filter(|(_, takes)| ***takes == Takes::Common).map(|(place, _)| place);
    let known: Vec<usize> = places().filter(|place| given[*place] != PgType::Unknown).collect();
    // A text may be a constant of another type.
    let others: Vec<usize> = known.iter().copied().filter(|place| given[*place] != PgType::Text).collect();
    let considered = if others.is_empty() { known } else { others };
    let mut considered = considered.into_iter();
    let Some(first) = considered.next() else { return Some(DataType::Utf8View) };
    let mut widest = first;
    for place in considered {
        if given[widest].becomes(&given[place]) {
            widest = place;
        } else if !given[place].becomes(&given[widest]) {
            return None;
        }
    }
    if given[widest] != PgType::Numeric {
        return Some(as_it_is(&types[widest]));
    }
    let scale = places().map(|place| match PgType::numeric_of(&types[place]) {
        DataType::Decimal256(_, scale) if given[place] != PgType::Unknown => scale,
        _ => 0,
    });
    Some(numeric(scale.max().unwrap_or(0)))
}

fn argument_type(wanted: &PgType, given: &DataType) -> DataType {
    match wanted {
        PgType::Numeric => PgType::numeric_of(given),
        other => other.arrow(),
    }
}

/// The type of a value that any type may be of: dictionaries and other kinds of texts are one kind.
fn as_it_is(data_type: &DataType) -> DataType {
    match PgType::of(data_type) {
        PgType::Other | PgType::Unknown => data_type.clone(),
        PgType::Numeric => PgType::numeric_of(data_type),
        PgType::Array(_) => match data_type {
            DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
                array_of(as_it_is(element.data_type()))
            }
            other => other.clone(),
        },
        known => known.arrow(),
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(self.resolve(types)?.1)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let constants = vec![None; types.len()];
        let fields: Vec<FieldRef> =
            types.iter().map(|data_type| Arc::new(Field::new("", data_type.clone(), true))).collect();
        let args = ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &constants };
        Ok(self.return_field_from_args(args)?.data_type().clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let (form, coerced) = self.resolve(&types)?;
        let arguments = Arguments { types: coerced.iter().collect(), constants: args.scalar_arguments };
        let data_type = match form.returns {
            Returns::Of(data_type) => data_type().arrow(),
            Returns::SameAs(argument) | Returns::Itself(argument) => coerced[argument].clone(),
            Returns::ElementOf(argument) => match &coerced[argument] {
                DataType::List(element) => element.data_type().clone(),
                other => other.clone(),
            },
            Returns::ArrayOf(argument) => array_of(coerced[argument].clone()),
            Returns::Scale(scale) => numeric(scale(&arguments)),
            Returns::Computed(compute) => compute(&arguments)?,
            Returns::Named(_) | Returns::NamedAs(..) => {
                let name = match form.returns {
                    Returns::NamedAs(argument, otherwise) => {
                        let known = args.arg_fields[argument].metadata().get(TYPE_KEY).map(String::as_str);
                        known.filter(|known| matches!(*known, "json" | "jsonb")).unwrap_or(otherwise)
                    }
                    Returns::Named(name) => name,
                    _ => "text",
                };
                let metadata = [(TYPE_KEY.to_owned(), name.to_owned())].into();
                return Ok(Arc::new(Field::new(self.name, DataType::Utf8View, true).with_metadata(metadata)));
            }
        };
        let field = Field::new(self.name, data_type, true);
        Ok(Arc::new(match form.returns {
            Returns::SameAs(argument) => text_types::same_as(field, &args.arg_fields[argument]),
            Returns::Itself(argument) => field.with_metadata(args.arg_fields[argument].metadata().clone()),
            Returns::ElementOf(argument) => text_types::element_of(field, &args.arg_fields[argument]),
            Returns::ArrayOf(argument) => text_types::array_of_marked(field, &args.arg_fields[argument]),
            _ => field,
        }))
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        unbounded(self, input)
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match self.simplified.and_then(|simplified| simplified(&args)) {
            Some(expression) => ExprSimplifyResult::Simplified(expression),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        let (Some(find), Expr::Literal(value, _), Some(second)) = (self.preimage, literal, args.get(1)) else {
            return Ok(PreimageResult::None);
        };
        let unknown = ScalarValue::try_new_null(&info.get_data_type(second)?)?;
        Ok(match find(args, value, &unknown) {
            Some(Preimage { argument, start, end }) => PreimageResult::Range {
                expr: args[argument].clone(),
                interval: Box::new(Interval::try_new(start, end)?),
            },
            None => PreimageResult::None,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let marks = args.arg_fields.iter().map(|field| field.metadata().get(TYPE_KEY).cloned()).collect();
        let (form, coerced) = self.resolve(&types)?;
        // The engine has cast the arguments; what a plan of another origin has not, is cast here.
        let arguments: Vec<ColumnarValue> = args
            .args
            .into_iter()
            .zip(&coerced)
            .map(
                |(argument, wanted)| {
                    if argument.data_type() == *wanted { Ok(argument) } else { argument.cast_to(wanted, None) }
                },
            )
            .collect::<Result<_>>()?;
        // A volatile function has another value in each row.
        let is_constant = self.signature.volatility != Volatility::Volatile
            && arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let call = Call::new(arguments, rows, args.return_field.data_type().clone())?.with_marks(marks);
        let made = (form.evaluate)(&call)?;
        Ok(if is_constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?)
        } else {
            ColumnarValue::Array(made)
        })
    }
}
