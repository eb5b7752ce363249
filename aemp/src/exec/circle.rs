//! Circles of calls: handlers of one node that wait for each other's answers, so that none of them ever ends.
//!
//! A port handles nothing while an async handler of it waits. So a handler that calls its own port waits for ever, and
//! so do handlers whose calls lead back to their own port. A call in such a circle ends with `CallError::Circle`.
//!
//! *No false alarm.* A call may be refused only if its answer cannot come any more. That takes two proofs:
//!
//! - The handler waits for nothing but its calls. A search polls the handler once more, with a waker that counts its
//!   copies (`Counted`). By the contract of futures, everything that can wake the handler afterwards has a copy of that waker.
//!   If each copy is in the slot of a call, nothing else can: no timer, channel, lock or other task.
//! - Only the handler that runs now, or one behind it in the queue, can answer the call. That holds for handlers whose
//!   answer is their result (`Port::returns`), because generated code has the reply; and for a call that the
//!   handler has made itself, because its message is in the queue. A handler with a `Reply` parameter may have given
//!   the reply away, so its calls prove nothing.
//!
//! A search asks the handlers one after the other, so it could see states of different times. Therefore all of them are
//! checked again at the end: a handler that was neither woken nor polled since it was asked is still as it was seen.
//! One search runs at a time for each node, so a second one does not spoil the proofs of the first.
//!
//! *Cost.* The call that closes a circle finds its port at work. A handler is watched from the moment at which it waits
//! for such a call: it sets a timer, and the search begins when that is over. Everything else costs a few
//! instructions for each poll of an async handler, and none for other ports.
//!
//! The first port of a search is refused, and only if it is part of the circle: a port that merely waits for a circle
//! gets its answer when the circle is broken. Left out: calls with a time limit, because the limit ends the circle;
//! processes, whose body may answer at any `await`; init functions and `#[stop]` methods; `wait` in blocking ports; other
//! nodes.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    ptr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use aemp_codec::PortId;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, Sleep},
};

use super::pace::CLOSURE;
use crate::{
    CallError, guard,
    port::{any::AnyPort, slot::Caller},
};

/// The time that a handler waits before the first search, and between two searches at most.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(64);
/// The time limit of a search. A handler that blocks its thread does not answer it.
const SEARCH: Duration = Duration::from_secs(1);
/// The greatest number of ports that a search asks, and of calls that are noted of one handler.
const MOST: usize = 64;

/// A search that has asked for the waits of a handler.
pub(crate) type Asker = oneshot::Sender<Arc<Sight>>;

/// A call that a handler waits for.
pub(crate) struct Edge {
    /// The port itself, which this does not hold if it is owned.
    pub(crate) port: Arc<dyn AnyPort>,
    pub(crate) call: Weak<dyn Caller>,
    /// True if the call cannot be answered before the port's present handler has ended.
    pub(crate) certain: bool,
}

/// The notes about calls that wait while a handler is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notes {
    /// No handler is being polled.
    None,
    /// True if a call of a port that was at work waits.
    Any(bool),
    Each,
}

#[derive(Clone, Copy)]
struct Polled {
    notes: Notes,
    /// The address of the port, and the number of the handler's run.
    run: (usize, u64),
}

thread_local! {
    static POLLED: Cell<Polled> = const { Cell::new(Polled { notes: Notes::None, run: (0, 0) }) };
    static EDGES: RefCell<Vec<Edge>> = const { RefCell::new(Vec::new()) };
    static SEEN: RefCell<Vec<PortId>> = const { RefCell::new(Vec::new()) };
}

/// Notes a call that waits. `busy` is true if its port was at work when the message came.
#[inline]
pub(crate) fn note(busy: bool, edge: impl FnOnce() -> Edge) {
    let polled = POLLED.get();
    match polled.notes {
        Notes::Any(false) if busy => POLLED.set(Polled {
            notes: Notes::Any(true),
            ..polled
        }),
        Notes::None | Notes::Any(_) => {}
        Notes::Each => EDGES.with_borrow_mut(|edges| edges.push(edge())),
    }
}

/// Notes the port of any call that waits, if the handler has been asked.
#[inline]
pub(crate) fn see(port: impl FnOnce() -> PortId) {
    if POLLED.get().notes == Notes::Each {
        SEEN.with_borrow_mut(|seen| {
            if seen.len() < MOST {
                seen.push(port());
            }
        });
    }
}

/// The number of the run that this thread is polling, if it is one of this port. Otherwise zero, which no run has.
pub(crate) fn run_of(port: &dyn AnyPort) -> u64 {
    let (of, number) = POLLED.get().run;
    if of == address(port) { number } else { 0 }
}

/// A number for a run of a handler, which no other run of this process has.
#[inline]
pub(super) fn next_run() -> u64 {
    /// The lower bits are the thread's number. None of its runs has the number zero.
    const THREADS: u32 = 24;
    static NEXT_THREAD: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NEXT: Cell<u64> = Cell::new(NEXT_THREAD.fetch_add(1, Ordering::Relaxed));
    }
    let number = NEXT.get() + (1 << THREADS);
    NEXT.set(number);
    number
}

/// The address of a port itself, not of a holder of it.
fn address(port: &dyn AnyPort) -> usize {
    ptr::from_ref(port).addr()
}

/// Polls a handler, and returns the notes of this time.
fn noting<R>(notes: Notes, run: (usize, u64), poll: impl FnOnce() -> R) -> (R, Notes) {
    struct Before(Polled);

    impl Drop for Before {
        fn drop(&mut self) {
            POLLED.set(self.0);
        }
    }

    let before = Before(POLLED.replace(Polled { notes, run }));
    let polled = poll();
    let noted = POLLED.get().notes;
    drop(before);
    (polled, noted)
}

/// The waker of a handler that has been asked. The number of its copies is the number of the things that can wake the
/// handler.
struct Counted {
    task: Waker,
    /// True if the handler was woken, or has been polled since.
    stale: AtomicBool,
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stale.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

/// The calls that a handler was seen to wait for.
pub(crate) struct Sight {
    counted: Arc<Counted>,
    edges: Vec<Edge>,
    run: u64,
    /// The ports of all calls, also of those that a search does not follow.
    seen: Vec<PortId>,
}

impl Sight {
    /// The number of the handler's run, and the ports whose answers it waits for.
    pub(crate) fn seen(&self) -> (u64, &[PortId]) {
        (self.run, &self.seen)
    }

    /// The calls that the handler waits for, if it waits for nothing else, and has not moved since.
    fn calls(&self) -> Option<Vec<&Edge>> {
        let waker = Arc::as_ptr(&self.counted).cast();
        let mut calls: Vec<(&Edge, *const ())> = Vec::new();
        for edge in &self.edges {
            let Some(call) = edge.call.upgrade() else {
                continue;
            };
            let at = Arc::as_ptr(&call).cast();
            // A handler may poll a call more than once.
            if calls.iter().all(|(_, other)| *other != at) && call.is_awaited_by(waker) {
                calls.push((edge, at));
            }
            guard::discard(call);
        }
        let copies = Arc::strong_count(&self.counted) - 1;
        // A waker that is used is marked as stale before the copy is gone.
        fence(Ordering::Acquire);
        let proven = !calls.is_empty()
            && copies == calls.len()
            && calls.iter().all(|(edge, _)| edge.certain)
            && !self.counted.stale.load(Ordering::Acquire);
        proven.then(|| calls.into_iter().map(|(edge, _)| edge).collect())
    }

    fn spoil(&self) {
        self.counted.stale.store(true, Ordering::Release);
    }
}

/// The watch over one run of an async handler.
pub(super) struct Watch {
    run: (usize, u64),
    /// True if the handler waits for a call whose port was at work.
    suspect: bool,
    timer: Timer,
    sight: Option<Arc<Sight>>,
}

enum Timer {
    None,
    Set(Box<Set>),
    /// The runtime has no clock.
    Never,
}

struct Set {
    sleep: Pin<Box<Sleep>>,
    pause: Duration,
    search: Option<JoinHandle<()>>,
}

impl Drop for Set {
    fn drop(&mut self) {
        if let Some(search) = &self.search {
            search.abort();
        }
    }
}

impl Watch {
    /// `number` is the number of the run, which no other run of the port has.
    pub(super) fn new(port: &dyn AnyPort, number: u64) -> Self {
        Self {
            run: (address(port), number),
            suspect: false,
            timer: Timer::None,
            sight: None,
        }
    }

    /// Polls the handler.
    pub(super) fn poll<T>(
        &mut self,
        task: &mut Context<'_>,
        handler: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.forget();
        let (polled, noted) = noting(Notes::Any(false), self.run, || handler(task));
        self.suspect = noted == Notes::Any(true);
        polled
    }

    /// Polls the handler, and answers the searches that have asked for its waits.
    #[cold]
    pub(super) fn poll_asked<T>(
        &mut self,
        asked: Vec<Asker>,
        task: &mut Context<'_>,
        handler: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.forget();
        let counted = Arc::new(Counted {
            task: task.waker().clone(),
            stale: AtomicBool::new(false),
        });
        let before = (EDGES.take(), SEEN.take());
        let (polled, _) = {
            let waker = Waker::from(Arc::clone(&counted));
            noting(Notes::Each, self.run, || {
                handler(&mut Context::from_waker(&waker))
            })
        };
        let (edges, seen) = (EDGES.replace(before.0), SEEN.replace(before.1));
        self.suspect = !edges.is_empty();
        if polled.is_pending() {
            let sight = Arc::new(Sight {
                counted,
                edges,
                run: self.run.1,
                seen,
            });
            for asker in asked {
                // The search may be over.
                let _ = asker.send(Arc::clone(&sight));
            }
            self.sight = Some(sight);
        }
        polled
    }

    fn forget(&mut self) {
        if let Some(sight) = self.sight.take() {
            sight.spoil();
        }
    }

    /// Begins a search when the handler has waited for long. Called after each poll.
    #[inline]
    pub(super) fn check<P: AnyPort + 'static>(&mut self, port: &Arc<P>, task: &mut Context<'_>) {
        if self.suspect || matches!(self.timer, Timer::Set(_)) {
            self.check_timer(&|| Arc::<P>::clone(port), task);
        }
    }

    #[cold]
    fn check_timer(&mut self, port: &dyn Fn() -> Arc<dyn AnyPort>, task: &mut Context<'_>) {
        if let Timer::None = self.timer {
            let sleep = port().node().scheduler().search_timer(FIRST);
            self.timer = sleep.map_or(Timer::Never, |sleep| {
                Timer::Set(Box::new(Set {
                    sleep,
                    pause: FIRST,
                    search: None,
                }))
            });
        }
        let Timer::Set(set) = &mut self.timer else {
            return;
        };
        // tokio panics here if the runtime is being shut down.
        match guard::poll(|| set.sleep.as_mut().poll(task)) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) if self.suspect => {
                set.search(port());
                let over = guard::poll(|| set.sleep.as_mut().poll(task));
                if let Poll::Ready(Err(_)) = over {
                    self.timer = Timer::Never;
                }
            }
            Poll::Ready(Ok(())) => self.timer = Timer::None,
            Poll::Ready(Err(_)) => self.timer = Timer::Never,
        }
    }
}

impl Set {
    fn search(&mut self, port: Arc<dyn AnyPort>) {
        self.pause = (self.pause * 2).min(LONGEST);
        self.sleep.as_mut().reset(Instant::now() + self.pause);
        if self.search.as_ref().is_none_or(JoinHandle::is_finished) {
            let scheduler = port.node().scheduler().clone();
            self.search = Some(scheduler.spawn(async move {
                let _one = port.node().scheduler().searches().lock_owned().await;
                let _ = tokio::time::timeout(SEARCH, search(Arc::clone(&port))).await;
            }));
        }
    }
}

/// A port whose handler waits.
struct Blocked {
    port: Arc<dyn AnyPort>,
    handler: u32,
    sight: Arc<Sight>,
}

/// Searches for a circle that begins at the port, and breaks it.
async fn search(first: Arc<dyn AnyPort>) {
    let mut found: Vec<Blocked> = Vec::new();
    let mut next = vec![first];
    while let Some(port) = next.pop() {
        if place(&found, &port).is_some() {
            continue;
        }
        if found.len() == MOST {
            return;
        }
        let (asker, answer) = oneshot::channel();
        let Some(handler) = port.ask(asker) else {
            return;
        };
        let Ok(sight) = answer.await else { return };
        let Some(calls) = sight.calls() else { return };
        next.extend(calls.iter().map(|edge| Arc::clone(&edge.port)));
        found.push(Blocked {
            port,
            handler,
            sight,
        });
    }
    // None of them has moved since the last of them was asked, so all of them wait at the same time.
    let calls: Option<Vec<_>> = found.iter().map(|one| one.sight.calls()).collect();
    let Some(way) = calls.and_then(|calls| way_back(&found, &calls)) else {
        return;
    };
    let (edge, ports) = way;
    let text = describe(&found, &ports);
    if let Some(call) = edge.call.upgrade() {
        call.refuse(CallError::Circle(text));
        guard::discard(call);
    }
}

fn place(found: &[Blocked], port: &Arc<dyn AnyPort>) -> Option<usize> {
    let at = |port: &Arc<dyn AnyPort>| Arc::as_ptr(port).cast::<()>();
    found.iter().position(|one| at(&one.port) == at(port))
}

/// A way along calls from the first port back to it: its first call, and the places of its ports. `None` if the
/// first port only waits for a circle of others.
fn way_back<'a>(found: &'a [Blocked], calls: &[Vec<&'a Edge>]) -> Option<(&'a Edge, Vec<usize>)> {
    let mut reached = vec![false; found.len()];
    for edge in calls.first()? {
        let mut open = vec![(place(found, &edge.port)?, vec![0])];
        while let Some((at, way)) = open.pop() {
            if at == 0 {
                return Some((edge, way));
            }
            if std::mem::replace(&mut reached[at], true) {
                continue;
            }
            let way: Vec<usize> = way.into_iter().chain([at]).collect();
            for further in &calls[at] {
                open.push((place(found, &further.port)?, way.clone()));
            }
        }
    }
    None
}

fn describe(found: &[Blocked], ports: &[usize]) -> String {
    let mut text = String::new();
    for blocked in ports.iter().map(|place| &found[*place]) {
        let (port, name) = (&blocked.port, blocked.port.type_name());
        let handler = match blocked.handler {
            CLOSURE => "#[start]",
            handler => port.handler_name(handler),
        };
        text += &format!("`{handler}` of {} ({name}) -> ", port.port_id());
    }
    let first = ports.first().map(|place| found[*place].port.port_id());
    text + first.as_ref().map_or("", |id| id.as_str())
}
