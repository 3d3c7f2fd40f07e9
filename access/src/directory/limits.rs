//! Sizes that a directory accepts. They are checked before anything is hashed or decoded.

/// Bytes of a user's name.
pub(crate) const MAX_NAME_BYTES: usize = 128;
/// Bytes of the name of a token.
pub(super) const MAX_TOKEN_NAME_BYTES: usize = 128;
/// Users in one file, and tokens in one file.
pub(super) const MAX_ENTRIES: usize = 20_000;
/// Bytes of the file.
pub(super) const MAX_TEXT_BYTES: usize = 32 << 20;
