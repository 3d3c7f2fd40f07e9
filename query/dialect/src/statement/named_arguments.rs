//! Arguments by their names: `make_interval(days => 10)` (PostgreSQL 15, 4.3). The engine takes them by their places.

use super::constants;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
};

/// Functions whose arguments have names, and whose missing ones are 0.
const NAMES: [(&str, &[&str]); 1] = [("make_interval", &["years", "months", "weeks", "days", "hours", "mins", "secs"])];

/// The call with its arguments in their places, if it has some by names.
pub(super) fn in_places(name: &str, function: &mut Function) -> Result<()> {
    let Some((_, names)) = NAMES.iter().find(|(known, _)| *known == name) else { return Ok(()) };
    let FunctionArguments::List(FunctionArgumentList { args, .. }) = &mut function.args else { return Ok(()) };
    if args.iter().all(|argument| matches!(argument, FunctionArg::Unnamed(_))) {
        return Ok(());
    }
    let mut places: Vec<Option<Expr>> = vec![None; names.len()];
    let mut next = 0;
    for argument in args.drain(..) {
        let (place, value) = match argument {
            FunctionArg::Unnamed(value) => {
                next += 1;
                (Some(next - 1), value)
            }
            FunctionArg::Named { name, arg, .. } => {
                (names.iter().position(|known| name.value.eq_ignore_ascii_case(known)), arg)
            }
            FunctionArg::ExprNamed { name: Expr::Identifier(name), arg, .. } => {
                (names.iter().position(|known| name.value.eq_ignore_ascii_case(known)), arg)
            }
            FunctionArg::ExprNamed { arg, .. } => (None, arg),
        };
        match (place.and_then(|place| places.get_mut(place)), value) {
            (Some(free @ None), FunctionArgExpr::Expr(value)) => *free = Some(value),
            _ => {
                return Err(SqlError::new("42883", format!("function {name} has no such arguments"))
                    .at(name)
                    .with_hint("No function matches the given name and argument types.")
                    .into());
            }
        }
    }
    let given = places.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    for value in places.into_iter().take(given) {
        let value = value.map_or_else(|| constants::number("0"), Ok)?;
        args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(value)));
    }
    Ok(())
}
