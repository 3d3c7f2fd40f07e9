//! Another implementation signs the tokens, with keys that are generated here.

use std::sync::OnceLock;

use jsonwebtoken::{EncodingKey, Header as SignedHeader};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use rsa::pkcs1::{EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

use chrono::TimeDelta;

use super::*;
use crate::{AuthenticationMethod, Role, Rows, Scope};

const NOW: i64 = 1_795_000_000;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key pair of a provider: the private key, and the public key as a JWK.
struct Pair {
    private: EncodingKey,
    public: Value,
}

fn rsa_private() -> &'static rsa::RsaPrivateKey {
    static KEY: OnceLock<rsa::RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap())
}

fn rsa_pair(id: &str) -> Pair {
    let key = rsa_private();
    let public = json!({
        "kty": "RSA", "use": "sig", "kid": id,
        "n": base64(&key.n().to_bytes_be()), "e": base64(&key.e().to_bytes_be()),
    });
    Pair { private: EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes()), public }
}

fn ec_pair(id: &str, curve: &str, algorithm: &'static EcdsaSigningAlgorithm) -> Pair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at((pair.public_key().as_ref().len() - 1) / 2);
    let public = json!({"kty": "EC", "crv": curve, "kid": id, "x": base64(x), "y": base64(y)});
    Pair { private: EncodingKey::from_ec_der(pkcs8.as_ref()), public }
}

fn p256(id: &str) -> Pair {
    ec_pair(id, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING)
}

fn rules() -> JwtRules {
    let roles = [("support-leads", Role::Manager), ("agents", Role::Agent), ("dpo", Role::Compliance)];
    JwtRules {
        issuer: "https://id.example".to_owned(),
        audience: "holdfast".to_owned(),
        user_claim: "sub".to_owned(),
        role_claim: "realm_access.roles".to_owned(),
        roles: roles.into_iter().map(|(name, role)| (name.to_owned(), role)).collect(),
        portals_claim: None,
        agents_claim: Some("https://example.com/agents".to_owned()),
        leeway: TimeDelta::seconds(60),
    }
}

fn verifier(keys: &[&Value]) -> JwtVerifier {
    let mut verifier = JwtVerifier::new(rules());
    assert_eq!(verifier.set_keys(&json!({ "keys": keys }).to_string()).unwrap(), keys.len());
    verifier
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "aud": ["other", "holdfast"], "sub": "kim", "exp": NOW + 300, "nbf": NOW - 10,
        "iat": NOW - 10, "realm_access": {"roles": ["support-leads", "something else"]},
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn sign(pair: &Pair, algorithm: jsonwebtoken::Algorithm, id: Option<&str>, claims: &Value) -> String {
    let header = SignedHeader { kid: id.map(str::to_owned), ..SignedHeader::new(algorithm) };
    jsonwebtoken::encode(&header, claims, &pair.private).unwrap()
}

fn es256(pair: &Pair, claims: &Value) -> String {
    sign(pair, jsonwebtoken::Algorithm::ES256, Some("k"), claims)
}

#[test]
fn every_allowed_algorithm_is_verified() {
    use jsonwebtoken::Algorithm as A;
    let random = SystemRandom::new();
    let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let ed_pair = Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap();
    let ed = Pair {
        private: EncodingKey::from_ed_der(ed.as_ref()),
        public: json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": base64(ed_pair.public_key().as_ref())}),
    };
    let (rsa, p256) = (rsa_pair("rsa"), p256("p256"));
    let p384 = ec_pair("p384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING);
    let verifier = verifier(&[&rsa.public, &p256.public, &p384.public, &ed.public]);
    let signed = [
        (&rsa, A::RS256, "rsa"),
        (&rsa, A::RS384, "rsa"),
        (&rsa, A::RS512, "rsa"),
        (&p256, A::ES256, "p256"),
        (&p384, A::ES384, "p384"),
        (&ed, A::EdDSA, "ed"),
    ];
    for (pair, algorithm, id) in signed {
        let jwt = sign(pair, algorithm, Some(id), &claims());
        let principal = verifier.check(&jwt, now()).unwrap_or_else(|denied| panic!("{algorithm:?}: {denied}"));
        assert_eq!((principal.user.as_str(), principal.role, &principal.rows), ("kim", Role::Manager, &Rows::All));
        assert_eq!(principal.method, AuthenticationMethod::Oidc { issuer: "https://id.example".to_owned() });

        // Any other payload under the same signature is refused.
        let parts: Vec<&str> = jwt.split('.').collect();
        let other = base64(with("sub", json!("admin")).to_string().as_bytes());
        let forged = format!("{}.{other}.{}", parts[0], parts[2]);
        assert_eq!(verifier.check(&forged, now()), Err(JwtError::Signature.into()), "{algorithm:?}");
    }
    // RSA-PSS is not allowed, although the key would verify it.
    let pss = sign(&rsa, A::PS256, Some("rsa"), &claims());
    assert_eq!(verifier.check(&pss, now()), Err(JwtError::Algorithm.into()));
}

#[test]
fn unsigned_tokens_and_the_public_key_as_a_shared_secret_are_denied() {
    let rsa = rsa_pair("k");
    let verifier = verifier(&[&rsa.public]);
    for name in ["none", "None", "NONE", "", "HS256"] {
        let header = base64(json!({"alg": name, "typ": "JWT", "kid": "k"}).to_string().as_bytes());
        let unsigned = format!("{header}.{}.", base64(claims().to_string().as_bytes()));
        assert_eq!(verifier.check(&unsigned, now()), Err(JwtError::Algorithm.into()), "{name}");
    }
    // The public key is public: used as the secret of an HMAC it must not authenticate.
    let der = rsa_private().to_public_key().to_pkcs1_der().unwrap();
    let secrets = [der.as_bytes().to_vec(), rsa.public["n"].as_str().unwrap().as_bytes().to_vec()];
    for secret in secrets {
        let pair = Pair { private: EncodingKey::from_secret(&secret), public: Value::Null };
        for algorithm in [jsonwebtoken::Algorithm::HS256, jsonwebtoken::Algorithm::HS512] {
            let jwt = sign(&pair, algorithm, Some("k"), &claims());
            assert_eq!(verifier.check(&jwt, now()), Err(JwtError::Algorithm.into()));
        }
    }
}

#[test]
fn a_key_verifies_only_its_own_algorithm() {
    let (rsa, mut ec) = (rsa_pair("rsa"), p256("ec"));
    let verifier_of_both = verifier(&[&rsa.public, &ec.public]);
    let crossed = sign(&ec, jsonwebtoken::Algorithm::ES256, Some("rsa"), &claims());
    assert_eq!(verifier_of_both.check(&crossed, now()), Err(JwtError::AlgorithmOfAnotherKey.into()));
    ec.public["alg"] = json!("ES384");
    let jwt = sign(&ec, jsonwebtoken::Algorithm::ES256, Some("ec"), &claims());
    assert_eq!(verifier(&[&ec.public]).check(&jwt, now()), Err(JwtError::AlgorithmOfAnotherKey.into()));
}

#[test]
fn an_unknown_key_is_requested_and_then_verifies() {
    let (old, new) = (p256("old"), p256("k"));
    let mut verifier = verifier(&[&old.public]);
    let jwt = es256(&new, &claims());
    assert_eq!(verifier.check(&jwt, now()), Err(Denied::NeedsKeys));
    // A fetch that returned no key set leaves the keys as they were.
    assert!(verifier.set_keys("<html>").is_err());
    let of_old = sign(&old, jsonwebtoken::Algorithm::ES256, Some("old"), &claims());
    assert!(verifier.check(&of_old, now()).is_ok());
    verifier.set_keys(&json!({"keys": [new.public]}).to_string()).unwrap();
    assert!(verifier.check(&jwt, now()).is_ok());
    assert_eq!(verifier.check(&of_old, now()), Err(Denied::NeedsKeys));
    // Another key with a known id.
    assert_eq!(verifier.check(&es256(&p256("k"), &claims()), now()), Err(JwtError::Signature.into()));
    assert_eq!(JwtVerifier::new(rules()).check(&jwt, now()), Err(Denied::NeedsKeys));
}

#[test]
fn a_token_without_a_key_id_is_accepted_if_only_one_key_fits() {
    let (one, two) = (p256("one"), p256("two"));
    let jwt = sign(&one, jsonwebtoken::Algorithm::ES256, None, &claims());
    assert!(verifier(&[&one.public, &rsa_pair("rsa").public]).check(&jwt, now()).is_ok());
    assert_eq!(verifier(&[&one.public, &two.public]).check(&jwt, now()), Err(JwtError::NoKeyId.into()));
}

#[test]
fn tokens_for_another_audience_or_time_are_denied() {
    let pair = p256("k");
    let verifier = verifier(&[&pair.public]);
    let cases = [
        (with("iss", json!("https://id.example/")), JwtError::Issuer),
        (without("iss"), JwtError::Issuer),
        (with("aud", json!("other")), JwtError::Audience),
        (with("aud", json!(["holdfast2", "xholdfast"])), JwtError::Audience),
        (without("aud"), JwtError::Audience),
        (without("exp"), JwtError::NoExpiry),
        (with("exp", json!("never")), JwtError::Form),
        (with("exp", json!(NOW - 60)), JwtError::Expired),
        (with("nbf", json!(NOW + 61)), JwtError::NotYet),
        (with("iat", json!(NOW + 61)), JwtError::IssuedInFuture),
        (without("sub"), JwtError::User),
        (with("sub", json!(7)), JwtError::User),
        (with("sub", json!("")), JwtError::User),
        (with("sub", json!("a\nb")), JwtError::User),
        (with("sub", json!("x".repeat(257))), JwtError::User),
    ];
    for (claims, fault) in cases {
        assert_eq!(verifier.check(&es256(&pair, &claims), now()), Err(fault.into()), "{claims}");
    }
    for within in [
        with("exp", json!(NOW - 59)),
        with("exp", json!(NOW as f64 + 0.5)),
        with("nbf", json!(NOW + 60)),
        with("aud", json!("holdfast")),
        without("nbf"),
        without("iat"),
    ] {
        assert!(verifier.check(&es256(&pair, &within), now()).is_ok(), "{within}");
    }
}

#[test]
fn only_mapped_claims_give_a_role() {
    let pair = p256("k");
    let verifier = verifier(&[&pair.public]);
    let check = |roles: Value| verifier.check(&es256(&pair, &with("realm_access", json!({ "roles": roles }))), now());
    assert_eq!(check(json!("dpo")).unwrap().role, Role::Compliance);
    assert_eq!(check(json!(["dpo", "dpo"])).unwrap().role, Role::Compliance);
    assert_eq!(check(json!(["dpo", "support-leads"])), Err(Denied::SeveralRoles));
    for nothing in [json!([]), json!("admin"), json!("DPO"), json!(["dpo", 5]), json!(null)] {
        assert_eq!(check(nothing.clone()), Err(Denied::NoRole), "{nothing}");
    }
    assert_eq!(verifier.check(&es256(&pair, &without("realm_access")), now()), Err(Denied::NoRole));
}

#[test]
fn scopes_come_from_their_claims_and_a_missing_claim_does_not_mean_all() {
    let pair = p256("k");
    let mut verifier = verifier(&[&pair.public]);
    let agent = |more: &[(&str, Value)]| {
        let mut claims = with("realm_access", json!({"roles": "agents"}));
        more.iter().for_each(|(name, value)| claims[*name] = value.clone());
        es256(&pair, &claims)
    };
    let own = ("https://example.com/agents", json!("kim"));
    let rows = verifier.check(&agent(std::slice::from_ref(&own)), now()).unwrap().rows;
    let agents = Some(std::iter::once("kim".to_owned()).collect());
    assert_eq!(rows, Rows::Sessions(Scope { portals: None, agents }));
    assert_eq!(verifier.check(&agent(&[]), now()), Err(Denied::NoScope { role: "agent", needs: "agents" }));
    let wrong = agent(&[("https://example.com/agents", json!({"a": 1}))]);
    assert_eq!(verifier.check(&wrong, now()), Err(JwtError::Scope.into()));

    verifier.rules.portals_claim = Some("portals".to_owned());
    assert_eq!(
        verifier.check(&agent(std::slice::from_ref(&own)), now()),
        Err(Denied::NoScope { role: "agent", needs: "portals" })
    );
    assert_eq!(
        verifier.check(&es256(&pair, &claims()), now()),
        Err(Denied::NoScope { role: "manager", needs: "portals" })
    );
    let bounded = verifier.check(&es256(&pair, &with("portals", json!(["emea"]))), now()).unwrap().rows;
    assert!(bounded.covers(Some("emea/de"), &[]) && !bounded.covers(Some("apac"), &[]));
    assert_eq!(verifier.check(&es256(&pair, &with("portals", json!(["*"]))), now()).unwrap().rows, Rows::All);
    assert_eq!(verifier.check(&es256(&pair, &with("portals", json!([]))), now()), Err(JwtError::Scope.into()));
}

#[test]
fn tokens_of_other_types_and_broken_tokens_are_denied() {
    let pair = p256("k");
    let verifier = verifier(&[&pair.public]);
    let with_header = |header: SignedHeader| {
        let header = SignedHeader { kid: Some("k".to_owned()), ..header };
        verifier.check(&jsonwebtoken::encode(&header, &claims(), &pair.private).unwrap(), now())
    };
    let plain = || SignedHeader::new(jsonwebtoken::Algorithm::ES256);
    for kind in ["at+jwt", "application/at+JWT", "jwt"] {
        assert!(with_header(SignedHeader { typ: Some(kind.to_owned()), ..plain() }).is_ok(), "{kind}");
    }
    assert!(with_header(SignedHeader { typ: None, ..plain() }).is_ok());
    let logout = SignedHeader { typ: Some("logout+jwt".to_owned()), ..plain() };
    assert_eq!(with_header(logout), Err(JwtError::Kind.into()));
    let critical = SignedHeader { crit: Some(vec!["b64".to_owned()]), ..plain() };
    assert_eq!(with_header(critical), Err(JwtError::Critical.into()));

    let whole = es256(&pair, &claims());
    for end in 0..whole.len() {
        assert!(verifier.check(&whole[..end], now()).is_err(), "cut at {end}");
    }
    for broken in ["", ".", "..", "...", "a.b.c", &format!("{whole}."), &format!("{whole}=")] {
        assert!(matches!(verifier.check(broken, now()), Err(Denied::BadJwt(_))), "{broken}");
    }
    assert!(matches!(verifier.check(&"a".repeat(MAX_JWT_BYTES + 1), now()), Err(Denied::TooLong { .. })));
}

#[test]
fn unusable_keys_of_a_key_set_are_left_out() {
    let good = p256("k").public;
    let broken = [
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "EC", "crv": "P-521", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "RSA", "n": base64(&[255; 128]), "e": "AQAB"}),
        json!({"kty": "RSA", "use": "enc", "n": base64(&[255; 256]), "e": "AQAB"}),
        json!({"kty": "RSA", "alg": "PS256", "n": base64(&[255; 256]), "e": "AQAB"}),
        json!({"kty": 5}),
        json!("key"),
    ];
    let mut verifier = JwtVerifier::new(rules());
    let count = broken.len();
    assert_eq!(verifier.set_keys(&json!({ "keys": broken }).to_string()), Err(JwksError::NoUsableKey { count }));
    let mut all = broken.to_vec();
    all.push(good.clone());
    assert_eq!(verifier.set_keys(&json!({ "keys": all }).to_string()), Ok(1));
    assert!(matches!(verifier.set_keys(&" ".repeat(300_000)), Err(JwksError::TooLong { .. })));
    assert!(matches!(verifier.set_keys("{}"), Err(JwksError::Text(_))));
    let many = vec![good; 101];
    assert_eq!(verifier.set_keys(&json!({ "keys": many }).to_string()), Err(JwksError::TooMany { count: 101 }));
}
