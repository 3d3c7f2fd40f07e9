//! Encrypted connections: they meet the TLS settings, or they fail.

use crate::fixture::{query, server, session, settings, tables};
use holdfast_crm::{CrmError, Server, Source, TableMapping, Tls, TlsMode};
use holdfast_testkit::mariadb::{self, MariaDb};
use holdfast_testkit::postgres::{self, Postgres};
use holdfast_testkit::require;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::Path;

/// A certificate authority, and a certificate for `localhost` that it issued, with the key.
struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

fn certificates() -> Certificates {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Authority of the CRM");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let certificate = params.signed_by(&key, &authority).unwrap();
    Certificates { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Which TLS modes connect to a server with [`Certificates`]. Its table `secured` shows the TLS version of the session.
async fn check_modes(source: impl Fn(Server) -> Source, plain: Server, ca: &Path, from: &str, encrypted: &str) {
    for (mode, ca, host, works) in [
        (TlsMode::Require, None, "127.0.0.1", true),
        (TlsMode::VerifyCa, Some(ca), "127.0.0.1", true),
        (TlsMode::VerifyFull, Some(ca), "localhost", true),
        (TlsMode::VerifyCa, None, "localhost", false),
        (TlsMode::VerifyFull, None, "localhost", false),
        (TlsMode::VerifyFull, Some(ca), "127.0.0.1", false),
    ] {
        let tls = Tls { mode, ca: ca.map(Path::to_owned) };
        let secured = TableMapping { name: "secured".to_owned(), from: from.to_owned(), columns: Default::default() };
        let server = Server { host: host.to_owned(), tls, ..plain.clone() };
        let context = session(settings(source(server), vec![secured]));
        let answer = query(&context, "SELECT * FROM crm.secured").await;
        match answer {
            Ok(rows) => assert!(works && rows.len() == 1 && rows[0].contains(encrypted), "{mode:?} {host}: {rows:?}"),
            Err(error) => {
                assert!(!works, "{mode:?} {host}: {error}");
                assert!(matches!(CrmError::of(&error), Some(CrmError::Unreachable { .. })), "{error}");
                assert!(error.to_string().contains("certificate"), "{mode:?} {host}: {error}");
            }
        }
    }
}

/// A connection that requires TLS to a server without TLS fails.
async fn is_refused_in_plain_text(source: impl Fn(Server) -> Source, plain: Server) {
    let tls = Tls { mode: TlsMode::Require, ca: None };
    let context = session(settings(source(Server { tls, ..plain }), tables("")));
    let error = query(&context, "SELECT * FROM crm.tickets").await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::Unreachable { .. })), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_postgres_meet_the_tls_mode() {
    let mut crm = require!(Postgres::start().await);
    crm.execute("CREATE VIEW secured AS SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").unwrap();
    let plain = server(crm.port(), postgres::DATABASE, postgres::USER, postgres::PASSWORD);
    is_refused_in_plain_text(Source::Postgres, plain.clone()).await;
    let certificates = certificates();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), &certificates.authority).unwrap();
    crm.encrypt(&certificates.certificate, &certificates.key).await.unwrap();
    check_modes(Source::Postgres, plain, ca.path(), "public.secured", "TLSv1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_mariadb_meet_the_tls_mode() {
    let mut crm = require!(MariaDb::start().await);
    crm.execute(
        "CREATE VIEW secured AS SELECT variable_value FROM information_schema.session_status \
         WHERE variable_name = 'SSL_VERSION'",
    )
    .unwrap();
    let plain = server(crm.port(), mariadb::DATABASE, mariadb::USER, mariadb::PASSWORD);
    is_refused_in_plain_text(Source::MySql, plain.clone()).await;
    let certificates = certificates();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), &certificates.authority).unwrap();
    crm.encrypt(&certificates.certificate, &certificates.key).await.unwrap();
    check_modes(Source::MySql, plain, ca.path(), "secured", "TLSv1").await;
}
