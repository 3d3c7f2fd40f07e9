use std::collections::BTreeMap;

use super::*;
use crate::config::{Sources, load};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.insert(path.clone(), Vec::new());
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

#[test]
fn the_created_configuration_works_without_changes() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new/place");
    let created = init(&dir, now()).unwrap();

    let settings = load(&Sources { file: Some(created.config.clone()), environment: Vec::new() }).unwrap();
    assert_eq!(settings.resolve(&settings.config.archive.url), created.archive);
    assert!(created.archive.is_dir());
    let token = settings.ingest_token().unwrap();
    assert!(token.expose_secret().len() == 32 && !token.expose_secret().contains(['+', '/', '=']));
    holdfast_broker::SpoolKey::load(&settings.broker_key_file().unwrap()).unwrap();

    let holders = &settings.config.keys.holders;
    assert_eq!(holders.len(), 2);
    assert_eq!(holders[0].tiers, [TierName::Operational]);
    assert_eq!(holders[1].tiers, TierName::ALL);
    let files: Vec<&str> = created.secret_files.iter().map(String::as_str).collect();
    let expected = [
        "admin.password",
        "broker.key",
        "compliance.identity",
        "compliance.password",
        "ingest.token",
        "manager.identity",
        "manager.password",
        "signing.key",
        "signing.pub",
        "users.toml",
    ];
    assert_eq!(files, expected);
    assert!(!dir.read_dir().unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with('.')));
}

#[test]
fn identities_decrypt_what_is_encrypted_to_their_recipients() {
    let folder = tempfile::tempdir().unwrap();
    let created = init(folder.path(), now()).unwrap();
    for holder in &created.holders {
        let path = created.secrets.join(&holder.identity_file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# created: 2026-11-1") && text.contains(&format!("# public key: {}\n", holder.recipient)),
            "{text}"
        );
        let parsed = age::IdentityFile::from_buffer(text.as_bytes()).unwrap();
        assert_eq!(parsed.into_identities().unwrap().len(), 1);
        let identity: age::x25519::Identity = text.lines().last().unwrap().parse().unwrap();
        let recipient: age::x25519::Recipient = holder.recipient.parse().unwrap();
        let sealed = age::encrypt(&recipient, b"a data key").unwrap();
        assert_eq!(age::decrypt(&identity, &sealed).unwrap(), b"a data key");
    }
}

#[test]
fn the_created_users_authenticate_with_their_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let created = init(folder.path(), now()).unwrap();
    let text = std::fs::read_to_string(created.secrets.join("users.toml")).unwrap();
    let directory = Directory::parse(&text).unwrap();
    assert_eq!(directory.users().count(), 3);
    for role in USERS {
        let password = std::fs::read_to_string(created.secrets.join(format!("{role}.password"))).unwrap();
        let principal = directory.check_password(role.name(), password.trim_end(), now()).unwrap();
        assert_eq!(principal.role, role);
        assert!(!text.contains(password.trim_end()));
    }
}

#[test]
fn secrets_are_readable_only_by_their_owner() {
    let folder = tempfile::tempdir().unwrap();
    let created = init(folder.path(), now()).unwrap();
    assert_eq!(mode(&created.secrets), 0o700);
    for name in &created.secret_files {
        assert_eq!(mode(&created.secrets.join(name)), 0o600, "{name}");
    }
    let shown = [serde_json::to_string(&created).unwrap(), std::fs::read_to_string(&created.config).unwrap()].concat();
    for name in created.secret_files.iter().filter(|name| *name != "signing.pub") {
        let text = std::fs::read_to_string(created.secrets.join(name)).unwrap();
        let secret = text.lines().last().unwrap();
        assert!(!shown.contains(secret), "{name} is shown");
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_is_partially_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    init(dir, now()).unwrap();
    let before = contents(dir);
    let refusal = init(dir, now()).unwrap_err();
    assert!(
        matches!(&refusal, InitError::WouldOverwrite { existing, .. } if existing == &["holdfast.toml", "secrets"])
    );
    assert!(refusal.to_string().starts_with("refuses to overwrite holdfast.toml, secrets; "), "{refusal}");
    assert_eq!(contents(dir), before);

    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(other.path().join("archive/tables")).unwrap();
    let before = contents(other.path());
    assert!(
        matches!(init(other.path(), now()), Err(InitError::WouldOverwrite { existing, .. }) if existing == ["archive"])
    );
    assert_eq!(contents(other.path()), before);

    let file = other.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(init(&file, now()), Err(InitError::NotAFolder { .. })));
    assert!(init(&file.join("below"), now()).is_err());
}

#[test]
fn empty_folders_and_other_files_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("archive")).unwrap();
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    std::fs::write(folder.path().join("README"), "mine").unwrap();
    let created = init(folder.path(), now()).unwrap();
    assert_eq!(mode(&created.secrets), 0o700);
    assert_eq!(std::fs::read_to_string(folder.path().join("README")).unwrap(), "mine");
}

#[test]
fn no_two_installations_share_a_secret() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (init(one.path(), now()).unwrap(), init(two.path(), now()).unwrap());
    assert_ne!(one.verifier_key, two.verifier_key);
    assert_ne!(one.holders[0].recipient, two.holders[0].recipient);
    assert_ne!(one.holders[0].recipient, one.holders[1].recipient);
}
