//! `holdfast init`: creates a folder with a configuration that works without changes.
//!
//! ```text
//! refuse to overwrite ─▶ generate keys (in memory) ─▶ write all files into DIR/.init-* ─▶ rename into place
//! ```
//!
//! `holdfast.toml` is renamed last: if it exists, all other files do as well.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use holdfast_access::{Directory, NewUser, NoRandomness, ProcessKey, Role, Scope};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::TierName;

const CONFIG_FILE: &str = "holdfast.toml";
const ARCHIVE_DIR: &str = "archive";
const SECRETS_DIR: &str = "secrets";

/// The holders that are created, and their tiers.
const HOLDERS: [(&str, &[TierName]); 2] = [
    ("manager", &[TierName::Operational]),
    ("compliance", &[TierName::Operational, TierName::Personal, TierName::Content]),
];

/// The users that are created, named like their roles.
const USERS: [Role; 3] = [Role::Manager, Role::Compliance, Role::Admin];
const USERS_FILE: &str = "users.toml";

/// Why nothing was created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error("refuses to overwrite {}; {}; choose another folder with --dir, or move these away", existing.join(", "), dir.display())]
    WouldOverwrite { dir: PathBuf, existing: Vec<String> },
    #[error("is not a folder; {}; choose another one with --dir", path.display())]
    NotAFolder { path: PathBuf },
    #[error("cannot {doing}; {}; no file was left behind; check the permissions and the free space", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the system gave no random numbers; getrandom; nothing was written")]
    Random,
    #[error("cannot create the user {name}; {source}; nothing was written")]
    User { name: &'static str, source: holdfast_access::DirectoryError },
}

/// What was created: names and public keys, no secret.
#[derive(Debug, Serialize)]
pub(crate) struct Created {
    pub(crate) config: PathBuf,
    pub(crate) archive: PathBuf,
    pub(crate) secrets: PathBuf,
    /// Names of the files in `secrets`.
    pub(crate) secret_files: Vec<String>,
    pub(crate) holders: Vec<CreatedHolder>,
    /// The log's public key as a C2SP verifier key.
    pub(crate) verifier_key: String,
}

/// A holder's public half.
#[derive(Debug, Serialize)]
pub(crate) struct CreatedHolder {
    pub(crate) name: String,
    pub(crate) recipient: String,
    pub(crate) tiers: Vec<TierName>,
    /// File with the private half, below `secrets`.
    pub(crate) identity_file: String,
}

/// Creates configuration, archive folder, keys and passwords in `dir`. Creates `dir` if it does not exist.
///
/// # Errors
///
/// [`InitError`]; then all files and folders are as before.
pub(crate) fn init(dir: &Path, now: DateTime<Utc>) -> Result<Created, InitError> {
    refuse_to_overwrite(dir)?;
    let plan = Plan::new(now)?;
    let is_new = !dir.exists();
    std::fs::create_dir_all(dir).map_err(failed("create the folder", dir))?;
    let result = plan.write(dir);
    if result.is_err() && is_new {
        // Fails if the folder is not empty, which keeps files of others.
        let _ = std::fs::remove_dir(dir);
    }
    result?;
    Ok(plan.created(dir))
}

fn refuse_to_overwrite(dir: &Path) -> Result<(), InitError> {
    if dir.exists() && !dir.is_dir() {
        return Err(InitError::NotAFolder { path: dir.to_path_buf() });
    }
    let mut existing = Vec::new();
    for name in [CONFIG_FILE, ARCHIVE_DIR, SECRETS_DIR] {
        let path = dir.join(name);
        let is_empty_folder =
            path.is_dir() && std::fs::read_dir(&path).map_err(failed("list the folder", &path))?.next().is_none();
        // `symlink_metadata` also finds a dangling link.
        if std::fs::symlink_metadata(&path).is_ok() && !is_empty_folder {
            existing.push(name.to_owned());
        }
    }
    if existing.is_empty() { Ok(()) } else { Err(InitError::WouldOverwrite { dir: dir.to_path_buf(), existing }) }
}

/// The content of all files, generated before the first one is written.
struct Plan {
    holders: Vec<CreatedHolder>,
    verifier_key: String,
    secret_files: Vec<(String, Zeroizing<String>)>,
}

impl Plan {
    fn new(now: DateTime<Utc>) -> Result<Self, InitError> {
        let mut holders = Vec::new();
        let mut secret_files = vec![("ingest.token".to_owned(), random_word()?)];
        let mut users = Directory::empty(ProcessKey::generate(&mut fill).map_err(|_| InitError::Random)?);
        for role in USERS {
            let password = random_word()?;
            add_user(&mut users, role, &password, now)?;
            secret_files.push((format!("{role}.password"), password));
        }
        secret_files.push((USERS_FILE.to_owned(), users.to_toml()));
        let created = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        for (name, tiers) in HOLDERS {
            let identity = age::x25519::Identity::generate();
            let recipient = identity.to_public().to_string();
            let identity_file = format!("{name}.identity");
            // The format of `age-keygen`, which the stock tools read.
            let text =
                format!("# created: {created}\n# public key: {recipient}\n{}", identity.to_string().expose_secret());
            secret_files.push((identity_file.clone(), Zeroizing::new(text)));
            holders.push(CreatedHolder { name: name.to_owned(), recipient, tiers: tiers.to_vec(), identity_file });
        }
        // A unique name, because witnesses identify a log by the name of its key.
        let name = format!("holdfast/{:016x}", u64::from_be_bytes(*random::<8>()?));
        let key = holdfast_proof::note::generate(&name, *random::<32>()?).expect("digits and a slash are a name");
        secret_files.push(("signing.key".to_owned(), Zeroizing::new(key.private_key)));
        secret_files.push(("signing.pub".to_owned(), Zeroizing::new(key.verifier_key.clone())));
        secret_files.push(("broker.key".to_owned(), broker_key()?));
        secret_files.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(Self { holders, verifier_key: key.verifier_key, secret_files })
    }

    fn write(&self, dir: &Path) -> Result<(), InitError> {
        // In the same folder, because a rename cannot cross file systems.
        let staging = tempfile::Builder::new()
            .prefix(".init-")
            .tempdir_in(dir)
            .map_err(failed("create a temporary folder", dir))?;
        let secrets = staging.path().join(SECRETS_DIR);
        make_folder(&secrets, 0o700)?;
        for (name, text) in &self.secret_files {
            write_file(&secrets.join(name), &format!("{}\n", text.trim_end()), 0o600)?;
        }
        make_folder(&staging.path().join(ARCHIVE_DIR), 0o700)?;
        write_file(&staging.path().join(CONFIG_FILE), &self.config_text(), 0o644)?;

        let mut placed: Vec<PathBuf> = Vec::new();
        for name in [SECRETS_DIR, ARCHIVE_DIR, CONFIG_FILE] {
            let target = dir.join(name);
            if let Err(error) = place(&staging.path().join(name), &target) {
                for path in placed.iter().rev() {
                    remove(path);
                }
                return Err(failed("move into place", &target)(error));
            }
            placed.push(target);
        }
        sync_folder(dir)
    }

    /// The short configuration. Other settings have their defaults.
    fn config_text(&self) -> String {
        let mut text = String::from(
            "# The configuration of Holdfast. `holdfast config show` prints every setting with its default and its reason.\n\
             # Relative paths start from the folder of this file.\n\
             \n\
             [archive]\n\
             # A folder, or s3://bucket/prefix, gs://bucket/prefix, az://container/prefix.\n\
             url = \"archive\"\n\
             \n\
             [kafka]\n\
             # Bootstrap servers, \"host:port,host:port\". Empty: the built-in broker.\n\
             brokers = \"\"\n\
             \n\
             [broker]\n\
             key_file = \"secrets/broker.key\"\n\
             \n\
             [gateway]\n\
             listen = \"127.0.0.1:8480\"\n\
             token_file = \"secrets/ingest.token\"\n\
             \n\
             # Users and API tokens; `holdfast users` changes the file.\n\
             [access]\n\
             users_file = \"secrets/users.toml\"\n\
             \n\
             # Holders, who can decrypt the archive. Their private keys are secrets/*.identity: give them to these people, and\n\
             # remove them from this machine, which does not need them to archive.\n\
             [keys]\n\
             identities_dir = \"secrets\"\n\
             \n\
             # Queries: SQL over HTTP and over the PostgreSQL wire protocol (127.0.0.1:8481), for the users in\n\
             # secrets/users.toml. Without identities_dir, servers do not serve queries.\n\
             [query]\n\
             identities_dir = \"secrets\"\n",
        );
        for holder in &self.holders {
            let tiers: Vec<String> = holder.tiers.iter().map(|tier| format!("{:?}", tier.as_str())).collect();
            text.push_str(&format!(
                "\n[[keys.holders]]\nname = {:?}\nrecipient = {:?}\ntiers = [{}]\n",
                holder.name,
                holder.recipient,
                tiers.join(", ")
            ));
        }
        text
    }

    fn created(self, dir: &Path) -> Created {
        Created {
            config: dir.join(CONFIG_FILE),
            archive: dir.join(ARCHIVE_DIR),
            secrets: dir.join(SECRETS_DIR),
            secret_files: self.secret_files.into_iter().map(|(name, _)| name).collect(),
            holders: self.holders,
            verifier_key: self.verifier_key,
        }
    }
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, InitError> {
    let mut bytes = Zeroizing::new([0; N]);
    OsRng.try_fill_bytes(&mut *bytes).map_err(|_| InitError::Random)?;
    Ok(bytes)
}

fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    OsRng.try_fill_bytes(bytes).map_err(|_| NoRandomness)
}

fn add_user(users: &mut Directory, role: Role, password: &str, now: DateTime<Utc>) -> Result<(), InitError> {
    let name = role.name();
    let user = NewUser { name: name.to_owned(), role, scope: Scope::default(), expires_at: None };
    users
        .add(user, now)
        .and_then(|()| users.set_password(name, password, now, &mut fill))
        .map_err(|source| InitError::User { name, source })
}

/// A key for the built-in broker: 64 hexadecimal digits.
fn broker_key() -> Result<Zeroizing<String>, InitError> {
    let digits = random::<32>()?
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).expect("four bits are one digit"))
        .collect();
    Ok(Zeroizing::new(digits))
}

/// 192 random bits in base64url, which needs no quoting in a URL, a shell or a connection string.
fn random_word() -> Result<Zeroizing<String>, InitError> {
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*random::<24>()?)))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InitError + use<> {
    let path = path.to_path_buf();
    move |source| InitError::Io { doing, path, source }
}

fn make_folder(path: &Path, mode: u32) -> Result<(), InitError> {
    std::fs::DirBuilder::new().mode(mode).create(path).map_err(failed("create the folder", path))
}

fn write_file(path: &Path, text: &str, mode: u32) -> Result<(), InitError> {
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        // The umask may have removed permissions. The mode must be exact: private for secrets, readable for others.
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(failed("write the file", path))
}

/// Moves a file or folder to a path that does not exist or is an empty folder.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        return std::fs::rename(from, to);
    }
    // A hard link fails if the path exists; a rename would replace a file that was created meanwhile.
    std::fs::hard_link(from, to)
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
}

fn sync_folder(path: &Path) -> Result<(), InitError> {
    std::fs::File::open(path).and_then(|folder| folder.sync_all()).map_err(failed("sync the folder", path))
}

#[cfg(test)]
mod tests;
