//! The proof log: attestations are integrated and verified, and every kind of alteration of an archive is found.

mod fixture;
mod insider;
mod log;
mod tamper;
