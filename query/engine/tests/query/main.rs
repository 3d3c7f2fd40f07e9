//! Queries over small archives in memory, which are written with the real writer.

mod access;
mod fixture;
mod measure;
mod reports;
mod row_security;
mod sessions;
mod tables;
mod tiers;
mod views;
