//! Who may see what: users, API tokens, roles, and the proofs of identity that they show.
//!
//! ```text
//! user + password ──▶ Directory ─┐
//! API token ────────▶ Directory ─┤                        ┌ role ──▶ Right   (may this be asked for at all?)
//! SCRAM exchange ───▶ Directory ─┼─▶ Principal or Denied ─┼ tiers ─▶ columns (which of them are decrypted?)
//! OpenID token ─────▶ JwtVerifier ───┘                        └ rows ──▶ Scope   (which sessions are there?)
//!                        ▲
//!   Throttle says before whether a try may be made at all
//! ```
//!
//! The crate is pure: it reads no file, no clock and no network, and draws randomness only from what is given to it.
//!
//! Invariants:
//! - The tiers of a principal are among those of its role; nothing but [`Role::tiers`] and [`Role::may`] grants anything.
//! - What a client is told when it is denied ([`Denied::public_message`]) does not depend on whether the user exists.
//! - A password or token at rest is an Argon2id hash. No secret has a `Debug` that prints it, and each is wiped when dropped.
//! - Nothing from outside is hashed, decoded or compared before its length was checked.

mod denied;
mod directory;
mod jwt;
mod moment;
mod password;
mod principal;
mod randomness;
mod role;
mod scope;
mod scram;
mod throttle;
mod token;

pub use denied::{Denied, JwtFault};
pub use directory::{Directory, DirectoryError, NewUser, TokenRecord, User};
pub use jwt::{JwksError, JwtRules, JwtVerifier, RefetchLimit};
pub use password::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARACTERS};
pub use principal::{Principal, Proof};
pub use randomness::{NoRandomness, ProcessKey, Randomness, SystemRandomness};
pub use role::{Right, Role, UnknownRole};
pub use scope::{InvalidScope, Rows, Scope};
pub use scram::{InvalidVerifier, SCRAM_ITERATIONS, ScramVerifier};
pub use throttle::{Throttle, ThrottleLimits, Verdict};
pub use token::ApiToken;
