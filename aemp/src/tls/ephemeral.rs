//! TLS for nodes that have a secret and no certificate: a key without a signature.
//!
//! The key does not identify its owner. The proofs do, because they cover the connection (`handshake::Binding`); so a
//! client needs no key. The key is sent bare (RFC 7250), because a certificate would say no more.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig,
    ServerConnection, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage},
    sign::CertifiedKey,
};
use rustls_pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use zeroize::Zeroizing;

use super::{
    provider::{self, sign},
    session::{Conn, Session, TlsError},
};

/// The configuration that all connections with ephemeral keys share.
#[derive(Debug)]
pub(crate) struct Ephemeral {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Ephemeral {
    /// Makes a key.
    ///
    /// # Errors
    ///
    /// Returns an error if the system has no randomness.
    pub(crate) fn new() -> Result<Self, TlsError> {
        let provider = Arc::new(provider::provider());
        let key = key()?;
        Ok(Self {
            client: client(&provider).map_err(TlsError::new)?.into(),
            server: server(&provider, key).map_err(TlsError::new)?.into(),
        })
    }

    /// Creates the TLS session of a connection.
    ///
    /// # Errors
    ///
    /// Returns an error if rustls rejects the configuration.
    pub(crate) fn session(&self, client: bool) -> Result<Session, TlsError> {
        let conn = match client {
            true => {
                let name = ServerName::from(std::net::Ipv4Addr::UNSPECIFIED);
                ClientConnection::new(Arc::clone(&self.client), name).map(Into::into)
            }
            false => ServerConnection::new(Arc::clone(&self.server)).map(Into::into),
        };
        let conn = Box::new(conn.map_err(TlsError::new)?);
        Ok(Session::new(Conn::Whole(conn), None))
    }
}

/// Makes an Ed25519 key: 32 random octets (RFC 8032), in PKCS #8 (RFC 8410).
fn key() -> Result<CertifiedKey, TlsError> {
    const PKCS8: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let mut der = Zeroizing::new([0; PKCS8.len() + 32]);
    let (head, seed) = der.split_at_mut(PKCS8.len());
    head.copy_from_slice(&PKCS8);
    getrandom::fill(seed).map_err(TlsError::new)?;
    let key = sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der.as_slice()));
    let key = key.map_err(TlsError::new)?;
    let public = key.public_key();
    let public = public.ok_or_else(|| TlsError::new("the key has no public half"))?;
    let public = CertificateDer::from(public.to_vec());
    Ok(CertifiedKey::new(vec![public], key))
}

fn client(provider: &Arc<CryptoProvider>) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey(
            provider.signature_verification_algorithms,
        )))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

fn server(provider: &Arc<CryptoProvider>, key: CertifiedKey) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key.into())));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Accepts every key, if the peer proves that it has the private key.
#[derive(Debug)]
struct AnyKey(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(CertificateError::BadSignature.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(cert.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
