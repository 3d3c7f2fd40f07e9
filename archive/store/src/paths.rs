//! The only maker of object names.
//!
//! ```text
//! tables/<table>/class=<class>/date=<YYYY-MM-DD>/<file id>.parquet
//! tables/<table>/_delta_log/...                       made by the Delta log
//! recordings/<session>/<recording>/<first>-<last>.age
//! keys/<tier>/<class>/<YYYY-MM>.pub and .age
//! proof/checkpoint, proof/tile/...                    the transparency log (C2SP tlog-tiles)
//! proof/checkpoints/<size>                            checkpoints that are kept
//! proof/lease/<number>                                who integrates
//! ```

use crate::keys::MasterKeyId;
use crate::table::Table;
use object_store::path::Path;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Names from outside that are longer than this when they are escaped are replaced by their hash: file systems end at
/// 255 bytes a name.
const LONGEST_NAME: usize = 180;

/// Where a table stands.
pub fn table(table: Table) -> Path {
    Path::from_iter(["tables", table.name()])
}

/// A data file's path relative to its table.
pub fn data_file(class: &str, date: &str, id: &str) -> String {
    format!("class={class}/date={date}/{id}.parquet")
}

/// Where all recordings stand.
pub fn recordings() -> Path {
    Path::from("recordings")
}

/// A recording object: the chunks `first` to `last`. `distinction` sets it apart from an object of that name that is
/// there already.
pub fn recording(session: &str, recording: &str, first: i64, last: i64, distinction: Option<&str>) -> Path {
    let name = match distinction {
        None => format!("{first:08}-{last:08}.age"),
        Some(distinction) => format!("{first:08}-{last:08}.{distinction}.age"),
    };
    Path::from_iter([recordings().to_string(), outside_name(session), outside_name(recording), name])
}

/// The public half of a master key.
pub fn master_public(id: &MasterKeyId) -> Path {
    Path::from(format!("keys/{id}.pub"))
}

/// The newest signed checkpoint.
pub fn proof_checkpoint() -> Path {
    Path::from("proof/checkpoint")
}

/// Where the checkpoints that are kept stand, here and in a mirror.
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

/// Where the claims to integrate stand.
pub fn proof_leases() -> Path {
    Path::from("proof/lease")
}

/// One claim to integrate.
pub fn proof_lease(number: u64) -> Path {
    proof_leases().join(format!("{number:08}"))
}

/// The private half of a master key, encrypted to the tier's holders.
pub fn master_private(id: &MasterKeyId) -> Path {
    Path::from(format!("keys/{id}.age"))
}

/// A name from outside as one part of a path. [`Path::from_iter`] escapes what stores do not like.
fn outside_name(name: &str) -> String {
    // An escaped byte takes three.
    let longest = name.bytes().map(|byte| if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) { 1 } else { 3 });
    if longest.sum::<usize>() <= LONGEST_NAME {
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
    fn names_from_outside_stay_one_part_of_a_path() {
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
