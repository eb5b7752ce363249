//! The one allocation that is a port.

use std::{
    any::Any,
    hint, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use aemp_codec::{DecodeError, KeptPacket, NodeId, PacketReader, PortId};
use tokio::{sync::Notify, time::Instant};

use super::{
    any::{AnyPort, Counts, LocalPort},
    credit::{self, Asking},
    extras::{Extras, Job},
    monitor::Action,
    queue::{Envelopes, Pushed, Queue},
    reply::FarReply,
};
use crate::{
    Node, Reason,
    exec::{
        drainer::Turn,
        pace::{self, CLOSURE, Manner, Pace, Record},
    },
    guard,
    message::{Decoding, Message, Port, Unread},
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

/// What waits for room in a port's queue, if the queue has a bound.
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

    /// As [`AnyPort::room_for`].
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

    /// Whether the user's code that reads arguments may run on a task that others depend on: the port has been quick for a while,
    /// reading included.
    fn reads_quickly(&self) -> bool {
        self.pace.is_trusted() || self.node.scheduler().is_timeless()
    }

    #[cold]
    fn deliver_unread(
        &self,
        origin: &NodeId,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError> {
        match message.keep(self.node.limits()) {
            Ok(packet) => Ok(self.enqueue(Envelope::Unread(Box::new((origin.clone(), packet))))),
            Err(error) if error.is_malformed() => Err(error),
            Err(error) => Ok(self.kill(Reason::die(error))),
        }
    }

    fn decoding(&self) -> Decoding<'_> {
        Decoding {
            node: &self.node,
            port: self.pace.number(),
        }
    }

    /// Reads a message, or says what becomes of one that is not understood.
    #[inline]
    fn read(
        &self,
        origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Envelope<P::Msg>, Box<Unread>> {
        let cx = self.decoding();
        // Arguments are read by code of the user, whose panics must hit neither the sender nor the connection.
        match guard::run(|| P::Msg::read(message, &cx)) {
            Ok(Ok(message)) => Ok(match origin {
                Some(node) if P::Msg::USES_ORIGIN => {
                    Envelope::From(Box::new((node.clone(), message)))
                }
                _ => Envelope::User(message),
            }),
            Ok(Err(unread)) => Err(unread),
            Err(reason) => Err(Box::new(Unread::Dies(reason))),
        }
    }

    /// Reads a message that was delivered unread. `None` if it is not understood, which is dealt with.
    ///
    /// # Errors
    ///
    /// The reason that the port dies of.
    pub(crate) fn read_late(
        &self,
        (origin, packet): (NodeId, KeptPacket),
    ) -> Result<Option<Envelope<P::Msg>>, Reason> {
        let _scope = self.node.decoding();
        let mut message = packet.reader().map_err(Reason::die)?;
        match self.read(Some(&origin), &mut message) {
            Ok(envelope) => Ok(Some(envelope)),
            Err(unread) => match *unread {
                Unread::Dies(reason) => Err(reason),
                Unread::Malformed(error) => Err(Reason::die(error)),
                unread => {
                    // No error is left.
                    let _ = self.not_understood(unread);
                    Ok(None)
                }
            },
        }
    }

    /// Does what becomes of a message that the port does not understand.
    #[cold]
    fn not_understood(&self, unread: Unread) -> Result<Pushed, DecodeError> {
        match unread {
            Unread::Malformed(error) => return Err(error),
            Unread::Dies(reason) => return Ok(self.kill(reason)),
            Unread::Dropped(text) => {
                let port = self.port_id();
                let text = format_args!("port {port} does not understand a message: {text}");
                self.node.complain(&port, text);
            }
            // It is no caller's.
            Unread::Refused { to, .. } if to.is_node_port() => {}
            Unread::Refused { to, text } => FarReply::new(&self.decoding(), to).refuse(&text),
        }
        Ok(Pushed::Queued)
    }

    fn port_id(&self) -> PortId {
        let name = self.spawned_name();
        self.node.port_id_of(self.number(), name.as_deref())
    }
}

impl<P: Port> AnyPort for Cell<P> {
    fn node(&self) -> &Node {
        &self.node
    }

    fn number(&self) -> u64 {
        self.pace.number()
    }

    fn run(self: Arc<Self>, turn: &mut Turn<'_>) {
        crate::exec::work::run(self, turn);
    }

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn record(&self) -> &'static Record {
        P::record()
    }

    fn manner(&self) -> Manner {
        if P::BLOCKING && !self.node.scheduler().is_timeless() {
            return Manner::Blocking;
        }
        pace::manner(&self.pace, P::record())
    }

    fn trusts(&self, handler: u32) -> bool {
        self.pace.is_trusted() && P::record().is_quick(handler)
            || self.node.scheduler().is_timeless()
    }

    fn handler_name(&self, handler: u32) -> &'static str {
        let name = P::Msg::HANDLERS.get(handler as usize);
        name.copied().unwrap_or("(a closure)")
    }

    fn perish(self: Arc<Self>, reason: &Reason) {
        if !self.lock().queue.is_dead() {
            // The thread may be running another port, which may have killed itself.
            let _scope = crate::exec::current::Scope::enter(&*self);
            super::death::die(&self, None, Queue::Empty, reason);
        }
    }

    fn kill(&self, reason: Reason) -> Pushed {
        let mut inner = self.lock();
        if inner.queue.is_dead() {
            drop(inner);
            drop(reason);
            return Pushed::Dead;
        }
        // The start of a handler that waits has to know, and looks through no queue for it. Nothing starts before the kill of an idle port.
        if !matches!(inner.queue, Queue::Idle) {
            let extras = inner.extras();
            extras.killed.get_or_insert_with(|| reason.clone());
            if let Some(waiting) = &extras.waiting {
                waiting.notify_one();
            }
        }
        inner.queue.push(Envelope::Kill(reason))
    }

    fn job(&self, job: Job) -> Pushed {
        self.enqueue(Envelope::Job(Box::new(job)))
    }

    fn deliver(
        &self,
        origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError> {
        if let Some(node) = origin
            && !self.reads_quickly()
        {
            return self.deliver_unread(node, message);
        }
        match self.read(origin, message) {
            Ok(envelope) => Ok(self.enqueue(envelope)),
            Err(unread) => {
                // The rest is read for its syntax alone, which is the connection's concern.
                while message.skip()? {}
                self.not_understood(*unread)
            }
        }
    }

    fn with_extras(&self, change: &mut dyn FnMut(&mut Extras)) -> Option<()> {
        let mut inner = self.lock();
        if inner.queue.is_dead() {
            return None;
        }
        change(inner.extras());
        Some(())
    }

    fn add_monitor(&self, action: Action) -> Result<u64, Action> {
        let mut inner = self.lock();
        if matches!(inner.queue, Queue::Dead(_)) {
            return Err(action);
        }
        Ok(inner.extras().add_monitor(action))
    }

    fn take_monitor(&self, id: u64) -> Option<Action> {
        self.lock().extras.as_mut()?.monitors.remove(id)
    }

    fn died(&self) -> Option<Reason> {
        match &self.lock().queue {
            Queue::Dying(reason) | Queue::Dead(reason) => Some(reason.clone()),
            _ => None,
        }
    }

    fn dying(&self) -> Option<Reason> {
        match &self.lock().queue {
            Queue::Dying(reason) => Some(reason.clone()),
            _ => None,
        }
    }

    fn queue_len(&self) -> usize {
        self.lock().queue.len()
    }

    fn room_for(&self, node: &NodeId, asking: Asking, now: Instant) -> credit::Room {
        self.lock().room_for(node, asking, now)
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<P>()
    }

    fn counts(&self) -> Option<Counts> {
        let inner = self.lock();
        let extras = inner.extras.as_ref();
        (!inner.queue.is_dead()).then(|| Counts {
            queued: inner.queue.len(),
            monitors: extras.map_or(0, |extras| extras.monitors.len()),
        })
    }

    fn spawned_name(&self) -> Option<Box<str>> {
        self.lock().extras.as_ref()?.name.clone()
    }

    fn typed(self: Arc<Self>, into: &mut dyn Any) {
        if let Some(into) = into.downcast_mut::<Option<Arc<dyn LocalPort<P::Msg>>>>() {
            *into = Some(self);
        }
    }
}

impl<P: Port> LocalPort<P::Msg> for Cell<P> {
    fn push(&self, message: P::Msg) -> Pushed {
        self.enqueue(Envelope::User(message))
    }

    fn has_room(&self) -> bool {
        self.lock().full().is_none()
    }

    fn try_push(&self, message: P::Msg) -> Result<Pushed, (P::Msg, Arc<Notify>)> {
        let inner = self.lock();
        if let Some(room) = inner.full() {
            return Err((message, Arc::clone(room)));
        }
        drop(inner);
        // Another sender may have come between: the bound is one for senders who wait, not a hard wall.
        Ok(self.push(message))
    }
}

/// What is sent to a dead port.
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
