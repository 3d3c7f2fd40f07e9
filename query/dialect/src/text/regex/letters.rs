//! Letters as PostgreSQL classes them in the locale C.UTF-8 (glibc): one letter becomes one letter.

use std::sync::LazyLock;

/// The version of Unicode whose letters the locale knows.
const AGE: &str = r"\p{age:14.0}";

/// The class of a name, such as `alpha`, inside brackets of crate `regex`. `None` if there is no such class.
pub(super) fn class(name: &str) -> Option<&'static str> {
    static ALPHA: LazyLock<String> = LazyLock::new(|| format!(r"[[\p{{Alphabetic}}\p{{Nd}}&&[^0-9]]&&{AGE}]"));
    static ALNUM: LazyLock<String> = LazyLock::new(|| format!(r"[[\p{{Alphabetic}}\p{{Nd}}]&&{AGE}]"));
    static PRINT: LazyLock<String> = LazyLock::new(|| format!(r"[{AGE}&&[^\p{{Cc}}\p{{Zl}}\p{{Zp}}\p{{Cn}}]]"));
    static GRAPH: LazyLock<String> = LazyLock::new(|| format!("[{}&&[^{SPACES}]]", *PRINT));
    static PUNCT: LazyLock<String> = LazyLock::new(|| format!(r"[{}&&[^\p{{Alphabetic}}\p{{Nd}}]]", *GRAPH));
    static UPPER: LazyLock<String> = LazyLock::new(|| format!(r"[[\p{{Uppercase}}\p{{Lt}}]&&{AGE}]"));
    static LOWER: LazyLock<String> =
        LazyLock::new(|| format!(r"[[\p{{Lowercase}}\x{{1c5}}\x{{1c8}}\x{{1cb}}\x{{1f2}}]&&{AGE}]"));
    static WORD: LazyLock<String> = LazyLock::new(|| format!("[{}_]", *ALNUM));
    Some(match name {
        "alpha" => &ALPHA,
        "alnum" => &ALNUM,
        "digit" => "0-9",
        "space" => r"\x09-\x0d\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}",
        "punct" => &PUNCT,
        "print" => &PRINT,
        "graph" => &GRAPH,
        "cntrl" => r"\x01-\x1f\x7f-\x{9f}",
        "upper" => &UPPER,
        "lower" => &LOWER,
        "xdigit" => "0-9A-Fa-f",
        "blank" => r"\x09\x20",
        "ascii" => r"\x01-\x7f",
        "word" => &WORD,
        _ => return None,
    })
}

/// The spaces that are printed.
const SPACES: &str = r"\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{205f}\x{3000}";

/// The capital letter of a letter, if that is one letter.
pub(in crate::text) fn upper(letter: char) -> char {
    match letter {
        // Those with a iota below have a letter of titles.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => moved(letter, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => moved(letter, 9),
        _ => single(letter.to_uppercase(), letter),
    }
}

/// The small letter of a letter, if that is one letter.
pub(in crate::text) fn lower(letter: char) -> char {
    match letter {
        '\u{130}' => 'i',
        _ => single(letter.to_lowercase(), letter),
    }
}

fn moved(letter: char, by: u32) -> char {
    char::from_u32(u32::from(letter) + by).unwrap_or(letter)
}

fn single(mut mapped: impl Iterator<Item = char>, letter: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

/// The letters that have another case.
pub(super) fn cased() -> &'static [char] {
    static CASED: LazyLock<Vec<char>> = LazyLock::new(|| {
        let letters = (0..=0x1_ffff).filter_map(char::from_u32);
        letters.filter(|letter| upper(*letter) != *letter || lower(*letter) != *letter).collect()
    });
    &CASED
}

/// Whether a letter belongs to words for `initcap`: `iswalnum`.
pub(in crate::text) fn is_alnum(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_alphanumeric();
    }
    static ALNUM: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(class("alnum").unwrap_or_default()).ok());
    ALNUM.as_ref().is_some_and(|alnum| alnum.is_match(letter.encode_utf8(&mut [0; 4])))
}
