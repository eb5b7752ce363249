//! The orderly end of a port, and waiting for the end of one.
//!
//! - A *stop* is an envelope with a normal reason in the port's queue, like a kill. A kill is also noted beside the
//!   queue, where async handlers see it; a stop is not. So everything before it is handled as if there were no stop,
//!   and nothing behind it.
//! - The limit of `stop_within` is a task that the port keeps, so it ends with the port. When the time is over, the
//!   port is *cut*: the queue is replaced by a kill, also the part that a worker holds (at the end of its turn).
//! - [`Closed`] is a monitor with a guard. Dropping it takes the monitor out of the port's register, or of the peer's.
//!
//! Dangers: a handler that never returns is not ended by anything in this process, so a port that is cut
//! lives as long as its running handler blocks the thread. Left out: a stop of a port that the node does not know yet,
//! such as one whose node is not connected, is sent when the connection is up, because another implementation gets a
//! kill instead. So it may come behind messages that were sent after it.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aemp_codec::PortId;
use tokio::sync::oneshot;

use super::{
    any::AnyPort,
    bound,
    extras::{Content, Kept},
    handle::{Handle, To, core},
    monitor::{Action, Monitor},
    queue::Pushed,
};
use crate::{Cx, Node, Reason, exec::scheduler, message::Message, node::life::NODE_STOPPED};

/// Stops a port of this node after the queued messages. If it has not ended `within` that time, it is cut.
pub(crate) fn stop(port: &Arc<dyn AnyPort>, within: Option<Duration>) {
    if let Some(within) = within {
        cut_after(port, within);
    }
    if port.stop() == Pushed::Wake {
        scheduler::schedule(Arc::clone(port));
    }
}

/// Ends the port after this time, unless it has ended by then. The earliest of several limits counts, so a port has one
/// such task.
fn cut_after(port: &Arc<dyn AnyPort>, within: Duration) {
    let due = bound::due(port.node(), within);
    let set = port.extras(|extras| {
        if extras
            .rare()
            .limit
            .is_some_and(|(_, earlier)| earlier <= due)
        {
            return None;
        }
        let id = extras.keep(Content::Task);
        let later = extras.rare().limit.replace((id, due));
        Some((id, later.and_then(|(later, _)| extras.kept.remove(later))))
    });
    let Some((id, later)) = set.flatten() else {
        return;
    };
    later.into_iter().for_each(Kept::end);
    let weak = Arc::downgrade(port);
    bound::start(port, id, async move {
        tokio::time::sleep_until(due).await;
        if let Some(port) = weak.upgrade() {
            cut(port, within);
        }
    });
}

/// Ends a port that has not stopped within its time.
pub(crate) fn cut(port: Arc<dyn AnyPort>, within: Duration) {
    let text = format!("it did not stop within {within:?}");
    let reason = Reason::new(vec!["killed".into(), text.into()]);
    if port.cut(reason) == Pushed::Wake {
        scheduler::schedule(port);
    }
}

/// The end of a port: a future of its reason. Made by [`Handle::closed`] and [`Node::closed`].
///
/// The monitor is set when this is made, and removed when it is dropped.
///
/// # Cancel safety
///
/// Dropping it has no effect on the port.
#[must_use = "it has the reason when it is awaited"]
pub struct Closed {
    told: oneshot::Receiver<Reason>,
    _monitor: Monitor,
}

impl Closed {
    fn new(monitor: impl FnOnce(Action) -> Monitor) -> Self {
        let (tell, told) = oneshot::channel();
        let action = move |reason: &Reason| drop(tell.send(reason.clone()));
        Self {
            _monitor: monitor(Action::Call(Box::new(action))),
            told,
        }
    }
}

impl Future for Closed {
    type Output = Reason;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Reason> {
        let told = Pin::new(&mut self.told).poll(task);
        told.map(|told| told.unwrap_or_else(|_| Reason::die(NODE_STOPPED)))
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}

impl<M: Message> Handle<M> {
    /// Ends the port normally after the messages that are queued now. Async handlers among them run to their end;
    /// messages that come later vanish. See the [table](crate::handbook::lifecycle#ends) of all kinds of ends.
    ///
    /// ```
    /// use aemp::{Node, port};
    ///
    /// #[derive(Default)]
    /// struct Account { cents: i64 }
    ///
    /// #[port]
    /// impl Account {
    ///     #[rcv]
    ///     async fn pay(&mut self, cents: i64) {
    ///         tokio::task::yield_now().await;
    ///         self.cents += cents;
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let account = Node::local()?.port(Account::default());
    /// account.pay(5);
    /// account.stop();
    /// account.pay(7); // vanishes
    /// assert!(account.closed().await.is_normal());
    /// # Ok(()) }
    /// ```
    ///
    /// A port that stops itself also handles its queue first; [`Cx::kill`] ends it at once. A port of another node of
    /// this project is stopped in the same way. A Perl node gets a kill with a normal reason, which is in order with
    /// the caller's messages as well. If the node is not connected yet, the request is sent when it is.
    #[doc(alias = "shutdown")]
    #[doc(alias = "drain")]
    #[doc(alias = "PoisonPill")]
    pub fn stop(&self) {
        match &self.to {
            To::Local(port) => stop(&core(port), None),
            To::Far(to) => to.stop(None),
        }
    }

    /// As [`stop`](Self::stop). If the port has not ended after `limit`, it is killed with the reason `killed, TEXT`:
    /// the running async handler is cancelled at its next `await`, and the rest of the queue is dropped.
    ///
    /// A handler that blocks its thread is not interrupted: the port ends when it returns. A kill before the limit has
    /// its usual effect.
    #[doc(alias = "shutdown")]
    pub fn stop_within(&self, limit: Duration) {
        match &self.to {
            To::Local(port) => stop(&core(port), Some(limit)),
            To::Far(to) => to.stop(Some(limit)),
        }
    }

    /// Waits until the port has ended, and returns its reason, also if it has ended before. A handle of a port of this node
    /// knows the reason for as long as it lives. One of another node, or one that was made from the ID of a port that had
    /// ended, gets `no_such_port` then. If the connection to the other node is lost, the reason is `transport_error`.
    ///
    /// When it is ready, the port's state is dropped, and its `#[stop]` method has returned.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), aemp::StartError> {
    /// let node = aemp::Node::local()?;
    /// let port = node.empty_port();
    /// port.kill("enough");
    /// assert_eq!(port.closed().await.to_string(), "enough");
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping it removes its monitor, and has no other effect.
    #[doc(alias = "wait_for_shutdown")]
    #[doc(alias = "join")]
    pub fn closed(&self) -> Closed {
        match &self.to {
            To::Local(port) => Closed::new(|action| Monitor::local(&core(port), action)),
            To::Far(to) => Closed::new(|action| to.monitor(action)),
        }
    }
}

impl Node {
    /// Stops any port after the queued messages; see [`Handle::stop`].
    pub fn stop_port(&self, port: &PortId) {
        self.destination(port).stop(None);
    }

    /// Stops any port after the queued messages, and kills it if it has not ended after `limit`; see
    /// [`Handle::stop_within`].
    pub fn stop_port_within(&self, port: &PortId, limit: Duration) {
        self.destination(port).stop(Some(limit));
    }

    /// Waits until any port has ended, and returns its reason; see [`Handle::closed`]. The reason is `no_such_port` if
    /// the port does not exist. For a node port, it waits until the connection is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropping it removes its monitor, and has no other effect.
    pub fn closed(&self, port: &PortId) -> Closed {
        let to = self.destination(port);
        Closed::new(|action| to.monitor(action))
    }
}

impl Cx<'_> {
    /// Ends this port normally after the messages that are queued now; see [`Handle::stop`]. [`kill`](Self::kill) ends it when the
    /// running handler returns.
    pub fn stop(&self) {
        stop(&self.arc(), None);
    }
}
