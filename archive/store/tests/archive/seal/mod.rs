//! Sealing and sweeping against a whole archive: rows stay what they are, the proof goes on to hold, and nothing is lost when
//! it is broken off anywhere.
//!
//! ```text
//! World ─▶ units as an archiver commits them ─▶ seal ─▶ sweep
//!   │          └─ rows, chunks, verification before   └───────┴─ the same afterwards
//!   └─▶ FaultyStore: held, refused, crashed after every effect
//! ```

mod broken;
mod locked;
mod sealed;
mod speed;
mod world;
