//! Replies: the callee's end of a call.
//!
//! A reply that is dropped unanswered puts a job into the queue of its port. If the port lives to run this job, the
//! caller hears `no_reply`. If the job is dropped with the queue, the port has died, and the caller's monitor reports
//! that. The detour is necessary because a panicking handler drops its reply before its port is marked as dying.

mod caller;
mod far;
mod port;

use std::{
    fmt,
    future::poll_fn,
    mem,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use aemp_codec::PortId;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

pub(crate) use self::{caller::FarCaller, far::FarReply, port::LocalReply};
use super::slot::{Caller, Outcome, Slot};
use crate::{
    CallError,
    message::{Decoding, Encoding},
};

/// The callee's end of one call, with which a handler answers.
///
/// A handler that returns its answer needs no `Reply`. A handler that answers later, or from elsewhere, takes a
/// `Reply<T>` as its last parameter and keeps it:
///
/// ```
/// use aemp::{Reply, port};
///
/// #[derive(Default)]
/// struct Door { waiting: Vec<Reply<String>> }
///
/// #[port]
/// impl Door {
///     #[rcv]
///     fn knock(&mut self, reply: Reply<String>) { self.waiting.push(reply) }
///
///     #[rcv]
///     fn open(&mut self) {
///         self.waiting.retain(Reply::is_wanted);
///         for reply in self.waiting.drain(..) {
///             reply.send("come in".into());
///         }
///     }
/// }
/// ```
///
/// Dropping it without an answer ends the call: with [`CallError::NoReply`] if the port
/// lives on, and otherwise with the port's death. A caller on a Perl node hears only of a death, and otherwise waits
/// for its time limit.
///
/// # Answers that are lists
///
/// On the wire an answer is a list of values, as in Perl: the elements of a tuple, an array or a vector, none for
/// `()`, and one for any other type. A Perl caller gets these values as its arguments. So it cannot tell a list with
/// one element from that element, nor an empty list from an answer without values. Callers in Rust get the list as a
/// list.
#[doc(alias = "ReplyTo")]
#[doc(alias = "sender")]
pub struct Reply<T>(To<T>);

enum To<T> {
    /// The message was sent, not called, so there is no caller.
    NoCaller,
    Slot(Arc<Slot<T>>),
    Far(Box<Far<T>>),
}

/// A reply that leaves the process, with the function that writes its answer. So only the code that makes such a reply
/// needs `T: Serialize`.
struct Far<T> {
    reply: FarReply,
    answer: fn(&FarReply, &T),
}

impl<T> Reply<T> {
    /// A reply without a caller. Its answer is dropped.
    #[must_use]
    pub fn none() -> Self {
        Self(To::NoCaller)
    }

    /// The former name of [`none`](Self::none).
    #[doc(hidden)]
    #[deprecated(note = "`none`")]
    #[must_use]
    pub fn nobody() -> Self {
        Self::none()
    }

    pub(crate) fn local(slot: Arc<Slot<T>>) -> Self {
        Self(To::Slot(slot))
    }

    /// The caller, if it is known to this process. For a caller on another node, news of it are recorded from now on.
    pub(crate) fn caller(&self) -> Option<Weak<dyn Caller>>
    where
        T: Send + 'static,
    {
        match &self.0 {
            To::Slot(slot) => {
                let slot = Arc::downgrade(slot);
                Some(slot)
            }
            To::Far(far) => {
                far.reply.hold();
                None
            }
            To::NoCaller => None,
        }
    }

    /// A reply to a port, of this node or another. An answer to a node's own port would be a request in this node's
    /// name, so such a reply drops its answer.
    #[must_use]
    pub fn to_port(cx: &Decoding<'_>, to: PortId) -> Self
    where
        T: Serialize,
    {
        if to.is_node_port() {
            cx.node.destination(&to).no_port();
            return Self(To::NoCaller);
        }
        Self(To::Far(Box::new(Far {
            reply: FarReply::new(cx, to),
            answer: FarReply::answer,
        })))
    }

    /// True if the caller still waits for the answer.
    ///
    /// False if the caller has given up, or the connection to its node is lost. For a caller on another node of this
    /// project, that is known as soon as its node has reported it. For a caller on a Perl node, the first use of this
    /// method sets a monitor on the reply port; until the monitor fires, the caller counts as waiting.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        match &self.0 {
            To::NoCaller => false,
            To::Slot(slot) => slot.is_wanted(),
            To::Far(far) => far.reply.is_wanted(),
        }
    }

    /// Ready when the caller no longer waits for the answer, by the rules of [`is_wanted`](Self::is_wanted). Use it
    /// to stop work that has become useless.
    ///
    /// ```
    /// use aemp::{Reply, port};
    ///
    /// struct Miner;
    ///
    /// #[port]
    /// impl Miner {
    ///     #[rcv]
    ///     fn dig(&self, depth: u64, mut reply: Reply<u64>) {
    ///         tokio::spawn(async move {
    ///             tokio::select! {
    ///                 found = dig(depth) => reply.send(found),
    ///                 () = reply.closed() => {}
    ///             }
    ///         });
    ///     }
    /// }
    ///
    /// async fn dig(depth: u64) -> u64 { depth }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub async fn closed(&mut self) {
        match &self.0 {
            To::NoCaller => {}
            To::Slot(slot) => poll_fn(|task| slot.poll_unwanted(task)).await,
            To::Far(far) => poll_fn(|task| far.reply.poll_unwanted(task)).await,
        }
    }

    /// The time at which the caller gives up, if its call has a time limit. It may lie in the past.
    ///
    /// `None` without a limit, and for callers that do not tell: Perl nodes, and nodes that were not connected when the
    /// call was sent. See the [handbook](crate::handbook::calls#deadlines).
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Node, Reply, port};
    /// use tokio::time::Instant;
    ///
    /// struct Search;
    ///
    /// #[port]
    /// impl Search {
    ///     #[rcv]
    ///     fn find(&self, reply: Reply<bool>) {
    ///         let left = reply.deadline().map(|deadline| deadline - Instant::now());
    ///         reply.send(left.is_some_and(|left| left <= Duration::from_secs(5)));
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let search = Node::local()?.port(Search);
    /// assert!(search.find().timeout(Duration::from_secs(5)).await?);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.0 {
            To::NoCaller => None,
            To::Slot(slot) => slot.deadline(),
            To::Far(far) => far.reply.deadline(),
        }
    }

    /// False if it is known that no caller waits for the answer. A message that was sent has none.
    pub(crate) fn is_awaited(&self) -> bool {
        let is_left = match &self.0 {
            To::NoCaller => false,
            To::Slot(slot) => slot.is_left(),
            To::Far(far) => far.reply.is_left(),
        };
        !is_left && self.deadline().is_none_or(|over| Instant::now() < over)
    }

    /// Ends a call whose caller has left or whose deadline is over. Nothing is sent: a caller on another node has a
    /// limit of its own.
    pub(crate) fn give_up(mut self) {
        if let To::Slot(slot) = mem::replace(&mut self.0, To::NoCaller) {
            slot.fail(CallError::Timeout);
        }
    }

    /// Converts the reply for a message that leaves the node: the ID of the port that receives the answer, if one is
    /// wanted.
    pub fn into_port(mut self, cx: &mut Encoding<'_>) -> Option<PortId>
    where
        T: DeserializeOwned + Send + 'static,
    {
        match mem::replace(&mut self.0, To::NoCaller) {
            To::NoCaller => None,
            To::Slot(slot) if !slot.is_wanted() => None,
            To::Slot(slot) => {
                let reply = LocalReply::open(cx.node, Arc::clone(&slot), |answer| answer.answer());
                let id = reply.id_for(&slot, cx.deadlines);
                cx.reply = Some(reply);
                Some(id)
            }
            To::Far(far) => Some(far.reply.into_port(cx.deadlines)),
        }
    }

    /// Sends the answer. It vanishes if the caller no longer waits.
    ///
    /// If the answer cannot be encoded, a call from another node of this project ends with
    /// [`CallError::Answer`]. A Perl caller gets an answer without values, which is the
    /// reference's sign of a failure, and its reply port is killed with the reason.
    pub fn send(mut self, answer: T) {
        match mem::replace(&mut self.0, To::NoCaller) {
            To::NoCaller => {}
            To::Slot(slot) => slot.set(Outcome::Answer(answer)),
            To::Far(far) => (far.answer)(&far.reply, &answer),
        }
    }
}

/// The call that a handler answers by its result, without its type.
pub(crate) trait Answered: fmt::Debug + Send + Sync {
    /// The time at which the caller gives up.
    fn deadline(&self) -> Option<Instant>;

    /// True if the caller has left.
    fn is_left(&self) -> bool;

    /// Ready when the caller has left.
    fn poll_left(&self, task: &Context<'_>) -> Poll<()>;
}

impl<T: Send> Answered for Reply<T> {
    fn deadline(&self) -> Option<Instant> {
        self.deadline()
    }

    fn is_left(&self) -> bool {
        match &self.0 {
            To::NoCaller => false,
            To::Slot(slot) => slot.is_left(),
            To::Far(far) => !far.reply.is_wanted(),
        }
    }

    fn poll_left(&self, task: &Context<'_>) -> Poll<()> {
        match &self.0 {
            To::NoCaller => Poll::Pending,
            To::Slot(slot) => slot.poll_left(task),
            To::Far(far) => far.reply.poll_unwanted(task),
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        match mem::replace(&mut self.0, To::NoCaller) {
            To::NoCaller => {}
            To::Slot(slot) => slot.set(Outcome::Abandoned),
            To::Far(far) => far.reply.dropped(),
        }
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match &self.0 {
            To::NoCaller => "no caller",
            To::Slot(_) => "a caller of this node",
            To::Far(far) => return write!(f, "Reply({})", far.reply.to()),
        };
        write!(f, "Reply({to})")
    }
}
