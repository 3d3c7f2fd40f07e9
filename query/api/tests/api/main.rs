//! The API over real HTTP, on archives that are written with the real writer, in memory.

mod access;
mod authenticate;
mod bounds;
mod formats;
mod fuzzed;
mod server;
