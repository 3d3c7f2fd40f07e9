//! Secrets: from a file that a `*_file` key names, or from the environment. They never become part of the
//! configuration, so nothing that prints a configuration can print a secret.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};

use super::problem::ConfigError;
use super::settings::Settings;
use super::values::OptionalPath;

impl Settings {
    /// The bearer token that the gateway requires.
    pub(crate) fn ingest_token(&self) -> Result<SecretString, ConfigError> {
        self.required("gateway.token", &self.config.gateway.token_file)
    }

    /// The file with the key of the built-in broker; `None` when the environment has the key, or when no file is
    /// configured.
    pub(crate) fn broker_key_file(&self) -> Option<PathBuf> {
        if self.secrets.get("broker.key").is_some() {
            return None;
        }
        self.config.broker.key_file.get().map(|path| self.resolve(path))
    }

    /// The key of the built-in broker: 64 hexadecimal digits.
    pub(crate) fn broker_key(&self) -> Result<SecretString, ConfigError> {
        self.required("broker.key", &self.config.broker.key_file)
    }

    /// The OAUTHBEARER token. Its file is read again at each renewal; a token from the environment cannot be renewed.
    pub(crate) fn oauth_token(&self) -> Result<Option<SecretString>, ConfigError> {
        self.optional("kafka.oauth_token", self.config.kafka.oauth_token_file.get())
    }

    /// All settings for librdkafka, including secrets.
    pub(crate) fn kafka_settings(&self) -> Result<BTreeMap<String, SecretString>, ConfigError> {
        let kafka = &self.config.kafka;
        let plain = kafka.settings.iter().map(|(name, value)| (name.clone(), SecretString::from(value.0.clone())));
        self.with_secrets("kafka.settings.", plain.collect(), &kafka.settings_files)
    }

    /// All options for the object store, including secrets.
    pub(crate) fn archive_options(&self) -> Result<BTreeMap<String, SecretString>, ConfigError> {
        let archive = &self.config.archive;
        let plain = archive.options.iter().map(|(name, value)| (name.clone(), SecretString::from(value.0.clone())));
        self.with_secrets("archive.options.", plain.collect(), &archive.options_files)
    }

    /// The password for the CRM's database; `None` when it needs none.
    pub(crate) fn crm_password(&self) -> Result<Option<SecretString>, ConfigError> {
        self.optional("crm.password", self.config.crm.password_file.get())
    }

    /// The connection string for the CRM's ODBC driver.
    pub(crate) fn crm_connection_string(&self) -> Result<SecretString, ConfigError> {
        self.required("crm.connection_string", &self.config.crm.connection_string_file)
    }

    /// The key that signs commits and checkpoints.
    pub(crate) fn signing_key(&self) -> Result<SecretString, ConfigError> {
        self.required("proof.signing_key", &self.config.proof.signing_key_file)
    }

    /// All options for the mirror's object store, including secrets.
    pub(crate) fn mirror_options(&self) -> Result<BTreeMap<String, SecretString>, ConfigError> {
        let proof = &self.config.proof;
        let plain =
            proof.mirror_options.iter().map(|(name, value)| (name.clone(), SecretString::from(value.0.clone())));
        self.with_secrets("proof.mirror_options.", plain.collect(), &proof.mirror_options_files)
    }

    fn with_secrets(
        &self,
        table: &str,
        mut values: BTreeMap<String, SecretString>,
        files: &BTreeMap<String, PathBuf>,
    ) -> Result<BTreeMap<String, SecretString>, ConfigError> {
        for (name, path) in files {
            let key = format!("{}_files.{name}", table.trim_end_matches('.'));
            values.insert(name.clone(), read_secret(&key, &self.resolve(path))?);
        }
        values.extend(self.secrets.below(table).map(|(name, secret)| (name.to_owned(), secret.clone())));
        Ok(values)
    }

    fn required(&self, key: &str, file: &OptionalPath) -> Result<SecretString, ConfigError> {
        self.optional(key, file.get())?.ok_or_else(|| ConfigError::SecretUnusable {
            key: key.to_owned(),
            what: "missing",
            place: self.file.as_ref().map_or("the configuration".to_owned(), |file| file.display().to_string()),
            advice: format!(
                "name its file with `{key}_file`, or set HOLDFAST__{}",
                key.to_ascii_uppercase().replace('.', "__")
            ),
        })
    }

    fn optional(&self, key: &str, file: Option<&Path>) -> Result<Option<SecretString>, ConfigError> {
        if let Some((variable, secret)) = self.secrets.get(key) {
            if secret.expose_secret().trim().is_empty() {
                return Err(ConfigError::SecretUnusable {
                    key: key.to_owned(),
                    what: "empty",
                    place: format!("environment variable {variable}"),
                    advice: "give it a value or unset it".to_owned(),
                });
            }
            return Ok(Some(secret.clone()));
        }
        file.map(|path| read_secret(&format!("{key}_file"), &self.resolve(path))).transpose()
    }
}

/// The text of a secret's file, without line ends at its end.
fn read_secret(key: &str, path: &Path) -> Result<SecretString, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::SecretUnreadable {
        key: key.to_owned(),
        path: path.to_path_buf(),
        source,
    })?;
    let trimmed = text.trim_end_matches(['\r', '\n']);
    if trimmed.trim().is_empty() {
        return Err(ConfigError::SecretUnusable {
            key: key.to_owned(),
            what: "empty",
            place: path.display().to_string(),
            advice: "put the secret into the file".to_owned(),
        });
    }
    Ok(SecretString::from(trimmed.to_owned()))
}
