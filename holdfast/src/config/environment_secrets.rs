//! The secrets that come from environment variables.

use std::collections::BTreeMap;
use std::fmt;

use age::secrecy::SecretString;

/// Secrets by dotted key, each with the name of its variable. `Debug` shows the names only.
#[derive(Default)]
pub(crate) struct EnvironmentSecrets(BTreeMap<String, (String, SecretString)>);

impl EnvironmentSecrets {
    pub(super) fn insert(&mut self, key: String, variable: &str, value: &str) {
        self.0.insert(key, (variable.to_owned(), SecretString::from(value.to_owned())));
    }

    /// Keys and the names of their variables.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, (variable, _))| (key.as_str(), variable.as_str()))
    }

    /// The name of the variable, and the secret.
    pub(super) fn get(&self, key: &str) -> Option<&(String, SecretString)> {
        self.0.get(key)
    }

    /// The secrets below a table, such as `kafka.settings.`, by the rest of the key.
    pub(super) fn below(&self, table: &str) -> impl Iterator<Item = (&str, &SecretString)> {
        self.0.iter().filter_map(move |(key, (_, secret))| Some((key.strip_prefix(table)?, secret)))
    }
}

impl fmt::Debug for EnvironmentSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.names()).finish()
    }
}
