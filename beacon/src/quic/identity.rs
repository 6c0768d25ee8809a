//! Who may talk to us: everyone who knows the cluster's secret, nobody else.
//!
//! ```text
//! secret ──HKDF-SHA256──▶ Ed25519 key of the CA ──signs──▶ this process's leaf (fresh key, fixed name)
//! ```
//! Every node derives the same CA, so no certificate is ever distributed. Both sides demand a leaf under it. The CA's name
//! carries a fingerprint of its key: a peer with another secret fails as "unknown issuer", at its end and at ours.
//!
//! Invariant: TLS 1.3 only, both sides authenticated, no resumption. The key exchange prefers X25519MLKEM768.

use std::sync::Arc;

use hkdf::Hkdf;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519,
};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};

/// The name in every leaf and in every ClientHello: peers are told apart by their Hello, not by name.
pub const SERVER_NAME: &str = "node.atoll.internal";
pub const ALPN: &[u8] = b"atoll/1";

const SALT: &[u8] = b"atoll cluster v1";
const CA_INFO: &[u8] = b"peer certificate authority, ed25519 seed";
/// PKCS#8 version 1 around a 32-byte Ed25519 seed (RFC 8410).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What a peer with another secret is told, and what both ends log.
pub const WRONG_SECRET: &str = "peer presented a certificate not derived from this cluster's secret";

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("the cluster secret is empty")]
    EmptySecret,
    #[error("making certificates from the cluster secret: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS configuration: {0}")]
    Tls(#[from] rustls::Error),
    #[error("TLS verifier: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    #[error("no cipher suite that QUIC needs: {0}")]
    Cipher(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
}

/// Both halves of the TLS configuration of one process.
pub struct Identity {
    pub server: Arc<QuicServerConfig>,
    pub client: Arc<QuicClientConfig>,
}

impl Identity {
    /// Derives the CA from `secret` and signs a fresh leaf for this process.
    pub fn derive(secret: &[u8]) -> Result<Self, IdentityError> {
        if secret.is_empty() {
            return Err(IdentityError::EmptySecret);
        }
        let ca_key = authority_key(secret)?;
        let ca_params = authority_params(&ca_key);
        let ca = ca_params.self_signed(&ca_key)?;
        let leaf_key = KeyPair::generate_for(&PKCS_ED25519)?;
        let leaf = leaf_params()?.signed_by(&leaf_key, &Issuer::new(ca_params, ca_key))?;
        let chain = vec![leaf.der().clone()];
        let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let roots = Arc::new(roots(ca.der())?);
        let provider = provider();

        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build()?;
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key())?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.send_tls13_tickets = 0;

        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_webpki_verifier(verifier)
            .with_client_auth_cert(chain, key())?;
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = rustls::client::Resumption::disabled();

        Ok(Self {
            server: Arc::new(QuicServerConfig::try_from(server)?),
            client: Arc::new(QuicClientConfig::try_from(client)?),
        })
    }
}

fn authority_key(secret: &[u8]) -> Result<KeyPair, IdentityError> {
    let mut pkcs8 = [0; 48];
    pkcs8[..16].copy_from_slice(&ED25519_PKCS8);
    Hkdf::<Sha256>::new(Some(SALT), secret)
        .expand(CA_INFO, &mut pkcs8[16..])
        .map_err(|_| rcgen::Error::KeyGenerationUnavailable)?;
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(&pkcs8[..]), &PKCS_ED25519)?)
}

fn authority_params(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let fingerprint = Sha256::digest(key.public_key_raw());
    let hex: String = fingerprint[..8].iter().map(|b| format!("{b:02x}")).collect();
    params.distinguished_name.push(DnType::CommonName, format!("atoll cluster {hex}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec![SERVER_NAME.to_string()])?;
    params.distinguished_name.push(DnType::CommonName, "atoll node");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn roots(ca: &CertificateDer<'static>) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone())?;
    Ok(roots)
}

/// The hybrid group first; the classical one for peers built without it.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519];
    Arc::new(provider)
}

/// The alert by which TLS says so, at the end that saw the certificate or at the other.
fn alert(code: quinn::TransportErrorCode) -> Option<u64> {
    u64::from(code).checked_sub(0x100).filter(|alert| *alert < 0x100)
}

/// True when a certificate was not signed by this cluster's authority.
pub fn is_wrong_secret(error: &quinn::ConnectionError) -> bool {
    // bad_certificate, unknown_ca, decrypt_error, certificate_required
    const ALERTS: [u64; 4] = [42, 48, 51, 116];
    match error {
        quinn::ConnectionError::TransportError(e) => alert(e.code).is_some_and(|a| ALERTS.contains(&a)),
        quinn::ConnectionError::ConnectionClosed(c) => {
            alert(c.error_code).is_some_and(|a| ALERTS.contains(&a))
        }
        _ => false,
    }
}

/// A connection's end in words; names a wrong secret as such.
pub fn explain(error: &quinn::ConnectionError) -> String {
    match error {
        quinn::ConnectionError::ConnectionClosed(_) if is_wrong_secret(error) => {
            format!("refused by the peer: {WRONG_SECRET}")
        }
        _ if is_wrong_secret(error) => WRONG_SECRET.to_string(),
        quinn::ConnectionError::ApplicationClosed(c) => {
            let text: String =
                String::from_utf8_lossy(&c.reason).chars().filter(|c| !c.is_control()).collect();
            format!("closed by the peer: {text}")
        }
        quinn::ConnectionError::TimedOut => "the peer is silent".to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_gives_one_authority_and_another_gives_another() {
        let public = |secret: &[u8]| authority_key(secret).unwrap().public_key_raw().to_vec();
        assert_eq!(public(b"coral"), public(b"coral"));
        assert_ne!(public(b"coral"), public(b"Coral"));
        Identity::derive(b"coral").unwrap();
        assert!(matches!(Identity::derive(b""), Err(IdentityError::EmptySecret)));
    }

    #[test]
    fn the_authority_key_never_changes_between_versions() {
        let key = authority_key(b"coral").unwrap();
        let hex: String = key.public_key_raw().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "");
    }

    #[test]
    fn the_hybrid_group_is_offered_first() {
        assert_eq!(provider().kx_groups[0].name(), rustls::NamedGroup::X25519MLKEM768);
    }
}
