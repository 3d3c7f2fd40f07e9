//! `holdfast keys`

mod tls;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chrono::Utc;
use clap::{Args, Subcommand, ValueEnum};
use holdfast_archive::seal::name_dead_letters;
use holdfast_events::Timestamp;
use holdfast_proof::note::{self, SigningKey};
use rand::TryRngCore as _;
use serde::Serialize;
use zeroize::Zeroizing;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use super::runtime::block_on;
use super::session_context::Session;
use crate::config::Settings;
use crate::render::text::count;
use crate::wiring::{archive, proof};

/// Manage keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    Rotate(Rotate),
    Tls(tls::Tls),
}

/// Replace a key with a new one.
///
/// `signing`: the key that signs commits and checkpoints. All pending commits are added to the proof log first, under
/// the old key. From then on the old key is valid only for what it has signed. Before, stop all processes that archive
/// or seal, and then give them the new key.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    config: ConfigArguments,
    /// Which key
    key: Key,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Key {
    Signing,
}

#[derive(Debug, Serialize)]
struct Rotated {
    log: String,
    retired: String,
    retired_at: u64,
    key: String,
    signing_key_file: PathBuf,
    public_keys_file: PathBuf,
}

impl KeysCommand {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let rotate = match self {
            Self::Rotate(rotate) => rotate,
            Self::Tls(command) => return command.run(),
        };
        let settings = rotate.config.load()?;
        session.start_quiet_log(&settings);
        let rotated = match rotate.key {
            Key::Signing => block_on(signing(&settings, session))?,
        };
        if rotate.json {
            print_json(&rotated)?;
        } else {
            print(&rotated.describe())?;
        }
        Ok(Outcome::Success)
    }
}

async fn signing(settings: &Settings, session: &Session) -> anyhow::Result<Rotated> {
    let old = proof::signing_key(settings)?;
    let Some(signing_key_file) = settings.config.proof.signing_key_file.get().map(|path| settings.resolve(path)) else {
        bail!("the signing key does not come from `proof.signing_key_file`, so it cannot be replaced here");
    };
    let current = std::fs::read_to_string(&signing_key_file).map(Zeroizing::new);
    let current = current.with_context(|| format!("read {}", signing_key_file.display()))?;
    if SigningKey::parse(&current).ok().is_none_or(|key| key.id() != old.id()) {
        bail!("the signing key in force is not the one in {}; replace it at its source", signing_key_file.display());
    }
    let public_keys_file = settings.resolve(&settings.config.proof.public_keys_file);
    let trusted = std::fs::read_to_string(&public_keys_file)
        .with_context(|| format!("read the log's public keys from {}", public_keys_file.display()))?;

    let archive = archive::open(settings)?;
    let mut integrator = proof::integrator(settings, &archive, old.clone())?;
    let now = Timestamp(Utc::now().timestamp_micros());
    // An archiver that died may have left dead letters that nothing brings into the proof log under the old key.
    name_dead_letters(&archive, &old, now).await?;
    let done = integrator.finish(now).await?;
    if !done.has_lease {
        bail!("another process writes to the proof log; stop everything that archives or seals, and try again");
    }
    for failed in done.failed {
        session.remark(&format!("warning: {failed}"));
    }

    let mut seed = Zeroizing::new([0; 32]);
    rand::rngs::OsRng.try_fill_bytes(&mut *seed).context("the operating system gave no random bytes")?;
    let pair = note::generate(old.name(), *seed).context("generate a key with the log's name")?;
    let private_key = Zeroizing::new(pair.private_key);
    let new = SigningKey::parse(&private_key).context("read the new key")?;
    // After each step the files are usable: the old key signs until the new one replaces it.
    let wrong = || format!("{} is not usable", public_keys_file.display());
    let both = note::with_key(&trusted, new.verifier_key()).with_context(wrong)?;
    let retired = note::with_others_retired(&both, new.id(), done.size).with_context(wrong)?;
    replace(&public_keys_file, &both)?;
    replace(&signing_key_file, &private_key)?;
    replace(&public_keys_file, &retired)?;
    Ok(Rotated {
        log: new.name().to_owned(),
        retired: old.verifier_key().to_owned(),
        retired_at: done.size,
        key: new.verifier_key().to_owned(),
        signing_key_file,
        public_keys_file,
    })
}

/// Replaces a file atomically and durably, and keeps its permissions.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
        let mut file =
            tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(mode)).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("replace {}", path.display()))
}

impl Rotated {
    fn describe(&self) -> String {
        format!(
            "The log {} is signed with a new key.\n\n  old  {}\n       valid for the first {} leaves\n  new  {}\n\n\
             Give {} to all processes that archive or seal before they start again,\n\
             and {} to all auditors and witnesses.\n",
            self.log,
            self.retired,
            count(self.retired_at),
            self.key,
            self.signing_key_file.display(),
            self.public_keys_file.display(),
        )
    }
}
