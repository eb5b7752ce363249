//! Waits with a limit, and ports that keep their messages.

use std::{future::Future, time::Duration};

use aemp::{Args, Cx, Node, PortId, Reason, Value};
use tokio::sync::{mpsc, oneshot};

/// The secret of all nodes of the tests.
pub(crate) const SECRET: &str = "between friends";

/// The time after which a test gives up: much longer than anything ever takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a future that must be ready soon.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    let patient = tokio::time::timeout(PATIENCE, future);
    patient.await.expect("it has not come in time")
}

/// Asks again and again until the answer is yes, for states without any notice.
pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    let polled = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(polled).await;
}

/// Monitors a port at once. Returns a future of the reason of its death.
pub(crate) fn watch(node: &Node, port: &PortId) -> impl Future<Output = Reason> + use<> {
    let (tell, told) = oneshot::channel();
    node.mon(port, move |reason| drop(tell.send(reason.clone())))
        .detach();
    async move { soon(told).await.expect("the monitor is gone") }
}

/// A port that keeps all that it is sent.
pub(crate) struct Inbox {
    pub(crate) id: PortId,
    pub(crate) messages: mpsc::UnboundedReceiver<Vec<Value>>,
}

impl Inbox {
    pub(crate) fn new(node: &Node) -> Self {
        let (keep, messages) = mpsc::unbounded_channel();
        let port = node.untyped(move |_: &mut Cx<'_>, message: Args| drop(keep.send(message)));
        Self {
            id: port.id(),
            messages,
        }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Vec<Value> {
        soon(self.messages.recv()).await.expect("the port lives")
    }
}
