//! The configuration parameters of a session: SET, SHOW and RESET.
//!
//! Few of them have an effect here. The others are accepted, because clients set them on connecting. A parameter that would
//! have an effect in PostgreSQL and has none here causes a warning.

use crate::sqlstate::Failure;
use std::collections::BTreeMap;
use std::time::Duration;

/// The PostgreSQL version whose protocol and catalog this server implements.
pub(crate) const SERVER_VERSION: &str = "15.18";
/// The same version as one number.
const SERVER_VERSION_NUM: &str = "150018";
const PURPOSE: &str = "holdfast.purpose";
const TIMEOUT: &str = "statement_timeout";
/// The most characters of a purpose. It is part of every access record.
const MAX_PURPOSE_CHARACTERS: usize = 1000;
/// The most customized options (names with a dot) of a session.
const MAX_CUSTOM_OPTIONS: usize = 200;

/// A known variable: its name in PostgreSQL's spelling, its default, and the accepted values.
struct Known(&'static str, &'static str, Accepts);

/// The values that a variable accepts.
enum Accepts {
    /// Any value, without effect.
    Anything,
    /// These values. Others are refused.
    Only(&'static [&'static str]),
    /// The encodings whose texts are those of UTF-8.
    Encoding,
    /// Whether something holds: `on` or `off`, in all of PostgreSQL's words.
    Switch,
    /// A level of isolation.
    Isolation,
    /// These values. Others cause a warning and have no effect.
    Unchanged(&'static [&'static str]),
    /// None: the variable is read-only.
    Nothing,
}

use Accepts::{Anything, Encoding, Isolation, Nothing, Only, Switch, Unchanged};

/// The words for `on`.
const ON: &[&str] = &["on", "true", "yes", "1", "t", "y"];

const KNOWN: &[Known] = &[
    Known("application_name", "", Anything),
    Known("bytea_output", "hex", Unchanged(&["hex"])),
    Known("client_encoding", "UTF8", Encoding),
    Known("client_min_messages", "notice", Anything),
    Known("DateStyle", "ISO, MDY", Unchanged(&["iso", "iso, mdy", "iso, ymd", "iso, dmy"])),
    Known("default_table_access_method", "heap", Nothing),
    Known("default_transaction_deferrable", "off", Switch),
    Known("default_transaction_isolation", "read committed", Isolation),
    Known("default_transaction_read_only", "on", Unchanged(ON)),
    Known("extra_float_digits", "1", Anything),
    Known("idle_in_transaction_session_timeout", "0", Anything),
    Known("in_hot_standby", "off", Nothing),
    Known("integer_datetimes", "on", Nothing),
    Known("IntervalStyle", "postgres", Unchanged(&["postgres"])),
    Known("is_superuser", "off", Nothing),
    Known("jit", "off", Anything),
    Known("lc_collate", "C", Nothing),
    Known("lc_ctype", "C.UTF-8", Nothing),
    Known("lc_messages", "C", Anything),
    Known("lc_monetary", "C", Anything),
    Known("lc_numeric", "C", Anything),
    Known("lc_time", "C", Anything),
    Known("lock_timeout", "0", Anything),
    Known("max_identifier_length", "63", Nothing),
    Known("max_index_keys", "32", Nothing),
    Known("row_security", "on", Anything),
    Known(
        "search_path",
        "archive",
        Unchanged(&["archive", "archive, public", "\"$user\", archive", "archive, crm", "\"$user\", public", "public"]),
    ),
    Known("server_encoding", "UTF8", Nothing),
    Known("server_version_num", SERVER_VERSION_NUM, Nothing),
    Known("session_authorization", "", Nothing),
    Known("ssl", "off", Nothing),
    Known("standard_conforming_strings", "on", Only(&["on", "true", "1", "yes"])),
    Known("TimeZone", "UTC", Unchanged(&["utc", "etc/utc", "gmt", "etc/gmt", "z", "default", "local"])),
    Known("transaction_deferrable", "off", Switch),
    Known("transaction_isolation", "read committed", Isolation),
    Known("transaction_read_only", "on", Unchanged(ON)),
    Known("work_mem", "4MB", Anything),
];

/// The value of a variable that is the same in every session.
pub(crate) fn constant(name: &str) -> Option<&'static str> {
    let of_session = ["session_authorization", "ssl"];
    let is_constant = |Known(name, _, accepts): &&Known| matches!(accepts, Nothing) && !of_session.contains(name);
    let mut constants = KNOWN.iter().filter(is_constant);
    constants.find(|Known(known, ..)| known.eq_ignore_ascii_case(name)).map(|Known(_, value, _)| *value)
}

/// The variables that are reported to clients at the start and on each change (ParameterStatus).
const REPORTED: &[&str] = &[
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "search_path",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

/// The modes that a statement gives a transaction. `None` where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TransactionModes {
    /// The level of isolation, in PostgreSQL's words.
    pub(crate) isolation: Option<&'static str>,
    pub(crate) is_read_only: Option<bool>,
    pub(crate) is_deferrable: Option<bool>,
}

/// The messages that a change of a variable causes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its name and value, if the variable is reported.
    pub(crate) report: Option<(String, String)>,
    pub(crate) warning: Option<String>,
}

/// The variables of one session.
#[derive(Debug, Clone)]
pub(crate) struct Variables {
    /// By lower-case name.
    set: BTreeMap<String, String>,
    /// The values that RESET restores.
    at_start: BTreeMap<String, String>,
    timeout: Duration,
    default_timeout: Duration,
    max_timeout: Duration,
    /// What variables that were set for the transaction alone had before, by lower-case name. `None` if they had nothing.
    before_local: BTreeMap<String, Option<String>>,
}

impl Variables {
    /// The variables of a session of `user`. `statement_timeout` is `default_timeout`, and at most `max_timeout`.
    pub(crate) fn new(user: &str, default_timeout: Duration, max_timeout: Duration) -> Self {
        let mut set: BTreeMap<String, String> =
            KNOWN.iter().map(|Known(name, value, _)| (name.to_lowercase(), (*value).to_owned())).collect();
        let version = format!("{SERVER_VERSION} (Holdfast {})", env!("CARGO_PKG_VERSION"));
        set.insert("server_version".to_owned(), version);
        set.insert("session_authorization".to_owned(), user.to_owned());
        let default_timeout = default_timeout.min(max_timeout);
        Self {
            at_start: set.clone(),
            set,
            timeout: default_timeout,
            default_timeout,
            max_timeout,
            before_local: BTreeMap::new(),
        }
    }

    /// The same variables in a session whose connection is encrypted, or is not.
    pub(crate) fn of_connection(mut self, is_encrypted: bool) -> Self {
        for values in [&mut self.set, &mut self.at_start] {
            values.insert("ssl".to_owned(), on_or_off(is_encrypted).to_owned());
        }
        self
    }

    /// Makes the current values those that RESET restores. Called once the startup parameters are set.
    pub(crate) fn set_defaults(&mut self) {
        self.at_start.clone_from(&self.set);
        self.default_timeout = self.timeout;
    }

    /// The names and values that are reported to the client at the start.
    pub(crate) fn reported(&self) -> impl Iterator<Item = (String, String)> {
        REPORTED.iter().filter_map(|name| Some(((*name).to_owned(), self.set.get(&name.to_lowercase())?.clone())))
    }

    /// The purpose of the session's accesses.
    pub(crate) fn purpose(&self) -> Option<String> {
        self.set.get(PURPOSE).filter(|purpose| !purpose.is_empty()).cloned()
    }

    /// The time from the start of a statement to its last row.
    pub(crate) fn statement_timeout(&self) -> Duration {
        self.timeout
    }

    /// The value of a variable.
    pub(crate) fn show(&self, name: &str) -> Result<String, Failure> {
        let lower = name.to_lowercase();
        if lower == TIMEOUT {
            return Ok(shown(self.timeout));
        }
        self.set.get(&lower).cloned().ok_or_else(|| unknown(name))
    }

    /// All variables, by name.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.set.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        all.push((TIMEOUT.to_owned(), shown(self.timeout)));
        all.sort();
        all
    }

    /// Sets a variable, or resets it if `value` is `None`; until the end of the transaction if `is_local`.
    pub(crate) fn change(&mut self, name: &str, value: Option<&str>, is_local: bool) -> Result<Change, Failure> {
        let lower = name.to_lowercase();
        let before = if lower == TIMEOUT { Some(shown(self.timeout)) } else { self.set.get(&lower).cloned() };
        let change = match value {
            Some(value) => self.set(name, value)?,
            None => self.reset(name)?,
        };
        if is_local {
            self.before_local.entry(lower).or_insert(before);
        } else {
            self.before_local.remove(&lower);
        }
        Ok(change)
    }

    /// Begins a transaction with the modes of the session.
    pub(crate) fn begin_transaction(&mut self) {
        for mode in ["isolation", "deferrable"] {
            if let Some(value) = self.set.get(&format!("default_transaction_{mode}")).cloned() {
                self.set.insert(format!("transaction_{mode}"), value);
            }
        }
    }

    /// Sets the modes of the transaction, or of all that follow. All transactions only read.
    pub(crate) fn set_modes(&mut self, modes: TransactionModes, of_session: bool) -> Vec<Change> {
        let TransactionModes { isolation, is_read_only, is_deferrable } = modes;
        let prefixes: &[&str] = if of_session { &["default_transaction_", "transaction_"] } else { &["transaction_"] };
        for prefix in prefixes {
            if let Some(level) = isolation {
                self.set.insert(format!("{prefix}isolation"), level.to_owned());
            }
            if let Some(is_deferrable) = is_deferrable {
                self.set.insert(format!("{prefix}deferrable"), on_or_off(is_deferrable).to_owned());
            }
        }
        match is_read_only {
            Some(false) if of_session => vec![stays_read_only()],
            _ => Vec::new(),
        }
    }

    /// Ends a transaction: what was set for it alone has its value from before. A chained one keeps its modes.
    pub(crate) fn end_transaction(&mut self, is_chained: bool) -> Vec<Change> {
        if !is_chained {
            self.begin_transaction();
        }
        let restored = std::mem::take(&mut self.before_local).into_iter().filter_map(|(name, before)| match before {
            Some(value) => self.set(&name, &value).ok(),
            None => {
                self.set.remove(&name);
                None
            }
        });
        restored.collect()
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<Change, Failure> {
        let lower = name.to_lowercase();
        match lower.as_str() {
            TIMEOUT => return self.set_timeout(value),
            PURPOSE if value.chars().count() > MAX_PURPOSE_CHARACTERS => {
                return Err(invalid(PURPOSE, value.get(..40).unwrap_or_default())
                    .hint(format!("a purpose has at most {MAX_PURPOSE_CHARACTERS} characters")));
            }
            "session_authorization" | "role" if matches!(value.to_lowercase().as_str(), "default" | "none") => {
                return Ok(Change::default());
            }
            "session_authorization" | "role" => {
                return Err(Failure::new("42501", "permission denied: the user of a session cannot be changed"));
            }
            _ => {}
        }
        let mut change = Change::default();
        let known = KNOWN.iter().find(|Known(known, ..)| known.to_lowercase() == lower);
        let is_among = |accepted: &[&str]| accepted.contains(&value.trim().to_lowercase().as_str());
        match known.map(|Known(name, _, accepts)| (name, accepts)) {
            Some((name, Nothing)) => {
                return Err(Failure::new("55P02", format!("parameter \"{name}\" cannot be changed")));
            }
            Some((name, Only(accepted))) if !is_among(accepted) => {
                return Err(invalid(name, value).hint(format!("it can be {}", accepted.join(", "))));
            }
            Some((name, Encoding)) => {
                let encoding = encoding(value)
                    .ok_or_else(|| invalid(name, value).hint("the server and its clients speak UTF8"))?;
                change.report = Some(((*name).to_owned(), encoding.to_owned()));
                self.set.insert(lower, encoding.to_owned());
                return Ok(change);
            }
            Some((name, Switch)) => {
                let is_on = switch(value).ok_or_else(|| invalid(name, value).hint("it is on or off"))?;
                self.set.insert(lower, on_or_off(is_on).to_owned());
                return Ok(change);
            }
            Some((name, Isolation)) if !is_among(LEVELS) => {
                return Err(invalid(name, value).hint(format!("it can be {}", LEVELS.join(", "))));
            }
            Some((name, Unchanged(_)))
                if *name == "default_transaction_read_only" || *name == "transaction_read_only" =>
            {
                let is_on = switch(value).ok_or_else(|| invalid(name, value).hint("it is on or off"))?;
                return Ok(if is_on { change } else { stays_read_only() });
            }
            Some((name, Unchanged(accepted))) if !is_among(accepted) => {
                let kept = self.set.get(&lower).cloned().unwrap_or_default();
                change.warning = Some(format!("{name} stays {kept}: results always have this form"));
                return Ok(change);
            }
            Some((name, _)) if REPORTED.contains(name) => {
                change.report = Some(((*name).to_owned(), value.to_owned()));
            }
            Some(_) => {}
            // Names with a dot are customized options, as in PostgreSQL.
            None if lower.contains('.') => {}
            None => change.warning = Some(format!("parameter \"{name}\" has no effect here")),
        }
        if !self.set.contains_key(&lower) && self.set.len() >= KNOWN.len() + MAX_CUSTOM_OPTIONS {
            return Err(Failure::new("54000", "the session has too many variables"));
        }
        self.set.insert(lower, value.to_owned());
        Ok(change)
    }

    /// Restores a variable's value of the session's start.
    pub(crate) fn reset(&mut self, name: &str) -> Result<Change, Failure> {
        let lower = name.to_lowercase();
        if lower == TIMEOUT {
            self.timeout = self.default_timeout;
            return Ok(Change::default());
        }
        match self.at_start.get(&lower).cloned() {
            Some(value) => {
                let known = REPORTED.iter().find(|reported| reported.to_lowercase() == lower);
                let report = known.map(|known| ((*known).to_owned(), value.clone()));
                self.set.insert(lower, value);
                Ok(Change { report, warning: None })
            }
            None => {
                self.set.remove(&lower);
                Ok(Change::default())
            }
        }
    }

    /// Restores all variables.
    pub(crate) fn reset_all(&mut self) -> Vec<Change> {
        self.timeout = self.default_timeout;
        let changed = self.set.iter().filter(|(name, value)| self.at_start.get(*name) != Some(value));
        let names: Vec<String> = changed.map(|(name, _)| name.clone()).collect();
        names.iter().filter_map(|name| self.reset(name).ok()).collect()
    }

    fn set_timeout(&mut self, value: &str) -> Result<Change, Failure> {
        let Some(time) = duration(value) else {
            return Err(
                invalid(TIMEOUT, value).hint("write a number of milliseconds, or a number with us, ms, s, min, h or d")
            );
        };
        let mut change = Change::default();
        // In PostgreSQL zero means no limit. Here the limit always applies.
        self.timeout = if time.is_zero() { self.max_timeout } else { time.min(self.max_timeout) };
        if time.is_zero() || time > self.max_timeout {
            change.warning =
                Some(format!("statement_timeout is {} s, the longest that is allowed", self.max_timeout.as_secs()));
        }
        Ok(change)
    }
}

/// The levels of isolation.
const LEVELS: &[&str] = &["read uncommitted", "read committed", "repeatable read", "serializable"];

fn stays_read_only() -> Change {
    let warning = "transactions stay read-only: the archive is not written through this interface";
    Change { report: None, warning: Some(warning.to_owned()) }
}

fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn switch(value: &str) -> Option<bool> {
    let value = value.trim().to_lowercase();
    match value.as_str() {
        word if ON.contains(&word) => Some(true),
        "off" | "false" | "no" | "0" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// The name of an encoding whose texts are those of UTF-8. PostgreSQL looks only at the letters and digits of a name, so
/// drivers send quotes, hyphens and spaces.
fn encoding(name: &str) -> Option<&'static str> {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    match letters.to_lowercase().as_str() {
        "utf8" | "unicode" => Some("UTF8"),
        "sqlascii" => Some("SQL_ASCII"),
        _ => None,
    }
}

/// A time as PostgreSQL shows it: in the largest unit of which it is a whole number.
fn shown(time: Duration) -> String {
    let milliseconds = time.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
    let unit = units.into_iter().find(|(_, length)| milliseconds > 0 && milliseconds.is_multiple_of(*length));
    unit.map_or_else(|| milliseconds.to_string(), |(unit, length)| format!("{}{unit}", milliseconds / length))
}

/// A time in the form of PostgreSQL's variables.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let microseconds = match unit.trim().to_lowercase().as_str() {
        "" | "ms" => 1e3,
        "us" => 1.0,
        "s" => 1e6,
        "min" => 6e7,
        "h" => 3.6e9,
        "d" => 8.64e10,
        _ => return None,
    };
    let time = number.parse::<f64>().ok()? * microseconds / 1e6;
    Duration::try_from_secs_f64(time).ok()
}

fn unknown(name: &str) -> Failure {
    Failure::new("42704", format!("unrecognized configuration parameter \"{name}\""))
}

fn invalid(name: &str, value: &str) -> Failure {
    Failure::new("22023", format!("invalid value for parameter \"{name}\": \"{value}\""))
}

#[cfg(test)]
mod tests;
