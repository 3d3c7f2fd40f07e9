//! Real clients over real sockets: HTTP/2 over TLS, certificates of clients, and files that change while clients come.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use holdfast_server::{ClientCertificate, HTTP_ALPN, ServeSettings, Tls, TlsFiles, serve};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use reqwest::{Certificate, Client, Identity, Version};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// An authority, with its key.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for these names and its key, both PEM.
    fn issue(&self, names: &[&str], usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a certificate");
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn for_server(&self) -> (String, String) {
        self.issue(&["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client that trusts the authority, with a certificate if there is one.
    fn client(&self, identity: Option<(String, String)>) -> Client {
        let builder = Client::builder()
            .use_rustls_tls()
            .no_proxy()
            .tls_built_in_root_certs(false)
            .add_root_certificate(Certificate::from_pem(self.0.pem().as_bytes()).unwrap())
            .timeout(Duration::from_secs(30));
        let builder = match identity {
            Some((certificate, key)) => {
                builder.identity(Identity::from_pem(format!("{key}{certificate}").as_bytes()).unwrap())
            }
            None => builder,
        };
        builder.build().unwrap()
    }
}

struct Server {
    folder: TempDir,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Server {
    /// A server that answers with the name in the client's certificate.
    async fn start((certificate, key): (String, String), clients: Option<&Authority>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { folder, address: listener.local_addr().unwrap(), stop: CancellationToken::new() };
        server.replace("tls.crt", &certificate);
        server.replace("tls.key", &key);
        if let Some(clients) = clients {
            server.replace("clients.crt", &clients.0.pem());
        }
        let files = TlsFiles {
            certificate: server.path("tls.crt"),
            key: server.path("tls.key"),
            client_authorities: clients.map(|_| server.path("clients.crt")),
        };
        let settings = ServeSettings { tls: Some(Tls::open(files, HTTP_ALPN).unwrap()), ..ServeSettings::default() };
        let router = Router::new().route(
            "/",
            get(|request: Request| async move {
                let certificate = request.extensions().get::<ClientCertificate>();
                certificate.map_or("nobody".to_owned(), |certificate| certificate.name.to_string())
            }),
        );
        tokio::spawn(serve(listener, router, settings, server.stop.clone()));
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn replace(&self, name: &str, text: &str) {
        std::fs::write(self.path("new"), text).unwrap();
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    async fn get(&self, client: &Client) -> reqwest::Result<reqwest::Response> {
        client.get(format!("https://localhost:{}/", self.address.port())).send().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn http_2_is_negotiated_and_older_clients_get_http_1() {
    let authority = Authority::new("authority");
    let server = Server::start(authority.for_server(), None).await;
    let response = server.get(&authority.client(None)).await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (Version::HTTP_2, 200));
    // Loopback is every program's, so the browser must not remember it.
    assert!(response.headers().get("strict-transport-security").is_none());
    assert_eq!(response.text().await.unwrap(), "nobody");
    let old = Client::builder()
        .use_rustls_tls()
        .no_proxy()
        .http1_only()
        .add_root_certificate(Certificate::from_pem(authority.0.pem().as_bytes()).unwrap())
        .build()
        .unwrap();
    assert_eq!(server.get(&old).await.unwrap().version(), Version::HTTP_11);
    let stranger = Authority::new("another authority");
    assert!(server.get(&stranger.client(None)).await.is_err(), "the client does not trust the certificate");
}

#[tokio::test]
async fn a_client_is_known_by_its_certificate_and_one_of_another_authority_is_refused() {
    let (authority, clients) = (Authority::new("authority"), Authority::new("senders"));
    let server = Server::start(authority.for_server(), Some(&clients)).await;
    let desk = || clients.issue(&["desk.example.org"], ExtendedKeyUsagePurpose::ClientAuth);
    let response = server.get(&authority.client(Some(desk()))).await.unwrap();
    assert_eq!(response.text().await.unwrap(), "desk.example.org");
    // A certificate is optional here; what needs one decides for itself.
    let response = server.get(&authority.client(None)).await.unwrap();
    assert_eq!(response.text().await.unwrap(), "nobody");
    let forged = Authority::new("senders").issue(&["desk.example.org"], ExtendedKeyUsagePurpose::ClientAuth);
    let for_servers = clients.issue(&["desk.example.org"], ExtendedKeyUsagePurpose::ServerAuth);
    for refused in [forged, for_servers] {
        assert!(server.get(&authority.client(Some(refused))).await.is_err());
    }
}

#[tokio::test]
async fn new_files_are_in_force_for_new_connections_and_a_broken_pair_is_not() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = Server::start(old.for_server(), None).await;
    let connected = old.client(None);
    assert!(server.get(&connected).await.is_ok());
    let (certificate, key) = new.for_server();
    server.replace("tls.crt", &certificate);
    // The key is still the old one: long enough for several looks at the files.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(server.get(&old.client(None)).await.is_ok());
    server.replace("tls.key", &key);
    let changed = async {
        while server.get(&new.client(None)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), changed).await.expect("the new pair comes into force");
    assert!(server.get(&old.client(None)).await.is_err());
    assert!(server.get(&connected).await.is_ok(), "a connection stays");
}

#[tokio::test]
async fn a_connection_with_a_certificate_of_a_replaced_authority_is_closed() {
    let (authority, clients) = (Authority::new("authority"), Authority::new("senders"));
    let server = Server::start(authority.for_server(), Some(&clients)).await;
    let desk = clients.issue(&["desk.example.org"], ExtendedKeyUsagePurpose::ClientAuth);
    let (desk, nobody) = (authority.client(Some(desk)), authority.client(None));
    for client in [&desk, &nobody] {
        assert!(server.get(client).await.is_ok());
    }
    server.replace("clients.crt", &Authority::new("other senders").0.pem());
    let refused = async {
        // It keeps its connection as long as it can.
        while server.get(&desk).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), refused).await.expect("its certificate counts no longer");
    assert!(server.get(&nobody).await.is_ok());
}
