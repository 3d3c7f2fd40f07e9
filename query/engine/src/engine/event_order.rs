//! The order of a session's events, for the statement of [`super::timeline`].

mod functions;
mod places;

pub(super) use functions::{register, row_bytes};
