//! The CRM's tables, behind real databases and real files.

mod conformance;
mod databases;
mod fixture;
mod outages;
mod slow;
mod tls;
