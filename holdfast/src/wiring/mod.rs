//! From the configuration to running parts. Each part has its own file; a command uses the parts that it needs.
//!
//! ```text
//! Settings ─┬▶ archive ────▶ Archive, KeyRing (recipients only)
//!           ├▶ kafka ──────▶ KafkaSettings ◀── address ── broker (built in) or lock_file (a server that runs already)
//!           ├▶ pipeline ───▶ gateway, archiver, health in a Supervisor
//!           ├▶ children ───▶ the roles with private keys, each in a process of its own
//!           ├▶ job ────────▶ the pipeline for the time of a job, unless a server runs already
//!           ├▶ lag ────────▶ consumer lag of the archive
//!           ├▶ proof ──────▶ the log's keys, mirrors and witnesses; the integrator
//!           ├▶ seal ───────▶ the sealer, for a process with private keys
//!           ├▶ credentials ▶ users, tokens and the OpenID provider ◀── users_file
//!           ├▶ query ──────▶ identities ─▶ Session      for commands that read
//!           ├▶ interfaces ─▶ credentials ─▶ authentication ─▶ SQL over HTTP and the PostgreSQL wire protocol
//!           │                                   └▶ audit_trail: access is recorded before it is granted
//!           │                 └▶ statement_memory: the largest statement is cancelled before the process is killed
//!           ├▶ sessions ───▶ maintenance of the table of sessions
//!           └▶ tls ────────▶ certificates and keys of the servers
//! ```

pub(crate) mod archive;
pub(crate) mod audit_trail;
pub(crate) mod authentication;
pub(crate) mod broker;
pub(crate) mod children;
pub(crate) mod credentials;
pub(crate) mod crm;
pub(crate) mod identities;
pub(crate) mod interfaces;
pub(crate) mod job;
pub(crate) mod kafka;
pub(crate) mod lag;
pub(crate) mod lock_file;
pub(crate) mod password_cache;
pub(crate) mod pipeline;
pub(crate) mod proof;
pub(crate) mod query;
pub(crate) mod read_only_store;
pub(crate) mod reports;
pub(crate) mod seal;
pub(crate) mod sessions;
pub(crate) mod statement_memory;
pub(crate) mod tls;
pub(crate) mod users_file;
