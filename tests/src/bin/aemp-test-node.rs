//! A node in a process of its own, for tests: `aemp-test-node NODE BIND TIMEOUT-MS [SEED...]`.
//!
//! It prints the address that it listens on, then the nodes that come and go, and ends with its standard input.

use std::{env, error::Error, time::Duration};

use aemp::{Cx, Node, PortId, port, spawnable};
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
    let _observer = node.mon_nodes(|node, up, _| {
        println!("{} {node}", if up { "up" } else { "down" });
    });
    println!("listens {}", node.listeners().remove(0));
    stdin().read_to_end(&mut Vec::new()).await?;
    node.stop().await;
    Ok(())
}
