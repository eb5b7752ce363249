//! A node in a process of its own, for tests: `aemp-test-node NODE BIND TIMEOUT-MS [SEED...]`.
//!
//! It prints the address that it listens on, then the nodes that come and go, and ends with its standard input.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

use aemp::{Cx, Node, NodeId, PortId, port, spawnable};
use tokio::io::{AsyncReadExt, stdin};

struct Counter {
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

    /// Never answers.
    #[rcv]
    async fn ponder(&self) -> i64 {
        std::future::pending().await
    }

    /// The process that it lives in.
    #[rcv]
    fn process(&self) -> u32 {
        std::process::id()
    }
}

/// A port that counts.
#[spawnable(name = "Test::counter")]
fn counter(n: i64) -> Counter {
    Counter { n }
}

struct Echo {
    to: PortId,
}

#[port]
impl Echo {
    #[rcv]
    fn echo(&self, cx: &mut Cx<'_>, n: i64) {
        cx.node().snd(&self.to, vec![n.into()]);
    }
}

/// A port that sends numbers on to another.
#[spawnable(name = "Test::echo")]
fn echo(to: PortId) -> Echo {
    Echo { to }
}

/// Prints that a node has come or gone, unless that has been printed.
fn print_change(up: &Mutex<BTreeSet<NodeId>>, node: &NodeId, is_up: bool) {
    let mut up = up.lock().expect("no print has panicked");
    let changed = if is_up {
        up.insert(node.clone())
    } else {
        up.remove(node)
    };
    if changed {
        println!("{} {node}", if is_up { "up" } else { "down" });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [id, bind, timeout, seeds @ ..] = args.as_slice() else {
        return Err("usage: aemp-test-node NODE BIND TIMEOUT-MS [SEED...]".into());
    };
    let node = Node::builder()
        .node_id(id)
        .secret("between friends")
        .bind(bind)
        .monitor_timeout(Duration::from_millis(timeout.parse()?));
    let node = seeds.iter().fold(node, |node, seed| node.seed(seed));
    let node = node.start().await?;
    println!("listens {}", node.listeners().remove(0));
    let up = Arc::new(Mutex::new(BTreeSet::new()));
    let _observer = node.mon_nodes({
        let up = Arc::clone(&up);
        move |node, is_up, _| print_change(&up, node, is_up)
    });
    // A seed may have been connected before the observer was there.
    for id in node.up_nodes() {
        print_change(&up, &id, true);
    }
    stdin().read_to_end(&mut Vec::new()).await?;
    node.stop().await;
    Ok(())
}
