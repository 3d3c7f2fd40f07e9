//! The words of dates and intervals.

/// Characters of a word that count.
const WORD: usize = 10;

/// A word of a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateWord {
    /// 1 to 12.
    Month(i64),
    Weekday,
    /// A word without a meaning, such as `on`.
    Ignored,
    /// Whether it is BC.
    Era(bool),
    /// Whether it is in the afternoon.
    Half(bool),
    /// `T` between date and time.
    TimeFollows,
    /// A Julian day follows.
    JulianFollows,
    /// `DST` behind an abbreviation.
    SummerTime,
    Epoch,
    Infinity,
    MinusInfinity,
    /// Midnight UTC.
    Midnight,
    /// A word that stands for a day or moment of today: `now`, `today`, ...
    OfToday,
    /// A unit, which no date takes.
    Unit,
}

/// Months by their names.
pub(super) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The characters of a word that count.
fn significant(word: &str) -> &str {
    word.get(..WORD).unwrap_or(word)
}

/// The meaning of a word in small letters.
pub(super) fn of_date(word: &str) -> Option<DateWord> {
    let word = significant(word);
    if word.len() >= 3
        && let Some(month) = MONTHS.iter().position(|month| word == *month || word == &month[..3])
    {
        return Some(DateWord::Month(month as i64 + 1));
    }
    Some(match word {
        "sept" => DateWord::Month(9),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday" | "thu"
        | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" => DateWord::Weekday,
        "at" | "on" => DateWord::Ignored,
        "ad" => DateWord::Era(false),
        "bc" => DateWord::Era(true),
        "am" => DateWord::Half(false),
        "pm" => DateWord::Half(true),
        "t" => DateWord::TimeFollows,
        "j" | "jd" | "julian" => DateWord::JulianFollows,
        "dst" => DateWord::SummerTime,
        "epoch" => DateWord::Epoch,
        "infinity" => DateWord::Infinity,
        "-infinity" => DateWord::MinusInfinity,
        "allballs" => DateWord::Midnight,
        "now" | "today" | "tomorrow" | "yesterday" => DateWord::OfToday,
        "d" | "dow" | "doy" | "h" | "isodow" | "isoyear" | "m" | "mm" | "s" | "y" => DateWord::Unit,
        _ => return None,
    })
}

/// A unit of intervals, and of parts of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
}

impl Unit {
    /// The unit that a word in small letters names.
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match significant(word) {
            "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" => Self::Microsecond,
            "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" => Self::Millisecond,
            "s" | "sec" | "secs" | "second" | "seconds" => Self::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Minute,
            "h" | "hr" | "hrs" | "hour" | "hours" => Self::Hour,
            "d" | "day" | "days" => Self::Day,
            "w" | "week" | "weeks" => Self::Week,
            "mon" | "mons" | "month" | "months" => Self::Month,
            "qtr" | "quarter" => Self::Quarter,
            "y" | "yr" | "yrs" | "year" | "years" => Self::Year,
            "dec" | "decs" | "decade" | "decades" => Self::Decade,
            "c" | "cent" | "century" | "centuries" => Self::Century,
            "mil" | "mils" | "millennium" | "millennia" => Self::Millennium,
            _ => return None,
        })
    }
}
