//! The cell: the one allocation of a port.

mod any;
mod reading;

use std::{
    hint, mem,
    sync::{Arc, MutexGuard},
};

use aemp_codec::{KeptPacket, NodeId};
use tokio::time::Instant;

use super::{
    any::LocalPort,
    credit::{self, Asking, Bound},
    extras::{Act, Extras, Job},
    line::Line,
    monitor::Action,
    owned,
    queue::{Behind, Envelopes, Pushed, Queue},
    urgent::Class,
};
use crate::{
    Node, Reason,
    exec::{
        pace::{CLOSURE, Pace},
        spans::Noting,
    },
    guard,
    lock::Lock,
    message::{Message, Port},
};

/// The number of rounds for which a sender backs off: some ten microseconds in all.
const ROUNDS: u32 = 7;

/// An element of a port's queue. The rare kinds are boxed to keep the common one small.
pub(crate) enum Envelope<M> {
    User(M),
    /// A message from another node, for a message type that uses its origin.
    From(Box<(NodeId, M)>),
    /// A message from another node that has not been decoded yet, for a port whose decoding is not known to be quick.
    /// Decoding runs user code, which must not delay the connection.
    Unread(Box<UnreadMessage>),
    /// A message with a note for its span.
    #[cfg(feature = "trace")]
    Noted(Box<Noted<M>>),
    Job(Box<Job>),
    /// Code of the port that has its state.
    Act(Box<Act>),
    Kill(Reason),
    /// A normal end, after the handlers that run beside the port.
    Stop,
}

/// A message with a note for its span.
#[cfg(feature = "trace")]
pub(crate) struct Noted<M> {
    pub(crate) noting: Noting,
    /// The node that has sent it, as of [`Envelope::From`].
    pub(crate) from: Option<NodeId>,
    pub(crate) message: M,
}

/// A message from another node that has not been decoded yet.
pub(crate) struct UnreadMessage {
    pub(crate) from: NodeId,
    pub(crate) packet: KeptPacket,
    /// The time at which it has come.
    pub(crate) heard: Instant,
    pub(crate) noting: Noting,
}

pub(crate) type Queued<P> = Queue<Envelope<<P as Port>::Msg>>;

pub(crate) struct Cell<P: Port> {
    node: Node,
    /// The port's speed and its number.
    pace: Pace,
    inner: Lock<Inner<P>>,
}

pub(crate) struct Inner<P: Port> {
    pub(crate) queue: Queued<P>,
    /// Present while the port is idle. A worker that runs the port takes it out.
    pub(crate) state: Option<P>,
    pub(crate) extras: Option<Box<Extras>>,
}

/// The senders that wait for room in a bounded queue; empty for a queue without a bound.
#[must_use = "the senders that wait are woken outside of the port's lock"]
pub(crate) struct Waiters(pub(crate) Option<Arc<Line>>);

impl Waiters {
    /// Reports that there is room. Wakers are foreign code, so the port's lock must be free.
    #[inline]
    pub(crate) fn wake(self) {
        if let Some(line) = self.0 {
            notify(&line);
        }
    }
}

#[cold]
fn notify(line: &Line) {
    line.wake();
}

impl<P: Port> Inner<P> {
    pub(crate) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// The reason of the first kill that was queued.
    pub(crate) fn queued_kill(&self) -> Option<&Reason> {
        self.extras.as_ref()?.killed.as_ref()
    }

    /// Takes the next envelope, by its class if the port type has urgent messages.
    pub(crate) fn next_envelope(&mut self) -> Option<Envelope<P::Msg>> {
        if !P::URGENT {
            return self.queue.pop_next();
        }
        match self.queue.take_next(Envelope::is_end) {
            Queue::One(envelope) => Some(envelope),
            _ => None,
        }
    }

    /// True if a kill or a stop is queued. Always known of port types with urgent messages; of others if the port was not idle then.
    fn is_ending(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.killed.is_some() || extras.is_stopping())
    }

    /// Puts messages that were taken and not handled back. If the port ends without handling them, they are returned;
    /// the caller drops them when the port's lock is free.
    pub(crate) fn put_back(&mut self, rest: Queued<P>) -> Queued<P> {
        if self.extras.as_ref().is_some_and(|extras| extras.is_cut()) {
            return rest;
        }
        self.queue.put_back(rest);
        Queue::Empty
    }

    /// Sets the number of messages that were taken from the queue and are not handled yet. If there is room now, the
    /// caller must wake the returned waiters when the port's lock is free. A full port wakes none: one of them may be the
    /// port's own handler, whose next poll would come here again.
    #[inline]
    pub(crate) fn has_in_hand(&mut self, messages: usize) -> Waiters {
        Waiters(match &mut self.extras {
            None => None,
            Some(extras) => {
                extras.has_in_hand(messages);
                self.room()
            }
        })
    }

    /// The number of messages that wait: in the queue, and in the mailbox of the port's process.
    fn waiting(&self) -> usize {
        self.queue.len() + self.extras.as_ref().map_or(0, |extras| extras.parked())
    }

    /// The number of messages that are not handled yet. Also counts those in the worker's hand, if they are many.
    fn behind(&self) -> Behind {
        let mut behind = self.queue.behind();
        behind.waiting += self.extras.as_ref().map_or(0, |extras| extras.parked());
        behind
    }

    /// The line to wait in, if the queue is full.
    fn full(&self) -> Option<&Arc<Line>> {
        let bound = self.extras.as_ref()?.bound.as_ref()?;
        self.is_full(bound).then_some(&bound.line)
    }

    /// The line of those that wait, if the queue is bounded and not full.
    fn room(&self) -> Option<Arc<Line>> {
        let bound = self.extras.as_ref()?.bound.as_ref()?;
        (!self.is_full(bound)).then(|| Arc::clone(&bound.line))
    }

    fn is_full(&self, bound: &Bound) -> bool {
        !self.queue.is_closed() && self.waiting() + bound.in_hand >= bound.limit
    }

    /// As [`AnyPort::room_for`](super::any::AnyPort::room_for).
    fn room_for(&mut self, node: &NodeId, asking: Asking, now: Instant) -> credit::Room {
        let queued = self.waiting();
        let alive = !self.queue.is_closed();
        let extras = self.extras.as_mut().filter(|_| alive);
        match extras.and_then(|extras| extras.bound.as_mut()) {
            Some(bound) => bound.room_for(node, queued, asking, now),
            None => credit::Room::Open,
        }
    }
}

impl<M: Message> Envelope<M> {
    /// The handler that the message is for.
    #[inline]
    pub(crate) fn handler(&self) -> u32 {
        match self {
            Self::User(message) => message.handler(),
            Self::From(from) => from.1.handler(),
            #[cfg(feature = "trace")]
            Self::Noted(noted) => noted.message.handler(),
            Self::Job(_) | Self::Act(_) | Self::Kill(_) | Self::Stop | Self::Unread(_) => CLOSURE,
        }
    }

    /// The message, if it has been decoded.
    pub(crate) fn message(&self) -> Option<&M> {
        match self {
            Self::User(message) => Some(message),
            Self::From(from) => Some(&from.1),
            #[cfg(feature = "trace")]
            Self::Noted(noted) => Some(&noted.message),
            _ => None,
        }
    }

    /// Adds a note for the span to a message.
    #[cfg(feature = "trace")]
    #[inline]
    pub(crate) fn noted(self, noting: Noting) -> Self {
        if !noting.is_some() {
            return self;
        }
        let (from, message) = match self {
            Self::User(message) => (None, message),
            Self::From(from) => (Some(from.0), from.1),
            other => return other,
        };
        Self::Noted(Box::new(Noted {
            noting,
            from,
            message,
        }))
    }

    /// Without spans there are no notes.
    #[cfg(not(feature = "trace"))]
    #[inline]
    pub(crate) fn noted(self, _noting: Noting) -> Self {
        self
    }
}

impl<M: Message> Envelope<M> {
    /// The class of a message that has been decoded. Everything else is ordinary.
    fn class<P: Port<Msg = M>>(&self) -> Class {
        match self.message().map(Message::handler) {
            Some(handler) if P::is_urgent(handler) => Class::Urgent,
            _ => Class::Ordinary,
        }
    }
}

impl<M> Envelope<M> {
    /// True if the port ends with it.
    fn is_end(&self) -> bool {
        matches!(self, Self::Kill(_) | Self::Stop)
    }
}

/// The assumed speed of a new port.
fn first_pace<P: Port>(number: u64) -> Pace {
    if P::BLOCKING {
        Pace::slow_from_birth(number)
    } else {
        Pace::unknown(number)
    }
}

impl<P: Port> Cell<P> {
    /// Makes a port that is ready for messages.
    pub(crate) fn idle(node: Node, number: u64, state: P) -> Self {
        Self {
            pace: first_pace::<P>(number),
            node,
            inner: Lock::new(Inner {
                queue: Queue::Idle,
                state: Some(state),
                extras: None,
            }),
        }
    }

    /// Makes a port whose init function has not run yet. The caller schedules it.
    pub(crate) fn spawning(node: Node, number: u64, extras: Extras) -> Self {
        Self {
            pace: first_pace::<P>(number),
            node,
            inner: Lock::new(Inner {
                queue: Queue::Empty,
                state: None,
                extras: Some(Box::new(extras)),
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner<P>> {
        self.inner.lock()
    }

    /// The holder of a `#[port(owned)]` with handles.
    fn holder(&self) -> Option<Arc<dyn LocalPort<P::Msg>>> {
        let holder = owned::holder(self.lock().extras.as_deref()?)?;
        Some(holder)
    }

    /// The reason of the first kill in the queue.
    pub(crate) fn queued_kill(&self) -> Option<Reason> {
        self.lock().queued_kill().cloned()
    }

    /// Takes the lock for a sender. If another sender holds it, this one backs off, for longer each time, so that the
    /// other can queue many messages in a row. Passing the lock between the two for each message would cost both of
    /// them much more.
    #[inline]
    fn lock_politely(&self) -> MutexGuard<'_, Inner<P>> {
        match self.inner.try_lock() {
            Some(inner) => inner,
            None => self.stand_back(),
        }
    }

    #[cold]
    fn stand_back(&self) -> MutexGuard<'_, Inner<P>> {
        for round in 0..ROUNDS {
            (0..4 << round).for_each(|_| hint::spin_loop());
            if let Some(inner) = self.inner.try_lock() {
                return inner;
            }
        }
        // The holder of the lock has probably been preempted.
        self.lock()
    }

    #[expect(
        clippy::inline_always,
        reason = "the envelope has just been made, and is slow to be moved"
    )]
    #[inline(always)]
    fn enqueue(&self, envelope: Envelope<P::Msg>) -> Pushed {
        if P::URGENT {
            return self.enqueue_as(envelope.class::<P>(), envelope);
        }
        let mut inner = self.lock_politely();
        if inner.queue.is_closed() {
            drop(inner);
            return vanish(envelope);
        }
        inner.queue.push(envelope)
    }
}

impl<P: Port> Cell<P> {
    /// As [`enqueue`](Self::enqueue), for a port type with urgent messages. No message overtakes an end.
    fn enqueue_as(&self, class: Class, envelope: Envelope<P::Msg>) -> Pushed {
        let mut inner = self.lock_politely();
        if inner.queue.is_closed() {
            drop(inner);
            return vanish(envelope);
        }
        let class = if inner.is_ending() {
            Class::Ordinary
        } else {
            class
        };
        inner.queue.push_as(class, envelope)
    }
}

/// Drops a message to a dead port.
#[cold]
fn vanish<M>(envelope: Envelope<M>) -> Pushed {
    guard::discard(envelope);
    Pushed::Dead
}

/// Takes the queued messages. The port stays marked as at work.
pub(crate) fn take_queue<P: Port>(
    mut inner: MutexGuard<'_, Inner<P>>,
    spare: Option<Envelopes<Envelope<P::Msg>>>,
) -> Queued<P> {
    let taken = if P::URGENT {
        inner.queue.take_next(Envelope::is_end)
    } else {
        inner.queue.take(spare)
    };
    let room = inner.has_in_hand(taken.len());
    drop(inner);
    room.wake();
    taken
}

/// Marks the port as dying, and takes its parts except its name and its monitors. `None` if it is dying or dead
/// already.
pub(crate) fn begin_to_die<P: Port>(
    cell: &Cell<P>,
    reason: &Reason,
) -> Option<(Queued<P>, Option<P>, Option<Extras>)> {
    let mut inner = cell.lock();
    if inner.queue.is_dead() {
        return None;
    }
    let queue = mem::replace(&mut inner.queue, Queue::Dying(reason.clone()));
    cell.pace.ended();
    let extras = inner.extras.as_mut().map(|extras| extras.part());
    Some((queue, inner.state.take(), extras))
}

impl<P: Port> Cell<P> {
    /// Marks a dying port without monitors and name as dead. Returns true if it did.
    pub(crate) fn is_dead_if_bare(&self) -> bool {
        let mut inner = self.lock();
        if inner.extras.is_some() {
            return false;
        }
        if let Queue::Dying(reason) = &mut inner.queue {
            let reason = mem::take(reason);
            inner.queue = Queue::Dead(reason);
        }
        true
    }

    /// The number of the monitor that was set last; zero if there is none.
    pub(crate) fn last_monitor(&self) -> u64 {
        let inner = self.lock();
        let last = inner
            .extras
            .as_ref()
            .and_then(|extras| extras.monitors.last());
        last.unwrap_or_default()
    }

    /// The next monitor of a dying port to fire. When the last monitor up to `last` is taken, the port becomes dead:
    /// no more monitors can be set, but those that are left can still be removed.
    pub(crate) fn next_monitor(&self, last: u64) -> Option<Action> {
        let mut inner = self.lock();
        let mut monitors = inner.extras.as_mut().map(|extras| &mut extras.monitors);
        let next = monitors.as_mut().and_then(|monitors| monitors.pop_first());
        if monitors
            .and_then(|rest| rest.first())
            .is_none_or(|first| first > last)
            && let Queue::Dying(reason) = &mut inner.queue
        {
            let reason = mem::take(reason);
            inner.queue = Queue::Dead(reason);
        }
        next
    }

    /// Frees the parts that a dead port does not need, and returns its name, if another node has spawned it.
    pub(crate) fn tidy(&self) -> Option<Box<str>> {
        let mut inner = self.lock();
        // Holders of a dead port may still ask for its ID.
        let name = inner.extras.as_ref()?.name.clone();
        let unused = inner.extras.take_if(|extras| extras.name.is_none());
        drop(inner);
        drop(unused);
        name
    }
}
