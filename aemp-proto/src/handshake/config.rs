//! The common configuration of all handshakes of a node.

use std::time::Duration;

use aemp_codec::{Format, NodeId};

use super::{
    Greeting,
    auth::{Method, Secret},
    channel::{Encrypt, Role},
};
use crate::{limits::NodeLimits, link::Link};

/// What a node of this project says of its implementation.
pub const PROVIDER: &str = concat!("aemp-rs-", env!("CARGO_PKG_VERSION"));

/// What all handshakes of a node have in common.
#[derive(Clone, Debug)]
pub struct HandshakeConfig {
    /// The node's own ID.
    pub node: NodeId,
    /// The secret that it shares with others; without one connections are possible within TLS only.
    pub secret: Option<Secret>,
    /// The methods with which it proves itself.
    pub auth_offer: Vec<Method>,
    /// The methods that it accepts, its favourite first.
    pub auth_accept: Vec<Method>,
    /// The formats that it understands, its favourite first.
    pub formats: Vec<Format>,
    /// The implementation and its version, for the greeting.
    pub provider: String,
    /// Whether the node has a certificate, so that connections to others that have one are in TLS.
    pub tls: bool,
    /// Whether there are no others.
    pub require_tls: bool,
    /// When connections without certificates are encrypted. Anything but `Never` promises that TLS can be had
    /// ([`Keys::Ephemeral`](super::Keys::Ephemeral)).
    pub encrypt: Encrypt,
    /// How long a connection may be silent (`monitor_timeout`).
    pub timeout: Duration,
    /// How long a handshake may take, if that is not the same.
    pub handshake_timeout: Option<Duration>,
    /// How many bytes are kept that a peer has sent before its handshake is over; then
    /// [no more should be read](super::Handshake::is_full).
    pub max_handshake_bytes: usize,
}

impl HandshakeConfig {
    /// The defaults of the reference for a node with that ID and secret.
    #[must_use]
    pub fn new(node: NodeId, secret: Option<Secret>) -> Self {
        Self {
            node,
            secret,
            auth_offer: Method::OFFERED.to_vec(),
            auth_accept: Method::ACCEPTED.to_vec(),
            formats: Format::built_in(),
            provider: PROVIDER.into(),
            tls: false,
            require_tls: false,
            encrypt: Encrypt::Never,
            timeout: Duration::from_secs(30),
            handshake_timeout: None,
            max_handshake_bytes: NodeLimits::default().max_handshake_bytes,
        }
    }

    /// The greeting for a peer with that socket address, `host:port`, IPv6 hosts in brackets, from the end with that role.
    #[must_use]
    pub fn greeting(&self, role: Role, peeraddr: &str) -> Greeting {
        let keepalive = Link::keepalive_interval(self.timeout).as_secs_f64();
        let tls = self.tls.then(|| ("tls", "1.0".into()));
        let wish = self.wish(peeraddr);
        let encrypt = wish.map(|wish| ("encrypt", wish.name().into()));
        let keys = [
            ("provider", self.provider.clone()),
            ("peeraddr", peeraddr.into()),
            ("mproto", "1".into()),
            ("gproto", "1".into()),
            ("arbiter", "1".into()),
            ("keepalive", keepalive.to_string()),
            ("credit", "1".into()),
            ("role", role.name().into()),
        ];
        Greeting {
            protocol: "aemp".into(),
            version: "1".into(),
            node: self.node.as_str().into(),
            auth: self
                .auth_accept
                .iter()
                .map(|method| method.name().into())
                .collect(),
            formats: self
                .formats
                .iter()
                .map(|format| format.name().into())
                .collect(),
            keys: keys
                .into_iter()
                .chain(encrypt)
                .chain(tls)
                .map(|(key, value)| (key.into(), Some(value)))
                .collect(),
        }
    }

    /// How long a handshake may take.
    pub(crate) fn patience(&self) -> Duration {
        self.handshake_timeout.unwrap_or(self.timeout)
    }

    pub(super) fn format(&self, name: &str) -> Option<&Format> {
        self.formats.iter().find(|format| format.name() == name)
    }
}
