//! The server's certificate and key, checked before the server accepts connections.

use ring::digest;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;

/// The ALPN protocol that clients with direct TLS must request (RFC 7301).
pub(crate) const ALPN: &[u8] = b"postgresql";

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file is invalid.
    #[error("the TLS certificate file is not PEM with certificates: {0}")]
    Certificate(String),
    /// The key file is invalid.
    #[error("the TLS key file is not PEM with a private key: {0}")]
    Key(String),
    /// The certificate and the key do not match, or are not supported.
    #[error("the TLS certificate cannot be used with the TLS key: {0}")]
    Identity(#[from] rustls::Error),
}

/// A certificate chain with its private key.
#[derive(Clone)]
pub struct TlsIdentity {
    pub(crate) config: Arc<ServerConfig>,
    /// The channel binding of SCRAM (RFC 5929, `tls-server-end-point`); `None` if the certificate has none.
    pub(crate) end_point: Option<Arc<[u8]>>,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsIdentity")
    }
}

impl TlsIdentity {
    /// Reads a chain of certificates, the server's own first, and its private key, both PEM.
    ///
    /// # Errors
    /// See [`TlsError`]. The server never falls back to plain text because of an invalid identity.
    pub fn load(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        let Some(own) = chain.first() else {
            return Err(TlsError::Certificate("it contains none".to_owned()));
        };
        let end_point = end_point(own).map(Arc::from);
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config), end_point })
    }
}

/// The hash of a certificate by the algorithm of its own signature. `None` if the algorithm names no hash (Ed25519): such a
/// certificate has no channel binding.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (certificate_body, _) = element(certificate, 0x30)?;
    let (_, after_content) = element(certificate_body, 0x30)?;
    let (algorithm, _) = element(after_content, 0x30)?;
    let (identifier, _) = element(algorithm, 0x06)?;
    let algorithm = match identifier {
        // md5WithRSA, sha1WithRSA, sha256WithRSA: SHA-256 replaces MD5 and SHA-1 (RFC 5929, section 4.1).
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04 | 0x05 | 0x0b] => &digest::SHA256,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c] => &digest::SHA384,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d] => &digest::SHA512,
        // ECDSA with SHA-1, SHA-256, SHA-384, SHA-512.
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01] | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02] => {
            &digest::SHA256
        }
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03] => &digest::SHA384,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04] => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// The body of the DER element with the tag `tag` at the start of `bytes`, and the bytes that follow it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[kind, length], rest) = bytes.split_first_chunk::<2>()?;
    if kind != tag {
        return None;
    }
    if length < 0x80 {
        return rest.split_at_checked(usize::from(length));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    if digits.len() > 4 {
        return None;
    }
    let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    fn identity(algorithm: &'static rcgen::SignatureAlgorithm) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap(), key)
    }

    #[test]
    fn the_channel_binding_uses_the_hash_of_the_signature() {
        for (algorithm, hash) in [
            (&PKCS_ECDSA_P256_SHA256, Some(&digest::SHA256)),
            (&PKCS_ECDSA_P384_SHA384, Some(&digest::SHA384)),
            (&PKCS_ED25519, None),
        ] {
            let (certificate, key) = identity(algorithm);
            let loaded = TlsIdentity::load(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
            let expected = hash.map(|hash| digest::digest(hash, certificate.der()).as_ref().to_vec());
            assert_eq!(loaded.end_point.as_deref(), expected.as_deref());
        }
    }

    #[test]
    fn an_invalid_or_mismatched_identity_is_refused() {
        let (certificate, key) = identity(&PKCS_ECDSA_P256_SHA256);
        let (_, other) = identity(&PKCS_ECDSA_P256_SHA256);
        let (certificate, key, other) = (certificate.pem(), key.serialize_pem(), other.serialize_pem());
        let load = |certificate: &str, key: &str| TlsIdentity::load(certificate.as_bytes(), key.as_bytes());
        assert!(matches!(load(&certificate, &other), Err(TlsError::Identity(_))));
        assert!(matches!(load("", &key), Err(TlsError::Certificate(_))));
        assert!(matches!(load(&key, &key), Err(TlsError::Certificate(_))));
        assert!(matches!(load(&certificate, ""), Err(TlsError::Key(_))));
        assert!(matches!(load(&certificate, &certificate), Err(TlsError::Key(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = end_point(&bytes);
        }
    }
}
