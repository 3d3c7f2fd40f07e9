//! Queries over small archives in memory, which are written with the real writer.

mod access;
mod audit_trail;
mod bounds;
mod errors;
mod fixture;
mod generated;
mod held_memory;
mod kept_answers;
mod kept_plans;
mod measure;
mod rebuild;
mod reports;
mod row_security;
mod sessions;
mod standstill;
mod tables;
mod tiers;
mod times;
mod trial;
mod views;
