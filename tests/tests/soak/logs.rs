//! A log subscriber may use the node: nothing is logged under one of its locks.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aemp::Node;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    Layer, Registry,
    filter::filter_fn,
    layer::{Context, SubscriberExt},
};

/// Asks the node for the state of its mesh, whenever a line is logged.
#[derive(Clone, Default)]
struct Curious {
    node: Arc<Mutex<Option<Node>>>,
    asked: Arc<AtomicUsize>,
}

impl<S: Subscriber> Layer<S> for Curious {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        let node = self.node.lock().expect("no thread panics").clone();
        if let Some(node) = node {
            let set = node.db_set("logs", "asked", self.asked.load(Ordering::Relaxed) as i64);
            set.expect("names and values are allowed");
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn a_log_subscriber_may_use_the_node() {
    let curious = Curious::default();
    // Each trace of a packet would cause another packet.
    let plain = filter_fn(|metadata| metadata.target() != aemp::logs::TRACE);
    let subscriber = Registry::default().with(curious.clone().with_filter(plain));
    let _guard = tracing::subscriber::set_default(subscriber);
    let start = |id| {
        Node::builder()
            .node_id(id)
            .secret("geheim")
            .bind("127.0.0.1:0")
    };
    let node = start("a").start().await.expect("the node starts");
    *curious.node.lock().expect("no thread panics") = Some(node.clone());
    let other = start("b").seed(node.listeners().remove(0)).start().await;
    let other = other.expect("the node starts");
    // That it is up is logged by the mesh.
    node.until_up("b").await;
    while curious.asked.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    other.stop().await;
    curious.node.lock().expect("no thread panics").take();
    node.stop().await;
}
