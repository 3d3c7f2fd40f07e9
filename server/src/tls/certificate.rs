//! What a certificate says, read from its DER. Pure.

use ring::digest;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Bytes of a client's name.
const MAX_NAME_BYTES: usize = 255;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
/// commonName (RFC 5280, appendix A.1).
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// The hash of a certificate by the algorithm of its own signature: the channel binding `tls-server-end-point` (RFC 5929).
/// `None` if the algorithm names no hash (Ed25519): such a certificate has no channel binding.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (certificate_body, _) = element(certificate, SEQUENCE)?;
    let (_, after_content) = element(certificate_body, SEQUENCE)?;
    let (algorithm, _) = element(after_content, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
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

/// Whether an authority issued the certificate, and not its own subject.
pub(super) fn is_of_authority(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate).is_ok_and(|parsed| parsed.issuer() != parsed.subject())
}

/// The name of who has the certificate: its first URI (RFC 5280, section 4.2.1.6; SPIFFE ids are such), else its first DNS
/// name, else its common name. `None` if it has none of them, or one that is no text of up to 255 bytes without control
/// characters.
pub(crate) fn name(certificate: &CertificateDer<'_>) -> Option<String> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    let alternative = parsed.valid_uri_names().next().or_else(|| parsed.valid_dns_names().next());
    let name = alternative.or_else(|| common_name(parsed.subject()))?;
    let is_usable = !name.trim().is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
    is_usable.then(|| name.to_owned())
}

/// The last, most specific common name of a subject.
fn common_name(mut subject: &[u8]) -> Option<&str> {
    let mut found = None;
    while !subject.is_empty() {
        let (mut attributes, rest) = element(subject, SET)?;
        while !attributes.is_empty() {
            let (attribute, others) = element(attributes, SEQUENCE)?;
            let (kind, value) = element(attribute, OBJECT_IDENTIFIER)?;
            if kind == COMMON_NAME {
                let (text, _) = element(value, UTF8_STRING).or_else(|| element(value, PRINTABLE_STRING))?;
                found = Some(std::str::from_utf8(text).ok()?);
            }
            attributes = others;
        }
        subject = rest;
    }
    found
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
    use proptest::prelude::*;
    use rcgen::string::Ia5String;
    use rcgen::{
        CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
        PKCS_ED25519, SanType,
    };

    use super::*;

    #[test]
    fn the_channel_binding_uses_the_hash_of_the_signature() {
        for (algorithm, hash) in [
            (&PKCS_ECDSA_P256_SHA256, Some(&digest::SHA256)),
            (&PKCS_ECDSA_P384_SHA384, Some(&digest::SHA384)),
            (&PKCS_ED25519, None),
        ] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let expected = hash.map(|hash| digest::digest(hash, certificate.der()).as_ref().to_vec());
            assert_eq!(end_point(certificate.der()), expected);
        }
    }

    #[test]
    fn a_certificate_of_an_authority_has_another_issuer_than_its_subject() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["archive.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "archive");
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.distinguished_name.push(DnType::CommonName, "authority");
        let authority = Issuer::new(authority, KeyPair::generate().unwrap());
        assert!(is_of_authority(params.signed_by(&key, &authority).unwrap().der()));
        assert!(!is_of_authority(params.self_signed(&key).unwrap().der()));
        assert!(!is_of_authority(&CertificateDer::from(vec![0x30, 0])));
    }

    /// The name in a certificate with these alternative names and common names.
    fn named(alternatives: Vec<SanType>, common: &[&str]) -> Option<String> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = alternatives;
        params.distinguished_name = DistinguishedName::new();
        for name in common {
            params.distinguished_name.push(DnType::OrganizationName, "Example");
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        name(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    #[test]
    fn the_name_is_the_uri_else_the_dns_name_else_the_common_name() {
        let text = |text: &str| Ia5String::try_from(text).unwrap();
        let uri = || SanType::URI(text("spiffe://example.org/desk"));
        let dns = || SanType::DnsName(text("desk.example.org"));
        assert_eq!(named(vec![dns(), uri()], &["desk"]).as_deref(), Some("spiffe://example.org/desk"));
        assert_eq!(named(vec![dns()], &["desk"]).as_deref(), Some("desk.example.org"));
        assert_eq!(named(Vec::new(), &["the désk"]).as_deref(), Some("the désk"));
        assert_eq!(named(Vec::new(), &[]), None);
        assert_eq!(named(Vec::new(), &[""]), None);
        assert_eq!(named(Vec::new(), &["a\nb"]), None);
        assert_eq!(named(Vec::new(), &["x".repeat(255).as_str()]).map(|name| name.len()), Some(255));
        assert_eq!(named(Vec::new(), &["x".repeat(256).as_str()]), None);
        // An address is no name.
        assert_eq!(named(vec![SanType::IpAddress([192, 0, 2, 1].into())], &["desk"]).as_deref(), Some("desk"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = end_point(&bytes);
            let _ = common_name(&bytes);
            let _ = name(&CertificateDer::from(bytes));
        }
    }
}
