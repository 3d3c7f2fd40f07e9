//! The API over real HTTP, on archives that are written with the real writer, in memory.

mod bounds;
mod door;
mod formats;
mod fuzzed;
mod looks;
mod server;
