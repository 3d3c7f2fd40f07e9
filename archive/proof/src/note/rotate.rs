//! Key rotation in the file of trusted keys.
//!
//! ```text
//! old                 new                   new
//!          with_key   old    (new signs)    old retired-at SIZE     with_others_retired
//! ```
//!
//! Everything verifies with each of the three files, so a crash in between leaves a working archive.

use super::{KeyError, KeyId, TrustedKey, TrustedKeys, key_lines};
use signed_note::Verifier;

/// The file of trusted keys `text` with one more key, `verifier_key`.
///
/// # Errors
/// When [`TrustedKeys::parse`] refuses the file or the result.
pub fn with_key(text: &str, verifier_key: &str) -> Result<String, KeyError> {
    let text = format!("{verifier_key}\n{text}");
    TrustedKeys::parse(&text).map(|_| text)
}

/// The file of trusted keys `text` in which all keys but that with the id `kept` are retired at a tree of `size`
/// leaves, unless they are retired already. Everything else is unchanged.
///
/// # Errors
/// When [`TrustedKeys::parse`] refuses `text`.
pub fn with_others_retired(text: &str, kept: KeyId, size: u64) -> Result<String, KeyError> {
    TrustedKeys::parse(text)?;
    let mut retired = String::new();
    for line in text.lines() {
        retired.push_str(line);
        let is_in_use = key_lines(line).any(|(_, key)| {
            TrustedKey::parse(key).is_ok_and(|key| key.retired_at.is_none() && key.verifier.key_id() != kept.0)
        });
        if is_in_use {
            retired.push_str(&format!(" retired-at {size}"));
        }
        retired.push('\n');
    }
    Ok(retired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{SigningKey, generate};

    #[test]
    fn a_new_key_precedes_the_old_ones_and_these_are_retired() {
        let pairs = [1, 2, 3].map(|seed| generate("log", [seed; 32]).unwrap());
        let [first, second, third] = pairs.each_ref().map(|pair| pair.verifier_key.as_str());
        let id = |pair: usize| SigningKey::parse(&pairs[pair].private_key).unwrap().id();
        let text = with_key(&format!("# ours\n{first}"), second).unwrap();
        assert_eq!(text, format!("{second}\n# ours\n{first}"));
        let text = with_others_retired(&text, id(1), 40).unwrap();
        assert_eq!(text, format!("{second}\n# ours\n{first} retired-at 40\n"));
        let text = with_others_retired(&with_key(&text, third).unwrap(), id(2), 90).unwrap();
        assert_eq!(text, format!("{third}\n{second} retired-at 90\n# ours\n{first} retired-at 40\n"));
        assert_eq!(with_others_retired(&text, id(2), 99).unwrap(), text, "once is enough");
        let keys = TrustedKeys::parse(&text).unwrap();
        let may_sign = |pair| [40, 41, 90, 91].map(|size| keys.may_sign(id(pair), size));
        assert_eq!(may_sign(0), [true, false, false, false]);
        assert_eq!(may_sign(1), [true, true, true, false]);
        assert_eq!(may_sign(2), [true; 4]);
    }

    #[test]
    fn a_key_of_another_log_or_twice_is_refused() {
        let key = |name: &str| generate(name, [1; 32]).unwrap().verifier_key;
        assert!(with_key(&key("log"), &key("other")).is_err());
        assert!(with_key(&key("log"), &key("log")).is_err());
        assert!(with_others_retired("not a key", KeyId(1), 5).is_err());
    }
}
