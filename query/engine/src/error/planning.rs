//! Errors of the planner, as PostgreSQL says them. Pure.
//!
//! The planner's errors are sentences without codes. Those that a statement can cause are known here by a part of the
//! sentence, and each is tested against the planner. A sentence that is not known is said in plain words.

use super::names::{listed, nearest};
use super::position::What;
use super::statement::{StatementError, WHERE_ARGUMENT};
use super::types::{type_named, with_postgres_types};
use super::wording::plain;

/// What to do about arguments that no function or operator takes.
const ADD_CASTS: &str = "You might need to add explicit type casts.";

/// The functions that are only window functions.
const WINDOW_FUNCTIONS: [&str; 9] =
    ["row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "nth_value"];

/// The operators that are words.
const WORD_OPERATORS: [&str; 7] = ["AND", "OR", "LIKE", "ILIKE", "SIMILAR", "IS", "NOT"];

/// The error that a sentence of the planner means. `None` if the sentence is not known.
pub(super) fn planning(text: &str) -> Option<StatementError> {
    let kinds: [fn(&str) -> Option<StatementError>; 12] = [
        relation,
        function,
        grouping,
        operator,
        types,
        subquery,
        set_operation,
        order,
        limit,
        names_of_columns,
        duplicates,
        window,
    ];
    kinds.into_iter().find_map(|kind| kind(text)).or_else(|| other(text))
}

/// What is between two parts of a text.
pub(super) fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

/// A table by its name as it is written.
pub(super) fn missing_relation(written: &str) -> StatementError {
    let name = written.rsplit('.').next().unwrap_or(written);
    StatementError::new("42P01", format!("relation \"{written}\" does not exist")).near(What::Relation(name.to_owned()))
}

fn relation(text: &str) -> Option<StatementError> {
    if let Some(name) = between(text, "able function '", "' not found") {
        let message = format!("function {name} does not exist");
        return Some(StatementError::new("42883", message).near(What::Function(name.to_owned())));
    }
    if let Some(name) = between(text, "table '", "' not found") {
        // With the names that the engine adds.
        let written = name.strip_prefix("holdfast.").unwrap_or(name);
        return Some(missing_relation(written.strip_prefix("archive.").unwrap_or(written)));
    }
    if let Some((_, schema)) = text.split_once("failed to resolve schema: ") {
        let near = What::Qualifier(schema.to_owned());
        return Some(StatementError::new("3F000", format!("schema \"{schema}\" does not exist")).near(near));
    }
    let (_, catalog) = text.split_once("failed to resolve catalog: ")?;
    let error = StatementError::new("0A000", format!("another database cannot be read: \"{catalog}\""));
    Some(error.near(What::Qualifier(catalog.to_owned())))
}

fn function(text: &str) -> Option<StatementError> {
    let no_such = |written: String, name: &str| {
        StatementError::new("42883", format!("function {written} does not exist")).near(What::Function(name.to_owned()))
    };
    if let Some(name) = between(text, "Invalid function '", "'") {
        if WINDOW_FUNCTIONS.contains(&name) {
            let error = StatementError::new("42809", format!("window function {name} requires an OVER clause"));
            return Some(error.near(What::Function(name.to_owned())));
        }
        let error = no_such(name.to_owned(), name);
        let suggested = between(text, "Did you mean '", "'").unwrap_or_default();
        let near = nearest(name, [suggested]);
        return Some(match near.as_slice() {
            [] => error.hint("The functions of the engine are listed by SHOW FUNCTIONS."),
            near => error.hint(format!("Perhaps you meant the function {}.", listed(near))),
        });
    }
    let call = between(text, "No function matches the given name and argument types '", "'. ").or_else(|| {
        let (_, rest) = text.split_once("No function matches the given name and argument types '")?;
        rest.lines().next()
    });
    if let Some(call) = call {
        let written = with_postgres_types(call).replace("Null", "unknown");
        let name = call.split('(').next().unwrap_or(call);
        return Some(no_such(written, name).hint(format!("No function has this name and these types. {ADD_CASTS}")));
    }
    let coerced = text.split_once("to satisfy a call to '").and_then(|(_, rest)| {
        let (name, rest) = rest.split_once('\'')?;
        Some((name, between(rest, "coercion from ", " to the signature")?))
    });
    if let Some((name, arguments)) = coerced {
        let arguments = with_postgres_types(arguments).replace("Null", "unknown");
        let arguments = arguments.trim_start_matches('[').trim_end_matches(']');
        let error = no_such(format!("{name}({arguments})"), name);
        return Some(error.hint(format!("No function has this name and these types. {ADD_CASTS}")));
    }
    let is_about_arguments = ["expect", "requires", "receive", "coercion failed", "does not support"];
    let name = between(text, "unction '", "'")?;
    let is_function = is_about_arguments.iter().any(|word| text.contains(word));
    let error = StatementError::new("42883", format!("function {name} does not exist with arguments of these types"));
    is_function.then(|| {
        error
            .near(What::Function(name.to_owned()))
            .hint(format!("No function has this name and these arguments. {ADD_CASTS}"))
    })
}

fn grouping(text: &str) -> Option<StatementError> {
    if text.contains("must appear in the GROUP BY") || text.contains("must be in GROUP BY") {
        let written = between(text, "column \"", "\" must appear").unwrap_or_default();
        let (table, name) = first_column(written);
        let column = table.as_ref().map_or(name.clone(), |table| format!("{table}.{name}"));
        let message =
            format!("column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate function");
        let error = StatementError::new("42803", message);
        // The planner adds the table.
        return Some(error.near(What::Column { table: None, name }));
    }
    if text.contains("must be part of GROUP BY") || text.contains("could not be resolved from available columns") {
        let written = between(text, "xpression ", " could not").unwrap_or_default();
        let (_, name) = first_column(written);
        let subject = if name.is_empty() { "a column".to_owned() } else { format!("column \"{name}\"") };
        let message = format!("{subject} must appear in the GROUP BY clause or be used in an aggregate function");
        return Some(StatementError::new("42803", message).near(What::Column { table: None, name }));
    }
    let (state, message) = if text.contains("Aggregate function calls cannot be nested") {
        ("42803", "aggregate function calls cannot be nested")
    } else if text.contains("Aggregate function calls cannot contain window function calls") {
        ("42803", "aggregate function calls cannot contain window function calls")
    } else if text.contains("Window function calls cannot be nested") {
        ("42P20", "window function calls cannot be nested")
    } else if text.contains("Aggregate functions are not allowed in the WHERE") {
        ("42803", "aggregate functions are not allowed in WHERE")
    } else {
        return None;
    };
    let error = StatementError::new(state, message);
    Some(if message.ends_with("WHERE") { error.hint("Compare aggregates in HAVING.") } else { error })
}

/// The first column in an expression that the planner wrote: its table, and its name.
fn first_column(written: &str) -> (Option<String>, String) {
    let mut rest = written;
    loop {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_.\"$".contains(c))).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let begins_a_name = word.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '"');
        if begins_a_name && !after.starts_with('(') || after.is_empty() {
            let mut parts = word.rsplit('.').map(|part| part.trim_matches('"').to_owned());
            let name = parts.next().unwrap_or_default();
            return (parts.next(), name);
        }
        rest = after.trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '_' || c == '"'));
    }
}

fn operator(text: &str) -> Option<StatementError> {
    let operation = || {
        if let Some(both) = between(text, "Cannot coerce arithmetic expression ", " to valid types") {
            return Some(both);
        }
        ["comparison operation ", "concat operation ", "bitwise operation ", "regex operation ", "AtAt operation "]
            .iter()
            .chain(&["temporal operation ", "decimal operation ", "arithmetic operation ", "boolean operation "])
            .chain(&["argument type for operation "])
            .filter(|_| text.contains("Cannot infer common") || text.contains("Cannot get result type"))
            .find_map(|kind| text.split_once(kind))
            .map(|(_, rest)| rest.lines().next().unwrap_or_default())
            .map(|rest| rest.split_once(": ").map_or(rest, |(both, _)| both))
    };
    if let Some(both) = operation() {
        let (left, operator, right) = operands(&with_postgres_types(both))?;
        if ["AND", "OR"].contains(&operator.as_str()) {
            let wrong = if left == "boolean" { right } else { left };
            let message = format!("argument of {operator} must be type boolean, not type {wrong}");
            return Some(StatementError::new("42804", message).near(What::Operator(operator)));
        }
        return Some(no_operator(&left, &operator, &right));
    }
    let pair = |before: &str, middle: &str, after: &str| {
        let (_, rest) = text.split_once(before)?;
        let (left, rest) = rest.split_once(middle)?;
        let right = if after.is_empty() { rest.lines().next()? } else { rest.split_once(after)?.0 };
        Some((type_named(left), type_named(right)))
    };
    if let Some((left, right)) = pair("common type to coerce ", " and ", " in ") {
        let (_, operator) = text.rsplit_once(" in ")?;
        return Some(no_operator(&left, operator.trim_end_matches(" expression"), &right));
    }
    if let Some((left, right)) = pair("compatible types to compare ", " with [", "]") {
        let right = right.split(", ").find(|right| *right != left).unwrap_or(&right).to_owned();
        return Some(no_operator(&left, "=", &right));
    }
    if let Some((left, right)) = pair("expr type ", " can't cast to ", " in ") {
        return Some(no_operator(&left, "=", &right));
    }
    if let Some((left, right)) = pair("Failed to coerce types ", " and ", " in BETWEEN") {
        return Some(no_operator(&left, ">=", &right).near(What::Operator("BETWEEN".to_owned())));
    }
    if let Some((left, right)) = pair("Failed to coerce case (", ") and when (", ")") {
        return Some(no_operator(&left, "=", &right));
    }
    None
}

fn no_operator(left: &str, operator: &str, right: &str) -> StatementError {
    StatementError::new("42883", format!("operator does not exist: {left} {operator} {right}"))
        .near(What::Operator(operator.to_owned()))
        .hint(format!("No operator has this name and these types. {ADD_CASTS}"))
}

/// An operation of two types: the left one, the operator, the right one.
fn operands(both: &str) -> Option<(String, String, String)> {
    let is_operator = |word: &&str| {
        !word.is_empty() && word.chars().all(|c| "+-*/%<>=~!@#&|^?:".contains(c)) || WORD_OPERATORS.contains(word)
    };
    let operator = both.split(' ').find(is_operator)?;
    let (left, right) = both.split_once(&format!(" {operator} "))?;
    Some((type_named(left), operator.to_owned(), type_named(right)))
}

fn types(text: &str) -> Option<StatementError> {
    if text.contains("non-boolean predicate") {
        let (_, found) = text.rsplit_once(" returning ")?;
        let message = format!("{WHERE_ARGUMENT} must be type boolean, not type {}", type_named(found));
        return Some(StatementError::new("42804", message));
    }
    if text.contains("must be boolean type, but got ") {
        let (_, found) = text.rsplit_once("but got ")?;
        let message = format!("{WHERE_ARGUMENT} must be type boolean, not type {}", type_named(found));
        return Some(StatementError::new("42804", message));
    }
    let case = text.split_once("Failed to coerce then (").and_then(|(_, rest)| {
        let (then, rest) = rest.split_once(") and else (")?;
        Some((then, rest.split_once(") to common types").or(rest.split_once(')'))?.0))
    });
    if let Some((then, otherwise)) = case {
        let both = with_postgres_types(&format!("{then}, {otherwise}"));
        let mut different: Vec<&str> = both.split(", ").filter(|name| *name != "None").collect();
        different.dedup();
        let message = match different.as_slice() {
            [one, other, ..] => format!("CASE types {one} and {other} cannot be matched"),
            _ => "CASE types cannot be matched".to_owned(),
        };
        return Some(StatementError::new("42804", message).near(What::Word("CASE".to_owned())));
    }
    let cast = text.split_once("Unsupported CAST from ").or(text.split_once("Unsupported TRY_CAST from "));
    let cast = cast.or(text.split_once("Casting from ")).and_then(|(_, rest)| {
        let (from, rest) = rest.split_once(" to ")?;
        let to = rest.lines().next().unwrap_or_default();
        Some((type_named(from), type_named(to.split_once(" not supported").map_or(to, |(to, _)| to))))
    });
    if let Some((from, to)) = cast {
        return Some(StatementError::new("42846", format!("cannot cast type {from} to {to}")));
    }
    let (_, name) = text.split_once("Unsupported SQL type ")?;
    let name = name.lines().next().unwrap_or_default().to_lowercase();
    let name = name.trim_matches(['"', '\'']);
    let error = StatementError::new("42704", format!("type \"{name}\" does not exist"));
    Some(error.near(What::Word(name.to_owned())))
}

fn subquery(text: &str) -> Option<StatementError> {
    let has = |part: &str| text.contains(part);
    if has("should only return one column")
        || has("must return exactly one column")
        || has("subquery must return exactly one column of data")
    {
        return Some(StatementError::new("42601", "subquery must return only one column"));
    }
    if has("Correlated scalar subquery must be aggregated") {
        let message = "a subquery with columns of the outer query must be an aggregate to be used as a value";
        return Some(StatementError::new("0A000", message).hint("Use min, max or another aggregate of its column."));
    }
    if has("returned more than one row") {
        return Some(StatementError::new("21000", "more than one row returned by a subquery used as an expression"));
    }
    if has("orrelated scalar subquery") || has("Physical plan does not support") && has("ubquery") {
        let message = "a subquery with columns of the outer query is not supported at this place";
        return Some(StatementError::new("0A000", message).hint("Write it as a join."));
    }
    None
}

fn set_operation(text: &str) -> Option<StatementError> {
    if let Some((operator, _)) = text.split_once(" queries have different number of columns") {
        let operator = operator.rsplit(' ').next().unwrap_or("UNION");
        let message = format!("each {operator} query must have the same number of columns");
        return Some(StatementError::new("42601", message));
    }
    if text.contains("INTERSECT/EXCEPT query must have the same number") {
        let message = "each INTERSECT or EXCEPT query must have the same number of columns";
        return Some(StatementError::new("42601", message));
    }
    if text.contains("Non-recursive term and recursive term must have the same number") {
        let message = "each UNION query must have the same number of columns";
        return Some(StatementError::new("42601", message));
    }
    if text.contains("Incompatible inputs for Union") {
        let one = type_named(between(text, "were of type ", ", but got")?);
        let other = type_named(between(text, "incompatible type ", " on column")?);
        return Some(StatementError::new("42804", format!("UNION types {one} and {other} cannot be matched")));
    }
    if text.contains("Inconsistent data length across values list") {
        return Some(StatementError::new("42601", "VALUES lists must all be the same length"));
    }
    if text.contains("Inconsistent data type across values list") {
        let one = type_named(between(text, "Was ", " but found")?);
        let (_, other) = text.rsplit_once("found ")?;
        let message = format!("VALUES types {one} and {} cannot be matched", type_named(other));
        return Some(StatementError::new("42804", message));
    }
    None
}

fn order(text: &str) -> Option<StatementError> {
    let not_in_list = |clause: &str, position: &str| {
        let message = format!("{clause} position {position} is not in select list");
        Some(StatementError::new("42P10", message).near(What::Constant(position.to_owned())))
    };
    if let Some(position) = between(text, "Order by column out of bounds, specified: ", ",") {
        return not_in_list("ORDER BY", position);
    }
    if text.contains("Order by index starts at 1") {
        return not_in_list("ORDER BY", "0");
    }
    if let Some(position) = between(text, "Cannot find column with position ", " in SELECT clause") {
        return not_in_list("GROUP BY", position);
    }
    let message = if text.contains("For SELECT DISTINCT, ORDER BY expressions") {
        "for SELECT DISTINCT, ORDER BY expressions must appear in select list"
    } else if text.contains("SELECT DISTINCT ON expressions must match") {
        "SELECT DISTINCT ON expressions must match initial ORDER BY expressions"
    } else {
        return None;
    };
    Some(StatementError::new("42P10", message))
}

fn limit(text: &str) -> Option<StatementError> {
    if text.contains("LIMIT must be >= 0") {
        return Some(StatementError::new("2201W", "LIMIT must not be negative"));
    }
    if text.contains("OFFSET must be >=0") || text.contains("OFFSET must be >= 0") {
        return Some(StatementError::new("2201X", "OFFSET must not be negative"));
    }
    for clause in ["LIMIT", "OFFSET"] {
        if let Some((_, found)) = text.split_once(&format!("Expected {clause} to be an integer or null, but got ")) {
            let message = format!("argument of {clause} must be type bigint, not type {}", type_named(found));
            return Some(StatementError::new("42804", message).near(What::Operator(clause.to_owned())));
        }
        if text.contains(&format!("Unsupported {clause} expression")) {
            let message = format!("argument of {clause} must be a constant");
            return Some(StatementError::new("0A000", message).near(What::Operator(clause.to_owned())));
        }
    }
    None
}

/// Names that an alias gives to columns.
fn names_of_columns(text: &str) -> Option<StatementError> {
    let columns: usize = between(text, "Source table contains ", " columns but only ")?.parse().ok()?;
    let names: usize = between(text, " columns but only ", " names given as column alias")?.parse().ok()?;
    if columns < names {
        let message = format!("a table has {columns} columns available but {names} columns specified");
        return Some(StatementError::new("42P10", message));
    }
    let message = format!("an alias that names {names} of {columns} columns is not supported here");
    Some(StatementError::new("0A000", message).hint("Name all columns of the table, or none."))
}

fn duplicates(text: &str) -> Option<StatementError> {
    if let Some(name) = between(text, "WITH query name ", " specified more than once") {
        let name = name.trim_matches('"');
        return Some(StatementError::new("42712", format!("WITH query name \"{name}\" specified more than once")));
    }
    if !text.contains("require unique expression names") {
        return None;
    }
    let expression = between(text, "and \"", "\" at position").unwrap_or_default();
    let (_, alias) = expression.rsplit_once(" AS ").unwrap_or(("", expression));
    let (_, name) = first_column(alias);
    let expression = if alias.contains(['(', ' ']) { None } else { Some(name).filter(|name| !name.is_empty()) };
    Some(match expression {
        Some(name) => super::schema::duplicate(&name),
        None => StatementError::new("42701", "two columns of a query have the same expression and no other name")
            .hint("Give one of them another name with AS."),
    })
}

fn window(text: &str) -> Option<StatementError> {
    if text.contains("ORDER BY is not implemented for window functions") {
        return Some(StatementError::new("0A000", "aggregate ORDER BY is not implemented for window functions"));
    }
    if let Some(name) = between(text, "The window ", " is not defined") {
        let name = name.trim_matches('"');
        return Some(StatementError::new("42704", format!("window \"{name}\" does not exist")));
    }
    if let Some(name) = between(text, "The window ", " is defined multiple times") {
        let name = name.trim_matches('"');
        return Some(StatementError::new("42P20", format!("window \"{name}\" is already defined")));
    }
    let (_, why) = text.split_once("Invalid window frame: ")?;
    let why = plain(why).map_or(String::new(), |why| format!(": {why}"));
    Some(StatementError::new("42P20", format!("the frame of a window is not valid{why}")))
}

fn other(text: &str) -> Option<StatementError> {
    if text.contains("SELECT * with no tables specified is not valid") {
        return Some(StatementError::new("42601", "SELECT * with no tables specified is not valid"));
    }
    if text.contains("No SQL statements were provided") {
        return Some(StatementError::new("42601", "the statement is empty"));
    }
    if text.contains("only supports a single SQL statement") {
        return Some(StatementError::new("42601", "there is more than one statement").hint("Send them one by one."));
    }
    if text.contains("`VALUE` keyword not supported") {
        let error = StatementError::new("42601", "syntax error at or near \"VALUE\"");
        return Some(error.near(What::Word("VALUE".to_owned())).hint("Perhaps you meant \"VALUES\"."));
    }
    if text.contains("must be an INTEGER, TIMESTAMP, DATE or NULL") {
        let error = StatementError::new("0A000", "a series of these values is not supported in FROM");
        return Some(error.hint("A series is of integers, dates or timestamps."));
    }
    if text.contains("laceholder") && !text.contains("PlaceholderRow") {
        let name = text.split(|c: char| !(c.is_alphanumeric() || c == '$')).find(|word| word.starts_with('$'));
        let message = match name {
            Some(name) => format!("there is no value for the parameter {name}"),
            None => "a parameter has no value".to_owned(),
        };
        let error = StatementError::new("08P01", message);
        return Some(match name {
            Some(name) => error.near(What::Word(name.to_owned())),
            None => error,
        });
    }
    None
}
