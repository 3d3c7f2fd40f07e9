//! Calls, written as the parser would have read them.

use crate::time::{format_timestamp, format_timestamptz, parse_timestamp, parse_timestamptz};
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, ObjectNamePart, TimezoneInfo, Value,
};

/// The call `name(arguments)`.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The name of a function without the schema `pg_catalog`, in lower case.
pub(super) fn function_name(name: &ObjectName) -> Option<String> {
    let parts: Vec<&Ident> = name
        .0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(name) => Some(name),
            ObjectNamePart::Function(_) => None,
        })
        .collect::<Option<_>>()?;
    let folded = |name: &Ident| match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_ascii_lowercase(),
    };
    match parts.as_slice() {
        [name] => Some(folded(name)),
        [schema, name] if folded(schema) == "pg_catalog" => Some(folded(name)),
        _ => None,
    }
}

/// The arguments of a call that has nothing but arguments.
pub(super) fn plain_arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    if list.duplicate_treatment.is_some()
        || !list.clauses.is_empty()
        || function.filter.is_some()
        || function.over.is_some()
        || !function.within_group.is_empty()
    {
        return None;
    }
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
            _ => None,
        })
        .collect()
}

/// Types the texts among the bounds of a series of times, as PostgreSQL does: a text beside a time is of its type, a date beside a text is a
/// timestamp with time zone, and the step is an interval.
pub(super) fn type_series(arguments: [&mut Expr; 3]) {
    let [start, end, step] = arguments;
    let with_zone = DataType::Timestamp(None, TimezoneInfo::WithTimeZone);
    let is_date = |expression: &Expr| matches!(expression, Expr::Cast { data_type: DataType::Date, .. });
    let time = |expression: &Expr| match expression {
        Expr::Cast { data_type: DataType::Date, .. } => Some(with_zone.clone()),
        Expr::Cast { data_type: data_type @ DataType::Timestamp(..), .. } => Some(data_type.clone()),
        _ => None,
    };
    let Some(data_type) = time(start).or_else(|| time(end)) else { return };
    for (argument, data_type) in
        [(start, data_type.clone()), (end, data_type), (step, DataType::Interval { fields: None, precision: None })]
    {
        let is_unknown =
            matches!(argument, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_) | Value::Null));
        if is_unknown || is_date(argument) {
            let text = std::mem::replace(argument, Expr::value(Value::Null));
            *argument =
                Expr::Cast { kind: CastKind::Cast, expr: Box::new(text), data_type, array: false, format: None };
        }
    }
}

/// Writes a constant time as the engine reads it. It plans functions in FROM before casts are PostgreSQL's.
pub(super) fn write_time(argument: &mut Expr) -> Result<()> {
    let Expr::Cast { expr: constant, data_type: DataType::Timestamp(None, zone), .. } = argument else { return Ok(()) };
    let Expr::Value(constant) = constant.as_mut() else { return Ok(()) };
    if let Value::SingleQuotedString(text) = &mut constant.value {
        *text = match zone {
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => format_timestamp(parse_timestamp(text)?),
            TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => format_timestamptz(parse_timestamptz(text)?),
        };
    }
    Ok(())
}
