//! Proofs that both ends know the same secret ([protocol](crate::protocol::handshake#authentication-line)).

use std::fmt;

use zeroize::Zeroizing;

use super::channel::{Channel, Keys};
use crate::hash;

/// The secret that all nodes of a network share. It is wiped from memory when dropped, and never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Creates a secret from these octets.
    pub fn new(octets: impl AsRef<[u8]>) -> Self {
        Self(Zeroizing::new(octets.as_ref().to_vec()))
    }

    /// True if there are no octets. Such a secret counts as none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A method by which one end proves itself to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// A keyed hash over both greetings. This is the usual method.
    HmacSha3_512,
    /// The secret itself, for minimal clients.
    Cleartext,
    /// A hash over both greetings, inside of TLS.
    TlsSha3_512,
    /// No proof beside TLS.
    TlsAnon,
}

impl Method {
    /// The methods that a node offers by default, as in the reference.
    pub const OFFERED: [Self; 2] = [Self::TlsSha3_512, Self::HmacSha3_512];
    /// The methods that a node accepts by default, as in the reference.
    pub const ACCEPTED: [Self; 4] = [
        Self::TlsSha3_512,
        Self::HmacSha3_512,
        Self::TlsAnon,
        Self::Cleartext,
    ];

    /// Returns the method with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ACCEPTED
            .into_iter()
            .find(|method| method.name() == name)
    }

    /// The name in greetings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha3_512 => "hmac_sha3_512",
            Self::Cleartext => "cleartext",
            Self::TlsSha3_512 => "tls_sha3_512",
            Self::TlsAnon => "tls_anon",
        }
    }

    /// True if the method needs TLS. The others need a secret.
    #[must_use]
    pub fn needs_tls(self) -> bool {
        matches!(self, Self::TlsSha3_512 | Self::TlsAnon)
    }

    /// True if the method proves anything under these circumstances.
    ///
    /// The `tls_*` methods prove something inside of TLS with certificates only. Inside of TLS, other methods need a
    /// secret. With ephemeral keys, only a method that covers the channel binding counts.
    pub(super) fn counts(self, keys: Option<Keys>, secret: Option<&Secret>) -> bool {
        match keys {
            None => !self.needs_tls(),
            Some(Keys::Certificates) => self.needs_tls() || secret.is_some(),
            Some(Keys::Ephemeral) => self == Self::HmacSha3_512,
        }
    }

    /// The proof of the end with the greeting `own`, for the end with the greeting `other`.
    ///
    /// Returns `None` if the method needs a secret and there is none, or a hash and the feature `auth` is off. Proofs without a secret mean something only
    /// inside of TLS.
    #[must_use]
    pub fn proof(self, secret: Option<&Secret>, own: Lines<'_>, other: Lines<'_>) -> Option<Proof> {
        let octets = match self {
            Self::HmacSha3_512 => hmac(secret?, own.into_iter().chain(other))?,
            Self::Cleartext => secret?.0.clone(),
            Self::TlsSha3_512 => hash::hash(ended(own.into_iter().chain(other)))?,
            Self::TlsAnon => Zeroizing::default(),
        };
        Some(Proof(hex(&octets)))
    }

    /// The proof as it is sent on a connection with this protection.
    pub(super) fn proof_within(
        self,
        channel: &Channel,
        secret: Option<&Secret>,
        own: Lines<'_>,
        other: Lines<'_>,
    ) -> Option<Proof> {
        match channel {
            Channel::Clear | Channel::Certificates => self.proof(secret, own, other),
            // The hash covers one line more than a proof in clear text does, so one can never be taken for the other.
            Channel::Secret(binding) if self == Self::HmacSha3_512 => {
                let binding = hex(binding.octets());
                let lines = own.into_iter().chain(other);
                let octets = hmac(secret?, lines.chain([binding.as_bytes()]))?;
                Some(Proof(hex(&octets)))
            }
            Channel::Secret(_) => None,
        }
    }
}

/// The two lines of a greeting, without their line ends.
pub type Lines<'a> = [&'a [u8]; 2];

/// The proof that an end knows the secret: the content of an authentication line.
pub struct Proof(Zeroizing<String>);

impl Proof {
    /// The proof as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if `data` is the same. The comparison takes constant time.
    #[must_use]
    pub fn matches(&self, data: &[u8]) -> bool {
        hash::equal(self.0.as_bytes(), data)
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(..)")
    }
}

/// The lines with their ends.
fn ended<'a>(lines: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    lines.flat_map(|line| [line, b"\n"])
}

fn hmac<'a>(secret: &Secret, lines: impl Iterator<Item = &'a [u8]>) -> Option<Zeroizing<Vec<u8>>> {
    hash::hmac(&secret.0, ended(lines))
}

fn hex(octets: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * octets.len()));
    for octet in octets {
        for digit in [octet >> 4, octet & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("four bits are a digit"));
        }
    }
    text
}

#[cfg(all(test, feature = "auth"))]
mod tests {
    use super::*;

    #[test]
    fn cleartext_is_the_secret_in_hexadecimal() {
        let proof = Method::Cleartext
            .proof(Some(&Secret::new("geheim")), [b"", b""], [b"", b""])
            .unwrap();
        assert_eq!(proof.as_str(), "67656865696d");
        assert!(proof.matches(b"67656865696d"));
        assert!(!proof.matches(b"67656865696e"));
        assert!(!proof.matches(b"67656865696"));
    }

    #[test]
    fn hmac_depends_on_the_roles() {
        let (secret, a, b): (_, Lines<'_>, Lines<'_>) =
            (Secret::new("s"), [b"a", b"1"], [b"b", b"2"]);
        let proof = |own, other| {
            Method::HmacSha3_512
                .proof(Some(&secret), own, other)
                .unwrap()
        };
        assert_eq!(proof(a, b).as_str().len(), 128);
        assert!(proof(a, b).matches(proof(a, b).as_str().as_bytes()));
        assert!(!proof(a, b).matches(proof(b, a).as_str().as_bytes()));
    }

    #[test]
    fn within_tls_no_secret_is_needed() {
        // SHA3-512 of "a\n1\nb\n2\n", computed by another implementation.
        let (a, b): (Lines<'_>, Lines<'_>) = ([b"a", b"1"], [b"b", b"2"]);
        let proof = Method::TlsSha3_512.proof(None, a, b).unwrap();
        assert_eq!(
            proof.as_str(),
            "ff6616ae46980a497c30b1e1fff60d8958c7d0aa990ed6585757b053b3dd95995b7631a38b38068a0cf6ae3673c1e7ca62128dc83b894e5c0b2390bcd2a3fe7c"
        );
        assert_eq!(Method::TlsAnon.proof(None, a, b).unwrap().as_str(), "");
        for method in [Method::HmacSha3_512, Method::Cleartext] {
            assert!(method.proof(None, a, b).is_none(), "{method:?}");
        }
    }

    #[test]
    fn secrets_and_proofs_are_not_shown() {
        let secret = Secret::new("geheim");
        let proof = Method::Cleartext
            .proof(Some(&secret), [b"", b""], [b"", b""])
            .unwrap();
        assert_eq!(format!("{secret:?} {proof:?}"), "Secret(..) Proof(..)");
    }

    #[test]
    fn methods_are_known_by_their_names() {
        for method in Method::ACCEPTED {
            assert_eq!(Method::from_name(method.name()), Some(method));
        }
        assert_eq!(Method::from_name("hmac_md6_64_256"), None);
    }
}
