//! `holdfast keys tls`

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Datelike as _, Days, NaiveTime, SecondsFormat, Utc};
use clap::Args;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::arguments::ConfigArguments;
use crate::cli::outcome::Outcome;
use crate::cli::output::{print, print_json};
use crate::config::Settings;
use crate::wiring::users_file::{folder, new_secret};

/// Names of this machine for itself, which every certificate has.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Days for which a certificate is valid: what clients accept at most.
const VALID_DAYS: u64 = 397;
/// Where the pair is written when the configuration names no files.
const DEFAULT_FILES: [&str; 2] = ["secrets/tls.crt", "secrets/tls.key"];

/// Make a self-signed TLS certificate and its key, for a start. Overwrites nothing.
///
/// It is for the files of gateway.tls_certificate_file and gateway.tls_key_file, else for secrets/tls.crt and
/// secrets/tls.key. Clients trust it when they are given the certificate.
#[derive(Debug, Args)]
pub(crate) struct Tls {
    #[command(flatten)]
    config: ConfigArguments,
    /// Names and addresses by which clients reach the server, beside those of this machine for itself
    names: Vec<String>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    certificate_file: PathBuf,
    key_file: PathBuf,
    names: Vec<String>,
    /// RFC 3339.
    expires_at: String,
    /// Whether the configuration names the files already.
    is_configured: bool,
}

impl Tls {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let made = make(&self.config.load()?, &self.names, Utc::now())?;
        if self.json {
            print_json(&made)?
        } else {
            print(&made.describe())?
        }
        Ok(Outcome::Success)
    }
}

fn make(settings: &Settings, names: &[String], now: DateTime<Utc>) -> anyhow::Result<Made> {
    let gateway = &settings.config.gateway;
    let configured = gateway.tls_certificate_file.get().zip(gateway.tls_key_file.get());
    let [certificate_file, key_file] = match configured {
        Some((certificate, key)) => [certificate, key],
        None => DEFAULT_FILES.map(Path::new),
    }
    .map(|path| settings.resolve(path));
    for file in [&certificate_file, &key_file] {
        if file.symlink_metadata().is_ok() {
            bail!("refuses to overwrite {}; move it away, or name other files in the configuration", file.display());
        }
    }
    let names: Vec<String> = names.iter().cloned().chain(OWN_NAMES.map(str::to_owned)).collect();
    let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
    let expires = today + Days::new(VALID_DAYS);
    let (certificate, key) = self_signed(&names, today - Days::new(1), expires)?;
    for file in [&key_file, &certificate_file] {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder(file))
            .with_context(|| format!("create the folder of {}", file.display()))?;
    }
    new_secret(&key_file, &key)?;
    // Half a pair would be refused the next time as something to overwrite.
    if let Err(error) = new_secret(&certificate_file, &certificate) {
        let _ = std::fs::remove_file(&key_file);
        return Err(error);
    }
    let expires_at = expires.to_rfc3339_opts(SecondsFormat::Secs, true);
    Ok(Made { certificate_file, key_file, names, expires_at, is_configured: configured.is_some() })
}

/// A certificate and its key, both PEM, valid from the beginning of one day to that of another.
fn self_signed(
    names: &[String],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> anyhow::Result<(String, Zeroizing<String>)> {
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:*".contains(&byte))
    };
    if let Some(wrong) = names.iter().find(|name| !is_name(name)) {
        bail!("{wrong:?} is neither a host name nor an address; write it as clients do, such as archive.example");
    }
    let date = |day: DateTime<Utc>| rcgen::date_time_ymd(day.year(), day.month() as u8, day.day() as u8);
    let mut params = CertificateParams::new(names.to_vec()).context("write the names into a certificate")?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Holdfast, self-signed");
    params.not_before = date(from);
    params.not_after = date(until);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().context("generate a key")?;
    let certificate = params.self_signed(&key).context("sign the certificate")?;
    Ok((certificate.pem(), Zeroizing::new(key.serialize_pem())))
}

impl Made {
    fn describe(&self) -> String {
        let (certificate, key) = (self.certificate_file.display(), self.key_file.display());
        let mut text = format!(
            "Made a self-signed certificate for {}.\n\n  certificate  {certificate}\n  key          {key} (readable only by \
             you)\n  valid until  {}\n\n",
            self.names.join(", "),
            self.expires_at
        );
        if !self.is_configured {
            let [certificate, key] = DEFAULT_FILES;
            text.push_str(&format!(
                "To use it, add to [gateway], [query] and [postgres] in the configuration:\n\n  tls_certificate_file = \
                 {certificate:?}\n  tls_key_file = {key:?}\n\n"
            ));
        }
        text.push_str(&format!("Clients trust it when they have it: curl --cacert {certificate} https://...\n"));
        text
    }
}

#[cfg(test)]
mod tests {
    use holdfast_server::{HTTP_ALPN, Tls as Identity, TlsFiles};

    use super::*;
    use crate::config::{Sources, load};
    use crate::init::init;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    #[test]
    fn the_pair_fits_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let created = init(folder.path(), now()).unwrap();
        let settings = load(&Sources { file: Some(created.config), environment: Vec::new() }).unwrap();
        let names = ["archive.example".to_owned(), "192.0.2.1".to_owned()];
        let made = make(&settings, &names, now()).unwrap();
        assert_eq!(made.certificate_file, created.secrets.join("tls.crt"));
        assert_eq!(made.names, ["archive.example", "192.0.2.1", "localhost", "127.0.0.1", "::1"]);
        assert!(made.expires_at.starts_with("2027-12-"), "{}", made.expires_at);
        assert!(made.describe().contains("tls_key_file = \"secrets/tls.key\""), "{}", made.describe());
        let files = TlsFiles {
            certificate: made.certificate_file.clone(),
            key: made.key_file.clone(),
            client_authorities: None,
        };
        let identity = Identity::open(files, HTTP_ALPN).unwrap().current();
        assert!(!identity.is_of_authority() && identity.end_point().is_some());
        let before = std::fs::read(&made.certificate_file).unwrap();
        for present in [&made.certificate_file, &made.key_file] {
            assert!(make(&settings, &names, now()).unwrap_err().to_string().contains("refuses to overwrite"));
            std::fs::rename(present, present.with_extension("old")).unwrap();
        }
        let again = make(&settings, &[], now()).unwrap();
        assert_ne!(std::fs::read(again.certificate_file).unwrap(), before);
    }

    fn settings_of(text: &str, folder: &Path) -> Settings {
        let file = folder.join("holdfast.toml");
        std::fs::write(&file, text).unwrap();
        load(&Sources { file: Some(file), environment: Vec::new() }).unwrap()
    }

    #[test]
    fn a_pair_is_made_for_servers_that_do_not_start_without_it() {
        let base = tempfile::tempdir().unwrap();
        let text = "[gateway]\nlisten = \"0.0.0.0:8480\"\n[query]\nlisten = \"0.0.0.0:8483\"\n";
        let settings = settings_of(text, base.path());
        // The folder is made with it.
        let made = make(&settings, &[], now()).unwrap();
        assert_eq!(made.certificate_file, base.path().join("secrets/tls.crt"));
        assert!(made.certificate_file.exists() && made.key_file.exists());
    }

    #[test]
    fn half_a_pair_is_not_left() {
        let base = tempfile::tempdir().unwrap();
        // A name that no file system takes.
        let text =
            format!("[gateway]\ntls_certificate_file = \"new/{}\"\ntls_key_file = \"new/tls.key\"\n", "x".repeat(300));
        let settings = settings_of(&text, base.path());
        let refused = format!("{:#}", make(&settings, &[], now()).unwrap_err());
        assert!(refused.contains("create "), "{refused}");
        assert_eq!(std::fs::read_dir(base.path().join("new")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "two names", "a\nb", "https://archive.example", "archív.example"] {
            let refused = self_signed(&[name.to_owned()], now(), now() + Days::new(1)).unwrap_err().to_string();
            assert!(refused.contains("neither a host name nor an address"), "{refused}");
        }
    }
}
