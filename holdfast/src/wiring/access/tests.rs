use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holdfast_access::{NewUser, Role, Scope};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;

use super::*;
use crate::config::{Sources, load};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

fn add(path: &Path, name: &str) {
    let user = NewUser { name: name.to_owned(), role: Role::Manager, scope: Scope::default(), expires_at: None };
    users_file::change(path, |directory| Ok(directory.add(user, now())?)).unwrap();
}

fn open(folder: &Path, more: &str) -> Access {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = folder.join("holdfast.toml");
    std::fs::write(&file, format!("[access]\nusers_file = \"users.toml\"\n{more}")).unwrap();
    Access::open(&load(&Sources { file: Some(file), environment: Vec::new() }).unwrap(), Instant::now()).unwrap()
}

#[test]
fn changes_of_the_file_are_noticed_within_a_second_and_broken_ones_leave_the_users_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    add(&path, "kim");
    let begin = Instant::now();
    let access = open(folder.path(), "");
    let opened = Instant::now();
    let users = |after: Duration| access.directory(opened + after).users().count();
    add(&path, "lee");
    let at_once = access.directory(begin).users().count();
    assert_eq!(at_once, 1, "looked at no oftener than once a second");
    assert_eq!(users(Duration::from_secs(2)), 2);

    std::fs::write(&path, "[[users]]\nname = ").unwrap();
    assert_eq!(users(Duration::from_secs(4)), 2);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(users(Duration::from_secs(6)), 2);
    add(&path, "max");
    assert_eq!(users(Duration::from_secs(8)), 1);
}

#[test]
fn without_a_usable_file_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("holdfast.toml");
    std::fs::write(&file, "").unwrap();
    let settings = load(&Sources { file: Some(file), environment: Vec::new() }).unwrap();
    assert!(Access::open(&settings, Instant::now()).is_err());
}

/// A provider with one key, that answers on loopback and counts the questions.
struct TestProvider {
    pair: EcdsaKeyPair,
    asked: Arc<AtomicUsize>,
    url: String,
}

impl TestProvider {
    async fn start(answer: impl Fn(String) -> axum::response::Response + Clone + Send + Sync + 'static) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let key = json!({
            "kty": "EC", "crv": "P-256", "kid": "k",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        });
        let jwks = json!({ "keys": [key] }).to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let handler = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let response = answer(jwks.clone());
            async move { response }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/jwks", axum::routing::get(handler));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { pair, asked, url }
    }

    fn config(&self) -> String {
        format!(
            "oidc_issuer = \"https://id.example\"\noidc_audience = \"holdfast\"\noidc_jwks_url = \"{}\"\n\
             [access.oidc_roles]\nleads = \"manager\"\n",
            self.url
        )
    }

    fn token(&self, key: &str) -> String {
        let header = json!({ "alg": "ES256", "kid": key }).to_string();
        let claims = json!({
            "iss": "https://id.example", "aud": "holdfast", "sub": "kim", "roles": ["leads"],
            "exp": now().timestamp() + 3600,
        });
        let message = [header, claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

#[tokio::test]
async fn the_providers_keys_are_fetched_when_they_are_needed_and_not_for_every_invented_key() {
    use axum::response::IntoResponse as _;
    let folder = tempfile::tempdir().unwrap();
    add(&folder.path().join("users.toml"), "local");
    let provider = TestProvider::start(|jwks| jwks.into_response()).await;
    let access = open(folder.path(), &provider.config());
    assert_eq!(provider.asked.load(Ordering::SeqCst), 0);
    let check = async |token: &str, second: i64| {
        access.check_bearer(token, Instant::now(), now() + TimeDelta::seconds(second)).await
    };
    for _ in 0..3 {
        let principal = check(&provider.token("k"), 0).await.unwrap();
        assert_eq!((principal.user.as_str(), principal.role), ("kim", Role::Manager));
    }
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
    for second in 1..60 {
        assert_eq!(check(&provider.token("invented"), second).await, Err(Denied::NeedsKeys));
    }
    assert_eq!(provider.asked.load(Ordering::SeqCst), 2);
    // API tokens go to the directory.
    assert_eq!(check("hf_", 0).await, Err(Denied::MalformedToken));
}

#[tokio::test]
async fn a_provider_that_answers_nonsense_lets_nobody_in() {
    use axum::response::IntoResponse as _;
    let nonsense: [fn(String) -> axum::response::Response; 4] = [
        |_| "<html>".into_response(),
        |_| axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |jwks| format!("{}{jwks}", " ".repeat(300 << 10)).into_response(),
        |_| axum::response::Redirect::temporary("/jwks").into_response(),
    ];
    for answer in nonsense {
        let folder = tempfile::tempdir().unwrap();
        add(&folder.path().join("users.toml"), "local");
        let provider = TestProvider::start(answer).await;
        let access = open(folder.path(), &provider.config());
        let outcome = access.check_bearer(&provider.token("k"), Instant::now(), now()).await;
        assert_eq!(outcome, Err(Denied::NeedsKeys));
        assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
    }
}
