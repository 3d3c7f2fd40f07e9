//! The aggregates of numbers, with PostgreSQL's types.
//!
//! | | `smallint`, `integer` | `bigint` | `numeric` | `real` | `double precision` |
//! |---|---|---|---|---|---|
//! | `sum` | `bigint` | `numeric` | `numeric` | `real` | `double precision` |
//! | `avg`, `variance`, `stddev` | `numeric` | `numeric` | `numeric` | `double precision` | `double precision` |
//! | `corr`, `covar`, `regr` | `double precision` in all cases | | | | |
//!
//! A sum that its type does not hold is 22003.

use super::distinct::Distinct;
use super::moments::{Moments, Pairs, Regressed};
use super::summary::{Asked, Frame, Grouped, Single, Summary};
use super::sums::{FloatSum, Kind, NumericSum, Squares, WholeSum};
use crate::error::SqlError;
use crate::types::{OPEN_SCALE, PgType, array_of, numeric};
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Result, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};
use std::sync::Arc;

/// An aggregate of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OfNumbers {
    name: &'static str,
    aliases: Vec<String>,
    function: Function,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Function {
    Of(Kind),
    OfPairs(Regressed),
}

/// The aggregates.
pub(super) fn aggregates() -> Vec<AggregateUDF> {
    let spread = |is_root, is_sample| Function::Of(Kind::Spread { is_root, is_sample });
    let of_pairs = Function::OfPairs;
    let all: [(&'static str, &[&str], Function); 18] = [
        ("sum", &[], Function::Of(Kind::Sum)),
        ("avg", &["mean"], Function::Of(Kind::Average)),
        ("var", &["var_samp", "variance", "var_sample"], spread(false, true)),
        ("var_pop", &["var_population"], spread(false, false)),
        ("stddev", &["stddev_samp"], spread(true, true)),
        ("stddev_pop", &[], spread(true, false)),
        ("corr", &[], of_pairs(Regressed::Correlation)),
        ("covar_samp", &["covar"], of_pairs(Regressed::Covariance { is_sample: true })),
        ("covar_pop", &[], of_pairs(Regressed::Covariance { is_sample: false })),
        ("regr_count", &[], of_pairs(Regressed::Count)),
        ("regr_sxx", &[], of_pairs(Regressed::SquaresX)),
        ("regr_syy", &[], of_pairs(Regressed::SquaresY)),
        ("regr_sxy", &[], of_pairs(Regressed::Products)),
        ("regr_avgx", &[], of_pairs(Regressed::AverageX)),
        ("regr_avgy", &[], of_pairs(Regressed::AverageY)),
        ("regr_r2", &[], of_pairs(Regressed::Determination)),
        ("regr_slope", &[], of_pairs(Regressed::Slope)),
        ("regr_intercept", &[], of_pairs(Regressed::Intercept)),
    ];
    all.into_iter()
        .map(|(name, aliases, function)| {
            let aliases = aliases.iter().map(ToString::to_string).collect();
            let signature = Signature::user_defined(Volatility::Immutable);
            AggregateUDF::new_from_impl(OfNumbers { name, aliases, function, signature })
        })
        .collect()
}

/// Makes one of the accumulators, by the types.
macro_rules! of_types {
    ($self:ident, $arguments:ident, $accumulator:ident) => {{
        let data_type = $arguments.expr_fields[0].data_type();
        let result = $arguments.return_field.data_type().clone();
        let scale = scale_of(data_type);
        match $self.function {
            Function::OfPairs(kind) => Ok(Box::new($accumulator::<Pairs>::new(Asked { kind, scale, result })) as _),
            Function::Of(kind @ Kind::Spread { .. }) => match data_type {
                DataType::Float64 => Ok(Box::new($accumulator::<Moments>::new(Asked { kind, scale, result })) as _),
                _ => Ok(Box::new($accumulator::<Squares>::new(Asked { kind, scale, result })) as _),
            },
            Function::Of(kind) => match data_type {
                DataType::Int32 => {
                    Ok(Box::new($accumulator::<WholeSum<Int32Type>>::new(Asked { kind, scale, result })) as _)
                }
                DataType::Int64 => {
                    Ok(Box::new($accumulator::<WholeSum<Int64Type>>::new(Asked { kind, scale, result })) as _)
                }
                DataType::Float32 => {
                    Ok(Box::new($accumulator::<FloatSum<Float32Type>>::new(Asked { kind, scale, result })) as _)
                }
                DataType::Float64 => {
                    Ok(Box::new($accumulator::<FloatSum<Float64Type>>::new(Asked { kind, scale, result })) as _)
                }
                DataType::Decimal256(..) => {
                    Ok(Box::new($accumulator::<NumericSum>::new(Asked { kind, scale, result })) as _)
                }
                other => not_impl_err!("{} over {other}", $self.name),
            },
        }
    }};
}

fn scale_of(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    }
}

impl OfNumbers {
    /// The types of what is saved.
    fn saved(&self, data_type: &DataType) -> Vec<DataType> {
        let scale = scale_of(data_type);
        match (self.function, data_type) {
            (Function::OfPairs(_), _) => Pairs::saved(scale),
            (Function::Of(Kind::Spread { .. }), DataType::Float64) => Moments::saved(scale),
            (Function::Of(Kind::Spread { .. }), _) => Squares::saved(scale),
            (Function::Of(_), DataType::Float32) => FloatSum::<Float32Type>::saved(scale),
            (Function::Of(_), DataType::Float64) => FloatSum::<Float64Type>::saved(scale),
            (Function::Of(_), DataType::Decimal256(..)) => NumericSum::saved(scale),
            (Function::Of(_), _) => WholeSum::<Int64Type>::saved(scale),
        }
    }

    fn removes(&self, data_type: &DataType) -> bool {
        matches!(self.function, Function::Of(_)) && !data_type.is_floating()
    }

    fn single(&self, arguments: &AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        of_types!(self, arguments, Single)
    }

    /// The accumulator of distinct values.
    fn distinct(&self, arguments: &AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if arguments.exprs.len() != 1 {
            return Err(SqlError::not_supported(format!("{}(DISTINCT ...) is not supported", self.name)).into());
        }
        let data_type = arguments.expr_fields[0].data_type().clone();
        let (function, field, return_field) =
            (self.clone(), Arc::clone(&arguments.expr_fields[0]), Arc::clone(&arguments.return_field));
        let schema = arguments.schema.clone();
        let exprs = arguments.exprs.to_vec();
        let make = move || {
            let fields = [Arc::clone(&field)];
            let arguments = AccumulatorArgs {
                return_field: Arc::clone(&return_field),
                schema: &schema,
                ignore_nulls: false,
                order_bys: &[],
                is_reversed: false,
                name: function.name,
                is_distinct: false,
                exprs: &exprs,
                expr_fields: &fields,
            };
            function.single(&arguments)
        };
        Ok(Box::new(Distinct::new(data_type, Box::new(make))))
    }
}

impl AggregateUDFImpl for OfNumbers {
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
        let does_not_exist = || {
            let types: Vec<String> = types.iter().map(|data_type| PgType::of(data_type).to_string()).collect();
            SqlError::new("42883", format!("function {}({}) does not exist", self.name, types.join(", ")))
                .at(self.name)
                .with_hint(
                    "No function matches the given name and argument types. You might need to add explicit type casts.",
                )
        };
        if let Function::OfPairs(_) = self.function {
            let are_numbers = types.iter().all(|data_type| {
                let given = PgType::of(data_type);
                given == PgType::Text || given.becomes(&PgType::Float8)
            });
            return if types.len() == 2 && are_numbers {
                Ok(vec![DataType::Float64; 2])
            } else {
                Err(does_not_exist().into())
            };
        }
        let [given] = types else { return Err(does_not_exist().into()) };
        let is_spread = matches!(self.function, Function::Of(Kind::Spread { .. }));
        Ok(vec![match PgType::of(given) {
            PgType::Int2 | PgType::Int4 | PgType::Int8 if is_spread => numeric(0),
            PgType::Int2 | PgType::Int4 => DataType::Int32,
            PgType::Int8 => DataType::Int64,
            PgType::Numeric => PgType::numeric_of(given),
            PgType::Float4 if self.function == Function::Of(Kind::Sum) => DataType::Float32,
            PgType::Float4 | PgType::Float8 | PgType::Unknown => DataType::Float64,
            _ => return Err(does_not_exist().into()),
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let open = |data_type: &DataType| numeric(OPEN_SCALE.max(scale_of(data_type)));
        Ok(match (self.function, &types[0]) {
            (Function::OfPairs(kind), _) => super::moments::result(kind),
            (Function::Of(_), DataType::Float64) => DataType::Float64,
            (Function::Of(Kind::Sum), DataType::Int32) => DataType::Int64,
            (Function::Of(Kind::Sum), DataType::Int64) => numeric(0),
            (Function::Of(Kind::Sum), other) => other.clone(),
            (Function::Of(_), DataType::Float32) => DataType::Float64,
            (Function::Of(_), other) => open(other),
        })
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct { self.distinct(&arguments) } else { self.single(&arguments) }
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct {
            return Err(SqlError::not_supported("DISTINCT is not implemented for window functions").into());
        }
        if self.removes(arguments.expr_fields[0].data_type()) {
            return self.single(&arguments);
        }
        of_types!(self, arguments, Frame)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        !arguments.is_distinct
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        of_types!(self, arguments, Grouped)
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let data_type = arguments.input_fields[0].data_type();
        let types = if arguments.is_distinct { vec![array_of(data_type.clone())] } else { self.saved(data_type) };
        let field = |(place, data_type): (usize, DataType)| {
            let name = format_state_name(arguments.name, &format!("state{place}"));
            Arc::new(Field::new(name, data_type, true))
        };
        Ok(types.into_iter().enumerate().map(field).collect())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn is_nullable(&self) -> bool {
        self.function != Function::OfPairs(Regressed::Count)
    }

    fn default_value(&self, data_type: &DataType) -> Result<datafusion::common::ScalarValue> {
        if self.function == Function::OfPairs(Regressed::Count) {
            return Ok(datafusion::common::ScalarValue::Int64(Some(0)));
        }
        datafusion::common::ScalarValue::try_from(data_type)
    }
}
