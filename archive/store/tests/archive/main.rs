//! The archive as a whole, in memory and on a real S3 server: what is attested is verified, and what is sealed stays what it is.

mod proof;
mod seal;
