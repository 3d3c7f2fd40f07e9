//! The OIDs of the server's relations, schemas and roles.

use crate::types::Oid;

/// Relations, schemas and roles of the server have OIDs from here on.
const FIRST_OID: u32 = 100_000;

/// The OID of a role.
pub(crate) fn role_oid(name: &str) -> Oid {
    Oids::default().of(&format!("role {name}"), 1)
}

/// Chooses OIDs by name, so that they are the same in each process and after each start.
#[derive(Default)]
pub(super) struct Oids(std::collections::BTreeMap<Oid, Oid>);

impl Oids {
    /// The first of `count` OIDs in a row.
    pub(super) fn of(&mut self, name: &str, count: Oid) -> Oid {
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let mut oid = FIRST_OID + hash % 400_000_000 * 4;
        while self.0.contains_key(&oid) {
            oid += 4;
        }
        self.0.insert(oid, count);
        oid
    }
}
