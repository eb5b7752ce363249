//! The own certificate and its key, from a PEM text.

use rustls::sign::CertifiedKey;
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, UnixTime,
    pem::{PemObject, SectionKind},
};
use zeroize::{Zeroize, Zeroizing};

use super::{
    der::{Certificate, Untimely},
    names::Names,
    provider::{KEYS, sign},
};
use crate::{CertError, config::Cert};

/// The certificate and key by which peers know a node.
pub(super) struct Identity {
    /// The key, with its certificate first, then all others of the text as the chain, as the reference sends them.
    pub(super) key: CertifiedKey,
    /// All certificates of the text.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) names: Names,
}

impl Identity {
    /// Finds the key, anywhere in the text, and its certificate.
    pub(super) fn read(cert: &Cert, now: UnixTime) -> Result<Self, CertError> {
        let sections = Sections::read(cert)?;
        let key = signing_key(&sections.keys, cert)?;
        let certificates = sections.certificates;
        if certificates.is_empty() {
            return Err(CertError::NoCertificate);
        }
        let fits = |one: &CertificateDer<'static>| {
            let one = CertifiedKey::new(vec![one.clone()], key.clone());
            one.keys_match().is_ok()
        };
        let own = certificates.iter().position(fits);
        let own = own.ok_or_else(|| CertError::ForeignKey {
            subjects: subjects(&certificates),
        })?;
        check(&certificates, own, now)?;
        let mut chain = certificates.clone();
        chain[..=own].rotate_right(1);
        let names = Names::of(&chain[0]);
        let key = CertifiedKey::new(chain, key);
        Ok(Self {
            key,
            certificates,
            names,
        })
    }
}

/// Checks that peers could accept the certificate.
fn check(certificates: &[CertificateDer<'_>], own: usize, now: UnixTime) -> Result<(), CertError> {
    let parsed = Certificate::parse(&certificates[own]).ok_or(CertError::Unreadable(own + 1))?;
    parsed.check_dates(now).map_err(|problem| {
        let subject = parsed.subject;
        match problem {
            Untimely::Early(date) => CertError::NotYetValid {
                subject,
                date: date.to_string(),
            },
            Untimely::Late(date) => CertError::Expired {
                subject,
                date: date.to_string(),
            },
        }
    })
}

fn subjects(certificates: &[CertificateDer<'_>]) -> Vec<String> {
    certificates
        .iter()
        .map(|one| match Certificate::parse(one) {
            Some(parsed) if parsed.version != 3 => {
                format!(
                    "{}, of X.509 version {} instead of 3",
                    parsed.subject, parsed.version
                )
            }
            Some(parsed) => parsed.subject,
            None => "one that cannot be read".into(),
        })
        .collect()
}

fn signing_key(
    keys: &[(SectionKind, Zeroizing<Vec<u8>>)],
    cert: &Cert,
) -> Result<std::sync::Arc<dyn rustls::sign::SigningKey>, CertError> {
    let [(kind, der)] = keys else {
        let encrypted = cert.pem().contains("ENCRYPTED");
        return Err(match keys.len() {
            0 if encrypted => CertError::EncryptedKey,
            0 => CertError::NoKey,
            number => CertError::SeveralKeys(number),
        });
    };
    let mut der = PrivateKeyDer::from_pem(*kind, der.to_vec()).ok_or(CertError::NoKey)?;
    let key = sign::any_supported_type(&der);
    der.zeroize();
    key.map_err(|_| CertError::UnusableKey { usable: KEYS })
}

/// The sections of a PEM text.
pub(super) struct Sections {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    keys: Vec<(SectionKind, Zeroizing<Vec<u8>>)>,
}

impl Sections {
    pub(super) fn read(cert: &Cert) -> Result<Self, CertError> {
        if cert.pem().starts_with('\u{feff}') {
            return Err(CertError::ByteOrderMark);
        }
        let (mut certificates, mut keys) = (Vec::new(), Vec::new());
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(cert.pem().as_bytes()) {
            // The error is not shown, because it may contain part of the key.
            let (kind, der) = section.map_err(|_| CertError::Syntax)?;
            match kind {
                SectionKind::Certificate => certificates.push(der.into()),
                SectionKind::RsaPrivateKey
                | SectionKind::EcPrivateKey
                | SectionKind::PrivateKey => {
                    keys.push((kind, Zeroizing::new(der)));
                }
                _ => {}
            }
        }
        Ok(Self { certificates, keys })
    }
}
