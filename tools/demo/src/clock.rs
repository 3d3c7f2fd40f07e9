//! Times: their text form, and when sessions start.
//!
//! Inside this crate a time is milliseconds since 1970 UTC.

use crate::random::Random;

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Relative number of sessions in each hour (UTC) of a working day.
const WORKING_DAY: [u32; 24] = [1, 1, 1, 1, 1, 2, 8, 20, 34, 40, 38, 30, 22, 28, 36, 34, 26, 16, 8, 5, 3, 2, 1, 1];
/// The same for Saturday and Sunday.
const WEEKEND: [u32; 24] = [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 3, 3, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0];

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(time: i64) -> String {
    let (year, month, day) = date(time.div_euclid(DAY));
    let in_day = time.rem_euclid(DAY);
    let mut out = *b"0000-00-00T00:00:00.000Z";
    let mut put = |at: usize, digits: usize, value: i64| {
        let mut rest = value;
        for position in (at..at + digits).rev() {
            out[position] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, in_day / HOUR);
    put(14, 2, in_day / MINUTE % 60);
    put(17, 2, in_day / SECOND % 60);
    put(20, 3, in_day % SECOND);
    out.iter().map(|byte| char::from(*byte)).collect()
}

/// Year, month and day of a number of days since 1970 (Gregorian, eras of 400 years that begin in March).
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// True from Monday to Friday.
pub(crate) fn is_working_day(time: i64) -> bool {
    // 1970-01-01 was a Thursday.
    !matches!((time.div_euclid(DAY) + 4).rem_euclid(7), 0 | 6)
}

/// The start times of the sessions of a run: in order, more of them in busy hours, the last one at the end.
pub(crate) struct Calendar {
    begin: i64,
    end: i64,
    /// Weight of all hours before the current hour.
    passed: u64,
    hour: i64,
    total: u64,
}

impl Calendar {
    /// Spreads the start times from `begin` to `end`.
    pub(crate) fn new(begin: i64, end: i64) -> Self {
        let hours = ((end - begin) / HOUR).max(1);
        let total = (0..hours).map(|hour| weight(begin + hour * HOUR)).sum();
        Self { begin, end, passed: 0, hour: 0, total }
    }

    /// The start of session `index` of `count`. Call it in order of the index.
    pub(crate) fn start(&mut self, index: u64, count: u64, random: &mut Random) -> i64 {
        if index + 1 >= count {
            return self.end;
        }
        // Each session has its own slice of the weight and starts anywhere in it. So the starts are sorted without a list.
        let within = u128::from(random.below(1 << 20));
        let scaled = u128::from(self.total) * ((u128::from(index) << 20) + within) / u128::from(count);
        let wanted = (scaled >> 20) as u64;
        let fraction = (scaled & 0xf_ffff) as i64;
        loop {
            let weight = weight(self.begin + self.hour * HOUR);
            if wanted < self.passed + weight || self.hour >= (self.end - self.begin) / HOUR {
                let units = ((wanted - self.passed) as i64) << 20 | fraction;
                let offset = i128::from(HOUR) * i128::from(units) / (i128::from(weight.max(1)) << 20);
                let time = self.begin + self.hour * HOUR + (offset as i64).min(HOUR - 1);
                return time.min(self.end);
            }
            self.passed += weight;
            self.hour += 1;
        }
    }
}

fn weight(time: i64) -> u64 {
    let hour = (time.rem_euclid(DAY) / HOUR) as usize;
    // In thousandths plus one, so that no hour has weight 0.
    let weight = if is_working_day(time) { WORKING_DAY[hour] } else { WEEKEND[hour] };
    u64::from(weight) * 1000 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_formatted_as_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_827_696_007), "2000-02-29T12:34:56.007Z");
        assert_eq!(rfc3339(1_795_457_453_120), "2026-11-23T18:10:53.120Z");
    }

    #[test]
    fn starts_are_in_order_and_mostly_in_working_hours() {
        let end = 1_795_457_453_000;
        let begin = end - 28 * DAY;
        let mut random = Random::new(1, 0);
        let mut calendar = Calendar::new(begin, end);
        let times: Vec<i64> = (0..5000).map(|index| calendar.start(index, 5000, &mut random)).collect();
        assert!(times.is_sorted());
        assert!(times[0] >= begin && times[4999] == end);
        let working =
            times.iter().filter(|time| (6..18).contains(&(*time % DAY / HOUR)) && is_working_day(**time)).count();
        assert!(working > 4300, "{working}");
    }
}
