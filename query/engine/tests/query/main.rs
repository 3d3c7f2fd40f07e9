//! Queries over small archives that are written with the real writer, in memory.

mod fixture;
mod guarded;
mod looks;
mod measure;
mod reports;
mod sessions;
mod tables;
mod tiers;
mod views;
