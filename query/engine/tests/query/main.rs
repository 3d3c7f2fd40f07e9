//! Queries over small archives that are written with the real writer, in memory.

mod access;
mod fixture;
mod measure;
mod reports;
mod row_security;
mod sessions;
mod tables;
mod tiers;
mod views;
