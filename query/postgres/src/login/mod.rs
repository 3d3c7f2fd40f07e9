//! Authentication of a client: from the startup message to a [`holdfast_query::Reader`].

mod exchange;
mod scram;

pub(crate) use exchange::{LoginError, Origin, log_in};
