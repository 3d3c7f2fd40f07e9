//! Object names. No other module makes them.
//!
//! ```text
//! tables/<table>/class=<class>/date=<YYYY-MM-DD>/<file id>.parquet
//! tables/<table>/_delta_log/...                       written by the Delta library
//! recordings/<session>/<recording>/<first>-<last>.age
//! keys/<tier>/<class>/<YYYY-MM>.pub and .age
//! proof/checkpoint, proof/tile/...                    the transparency log (C2SP tlog-tiles)
//! proof/checkpoints/<size>                            the kept checkpoints
//! proof/lease/<number>                                the lease of the process that integrates
//! ingest/marks/<topic>/<partition>                    where a run of the archiver began
//! ```

use crate::keys::MasterKeyId;
use crate::table::Table;
use object_store::path::Path;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Bytes of an escaped external name. A longer one is replaced by its hash, because file systems allow 255 bytes a
/// name.
const MAX_NAME_BYTES: usize = 180;

/// The folder of a table.
pub fn table(table: Table) -> Path {
    Path::from_iter(["tables", table.name()])
}

/// The folder of a table's Delta log.
pub fn delta_log(table: Table) -> Path {
    self::table(table).join("_delta_log")
}

/// An entry of a table's Delta log.
pub fn delta_log_entry(table: Table, version: u64) -> Path {
    delta_log(table).join(format!("{version:020}.json"))
}

/// A checkpoint of a table's Delta log.
pub fn delta_log_checkpoint(table: Table, version: u64) -> Path {
    delta_log(table).join(format!("{version:020}.checkpoint.parquet"))
}

/// The object that names the newest checkpoint of a table's Delta log.
pub fn delta_log_hint(table: Table) -> Path {
    delta_log(table).join("_last_checkpoint")
}

/// A data file's path relative to its table.
pub fn data_file(class: &str, date: &str, id: &str) -> Path {
    Path::from_iter([format!("class={class}"), format!("date={date}"), format!("{id}.parquet")])
}

/// A file's path relative to the archive, from its path relative to its table.
pub(crate) fn in_table(table: Table, relative: &Path) -> Path {
    Path::from_iter(self::table(table).parts().chain(relative.parts()))
}

/// A file's path relative to its table, from the URL-encoded path in the table's Delta log. `None` if it is no path.
pub(crate) fn logged(encoded: &str) -> Option<Path> {
    Path::from_url_path(encoded).ok()
}

/// The folder of all recordings.
pub fn recordings() -> Path {
    Path::from("recordings")
}

/// A recording object with the chunks `first` to `last`. `suffix` distinguishes it from an object that already has the
/// name without one.
pub fn recording(session: &str, recording: &str, first: i64, last: i64, suffix: Option<&str>) -> Path {
    let name = match suffix {
        None => format!("{first:08}-{last:08}.age"),
        Some(suffix) => format!("{first:08}-{last:08}.{suffix}.age"),
    };
    Path::from_iter([recordings().to_string(), external_name(session), external_name(recording), name])
}

/// The public half of a master key.
pub fn master_public(id: &MasterKeyId) -> Path {
    Path::from(format!("keys/{id}.pub"))
}

/// The newest signed checkpoint.
pub fn proof_checkpoint() -> Path {
    Path::from("proof/checkpoint")
}

/// The folder of the kept checkpoints, in the archive and in a mirror.
pub fn proof_checkpoints() -> Path {
    Path::from("proof/checkpoints")
}

/// The kept checkpoint of a tree of `size` leaves.
pub fn proof_kept_checkpoint(size: u64) -> Path {
    proof_checkpoints().join(format!("{size:020}"))
}

/// A tile or an entry bundle by its name in the log (`tile/0/000`).
pub fn proof_tile(name: &str) -> Path {
    Path::from(format!("proof/{name}"))
}

/// The folder of the leases to integrate.
pub fn proof_leases() -> Path {
    Path::from("proof/lease")
}

/// One lease to integrate.
pub fn proof_lease(number: u64) -> Path {
    proof_leases().join(format!("{number:08}"))
}

/// The mark that a run of the archiver leaves about a Kafka partition.
pub fn ingest_mark(topic: &str, partition: i32) -> Path {
    Path::from_iter(["ingest".to_owned(), "marks".to_owned(), external_name(topic), partition.to_string()])
}

/// The private half of a master key, encrypted to the tier's holders.
pub fn master_private(id: &MasterKeyId) -> Path {
    Path::from(format!("keys/{id}.age"))
}

/// An external name as one part of a path. [`Path::from_iter`] escapes the characters that stores do not allow.
fn external_name(name: &str) -> String {
    // An escaped byte takes three.
    let lengths = name.bytes().map(|byte| if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) { 1 } else { 3 });
    if lengths.sum::<usize>() <= MAX_NAME_BYTES {
        return name.to_owned();
    }
    Sha256::digest(name.as_bytes()).iter().fold("sha256-".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_name_is_one_part_of_a_path() {
        assert_eq!(recording("s-1", "r", 0, 7, None).as_ref(), "recordings/s-1/r/00000000-00000007.age");
        assert_eq!(recording("s-1", "r", 0, 7, Some("x")).as_ref(), "recordings/s-1/r/00000000-00000007.x.age");
        let hostile = recording("../../keys", "a/b", 0, 0, None);
        assert_eq!(hostile.parts().count(), 4);
        assert!(!hostile.as_ref().contains("/../"), "{hostile}");
        let dots = recording("..", ".", 0, 0, None);
        assert!(dots.parts().all(|part| part.as_ref() != ".." && part.as_ref() != "."), "{dots}");
        let long = recording(&"ü".repeat(100), "r", 0, 0, None);
        assert!(long.parts().all(|part| part.as_ref().len() <= 255));
        assert_ne!(long, recording(&"ü".repeat(101), "r", 0, 0, None));
    }
}
