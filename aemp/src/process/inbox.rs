//! The mailbox of a process as its body sees it, and its context.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Weak},
    task::Poll,
    time::Duration,
};

use aemp_codec::{PortId, Value};

use super::{
    Verdict,
    mailbox::{Mailbox, Receive},
    parked::Wanted,
};
use crate::{
    Monitor, Node, Origin, Reason, Sent,
    message::{Args, Outcome},
    port::{any::AnyPort, bound, monitor, monitor::Action},
};

/// The tag of the message that reports the death of a monitored port.
const DOWN: &str = "DOWN";

/// The mailbox of a process, and its context: the body of [`Node::process`] gets it.
///
/// Messages wait in the mailbox in the order in which they came. A receive takes the first one that it wants, and
/// leaves the others in their order.
///
/// ```
/// use std::time::Duration;
/// use aemp::{Node, msg, snd};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (told, tells) = tokio::sync::oneshot::channel();
/// let node = Node::local()?;
/// let process = node.process(|inbox| async move {
///     let first = inbox.get("b").await; // the arguments after the tag
///     let second = inbox.recv().await; // a whole message
///     let third = inbox.get_timeout("c", Duration::from_millis(1)).await;
/// #   let _ = told.send((first, second, third));
/// });
/// snd!(node, process, "a", 1);
/// snd!(node, process, "b", 2);
/// # assert_eq!(tells.await?, (msg![2], msg!["a", 1], None));
/// # Ok(()) }
/// ```
///
/// The macro [`receive!`](crate::receive) receives one of several messages, with arguments of given types.
///
/// # Several receives at once
///
/// Receives may wait at the same time, such as in `select!`. Each message goes to one of them. A message that only
/// other receives want costs none of them a wake-up.
///
/// # Cancel safety
///
/// A receive that is dropped before it is ready has taken nothing, so receives can be used in `select!` and
/// `timeout`.
#[doc(alias = "mailbox")]
#[doc(alias = "selective receive")]
#[doc(alias = "rcv_async")]
pub struct Inbox {
    port: Weak<dyn AnyPort>,
    number: u64,
    node: Node,
    mailbox: Arc<Mailbox>,
}

impl Inbox {
    pub(super) fn new(port: &Arc<dyn AnyPort>, mailbox: &Arc<Mailbox>) -> Self {
        Self {
            port: Arc::downgrade(port),
            number: port.number(),
            node: port.node().clone(),
            mailbox: Arc::clone(mailbox),
        }
    }

    /// Receives the next message of any tag. The result is the whole message, tag first.
    pub async fn recv(&self) -> Args {
        self.take(Wanted::Any).await
    }

    /// As [`recv`](Self::recv), for at most `limit`. With a limit of zero it takes a message that is there.
    pub async fn recv_timeout(&self, limit: Duration) -> Option<Args> {
        self.take_within(Wanted::Any, limit).await
    }

    /// Receives the next message with this tag. Returns the arguments after the tag.
    ///
    /// The tag of a message is the text of its first element, as for handlers. Among `n` messages this costs
    /// `O(log n)`.
    #[doc(alias = "receive")]
    pub async fn get(&self, tag: &str) -> Args {
        arguments(self.take(Wanted::Tag(tag)).await)
    }

    /// As [`get`](Self::get), for at most `limit`. With a limit of zero it takes a message that is there.
    pub async fn get_timeout(&self, tag: &str, limit: Duration) -> Option<Args> {
        self.take_within(Wanted::Tag(tag), limit)
            .await
            .map(arguments)
    }

    /// Receives the first message that the predicate takes: it returns `true`, or `Some` of the result; see
    /// [`Verdict`]. The predicate gets whole messages, tag first. It sees each message once, in order.
    ///
    /// ```
    /// use aemp::{Args, Node, Value, snd};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (told, tells) = tokio::sync::oneshot::channel();
    /// let node = Node::local()?;
    /// let process = node.process(|inbox| async move {
    ///     let large = inbox.get_cond(|message| message[1].as_i64() > Some(10)).await;
    ///     let sum = inbox.get_cond(|message| Some(message[1].as_i64()? + 1)).await;
    /// #   let _ = told.send((large, sum));
    /// });
    /// snd!(node, process, "n", 1);
    /// snd!(node, process, "n", 20);
    /// # assert_eq!(tells.await?, (aemp::msg!["n", 20], 2));
    /// # Ok(()) }
    /// ```
    ///
    /// While the predicate runs, other receives of this mailbox find no message.
    #[doc(alias = "selective receive")]
    pub async fn get_cond<V: Verdict>(&self, predicate: impl FnMut(&[Value]) -> V) -> V::Output {
        self.judged(Wanted::Any, predicate).await
    }

    /// As [`get_cond`](Self::get_cond), for at most `limit`. With a limit of zero it looks at the messages that are
    /// there.
    pub async fn get_cond_timeout<V: Verdict>(
        &self,
        predicate: impl FnMut(&[Value]) -> V,
        limit: Duration,
    ) -> Option<V::Output> {
        self.judged_within(Wanted::Any, predicate, limit).await
    }

    async fn take(&self, wanted: Wanted<'_>) -> Args {
        let mut receive = Receive::new(&self.mailbox);
        poll_fn(|task| receive.poll(wanted, task)).await
    }

    async fn take_within(&self, wanted: Wanted<'_>, limit: Duration) -> Option<Args> {
        if limit.is_zero() {
            let mut receive = Receive::new(&self.mailbox);
            receive.may_wait = false;
            return now(poll_fn(|task| receive.poll(wanted, task))).await;
        }
        let receive = self.take(wanted);
        tokio::time::timeout(limit, receive).await.ok()
    }

    pub(super) async fn judged<V: Verdict>(
        &self,
        wanted: Wanted<'_>,
        mut predicate: impl FnMut(&[Value]) -> V,
    ) -> V::Output {
        let mut receive = Receive::new(&self.mailbox);
        self.judge(&mut receive, wanted, &mut predicate).await
    }

    pub(super) async fn judged_within<V: Verdict>(
        &self,
        wanted: Wanted<'_>,
        mut predicate: impl FnMut(&[Value]) -> V,
        limit: Duration,
    ) -> Option<V::Output> {
        let mut receive = Receive::new(&self.mailbox);
        receive.may_wait = !limit.is_zero();
        if limit.is_zero() {
            return now(self.judge(&mut receive, wanted, &mut predicate)).await;
        }
        let receive = self.judge(&mut receive, wanted, &mut predicate);
        tokio::time::timeout(limit, receive).await.ok()
    }

    async fn judge<V: Verdict>(
        &self,
        receive: &mut Receive<'_>,
        wanted: Wanted<'_>,
        predicate: &mut impl FnMut(&[Value]) -> V,
    ) -> V::Output {
        let mut judge = |message: &[Value]| predicate(message).kept();
        let taken = poll_fn(|task| {
            // Handles in messages belong to this node.
            let _scope = self.node.decoding();
            receive.poll_judged(wanted, &mut judge, task)
        });
        let (kept, message) = taken.await;
        V::output(kept, message)
    }

    /// The number of messages that wait in the mailbox.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mailbox.len()
    }

    /// True if no message waits in the mailbox.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The origin of the message that was received last; before the first one, the node that has started the process.
    /// `None` if it is not known, as for messages of a [`Feed`](crate::Feed).
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.mailbox.origin()
    }

    /// The port's own ID (`$SELF`).
    #[must_use]
    pub fn id(&self) -> PortId {
        match self.port.upgrade() {
            Some(port) => port.port_id(),
            None => self.node.port_id_of(self.number, None),
        }
    }

    /// The node that the process lives on.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Sends a message, tag first, to any port; see [`Node::snd`].
    ///
    /// # Errors
    ///
    /// Those of [`Node::snd`].
    pub fn snd(&self, to: &PortId, message: Vec<Value>) -> Sent {
        self.node.snd(to, message)
    }

    /// Ends this port at the next `.await` that is not ready at once. The first reason counts.
    #[doc(alias = "kil")]
    #[doc(alias = "exit")]
    pub fn kill(&self, reason: impl Into<Reason>) {
        if let Some(port) = self.port.upgrade() {
            monitor::kill(&port, reason.into());
        }
    }

    /// Reports the death of a port as a message in this mailbox: `["DOWN", PORTID, REASON]`, where the reason is the
    /// list of its elements. The port may belong to any node, and a loss of its node is a death as well. The message
    /// comes after all messages that the port has sent to this one.
    ///
    /// ```
    /// use aemp::{Node, PortId, Reason, receive};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (told, tells) = tokio::sync::oneshot::channel();
    /// let node = Node::local()?;
    /// let other = node.process(|_inbox| async { Err::<(), _>("out of tea") });
    /// let port = other.id();
    /// node.process(|inbox| async move {
    ///     let _guard = inbox.monitor(&port);
    ///     let text = receive! { inbox,
    ///         ("DOWN", dead: PortId, reason: Reason) if dead == port => reason.to_string(),
    ///     };
    ///     assert!(text == "die out of tea" || text.starts_with("no_such_port"));
    /// #   let _ = told.send(());
    /// });
    /// # tells.await?;
    /// # Ok(()) }
    /// ```
    #[doc(alias = "mon")]
    #[doc(alias = "DOWN")]
    pub fn monitor(&self, port: &PortId) -> Monitor {
        let (own, mailbox, dead) = (self.port.clone(), Arc::clone(&self.mailbox), port.clone());
        let tell = move |reason: &Reason| {
            let Some(own) = own.upgrade() else { return };
            let reason = Value::Array(reason.to_vec());
            let message = vec![DOWN.into(), dead.as_str().into(), reason];
            // A job is in order with the messages in the port's queue.
            bound::run_in(own, Box::new(move |cx| mailbox.deliver(cx, message)));
        };
        let action = Action::Call(Box::new(tell));
        self.node.destination(port).monitor(action)
    }

    /// Kills this port with the same reason when `other` dies, except for a normal end.
    #[doc(alias = "mon_kil")]
    pub fn link(&self, other: &PortId) -> Monitor {
        let action = Action::Link(Weak::clone(&self.port));
        self.node.destination(other).monitor(action)
    }

    /// Runs a future as a separate task that belongs to this port; see [`Cx::spawn`](crate::Cx::spawn).
    #[doc(alias = "peval_async")]
    pub fn spawn<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        if let Some(port) = self.port.upgrade() {
            bound::spawn(&port, future);
        }
    }
}

/// The arguments after the tag.
fn arguments(mut message: Args) -> Args {
    if !message.is_empty() {
        message.remove(0);
    }
    message
}

/// The result of a future that is ready at its first poll.
async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|task| {
        Poll::Ready(match future.as_mut().poll(task) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        })
    })
    .await
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

impl AsRef<Node> for Inbox {
    fn as_ref(&self) -> &Node {
        &self.node
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("port", &self.id())
            .field("waiting", &self.len())
            .finish_non_exhaustive()
    }
}
