//! Handlers that run beside their port: `#[rcv(concurrent = n)]`.
//!
//! Such a handler is an `async fn` with `&self`, or without `self`. When the port comes to its message, generated code
//! copies the state (`Clone`), makes the handler's future from the copy, and hands it over here. So there is no
//! borrow of the state, and no lock of it: a handler that changes the state never waits for one that runs. The copy is
//! made at the message's place in the queue, so a handler sees the effects of its sender's earlier messages, and nothing of those that
//! came behind.
//!
//! Each handler of a port has a number of *places*. A future that gets one is a task that the port keeps, like other
//! bound code. A future that gets none waits in the port's extras, and counts as a queued message. The port empties its
//! queue into the extras at once, so the check of the queue's length never sees a crowd: the limit is checked here.
//!
//! - *The end of the port* drops the futures that rest, and those that wait, before its `#[stop]` method runs and
//!   before its monitors fire. A future is in a stage of its own for that (`Stage`), because the abort of a task takes
//!   effect later.
//! - *A stop* is carried out when the last future has ended. The port waits like one whose async handler waits
//!   (`exec/waiting.rs`), so a kill, or the end of the stop's time, cancels that wait and the futures.
//! - *A failure* queues the kill of the port first, and drops the reply of a handler that returns its answer then. So
//!   the caller hears of the death. A `Reply` parameter is dropped within the handler, before the kill, so its caller
//!   may hear `NoReply`. To report such replies later, each reply would have to know how to drop itself without its
//!   type.
//!
//! Alternatives: a shared state (`Arc<P>`), with `&mut self` handlers that wait for the others, would be a lock around
//! the state, and each slow handler would stop the port. Dangers: a state that is expensive to copy makes each message
//! expensive; a future that another thread polls just when the port dies is dropped at the end of that poll. Left
//! out: an order among futures that run at the same time, and a limit for all handlers of a port together.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use tokio::{sync::Notify, time::Instant};

use super::start;
use crate::{
    Cx, Node, Reason, Reply,
    exec::{
        current,
        drainer::Occupied,
        spans::{self, SpanEnd, Task},
    },
    guard::{self, Held},
    lock::Lock,
    message::{Origin, Port},
    port::{
        any::AnyPort,
        cell::Waiters,
        context::OwnPort,
        extras::{Content, Extras, Kept},
        monitor,
        reply::Answered,
        wanted,
    },
};

/// The future of a handler, which ends with nothing: it answers and kills by itself.
type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The handlers of a port that run beside it, by the numbers of their handlers. Handlers without any are not in it.
#[derive(Default)]
pub(crate) struct Concurrent {
    places: BTreeMap<u32, Places>,
    /// The number of futures that wait for a place.
    waiting: usize,
    /// Told when there are no futures left. Present if a stop waits for that.
    over: Option<Arc<Notify>>,
}

#[derive(Default)]
struct Places {
    /// By the numbers under which the port keeps them.
    running: BTreeSet<u64>,
    waiting: VecDeque<Arc<Running>>,
}

/// The future of one handler.
struct Running(Lock<Stage>);

enum Stage {
    /// It is not being polled.
    Rests(Held<Work>),
    /// A task is polling it.
    Polled,
    /// It has ended, or its port has.
    Over,
}

/// Drops a future that rests when the port forgets it.
struct Forget(Arc<Running>);

impl Drop for Forget {
    fn drop(&mut self) {
        let stage = mem::replace(&mut *self.0.0.lock(), Stage::Over);
        drop(stage);
    }
}

impl Running {
    /// Polls the future once. The lock is free meanwhile.
    fn poll(&self, port: &dyn AnyPort, handler: u32, task: &mut Context<'_>) -> Poll<()> {
        let stage = mem::replace(&mut *self.0.lock(), Stage::Polled);
        let Stage::Rests(mut work) = stage else {
            *self.0.lock() = Stage::Over;
            return Poll::Ready(());
        };
        let polled = {
            let _occupied = Occupied::enter(port, handler);
            let polled = guard::poll(|| match work.get_mut() {
                Some(work) => work.as_mut().poll(task),
                None => Poll::Ready(()),
            });
            // Panics of the user's code are caught within.
            polled.map(|_| ())
        };
        if polled.is_pending() {
            let mut stage = self.0.lock();
            if let Stage::Polled = *stage {
                *stage = Stage::Rests(work);
                return Poll::Pending;
            }
        } else {
            *self.0.lock() = Stage::Over;
        }
        drop(work);
        Poll::Ready(())
    }
}

impl Concurrent {
    /// The number of futures that wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// True if there are futures that have not ended.
    pub(crate) fn is_busy(&self) -> bool {
        !self.places.is_empty()
    }
}

/// Gives a future a place of its handler, or lets it wait for one. Returns its number if it has a place.
///
/// # Errors
///
/// The reason to die with, if more than `most` futures would wait.
fn place(
    extras: &mut Extras,
    handler: u32,
    limit: usize,
    most: usize,
    work: &Arc<Running>,
) -> Result<Option<u64>, Reason> {
    let concurrent = extras.rare().concurrent.get_or_insert_default();
    let places = concurrent.places.entry(handler).or_default();
    if places.running.len() < limit.max(1) {
        return Ok(Some(occupy(extras, handler, work)));
    }
    if concurrent.waiting >= most {
        return Err(full(most));
    }
    places.waiting.push_back(Arc::clone(work));
    concurrent.waiting += 1;
    Ok(None)
}

#[cold]
fn full(most: usize) -> Reason {
    Reason::die(format_args!(
        "max_port_queue ({most}) reached: so many messages wait for a place of their handler"
    ))
}

/// Lets the port keep a future that runs.
fn occupy(extras: &mut Extras, handler: u32, work: &Arc<Running>) -> u64 {
    let id = extras.keep(Content::Value(Box::new(Forget(Arc::clone(work)))));
    if let Some(concurrent) = &mut extras.rare().concurrent {
        let places = concurrent.places.entry(handler).or_default();
        places.running.insert(id);
    }
    id
}

/// The consequences of the end of a future, which are carried out when the port's lock is free.
struct Freed {
    _kept: Kept,
    /// The future that has the place now.
    next: Option<(u64, Arc<Running>)>,
    /// The senders that wait for room in the port's queue.
    room: Waiters,
    /// A stop that waits for the end of all.
    over: Option<Arc<Notify>>,
}

/// Frees the place of a future that has ended. `None` if the port has forgotten it.
fn free(extras: &mut Extras, handler: u32, id: u64) -> Option<Freed> {
    let kept = extras.kept.remove(id)?;
    let concurrent = extras.rare().concurrent.as_mut()?;
    let places = concurrent.places.get_mut(&handler)?;
    places.running.remove(&id);
    let next = places.waiting.pop_front();
    if next.is_some() {
        concurrent.waiting -= 1;
    } else if places.running.is_empty() {
        concurrent.places.remove(&handler);
    }
    let over = concurrent.over.clone().filter(|_| !concurrent.is_busy());
    let next = next.map(|next| (occupy(extras, handler, &next), next));
    if let Some(idle) = &mut extras.rare().idle {
        idle.last = Instant::now();
    }
    let room = extras.bound.as_ref().filter(|_| next.is_some());
    Some(Freed {
        _kept: kept,
        room: Waiters(room.map(|bound| Arc::clone(&bound.line))),
        next,
        over,
    })
}

/// Starts the task of a future that has a place.
fn run(port: &Arc<dyn AnyPort>, handler: u32, id: u64, work: Arc<Running>) {
    let weak = Arc::downgrade(port);
    start(port, id, async move {
        poll_fn(|task| match weak.upgrade() {
            Some(port) => work.poll(&*port, handler, task),
            None => Poll::Ready(()),
        })
        .await;
        ended(&weak, handler, id);
    });
}

fn ended(port: &Weak<dyn AnyPort>, handler: u32, id: u64) {
    let Some(port) = port.upgrade() else { return };
    let freed = port.extras(|extras| free(extras, handler, id));
    let Some(freed) = freed.flatten() else { return };
    if let Some((id, next)) = freed.next {
        run(&port, handler, id, next);
    }
    freed.room.wake();
    if let Some(over) = freed.over {
        over.notify_one();
    }
}

impl Extras {
    /// Takes all futures of concurrent handlers out of the port. The caller drops them.
    #[must_use]
    pub(crate) fn take_concurrent(&mut self) -> (Option<Concurrent>, Vec<Kept>) {
        let concurrent = self
            .rare
            .as_mut()
            .and_then(|rare| rare.concurrent.take())
            .map(|concurrent| *concurrent);
        let places = concurrent.iter().flat_map(|all| all.places.values());
        let running = places.flat_map(|places| &places.running);
        let running = running.filter_map(|id| self.kept.remove(*id)).collect();
        (concurrent, running)
    }

    /// True if handlers run beside the port.
    pub(crate) fn is_busy_beside(&self) -> bool {
        let rare = self.rare.as_ref();
        let concurrent = rare.and_then(|rare| rare.concurrent.as_ref());
        concurrent.is_some_and(|concurrent| concurrent.is_busy())
    }
}

/// Waits until no handler runs beside the port.
pub(crate) async fn drained(port: &dyn AnyPort) {
    let over = port.extras(|extras| {
        let concurrent = extras.rare().concurrent.get_or_insert_default();
        Arc::clone(concurrent.over.get_or_insert_default())
    });
    let Some(over) = over else { return };
    while port.extras(|extras| extras.is_busy_beside()) == Some(true) {
        over.notified().await;
    }
}

/// The context of a handler that runs beside its port.
#[derive(Debug)]
pub struct Beside {
    port: OwnPort,
    origin: Option<Origin>,
    /// The call that the handler answers by its result.
    call: Arc<dyn Answered>,
}

impl Beside {
    /// The same context as that of the handler.
    #[must_use]
    pub fn cx(&self) -> Cx<'_> {
        self.port.cx(self.origin.as_ref(), Some(&*self.call))
    }
}

/// The result of a handler that runs beside its port: its own one, and the reason if it has killed its port.
#[derive(Debug)]
pub struct Done<T>(Result<T, Reason>, Option<Reason>);

impl<T> Done<T> {
    /// The result of a handler, and its requests to its context.
    #[must_use]
    pub fn new(mut cx: Cx<'_>, result: Result<T, Reason>) -> Self {
        Self(result, cx.take_ended())
    }
}

/// Runs the future of the handler with this number beside its port, together with at most `limit - 1` others. Its
/// result goes to the caller. A handler that answers otherwise or not at all has a reply without a caller here.
///
/// # Errors
///
/// The reason to die with, if too many futures wait.
pub fn concurrent<T: Send + 'static, F>(
    cx: &Cx<'_>,
    handler: u32,
    limit: usize,
    reply: Reply<T>,
    make: impl FnOnce(Beside) -> F,
) -> Result<(), Reason>
where
    F: Future<Output = Done<T>> + Send + 'static,
{
    beside(cx, handler, limit, reply, None, make)
}

/// As [`concurrent`], for a handler that is not run without a waiting caller when it has its place.
///
/// # Errors
///
/// As [`concurrent`].
pub fn concurrent_wanted<P: Port, T: Send + 'static, F>(
    cx: &Cx<'_>,
    handler: u32,
    limit: usize,
    reply: Reply<T>,
    make: impl FnOnce(Beside) -> F,
) -> Result<(), Reason>
where
    F: Future<Output = Done<T>> + Send + 'static,
{
    beside(cx, handler, limit, reply, Some(wanted::skip::<P>), make)
}

/// Counts a call that is not handled.
type Skip = fn(&Node, u32);

fn beside<T: Send + 'static, F>(
    cx: &Cx<'_>,
    handler: u32,
    limit: usize,
    reply: Reply<T>,
    skip: Option<Skip>,
    make: impl FnOnce(Beside) -> F,
) -> Result<(), Reason>
where
    F: Future<Output = Done<T>> + Send + 'static,
{
    let (port, reply) = (cx.arc(), Arc::new(reply));
    let call: Arc<dyn Answered> = Arc::<Reply<T>>::clone(&reply);
    let beside = Beside {
        port: OwnPort::new(Arc::clone(&port)),
        origin: cx.origin(),
        call,
    };
    let span = spans::take_over();
    let work = finish(
        Arc::downgrade(&port),
        reply,
        span,
        skip.map(|skip| (skip, handler)),
        make(beside),
    );
    let work: Held<Work> = Held::new(Box::pin(work));
    let work = Arc::new(Running(Lock::new(Stage::Rests(work))));
    let most = cx.node().costs().max_port_queue;
    let placed = port.extras(|extras| place(extras, handler, limit, most, &work));
    let placed = placed.transpose();
    let placed = placed.inspect_err(|_| cx.node().scheduler().past().reached("max_port_queue"))?;
    if let Some(id) = placed.flatten() {
        run(&port, handler, id, work);
    }
    Ok(())
}

/// Runs the future, and carries out its result. The thread is running the port while the handler is polled, but not
/// when the result kills the port: that would only be noted for a handler that returns.
async fn finish<T>(
    port: Weak<dyn AnyPort>,
    reply: Arc<Reply<T>>,
    mut span: Task,
    skip: Option<(Skip, u32)>,
    future: impl Future<Output = Done<T>>,
) {
    if let Some((skip, handler)) = skip
        && !reply.is_awaited()
    {
        if let Some(port) = port.upgrade() {
            skip(port.node(), handler);
        }
        guard::discard(future);
        Arc::into_inner(reply).into_iter().for_each(Reply::give_up);
        return;
    }
    let mut future = pin!(future);
    let mut noted = None;
    let done = poll_fn(|task| {
        // The task ends with the port.
        let Some(port) = port.upgrade() else {
            return Poll::Pending;
        };
        let _scope = current::Scope::enter(&*port);
        let inside = span.enter_again();
        let polled = guard::poll(|| future.as_mut().poll(task));
        inside.leave();
        noted = noted.take().or_else(current::take_killed);
        polled
    })
    .await;
    let panicked = done.is_err();
    let Done(result, killed) = done.unwrap_or_else(|panic| Done(Err(panic), None));
    let killed = killed.or(noted);
    let killed = match port.upgrade() {
        Some(port) => {
            let of_tracer = span.end_of(&*port, || match (&killed, &result) {
                _ if panicked => SpanEnd::Panicked,
                (Some(reason), _) | (None, Err(reason)) => SpanEnd::Died(reason),
                (None, Ok(_)) => SpanEnd::Returned,
            });
            // The reason of the handler counts.
            killed.or_else(|| of_tracer.filter(|_| result.is_ok()))
        }
        None => killed,
    };
    let reason = match result {
        Ok(value) => {
            // The handler is over, which alone could borrow the reply.
            if let Some(reply) = Arc::into_inner(reply) {
                guard::shielded(|| reply.send(value));
            }
            killed
        }
        Err(reason) => Some(killed.unwrap_or(reason)),
    };
    if let (Some(reason), Some(port)) = (reason, port.upgrade()) {
        monitor::kill(&port, reason);
    }
}
