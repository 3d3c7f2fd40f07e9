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

fn open(folder: &Path, more: &str) -> Credentials {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = folder.join("holdfast.toml");
    std::fs::write(&file, format!("[access]\nusers_file = \"users.toml\"\n{more}")).unwrap();
    Credentials::open(&load(&Sources { file: Some(file), environment: Vec::new() }).unwrap(), Instant::now()).unwrap()
}

#[test]
fn a_changed_file_is_read_within_a_second_and_an_unreadable_one_leaves_the_previous_users_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    add(&path, "kim");
    let begin = Instant::now();
    let credentials = open(folder.path(), "");
    let opened = Instant::now();
    let users = |after: Duration| credentials.directory(opened + after).users().count();
    add(&path, "lee");
    let immediately = credentials.directory(begin).users().count();
    assert_eq!(immediately, 1, "the file is checked at most twice a second");
    assert_eq!(users(Duration::from_millis(500)), 2);

    std::fs::write(&path, "[[users]]\nname = ").unwrap();
    assert_eq!(users(Duration::from_secs(4)), 2);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(users(Duration::from_secs(6)), 2);
    add(&path, "max");
    assert_eq!(users(Duration::from_secs(8)), 1);
}

#[test]
fn without_a_usable_users_file_the_start_fails() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("holdfast.toml");
    std::fs::write(&file, "").unwrap();
    let settings = load(&Sources { file: Some(file), environment: Vec::new() }).unwrap();
    assert!(Credentials::open(&settings, Instant::now()).is_err());
}

/// A provider with one key, on loopback, that counts the requests for its keys.
struct TestProvider {
    pair: EcdsaKeyPair,
    requests: Arc<AtomicUsize>,
    url: String,
}

impl TestProvider {
    async fn start(respond: impl Fn(String) -> axum::response::Response + Clone + Send + Sync + 'static) -> Self {
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
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let handler = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let response = respond(jwks.clone());
            async move { response }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/jwks", axum::routing::get(handler));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { pair, requests, url }
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
async fn the_providers_keys_are_fetched_when_they_are_needed_and_not_for_every_unknown_key() {
    use axum::response::IntoResponse as _;
    let folder = tempfile::tempdir().unwrap();
    add(&folder.path().join("users.toml"), "local");
    let provider = TestProvider::start(|jwks| jwks.into_response()).await;
    let credentials = open(folder.path(), &provider.config());
    assert_eq!(provider.requests.load(Ordering::SeqCst), 0);
    let check = async |token: &str, second: i64| {
        let directory = credentials.directory(Instant::now());
        credentials.check_openid(token, &directory, now() + TimeDelta::seconds(second)).await
    };
    for _ in 0..3 {
        let principal = check(&provider.token("k"), 0).await.unwrap();
        assert_eq!((principal.user.as_str(), principal.role), ("kim", Role::Manager));
    }
    assert_eq!(provider.requests.load(Ordering::SeqCst), 1);
    for second in 1..60 {
        assert_eq!(check(&provider.token("unknown"), second).await, Err(Denied::NeedsKeys));
    }
    assert_eq!(provider.requests.load(Ordering::SeqCst), 2);
    assert!(credentials.is_openid(&provider.token("k")) && !credentials.is_openid("hf_0123456789abcdef_x"));
}

#[tokio::test]
async fn an_openid_user_cannot_have_the_name_of_a_local_user() {
    use axum::response::IntoResponse as _;
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users.toml");
    add(&users, "local");
    let provider = TestProvider::start(|jwks| jwks.into_response()).await;
    let credentials = open(folder.path(), &provider.config());
    let token = provider.token("k");
    let opened = Instant::now();
    let before = credentials.directory(opened);
    assert_eq!(credentials.check_openid(&token, &before, now()).await.unwrap().user, "kim");
    add(&users, "kim");
    let after = credentials.directory(opened + Duration::from_secs(2));
    assert_eq!(credentials.check_openid(&token, &after, now()).await, Err(Denied::LocalName));
}

#[tokio::test]
async fn tokens_are_refused_when_the_provider_sends_no_usable_keys() {
    use axum::response::IntoResponse as _;
    let unusable: [fn(String) -> axum::response::Response; 4] = [
        |_| "<html>".into_response(),
        |_| axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |jwks| format!("{}{jwks}", " ".repeat(300 << 10)).into_response(),
        |_| axum::response::Redirect::temporary("/jwks").into_response(),
    ];
    for respond in unusable {
        let folder = tempfile::tempdir().unwrap();
        add(&folder.path().join("users.toml"), "local");
        let provider = TestProvider::start(respond).await;
        let credentials = open(folder.path(), &provider.config());
        let directory = credentials.directory(Instant::now());
        let outcome = credentials.check_openid(&provider.token("k"), &directory, now()).await;
        assert_eq!(outcome, Err(Denied::NeedsKeys));
        assert_eq!(provider.requests.load(Ordering::SeqCst), 1);
    }
}
