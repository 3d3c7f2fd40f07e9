//! The embedded broker, through librdkafka clients.

mod client;
mod groups;
mod kcat;
mod kill;
mod messages;
mod rates;
mod secrets;
