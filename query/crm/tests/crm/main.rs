//! The CRM's tables, with real databases and real files.

mod conformance;
mod databases;
mod fixture;
mod hostile;
mod outages;
mod slow;
mod tls;
