//! The errors of handshakes.

use aemp_codec::IdError;

use super::channel::Role;

/// Why a connection is given up before it carries packets. The texts are those of the reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The first line is not that of a node.
    #[error("unparsable greeting, expected '{expected}', got '{got}'")]
    Unparsable {
        /// The protocol of this end.
        expected: String,
        /// What the line begins with.
        got: String,
    },
    /// The peer speaks another version of the protocol.
    #[error("version mismatch (we: {ours}, they: {theirs})")]
    Version {
        /// Of this end.
        ours: String,
        /// Of the peer.
        theirs: String,
    },
    /// The peer's node ID cannot be one.
    #[error("unusable node ID: {0}")]
    NodeId(IdError),
    /// The peer is this node itself.
    #[error("I refuse to talk to myself")]
    Myself,
    /// The peer is another node that has our own node ID.
    #[error("another node uses our ID {0:?}")]
    Namesake(String),
    /// The peer's node is connected.
    #[error("{0} already connected, not connecting again.")]
    AlreadyConnected(String),
    /// The peer has sent back what was sent to it.
    #[error("authentication error, echo attack?")]
    Echo,
    /// The peer accepts none of our methods.
    #[error("{0}: no common auth type supported")]
    NoCommonAuth(String),
    /// The peer understands none of our formats.
    #[error("{0}: no common framing method supported")]
    NoCommonFraming(String),
    /// The peer proves itself with a method that is not accepted.
    #[error("{method}: fatal, selected unsupported {direction} auth method")]
    UnsupportedAuth {
        /// The method.
        method: String,
        /// `snd` or `rcv`.
        direction: &'static str,
    },
    /// There is nothing to prove ourselves with.
    #[error("unable to handshake TLS and no shared secret configured")]
    NoSecret,
    /// TLS is required, and the peer's greeting says that it does none.
    #[error(
        "no TLS with {0}, and require_tls is set: it has no certificate, or somebody in the middle has changed its greeting"
    )]
    NoTls(String),
    /// Encryption is required (`encrypt`), and the peer's greeting says that it does none.
    #[error(
        "no encryption with {0}, and encrypt is \"always\": it is another implementation without a certificate, its encrypt is \"never\", or somebody in the middle has changed its greeting"
    )]
    NotEncrypted(String),
    /// Both ends say that they have dialled, or that they have accepted.
    #[error(
        "both ends of the connection have {}: somebody in the middle passes on what two nodes say",
        role(*.0)
    )]
    SameRole(Role),
    /// The TLS handshake has failed, or something within TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// The peer does not know the secret.
    #[error("authentication failure/shared secret mismatch")]
    WrongSecret,
    /// The peer wants to send in a format that was not offered to it.
    #[error("{0}: unusable remote framing")]
    UnusableFraming(String),
    /// A line is longer than 4096 octets.
    #[error("No space left on device")]
    LineTooLong,
    /// The peer does not wait for our authentication line and sends too much ahead.
    #[error("too much data ahead of the authentication")]
    TooMuchAhead,
    /// Another connection to the same node has proved itself, and this one has not.
    #[error("another connection has proved to be that node")]
    Superseded,
    /// Of the connections that have proved nothing this was the oldest when there were too many.
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

/// What a stranger has sent, fit for a log: it may be anything, and up to 4096 octets of it.
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
