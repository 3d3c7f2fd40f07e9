//! The API over HTTP, on archives in memory that the archive's own writer wrote.

mod access;
mod authenticate;
mod bounds;
mod formats;
mod fuzzed;
mod server;
