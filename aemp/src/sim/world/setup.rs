//! The setup of a node of a world.

use std::time::Duration;

use aemp_codec::NodeId;

/// The port that every node of a [`World`](super::World) listens on.
pub const PORT: u16 = 4040;

/// One node of a [`World`](super::World), whether it is running or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub(super) usize);

impl Member {
    /// Members are counted from 0, in the order in which they were added.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// What a node of a [`World`](super::World) is like.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(super) id: NodeId,
    pub(super) seeds: Vec<String>,
    pub(super) listens: bool,
    pub(super) global: bool,
    pub(super) monitor_timeout: Duration,
    pub(super) connect_interval: Duration,
    pub(super) max_queue_bytes: usize,
}

impl Setup {
    /// A node of that ID, with the reference's timeouts and without seeds.
    ///
    /// # Panics
    ///
    /// When the text is no node ID.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: NodeId::new(id).expect("a node ID"),
            seeds: Vec::new(),
            listens: true,
            global: false,
            monitor_timeout: Duration::from_secs(30),
            connect_interval: Duration::from_secs(2),
            max_queue_bytes: 1 << 20,
        }
    }

    /// The node of that ID is a seed.
    #[must_use]
    pub fn seed(mut self, node: &str) -> Self {
        self.seeds.push(format!("{node}:{PORT}"));
        self
    }

    /// The node cannot be connected to.
    #[must_use]
    pub fn silent(self) -> Self {
        Self {
            listens: false,
            ..self
        }
    }

    /// The node is global from the start.
    #[must_use]
    pub fn global(self) -> Self {
        Self {
            global: true,
            ..self
        }
    }

    /// How soon a dead peer must be noticed.
    #[must_use]
    pub fn monitor_timeout(self, monitor_timeout: Duration) -> Self {
        Self {
            monitor_timeout,
            ..self
        }
    }

    /// How long an attempt to connect to a node may take.
    #[must_use]
    pub fn connect_interval(self, connect_interval: Duration) -> Self {
        Self {
            connect_interval,
            ..self
        }
    }

    /// How much may be queued for one other node before it is given up.
    #[must_use]
    pub fn max_queue_bytes(self, max_queue_bytes: usize) -> Self {
        Self {
            max_queue_bytes,
            ..self
        }
    }
}
