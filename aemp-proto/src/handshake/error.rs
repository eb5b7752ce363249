//! The errors of handshakes.

use aemp_codec::{IdError, NodeId};

use super::channel::Role;

/// The reason why a connection fails before it carries packets. The texts are those of the reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The first line is not a greeting of a node.
    #[error("unparsable greeting, expected '{expected}', got '{got}'")]
    Unparsable {
        /// The protocol of this end.
        expected: String,
        /// The beginning of the line.
        got: String,
    },
    /// The peer speaks another version of the protocol.
    #[error("version mismatch (we: {ours}, they: {theirs})")]
    Version {
        /// The version of this end.
        ours: String,
        /// The version of the peer.
        theirs: String,
    },
    /// The peer's node ID is invalid.
    #[error("unusable node ID: {0}")]
    NodeId(IdError),
    /// The peer is this node itself.
    #[error("I refuse to talk to myself")]
    Myself,
    /// The peer is another node with our own node ID.
    #[error("another node uses our ID {0:?}")]
    Namesake(String),
    /// Another node than the one that a stream is for is at the address.
    #[error("looked for {wanted} and found {found}")]
    AnotherNode {
        /// The node that the stream is for.
        wanted: String,
        /// The node that was found.
        found: String,
    },
    /// The peer's node is connected already.
    #[error("{0} already connected, not connecting again.")]
    AlreadyConnected(String),
    /// The peer has sent our own greeting back.
    #[error("authentication error, echo attack?")]
    Echo,
    /// The peer accepts none of our authentication methods.
    #[error("{0}: no common auth type supported")]
    NoCommonAuth(String),
    /// The peer understands none of our formats.
    #[error("{0}: no common framing method supported")]
    NoCommonFraming(String),
    /// The peer uses an authentication method that is not accepted.
    #[error("{method}: fatal, selected unsupported {direction} auth method")]
    UnsupportedAuth {
        /// The method.
        method: String,
        /// The direction, `snd` or `rcv`.
        direction: &'static str,
    },
    /// This end has no secret to prove itself with.
    #[error("unable to handshake TLS and no shared secret configured")]
    NoSecret,
    /// TLS is required, but the peer's greeting does not offer it.
    #[error(
        "no TLS with {0}, and require_tls is set: it has no certificate, or an attacker in the middle has changed its greeting"
    )]
    NoTls(String),
    /// Encryption is required (`encrypt`), but the peer's greeting does not offer it.
    #[error(
        "no encryption with {0}, and encrypt is \"always\": it is another implementation without a certificate, its encrypt is \"never\", or an attacker in the middle has changed its greeting"
    )]
    NotEncrypted(String),
    /// Both ends say that they have dialled, or both that they have accepted.
    #[error(
        "both ends of the connection have {}: an attacker in the middle relays between two nodes",
        role(*.0)
    )]
    SameRole(Role),
    /// The TLS handshake has failed, or an error has occurred inside of TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// The peer does not know the secret.
    #[error("authentication failure/shared secret mismatch")]
    WrongSecret,
    /// The peer wants to send in a format that it was not offered.
    #[error("{0}: unusable remote framing")]
    UnusableFraming(String),
    /// A line is longer than 4096 octets.
    #[error("No space left on device")]
    LineTooLong,
    /// The peer does not wait for our authentication line, and sends too much ahead.
    #[error("too much data ahead of the authentication")]
    TooMuchAhead,
    /// Another connection to the same node has been authenticated first.
    #[error("another connection has proved to be that node")]
    Superseded,
    /// There were too many unauthenticated connections, and this was the oldest.
    #[error("too many connections in handshake: {0}")]
    TooMany(String),
    /// The handshake took too long.
    #[error("Connection timed out")]
    TimedOut,
}

impl HandshakeError {
    pub(super) fn unparsable(expected: &str, got: &str) -> Self {
        Self::Unparsable {
            expected: expected.into(),
            got: shown(got),
        }
    }

    pub(super) fn version(ours: &str, theirs: &str) -> Self {
        Self::Version {
            ours: ours.into(),
            theirs: shown(theirs),
        }
    }

    pub(crate) fn another_node(wanted: &NodeId, found: &NodeId) -> Self {
        Self::AnotherNode {
            wanted: wanted.as_str().into(),
            found: found.as_str().into(),
        }
    }

    pub(super) fn no_common_auth(theirs: &[String]) -> Self {
        Self::NoCommonAuth(shown(&theirs.join(",")))
    }

    pub(super) fn no_common_framing(theirs: &[String]) -> Self {
        Self::NoCommonFraming(shown(&theirs.join(",")))
    }

    pub(super) fn unsupported(method: &str, direction: &'static str) -> Self {
        Self::UnsupportedAuth {
            method: shown(method),
            direction,
        }
    }

    pub(super) fn unusable_framing(format: &str) -> Self {
        Self::UnusableFraming(shown(format))
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Dialed => "dialled",
        Role::Accepted => "accepted",
    }
}

/// Shortens a stranger's text for a log. It may be anything, and up to 4096 octets long.
fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut shown: String = text
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { '.' } else { c })
        .collect();
    if text.chars().nth(MOST).is_some() {
        shown.push_str("...");
    }
    shown
}
