//! Ids of data files: the mark of sealed files, and the time at which a file was begun.
//!
//! ```text
//! <UUID of version 7>           a file that an archiver wrote
//! sealed-<UUID of version 7>    a file that has replaced others
//! ```

/// The prefix of the ids of sealed files.
const SEALED: &str = "sealed-";

/// The id of a sealed file, made from a unique `id`.
pub(crate) fn sealed(id: impl std::fmt::Display) -> String {
    format!("{SEALED}{id}")
}

/// Whether the id is that of a sealed file.
pub(crate) fn is_sealed(id: &str) -> bool {
    id.starts_with(SEALED)
}

/// When a file was begun, in milliseconds since 1970, by its id. 0 if the id has no time.
pub(crate) fn begun(id: &str) -> i64 {
    let id = id.strip_prefix(SEALED).unwrap_or(id);
    let time = uuid::Uuid::try_parse(id).ok().and_then(|id| id.get_timestamp());
    time.map_or(0, |time| {
        let (seconds, nanos) = time.to_unix();
        i64::try_from(seconds).unwrap_or(0) * 1_000 + i64::from(nanos / 1_000_000)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_id_has_the_time_at_which_it_was_begun() {
        let id = "0198a0c8-5a00-7000-8000-000000000000";
        assert_eq!(begun(id), 0x0198_a0c8_5a00);
        assert_eq!(begun(&format!("sealed-{id}")), 0x0198_a0c8_5a00);
        assert_eq!(begun("one"), 0);
    }
}
