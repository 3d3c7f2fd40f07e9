use std::path::{Path, PathBuf};
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use holdfast_access::{NewUser, Role, Scope as AccessScope, SystemRandomness};
use holdfast_query::{AccessEnd, AccessId, AccessRecord, Unrecorded};

use super::*;
use crate::config::{Sources, load};
use crate::wiring::{archive, users_file};

const PASSWORD: &str = "correct horse battery";
/// An address, and another one.
const HERE: &str = "192.0.2.1";
const THERE: &str = "192.0.2.2";

/// Keeps the refusals.
#[derive(Default)]
struct Refusals(Mutex<Vec<(String, String)>>);

impl Refusals {
    fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[async_trait]
impl AuditTrail for Refusals {
    async fn begin(&self, _: &AuthenticatedUser, _: &AccessRecord) -> Result<AccessId, Unrecorded> {
        Ok(AccessId("1".to_owned()))
    }

    async fn end(
        &self,
        _: &AuthenticatedUser,
        _: &AccessRecord,
        _: &AccessId,
        _: &AccessEnd,
    ) -> Result<(), Unrecorded> {
        Ok(())
    }

    async fn denied(&self, denial: &Denial) -> Result<(), Unrecorded> {
        self.0.lock().unwrap().push((denial.user.clone(), denial.reason.clone()));
        Ok(())
    }
}

/// An authentication over a users file with the manager `kim`.
struct Setting {
    authentication: Authentication,
    refusals: Arc<Refusals>,
    users: PathBuf,
    /// A token of `kim`.
    token: String,
    _folder: tempfile::TempDir,
}

impl Setting {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users.toml");
        let token = users_file::change(&users, |directory| {
            let scope = AccessScope::default();
            let kim = NewUser { name: "kim".to_owned(), role: Role::Manager, scope, expires_at: None };
            directory.add(kim, Utc::now())?;
            directory.set_password("kim", PASSWORD, Utc::now(), &mut SystemRandomness)?;
            Ok(directory.issue_token("kim", "excel", None, Utc::now(), &mut SystemRandomness)?.reveal().to_owned())
        });
        let keys = folder.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        std::fs::write(keys.join("reader.identity"), Identity::generate().to_string().expose_secret()).unwrap();
        let file = folder.path().join("holdfast.toml");
        std::fs::write(&file, "[access]\nusers_file = \"users.toml\"\n[keys]\nidentities_dir = \"keys\"\n").unwrap();
        let settings = load(&Sources { file: Some(file), environment: Vec::new() }).unwrap();
        let refusals = Arc::new(Refusals::default());
        let audit_trail = Arc::clone(&refusals) as Arc<dyn AuditTrail>;
        let credentials = Credentials::open(&settings, Instant::now()).unwrap();
        let archive = archive::open(&settings).unwrap();
        let authentication = Authentication::open(&settings, archive, credentials, audit_trail, Vec::new()).unwrap();
        Self { authentication, refusals, users, token: token.unwrap(), _folder: folder }
    }

    async fn by_token(&self, token: &str, remote: &str) -> Result<Reader, AuthenticationError> {
        self.authentication.by_token(token, Interface::Http, Some(remote.to_owned())).await
    }

    async fn by_password(&self, password: &str, remote: &str) -> Result<Reader, AuthenticationError> {
        self.authentication.by_password("kim", password, Interface::Http, Some(remote.to_owned())).await
    }

    async fn begin_scram(&self, remote: &str) -> Result<ScramAttempt, AuthenticationError> {
        self.authentication.begin_scram("kim", Some(remote.to_owned())).await
    }
}

/// The token with this id, which does not exist.
fn unknown_token(id: u64) -> String {
    format!("hf_{id:016x}_{}", "A".repeat(43))
}

fn is_throttled<T>(outcome: &Result<T, AuthenticationError>) -> bool {
    matches!(outcome, Err(AuthenticationError::TooManyTries(_)))
}

fn pair(user: &str, reason: &str) -> (String, String) {
    (user.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn a_remembered_secret_takes_back_no_attempt_of_others() {
    let setting = Setting::new();
    assert!(setting.by_token(&setting.token, HERE).await.is_ok());
    assert!(setting.by_password(PASSWORD, HERE).await.is_ok());
    let mut throttled = 0;
    for id in 0..200 {
        throttled += usize::from(is_throttled(&setting.by_token(&unknown_token(id), HERE).await));
        // Neither counts, at an address that is throttled as well.
        assert!(setting.by_token(&setting.token, HERE).await.is_ok());
        assert!(setting.by_password(PASSWORD, HERE).await.is_ok());
    }
    assert_eq!(throttled, 150);
    let refusals = setting.refusals.take();
    assert_eq!(refusals.len(), 200, "one record for each refused try");
    assert_eq!(refusals[0], pair("token 0000000000000000", "unknown_token"));
    assert_eq!(refusals[199], pair("token 00000000000000c7", "throttled"));
}

#[tokio::test]
async fn a_token_that_is_not_remembered_passes_the_throttle_before_it_is_hashed() {
    let setting = Setting::new();
    let remembered = || setting.authentication.credentials.directory(Instant::now()).remembers_token(&setting.token);
    for id in 0..50 {
        assert!(!is_throttled(&setting.by_token(&unknown_token(id), HERE).await));
    }
    assert!(is_throttled(&setting.by_token(&setting.token, HERE).await));
    assert!(!remembered(), "it was not hashed");
    assert!(setting.by_token(&setting.token, THERE).await.is_ok());
    assert!(remembered() && setting.by_token(&setting.token, HERE).await.is_ok());
}

#[tokio::test]
async fn many_requests_at_once_with_one_right_token_are_all_answered() {
    let setting = Setting::new();
    let requests = (0..60).map(|_| setting.by_token(&setting.token, HERE));
    let outcomes = futures::future::join_all(requests).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert!(setting.refusals.take().is_empty());
}

#[tokio::test]
async fn exchanges_that_clients_leave_are_recorded_and_lock_nobody_out_elsewhere() {
    let setting = Setting::new();
    for _ in 0..10 {
        let attempt = setting.begin_scram(HERE).await.unwrap();
        setting.authentication.scram_failed(&attempt, ScramFailure::Abandoned).await;
    }
    assert_eq!(setting.refusals.take(), vec![pair("kim", "abandoned"); 10]);
    assert!(is_throttled(&setting.begin_scram(HERE).await));
    assert!(is_throttled(&setting.by_password(PASSWORD, HERE).await));
    assert_eq!(setting.refusals.take(), vec![pair("kim", "throttled"); 2], "each refusal is recorded once");
    // From another address the user logs in, as often as they like.
    assert!(setting.by_password(PASSWORD, THERE).await.is_ok());
    for _ in 0..30 {
        let attempt = setting.begin_scram(THERE).await.unwrap();
        assert!(setting.authentication.by_scram(&attempt).await.is_ok());
    }
    assert!(is_throttled(&setting.begin_scram(HERE).await));
}

#[tokio::test]
async fn an_exchange_with_a_verifier_that_was_replaced_meanwhile_is_refused() {
    let setting = Setting::new();
    let attempt = setting.begin_scram(HERE).await.unwrap();
    let verifier = attempt.verifier.replace("4096", "4097");
    let outdated = ScramAttempt { verifier, ..attempt.clone() };
    let refused = setting.authentication.by_scram(&outdated).await;
    assert!(matches!(refused, Err(AuthenticationError::Credentials(_))), "{refused:?}");
    let unknown = ScramAttempt { user: "nobody".to_owned(), ..attempt };
    assert!(setting.authentication.by_scram(&unknown).await.is_err());
    let too_long = setting.authentication.begin_scram(&"x".repeat(1 << 20), Some(HERE.to_owned())).await;
    assert!(matches!(too_long, Err(AuthenticationError::Credentials(_))), "{too_long:?}");
    let reasons: Vec<String> = setting.refusals.take().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, ["password_changed", "unknown_user", "too_long"]);
}

/// Waits until the account of a reader is no longer what it was.
async fn changed(reader: &Reader) -> String {
    for _ in 0..500 {
        if let Err(changed) = reader.check_account() {
            return changed.reason;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the change is not noticed");
}

fn change(users: &Path, change: impl FnOnce(&mut Directory) -> Result<(), holdfast_access::DirectoryError>) {
    users_file::change(users, |directory| Ok(change(directory)?)).unwrap();
}

#[tokio::test]
async fn the_account_of_a_reader_follows_the_users_file() {
    let setting = Setting::new();
    let with_token = setting.by_token(&setting.token, HERE).await.unwrap();
    let with_password = setting.by_password(PASSWORD, HERE).await.unwrap();
    let attempt = setting.begin_scram(HERE).await.unwrap();
    let with_scram = setting.authentication.by_scram(&attempt).await.unwrap();
    for reader in [&with_token, &with_password, &with_scram] {
        assert_eq!(reader.check_account(), Ok(()));
    }
    change(&setting.users, |directory| {
        directory.set_password("kim", "another horse battery", Utc::now(), &mut SystemRandomness)
    });
    assert_eq!(changed(&with_scram).await, "password_changed");
    assert_eq!(changed(&with_password).await, "password_changed");
    assert_eq!(with_token.check_account(), Ok(()));
    change(&setting.users, |directory| directory.set_disabled("kim", true));
    assert_eq!(changed(&with_token).await, "disabled");
}

#[tokio::test]
async fn a_user_who_is_disabled_while_a_secret_waits_for_its_check_is_refused() {
    let setting = Setting::new();
    let places = u32::try_from(CONCURRENT_CHECKS).unwrap();
    let held = setting.authentication.checks.acquire_many(places).await.unwrap();
    let disable = async {
        change(&setting.users, |directory| directory.set_disabled("kim", true));
        // The file is read anew at the time of its next check.
        let disabled = setting.authentication.credentials.directory(Instant::now() + Duration::from_secs(1));
        assert!(disabled.check_token(&setting.token, Utc::now()).is_err());
        drop(held);
    };
    // The first two have taken the users when the third runs, and wait for a place.
    let (by_token, by_password, ()) =
        tokio::join!(setting.by_token(&setting.token, HERE), setting.by_password(PASSWORD, HERE), disable);
    for outcome in [by_token, by_password] {
        assert!(matches!(outcome, Err(AuthenticationError::Credentials(_))), "{outcome:?}");
    }
    let reasons: Vec<String> = setting.refusals.take().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, ["disabled"; 2]);
}

#[test]
fn each_role_reads_with_identities_that_open_its_own_tiers_only() {
    let key = |tiers: &[Tier]| Key { identity: Identity::generate(), tiers: tiers.to_vec() };
    let manager = key(&[Tier::Operational]);
    let compliance = key(&Tier::ALL);
    let keys = [manager.clone(), compliance.clone()];
    let chosen = |keys: &[Key], tiers: &[Tier]| -> Vec<String> {
        keys_for(keys, tiers).iter().map(|identity| identity.to_public().to_string()).collect()
    };
    let name = |key: &Key| key.identity.to_public().to_string();
    assert_eq!(chosen(&keys, &[Tier::Operational]), [name(&manager)]);
    assert_eq!(chosen(&keys, &Tier::ALL), [name(&manager), name(&compliance)]);
    // Without such an identity, only the visibility restricts the user.
    assert_eq!(chosen(std::slice::from_ref(&compliance), &[Tier::Operational]), [name(&compliance)]);
    assert!(chosen(&keys, &[]).is_empty());
}
