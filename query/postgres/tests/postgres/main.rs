//! The PostgreSQL port, spoken to by real clients and, where it matters what goes over the wire, byte by byte.

mod fixture;
mod jdbc;
mod limits;
mod login;
mod odbc;
mod pandas;
mod protocol;
mod psql;
mod recorded;
mod wire;
