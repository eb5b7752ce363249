//! The rules of [`Trust`] as rustls asks for them, for one connection.

use std::sync::{Arc, OnceLock};

use aemp_codec::NodeId;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{
    names::Names,
    trust::{Refusal, Trust},
};

/// Checks the certificate of one peer, and keeps the reason of a refusal.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Arc<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
    /// The node that the certificate must be made for, if that is checked.
    node: Option<NodeId>,
    refusal: OnceLock<String>,
}

impl Verifier {
    pub(super) fn new(
        trust: Arc<Trust>,
        algorithms: WebPkiSupportedAlgorithms,
        node: Option<NodeId>,
    ) -> Self {
        Self {
            trust,
            algorithms,
            node,
            refusal: OnceLock::new(),
        }
    }

    /// The reason why the certificate was refused, if it was.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let judged = self
            .trust
            .judge(self.algorithms.all, certificate, intermediates, now);
        judged
            .and_then(|()| self.check_name(certificate))
            .map_err(|Refusal { error, text }| {
                let _ = self.refusal.set(text);
                Error::InvalidCertificate(error)
            })
    }

    fn check_name(&self, certificate: &CertificateDer<'_>) -> Result<(), Refusal> {
        let Some(node) = &self.node else {
            return Ok(());
        };
        let names = Names::of(certificate);
        if names.include(node) {
            return Ok(());
        }
        let node = node.as_str();
        let text = format!(
            "the peer's certificate is made for {names}, not for {node:?}, and verify_nodeid is set"
        );
        Err(Refusal::new(
            CertificateError::ApplicationVerificationFailure,
            text,
        ))
    }
}

/// The checks of signatures, which rustls asks of both kinds of verifiers.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, dss, &self.algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, dss, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, intermediates, now)
            .map(|()| ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, intermediates, now)
            .map(|()| ClientCertVerified::assertion())
    }

    signatures!();
}
