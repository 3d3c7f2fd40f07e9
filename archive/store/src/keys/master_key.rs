//! The names of master keys: `<tier>/<class>/<YYYY-MM>`.

use holdfast_events::{Tier, Timestamp};
use std::fmt;

/// The name of a master key: one for each tier, retention class and month.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MasterKeyId {
    /// The tier.
    pub tier: Tier,
    /// The retention class.
    pub class: String,
    /// The month of the filing date, `YYYY-MM`.
    pub month: String,
}

impl MasterKeyId {
    /// The master key of what is filed under a date (days since 1970-01-01).
    pub fn of(tier: Tier, class: &str, date: i32) -> Self {
        let mut month = Timestamp(0).plus_days(date.into()).date_text();
        month.truncate(7);
        Self { tier, class: class.to_owned(), month }
    }

    /// Reads the form that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (tier, class, month) = (parts.next()?, parts.next()?, parts.next()?);
        let plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        (parts.next().is_none() && plain(class) && plain(month)).then_some(())?;
        Some(Self { tier: tier.parse().ok()?, class: class.to_owned(), month: month.to_owned() })
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tier, self.class, self.month)
    }
}
