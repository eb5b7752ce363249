//! The terms in which two ends decide how their connection is protected (`protection`).

use std::fmt;

/// The connections that are encrypted without certificates (setting `encrypt`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encrypt {
    /// Connections where one end sees the other at an address that is not a loopback address, if both ends are able to.
    #[default]
    Auto,
    /// All connections. Connections that cannot be encrypted are refused.
    Always,
    /// No connections.
    Never,
}

impl Encrypt {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// Returns the value with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encrypt| encrypt.name() == name)
    }
}

/// The end of a connection that a node is (greeting key `role`).
///
/// An attacker that dials two listening nodes and relays between them makes both of them the end that accepted. A real
/// connection has one end of each kind, so such a relay is detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that has opened the connection.
    Dialed,
    /// The end that has accepted it.
    Accepted,
}

impl Role {
    /// The name in greetings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dialed => "dialed",
            Self::Accepted => "accepted",
        }
    }
}

/// A node's wish for encryption by ephemeral keys (greeting key `encrypt`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The node can encrypt, and does so if the other end wants it.
    Can,
    /// The node wants encryption.
    Want,
}

impl Wish {
    /// The name in greetings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Can => "can",
            Self::Want => "want",
        }
    }
}

/// The keys of a TLS session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The certificates of both ends, which identify them ([protocol](crate::protocol::handshake#tls)).
    Certificates,
    /// Ephemeral keys, which identify no one. The shared secret does, together with the [`Binding`].
    Ephemeral,
}

/// A channel binding: a value that both ends of one TLS session share with no other session (the exporter of RFC 9266).
#[derive(Clone, PartialEq, Eq)]
pub struct Binding([u8; Self::LEN]);

impl Binding {
    /// The label of the exporter.
    pub const LABEL: &[u8] = b"EXPORTER-Channel-Binding";
    /// The length in octets.
    pub const LEN: usize = 32;

    /// Creates a binding from the octets of the exporter.
    #[must_use]
    pub fn new(exported: [u8; Self::LEN]) -> Self {
        Self(exported)
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding(..)")
    }
}

/// The protection of the connection on which proofs are exchanged.
#[derive(Debug)]
pub(super) enum Channel {
    Clear,
    Certificates,
    Secret(Binding),
}

impl Channel {
    pub(super) fn keys(&self) -> Option<Keys> {
        match self {
            Self::Clear => None,
            Self::Certificates => Some(Keys::Certificates),
            Self::Secret(_) => Some(Keys::Ephemeral),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_known_by_their_names() {
        for encrypt in Encrypt::ALL {
            assert_eq!(Encrypt::from_name(encrypt.name()), Some(encrypt));
        }
        assert_eq!(Encrypt::from_name("sometimes"), None);
        assert_eq!(Encrypt::default(), Encrypt::Auto);
    }
}
