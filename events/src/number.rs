//! Whole numbers as JSON writes them: `5`, `5.0`, `4e0` and `50e-1`.
//!
//! JSON has one kind of number (RFC 8259, section 6), and senders whose language has only floating-point numbers write
//! `5.0` for 5. Whether a number is whole is decided on its digits, so nothing is rounded: `9007199254740993.0` is exact.

/// Why a text is not a whole number of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNumber {
    /// It is no number, or it has a fraction.
    #[error("it is not a whole number")]
    NotWhole,
    /// It is whole and beyond 64 bits.
    #[error("it is beyond 64 bits")]
    TooLarge,
}

/// The whole number that `text`, a number as JSON writes it, is equal to.
pub fn whole_number(text: &str) -> Result<i64, InvalidNumber> {
    // Nearly all of them are written so.
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], exponent(&unsigned[at + 1..]).ok_or(InvalidNumber::NotWhole)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return Err(InvalidNumber::NotWhole),
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !digits().all(|digit| digit.is_ascii_digit()) {
        return Err(InvalidNumber::NotWhole);
    }
    // Of all digits, the value has those from the first that is not 0 up to the point, which the exponent moves.
    let Some(first) = digits().position(|digit| digit != b'0') else { return Ok(0) };
    let zeros = fraction.bytes().rev().chain(whole.bytes().rev()).take_while(|digit| *digit == b'0').count();
    let end = (whole.len() + fraction.len() - zeros) as i64;
    let point = (whole.len() as i64).saturating_add(exponent);
    if point < end {
        return Err(InvalidNumber::NotWhole);
    }
    // A number of 64 bits has 19 digits at most.
    let places = usize::try_from(point - first as i64).ok().filter(|places| *places <= 19);
    let places = places.ok_or(InvalidNumber::TooLarge)?;
    let mut number = 0i64;
    for digit in digits().skip(first).chain(std::iter::repeat(b'0')).take(places) {
        // Below zero, because i64 has one number more there.
        let next = number.checked_mul(10).and_then(|number| number.checked_sub(i64::from(digit - b'0')));
        number = next.ok_or(InvalidNumber::TooLarge)?;
    }
    let number = if is_negative { Some(number) } else { number.checked_neg() };
    number.ok_or(InvalidNumber::TooLarge)
}

/// The value of an exponent, with or without a sign; far beyond any length of a text it is only about right.
fn exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0i64, |size, digit| size.saturating_mul(10).saturating_add(i64::from(*digit - b'0')));
    Some(if is_negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_whole_however_it_is_written() {
        for (text, number) in [
            ("5", 5),
            ("5.0", 5),
            ("4.00", 4),
            ("4e0", 4),
            ("4E+0", 4),
            ("50e-1", 5),
            ("0.5e1", 5),
            ("1.25e2", 125),
            ("-3.0", -3),
            ("-0", 0),
            ("-0.0", 0),
            ("0e999999999999999999999", 0),
            ("0.000e-5", 0),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("9223372036854775807.0", i64::MAX),
            ("-9223372036854775808.0", i64::MIN),
            ("9.223372036854775807e18", i64::MAX),
        ] {
            assert_eq!(whole_number(text), Ok(number), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_refused_with_the_reason() {
        for text in ["4.5", "0.1", "5e-1", "1e-400", "1e-99999999999999999999", "9007199254740993.00001"] {
            assert_eq!(whole_number(text), Err(InvalidNumber::NotWhole), "{text}");
        }
        for text in ["", "-", ".", "5.", ".5", "e5", "5e", "5e+", "five", "1 ", "0x10", "--1", "1.2.3", "\u{665}.0"] {
            assert_eq!(whole_number(text), Err(InvalidNumber::NotWhole), "{text}");
        }
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "9223372036854775808.0",
            "1e19",
            "1e400",
            "-1e400",
            "1e99999999999999999999",
        ] {
            assert_eq!(whole_number(text), Err(InvalidNumber::TooLarge), "{text}");
        }
    }

    #[test]
    fn a_megabyte_of_digits_is_exact_too() {
        let zeros = "0".repeat(1 << 20);
        assert_eq!(whole_number(&format!("7.{zeros}")), Ok(7));
        assert_eq!(whole_number(&format!("7{zeros}e-{}", 1 << 20)), Ok(7));
        assert_eq!(whole_number(&format!("0.{zeros}7e{}", (1 << 20) + 1)), Ok(7));
        assert_eq!(whole_number(&format!("7.{zeros}1")), Err(InvalidNumber::NotWhole));
        assert_eq!(whole_number(&format!("7{zeros}.0")), Err(InvalidNumber::TooLarge));
    }

    proptest! {
        #[test]
        fn the_point_may_be_anywhere(number in any::<i64>(), zeros in 0usize..30, places in 0usize..30) {
            let text = format!("{number}.{}", "0".repeat(zeros + 1));
            prop_assert_eq!(whole_number(&text), Ok(number), "{}", text);
            let text = format!("{number}{}e-{zeros}", "0".repeat(zeros));
            prop_assert_eq!(whole_number(&text), Ok(number), "{}", text);
            // The digits behind a point that the exponent moves back to their end.
            let sign = if number < 0 { "-" } else { "" };
            let digits = number.unsigned_abs().to_string();
            let text = format!("{sign}0.{}{digits}E+{}", "0".repeat(places), places + digits.len());
            prop_assert_eq!(whole_number(&text), Ok(number), "{}", text);
        }

        #[test]
        fn a_small_number_is_whole_if_floating_point_says_so(text in "-?[0-9]{1,6}(\\.[0-9]{1,4})?([eE][+-]?[0-3])?") {
            let float: f64 = text.parse().unwrap();
            // There are seven places behind the point at most. The rounding removes what floating point adds to them.
            let places = (float * 1e7).round();
            let expected = (places % 1e7 == 0.0).then_some((places / 1e7) as i64);
            prop_assert_eq!(whole_number(&text).ok(), expected, "{}", text);
        }

        #[test]
        fn never_panics(text in "[-+.eE0-9]{0,40}|\\PC{0,10}") {
            let _ = whole_number(&text);
        }
    }
}
