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
};

use aemp_codec::PortId;
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use self::{caller::FarCaller, far::FarReply, port::LocalReply};
use super::slot::{Caller, Outcome, Slot};
use crate::message::{Decoding, Encoding};

/// Answers one call; made by the runtime and handed to a handler that asks for it.
///
/// A handler that returns its answer needs none. One that answers later, or from elsewhere, takes a `Reply<T>` as its
/// last parameter and keeps it:
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
/// Dropping it without an answer ends the call with [`CallError::NoReply`](crate::CallError::NoReply), if the port lives on, and
/// with its death otherwise. A caller on a Perl node is told of death alone, so it waits for its time to be over.
///
/// # Answers that are lists
///
/// On the wire an answer is a list of values, as in Perl: the elements of a tuple, an array or a vector, none for `()`, and one for
/// anything else. A Perl caller sees these values as its arguments, so a list of one looks like its element there, and a list of
/// none like no answer at all. Callers in Rust are told that it was a list, whatever type they ask for.
pub struct Reply<T>(To<T>);

enum To<T> {
    /// Nobody asked: the message was sent, not called.
    Nobody,
    Slot(Arc<Slot<T>>),
    Far(Box<Far<T>>),
}

/// A reply that leaves the process, and how its answer is written. So only what makes one needs to know that it can be.
struct Far<T> {
    reply: FarReply,
    answer: fn(&FarReply, &T),
}

impl<T> Reply<T> {
    /// A reply that goes nowhere.
    #[must_use]
    pub fn nobody() -> Self {
        Self(To::Nobody)
    }

    pub(crate) fn local(slot: Arc<Slot<T>>) -> Self {
        Self(To::Slot(slot))
    }

    /// The caller, if it is one of this process. If it is on another node, news of it are kept from now on.
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
            To::Nobody => None,
        }
    }

    /// A reply to a port, here or on another node. An answer to a node's own port would be a request in this node's name: it goes nowhere.
    #[must_use]
    pub fn to_port(cx: &Decoding<'_>, to: PortId) -> Self
    where
        T: Serialize,
    {
        let destination = cx.node.destination(&to);
        if destination.is_node_port() {
            destination.no_port();
            return Self(To::Nobody);
        }
        Self(To::Far(Box::new(Far {
            reply: FarReply::new(cx, to),
            answer: FarReply::answer,
        })))
    }

    /// Whether somebody waits for the answer.
    ///
    /// A caller of this node, or of another one of this project, that has given up does not, nor does one whose connection is lost. Of
    /// a caller on another node that is known as soon as its node has told.
    /// A caller on a Perl node counts as waiting until it is heard that its reply port is gone, for which it is monitored from
    /// the first time that this is asked.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        match &self.0 {
            To::Nobody => false,
            To::Slot(slot) => slot.is_wanted(),
            To::Far(far) => far.reply.is_wanted(),
        }
    }

    /// Ready when nobody waits for the answer any more, as [`is_wanted`](Self::is_wanted) knows it: for stopping work that is for
    /// nobody.
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
    /// It can be dropped and asked again.
    pub async fn closed(&mut self) {
        match &self.0 {
            To::Nobody => {}
            To::Slot(slot) => poll_fn(|task| slot.poll_unwanted(task)).await,
            To::Far(far) => poll_fn(|task| far.reply.poll_unwanted(task)).await,
        }
    }

    /// For a message that leaves the node: the port that the answer will come to, if one is wanted.
    pub fn into_port(mut self, cx: &mut Encoding<'_>) -> Option<PortId>
    where
        T: DeserializeOwned + Send + 'static,
    {
        match mem::replace(&mut self.0, To::Nobody) {
            To::Nobody => None,
            To::Slot(slot) if !slot.is_wanted() => None,
            To::Slot(slot) => {
                let reply = LocalReply::open(cx.node, slot, |answer| answer.answer());
                let id = reply.id();
                cx.reply = Some(reply);
                Some(id)
            }
            To::Far(far) => Some(far.reply.into_port()),
        }
    }

    /// Sends the answer. It vanishes if the caller does not wait any more.
    ///
    /// An answer that cannot be put on the wire ends the call of another node with
    /// [`CallError::Answer`](crate::CallError::Answer); a Perl caller is sent an answer without values, which is how it is told of
    /// failures, and its reply port is killed with the reason.
    pub fn send(mut self, answer: T) {
        match mem::replace(&mut self.0, To::Nobody) {
            To::Nobody => {}
            To::Slot(slot) => slot.set(Outcome::Answer(answer)),
            To::Far(far) => (far.answer)(&far.reply, &answer),
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        match mem::replace(&mut self.0, To::Nobody) {
            To::Nobody => {}
            To::Slot(slot) => slot.set(Outcome::Abandoned),
            To::Far(far) => far.reply.dropped(),
        }
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match &self.0 {
            To::Nobody => "nobody",
            To::Slot(_) => "a caller of this node",
            To::Far(far) => return write!(f, "Reply({})", far.reply.to()),
        };
        write!(f, "Reply({to})")
    }
}
