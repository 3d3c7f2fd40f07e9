//! Joins the parts: from the configuration to things that run. Each part in its own file; the commands pick what they need.
//!
//! ```text
//! Settings ─┬▶ archive ──▶ Archive, KeyRing (recipients only)
//!           ├▶ kafka ────▶ KafkaSettings ◀── address ── broker (built in) or presence (a server that runs already)
//!           ├▶ pipeline ─▶ gateway, archiver, health in a Supervisor
//!           ├▶ job ──────▶ the pipeline for as long as a job takes, unless a server runs already
//!           ├▶ lag ──────▶ how far the archive is behind Kafka
//!           ├▶ proof ────▶ the log's keys, mirrors and witnesses; the integrator
//!           ├▶ seal ─────▶ the sealer, for a process that has private keys
//!           ├▶ access ───▶ users, tokens and the OpenID provider, followed as they change ◀── users_file
//!           ├▶ query ────▶ identities ─▶ Session      for commands that read
//!           ├▶ asking ───▶ access ─▶ doors ─▶ SQL over HTTP and the PostgreSQL wire, each look on record (looks)
//!           └▶ sessions ─▶ who keeps the table of sessions
//! ```

pub(crate) mod access;
pub(crate) mod archive;
pub(crate) mod audit_trail;
pub(crate) mod authentication;
pub(crate) mod broker;
pub(crate) mod crm;
pub(crate) mod identities;
pub(crate) mod interfaces;
pub(crate) mod job;
pub(crate) mod kafka;
pub(crate) mod lag;
pub(crate) mod pipeline;
pub(crate) mod presence;
pub(crate) mod proof;
pub(crate) mod query;
pub(crate) mod reports;
pub(crate) mod seal;
pub(crate) mod sessions;
pub(crate) mod users_file;
