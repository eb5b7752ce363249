//! A client spawns its own port on another node. Each of the two ends with the other.

use std::{env, error::Error, time::Duration};

use aemp::{Cx, Monitor, Node, NodeBuilder, PortId, Reason, port, spawnable};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

// ANCHOR: counter
/// Counts the words of one client.
struct Counter {
    words: usize,
    _link: Monitor,
}

#[port]
impl Counter {
    #[rcv]
    fn count(&mut self, line: String) -> usize {
        self.words += line.split_whitespace().count();
        self.words
    }

    #[stop]
    fn end(&self, reason: &Reason) {
        println!("a counter ends at {}: {reason}", self.words);
    }
}

#[spawnable(name = "Guide::counter")]
fn counter(cx: &mut Cx<'_>, client: PortId) -> Counter {
    println!("a counter for {client}");
    let link = cx.link_id(&client);
    Counter {
        words: 0,
        _link: link,
    }
}
// ANCHOR_END: counter

fn node(name: &str) -> NodeBuilder {
    Node::builder().node_id(name).secret("between friends")
}

// ANCHOR: green
async fn green(address: &str) -> Result<(), Box<dyn Error>> {
    let node = node("green").bind(address).start().await?;
    println!("green is ready");
    node.stop_on_signal(Duration::from_secs(1)).await?;
    Ok(())
}
// ANCHOR_END: green

// ANCHOR: client
async fn client(address: &str) -> Result<(), Box<dyn Error>> {
    let node = node("client").seed(address).start().await?;
    node.joined().await?;

    let me = node.empty_port();
    let counter = counter::on(&node, "green", me.id());
    let _monitor = counter.monitor(|reason| println!("lost the counter: {reason}"));

    println!("type a line");
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{} words", counter.count(line).await?);
    }
    Ok(())
}
// ANCHOR_END: client

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[1..] {
        ["green", address] => green(address).await,
        ["client", address] => client(address).await,
        _ => Err("usage: spawning green|client ADDRESS".into()),
    }
}
