//! The embedded broker, used as everything else uses it: through librdkafka.

mod client;
mod groups;
mod kill;
mod messages;
mod rates;
mod secrets;
