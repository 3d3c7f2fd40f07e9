//! Compares the rounding with what PostgreSQL does, and asks statements about times at the edges of an `i64`.

mod statements;

use super::rounded::nearest_microsecond;

#[test]
fn nanoseconds_round_to_the_nearest_microsecond() {
    for (nanoseconds, expected) in [
        (0, 0),
        (499, 0),
        (500, 0),
        (501, 1),
        (1_500, 2),
        (2_500, 2),
        (-1, 0),
        (-500, 0),
        (-501, -1),
        (-1_500, -2),
        (i64::MAX, 9_223_372_036_854_776),
        (i64::MIN, -9_223_372_036_854_776),
    ] {
        assert_eq!(nearest_microsecond(nanoseconds), expected, "{nanoseconds}");
    }
}
