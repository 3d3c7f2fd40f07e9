//! The archive as a whole, in memory and on a real S3 server: attestation, verification and sealing.

mod log;
mod proof;
mod seal;
