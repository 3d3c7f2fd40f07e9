//! What every command gets: the progress bars, and the log that writes above them.

use std::io::Write as _;

use crate::config::Settings;
use crate::logging;
use crate::progress::Bars;

/// One run of a command.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) bars: Bars,
}

impl Session {
    /// Starts the log with the configured level and format.
    pub(crate) fn start_log(&self, settings: &Settings) {
        logging::start(&settings.config.log, &self.bars);
    }

    /// Starts the log of a command that prints a result and ends: at the level `warn`, unless a level is configured.
    pub(crate) fn start_quiet_log(&self, settings: &Settings) {
        let mut log = settings.config.log.clone();
        if !settings.origins.contains_key("log.level") {
            log.level = "warn".to_owned();
        }
        logging::start(&log, &self.bars);
    }

    /// Prints a line to standard error, beside the result on standard output.
    pub(crate) fn remark(&self, text: &str) {
        // If standard error is closed, there is nowhere to report that.
        let _ = writeln!(self.bars.clone(), "{text}");
    }
}
