//! What a node's builder collects for its network side.

use std::time::Duration;

use aemp_codec::{Format, Limits, NodeId};

use super::LockedPeers;
use crate::{
    Node, StartError,
    proto::{
        Random, Time,
        handshake::{
            HandshakeConfig,
            auth::{Method, Secret},
        },
        mesh::{Mesh, MeshConfig},
    },
};

/// The shortest `monitor_timeout`: keepalives go out three times as often.
const LEAST_TIMEOUT: Duration = Duration::from_millis(30);

#[derive(Clone, Debug)]
pub(crate) struct NetConfig {
    pub(crate) secret: Option<Secret>,
    pub(crate) seeds: Vec<String>,
    /// Node IDs and their addresses.
    pub(crate) addresses: Vec<(String, String)>,
    pub(crate) monitor_timeout: Duration,
    pub(crate) connect_interval: Duration,
    pub(crate) accept_cleartext: bool,
    pub(crate) formats: Vec<Format>,
    pub(crate) limits: Limits,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self {
            secret: None,
            seeds: Vec::new(),
            addresses: Vec::new(),
            monitor_timeout: Duration::from_secs(30),
            connect_interval: Duration::from_secs(2),
            accept_cleartext: true,
            formats: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl NetConfig {
    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let setting = |setting, problem: String| StartError::Setting { setting, problem };
        if self.monitor_timeout < LEAST_TIMEOUT {
            let problem = format!("must be at least {LEAST_TIMEOUT:?}");
            return Err(setting("monitor_timeout", problem));
        }
        if self.connect_interval.is_zero() {
            return Err(setting("connect_interval", "must not be zero".into()));
        }
        for seed in &self.seeds {
            check_address(seed).ok_or_else(|| StartError::Seed(seed.clone()))?;
        }
        for (node, address) in &self.addresses {
            NodeId::new(node)?;
            let problem = || format!("{address:?} must be host:port");
            check_address(address).ok_or_else(|| setting("address", problem()))?;
        }
        Ok(())
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
        if !self.accept_cleartext {
            handshake
                .auth_accept
                .retain(|method| *method != Method::Cleartext);
        }
        let mut config = MeshConfig::new(handshake);
        config.seeds.clone_from(&self.seeds);
        config.listeners = listeners;
        config.connect_interval = self.connect_interval;
        let peers = LockedPeers(node.clone());
        let mut mesh = Mesh::new(Time::ZERO, config, peers, Random::new(seed));
        for (node, address) in &self.addresses {
            if let Ok(node) = NodeId::new(node) {
                mesh.learn(Time::ZERO, &node, vec![address.clone()]);
            }
        }
        mesh
    }
}

/// Whether a text is `host:port`.
fn check_address(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty()).then_some(())?;
    port.parse().ok()
}
