//! Nodes and ports that many tests use.

use std::time::Duration;

use aemp::{Node, NodeBuilder, port, spawnable};

use crate::common::{SECRET, soon};

/// Counts, with handlers that fail in the ways that handlers can.
#[derive(Default)]
pub(crate) struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn inc(&mut self, by: i64) {
        self.n += by;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    #[rcv(try)]
    fn divide(&mut self, by: i64) -> Result<i64, String> {
        self.n = self.n.checked_div(by).ok_or("cannot divide by zero")?;
        Ok(self.n)
    }

    /// Never answers.
    #[rcv]
    async fn ponder(&self) -> i64 {
        std::future::pending().await
    }

    /// Passes a handle of any node on.
    #[rcv]
    fn inc_other(&self, other: CounterRef, by: i64) -> CounterRef {
        other.inc(by);
        other
    }
}

#[spawnable(name = "Net::counter")]
pub(crate) fn counter(n: i64) -> Counter {
    Counter { n }
}

#[spawnable(name = "Net::picky")]
pub(crate) fn picky(n: i64) -> Result<Counter, String> {
    match n {
        13 => Err("not thirteen".into()),
        _ => Ok(Counter { n }),
    }
}

/// A builder of a node that listens, with that ID.
pub(crate) fn listening(id: &str) -> NodeBuilder {
    Node::builder()
        .node_id(id)
        .secret(SECRET)
        .bind("127.0.0.1:0")
        .connect_interval(Duration::from_millis(500))
}

/// Starts a node.
pub(crate) async fn start(builder: NodeBuilder) -> Node {
    builder.start().await.expect("the node starts")
}

/// The address at which a node listens.
pub(crate) fn address(node: &Node) -> String {
    node.listeners().remove(0)
}

/// Two nodes, `a` and `b`, that are connected: `b` has dialled.
pub(crate) async fn pair() -> (Node, Node) {
    let a = start(listening("a")).await;
    let b = start(listening("b").seed(address(&a))).await;
    soon(a.until_up("b")).await;
    soon(b.until_up("a")).await;
    (a, b)
}

/// A port that takes notes, of any type.
#[aemp::protocol]
pub(crate) trait Notes {
    fn note(&self, text: String);
}

/// The node port of a node.
pub(crate) fn node_port(node: &Node) -> aemp::PortId {
    node.id().clone().into()
}
