//! The one allocation that is a port.

use std::{
    any::Any,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aemp_codec::{DecodeError, NodeId, PacketReader, PortId};
use tokio::sync::Notify;

use super::{
    any::{AnyPort, Counts, LocalPort},
    extras::{Extras, Job},
    queue::{Envelopes, Pushed, Queue},
    reply::FarReply,
};
use crate::{
    Node, Reason, guard,
    message::{Decoding, Message, Port, Unread},
};

/// What waits in a port's queue. The rare kinds are boxed to keep the common one small.
pub(crate) enum Envelope<M> {
    User(M),
    /// A message from another node, for ports that ask where their messages come from.
    From(Box<(NodeId, M)>),
    Job(Box<Job>),
    Kill(Reason),
}

pub(crate) type Queued<P> = Queue<Envelope<<P as Port>::Msg>>;

pub(crate) struct Cell<P: Port> {
    node: Node,
    number: u64,
    inner: Mutex<Inner<P>>,
}

pub(crate) struct Inner<P: Port> {
    pub(crate) queue: Queued<P>,
    /// In here while the port is idle; whoever runs it has taken it out.
    pub(crate) state: Option<P>,
    pub(crate) extras: Option<Box<Extras>>,
}

impl<P: Port> Inner<P> {
    pub(crate) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// The reason of the first kill in the queue.
    pub(crate) fn queued_kill(&self) -> Option<Reason> {
        let is_kill = |envelope: &Envelope<P::Msg>| match envelope {
            Envelope::Kill(reason) => Some(reason.clone()),
            _ => None,
        };
        match &self.queue {
            Queue::One(envelope) => is_kill(envelope),
            Queue::Many(envelopes) => envelopes.iter().find_map(is_kill),
            Queue::Idle | Queue::Empty | Queue::Dead(_) => None,
        }
    }

    /// What tells of room, if the queue has reached its bound.
    fn full(&self) -> Option<&Arc<Notify>> {
        let bound = self.extras.as_ref()?.bound.as_ref()?;
        let full = !self.queue.is_dead() && self.queue.len() + bound.in_hand >= bound.limit;
        full.then_some(&bound.room)
    }
}

impl<P: Port> Cell<P> {
    /// A port that is ready for messages.
    pub(crate) fn idle(node: Node, number: u64, state: P) -> Self {
        Self {
            node,
            number,
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
            node,
            number,
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
        self.lock().queued_kill()
    }

    #[inline]
    fn enqueue(&self, envelope: Envelope<P::Msg>) -> Pushed {
        let mut inner = self.lock();
        if inner.queue.is_dead() {
            drop(inner);
            drop(envelope);
            return Pushed::Dead;
        }
        inner.queue.push(envelope)
    }

    /// Does what becomes of a message that the port does not understand.
    #[cold]
    fn not_understood(&self, cx: &Decoding<'_>, unread: Unread) -> Pushed {
        match unread {
            Unread::Dies(reason) => return self.kill(reason),
            Unread::Dropped(text) => {
                let port = self.port_id();
                let text = format_args!("port {port} does not understand a message: {text}");
                self.node.complain(&port, text);
            }
            Unread::Refused { to, text } => FarReply::new(cx, to).refuse(&text),
        }
        Pushed::Queued
    }

    fn port_id(&self) -> PortId {
        let name = self.spawned_name();
        self.node.port_id_of(self.number, name.as_deref())
    }
}

impl<P: Port> AnyPort for Cell<P> {
    fn node(&self) -> &Node {
        &self.node
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn run(self: Arc<Self>, budget: &mut usize) {
        crate::exec::work::run(self, budget);
    }

    fn kill(&self, reason: Reason) -> Pushed {
        let mut inner = self.lock();
        if inner.queue.is_dead() {
            drop(inner);
            drop(reason);
            return Pushed::Dead;
        }
        let pushed = inner.queue.push(Envelope::Kill(reason));
        if let Some(extras) = &inner.extras
            && let Some(waiting) = &extras.waiting
        {
            waiting.notify_one();
        }
        pushed
    }

    fn job(&self, job: Job) -> Pushed {
        self.enqueue(Envelope::Job(Box::new(job)))
    }

    fn deliver(
        &self,
        origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError> {
        let cx = Decoding {
            node: &self.node,
            port: self.number,
        };
        // Arguments are read by code of the user, whose panics must hit neither the sender nor the connection.
        let read = guard::run(|| P::Msg::read(message, &cx));
        let envelope = match read.unwrap_or_else(|reason| Ok(Err(Unread::Dies(reason))))? {
            Ok(message) => match origin {
                Some(node) if P::Msg::USES_ORIGIN => {
                    Envelope::From(Box::new((node.clone(), message)))
                }
                _ => Envelope::User(message),
            },
            Err(unread) => {
                // The rest is read for its syntax alone, which is the connection's concern.
                while message.skip()? {}
                return Ok(self.not_understood(&cx, unread));
            }
        };
        Ok(self.enqueue(envelope))
    }

    fn with_extras(&self, change: &mut dyn FnMut(&mut Extras)) -> Option<()> {
        let mut inner = self.lock();
        if inner.queue.is_dead() {
            return None;
        }
        change(inner.extras());
        Some(())
    }

    fn died(&self) -> Option<Reason> {
        match &self.lock().queue {
            Queue::Dead(reason) => Some(reason.clone()),
            _ => None,
        }
    }

    fn queue_len(&self) -> usize {
        self.lock().queue.len()
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<P>()
    }

    fn counts(&self) -> Counts {
        let inner = self.lock();
        let extras = inner.extras.as_ref();
        Counts {
            queued: inner.queue.len(),
            monitors: extras.map_or(0, |extras| extras.monitors.len()),
        }
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

/// Takes what is queued, leaving the port marked as at work.
pub(crate) fn take_queue<P: Port>(
    inner: &mut Inner<P>,
    spare: Option<Envelopes<Envelope<P::Msg>>>,
) -> Queued<P> {
    let taken = inner.queue.take(spare);
    if let Some(extras) = &mut inner.extras
        && let Some(bound) = &mut extras.bound
    {
        bound.in_hand = taken.len();
        bound.room.notify_waiters();
    }
    taken
}

/// Marks the port dead and takes what it had.
pub(crate) fn take_all<P: Port>(
    cell: &Cell<P>,
    reason: &Reason,
) -> (Queued<P>, Option<P>, Option<Box<Extras>>) {
    let mut inner = cell.lock();
    let queue = mem::replace(&mut inner.queue, Queue::Dead(reason.clone()));
    let extras = inner.extras.take();
    // Whoever holds a dead port may still ask for its ID.
    let name = extras.as_ref().and_then(|extras| extras.name.clone());
    inner.extras = name.map(|name| {
        Box::new(Extras {
            name: Some(name),
            ..Extras::default()
        })
    });
    (queue, inner.state.take(), extras)
}
