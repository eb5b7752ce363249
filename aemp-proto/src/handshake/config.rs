//! The common configuration of all handshakes of a node.

use std::time::Duration;

use aemp_codec::{Format, NodeId};

use super::{
    Greeting,
    auth::{Method, Secret},
    channel::{Encrypt, Role},
    greeting::DATA_PROTOCOL,
};
use crate::{limits::NodeLimits, link::Link};

/// The name of this implementation in greetings.
pub const PROVIDER: &str = concat!("aemp-rs-", env!("CARGO_PKG_VERSION"));

/// The configuration that all handshakes of a node share.
#[derive(Clone, Debug)]
pub struct HandshakeConfig {
    /// The node's own ID.
    pub node: NodeId,
    /// The secret that the nodes of the network share. Without one, connections are possible inside of TLS only.
    pub secret: Option<Secret>,
    /// The methods by which the node proves itself.
    pub auth_offer: Vec<Method>,
    /// The methods that the node accepts, its favourite first.
    pub auth_accept: Vec<Method>,
    /// The formats that the node understands, its favourite first.
    pub formats: Vec<Format>,
    /// The implementation and its version, for the greeting.
    pub provider: String,
    /// True if the node has a certificate. Connections to nodes that have one, too, use TLS.
    pub tls: bool,
    /// True if all other connections are refused.
    pub require_tls: bool,
    /// The connections without certificates that are encrypted. Any value but `Never` requires that the caller can set
    /// up TLS with [`Keys::Ephemeral`](super::Keys::Ephemeral).
    pub encrypt: Encrypt,
    /// True if the node passes on connections of other nodes, and is reached by such connections.
    pub relay: bool,
    /// True if the node takes contexts of spans with messages.
    pub trace: bool,
    /// The longest silence on a connection (`monitor_timeout`).
    pub timeout: Duration,
    /// The longest time of a handshake. `None` means `timeout`.
    pub handshake_timeout: Option<Duration>,
    /// The bytes that are kept of a peer that sends ahead, before its handshake is over. With more, [reading should
    /// stop](super::Handshake::is_full).
    pub max_handshake_bytes: usize,
}

impl HandshakeConfig {
    /// Creates the defaults of the reference for a node with this ID and secret.
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
            relay: true,
            trace: false,
            timeout: Duration::from_secs(30),
            handshake_timeout: None,
            max_handshake_bytes: NodeLimits::default().max_handshake_bytes,
        }
    }

    /// The greeting for a peer with this socket address (`host:port`, IPv6 hosts in brackets). `role` is the role of
    /// this end.
    #[must_use]
    pub fn greeting(&self, role: Role, peeraddr: &str) -> Greeting {
        let keepalive = Link::keepalive_interval(self.timeout).as_secs_f64();
        let relay = self.relay.then(|| ("relay", "1".into()));
        let trace = self.trace.then(|| ("trace", "1".into()));
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
            ("deadline", "1".into()),
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
                .chain(relay)
                .chain(trace)
                .chain(encrypt)
                .chain(tls)
                .map(|(key, value)| (key.into(), Some(value)))
                .collect(),
        }
    }

    /// The greeting of a data connection that this node opens to the peer with this socket address.
    #[must_use]
    pub fn data_greeting(&self, peeraddr: &str, stream: &str) -> Greeting {
        const KEPT: [&str; 5] = ["provider", "peeraddr", "role", "encrypt", "tls"];
        let mut greeting = self.greeting(Role::Dialed, peeraddr);
        greeting.protocol = DATA_PROTOCOL.into();
        greeting
            .keys
            .retain(|(key, _)| KEPT.contains(&key.as_str()));
        let keys = [("dataconn_id", stream), ("ends", "1")];
        let keys = keys.map(|(key, value)| (key.into(), Some(value.into())));
        greeting.keys.extend(keys);
        greeting
    }

    /// The longest time of a handshake.
    pub(crate) fn patience(&self) -> Duration {
        self.handshake_timeout.unwrap_or(self.timeout)
    }

    pub(super) fn format(&self, name: &str) -> Option<&Format> {
        self.formats.iter().find(|format| format.name() == name)
    }
}
