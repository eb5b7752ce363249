//! A peer reaches each limit. The consequences are its own, and the log names the peer and the limit.

mod connections;
mod large;
mod requests;

use aemp::{Node, NodeBuilder, msg, snd};

use crate::{
    common::{Inbox, soon},
    logs::Logs,
    nodes::{address, listening, start},
};

/// A node with limits, and a neighbour that must not notice anything.
pub(crate) struct Scene {
    pub(crate) logs: Logs,
    pub(crate) node: Node,
    pub(crate) neighbour: Node,
}

impl Scene {
    pub(crate) async fn new(limit: impl FnOnce(NodeBuilder) -> NodeBuilder) -> Self {
        let logs = Logs::catch();
        let node = start(limit(listening("a"))).await;
        let neighbour = start(listening("b").seed(address(&node))).await;
        soon(node.until_up("b")).await;
        soon(neighbour.until_up("a")).await;
        Self {
            logs,
            node,
            neighbour,
        }
    }

    /// The neighbour is heard as ever.
    pub(crate) async fn goes_on(&self) {
        let mut inbox = Inbox::new(&self.node);
        snd!(self.neighbour, inbox.id, "undisturbed");
        assert_eq!(inbox.next().await, msg!["undisturbed"]);
        assert!(self.logs.find("b is down").is_none());
    }
}
