//! Keys, with age as the key management.
//!
//! ```text
//! holder's age identity ──opens──▶ keys/<tier>/<class>/<YYYY-MM>.age ──holds──▶ master identity
//!                                       its recipient: the .pub beside it ──wraps──▶ data key of a file (PKMT1)
//!                                                                         └─encrypts─▶ recording objects
//! ```
//!
//! A writer ([`KeyRing`]) has only recipients. A reader ([`Unlocker`]) has the identities of one caller and decrypts
//! the keys that they decrypt. Adding or removing holders re-wraps the small `.age` files and never a data file.

mod master_key;
mod material;
mod ring;
mod unlock;

pub use master_key::MasterKeyId;
pub use material::KeyMaterial;
pub use ring::{Holder, KeyRing};
pub(crate) use ring::{encrypt, recipient_in_header};
pub use unlock::Unlocker;

#[cfg(test)]
mod tests;
