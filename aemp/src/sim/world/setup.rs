//! The setup of a node of a world.

use std::time::Duration;

use aemp_codec::NodeId;

/// The port that every node of a [`World`](super::World) listens on.
pub const PORT: u16 = 4040;

/// A node of a [`World`](super::World), running or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub(super) usize);

impl Member {
    /// The index of the node. Nodes are counted from 0, in the order in which they were added.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// The configuration of a node of a [`World`](super::World).
#[derive(Clone, Debug)]
pub struct Setup {
    pub(super) id: NodeId,
    pub(super) seeds: Vec<String>,
    pub(super) listens: bool,
    pub(super) global: bool,
    pub(super) relay: bool,
    pub(super) monitor_timeout: Duration,
    pub(super) connect_interval: Duration,
    pub(super) max_queue_bytes: usize,
}

impl Setup {
    /// Creates the setup of a node with this ID, with the reference's timeouts and without seeds.
    ///
    /// # Panics
    ///
    /// Panics if the text is not a valid node ID.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: NodeId::new(id).expect("a node ID"),
            seeds: Vec::new(),
            listens: true,
            global: false,
            relay: true,
            monitor_timeout: Duration::from_secs(30),
            connect_interval: Duration::from_secs(2),
            max_queue_bytes: 1 << 20,
        }
    }

    /// Makes the node with this ID a seed.
    #[must_use]
    pub fn seed(mut self, node: &str) -> Self {
        self.seeds.push(format!("{node}:{PORT}"));
        self
    }

    /// Makes the node accept no connections.
    #[must_use]
    pub fn silent(self) -> Self {
        Self {
            listens: false,
            ..self
        }
    }

    /// Makes the node global from the start.
    #[must_use]
    pub fn global(self) -> Self {
        Self {
            global: true,
            ..self
        }
    }

    /// Sets whether the node takes part in relayed connections. It does by default.
    #[must_use]
    pub fn relay(self, relay: bool) -> Self {
        Self { relay, ..self }
    }

    /// Sets the time within which a dead peer must be detected.
    #[must_use]
    pub fn monitor_timeout(self, monitor_timeout: Duration) -> Self {
        Self {
            monitor_timeout,
            ..self
        }
    }

    /// Sets the longest time of an attempt to connect to a node.
    #[must_use]
    pub fn connect_interval(self, connect_interval: Duration) -> Self {
        Self {
            connect_interval,
            ..self
        }
    }

    /// Sets the number of bytes that may be queued for another node. With more, that node is given up.
    #[must_use]
    pub fn max_queue_bytes(self, max_queue_bytes: usize) -> Self {
        Self {
            max_queue_bytes,
            ..self
        }
    }
}
