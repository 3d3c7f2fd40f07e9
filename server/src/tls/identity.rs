//! A certificate with its key, checked, as the configuration of handshakes.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::certificate;

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("the TLS file {} cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The certificate file is invalid.
    #[error("the TLS certificate file is not PEM with certificates: {0}")]
    Certificate(String),
    /// The key file is invalid.
    #[error("the TLS key file is not PEM with a private key: {0}")]
    Key(String),
    /// The certificate and the key do not match, or are not supported.
    #[error("the TLS certificate cannot be used with the TLS key: {0}")]
    Identity(#[from] rustls::Error),
    /// The file with the authorities of clients' certificates is invalid.
    #[error("the file with the authorities of client certificates is not PEM with such certificates: {0}")]
    ClientAuthorities(String),
}

/// A certificate chain with its private key, and whose certificates of clients are accepted. Cheap to clone.
#[derive(Clone)]
pub struct TlsIdentity {
    config: Arc<ServerConfig>,
    end_point: Option<Arc<[u8]>>,
    is_of_authority: bool,
    replaced: CancellationToken,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TlsIdentity")
    }
}

impl TlsIdentity {
    /// A chain of certificates, the server's own first, and its private key, both PEM. With `client_authorities`, PEM as
    /// well, clients may present certificates that one of these has issued; others that they present are refused. `alpn`
    /// are the protocols that are offered (RFC 7301).
    pub(super) fn new(
        certificates: &[u8],
        key: &[u8],
        client_authorities: Option<&[u8]>,
        alpn: &[&[u8]],
    ) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        let Some(own) = chain.first() else {
            return Err(TlsError::Certificate("it contains none".to_owned()));
        };
        let end_point = certificate::end_point(own).map(Arc::from);
        let is_of_authority = certificate::is_of_authority(own);
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
        let provider = Arc::new(default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match client_authorities {
            Some(authorities) => builder.with_client_cert_verifier(verifier(authorities, provider)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Self { config: Arc::new(config), end_point, is_of_authority, replaced: CancellationToken::new() })
    }

    /// What accepts handshakes with this identity.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// The channel binding of SCRAM (RFC 5929, `tls-server-end-point`); `None` if the certificate has none.
    pub fn end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }

    /// Whether an authority issued the certificate. One that is self-signed is for a start only.
    pub fn is_of_authority(&self) -> bool {
        self.is_of_authority
    }

    /// Waits until another identity is in force.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }

    /// Another identity is in force from now on.
    pub(super) fn replace(&self) {
        self.replaced.cancel();
    }
}

/// Verifies the certificates that clients present. They need not present one.
fn verifier(authorities: &[u8], provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let invalid = |error: &dyn fmt::Display| TlsError::ClientAuthorities(error.to_string());
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities) {
        let authority = authority.map_err(|error| invalid(&error))?;
        roots.add(authority).map_err(|error| invalid(&error))?;
    }
    if roots.is_empty() {
        return Err(invalid(&"it contains none"));
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| invalid(&error))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn an_invalid_or_mismatched_identity_is_refused() {
        let (certificate, key) = pair();
        let (_, other) = pair();
        let load =
            |certificate: &str, key: &str| TlsIdentity::new(certificate.as_bytes(), key.as_bytes(), None, &[b"h2"]);
        let identity = load(&certificate, &key).unwrap();
        assert_eq!(identity.config.alpn_protocols, [b"h2".to_vec()]);
        assert!(identity.end_point().is_some() && !identity.is_of_authority());
        assert!(matches!(load(&certificate, &other), Err(TlsError::Identity(_))));
        assert!(matches!(load("", &key), Err(TlsError::Certificate(_))));
        assert!(matches!(load(&key, &key), Err(TlsError::Certificate(_))));
        assert!(matches!(load(&certificate, ""), Err(TlsError::Key(_))));
        assert!(matches!(load(&certificate, &certificate), Err(TlsError::Key(_))));
    }

    #[test]
    fn authorities_of_clients_that_are_none_are_refused() {
        let (certificate, key) = pair();
        let load = |authorities: &str| {
            TlsIdentity::new(certificate.as_bytes(), key.as_bytes(), Some(authorities.as_bytes()), &[])
        };
        assert!(load(&certificate).is_ok());
        for authorities in ["", key.as_str(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(load(authorities), Err(TlsError::ClientAuthorities(_))), "{authorities}");
        }
    }
}
