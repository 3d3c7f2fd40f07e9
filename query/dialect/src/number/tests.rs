//! The answers of PostgreSQL, what is different on purpose, and inputs of any kind.

use super::decimal::{quotient, quotient_scale, rounded};
use super::{pattern, text, to_char};
use crate::testing::{self, context, rows, state_of};
use arrow_buffer::i256;
use num_bigint::BigInt;
use proptest::prelude::*;

#[test]
fn the_answers_are_postgresqls() {
    testing::compare(include_str!("answers.tsv"));
}

#[test]
fn differences_are_those_of_the_documentation() {
    let context = context();
    for (sql, shown) in [
        // PostgreSQL shows 0.50000000000000000000.
        ("SELECT (1 / 2.0)::text", "0.5"),
        // PostgreSQL shows 1.5 and 2.25.
        ("SELECT string_agg(x::text, ' ' ORDER BY x) FROM (VALUES (1.5), (2.25)) t(x)", "1.50 2.25"),
    ] {
        let got = rows(&context, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(shown), "{sql}");
    }
    for (sql, state) in [
        ("SELECT 'NaN'::float8::numeric", "0A000"),
        ("SELECT 'Infinity'::numeric", "0A000"),
        ("SELECT 1e40 * 1e40", "22003"),
        ("SELECT 1 / 3e20", "22003"),
        ("SELECT exp(150.0)", "22003"),
        ("SELECT setseed(0.5)", "0A000"),
    ] {
        let error = rows(&context, sql).expect_err(sql);
        assert_eq!(state_of(&error), state, "{sql}");
    }
}

#[test]
fn numbers_of_several_types_are_compared() {
    let context = context();
    for (sql, shown) in [
        ("SELECT count(*) FROM (VALUES (1.5::numeric), (2)) t(x) WHERE x IN (SELECT 1.50)", "1"),
        (
            "SELECT count(*) FROM (VALUES (1.55), (1.649)) t(x) WHERE round(x, 1) IN (SELECT 1.60 UNION ALL SELECT 2)",
            "2",
        ),
        ("SELECT count(*) FROM (VALUES (5.0)) t(x) WHERE 1.25 = ANY (SELECT x / 4 FROM (VALUES (5.0)) s(x))", "1"),
        (
            "SELECT count(*) FROM (SELECT round(1.5, 1) AS x UNION ALL SELECT 2.55 UNION ALL SELECT 3) t WHERE x < 2.6",
            "2",
        ),
        ("SELECT pg_typeof(x)::text FROM (SELECT 1.5 AS x UNION ALL SELECT 2::float8) t LIMIT 1", "double precision"),
        ("SELECT pg_typeof(x)::text FROM (SELECT 1.5 AS x UNION ALL SELECT 2::float4) t LIMIT 1", "real"),
        ("SELECT count(*) FROM (VALUES (1.50)) a(x) JOIN (SELECT round(1.5, 1) AS x) b ON a.x = b.x", "1"),
        ("SELECT count(*) FROM (VALUES (1.50)) a(x) JOIN (SELECT round(1.5, 1) AS x) b USING (x)", "1"),
        ("SELECT count(*) FROM (VALUES (0.1)) a(x) JOIN (SELECT 0.1::float8 AS x) b USING (x)", "1"),
        ("SELECT count(*) FROM (VALUES (1.5), (2.5)) t(x) HAVING avg(x) > 1.99", "2"),
        ("SELECT round(x, 2)::text FROM (VALUES (1.5)) t(x) WHERE round(x, 2) = 1.5", "1.50"),
        ("SELECT max(y)::text FROM (SELECT round(x, 1) AS y FROM (VALUES (1.25)) t(x)) s WHERE y > 1.25", "1.3"),
        ("SELECT count(*) FROM (VALUES (1.25)) t(x) WHERE extract(day FROM date '2026-01-05') > x * 2", "1"),
    ] {
        let got = rows(&context, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(shown), "{sql}");
    }
}

#[test]
fn overflows_of_columns_are_found_beside_nulls() {
    let context = context();
    let sql = |value: &str| format!("SELECT sum(x + 1) FROM (VALUES (NULL), ({value}), (5::int8)) t(x)");
    assert!(rows(&context, &sql("9223372036854775806")).is_ok());
    let error = rows(&context, &sql("9223372036854775807")).expect_err("9223372036854775807 + 1");
    assert_eq!(state_of(&error), "22003");
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(value in ".{0,40}", digits in "[ +-]?[0-9]{0,30}[.]?[0-9]{0,30}(e[+-]?[0-9]{1,6})?") {
        for value in [&value, &digits] {
            let _ = text::numeric(value);
            let _ = text::float8(value);
            let _ = text::float4(value);
            let _ = text::whole(value, &crate::types::PgType::Int4);
        }
    }

    #[test]
    fn no_pattern_makes_to_char_and_to_number_panic(
        pattern in "([09.,SDGLBVC]|MI|PL|SG|PR|FM|TH|th|RN|EEEE|\"|.){0,12}",
        value in any::<i64>(),
        float in any::<f64>(),
        scale in 0_i8..20,
        read in "[-+<>0-9., a]{0,12}",
    ) {
        to_char::show_all(value, float, scale, &pattern);
        let _ = pattern::read(&read, &pattern);
    }

    #[test]
    fn a_written_float_is_read_as_itself(value in any::<f64>(), small in any::<f32>()) {
        prop_assume!(value.is_finite() && small.is_finite());
        prop_assert_eq!(text::float8(&text::of_float8(value)).unwrap().to_bits(), value.to_bits());
        prop_assert_eq!(text::float4(&text::of_float4(small)).unwrap().to_bits(), small.to_bits());
    }

    #[test]
    fn a_quotient_is_the_nearest_of_its_scale(one in any::<i64>(), other in any::<i64>(), scale in 0_i8..6) {
        prop_assume!(other != 0);
        let (left, right) = ((i256::from_i128(one.into()), scale), (i256::from_i128(other.into()), 0));
        let digits = quotient_scale(left, right);
        prop_assume!(digits <= 30);
        let found = quotient(left, right, 30).unwrap();
        // |found - one / other| ≤ half of the last digit, in units of 10^-(30 + scale).
        let unit = BigInt::from(10).pow(30);
        let found: BigInt = found.to_string().parse().unwrap();
        let distance: BigInt = (found * BigInt::from(other) * BigInt::from(10).pow(scale as u32) - BigInt::from(one) * &unit) * 2_u32;
        let most: num_bigint::BigUint = BigInt::from(other).magnitude() * BigInt::from(10).pow((30 - digits) as u32 + scale as u32).magnitude().clone();
        prop_assert!(*distance.magnitude() <= most);
    }

    #[test]
    fn rounding_is_half_away_from_zero(value in any::<i32>()) {
        let found = rounded(i256::from_i128(value.into()), 1, 0).unwrap();
        let expected = (f64::from(value) / 10.0).round();
        prop_assert_eq!(found.to_i128().unwrap(), expected as i128);
    }
}
