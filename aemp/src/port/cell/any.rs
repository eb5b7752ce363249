//! The port without its type.

use std::{
    any::{Any, TypeId},
    mem,
    sync::Arc,
};

use aemp_codec::{DecodeError, NodeId, PacketReader};
use tokio::time::Instant;

use super::{Cell, Envelope, Inner};
use crate::{
    Node, Reason,
    exec::{
        circle::Asker,
        current,
        drainer::Turn,
        pace::{self, Manner, Pace, Record},
        spans, tally, work,
    },
    guard,
    message::{Message, Port},
    port::{
        any::{AnyPort, Counts, LocalPort},
        credit::{self, Asking},
        death::{die, drop_queue},
        extras::{Act, Extras, Job},
        idle::Passive,
        line::Line,
        monitor::Action,
        queue::{Behind, Pushed, Queue},
    },
};

impl<P: Port> AnyPort for Cell<P> {
    fn node(&self) -> &Node {
        &self.node
    }

    fn number(&self) -> u64 {
        self.pace.number()
    }

    fn core(self: Arc<Self>) -> Arc<dyn AnyPort> {
        self
    }

    fn run(self: Arc<Self>, turn: &mut Turn<'_>) {
        work::run(&self, turn);
    }

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn record(&self) -> &'static Record {
        P::record()
    }

    fn tally_number(&self) -> u32 {
        tally::of::<P>()
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

    fn returns(&self, handler: u32) -> bool {
        P::returns(handler)
    }

    fn ask(&self, asker: Asker) -> Option<u32> {
        let mut inner = self.lock();
        let alive = !inner.queue.is_dead();
        let extras = inner.extras.as_mut().filter(|_| alive)?;
        let (handler, waiting) = (extras.handling?, extras.waiting.clone()?);
        extras.rare().asked.push(asker);
        drop(inner);
        guard::wake(waiting);
        Some(handler)
    }

    fn handler_name(&self, handler: u32) -> &'static str {
        let name = P::Msg::HANDLERS.get(handler as usize);
        name.copied().unwrap_or("(a closure)")
    }

    fn perish(self: Arc<Self>, reason: &Reason) {
        if !self.lock().queue.is_dead() {
            // This thread may be running another port, which may have killed itself.
            let _scope = current::Scope::enter(&*self);
            die(&self, None, Queue::Empty, reason);
        }
    }

    fn kill(&self, reason: Reason) -> Pushed {
        let mut inner = self.lock();
        if inner.queue.is_dead() {
            drop(inner);
            drop(reason);
            return Pushed::Dead;
        }
        // An async handler that starts must see the kill without searching the queue. An idle port starts no handler
        // before it. An urgent message must see it as well.
        let mut waiting = None;
        if P::URGENT || !matches!(inner.queue, Queue::Idle) {
            let extras = inner.extras();
            extras.killed.get_or_insert_with(|| reason.clone());
            waiting = extras.waiting.clone();
        }
        // A stopped port waits, is about to be woken, and accepts nothing more.
        let pushed = match inner.queue {
            Queue::Stopped => {
                drop(inner);
                drop(reason);
                Pushed::Queued
            }
            _ => {
                let pushed = inner.queue.push(Envelope::Kill(reason));
                drop(inner);
                pushed
            }
        };
        waiting.into_iter().for_each(guard::wake);
        pushed
    }

    fn stop(&self) -> Pushed {
        let mut inner = self.lock();
        if inner.queue.is_closed() {
            return Pushed::Dead;
        }
        // One stop is enough, however often other nodes ask for it.
        if (P::URGENT || !matches!(inner.queue, Queue::Idle))
            && mem::replace(&mut inner.extras().rare().stops, true)
        {
            return Pushed::Queued;
        }
        inner.queue.push(Envelope::Stop)
    }

    fn end_if_idle(&self, task: u64, now: Instant) -> Passive {
        let mut inner = self.lock();
        let Inner { queue, extras, .. } = &mut *inner;
        let is_busy = extras
            .as_ref()
            .is_some_and(|extras| extras.is_busy_beside());
        let mut rare = extras.as_mut().and_then(|extras| extras.rare.as_mut());
        let idle = rare.as_mut().and_then(|rare| rare.idle.as_mut());
        let Some(idle) = idle.filter(|idle| idle.is_watched_by(task) && !queue.is_dead()) else {
            return Passive::Never;
        };
        let is_idle = matches!(queue, Queue::Idle) && !is_busy;
        if !is_idle {
            idle.last = now;
        }
        let due = idle.due();
        if !is_idle || due > now {
            return Passive::Until(due);
        }
        // The port is idle, so nothing comes before the end.
        if let Some(rare) = rare {
            rare.stops = true;
        }
        queue.push(Envelope::Stop);
        Passive::Stopped
    }

    fn cut(&self, reason: Reason) -> Pushed {
        let mut inner = self.lock();
        if inner.queue.is_dead() {
            drop(inner);
            drop(reason);
            return Pushed::Dead;
        }
        let is_idle = matches!(inner.queue, Queue::Idle);
        let extras = inner.extras();
        // The reason of an earlier kill counts.
        let reason = extras.killed.get_or_insert(reason).clone();
        extras.rare().cut = true;
        let waiting = extras.waiting.clone();
        let end = match inner.queue {
            Queue::Stopped => Queue::Stopped,
            _ => Queue::One(Envelope::Kill(reason)),
        };
        let dropped = mem::replace(&mut inner.queue, end);
        drop(inner);
        waiting.into_iter().for_each(guard::wake);
        drop_queue(dropped);
        if is_idle {
            Pushed::Wake
        } else {
            Pushed::Queued
        }
    }

    fn job(&self, job: Job) -> Pushed {
        self.enqueue(Envelope::Job(Box::new(job)))
    }

    fn act(&self, act: Act) -> Pushed {
        self.enqueue(Envelope::Act(Box::new(act)))
    }

    fn state_type(&self) -> Option<TypeId> {
        Some(TypeId::of::<P>())
    }

    fn deliver(
        &self,
        origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError> {
        let noting = spans::arrived(&self.node, origin);
        if let Some(node) = origin
            && (!self.reads_quickly() || self.is_large(message))
        {
            return self.deliver_unread(node, message, noting);
        }
        match self.read(origin, message) {
            Ok(envelope) => Ok(self.enqueue(envelope.noted(noting))),
            Err(unread) => {
                // The rest is only checked for syntax, because a syntax error ends the connection.
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
            Queue::Stopped => Some(Reason::normal()),
            Queue::Dying(reason) | Queue::Dead(reason) => Some(reason.clone()),
            _ => None,
        }
    }

    fn has_ended(&self) -> bool {
        self.pace.has_ended()
    }

    fn is_ending(&self) -> bool {
        let inner = self.lock();
        inner.queue.is_closed() || inner.is_ending()
    }

    fn queue_len(&self) -> usize {
        self.lock().waiting()
    }

    fn behind(&self) -> Behind {
        self.lock().behind()
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
            queued: inner.waiting(),
            monitors: extras.map_or(0, |extras| extras.monitors.len()),
            waits: extras.is_some_and(|extras| extras.handling.is_some()),
        })
    }

    fn spawned_name(&self) -> Option<Box<str>> {
        self.lock().extras.as_ref()?.name.clone()
    }

    fn typed(self: Arc<Self>, into: &mut dyn Any) {
        if let Some(into) = into.downcast_mut::<Option<Arc<dyn LocalPort<P::Msg>>>>() {
            let holder = if P::OWNED { self.holder() } else { None };
            *into = Some(holder.map_or(self, |holder| holder));
        }
    }
}

impl<P: Port> LocalPort<P::Msg> for Cell<P> {
    fn push(&self, message: P::Msg) -> Pushed {
        if spans::is_traced(&self.node) {
            return self.push_noted(message);
        }
        self.enqueue(Envelope::User(message))
    }

    fn has_room(&self) -> bool {
        self.lock().full().is_none()
    }

    fn try_push(&self, message: P::Msg) -> Result<Pushed, (P::Msg, Arc<Line>)> {
        let inner = self.lock();
        if let Some(room) = inner.full() {
            return Err((message, Arc::clone(room)));
        }
        drop(inner);
        // Another sender may have queued a message meanwhile. The bound holds for waiting senders and is not exact.
        Ok(self.push(message))
    }
}

impl<P: Port> Cell<P> {
    #[cold]
    fn push_noted(&self, message: P::Msg) -> Pushed {
        let noting = spans::sent(&self.node);
        self.enqueue(Envelope::User(message).noted(noting))
    }
}
