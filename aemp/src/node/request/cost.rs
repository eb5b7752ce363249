//! The costs of requests.

use std::sync::Arc;

use aemp_codec::{PortId, Value};

use crate::{Node, node::remote::Remote};
use aemp_proto::{mesh::Level, request::Request, weight};

/// What looking into the node costs: an answer may list thousands of ports or connections.
const LOOK: u64 = 100;
/// What a message costs that is to be passed on to a node that is not connected: it makes this one look for it.
const SEARCH: u64 = 100;
/// How many bytes of such a message cost as much as a request.
const BYTES: usize = 64;

impl Node {
    /// What a request costs, in ordinary requests. Nothing if it is the consequence of what this node has asked for, or none.
    pub(super) fn cost(&self, from: &Remote, request: &Request) -> u64 {
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

    /// What passing a message on costs, beside the request.
    fn cost_of_way(&self, from: &Remote, to: &PortId, message: &[Value]) -> u64 {
        let Some(queued) = self.way(from, to) else {
            return 0;
        };
        let most = self.costs().max_queue_bytes;
        match queued {
            None => SEARCH + (bytes_of(message) / BYTES) as u64,
            // The slower the receiver, the slower the sender.
            Some(queued) if queued + bytes_of(message) > most / 2 => {
                self.costs().max_requests_per_second as u64 / 10
            }
            Some(_) => 0,
        }
    }

    /// How many bytes wait for the node that a message is to be passed on to, if that is a third one; `None` inside if it
    /// is not connected.
    fn way(&self, from: &Remote, to: &PortId) -> Option<Option<usize>> {
        if self.port_is_local(to) || to.node() == from.id().as_str() {
            return None;
        }
        let queued = self.remotes().get(to.node()).and_then(|there| {
            let peer = there.peer();
            peer.is_up().then(|| peer.pending_bytes())
        });
        Some(queued)
    }

    /// Whether a message is passed on. Not if it could make the queue of a third node overflow, which would cost that one its
    /// connection, and everybody who monitors something there.
    pub(super) fn passes_on(&self, from: &Arc<Remote>, to: &PortId, message: &[Value]) -> bool {
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
                "{id}: a message to {to} is not passed on: {queued} bytes wait there, max_queue_bytes is {most}"
            );
            from.say(Level::Warn, text);
        }
        false
    }
}

fn bytes_of(message: &[Value]) -> usize {
    message.iter().map(weight).sum()
}
