//! Constants have PostgreSQL's types: a whole number is an integer, a bigint if it is too large for one, and a numeric if it
//! is too large for that (PostgreSQL 15, 4.1.2.6); an interval is read as PostgreSQL reads it.

use super::calls::{call, function_name, plain_arguments};
use crate::SqlError;
use crate::time::{Fields, parse_interval};
use crate::types::NUMERIC_DIGITS;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, DateTimeField, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Interval, UnaryOperator, Value,
};

/// A number with the sign that stands before it, so that the smallest bigint is one.
pub(super) fn sign(expression: &mut Expr) {
    if let Expr::UnaryOp { op: UnaryOperator::Minus, expr } = expression
        && let Expr::Value(value) = expr.as_ref()
        && let Value::Number(digits, _) = &value.value
        && !digits.starts_with('-')
    {
        *expression = Expr::value(Value::Number(format!("-{digits}"), false));
    }
}

/// A number with its type.
pub(super) fn number(digits: &str) -> Result<Expr> {
    let digits = digits.replace('_', "");
    let value = |digits: String| Box::new(Expr::value(Value::Number(digits, false)));
    let cast = |expr, data_type| Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None };
    if digits.parse::<i32>().is_ok() {
        return Ok(cast(value(digits), DataType::Int(None)));
    }
    if digits.parse::<i64>().is_ok() {
        // The engine's own.
        return Ok(*value(digits));
    }
    let digits = written_out(&digits)?;
    let whole = digits.trim_start_matches('-');
    let scale = whole.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let precision = whole.len() - usize::from(whole.contains('.'));
    if precision > usize::from(NUMERIC_DIGITS) {
        return Err(too_long());
    }
    if scale > 0 {
        return Ok(*value(digits));
    }
    let precision = ExactNumberInfo::PrecisionAndScale(precision as u64, 0);
    let text = Box::new(Expr::value(Value::SingleQuotedString(digits)));
    Ok(cast(text, DataType::Numeric(precision)))
}

fn too_long() -> datafusion::common::DataFusionError {
    SqlError::new("22003", format!("numerics of more than {NUMERIC_DIGITS} digits are not supported")).into()
}

/// Digits without an exponent, and with a digit before the point.
fn written_out(digits: &str) -> Result<String> {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| too_long())?),
        None => (digits, 0),
    };
    if exponent.unsigned_abs() > u32::from(NUMERIC_DIGITS) {
        return Err(too_long());
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let point = whole.len() as i32 + exponent;
    let mut all = format!("{whole}{fraction}");
    if point > 0 {
        while all.len() < point as usize {
            all.push('0');
        }
        let fraction = all.split_off(point as usize);
        let whole = all.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        Ok(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
    } else {
        let zeros = "0".repeat(point.unsigned_abs() as usize);
        Ok(format!("{sign}0.{zeros}{all}"))
    }
}

/// Whether it is a constant that [`number`] made an integer.
pub(super) fn is_integer(expression: &Expr) -> bool {
    matches!(expression, Expr::Cast { expr, data_type: DataType::Int(None), .. }
        if matches!(expr.as_ref(), Expr::Value(value) if matches!(value.value, Value::Number(..))))
}

/// Whether they are integers: constants, and NULLs or parameters beside them.
pub(super) fn are_integers(arguments: &[Expr]) -> bool {
    let is_unknown = |argument: &Expr| matches!(argument, Expr::Value(value) if matches!(value.value, Value::Null | Value::Placeholder(_)));
    arguments.iter().any(is_integer) && arguments.iter().all(|argument| is_integer(argument) || is_unknown(argument))
}

/// A constant text as the argument of `pg_typeof` has no type yet, as a NULL has none.
pub(super) fn forget_type(function: &mut Function) {
    if let FunctionArguments::List(list) = &mut function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = list.args.as_mut_slice()
        && matches!(value.value, Value::SingleQuotedString(_))
    {
        value.value = Value::Null;
    }
}

/// A number without the type that [`number`] gave it, for places where the engine wants a plain number: LIMIT, positions in
/// ORDER BY, frames of windows.
pub(super) fn plain(expression: &mut Expr) {
    if let Expr::Cast { expr, data_type: DataType::Int(None), .. } = expression
        && let Expr::Value(value) = expr.as_ref()
        && matches!(value.value, Value::Number(..))
    {
        let inner = std::mem::replace(expr.as_mut(), Expr::value(Value::Null));
        *expression = inner;
    }
}

/// A constant interval as a cast of its text.
pub(super) fn interval(interval: Interval) -> Result<Expr> {
    let Interval { value, leading_field, leading_precision, last_field, fractional_seconds_precision } = interval;
    let Expr::Value(constant) = value.as_ref() else {
        return Err(
            SqlError::not_supported("an interval of an expression is not supported: multiply an interval").into()
        );
    };
    let Some(text) = constant.value.clone().into_string() else {
        let text = constant.value.to_string();
        return Err(SqlError::new("42601", format!("syntax error at or near \"{text}\"")).at(text).into());
    };
    let field = |field: &Option<DateTimeField>| -> Result<Expr> {
        let name = field.as_ref().map(unit).transpose()?.unwrap_or_default();
        Ok(Expr::value(Value::SingleQuotedString(name.to_owned())))
    };
    if leading_field.is_some() {
        let digits = fractional_seconds_precision.or(leading_precision).unwrap_or(6);
        let text = Expr::value(Value::SingleQuotedString(text));
        let arguments = vec![text, field(&leading_field)?, field(&last_field)?, number(&digits.to_string())?];
        return Ok(call("interval_literal", arguments));
    }
    Ok(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::SingleQuotedString(text))),
        data_type: DataType::Interval { fields: None, precision: None },
        array: false,
        format: None,
    })
}

/// A constant interval as the engine reads it in the frame of a window.
///
/// # Errors
/// A text that is no interval.
pub(super) fn interval_of_frame(bound: &mut Expr) -> Result<()> {
    let constant = |expression: &Expr| match expression {
        Expr::Value(value) => value.value.clone().into_string(),
        _ => None,
    };
    let text = match &*bound {
        Expr::Value(_) => constant(bound).filter(|text| text.trim().parse::<f64>().is_err()),
        Expr::Cast { expr, data_type: DataType::Interval { .. }, .. } => constant(expr),
        Expr::Function(function) if function_name(&function.name).is_some_and(|name| name == "interval_literal") => {
            // `interval '2' day`: only a number and its unit.
            let arguments = plain_arguments(function).unwrap_or_default();
            match arguments.iter().map(constant).collect::<Vec<_>>().as_slice() {
                [Some(number), Some(unit), Some(last), ..]
                    if last.is_empty() && number.trim().parse::<i32>().is_ok() =>
                {
                    Some(format!("{number} {unit}"))
                }
                _ => None,
            }
        }
        _ => None,
    };
    if let Some(text) = text {
        let interval = parse_interval(&text, Fields::default())?;
        let (months, days, seconds) = (interval.months, interval.days, interval.nanoseconds / 1_000_000_000);
        let fraction = (interval.nanoseconds % 1_000_000_000) / 1_000;
        let sign = if interval.nanoseconds < 0 { "-" } else { "" };
        let written = format!(
            "{months} months {days} days {sign}{}.{:06} seconds",
            seconds.unsigned_abs(),
            fraction.unsigned_abs()
        );
        *bound = Expr::Interval(Interval {
            value: Box::new(Expr::value(Value::SingleQuotedString(written))),
            leading_field: None,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        });
    }
    Ok(())
}

fn unit(field: &DateTimeField) -> Result<&'static str> {
    Ok(match field {
        DateTimeField::Year | DateTimeField::Years => "year",
        DateTimeField::Month | DateTimeField::Months => "month",
        DateTimeField::Day | DateTimeField::Days => "day",
        DateTimeField::Hour | DateTimeField::Hours => "hour",
        DateTimeField::Minute | DateTimeField::Minutes => "minute",
        DateTimeField::Second | DateTimeField::Seconds => "second",
        other => {
            return Err(SqlError::new("42601", format!("syntax error at or near \"{other}\""))
                .at(other.to_string())
                .into());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_written_out() {
        for (digits, plain) in [
            ("1e5", "100000"),
            ("1.5e1", "15"),
            ("1.25e1", "12.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e-3", "0.001"),
            ("-12.5e-3", "-0.0125"),
            ("00.10", "0.10"),
            ("0e0", "0"),
        ] {
            assert_eq!(written_out(digits).unwrap(), plain, "{digits}");
        }
        assert!(written_out("1e99999999999").is_err());
        assert!(written_out("1e100").is_err());
    }
}
