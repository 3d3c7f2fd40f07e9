use super::*;
use proptest::prelude::*;
use ring::pbkdf2;
use std::num::NonZeroU32;

/// The example of RFC 7677, section 3.
const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn salted(password: &str, salt: &str, iterations: u32) -> [u8; 32] {
    let mut out = [0; 32];
    let iterations = NonZeroU32::new(iterations).unwrap();
    let salt = STANDARD.decode(salt).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut out);
    out
}

fn verifier(password: &str) -> Verifier {
    let salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
    let salted = salted(password, salt, 4096);
    let stored = digest::digest(&digest::SHA256, &mac(&salted, b"Client Key"));
    let server = mac(&salted, b"Server Key");
    let text = format!("SCRAM-SHA-256$4096:{salt}${}:{}", STANDARD.encode(stored.as_ref()), STANDARD.encode(server));
    Verifier::parse(&text).unwrap()
}

fn begin(mechanism: &str, first: &str, end_point: Option<&[u8]>) -> Result<(Exchange, String), ScramError> {
    Exchange::begin(mechanism, first.as_bytes(), verifier("pencil"), SERVER_NONCE, end_point)
}

/// The last message of a client with `password`.
fn client_final(exchange: &Exchange, password: &str) -> String {
    let client_key = mac(&salted(password, "W22ZaJ0SNY7soEsUEjb6gQ==", 4096), b"Client Key");
    let stored = digest::digest(&digest::SHA256, &client_key);
    let without_proof = format!("c={},r={}", exchange.channel, exchange.nonce);
    let message = format!("{},{},{without_proof}", exchange.client_first_bare, exchange.server_first);
    let signature = mac(stored.as_ref(), message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(one, other)| one ^ other).collect();
    format!("{without_proof},p={}", STANDARD.encode(proof))
}

#[test]
fn the_example_of_rfc_7677_succeeds() {
    let (exchange, server_first) = begin(PLAIN, CLIENT_FIRST, None).unwrap();
    assert_eq!(server_first, SERVER_FIRST);
    assert_eq!(exchange.finish(CLIENT_FINAL.as_bytes()).unwrap(), SERVER_FINAL);
}

#[test]
fn a_client_with_another_password_fails() {
    let (exchange, _) = begin(PLAIN, CLIENT_FIRST, None).unwrap();
    let wrong = client_final(&exchange, "pencils");
    assert_eq!(exchange.finish(wrong.as_bytes()), Err(ScramError::WrongProof));
    let (exchange, _) = begin(PLAIN, CLIENT_FIRST, None).unwrap();
    let short = format!("c=biws,r={},p=AAAA", exchange.nonce);
    assert_eq!(exchange.finish(short.as_bytes()), Err(ScramError::WrongProof));
}

#[test]
fn a_nonce_cannot_be_replaced() {
    let (exchange, _) = begin(PLAIN, CLIENT_FIRST, None).unwrap();
    let other = CLIENT_FINAL.replace("NlF$k0", "NlF$k1");
    assert_eq!(exchange.finish(other.as_bytes()), Err(ScramError::Invalid("its nonce is different")));
}

#[test]
fn a_channel_is_bound_and_its_binding_cannot_be_removed() {
    let first = "p=tls-server-end-point,,n=,r=abc";
    let (exchange, _) = begin(PLUS, first, Some(b"certificate")).unwrap();
    let right = client_final(&exchange, "pencil");
    assert!(exchange.finish(right.as_bytes()).is_ok());

    let (elsewhere, _) = begin(PLUS, first, Some(b"another certificate")).unwrap();
    assert_eq!(elsewhere.finish(right.as_bytes()), Err(ScramError::Invalid("it is bound to another channel")));
    assert!(begin(PLUS, first, None).is_err());
    assert!(begin(PLUS, "p=tls-unique,,n=,r=abc", Some(b"certificate")).is_err());
    assert!(begin(PLUS, "n,,n=,r=abc", Some(b"certificate")).is_err());
    // The client supports channel binding and believes that the server does not.
    assert!(begin(PLAIN, "y,,n=,r=abc", Some(b"certificate")).is_err());
    assert!(begin(PLAIN, "y,,n=,r=abc", None).is_ok());
}

#[test]
fn invalid_verifiers_are_refused() {
    for text in ["", "md5abc", "SCRAM-SHA-256$4096", "SCRAM-SHA-256$x:AA==$AA==:AA==", "SCRAM-SHA-256$1:AA==$AA==:AA=="]
    {
        assert!(matches!(Verifier::parse(text), Err(ScramError::Verifier(_))), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_or_prove_anything(first in proptest::collection::vec(any::<u8>(), 0..80), last in proptest::collection::vec(any::<u8>(), 0..80)) {
        let begun = Exchange::begin(PLAIN, &first, verifier("pencil"), "x", None);
        if let Ok((exchange, _)) = begun {
            prop_assert!(exchange.finish(&last).is_err());
        }
    }
}
