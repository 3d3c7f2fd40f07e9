//! Forms of syntax that are calls: `AT TIME ZONE`, `EXTRACT`, `SIMILAR TO`, `LIKE .. ESCAPE`, casts to types that are marked
//! texts, prefix operators.

use super::calls::{call, function_name, plain_arguments, type_series};
use super::names::has_columns;
use super::{array_queries, arrays, constants, hypothetical, row_functions, rows};
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, CharacterLength, DataType, DateTimeField, DuplicateTreatment,
    ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident,
    ObjectName, OrderByExpr, OrderByOptions, TimezoneInfo, TrimWhereField, UnaryOperator, Value, ValueWithSpan,
};

/// The expression as the engine means what PostgreSQL means by it. Its parts are rewritten already.
pub(super) fn rewritten(expression: Expr) -> Result<Expr> {
    Ok(match expression {
        Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) => constants::number(&digits)?,
        Expr::Value(ValueWithSpan { value, span }) => Expr::Value(ValueWithSpan { value: constant(value)?, span }),
        Expr::Interval(interval) => constants::interval(interval)?,
        Expr::TypedString(constant) => cast(
            CastKind::Cast,
            Expr::value(Value::SingleQuotedString(constant.value.value.into_string().unwrap_or_default())),
            constant.data_type,
        )?,
        Expr::Cast { kind, expr, data_type, array: false, format: None } => cast(kind, *expr, data_type)?,
        Expr::AtTimeZone { timestamp, time_zone } => call("timezone", vec![*time_zone, *timestamp]),
        Expr::Extract { field, expr, .. } => call("extract", vec![text(&field_name(&field)), *expr]),
        Expr::SimilarTo { negated, expr, pattern, escape_char } => {
            matched("similar_to", negated, *expr, *pattern, escape_char)
        }
        Expr::Like { negated, any: false, expr, pattern, escape_char: escape @ Some(_) } => {
            matched("like_escape", negated, *expr, *pattern, escape)
        }
        Expr::ILike { negated, any: false, expr, pattern, escape_char: escape @ Some(_) } => {
            matched("ilike_escape", negated, *expr, *pattern, escape)
        }
        Expr::Position { expr, r#in } => call("strpos", vec![*r#in, *expr]),
        Expr::Substring { expr, substring_from, substring_for, shorthand, .. } => {
            let from = substring_from.map(|from| *from);
            let length = substring_for.map(|length| *length);
            let arguments = match (from, length) {
                (None, None) => vec![*expr],
                (Some(from), None) => vec![*expr, from],
                (from, Some(length)) => {
                    vec![*expr, from.map_or_else(|| constants::number("1"), Ok)?, length]
                }
            };
            call(if shorthand { "substr" } else { "substring" }, arguments)
        }
        Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            let mut arguments = vec![*expr, *overlay_what, *overlay_from];
            arguments.extend(overlay_for.map(|length| *length));
            call("overlay", arguments)
        }
        Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
            let name = match trim_where {
                Some(TrimWhereField::Leading) => "ltrim",
                Some(TrimWhereField::Trailing) => "rtrim",
                Some(TrimWhereField::Both) | None => "btrim",
            };
            let mut arguments = vec![*expr];
            arguments.extend(trim_what.map(|what| *what));
            arguments.extend(trim_characters.into_iter().flatten());
            call(name, arguments)
        }
        Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            call("ceil", vec![*expr])
        }
        Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            call("floor", vec![*expr])
        }
        Expr::UnaryOp { op, expr } => unary(op, *expr),
        Expr::IsNotDistinctFrom(left, right) => not_distinct(left, right),
        Expr::IsDistinctFrom(left, right) => {
            Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(not_distinct(left, right)))) }
        }
        Expr::Collate { expr, collation } => collated(*expr, &collation)?,
        Expr::Function(function) => function_call(function)?,
        Expr::IsNormalized { .. } => {
            return Err(SqlError::not_supported("IS NORMALIZED is not supported").at("NORMALIZED").into());
        }
        array @ (Expr::AnyOp { .. }
        | Expr::AllOp { .. }
        | Expr::Like { any: true, .. }
        | Expr::ILike { any: true, .. }
        | Expr::CompoundFieldAccess { .. }) => arrays::rewritten(array)?,
        other => rows::compared(other)?,
    })
}

/// `left IS NOT DISTINCT FROM right` as an operator, whose operands get their common type as those of other comparisons do.
fn not_distinct(left: Box<Expr>, right: Box<Expr>) -> Expr {
    Expr::BinaryOp { left, op: BinaryOperator::Spaceship, right }
}

fn text(value: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(value.to_owned()))
}

/// Texts in all of their spellings are texts.
fn constant(value: Value) -> Result<Value> {
    Ok(match value {
        Value::DollarQuotedString(quoted) => Value::SingleQuotedString(quoted.value),
        Value::EscapedStringLiteral(text)
        | Value::UnicodeStringLiteral(text)
        | Value::NationalStringLiteral(text)
        | Value::TripleSingleQuotedString(text) => Value::SingleQuotedString(text),
        Value::HexStringLiteral(_)
        | Value::SingleQuotedByteStringLiteral(_)
        | Value::DoubleQuotedByteStringLiteral(_) => {
            return Err(SqlError::not_supported("bit strings are not supported").into());
        }
        other => other,
    })
}

/// The field of EXTRACT as it is written.
fn field_name(field: &DateTimeField) -> String {
    match field {
        DateTimeField::Custom(name) => name.value.to_lowercase(),
        other => other.to_string().to_lowercase(),
    }
}

fn matched(name: &str, negated: bool, value: Expr, pattern: Expr, escape: Option<ValueWithSpan>) -> Expr {
    let mut arguments = vec![value, pattern];
    arguments.extend(escape.map(Expr::Value));
    let matched = call(name, arguments);
    if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(matched) } } else { matched }
}

fn unary(op: UnaryOperator, operand: Expr) -> Expr {
    let name = match op {
        UnaryOperator::Minus => "pg_negative",
        UnaryOperator::BitwiseNot => "pg_bit_not",
        UnaryOperator::PGAbs => "abs",
        // Roots as operators are those of double precision only.
        UnaryOperator::PGSquareRoot | UnaryOperator::PGCubeRoot => {
            let expr = Box::new(operand);
            let data_type = DataType::DoublePrecision;
            let float = Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None };
            return call(if op == UnaryOperator::PGSquareRoot { "sqrt" } else { "cbrt" }, vec![float]);
        }
        UnaryOperator::PGPostfixFactorial | UnaryOperator::PGPrefixFactorial => "factorial",
        other => return Expr::UnaryOp { op: other, expr: Box::new(operand) },
    };
    call(name, vec![operand])
}

/// A cast, which is a call if the type is told by a mark, or by the value.
fn cast(kind: CastKind, mut value: Expr, data_type: DataType) -> Result<Expr> {
    rows::as_value(&mut value);
    let marked = match &data_type {
        DataType::JSON => Some("to_json_type"),
        DataType::JSONB => Some("to_jsonb_type"),
        DataType::Uuid => Some("to_uuid_type"),
        DataType::Numeric(ExactNumberInfo::None)
        | DataType::Decimal(ExactNumberInfo::None)
        | DataType::Dec(ExactNumberInfo::None) => Some("to_numeric_type"),
        DataType::Custom(name, arguments) if arguments.is_empty() => match function_name(name).as_deref() {
            Some("json") => Some("to_json_type"),
            Some("jsonb") => Some("to_jsonb_type"),
            Some("uuid") => Some("to_uuid_type"),
            Some("name") => Some("to_name_type"),
            Some("numeric") => Some("to_numeric_type"),
            _ => None,
        },
        DataType::Bit(_) | DataType::BitVarying(_) | DataType::VarBit(_) => {
            return Err(SqlError::not_supported("bit strings are not supported").into());
        }
        _ => None,
    };
    if let Some((whole, digits)) = of_fewer_digits(&data_type) {
        let whole = cast(kind, value, whole)?;
        return Ok(call("round_time", vec![whole, constants::number(&digits.to_string())?]));
    }
    if let DataType::Varchar(Some(length))
    | DataType::CharacterVarying(Some(length))
    | DataType::CharVarying(Some(length)) = &data_type
    {
        return cut(kind, value, length);
    }
    let is_custom = |wanted: &str| match &data_type {
        DataType::Custom(name, _) => function_name(name).is_some_and(|name| name == wanted),
        _ => false,
    };
    if matches!(data_type, DataType::Char(_) | DataType::Character(_)) || is_custom("bpchar") {
        return Err(SqlError::not_supported("the type character(n) is not supported: use text or varchar(n)").into());
    }
    // The type of a parameter is that of its cast.
    let is_parameter = is_placeholder(&value);
    Ok(match marked {
        Some(name) if !is_parameter => call(name, vec![value]),
        _ => Expr::Cast { kind, expr: Box::new(value), data_type: builtin(data_type), array: false, format: None },
    })
}

fn is_placeholder(value: &Expr) -> bool {
    match value {
        Expr::Value(constant) => matches!(constant.value, Value::Placeholder(_)),
        Expr::Nested(inner) => is_placeholder(inner),
        _ => false,
    }
}

/// A type of times with fewer digits behind the second: the type with all digits, and how many.
fn of_fewer_digits(data_type: &DataType) -> Option<(DataType, u64)> {
    let (whole, digits) = match data_type {
        DataType::Timestamp(Some(digits), zone) => (DataType::Timestamp(None, *zone), *digits),
        DataType::Time(Some(digits), zone @ (TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)) => {
            (DataType::Time(None, *zone), *digits)
        }
        DataType::Interval { fields: None, precision: Some(digits) } => {
            (DataType::Interval { fields: None, precision: None }, *digits)
        }
        _ => return None,
    };
    (digits < 6).then_some((whole, digits))
}

/// A cast to `varchar(n)`, which cuts the text.
fn cut(kind: CastKind, value: Expr, length: &CharacterLength) -> Result<Expr> {
    let expr = Box::new(value);
    let whole = Expr::Cast { kind, expr, data_type: DataType::Varchar(None), array: false, format: None };
    match length {
        CharacterLength::IntegerLength { length: length @ 1.., .. } => {
            Ok(call("to_varchar_type", vec![whole, constants::number(&length.to_string())?]))
        }
        CharacterLength::IntegerLength { .. } => {
            Err(SqlError::invalid_parameter("length for type varchar must be at least 1").at("varchar").into())
        }
        CharacterLength::Max => Ok(whole),
    }
}

/// A type that is written with the schema `pg_catalog`, without it.
fn builtin(data_type: DataType) -> DataType {
    if matches!(data_type, DataType::CharacterVarying(None) | DataType::CharVarying(None)) {
        return DataType::Varchar(None);
    }
    let DataType::Custom(name, arguments) = &data_type else { return data_type };
    if !arguments.is_empty() {
        return data_type;
    }
    match function_name(name).as_deref() {
        Some("bool") => DataType::Boolean,
        Some("int2") => DataType::SmallInt(None),
        Some("int4") => DataType::Int(None),
        Some("int8") => DataType::BigInt(None),
        Some("float4") => DataType::Real,
        Some("float8") => DataType::DoublePrecision,
        Some("text" | "name") => DataType::Text,
        Some("varchar") => DataType::Varchar(None),
        Some("date") => DataType::Date,
        Some("timestamp") => DataType::Timestamp(None, TimezoneInfo::None),
        Some("timestamptz") => DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
        Some("interval") => DataType::Interval { fields: None, precision: None },
        _ => data_type,
    }
}

/// The collation of the archive is `C`, so that collating by it changes nothing.
fn collated(value: Expr, collation: &ObjectName) -> Result<Expr> {
    match function_name(collation).as_deref() {
        Some("C" | "c" | "POSIX" | "posix" | "default" | "ucs_basic") => Ok(value),
        _ => Err(SqlError::new("42704", format!("collation {collation} for encoding \"UTF8\" does not exist"))
            .with_hint("The archive collates by code points (collation \"C\").")
            .into()),
    }
}

fn function_call(mut function: Function) -> Result<Expr> {
    let Some(name) = function_name(&function.name) else { return Ok(Expr::Function(function)) };
    if function.name.0.len() > 1 {
        function.name = ObjectName::from(vec![Ident::with_quote('"', name.clone())]);
    }
    super::named_arguments::in_places(&name, &mut function)?;
    if let Some(query) = array_queries::query_of(&name, &function) {
        return array_queries::array_of(query);
    }
    if hypothetical::is_asked(&name, &function) {
        return hypothetical::counted(&name, function);
    }
    if let Some(data_type) = type_of_name(&name)
        && let Some([value]) = plain_arguments(&function).as_deref()
    {
        return cast(CastKind::Cast, value.clone(), data_type);
    }
    if name == "pg_typeof" {
        constants::forget_type(&mut function);
    }
    if let Some(datafusion::sql::sqlparser::ast::WindowType::WindowSpec(window)) = &mut function.over {
        super::queries::plain_frame(window)?;
    }
    if matches!(name.as_str(), "lag" | "lead") {
        function = match with_default(function) {
            Ok(of_default) => return Ok(of_default),
            Err(function) => *function,
        };
    }
    if matches!(name.as_str(), "bool_or" | "bool_and" | "every") && function.over.is_some() {
        return over_rows(&name, function);
    }
    // What the engine would not return as rows.
    if let Some(mut arguments) = plain_arguments(&function) {
        if let Some(rows) = row_functions::in_list(&name, &arguments) {
            return Ok(rows);
        }
        if name == "generate_series" {
            if let [start, end, step] = arguments.as_mut_slice() {
                type_series([start, end, step]);
            }
            let rows = |arguments| call("unnest", vec![call("generate_series", arguments)]);
            let integer = |value| cast(CastKind::Cast, value, DataType::Int(None));
            return match constants::are_integers(&arguments) {
                true => integer(rows(arguments.into_iter().map(integer).collect::<Result<_>>()?)),
                // The engine's integers are bigint.
                false => {
                    let series = rows(with_bounds(arguments.clone()));
                    Ok(call("series_value", [series].into_iter().chain(arguments).collect()))
                }
            };
        }
    }
    sorted_by_arguments(&function)?;
    if matches!(name.as_str(), "array_agg" | "string_agg" | "json_agg" | "jsonb_agg") {
        sort_distinct(&mut function);
    }
    Ok(Expr::Function(function))
}

/// `bool_or (x) OVER ..` as `max (x::integer) OVER .. = 1`, and `bool_and` by `min`: the engine's do not leave rows again.
fn over_rows(name: &str, mut function: Function) -> Result<Expr> {
    let FunctionArguments::List(list) = &mut function.args else { return Ok(Expr::Function(function)) };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] = list.args.as_mut_slice() else {
        return Ok(Expr::Function(function));
    };
    let written = std::mem::replace(value, Expr::value(Value::Null));
    let truth = Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(written),
        op: BinaryOperator::And,
        right: Box::new(Expr::value(Value::Boolean(true))),
    }));
    *value = cast(CastKind::Cast, truth, DataType::Int(None))?;
    function.name = ObjectName::from(vec![Ident::new(if name == "bool_or" { "max" } else { "min" })]);
    Ok(Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(Expr::Function(function)),
        op: BinaryOperator::Eq,
        right: Box::new(constants::number("1")?),
    })))
}

/// The bounds of a series in the type of its values: a series between dates is one of times with time zone (PostgreSQL 15, 9.25).
fn with_bounds(arguments: Vec<Expr>) -> Vec<Expr> {
    let is_parameter =
        |argument: &Expr| matches!(argument, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)));
    match <[Expr; 3]>::try_from(arguments) {
        Ok(all) if all.iter().any(is_parameter) => all.into(),
        Ok([start, end, step]) => {
            let bound = |one: &Expr, other: &Expr| call("series_bound", vec![one.clone(), other.clone()]);
            let (first, last) = (bound(&start, &end), bound(&end, &start));
            let is_text = matches!(&step, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
            let interval = DataType::Interval { fields: None, precision: None };
            let kind = CastKind::Cast;
            vec![
                first,
                last,
                match is_text {
                    true => Expr::Cast { kind, expr: Box::new(step), data_type: interval, array: false, format: None },
                    false => step,
                },
            ]
        }
        Err(arguments) => arguments,
    }
}

/// `lag (x, n, default)` with a default that is computed of columns, which the engine does not take: the default where no row is so
/// far away, `CASE WHEN lag (true, n) IS NULL THEN default ELSE lag (x, n) END`.
fn with_default(function: Function) -> Result<Expr, Box<Function>> {
    let arguments = plain_arguments(&Function { over: None, ..function.clone() });
    let Some([value, rows, default]) = arguments.as_deref() else { return Err(Box::new(function)) };
    // A parameter has the type of the default, which it would not stand beside any longer.
    let is_parameter = matches!(value, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)));
    if function.over.is_none() || !has_columns(default) || is_parameter {
        return Err(Box::new(function));
    }
    let of = |value: Expr| {
        let Expr::Function(mut moved) = call("lag", vec![value, rows.clone()]) else { return Expr::value(Value::Null) };
        (moved.name, moved.over) = (function.name.clone(), function.over.clone());
        Expr::Function(moved)
    };
    Ok(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen {
            condition: Expr::IsNull(Box::new(of(Expr::value(Value::Boolean(true))))),
            result: default.clone(),
        }],
        else_result: Some(Box::new(of(value.clone()))),
    })
}

/// The type whose name is called like a function, which casts its argument (PostgreSQL 15, 4.2.9).
fn type_of_name(name: &str) -> Option<DataType> {
    Some(match name {
        "bool" => DataType::Boolean,
        "int2" => DataType::SmallInt(None),
        "int4" => DataType::Int(None),
        "int8" => DataType::BigInt(None),
        "float4" => DataType::Real,
        "float8" => DataType::DoublePrecision,
        "text" => DataType::Text,
        "timestamptz" => DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
        _ => return None,
    })
}

/// Different values are found by sorting, so an aggregate of them is sorted by its arguments.
fn sorted_by_arguments(function: &Function) -> Result<()> {
    let FunctionArguments::List(list) = &function.args else { return Ok(()) };
    if list.duplicate_treatment != Some(DuplicateTreatment::Distinct) {
        return Ok(());
    }
    let is_argument = |key: &Expr| {
        let is_key = |argument: &FunctionArg| matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) if argument == key);
        list.args.iter().any(is_key)
    };
    let keys = list.clauses.iter().filter_map(|clause| match clause {
        FunctionArgumentClause::OrderBy(keys) => Some(keys),
        _ => None,
    });
    match keys.flatten().find(|key| !is_argument(&key.expr)) {
        Some(key) => {
            let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
            Err(SqlError::new("42P10", message).at(key.expr.to_string()).into())
        }
        None => Ok(()),
    }
}

/// PostgreSQL finds different values by sorting them, and an aggregate gets them in that order.
fn sort_distinct(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    let is_sorted = list.clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
    if list.duplicate_treatment != Some(DuplicateTreatment::Distinct) || is_sorted || function.over.is_some() {
        return;
    }
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(value))) = list.args.first() {
        let options = OrderByOptions::default();
        let order = OrderByExpr { expr: value.clone(), options, with_fill: None };
        list.clauses.push(FunctionArgumentClause::OrderBy(vec![order]));
    }
}
