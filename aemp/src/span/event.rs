//! Events: things that happen within spans, and between them.

use aemp_codec::{NodeId, PortId};

use crate::Reason;

/// Something that happens at one moment. If the handler of a span causes it, the span gets it ([`Span::event`]), and
/// otherwise the tracer ([`Tracer::event`]).
///
/// [`Span::event`]: super::Span::event
/// [`Tracer::event`]: super::Tracer::event
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A port is killed by this node. It may be one of another node, and may be dead already.
    Kill {
        /// The port.
        port: PortId,
        /// The reason.
        reason: Reason,
    },
    /// A monitor fires at this node, because a port of this node has died, or another node is lost.
    Monitor {
        /// The port that has died; for a node that is lost, the ID of that node.
        port: PortId,
        /// The reason.
        reason: Reason,
    },
    /// A supervisor starts children again.
    Restart {
        /// The supervisor.
        supervisor: PortId,
        /// The number of children.
        children: u64,
    },
    /// A connection to another node is up.
    Connect {
        /// The other node.
        node: NodeId,
        /// True if it had been connected before.
        again: bool,
    },
    /// The connection to another node is lost.
    Disconnect {
        /// The other node.
        node: NodeId,
        /// The reason.
        text: String,
    },
}

impl Event {
    /// The name of its kind.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill",
            Self::Monitor { .. } => "monitor",
            Self::Restart { .. } => "restart",
            Self::Connect { again: false, .. } => "connect",
            Self::Connect { again: true, .. } => "reconnect",
            Self::Disconnect { .. } => "disconnect",
        }
    }
}
