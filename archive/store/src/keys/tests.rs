//! Master keys are decrypted by their holders and by no other caller.

use super::*;
use crate::{Archive, ArchiveError, Location, paths};
use age::secrecy::ExposeSecret;
use holdfast_events::Tier;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;

fn archive() -> Archive {
    let url = url::Url::parse("memory:///").unwrap();
    Archive::new(Location { url, store: Arc::new(InMemory::new()) })
}

fn holder(name: &str, tiers: &[Tier]) -> (age::x25519::Identity, Holder) {
    let identity = age::x25519::Identity::generate();
    let holder = Holder { name: name.to_owned(), recipient: identity.to_public(), tiers: tiers.to_vec() };
    (identity, holder)
}

fn november(tier: Tier) -> MasterKeyId {
    MasterKeyId { tier, class: "general".to_owned(), month: "2026-11".to_owned() }
}

#[test]
fn ids_are_read_back() {
    let id = MasterKeyId::of(Tier::Personal, "general", 20_780);
    assert_eq!(id.to_string(), "personal/general/2026-11");
    assert_eq!(MasterKeyId::parse("personal/general/2026-11"), Some(id));
    for wrong in
        ["", "personal", "secret/general/2026-11", "personal/../2026-11", "personal/general/2026-11/x", "personal//x"]
    {
        assert_eq!(MasterKeyId::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn key_metadata_is_the_key_tools_json() {
    let material = KeyMaterial { master: november(Tier::Content), wrapped: b"age".to_vec() };
    assert_eq!(
        String::from_utf8(material.to_json(false)).unwrap(),
        r#"{"keyMaterialType":"PKMT1","internalStorage":true,"isFooterKey":false,"masterKeyID":"content/general/2026-11","doubleWrapping":false,"wrappedDEK":"YWdl"}"#
    );
    for footer in [true, false] {
        assert_eq!(KeyMaterial::parse(&material.to_json(footer)), Ok(material.clone()));
    }
    assert!(KeyMaterial::parse(b"{}").is_err());
    assert!(KeyMaterial::parse(b"\xff").is_err());
}

#[tokio::test]
async fn only_its_holders_decrypt_a_master_key() {
    let archive = archive();
    let (manager, first) = holder("manager", &[Tier::Operational]);
    let (officer, second) = holder("compliance", &Tier::ALL);
    let ring = KeyRing::new(Arc::clone(archive.store()), vec![first, second]).unwrap();
    for tier in Tier::ALL {
        ring.recipient(&november(tier)).await.unwrap();
    }
    let manager = Unlocker::new(archive.clone(), vec![manager]);
    let officer = Unlocker::new(archive.clone(), vec![officer]);
    let without_identity = Unlocker::new(archive.clone(), vec![]);
    let stranger = Unlocker::new(archive.clone(), vec![age::x25519::Identity::generate()]);
    for tier in Tier::ALL {
        let id = november(tier);
        let recipient = ring.recipient(&id).await.unwrap().to_string();
        assert_eq!(officer.master(&id).await.unwrap().to_public().to_string(), recipient);
        assert_eq!(manager.master(&id).await.is_ok(), tier == Tier::Operational);
        for other in [&without_identity, &stranger] {
            assert!(matches!(other.master(&id).await, Err(ArchiveError::NoKey { .. })));
        }
    }
    assert_eq!(manager.tiers(), [Tier::Operational]);
    let absent = MasterKeyId { month: "1999-01".to_owned(), ..november(Tier::Content) };
    assert!(matches!(officer.master(&absent).await, Err(ArchiveError::MissingKey { .. })));
}

#[tokio::test]
async fn rings_that_race_agree_on_one_key() {
    let archive = archive();
    let (_, officer) = holder("compliance", &Tier::ALL);
    let rings: Vec<_> =
        (0..8).map(|_| Arc::new(KeyRing::new(Arc::clone(archive.store()), vec![officer.clone()]).unwrap())).collect();
    let tasks: Vec<_> = rings
        .iter()
        .map(|ring| {
            let ring = Arc::clone(ring);
            tokio::spawn(async move { ring.recipient(&november(Tier::Content)).await.unwrap().to_string() })
        })
        .collect();
    let mut recipients = Vec::new();
    for task in tasks {
        recipients.push(task.await.unwrap());
    }
    recipients.dedup();
    assert_eq!(recipients.len(), 1);
}

#[tokio::test]
async fn a_missing_public_half_is_written_from_the_header_of_the_private_one() {
    let archive = archive();
    let (identity, officer) = holder("compliance", &Tier::ALL);
    let ring = || KeyRing::new(Arc::clone(archive.store()), vec![officer.clone()]).unwrap();
    let id = november(Tier::Content);
    let before = ring().recipient(&id).await.unwrap().to_string();
    archive.store().delete(&paths::master_public(&id)).await.unwrap();
    assert_eq!(ring().recipient(&id).await.unwrap().to_string(), before);
    let opened = Unlocker::new(archive.clone(), vec![identity]).master(&id).await.unwrap();
    assert_eq!(opened.to_public().to_string(), before);
    // No object contains a private half in plain text.
    let mut objects = archive.store().list(None);
    while let Some(object) = futures::StreamExt::next(&mut objects).await {
        let bytes = archive.store().get(&object.unwrap().location).await.unwrap().bytes().await.unwrap();
        let secret = opened.to_string();
        assert!(!bytes.windows(20).any(|window| window == &secret.expose_secret().as_bytes()[..20]));
    }
}

#[test]
fn a_ring_without_holders_is_refused() {
    let (_, manager) = holder("manager", &[Tier::Operational]);
    let refused = KeyRing::new(Arc::new(InMemory::new()), vec![manager]).unwrap_err();
    assert!(matches!(refused, ArchiveError::NoHolder { tier: Tier::Personal }));
}
