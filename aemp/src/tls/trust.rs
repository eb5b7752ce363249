//! The rules of trust in certificates.
//!
//! A peer's certificate is good if it *is* one of the trusted ones, octet for octet, or if webpki finds a chain to one
//! of them. Trusted are the certificates in `ca`, or without `ca` those in `cert` itself, as in the reference. webpki
//! does not know the first rule (it refuses CA certificates as end entities, and the reference's is one) and does not
//! check dates of trust anchors, so `tls::der` reads dates, version and subject.

use rustls::CertificateError;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter,
    anchor_from_trusted_cert,
};

use super::{
    der::{Certificate, Untimely},
    identity::Sections,
};
use crate::{CertError, config::Cert};

/// The certificates that are trusted, themselves and as issuers.
#[derive(Debug)]
pub(super) struct Trust(Vec<Trusted>);

#[derive(Debug)]
struct Trusted {
    der: CertificateDer<'static>,
    parsed: Certificate,
    anchor: TrustAnchor<'static>,
}

impl Trusted {
    /// The reason why this certificate cannot be an issuer.
    fn no_issuer(&self, now: UnixTime) -> Option<String> {
        match self.parsed.check_dates(now) {
            Err(problem) => Some(problem.to_string()),
            Ok(()) if !self.parsed.ca => Some("is not a CA's".into()),
            Ok(()) => None,
        }
    }
}

/// The reason of a refusal: as an alert for the peer, and as text for the log.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: CertificateError,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(error: CertificateError, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { error, text }
    }
}

impl Trust {
    /// Reads the certificates of a PEM text.
    pub(super) fn read(ca: &Cert) -> Result<Self, CertError> {
        let sections = Sections::read(ca)?;
        if sections.certificates.is_empty() {
            return Err(CertError::NoCertificate);
        }
        Self::of(sections.certificates)
    }

    pub(super) fn of(certificates: Vec<CertificateDer<'static>>) -> Result<Self, CertError> {
        let trusted = certificates.into_iter().enumerate().map(|(i, der)| {
            let broken = || CertError::Unreadable(i + 1);
            let parsed = Certificate::parse(&der).ok_or_else(broken)?;
            let anchor = anchor_from_trusted_cert(&der).map_err(|_| broken())?;
            let anchor = anchor.to_owned();
            Ok(Trusted {
                der,
                parsed,
                anchor,
            })
        });
        trusted.collect::<Result<_, CertError>>().map(Self)
    }

    /// Checks a peer's certificate.
    pub(super) fn judge(
        &self,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let refuse = |error, text: &str| Err(Refusal::new(error, text));
        let Some(parsed) = Certificate::parse(certificate) else {
            return refuse(
                CertificateError::BadEncoding,
                "the peer's certificate cannot be read",
            );
        };
        let subject = &parsed.subject;
        if parsed.version != 3 {
            let version = parsed.version;
            let text = format!(
                "the peer's certificate for {subject} is of X.509 version {version}, and only version 3 can be used"
            );
            return refuse(CertificateError::BadEncoding, &text);
        }
        if let Err(problem) = parsed.check_dates(now) {
            let error = match problem {
                Untimely::Early(_) => CertificateError::NotValidYet,
                Untimely::Late(_) => CertificateError::Expired,
            };
            return refuse(
                error,
                &format!("the peer's certificate for {subject} {problem}"),
            );
        }
        // The reference's shared certificate is a CA certificate, which webpki does not accept as an end entity.
        if self.0.iter().any(|trusted| trusted.der == *certificate) {
            return Ok(());
        }
        self.chain(algorithms, certificate, intermediates, now)
            .map_err(|error| self.explain(&parsed, error, now))
    }

    fn chain(
        &self,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        // webpki checks neither the dates of trust anchors nor their CA flag.
        let issuers = self
            .0
            .iter()
            .filter(|trusted| trusted.no_issuer(now).is_none());
        let anchors: Vec<_> = issuers.map(|trusted| trusted.anchor.clone()).collect();
        let certificate = EndEntityCert::try_from(certificate)?;
        let done = certificate.verify_for_usage(
            algorithms,
            &anchors,
            intermediates,
            now,
            BothEnds,
            None,
            None,
        );
        done.map(drop)
    }

    fn explain(&self, parsed: &Certificate, error: webpki::Error, now: UnixTime) -> Refusal {
        use webpki::Error;
        let Certificate {
            subject, issuer, ..
        } = parsed;
        let mut issuers = self
            .0
            .iter()
            .filter(|trusted| trusted.parsed.subject == *issuer);
        let unfit = issuers.find_map(|trusted| trusted.no_issuer(now));
        let (error, text) = match error {
            Error::UnknownIssuer => (
                CertificateError::UnknownIssuer,
                match unfit {
                    Some(problem) => format!("is issued by {issuer}, whose certificate {problem}"),
                    None => format!("is not trusted here, and neither is its issuer, {issuer}"),
                },
            ),
            Error::CaUsedAsEndEntity => (
                CertificateError::UnknownIssuer,
                "is a CA's certificate that is not trusted here".into(),
            ),
            Error::InvalidSignatureForPublicKey => (
                CertificateError::BadSignature,
                format!("is not signed by the {issuer} that is known here"),
            ),
            Error::RequiredEkuNotFoundContext(_) => (
                CertificateError::InvalidPurpose,
                "is restricted to other purposes: nodes are TLS clients and servers".into(),
            ),
            Error::CertExpired { .. } => (
                CertificateError::Expired,
                format!("is issued by {issuer}, and some CA above it has expired"),
            ),
            other => (
                CertificateError::UnknownIssuer,
                format!("cannot be verified ({other})"),
            ),
        };
        Refusal::new(
            error,
            format!("the peer's certificate for {subject} {text}"),
        )
    }
}

/// The usages that a certificate must have. Chance decides which end is the TLS client, so it must have both.
struct BothEnds;

impl ExtendedKeyUsageValidator for BothEnds {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
        const CLIENT: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
        let (mut any, mut server, mut client) = (false, false, false);
        for purpose in purposes {
            let purpose = purpose?;
            any = true;
            server |= purpose == KeyPurposeId::new(SERVER);
            client |= purpose == KeyPurposeId::new(CLIENT);
        }
        match !any || server && client {
            true => Ok(()),
            false => Err(webpki::Error::RequiredEkuNotFoundContext(
                webpki::RequiredEkuNotFoundContext {
                    required: webpki::KeyUsage::client_auth(),
                    present: Vec::new(),
                },
            )),
        }
    }
}
