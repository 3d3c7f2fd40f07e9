//! The program as its users run it: started, asked, killed, and looked at from the outside.
//!
//! ```text
//! Place: a folder of `holdfast init`, with ports of its own
//!   ├──▶ serve ◀──HTTP── Sender, which remembers every 202
//!   ├──▶ sql, import, demo ... run to their end
//!   └──▶ what stands on the disk: searched for planted secrets
//! ```

#![expect(clippy::print_stdout, reason = "how many events and how long: shown with --nocapture and when a test fails")]

mod answers;
mod commands;
mod corpus;
mod foreign;
mod gateway;
mod keys;
mod kills;
mod place;
mod proof;
mod secrets;
mod sender;
mod shutdown;
