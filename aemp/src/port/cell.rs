//! The one allocation that is a port.

mod any;
mod reading;

use std::{
    hint, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use aemp_codec::{KeptPacket, NodeId};
use tokio::{sync::Notify, time::Instant};

use super::{
    credit::{self, Asking},
    extras::{Extras, Job},
    monitor::Action,
    queue::{Envelopes, Pushed, Queue},
};
use crate::{
    Node, Reason,
    exec::pace::{CLOSURE, Pace},
    guard,
    message::{Message, Port},
};

/// How often a sender stands back: some ten microseconds in all.
const ROUNDS: u32 = 7;

/// What waits in a port's queue. The rare kinds are boxed to keep the common one small.
pub(crate) enum Envelope<M> {
    User(M),
    /// A message from another node, for ports that ask where their messages come from.
    From(Box<(NodeId, M)>),
    /// A message from another node that has still to be read, for a port that is not known to read quickly: what reads arguments is
    /// the user's, and must not take the time of the connection.
    Unread(Box<(NodeId, KeptPacket)>),
    Job(Box<Job>),
    Kill(Reason),
}

pub(crate) type Queued<P> = Queue<Envelope<<P as Port>::Msg>>;

pub(crate) struct Cell<P: Port> {
    node: Node,
    /// And the port's number.
    pace: Pace,
    inner: Mutex<Inner<P>>,
}

pub(crate) struct Inner<P: Port> {
    pub(crate) queue: Queued<P>,
    /// In here while the port is idle; whoever runs it has taken it out.
    pub(crate) state: Option<P>,
    pub(crate) extras: Option<Box<Extras>>,
}

/// The senders that wait for room in a port's queue, if the queue has a bound.
#[must_use = "the senders that wait are told outside of the port's lock"]
pub(crate) struct Waiters(Option<Arc<Notify>>);

impl Waiters {
    /// Those that wait look again. Their wakers are foreign code.
    #[inline]
    pub(crate) fn tell(self) {
        if let Some(room) = self.0 {
            tell(&room);
        }
    }
}

#[cold]
fn tell(room: &Notify) {
    guard::shielded(|| room.notify_waiters());
}

impl<P: Port> Inner<P> {
    pub(crate) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// The reason of the first kill that was queued.
    pub(crate) fn queued_kill(&self) -> Option<&Reason> {
        self.extras.as_ref()?.killed.as_ref()
    }

    /// So many messages are in hand: taken, but not handled yet. There may be room now, which is to be told when the port's lock is free.
    #[inline]
    pub(crate) fn has_in_hand(&mut self, messages: usize) -> Waiters {
        Waiters(match &mut self.extras {
            None => None,
            Some(extras) => extras.has_in_hand(messages),
        })
    }

    /// What tells of room, if the queue has reached its bound.
    fn full(&self) -> Option<&Arc<Notify>> {
        let bound = self.extras.as_ref()?.bound.as_ref()?;
        let full = !self.queue.is_dead() && self.queue.len() + bound.in_hand >= bound.limit;
        full.then_some(&bound.room)
    }

    /// As [`AnyPort::room_for`](super::any::AnyPort::room_for).
    fn room_for(&mut self, node: &NodeId, asking: Asking, now: Instant) -> credit::Room {
        let queued = self.queue.len();
        let alive = !self.queue.is_dead();
        let extras = self.extras.as_mut().filter(|_| alive);
        match extras.and_then(|extras| extras.bound.as_mut()) {
            Some(bound) => bound.room_for(node, queued, asking, now),
            None => credit::Room::Open,
        }
    }
}

impl<M: Message> Envelope<M> {
    /// Which handler it is for.
    #[inline]
    pub(crate) fn handler(&self) -> u32 {
        match self {
            Self::User(message) => message.handler(),
            Self::From(from) => from.1.handler(),
            Self::Job(_) | Self::Kill(_) | Self::Unread(_) => CLOSURE,
        }
    }
}

/// How quick a new port is taken to be.
fn first_pace<P: Port>(number: u64) -> Pace {
    if P::BLOCKING {
        Pace::slow_from_birth(number)
    } else {
        Pace::unknown(number)
    }
}

impl<P: Port> Cell<P> {
    /// A port that is ready for messages.
    pub(crate) fn idle(node: Node, number: u64, state: P) -> Self {
        Self {
            pace: first_pace::<P>(number),
            node,
            inner: Mutex::new(Inner {
                queue: Queue::Idle,
                state: Some(state),
                extras: None,
            }),
        }
    }

    /// A port whose init function has still to run. The caller schedules it.
    pub(crate) fn spawning(node: Node, number: u64, extras: Extras) -> Self {
        Self {
            pace: first_pace::<P>(number),
            node,
            inner: Mutex::new(Inner {
                queue: Queue::Empty,
                state: None,
                extras: Some(Box::new(extras)),
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner<P>> {
        // No code of a user runs under this lock, so a poisoned one is as good as ever.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reason of the first kill in the queue.
    pub(crate) fn queued_kill(&self) -> Option<Reason> {
        self.lock().queued_kill().cloned()
    }

    /// For senders, who come in numbers. One that finds another at work stands back, for longer each time, so that the other puts many
    /// messages into the queue in a row: passing the lock to and fro for each message would cost both of them a lot more.
    #[inline]
    fn lock_politely(&self) -> MutexGuard<'_, Inner<P>> {
        match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => self.stand_back(),
        }
    }

    #[cold]
    fn stand_back(&self) -> MutexGuard<'_, Inner<P>> {
        for round in 0..ROUNDS {
            (0..4 << round).for_each(|_| hint::spin_loop());
            if let Ok(inner) = self.inner.try_lock() {
                return inner;
            }
        }
        // Its holder has been interrupted, most likely.
        self.lock()
    }

    #[expect(
        clippy::inline_always,
        reason = "the envelope has just been made, and is slow to be moved"
    )]
    #[inline(always)]
    fn enqueue(&self, envelope: Envelope<P::Msg>) -> Pushed {
        let mut inner = self.lock_politely();
        if inner.queue.is_dead() {
            drop(inner);
            return vanish(envelope);
        }
        inner.queue.push(envelope)
    }
}

/// The end of a message to a dead port.
#[cold]
fn vanish<M>(envelope: Envelope<M>) -> Pushed {
    guard::discard(envelope);
    Pushed::Dead
}

/// Takes what is queued, leaving the port marked as at work, and unlocked.
pub(crate) fn take_queue<P: Port>(
    mut inner: MutexGuard<'_, Inner<P>>,
    spare: Option<Envelopes<Envelope<P::Msg>>>,
) -> Queued<P> {
    let taken = inner.queue.take(spare);
    let room = inner.has_in_hand(taken.len());
    drop(inner);
    room.tell();
    taken
}

/// From now on the port is dying: takes what it had, but for its name and its monitors.
pub(crate) fn begin_to_die<P: Port>(
    cell: &Cell<P>,
    reason: &Reason,
) -> (Queued<P>, Option<P>, Option<Extras>) {
    let mut inner = cell.lock();
    let queue = mem::replace(&mut inner.queue, Queue::Dying(reason.clone()));
    let extras = inner.extras.as_mut().map(|extras| extras.part());
    (queue, inner.state.take(), extras)
}

impl<P: Port> Cell<P> {
    /// A dying port that has neither monitors nor a name is dead. Whether it is that.
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

    /// The next monitor of a dying port that has still to fire. With the last of those up to `last` the port is dead: no more can
    /// be set, but those that stand can still be taken back.
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

    /// The name of a dead port that another node has spawned. Frees what it does not need.
    pub(crate) fn tidy(&self) -> Option<Box<str>> {
        let mut inner = self.lock();
        // Whoever holds a dead port may still ask for its ID.
        let name = inner.extras.as_ref()?.name.clone();
        let unused = inner.extras.take_if(|extras| extras.name.is_none());
        drop(inner);
        drop(unused);
        name
    }
}
