//! The proof log at work: what is attested is integrated and verified, and every way of altering an archive is found.

mod insider;
mod log;
mod tamper;
mod world;
