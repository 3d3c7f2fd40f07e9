//! Sealing and sweeping against a whole archive: rows do not change, the proof remains valid, and nothing is lost when
//! a run is interrupted at any point.
//!
//! ```text
//! Fixture ─▶ units as an archiver commits them ─▶ seal ─▶ sweep
//!   │            └─ rows, chunks, verification before └───────┴─ the same afterwards
//!   └─▶ FaultyStore: held, refused, crashed after every effect
//! ```

mod broken;
mod fixture;
mod locked;
mod sealed;
mod speed;
