//! The configuration: plain data, read once, checked before anything starts.
//!
//! ```text
//! holdfast/default.toml ─┐  (compiled in)
//! holdfast.toml ─────────┼▶ load: merge, refuse unknown keys ─▶ Config ─▶ validate ─▶ Settings ─▶ wiring
//! HOLDFAST__A__B ────────┘        │                                                     │
//!                                 └─ origin of every value ──────────▶ show ◀───────────┘
//! secrets/* , HOLDFAST__A__TOKEN ───────────────────────────▶ secrets (never part of Config)
//! ```
//!
//! `holdfast/default.toml` documents each setting. The structs in [`sections`] give it a type.

mod environment_secrets;
mod known;
mod load;
mod optional_listen;
mod origin;
mod problem;
mod secret_names;
mod secrets;
mod sections;
mod settings;
mod show;
mod validate;
mod values;

pub(crate) use load::{DEFAULT_FILE_NAME, Sources, check_servers, load};
pub(crate) use problem::ConfigError;
pub(crate) use sections::{Access, Log};
pub(crate) use settings::Settings;
pub(crate) use show::to_annotated_toml;
pub(crate) use values::{LockModeName, LogFormat, TierName};

#[cfg(test)]
mod tests;
