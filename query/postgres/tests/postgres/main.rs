//! The PostgreSQL interface under real clients and, for the protocol itself, byte by byte.

mod catalog;
mod clients;
mod differential;
mod errors;
mod fixture;
mod generated;
mod jdbc;
mod limits;
mod login;
mod odbc;
mod pandas;
mod protocol;
mod psql;
mod recorded;
mod trial;
mod wire;
