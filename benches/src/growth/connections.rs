//! Nodes of one process that send to one port over loopback.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aemp::{Node, port};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Barrier;

use crate::remote::TEXT;

/// The messages that a node sends before it waits for their end.
const BURST: u64 = 100;
/// The nodes that start at a time.
const AT_ONCE: usize = 50;
/// Descriptors for everything but connections.
const OTHERS: u64 = 100;

struct Sink(u64);

#[port]
impl Sink {
    #[rcv]
    fn put(&mut self, number: u64, text: String) {
        self.0 += number + text.len() as u64;
    }

    #[rcv]
    fn get(&self) -> u64 {
        self.0
    }
}

/// Raises the limit of open files as far as the system permits. A connection within a process needs two.
pub(super) fn possible(connections: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Children inherit it.
    let raised = setrlimit(Resource::Nofile, raised).is_ok();
    let most = if raised { limit.maximum } else { limit.current };
    most.is_none_or(|most| 2 * connections + OTHERS <= most)
}

pub(super) async fn bursts(size: u64, operations: u64) -> Duration {
    possible(size);
    let server = Node::builder()
        .node_id("server")
        .secret("bench")
        .bind("127.0.0.1:0");
    let server = server.start().await.expect("loopback has free ports");
    let sink = server.port(Sink(0)).id();
    let address = server.listeners().remove(0);
    let mut nodes = Vec::new();
    while (nodes.len() as u64) < size {
        let more = AT_ONCE.min(size as usize - nodes.len());
        let starting: Vec<_> = (0..more)
            .map(|_| tokio::spawn(client(address.clone())))
            .collect();
        for node in starting {
            nodes.push(node.await.expect("a node starts"));
        }
    }
    let begin = Arc::new(Barrier::new(nodes.len() + 1));
    let share = operations / size;
    let sending: Vec<_> = nodes
        .iter()
        .map(|node| tokio::spawn(send(node.handle(&sink), share, Arc::clone(&begin))))
        .collect();
    begin.wait().await;
    let start = Instant::now();
    for task in sending {
        task.await.expect("a client runs to its end");
    }
    start.elapsed()
}

async fn client(address: String) -> Node {
    let node = Node::builder().secret("bench").seed(address);
    let node = node.start().await.expect("there is nothing to bind");
    node.until_up("server").await;
    node
}

async fn send(sink: SinkRef, messages: u64, begin: Arc<Barrier>) {
    // Opens the way of the messages.
    sink.get().await.expect("the port answers");
    begin.wait().await;
    for number in 1..=messages {
        sink.put(number, TEXT.to_owned());
        if number % BURST == 0 || number == messages {
            sink.get().await.expect("the port answers");
        }
    }
}
