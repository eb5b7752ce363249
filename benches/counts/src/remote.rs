//! Paths between two nodes.

use aemp::{Node, port};
use tokio::task::JoinSet;

use crate::BATCH;

const TEXT: &str = "0123456789abcdefghijklmnopqrstuv";

struct Service {
    bytes: usize,
}

#[port]
impl Service {
    #[rcv]
    fn put(&mut self, number: i64, text: String) {
        self.bytes += number as usize + text.len();
    }

    #[rcv]
    fn ask(&self, number: i64, text: String) -> usize {
        self.bytes + number as usize + text.len()
    }
}

/// A service of the first node, by a handle of the second.
fn service(server: &Node, client: &Node) -> ServiceRef {
    client.handle(&server.port(Service { bytes: 0 }).id())
}

pub(crate) async fn send(server: Node, client: Node, times: u64) {
    let service = service(&server, &client);
    for _ in 0..times / BATCH {
        for number in 0..BATCH {
            service.put(number as i64, TEXT.into());
        }
        let call = service.ask(0, TEXT.into());
        call.await.expect("the service answers");
    }
}

/// Calls, many at the same time, so that the simulator's steps of a millisecond are few beside them.
pub(crate) async fn call(server: Node, client: Node, times: u64) {
    let service = service(&server, &client);
    for _ in 0..times / BATCH {
        let mut calls = JoinSet::new();
        for number in 0..BATCH {
            calls.spawn(service.ask(number as i64, TEXT.into()).into_future());
        }
        for answer in calls.join_all().await {
            answer.expect("the service answers");
        }
    }
}
