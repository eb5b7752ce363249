//! A subscriber that uses the node whose events it is told of.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use aemp::{Node, PortId, msg};
use tracing::{Event, Metadata, Subscriber, span};

use crate::common::{SECRET, soon, until};

/// Sends each event to a port of another node, which is never there.
struct Shipper {
    node: OnceLock<Node>,
    to: PortId,
    told: AtomicU32,
}

impl Subscriber for Shipper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.told.fetch_add(1, Ordering::Relaxed);
        if let Some(node) = self.node.get() {
            node.snd(&self.to, msg![event.metadata().name()]);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The one test of this program with a subscriber of its own: a global one, because tracing keeps others from getting the lines that they
/// cause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_may_send_each_event_to_another_node() {
    let shipper = Arc::new(Shipper {
        node: OnceLock::new(),
        to: PortId::parse("log/server#lines").unwrap(),
        told: AtomicU32::new(0),
    });
    tracing::subscriber::set_global_default(Arc::clone(&shipper)).expect("there is no other");
    let node = Node::builder().node_id("shipping").secret(SECRET);
    let node = soon(node.bind("127.0.0.1:0").start()).await.unwrap();
    assert!(shipper.node.set(node.clone()).is_ok());
    let port = PortId::parse("nowhere#port").unwrap();
    for _ in 0..100 {
        node.snd(&port, msg!["hello"]);
        tokio::task::yield_now().await;
    }
    until(|| shipper.told.load(Ordering::Relaxed) > 0).await;
    soon(node.stop()).await;
    let told = shipper.told.load(Ordering::Relaxed);
    for _ in 0..100 {
        node.snd(&port, msg!["hello"]);
    }
    tracing::info!("of the program");
    assert!(shipper.told.load(Ordering::Relaxed) < told + 100);
}
