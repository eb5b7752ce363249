//! Passing on: a task that sends the content of a bounded queue to a port, as fast as the port's node takes it.
//!
//! The queue loses its oldest elements and counts them, so neither memory nor the connection suffers from a slow receiver.
//! The task takes an element only when the queue of the connection is short, so that a line or a trace never makes it
//! overflow. It ends with the port. After each series it pauses for some milliseconds. That limits the elements that the
//! sending itself may cause by ways that are not known here, such as the log of a driver.

pub(crate) mod queue;
pub(crate) mod reading;

use std::{cell::Cell, sync::Arc, time::Duration};

use aemp_codec::{PortId, Value};
use tokio::{sync::oneshot, task::coop::consume_budget, time::sleep};

use crate::{Monitor, Node, WeakNode, guard, node::peer::Peer};

/// The time for which elements are gathered after some have been sent.
const PAUSE: Duration = Duration::from_millis(10);

/// The elements for one port.
pub(crate) trait Supply: Send + Sync + 'static {
    /// Ready when there may be an element. Nothing is lost if it is dropped before.
    fn ready(&self) -> impl Future<Output = ()> + Send;

    /// Takes the next element, as a message.
    fn next(&self, node: &Node) -> Option<Vec<Value>>;
}

/// Starts to send elements to a port, until it dies or the node ends. Then the supply is dropped.
pub(crate) fn start(node: &Node, port: PortId, supply: impl Supply) {
    let (tell, died) = oneshot::channel();
    let monitor = node.mon(&port, move |_| {
        let _ = tell.send(());
    });
    let passing = Passing {
        node: node.downgrade(),
        peer: node.destination(&port).peer().cloned(),
        port,
        supply,
        _monitor: monitor,
    };
    node.scheduler().spawn(passing.run(died));
}

thread_local! {
    /// True if this thread is sending an element.
    static SENDING: Cell<bool> = const { Cell::new(false) };
}

/// True if this thread is sending an element.
#[cfg(feature = "logs")]
pub(crate) fn is_sending() -> bool {
    SENDING.get()
}

struct Passing<S> {
    node: WeakNode,
    /// The node of the port, if it is another one.
    peer: Option<Arc<Peer>>,
    port: PortId,
    supply: S,
    /// Reports the death of the port, also when its node is lost.
    _monitor: Monitor,
}

impl<S: Supply> Passing<S> {
    async fn run(self, died: oneshot::Receiver<()>) {
        tokio::select! {
            biased;
            _ = died => {}
            () = self.send() => {}
        }
    }

    /// Sends elements until the node has ended.
    async fn send(&self) {
        while self.send_all().await.is_some() {
            sleep(PAUSE).await;
            self.supply.ready().await;
        }
    }

    /// Sends the elements that wait. `None` if the node has ended.
    async fn send_all(&self) -> Option<()> {
        loop {
            // Before the element is taken, so that the oldest ones are lost and not the newest.
            if let Some(peer) = &self.peer {
                peer.room().await;
            }
            let node = self.node.upgrade()?;
            let Some(message) = self.supply.next(&node) else {
                return Some(());
            };
            // Lines that this causes on this thread are lost, here and in the layer of the log catcher.
            SENDING.set(true);
            guard::log(|| drop(node.relay(&self.port, message)));
            SENDING.set(false);
            drop(node);
            consume_budget().await;
        }
    }
}
