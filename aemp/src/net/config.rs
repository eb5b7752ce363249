//! The network part of a node's configuration, as its builder collects it.

use std::time::Duration;

use aemp_codec::{Format, NodeId};

use super::{LockedPeers, Sources};
use crate::{Node, SettingError, StartError, config::Address, exec::spans};
use aemp_proto::{
    Random, Time,
    global::Quota,
    handshake::{
        Encrypt, HandshakeConfig,
        auth::{Method, Secret},
    },
    limits::NodeLimits,
    mesh::{Mesh, MeshConfig},
};

#[derive(Debug)]
pub(crate) struct NetConfig {
    pub(crate) secret: Option<Secret>,
    pub(crate) seeds: Vec<String>,
    pub(crate) sources: Sources,
    /// The addresses at which other nodes reach this node, if they differ from those that it listens on.
    pub(crate) advertise: Vec<Address>,
    /// Known node IDs and their addresses.
    pub(crate) addresses: Vec<(String, String)>,
    pub(crate) monitor_timeout: Duration,
    pub(crate) connect_interval: Duration,
    pub(crate) auth_offer: Vec<Method>,
    pub(crate) auth_accept: Vec<Method>,
    pub(crate) formats: Vec<Format>,
    #[cfg_attr(
        not(feature = "net"),
        expect(dead_code, reason = "an option of sockets")
    )]
    pub(crate) nodelay: bool,
    pub(crate) limits: NodeLimits,
    pub(crate) require_tls: bool,
    pub(crate) encrypt: Encrypt,
    /// True if the node passes on connections of other nodes, and is reached by such connections.
    pub(crate) relay: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: super::TlsConfig,
    /// True if the node is global from the start.
    pub(crate) global: bool,
}

impl NetConfig {
    /// True if the seed's addresses have to be looked up.
    fn has_to_look_up(&self, node: &Node, seed: &str) -> bool {
        self.sources.contains_key(seed) || node.place().has_to_look_up(seed)
    }

    /// The addresses that other nodes are told, for a node that listens on `listeners`.
    pub(super) fn announced(&self, listeners: Vec<String>) -> Result<Vec<String>, StartError> {
        if self.advertise.is_empty() {
            return Ok(listeners);
        }
        let bound = listeners.first().and_then(|first| port_of(first));
        let announced = self.advertise.iter().map(|address| {
            let with_port = Address {
                port: address.port.or(bound),
                ..address.clone()
            };
            let socket = with_port.socket().filter(|_| with_port.port.is_some());
            socket.ok_or_else(|| {
                let problem = SettingError::NoPort(address.clone());
                StartError::setting("advertise", problem)
            })
        });
        announced.collect()
    }

    pub(super) fn mesh(
        &self,
        node: &Node,
        listeners: Vec<String>,
        seed: [u8; 32],
    ) -> Mesh<LockedPeers> {
        let mut handshake = HandshakeConfig::new(node.id().clone(), self.secret.clone());
        handshake.formats.clone_from(&self.formats);
        handshake.timeout = self.monitor_timeout;
        handshake.handshake_timeout = self.limits.handshake_timeout;
        handshake.max_handshake_bytes = self.limits.max_handshake_bytes;
        handshake.auth_offer.clone_from(&self.auth_offer);
        handshake.auth_accept.clone_from(&self.auth_accept);
        handshake.require_tls = self.require_tls;
        handshake.encrypt = self.encrypt_at(node);
        handshake.relay = self.relay;
        handshake.trace = spans::TAKES_CONTEXTS;
        #[cfg(feature = "tls")]
        if let Some(context) = &self.tls.context {
            context.warn_of_other_names(node.id());
            handshake.tls = true;
        }
        let mut config = MeshConfig::new(handshake);
        let seeds = self.seeds.iter().cloned();
        (config.names, config.seeds) = seeds.partition(|seed| self.has_to_look_up(node, seed));
        config.listeners = listeners;
        config.global = self.global;
        config.connect_interval = self.connect_interval;
        config.quota = Quota::from(&self.limits);
        config.max_strangers = self.limits.max_strangers;
        config.max_strangers_per_address = self.limits.max_strangers_per_address;
        let peers = LockedPeers::new(node);
        let mut mesh = Mesh::new(Time::ZERO, config, peers, Random::new(seed));
        for (node, address) in &self.addresses {
            if let Ok(node) = NodeId::new(node) {
                mesh.learn(Time::ZERO, &node, vec![address.clone()]);
            }
        }
        mesh
    }

    /// The setting `encrypt`, or `Never` where encryption is impossible or pointless.
    fn encrypt_at(&self, node: &Node) -> Encrypt {
        match self.encrypt {
            _ if !cfg!(feature = "tls") => Encrypt::Never,
            // A simulation has no network to protect, and the randomness of rustls would make runs irreproducible.
            Encrypt::Auto if node.place().is_simulated() => Encrypt::Never,
            encrypt => encrypt,
        }
    }
}

fn port_of(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}
