//! The costs of requests.

use std::sync::Arc;

use aemp_codec::{PortId, Value};

use crate::{Node, node::peer::Peer};
use aemp_proto::{mesh::Level, request::Request, weight};

/// The cost of an inspection: an answer may list thousands of ports or connections.
const LOOK: u64 = 100;
/// The cost of passing a message on to a node that is not connected: this node has to look for it.
const SEARCH: u64 = 100;
/// The number of bytes of such a message that cost as much as one request.
const BYTES: usize = 64;

impl Node {
    /// The cost of a request, in ordinary requests. Zero for consequences of this node's own requests.
    pub(super) fn cost(&self, from: &Peer, request: &Request) -> u64 {
        match request {
            Request::Keepalive
            | Request::Devnull
            | Request::Kil0 { .. }
            | Request::Credit { .. } => 0,
            Request::Snd { to, msg } | Request::Can { to, msg, .. } | Request::Time { to, msg } => {
                1 + self.cost_of_way(from, to, msg)
            }
            Request::Eval {
                to: Some(to), msg, ..
            } => 1 + self.cost_of_way(from, to, msg),
            Request::Inspect { to, msg, .. } => LOOK + self.cost_of_way(from, to, msg),
            _ => 1,
        }
    }

    /// The cost of passing a message on, in addition to the request.
    fn cost_of_way(&self, from: &Peer, to: &PortId, message: &[Value]) -> u64 {
        let Some(queued) = self.way(from, to) else {
            return 0;
        };
        let most = self.costs().max_queue_bytes;
        match queued {
            None => SEARCH + (bytes_of(message) / BYTES) as u64,
            // A slow receiver slows its sender down.
            Some(queued) if queued + bytes_of(message) > most / 2 => {
                self.costs().max_requests_per_second as u64 / 10
            }
            Some(_) => 0,
        }
    }

    /// The number of bytes that are queued for the destination of a message to be passed on, if that is a third
    /// node; `Some(None)` if it is not connected.
    fn way(&self, from: &Peer, to: &PortId) -> Option<Option<usize>> {
        if self.port_is_local(to) || to.node() == from.id().as_str() {
            return None;
        }
        let queued = self.peers().get(to.node()).and_then(|there| {
            let state = there.state();
            state.is_up().then(|| state.pending_bytes())
        });
        Some(queued)
    }

    /// True if a message is passed on. It is not if it could make the queue of a third node overflow: that would end
    /// the third node's connection, and fire all monitors on it.
    pub(super) fn passes_on(&self, from: &Arc<Peer>, to: &PortId, message: &[Value]) -> bool {
        let Some(Some(queued)) = self.way(from, to) else {
            return true;
        };
        let most = self.costs().max_queue_bytes;
        if queued + bytes_of(message) <= most / 4 * 3 {
            return true;
        }
        if from.account().is_news("relay") {
            let (id, to) = (from.id(), to.node());
            let text = format!(
                "{id}: a message to {to} is not passed on: {queued} bytes are queued for that node, and max_queue_bytes is {most}"
            );
            from.remark(Level::Warn, text);
        }
        false
    }
}

fn bytes_of(message: &[Value]) -> usize {
    message.iter().map(weight).sum()
}
