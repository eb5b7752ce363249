//! A network and its observer.

use std::net::SocketAddr;

use aemp::{Node, NodeBuilder};
use aemp_web::Observer;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::http::soon;

pub(crate) const SECRET: &str = "between friends";

/// A node of the network, which is not started.
pub(crate) fn node(id: &str) -> NodeBuilder {
    Node::builder()
        .node_id(id)
        .secret(SECRET)
        .bind("127.0.0.1:0")
}

/// An observer with the node `observer`, and the node `green` that it knows.
pub(crate) struct Watched {
    pub(crate) green: Node,
    pub(crate) observer: Node,
    pub(crate) at: SocketAddr,
    serving: JoinHandle<()>,
}

impl Watched {
    pub(crate) async fn start() -> Self {
        Self::start_as(|observer| observer).await
    }

    pub(crate) async fn start_as(change: impl FnOnce(Observer) -> Observer) -> Self {
        let green = node("green").start().await.expect("it starts");
        let observer = node("observer").seed(green.listeners().remove(0));
        let observer = observer.start().await.expect("it starts");
        soon(observer.until_up("green")).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let serving = change(Observer::new(&observer)).serve(listener);
        let serving = serving.expect("it serves");
        let serving = tokio::spawn(async { drop(serving.await) });
        Self {
            green,
            observer,
            at,
            serving,
        }
    }

    /// Starts another node.
    pub(crate) async fn add(&self, id: &str) -> Node {
        let node = node(id).seed(self.green.listeners().remove(0));
        let node = node.start().await.expect("it starts");
        soon(node.until_up("green")).await;
        node
    }

    pub(crate) async fn stop(self) {
        self.serving.abort();
        self.green.stop().await;
        self.observer.stop().await;
    }
}
