//! HTTPS with a self-made certificate, and a sender that is known by the certificate of its client.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use reqwest::{Certificate, Client, Identity, StatusCode};

use crate::installation::{Installation, TIMEOUT, stop};
use crate::sender::{STRUCTURED, chat};

/// A certificate of `authority` for this name and its key, as one PEM.
fn identity(authority: &CertifiedIssuer<'_, KeyPair>, name: &str) -> Identity {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "a sender");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    Identity::from_pem(format!("{}{}", key.serialize_pem(), certificate.pem()).as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_with_a_certificate_is_named_in_its_events() {
    let installation = Installation::new().await.set("ARCHIVE__FLUSH_INTERVAL_SECONDS", "1");
    let made = installation.run(&["keys", "tls"]).await.success();
    assert!(made.contains("tls_certificate_file = \"secrets/tls.crt\""), "{made}");
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "senders");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(installation.secret("senders.crt"), authority.pem()).unwrap();
    let installation = installation
        .set("GATEWAY__TLS_CERTIFICATE_FILE", "secrets/tls.crt")
        .set("GATEWAY__TLS_KEY_FILE", "secrets/tls.key")
        .set("GATEWAY__CLIENT_CA_FILE", "secrets/senders.crt")
        .set("QUERY__TLS_CERTIFICATE_FILE", "secrets/tls.crt")
        .set("QUERY__TLS_KEY_FILE", "secrets/tls.key");
    let trusted = Certificate::from_pem(&std::fs::read(installation.secret("tls.crt")).unwrap()).unwrap();
    let client = |identity: Option<Identity>| {
        let builder = Client::builder()
            .use_rustls_tls()
            .no_proxy()
            .tls_built_in_root_certs(false)
            .add_root_certificate(trusted.clone())
            .timeout(Duration::from_secs(40));
        let builder = match identity {
            Some(identity) => builder.identity(identity),
            None => builder,
        };
        builder.build().unwrap()
    };
    let (nobody, desk) = (client(None), client(Some(identity(&authority, "desk.example"))));

    let server = installation.start();
    let ready = async {
        let url = format!("https://{}/readyz", installation.http);
        while !nobody.get(&url).send().await.is_ok_and(|response| response.status() == StatusCode::OK) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, ready).await.expect("the server gets ready");
    let post = |client: &Client, event: String| {
        let request = client.post(format!("https://{}/v1/events", installation.http));
        request.header("content-type", STRUCTURED).body(event)
    };
    let event = chat("certified", "s-certified", 1, "hello").to_string();
    assert_eq!(post(&desk, event.clone()).send().await.unwrap().status(), StatusCode::ACCEPTED);
    assert_eq!(post(&nobody, event.clone()).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let tokened = post(&nobody, event.replace("\"certified\"", "\"tokened\"")).bearer_auth(installation.token());
    assert_eq!(tokened.send().await.unwrap().status(), StatusCode::ACCEPTED);
    let forged = event.replacen('{', r#"{"sender":"desk.example","#, 1);
    let forged = post(&nobody, forged).bearer_auth(installation.token()).send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    let plain = Client::builder().no_proxy().build().unwrap();
    assert!(plain.get(format!("http://{}/healthz", installation.http)).send().await.is_err());
    let described = nobody.get(format!("https://{}/v1/openapi.json", installation.query)).send().await.unwrap();
    assert_eq!(described.status(), StatusCode::OK);
    let status = installation.run(&["status"]).await.success();
    assert!(status.contains(&format!("https://{}, ready", installation.http)), "{status}");
    stop(server).await;

    let rows = installation.sql("SELECT id, extensions FROM archive.events WHERE type = 'chat.line' ORDER BY id").await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["extensions"].as_str(), Some(r#"{"sender":"desk.example"}"#));
    assert!(rows[1]["extensions"].is_null(), "{rows:?}");
}
