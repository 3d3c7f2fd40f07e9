//! Queries over small archives that are written with the real writer, in memory.

mod fixture;
mod measure;
mod tables;
mod tiers;
mod views;
