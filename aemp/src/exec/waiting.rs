//! Ports in async code: one task for as long as the handlers of a port wait.
//!
//! A *run* ([`handle`]) is a future that owns the state of its port, and the messages that it has in hand. It handles one
//! message after the other, of plain handlers too, until the queue is empty or the turn is over. Then the port is data
//! again, and the task rests, if there is a place for it. So the task, the storage of the handlers' futures and the
//! waker are made once for a queue, and not for each message.
//!
//! - The first poll is made in place, by the drainer or caller that runs the port. A handler that need not wait never
//!   leaves it. If the handler has waited the last time (`pace::Record`), the run begins as a task at once, without a
//!   poll in place and without a box.
//! - A handler that has to wait *moves out* (`move_out`): under the port's lock, the messages in hand return to the
//!   queue, and the waker of the task is noted. A kill wakes it, and the next poll that is pending ends the handler.
//!   So a kill takes effect at the next `await`, and the bound and the length of the queue stay exact.
//! - A handler that has waited *moves in* ([`Running::move_in`]): one step under the lock takes the note and the next
//!   message. A handler that has not waited takes no lock. Nothing depends on the length of the queue.
//!
//! Each poll is a run at the thread's seat, for the stall detector (`Occupied`). Plain handlers run as in a drainer
//! (`drainer::in_turn`), so the ports that they make ready wait at the seat and can be stolen. A turn ends as in a
//! drainer: a port that has handled its share without a wait returns to the executor. A blocking port returns after
//! each wait, because only its own threads may run its handlers.
//!
//! Alternatives: a task for each message, as before, costs a box, a task and a trip through the injector each. Drainers
//! that poll the futures would share tokio's budget of one task, and a yielding handler would wait for the
//! drainer to give way. A task for each idle port would cost its memory; so only some of them rest ([`rest`]). Danger:
//! a handler that ends in `Ready` again and again takes tokio's budget of its task, as any task's.

pub(crate) mod rest;

use std::{
    future::poll_fn,
    mem,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use aemp_codec::NodeId;

use super::{
    circle::{self, Asker, Watch},
    current,
    drainer::{Here, Occupied, TURN, Turn},
    ending,
    held::{go_idle, pause},
    pace::{self, CLOSURE, Manner},
    scheduler, seat,
    spans::{Noting, SpanEnd, Task},
    tally::Timer,
    work,
};
use crate::{
    Cx, Reason, guard,
    message::{Message, Port},
    port::{
        any::AnyPort,
        bound::concurrent,
        cell::{Cell, Envelope, Inner, Queued},
        death,
        queue::Queue,
    },
};
use rest::{Owner, Rest, Resting};

/// The async code that a port runs next.
pub(crate) enum Code<M> {
    /// The `#[start]` method.
    First,
    /// The handler of a message from this node, or from another one if the message type uses its origin.
    Message(Option<NodeId>, M, Noting),
    /// The wait for the handlers that run beside a port that is stopped.
    Last,
}

/// The place of async code in the life of its port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Between,
    Last,
}

impl<M: Message> Code<M> {
    /// The async handler of a message. `Err` if the handler is a plain one.
    #[inline]
    pub(crate) fn of<P: Port<Msg = M>>(envelope: Envelope<M>) -> Result<Self, Envelope<M>> {
        match envelope {
            Envelope::User(message) if P::waits(&message) => {
                Ok(Self::Message(None, message, Noting::default()))
            }
            Envelope::From(from) if P::waits(&from.1) => {
                Ok(Self::Message(Some(from.0), from.1, Noting::default()))
            }
            #[cfg(feature = "trace")]
            Envelope::Noted(noted) if P::waits(&noted.message) => {
                let noted = *noted;
                Ok(Self::Message(noted.from, noted.message, noted.noting))
            }
            other => Err(other),
        }
    }

    fn handler(&self) -> u32 {
        match self {
            Self::Message(_, message, _) => message.handler(),
            Self::First | Self::Last => CLOSURE,
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::First => Place::First,
            Self::Message(..) => Place::Between,
            Self::Last => Place::Last,
        }
    }

    fn take_origin(&mut self) -> Option<NodeId> {
        match self {
            Self::Message(origin, ..) => origin.take(),
            Self::First | Self::Last => None,
        }
    }

    fn take_noting(&mut self) -> Noting {
        match self {
            Self::Message(_, _, noting) => mem::take(noting),
            Self::First | Self::Last => Noting::default(),
        }
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` would hold the message twice"
    )]
    fn run<'a, P: Port<Msg = M>>(
        self,
        state: &'a mut P,
        cx: &'a mut Cx<'_>,
    ) -> impl Future<Output = Result<(), Reason>> + Send + 'a
    where
        M: 'a,
    {
        async move {
            match self {
                Self::First => state.starting(cx).await,
                Self::Message(_, message, _) => state.handle_async(cx, message).await,
                Self::Last => {
                    concurrent::drained(cx.port()).await;
                    Ok(())
                }
            }
        }
    }
}

/// True if the handler of the message is an `async fn`.
fn is_async<P: Port>(envelope: &Envelope<P::Msg>) -> bool {
    envelope.message().is_some_and(P::waits)
}

/// The way in which an async handler has ended.
enum Ended {
    Returned,
    /// It was cancelled, because a kill was queued while it waited.
    Cancelled,
    Failed(Reason),
    Panicked(Reason),
}

impl Ended {
    /// The end of a handler that has killed its port.
    fn with(self, killed: Option<Reason>) -> Self {
        match (self, killed) {
            (Self::Panicked(_), Some(reason)) => Self::Panicked(reason),
            (_, Some(reason)) => Self::Failed(reason),
            (ended, None) => ended,
        }
    }

    /// The end for the handler's span.
    fn for_span(&self) -> SpanEnd<'_> {
        match self {
            Self::Returned => SpanEnd::Returned,
            Self::Cancelled => SpanEnd::Dropped,
            Self::Failed(reason) => SpanEnd::Died(reason),
            Self::Panicked(_) => SpanEnd::Panicked,
        }
    }
}

/// A port in async code. If the runtime drops it, the port dies.
struct Running<P: Port> {
    cell: Arc<Cell<P>>,
    /// `None` when the port has ended, or has returned to the executor.
    state: Option<P>,
    /// The code that runs next.
    next: Option<Code<P::Msg>>,
    /// The messages in hand. Empty while a handler waits.
    queue: Queued<P>,
    /// True if the present handler has waited.
    waited: bool,
    /// True if a handler of a message has waited in this run, so that the next one probably will.
    rests: bool,
    /// True if the port may have the waker of this task.
    noted: bool,
    /// The messages that are left of the turn.
    left: usize,
}

/// Runs a port from this code on: in place, as far as it need not wait.
pub(super) fn run<P: Port>(
    cell: &Arc<Cell<P>>,
    state: P,
    queue: Queued<P>,
    code: Code<P::Msg>,
    turn: &mut Turn<'_>,
) {
    let mut running = Running {
        cell: Arc::clone(cell),
        state: Some(state),
        next: None,
        queue,
        waited: false,
        rests: false,
        noted: false,
        left: turn.left,
    };
    let scheduler = cell.node().scheduler();
    // A simulated node must not depend on earlier actions of other nodes.
    let waits = P::record().waits(code.handler()) && !scheduler.is_timeless();
    if waits && code.place() == Place::Between && cell.manner() != Manner::Blocking {
        running.next = Some(code);
        if let Err(running) = give(cell, running) {
            scheduler.spawn(work(running));
        }
        return;
    }
    running.next = Some(code);
    let mut once = Box::pin(once(running));
    match once.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready((left, _)) => turn.left = left,
        // The poll could not register for wake-ups. The task polls at once, which does.
        Poll::Pending => drop(scheduler.spawn(stay(once))),
    }
}

/// Continues in the port's task, if it rests.
fn give<P: Port>(cell: &Cell<P>, running: Running<P>) -> Result<(), Running<P>> {
    let task = {
        let inner = cell.lock();
        let resting = inner
            .extras
            .as_ref()
            .and_then(|extras| extras.resting.as_ref());
        resting.and_then(Resting::task::<P>)
    };
    match task {
        Some(task) => task.give(running),
        None => Err(running),
    }
}

/// Handles messages until the port returns to the executor, or ends.
async fn handle<P: Port>(running: &mut Running<P>) {
    while let Some(place) = running.next.as_ref().map(Code::place) {
        if place == Place::Last && !running.close() {
            break;
        }
        let ended = drive(running).await;
        running.next = running.after(ended, place);
    }
}

/// A run that begins in place. Returns the rest of the turn, and the place of the task to rest. Apart from `work`,
/// because a run that need not wait pays for the size of the future.
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` would hold the port twice"
)]
fn once<P: Port>(
    mut running: Running<P>,
) -> impl Future<Output = (usize, Option<Owner<P>>)> + Send + 'static {
    async move {
        handle(&mut running).await;
        (running.left, running.rest())
    }
}

/// The task of a run that began in place, and of those that follow.
async fn stay<P: Port>(first: impl Future<Output = (usize, Option<Owner<P>>)> + Send) {
    let (_, owner) = first.await;
    let Some(owner) = owner else { return };
    while let Some(mut running) = owner.next().await {
        handle(&mut running).await;
    }
}

/// The task of a run, and of those that follow.
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` would hold the port twice"
)]
fn work<P: Port>(mut running: Running<P>) -> impl Future<Output = ()> + Send + 'static {
    async move {
        let mut owner = None;
        loop {
            handle(&mut running).await;
            owner = owner.or_else(|| running.rest());
            // The port may be freed while its task rests.
            drop(running);
            let next = match &owner {
                Some(owner) => Owner::next(owner).await,
                None => None,
            };
            match next {
                Some(next) => running = next,
                None => return,
            }
        }
    }
}

/// Runs the next code.
async fn drive<P: Port>(running: &mut Running<P>) -> Ended {
    let Running {
        cell,
        state: Some(state),
        next,
        queue,
        waited,
        noted,
        left,
        ..
    } = running
    else {
        unreachable!("the state is there until the end of the run");
    };
    let Some(mut code) = next.take() else {
        return Ended::Returned;
    };
    let (number, origin) = (code.handler(), code.take_origin());
    let (timeless, record) = (cell.node().scheduler().is_timeless(), P::record());
    let unknown = !timeless && pace::is_unknown(cell.pace(), record, number);
    let mut began = unknown.then(Instant::now);
    let timer = match code.place() {
        Place::Between => Timer::start::<P>(cell.node(), number, began),
        Place::First | Place::Last => Timer::NONE,
    };
    let mut cx = Cx::new(cell, origin.as_ref());
    let mut killed = None;
    let mut span = Task::new(code.take_noting());
    let mut watch = Watch::new(&**cell, circle::next_run());
    *left = left.saturating_sub(1);
    let ended = {
        let mut handler = pin!(Some(code.run(state, &mut cx)));
        let ended = poll_fn(|task| {
            // The first poll may be part of a run of this port.
            let _entered = (!current::is_running(&**cell)).then(|| {
                let occupied = Occupied::enter(&**cell, number);
                (current::Scope::enter(&**cell), occupied)
            });
            let inside = span.enter(cell, number);
            let mut handle = |task: &mut Context<'_>| {
                let polled = guard::poll(|| match handler.as_mut().as_pin_mut() {
                    Some(handler) => handler.poll(task),
                    None => Poll::Ready(Ok(())),
                });
                killed = killed.take().or_else(current::take_killed);
                polled
            };
            let mut polled = watch.poll(task, &mut handle);
            if let Some(began) = began.take() {
                let took = began.elapsed();
                pace::learn(cell.pace(), record, number, took);
                if pace::is_doubtful(took) {
                    *left = 0;
                }
            }
            while polled.is_pending() {
                (*waited, *noted) = (true, true);
                match move_out(cell, queue, task.waker(), number) {
                    Moved::Out => break,
                    Moved::Killed => return Poll::Ready(Ended::Cancelled),
                    Moved::Asked(asked) => polled = watch.poll_asked(asked, task, &mut handle),
                }
            }
            // A tracer may kill the port when it is left.
            inside.leave();
            killed = killed.take().or_else(current::take_killed);
            match polled {
                Poll::Ready(Ok(Ok(()))) => Poll::Ready(Ended::Returned),
                Poll::Ready(Ok(Err(reason))) => Poll::Ready(Ended::Failed(reason)),
                Poll::Ready(Err(reason)) => Poll::Ready(Ended::Panicked(reason)),
                Poll::Pending => {
                    watch.check(cell, task);
                    Poll::Pending
                }
            }
        })
        .await;
        // The state of a cancelled handler is dropped here.
        guard::shielded(|| handler.set(None));
        ended
    };
    timer.end::<P>(cell.node(), number);
    record.learn_wait(number, *waited);
    let ended = ended.with(cx.take_ended().or(killed));
    match span.end_of(&**cell, || ended.for_span()) {
        Some(reason) if matches!(ended, Ended::Returned | Ended::Cancelled) => {
            Ended::Failed(reason)
        }
        _ => ended,
    }
}

/// The result of the step by which a handler begins or continues to wait.
enum Moved {
    Out,
    /// A kill is queued, or the port has perished.
    Killed,
    /// These searches ask for the waits of the handler.
    Asked(Vec<Asker>),
}

/// Returns the messages in hand to the queue, and notes the waker of the task for kills and searches.
fn move_out<P: Port>(cell: &Cell<P>, queue: &mut Queued<P>, waker: &Waker, handler: u32) -> Moved {
    let mut inner = cell.lock();
    if inner.queue.is_dead() {
        return Moved::Killed;
    }
    let dropped = inner.put_back(mem::replace(queue, Queue::Empty));
    let room = inner.has_in_hand(1);
    let is_killed = inner.queued_kill().is_some();
    let extras = inner.extras();
    let asked = extras.take_asked();
    extras.handling = Some(handler);
    let noted = extras.waiting.as_ref();
    // The waker is one of the node's runtime, and its clone is the count of a reference.
    let replaced = if noted.is_some_and(|noted| noted.will_wake(waker)) {
        None
    } else {
        extras.waiting.replace(waker.clone())
    };
    drop(inner);
    room.wake();
    drop(replaced);
    death::drop_queue(dropped);
    match (is_killed, asked.is_empty()) {
        (true, _) => Moved::Killed,
        (false, true) => Moved::Out,
        (false, false) => Moved::Asked(asked),
    }
}

impl<P: Port> Drop for Running<P> {
    fn drop(&mut self) {
        if self.state.is_none() {
            return;
        }
        self.discard();
        let cell = &self.cell;
        if cell.node().scheduler().is_over() || cell.lock().queue.is_dead() {
            return;
        }
        let reason = Reason::die("its runtime is gone");
        death::die(cell, None, Queue::Empty, &reason);
        cell.node().runtime_gone();
    }
}

impl<P: Port> Running<P> {
    /// Stops the port: the messages behind the stop are dropped, unless a kill is queued. Returns true if the port lives.
    fn close(&mut self) -> bool {
        let mut inner = self.cell.lock();
        if inner.queue.is_dead() {
            drop(inner);
            self.discard();
            return false;
        }
        let dropped = inner.put_back(mem::replace(&mut self.queue, Queue::Empty));
        let stops = inner.queued_kill().is_none();
        let behind = stops.then(|| {
            self.cell.pace().ended();
            mem::replace(&mut inner.queue, Queue::Stopped)
        });
        let room = inner.has_in_hand(1);
        drop(inner);
        room.wake();
        death::drop_queue(dropped);
        behind.into_iter().for_each(death::drop_queue);
        true
    }

    /// Ends the wait, and takes the next message. If there is none and the run `goes_on`, the port becomes idle.
    /// Returns true if the port is still in this run.
    fn move_in(&mut self, goes_on: bool) -> bool {
        let mut inner = self.cell.lock();
        if inner.queue.is_dead() {
            drop(inner);
            self.discard();
            return false;
        }
        let next = inner.next_envelope();
        let room = inner.has_in_hand(usize::from(next.is_some()));
        let extras = inner.extras();
        extras.handling = None;
        let asked = extras.take_asked();
        // Without a next message the run probably ends now.
        self.noted = next.is_some();
        let waker = extras.waiting.take_if(|_| next.is_none());
        let is_idle = next.is_none() && goes_on;
        let unused = is_idle.then(|| mem::replace(&mut inner.queue, Queue::Idle));
        if is_idle {
            inner.state = self.state.take();
        }
        drop(inner);
        room.wake();
        drop((asked, waker, unused));
        self.queue = next.map_or(Queue::Empty, Queue::One);
        (self.waited, self.left) = (false, TURN);
        !is_idle
    }

    /// The port has perished: drops its state and the messages in hand.
    fn discard(&mut self) {
        guard::discard(self.state.take());
        death::drop_queue(mem::replace(&mut self.queue, Queue::Empty));
    }

    /// Ends the port, or continues with the next async handler. `None` if the run is over.
    fn after(&mut self, ended: Ended, place: Place) -> Option<Code<P::Msg>> {
        let goes_on = matches!(
            (&ended, place),
            (Ended::Returned, Place::First | Place::Between) | (Ended::Cancelled, Place::Between)
        );
        self.rests |= self.waited && place == Place::Between;
        if self.waited && !self.move_in(goes_on) {
            return None;
        }
        let end = match (ended, place) {
            _ if goes_on => return self.next(),
            // Without its start, the port must not handle the messages before the kill.
            (Ended::Cancelled, Place::First) => {
                Ended::Panicked(self.cell.queued_kill().unwrap_or_default())
            }
            (Ended::Returned | Ended::Cancelled, Place::Last) => {
                Ended::Failed(self.cell.queued_kill().unwrap_or_default())
            }
            (Ended::Failed(reason), Place::First) => Ended::Panicked(reason),
            (end, _) => end,
        };
        let (state, queue) = self.take()?;
        match end {
            Ended::Failed(reason) => ending::end(&self.cell, state, queue, reason),
            Ended::Panicked(reason) => {
                if place == Place::First {
                    // Recorded before the port is seen to die, so that a monitor that is set too late finds the reason.
                    self.cell.node().remember_stillborn(&*self.cell, &reason);
                }
                death::die(&self.cell, Some(state), queue, &reason);
            }
            Ended::Returned | Ended::Cancelled => unreachable!("the run would go on"),
        }
        None
    }

    /// The next async handler, after the plain ones before it. `None` if the run is over.
    fn next(&mut self) -> Option<Code<P::Msg>> {
        let scheduler = self.cell.node().scheduler();
        let in_place = seat::active() == scheduler.address();
        if self.left == 0 || P::BLOCKING && !in_place && self.cell.manner() == Manner::Blocking {
            return self.give_back();
        }
        if self.queue.len() == 0 && !self.refill() {
            return None;
        }
        if self.queue.first().is_some_and(is_async::<P>) {
            let next = self.queue.pop().map(Code::of::<P>);
            return next.and_then(Result::ok);
        }
        let cell = Arc::clone(&self.cell);
        let Some(here) = Here::begin(&*cell) else {
            return self.give_back();
        };
        let (state, queue) = self.take()?;
        let mut turn = here.turn(self.left);
        let _scope = current::Scope::enter(&*cell);
        let _seated = turn.begin(cell.number());
        let (state, queue, code) = work::proceed(&cell, state, queue, &mut turn)?;
        (self.state, self.queue, self.left) = (Some(state), queue, turn.left);
        Some(code)
    }

    /// Takes the messages that have come meanwhile. If there are none, the port becomes idle, and this returns false.
    fn refill(&mut self) -> bool {
        let taken = self
            .take()
            .and_then(|(state, queue)| go_idle(&self.cell, state, queue));
        match taken {
            Some((state, queue)) => {
                (self.state, self.queue) = (Some(state), queue);
                true
            }
            None => false,
        }
    }

    /// A place for the task to rest.
    fn rest(&self) -> Option<Owner<P>> {
        let scheduler = self.cell.node().scheduler();
        if !self.rests || P::BLOCKING || scheduler.is_timeless() {
            return None;
        }
        // Another task of the port may rest already.
        let has_place = |inner: &Inner<P>| {
            let extras = inner.extras.as_ref();
            !inner.queue.is_closed() && extras.is_none_or(|extras| extras.resting.is_none())
        };
        if !has_place(&self.cell.lock()) {
            return None;
        }
        let rest = Rest::enter(&self.cell, scheduler.places())?;
        let mut inner = self.cell.lock();
        if !has_place(&inner) {
            return None;
        }
        inner.extras().resting = Some(Resting::new(&rest));
        Some(Owner(rest))
    }

    /// Returns the port to the executor.
    fn give_back(&mut self) -> Option<Code<P::Msg>> {
        let (state, queue) = self.take()?;
        pause(&self.cell, state, queue);
        scheduler::schedule(Arc::<Cell<P>>::clone(&self.cell));
        None
    }

    /// Takes state and queue, as the run may be over.
    fn take(&mut self) -> Option<(P, Queued<P>)> {
        if mem::take(&mut self.noted) {
            let mut inner = self.cell.lock();
            let waker = inner
                .extras
                .as_mut()
                .and_then(|extras| extras.waiting.take());
            drop(inner);
            drop(waker);
        }
        let queue = mem::replace(&mut self.queue, Queue::Empty);
        Some((self.state.take()?, queue))
    }
}
