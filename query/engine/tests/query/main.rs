//! Queries over small archives in memory, which are written with the real writer.

mod access;
mod audit_trail;
mod bounds;
mod fixture;
mod generated;
mod measure;
mod rebuild;
mod reports;
mod row_security;
mod sessions;
mod tables;
mod tiers;
mod trial;
mod views;
