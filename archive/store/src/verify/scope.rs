//! The scope of a verification: all of the archive, or some classes and dates.

use sha2::{Digest, Sha256};

/// What is verified.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only this retention class.
    pub class: Option<String>,
    /// Only dates from this one on, `YYYY-MM-DD`.
    pub from: Option<String>,
    /// Only dates up to this one, `YYYY-MM-DD`.
    pub to: Option<String>,
    /// A checkpoint that was verified before. Rows that it covers are not read again; it must be of a prefix of this
    /// log.
    pub since: Option<String>,
    /// Only this share of the dates, between 0 and 1, chosen by the seed.
    pub sample: Option<(f64, u64)>,
}

impl Scope {
    /// Whether everything is verified.
    pub(super) fn is_whole(&self) -> bool {
        self.class.is_none()
            && self.from.is_none()
            && self.to.is_none()
            && self.since.is_none()
            && self.sample.is_none()
    }

    /// Whether a class and date is in the scope.
    pub(super) fn has(&self, class: &str, date: &str) -> bool {
        self.class.as_deref().is_none_or(|wanted| wanted == class)
            && self.from.as_deref().is_none_or(|from| from <= date)
            && self.to.as_deref().is_none_or(|to| date <= to)
            && self.sample.is_none_or(|(share, seed)| sampled(class, date, share, seed))
    }
}

/// Whether a class and date is in the sample.
fn sampled(class: &str, date: &str, share: f64, seed: u64) -> bool {
    let digest = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(class)
        .chain_update([0])
        .chain_update(date)
        .finalize();
    let place = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(place) < share * f64::from(u32::MAX)
}
