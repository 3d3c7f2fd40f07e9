//! The archive's location, and its key ring for writing.
//!
//! Options of the object store come from the usual environment variables (`AWS_REGION`, ...) and from
//! `[archive.options]`, which takes precedence. An unknown option is refused.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use age::secrecy::{ExposeSecret, SecretString};
use anyhow::{Context as _, bail};
use holdfast_archive::keys::{Holder, KeyRing};
use holdfast_archive::{Archive, Location, open_store};
use holdfast_events::Tier;
use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;

use crate::config::{Settings, TierName};

/// The kinds of object stores, by their options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    S3,
    Google,
    Azure,
}

impl Kind {
    fn of(url: &str) -> Self {
        match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("s3" | "s3a") => Self::S3,
            Some("gs") => Self::Google,
            Some("az" | "adl" | "abfs" | "abfss") => Self::Azure,
            _ => Self::Folder,
        }
    }

    /// Prefix of its environment variables.
    fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Folder => None,
            Self::S3 => Some("AWS_"),
            Self::Google => Some("GOOGLE_"),
            Self::Azure => Some("AZURE_"),
        }
    }

    /// Whether it has an option with this name.
    fn has_option(self, option: &str) -> bool {
        match self {
            Self::Folder => false,
            Self::S3 => AmazonS3ConfigKey::from_str(option).is_ok(),
            Self::Google => GoogleConfigKey::from_str(option).is_ok(),
            Self::Azure => AzureConfigKey::from_str(option).is_ok(),
        }
    }
}

/// The archive of this configuration. Creates its folder if it does not exist, and reads nothing yet.
pub(crate) fn open(settings: &Settings) -> anyhow::Result<Archive> {
    let options = settings.archive_options()?;
    let location = open_at(settings, &settings.config.archive.url, options, "archive.options");
    Ok(Archive::new(location.context("open the archive")?))
}

/// The options of the archive's object store, including those of the environment.
pub(crate) fn store_options(settings: &Settings) -> anyhow::Result<BTreeMap<String, String>> {
    merged_options(&settings.config.archive.url, settings.archive_options()?, "archive.options")
}

/// The object store at `url`, with the options of the configuration table `table`.
pub(crate) fn open_at(
    settings: &Settings,
    url: &str,
    configured: BTreeMap<String, SecretString>,
    table: &str,
) -> anyhow::Result<Location> {
    Ok(open_store(url, &settings.base, &merged_options(url, configured, table)?)?)
}

fn merged_options(
    url: &str,
    configured: BTreeMap<String, SecretString>,
    table: &str,
) -> anyhow::Result<BTreeMap<String, String>> {
    let configured = configured
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.expose_secret().to_owned()))
        .collect();
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    options(Kind::of(url), environment, configured, table)
}

/// Merges the configured options into those of the environment. Pure.
fn options(
    kind: Kind,
    environment: impl Iterator<Item = (String, String)>,
    configured: BTreeMap<String, String>,
    table: &str,
) -> anyhow::Result<BTreeMap<String, String>> {
    for name in configured.keys() {
        if kind == Kind::Folder {
            bail!("[{table}] has `{name}`, but its URL is a folder, which has no options; remove it");
        }
        if !kind.has_option(name) {
            bail!(
                "[{table}] has `{name}`, which is not an option of the object store of its URL; \
                 https://docs.rs/object_store lists the options, such as aws_region"
            );
        }
    }
    let Some(prefix) = kind.prefix() else { return Ok(configured) };
    let mut options: BTreeMap<String, String> = environment
        .filter(|(name, value)| name.starts_with(prefix) && !value.is_empty())
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| kind.has_option(name))
        .collect();
    options.extend(configured);
    Ok(options)
}

/// The key ring for writing. It has public keys only.
pub(crate) fn key_ring(settings: &Settings, archive: &Archive) -> anyhow::Result<Arc<KeyRing>> {
    let holders = settings
        .config
        .keys
        .holders
        .iter()
        .map(|holder| {
            let recipient = holder.recipient.parse();
            Ok(Holder {
                name: holder.name.clone(),
                recipient: recipient.map_err(|why: &str| {
                    anyhow::anyhow!("the recipient of the holder {} is not usable: {why}", holder.name)
                })?,
                tiers: holder.tiers.iter().map(|name| tier(*name)).collect(),
            })
        })
        .collect::<anyhow::Result<_>>()?;
    let ring = KeyRing::new(Arc::clone(archive.store()), holders).context("set up the key ring")?;
    Ok(Arc::new(ring))
}

fn tier(name: TierName) -> Tier {
    match name {
        TierName::Operational => Tier::Operational,
        TierName::Personal => Tier::Personal,
        TierName::Content => Tier::Content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_configuration_takes_precedence_over_the_environment() {
        let environment = map(&[
            ("AWS_REGION", "from-environment"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_PAGER", "less"),
            ("AWS_ENDPOINT", ""),
            ("GOOGLE_BUCKET", "other"),
            ("HOME", "/"),
        ]);
        let options =
            options(Kind::S3, environment.into_iter(), map(&[("aws_region", "configured")]), "archive.options")
                .unwrap();
        assert_eq!(options, map(&[("aws_access_key_id", "id"), ("aws_region", "configured")]));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        for (kind, name) in [(Kind::S3, "aws_regoin"), (Kind::Google, "aws_region"), (Kind::Folder, "aws_region")] {
            let refused =
                options(kind, std::iter::empty(), map(&[(name, "x")]), "archive.options").unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
        for (kind, name) in [
            (Kind::S3, "aws_endpoint"),
            (Kind::S3, "allow_http"),
            (Kind::Google, "google_service_account"),
            (Kind::Azure, "azure_storage_account_name"),
        ] {
            options(kind, std::iter::empty(), map(&[(name, "x")]), "archive.options").unwrap();
        }
    }

    #[test]
    fn the_scheme_decides_the_kind_of_store() {
        assert_eq!(Kind::of("archive"), Kind::Folder);
        assert_eq!(Kind::of("file:///x"), Kind::Folder);
        assert_eq!(Kind::of("s3://bucket/prefix"), Kind::S3);
        assert_eq!(Kind::of("gs://bucket"), Kind::Google);
        assert_eq!(Kind::of("abfss://container"), Kind::Azure);
    }
}
