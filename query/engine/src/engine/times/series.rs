//! The table functions `generate_series` and `range`, whose bounds are nanoseconds.

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_datafusion_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use std::sync::Arc;

/// Makes the functions take bounds in microseconds.
pub(super) fn accept_microseconds(state: &mut SessionState) {
    for name in ["generate_series", "range"] {
        if let Some(function) = state.table_functions().get(name).map(|table| Arc::clone(table.function())) {
            state.register_udtf(name, Arc::new(Series(function)));
        }
    }
}

#[derive(Debug)]
struct Series(Arc<dyn TableFunctionImpl>);

impl TableFunctionImpl for Series {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let bounds = args.exprs().iter().map(in_nanoseconds).collect::<Result<Vec<Expr>>>()?;
        self.0.call_with_args(TableFunctionArgs::new(&bounds, args.session()))
    }
}

fn in_nanoseconds(bound: &Expr) -> Result<Expr> {
    let Expr::Literal(ScalarValue::TimestampMicrosecond(time, zone), metadata) = bound else {
        return Ok(bound.clone());
    };
    let in_nanoseconds = |time: i64| {
        time.checked_mul(1_000).ok_or_else(|| plan_datafusion_err!("a series of times is within 1677 and 2262"))
    };
    let time = time.map(in_nanoseconds).transpose()?;
    Ok(Expr::Literal(ScalarValue::TimestampNanosecond(time, zone.clone()), metadata.clone()))
}
