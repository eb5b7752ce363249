//! The distributed database as its users see it: within a process, and over loopback.

#[path = "../network/common.rs"]
mod common;
mod entries;
mod pools;
mod queries;
mod roles;
mod watches;

use std::time::Duration;

use aemp::{Node, NodeBuilder};

use crate::common::{SECRET, soon};

/// A node that listens on loopback.
fn builder(id: &str) -> NodeBuilder {
    Node::builder()
        .node_id(id)
        .secret(SECRET)
        .bind("127.0.0.1:0")
        .monitor_timeout(Duration::from_secs(10))
}

async fn start(id: &str, seeds: &[&Node]) -> Node {
    let addresses = seeds.iter().flat_map(|seed| seed.listeners());
    let node = addresses.fold(builder(id), NodeBuilder::seed);
    node.start().await.expect("the node starts")
}

/// A global node and two slaves of it, connected.
async fn three() -> [Node; 3] {
    let seed = start("g", &[]).await;
    let (one, two) = (start("a", &[&seed]).await, start("b", &[&seed]).await);
    soon(one.until_up("g")).await;
    soon(two.until_up("g")).await;
    [seed, one, two]
}

/// Asks a node until a family has so many keys.
async fn has(node: &Node, family: &str, keys: usize) {
    let asked = async {
        while node.db_keys(family).await.expect("an answer").len() != keys {
            tokio::task::yield_now().await;
        }
    };
    soon(asked).await;
}

async fn stop(nodes: impl IntoIterator<Item = Node>) {
    for node in nodes {
        node.stop().await;
    }
}
