//! Real processes that are killed, stopped, cut off and restarted: two, or a network of five.

mod child;
mod cluster;
#[path = "../network/common.rs"]
mod common;
mod logs;
mod losses;
mod member;
mod networks;
mod partition;
mod restarts;

use std::time::Duration;

use aemp::Node;

use crate::{
    child::Child,
    common::{SECRET, soon},
};

/// The time within which nodes of these tests have to notice that the other is dead.
const TIMEOUT: Duration = Duration::from_millis(1000);

/// A node in this process, and one in another that is connected to it.
async fn pair() -> (Node, Child) {
    let here = here().await;
    let there = Child::start("there", "127.0.0.1:0", &here.listeners());
    soon(here.until_up("there")).await;
    (here, there)
}

/// The node of this process.
async fn here() -> Node {
    let node = Node::builder().node_id("here").secret(SECRET);
    let node = node.bind("127.0.0.1:0").monitor_timeout(TIMEOUT);
    node.start().await.expect("the node starts")
}
