//! Authentication and authorization: users, API tokens, OpenID tokens, roles and scopes.
//!
//! ```text
//! user + password ──▶ Directory ───┐
//! API token ────────▶ Directory ───┤                        ┌ role ──▶ Permission (may the user do this?)
//! SCRAM exchange ───▶ Directory ───┼─▶ Principal or Denied ─┼ tiers ─▶ columns that are decrypted
//! OpenID token ─────▶ JwtVerifier ─┘                        └ rows ──▶ Scope: sessions that are visible
//!                        ▲
//!   Throttle decides first whether an attempt is allowed
//! ```
//!
//! The crate is pure: it reads no file, no clock and no network, and takes random bytes only from its arguments.
//!
//! Invariants:
//! - The tiers of a principal are among those of its role. Only [`Role::tiers`] and [`Role::may`] grant anything.
//! - The message to a denied client ([`Denied::public_message`]) does not depend on whether the user exists.
//! - A password or token at rest is an Argon2id hash. No secret has a `Debug` that prints it, and each is zeroized when dropped.
//! - The length of outside input is checked before it is hashed, decoded or compared.

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

pub use denied::{Denied, JwtError};
pub use directory::{Directory, DirectoryError, Login, NewUser, TokenRecord, User};
pub use jwt::{JwksError, JwtRules, JwtVerifier, RefetchLimit};
pub use password::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARACTERS};
pub use principal::{AuthenticationMethod, Principal};
pub use randomness::{NoRandomness, ProcessKey, Randomness, SystemRandomness};
pub use role::{Permission, Role, UnknownRole};
pub use scope::{InvalidScope, Rows, Scope};
pub use scram::{InvalidVerifier, SCRAM_ITERATIONS, ScramVerifier};
pub use throttle::{Attempt, Throttle, ThrottleLimits};
pub use token::ApiToken;
