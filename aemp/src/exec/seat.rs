//! A thread's seat at a node: the ports that it is to run next, which idle workers may take, and what it runs now,
//! which the watch sees.

use std::{
    cell::{Cell, RefCell},
    fs,
    ops::Deref,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::Waker,
};

use crossbeam_deque::{Stealer, Worker};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Notify,
};

use super::{scheduler::Work, watch};
use crate::guard;

/// How many nodes a thread has seats at; the one that it has not used for longest goes first.
const SEATS: usize = 8;

/// What a connection runs while it delivers; no port has that number.
pub(super) const NO_PORT: u64 = 0;

/// What others see of a seat.
pub(crate) struct Seat {
    /// Whose: the address of the node's scheduler.
    pub(super) scheduler: usize,
    stealer: Stealer<Work>,
    /// Odd while a port is being run. It changes with every message, so one that does not change is one that takes long.
    beat: AtomicU64,
    /// The port that is being run, by its number, and its handler.
    port: AtomicU64,
    handler: AtomicU32,
    /// Whether the thread is one for ports that block.
    blocking: AtomicBool,
    /// Connections that have something to write since a handler has sent it. They are woken when it returns, or by the watch:
    /// what a worker's task wakes is run by that worker, and so behind the handler.
    later: Mutex<Vec<Arc<Notify>>>,
    /// The thread in the system's eyes, where that can be found out.
    pub(super) thread: Option<PathBuf>,
    /// What the watch has seen. Nobody else looks at it.
    pub(super) seen: Mutex<watch::Seen>,
}

/// What a seat runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) beat: u64,
    pub(super) port: u64,
    pub(super) handler: u32,
    pub(super) blocking: bool,
}

/// A thread's own seat. It is counted apart, because each run of a port takes one, and should not pay for what threads share.
#[derive(Clone)]
pub(crate) struct Mine(Rc<Counted>);

struct Counted(Arc<Seat>);

impl Deref for Mine {
    type Target = Arc<Seat>;

    fn deref(&self) -> &Arc<Seat> {
        &self.0.0
    }
}

/// The thread's own part of it.
struct Own {
    deque: Worker<Work>,
    seat: Mine,
}

thread_local! {
    /// The thread's seats, the last used first.
    static OWN: RefCell<Vec<Own>> = const { RefCell::new(Vec::new()) };
    /// The scheduler, by its address, whose ports this thread is running; 0: none. What they make ready goes to its seat.
    static ACTIVE: Cell<usize> = const { Cell::new(0) };
    /// Whether the port that this thread runs is trusted to return soon.
    static QUICK: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread polls an async handler on a task of its own.
    static HANDLING: Cell<bool> = const { Cell::new(false) };
    /// Whether there is anything in `later`.
    static LATER: Cell<bool> = const { Cell::new(false) };
}

impl Seat {
    fn later(&self) -> MutexGuard<'_, Vec<Arc<Notify>>> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A port begins to be run. The result is to be given to [`leave`](Self::leave): a run may be within another, of an async
    /// handler that calls.
    #[inline]
    pub(crate) fn enter(&self, port: u64) -> Before {
        let beat = self.beat.load(Ordering::Relaxed);
        let before = Before {
            port: self.port.load(Ordering::Relaxed),
            running: beat & 1,
        };
        self.port.store(port, Ordering::Relaxed);
        self.beat
            .store(beat + 1 + before.running, Ordering::Release);
        before
    }

    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "a run is left once")]
    pub(crate) fn leave(&self, before: Before) {
        let beat = self.beat.load(Ordering::Relaxed);
        self.port.store(before.port, Ordering::Relaxed);
        self.beat
            .store(beat + 1 + before.running, Ordering::Release);
    }

    /// The port that is being run begins with another message.
    #[inline]
    pub(crate) fn next_message(&self, handler: u32) {
        self.handler.store(handler, Ordering::Relaxed);
        let beat = self.beat.load(Ordering::Relaxed);
        self.beat.store(beat + 2, Ordering::Release);
    }

    pub(super) fn running(&self) -> Option<Running> {
        let beat = self.beat.load(Ordering::Acquire);
        (beat & 1 == 1).then(|| Running {
            beat,
            port: self.port.load(Ordering::Relaxed),
            handler: self.handler.load(Ordering::Relaxed),
            blocking: self.blocking.load(Ordering::Relaxed),
        })
    }

    pub(super) fn stealer(&self) -> &Stealer<Work> {
        &self.stealer
    }

    /// Wakes the connections that a handler has sent something over.
    pub(super) fn wake_later(&self) {
        let later = std::mem::take(&mut *self.later());
        for writer in later {
            writer.notify_one();
        }
    }
}

/// What a seat was running before.
#[must_use]
pub(crate) struct Before {
    port: u64,
    running: u64,
}

/// The seat of this thread at a scheduler, made if it has none; `made` is told of a new one.
pub(super) fn own(scheduler: usize, made: impl FnOnce(&Arc<Seat>)) -> Option<Mine> {
    OWN.try_with(|own| {
        let mut own = own.borrow_mut();
        match own.iter().position(|own| own.seat.scheduler == scheduler) {
            Some(0) => {}
            Some(at) => own[..=at].rotate_right(1),
            None => {
                let new = Own::new(scheduler);
                made(&new.seat);
                own.truncate(SEATS - 1);
                own.insert(0, new);
            }
        }
        own[0].seat.clone()
    })
    .ok()
}

impl Own {
    fn new(scheduler: usize) -> Self {
        let deque = Worker::new_fifo();
        let seat = Arc::new(Seat {
            scheduler,
            stealer: deque.stealer(),
            beat: AtomicU64::new(0),
            port: AtomicU64::new(0),
            handler: AtomicU32::new(0),
            blocking: AtomicBool::new(false),
            later: Mutex::default(),
            thread: fs::read_link("/proc/thread-self").ok(),
            seen: Mutex::default(),
        });
        let seat = Mine(Rc::new(Counted(seat)));
        Self { deque, seat }
    }
}

/// Has a seat that was in use before come first again.
pub(super) fn restore(scheduler: usize) {
    OWN.with_borrow_mut(|own| {
        if let Some(at) = own.iter().position(|own| own.seat.scheduler == scheduler) {
            own[..=at].rotate_right(1);
        }
    });
}

/// Which scheduler's ports this thread is running; 0: none.
#[inline]
pub(super) fn active() -> usize {
    ACTIVE.try_with(Cell::get).unwrap_or_default()
}

pub(super) fn set_active(scheduler: usize) {
    ACTIVE.set(scheduler);
}

/// Notes whether the port that is run now is trusted; what was noted before.
#[inline]
pub(super) fn set_quick(quick: bool) -> bool {
    QUICK.replace(quick)
}

/// Whether this thread gets to what waits at its seat soon: the port that it runs is trusted, and fewer than so many others wait.
pub(super) fn is_quick(few: usize) -> bool {
    QUICK.get() && OWN.with_borrow(|own| own[0].deque.len() < few)
}

/// Marks the thread's current seat as that of a thread for ports that block, or of a worker again.
pub(super) fn set_blocking(blocking: bool) {
    OWN.with_borrow(|own| {
        if let Some(own) = own.first() {
            own.seat.blocking.store(blocking, Ordering::Relaxed);
        }
    });
}

/// Puts work into the deque of the seat that is in use. To be called while this thread is active.
#[inline]
pub(super) fn push(work: Work) {
    OWN.with_borrow(|own| own[0].deque.push(work));
}

#[inline]
pub(super) fn pop() -> Option<Work> {
    OWN.with_borrow(|own| own[0].deque.pop())
}

pub(super) fn is_empty() -> bool {
    OWN.with_borrow(|own| own[0].deque.is_empty())
}

/// Takes work from another's seat into one's own, and one of it to be run now.
pub(super) fn steal_from(other: &Seat) -> Option<Work> {
    OWN.with_borrow(|own| {
        loop {
            let stolen = other.stealer.steal_batch_and_pop(&own[0].deque);
            if !stolen.is_retry() {
                return stolen.success();
            }
        }
    })
}

/// Wakes a task: that of a caller, for example. A worker is the only one to run what its task has woken last, and if that goes on for long,
/// because it is a handler that is not known to be quick, the woken one waits for it. So it is pushed from that place.
pub(crate) fn wake(waker: Waker) {
    guard::wake(waker);
    let handling = active() != 0 || HANDLING.try_with(Cell::get).unwrap_or_default();
    if handling && !QUICK.get() {
        displace();
    }
}

#[cold]
fn displace() {
    if let Ok(runtime) = Handle::try_current()
        && runtime.runtime_flavor() != RuntimeFlavor::CurrentThread
    {
        runtime.spawn(async {});
    }
}

/// Wakes a connection's writer; within a handler, when that has returned.
pub(crate) fn wake_writer(writer: &Arc<Notify>) {
    if active() == 0 && !HANDLING.try_with(Cell::get).unwrap_or_default() {
        return writer.notify_one();
    }
    OWN.with_borrow(|own| {
        let seat = &own[0].seat;
        if seat.blocking.load(Ordering::Relaxed) {
            // Not a worker: what is woken here is run by one.
            writer.notify_one();
        } else {
            seat.later().push(Arc::clone(writer));
            LATER.set(true);
        }
    });
}

/// Notes whether there is something to wake when a handler returns; what was noted before.
pub(super) fn set_later(later: bool) -> bool {
    LATER.replace(later)
}

/// Notes whether this thread polls an async handler on a task of its own; what was noted before.
pub(super) fn set_handling(handling: bool) -> bool {
    HANDLING.replace(handling)
}

/// What an async handler has sent goes its way. Another node's seat may have come first since.
pub(super) fn after_async_handler() {
    if LATER.replace(false) {
        let seats: Vec<_> =
            OWN.with_borrow(|own| own.iter().map(|own| Arc::clone(&own.seat)).collect());
        seats.iter().for_each(|seat| seat.wake_later());
    }
}

/// What a handler has sent goes its way: the handler has returned.
#[inline]
pub(super) fn after_handlers(seat: &Seat) {
    if LATER.replace(false) {
        seat.wake_later();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_runs_something_from_entering_to_leaving() {
        let seat = Own::new(1).seat;
        let runs = || seat.running().map(|running| running.port);
        for _ in 0..3 {
            assert_eq!(runs(), None);
            let outer = seat.enter(5);
            let beat = seat.running().map(|running| running.beat);
            assert_eq!(runs(), Some(5));
            seat.next_message(1);
            assert!(runs() == Some(5) && seat.running().map(|running| running.beat) != beat);
            let inner = seat.enter(6);
            assert_eq!(runs(), Some(6));
            seat.leave(inner);
            assert_eq!(runs(), Some(5));
            seat.leave(outer);
        }
        assert_eq!(runs(), None);
    }
}
