//! A thread's seat at a node: the ports to run next, which idle workers may steal, and the current message, which the
//! stall detector sees. The deque of crossbeam needs no lock for a push; a mutex there would be measurably slower.
//!
//! The seat also collects the tasks to wake *later*, all at once: writers of connections, when a port's turn ends, and
//! callers whose answers a connection has read. The stall detector wakes them if the turn takes long.

use std::{
    cell::{Cell, RefCell},
    fs,
    ops::Deref,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

use crossbeam_deque::{Stealer, Worker};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{ready::Work, tally::Tallies, writer::Writer};
use crate::{guard, lock::Lock};

/// The greatest number of nodes at which a thread has seats. The least recently used seat is given up first.
const SEATS: usize = 8;

/// The port number for a connection that delivers. No port has it.
pub(super) const NO_PORT: u64 = 0;

/// The part of a seat that other threads see.
pub(crate) struct Seat {
    /// The address of the scheduler that the seat belongs to.
    pub(super) scheduler: usize,
    stealer: Stealer<Work>,
    /// Odd while a port is being run. It changes with every message; if it does not, the message takes long.
    beat: AtomicU64,
    /// The number of the running port, and its handler.
    port: AtomicU64,
    handler: AtomicU32,
    /// True if the thread runs blocking ports.
    blocking: AtomicBool,
    /// Tasks to wake when a handler returns, or when a connection has delivered its packets. If that takes long, the
    /// stall detector wakes them.
    later: Lock<Vec<Later>>,
    /// The directory of the thread in `/proc`, if the system has it.
    pub(super) thread: Option<PathBuf>,
    /// The observations of the stall detector. Only the stall detector uses them.
    pub(super) seen: Lock<Seen>,
    /// The counts of messages and calls. Only the thread writes them.
    pub(super) tallies: Tallies,
}

/// The stall detector's observations of a seat.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) running: Option<Running>,
    pub(super) since: Option<Instant>,
    pub(super) looks: u32,
    /// The processor time of the thread when the message was seen for the second time.
    pub(super) worked: Option<Duration>,
    pub(super) judged: bool,
}

/// A task that is woken later.
enum Later {
    /// The writer of a connection over which a handler has sent something. A task that is woken by a worker's task
    /// runs on that worker, so the writer could not run before the handler returns.
    Writer(Arc<Writer>),
    /// The task of a caller whose answer a connection has read. Waking it may wake another worker, which is a system
    /// call; the wake-ups of one read are made together.
    Caller(Waker),
}

/// The current run at a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) beat: u64,
    pub(super) port: u64,
    pub(super) handler: u32,
    pub(super) blocking: bool,
}

/// The thread's own seat. It has a reference count of its own, which is not shared between threads, because each run
/// of a port takes a reference.
#[derive(Clone)]
pub(crate) struct Mine(Rc<Own>);

/// The part of a seat that only its thread uses.
struct Own {
    deque: Worker<Work>,
    seat: Arc<Seat>,
}

impl Deref for Mine {
    type Target = Arc<Seat>;

    fn deref(&self) -> &Arc<Seat> {
        &self.0.seat
    }
}

impl Mine {
    #[inline]
    pub(super) fn pop(&self) -> Option<Work> {
        self.0.deque.pop()
    }

    pub(super) fn push(&self, work: Work) {
        self.0.deque.push(work);
    }

    pub(super) fn has_work(&self) -> bool {
        !self.0.deque.is_empty()
    }

    /// Steals ports from another seat into this one, and returns one of them to be run now.
    pub(super) fn steal_from(&self, other: &Seat) -> Option<Work> {
        loop {
            let stolen = other.stealer.steal_batch_and_pop(&self.0.deque);
            if !stolen.is_retry() {
                return stolen.success();
            }
        }
    }
}

/// The occupation of a thread, as far as it matters to ports.
#[derive(Clone, Copy)]
pub(super) struct Doing {
    /// The address of the scheduler whose ports the thread is running; 0 if there is none. Ports that these make
    /// ready go to its seat.
    scheduler: usize,
    /// True if it delivers packets of a connection.
    delivering: bool,
    /// True if it polls an async handler on a separate task.
    handling: bool,
    /// True if the running port probably returns soon.
    quick: bool,
    /// True if [`Seat::later`] contains tasks.
    later: bool,
}

impl Doing {
    const NOTHING: Self = Self {
        scheduler: 0,
        delivering: false,
        handling: false,
        quick: false,
        later: false,
    };

    /// The thread runs ports. Nothing between them takes long.
    pub(super) fn ports_of(scheduler: usize) -> Self {
        Self {
            scheduler,
            delivering: false,
            handling: false,
            quick: true,
            later: false,
        }
    }

    /// The thread delivers to ports.
    pub(super) fn delivering(self) -> Self {
        Self {
            delivering: true,
            ..self
        }
    }

    pub(super) fn is_in_handler(self) -> bool {
        self.scheduler != 0 || self.handling
    }
}

thread_local! {
    /// The thread's seats, the most recently used first.
    static OWN: RefCell<Vec<Mine>> = const { RefCell::new(Vec::new()) };
    static DOING: Cell<Doing> = const { Cell::new(Doing::NOTHING) };
}

impl Seat {
    fn later(&self) -> MutexGuard<'_, Vec<Later>> {
        self.later.lock()
    }

    /// Starts the run of a port. The result must be given to [`leave`](Self::leave): a run may be nested in that of
    /// an async handler that calls.
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

    /// Starts the next message of the running port.
    #[inline]
    pub(crate) fn next_message(&self, handler: u32) {
        self.handler.store(handler, Ordering::Relaxed);
        let beat = self.beat.load(Ordering::Relaxed);
        self.beat.store(beat + 2, Ordering::Release);
    }

    /// Marks the seat as that of a thread for blocking ports, or of a worker.
    pub(super) fn set_blocking(&self, blocking: bool) {
        self.blocking.store(blocking, Ordering::Relaxed);
    }

    pub(super) fn is_blocking(&self) -> bool {
        self.blocking.load(Ordering::Relaxed)
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

    /// Wakes the tasks that were to be woken later.
    pub(super) fn wake_later(&self) {
        let later = std::mem::take(&mut *self.later());
        for later in later {
            match later {
                Later::Writer(writer) => writer.wake_gathered(),
                Later::Caller(waker) => guard::wake(waker),
            }
        }
    }
}

/// The run of a seat before a nested one.
#[must_use]
pub(crate) struct Before {
    port: u64,
    running: u64,
}

/// This thread's seat at a scheduler. If it has none, a seat is made and `made` is called with it.
#[inline]
pub(super) fn own(scheduler: usize, made: impl FnOnce(&Arc<Seat>)) -> Option<Mine> {
    OWN.try_with(|own| {
        let mut own = own.borrow_mut();
        match own.first() {
            Some(first) if first.scheduler == scheduler => first.clone(),
            _ => find(&mut own, scheduler, made),
        }
    })
    .ok()
}

/// Calls a function with this thread's seat at a scheduler, if that is the one it has used last.
#[inline]
pub(super) fn with<R>(scheduler: usize, call: impl FnOnce(&Seat) -> R) -> Option<R> {
    let with = OWN.try_with(|own| {
        let own = own.try_borrow().ok()?;
        let seat = own.first().filter(|seat| seat.scheduler == scheduler)?;
        Some(call(seat))
    });
    with.ok().flatten()
}

#[cold]
fn find(own: &mut Vec<Mine>, scheduler: usize, made: impl FnOnce(&Arc<Seat>)) -> Mine {
    match own.iter().position(|own| own.scheduler == scheduler) {
        Some(at) => own[..=at].rotate_right(1),
        None => {
            let new = Mine::new(scheduler);
            made(&new);
            own.truncate(SEATS - 1);
            own.insert(0, new);
        }
    }
    own[0].clone()
}

impl Mine {
    fn new(scheduler: usize) -> Self {
        let deque = Worker::new_fifo();
        let seat = Arc::new(Seat {
            scheduler,
            stealer: deque.stealer(),
            beat: AtomicU64::new(0),
            port: AtomicU64::new(0),
            handler: AtomicU32::new(0),
            blocking: AtomicBool::new(false),
            later: Lock::default(),
            thread: fs::read_link("/proc/thread-self").ok(),
            seen: Lock::default(),
            tallies: Tallies::default(),
        });
        Self(Rc::new(Own { deque, seat }))
    }
}

/// Sets the thread's occupation, and returns the previous one.
#[inline]
pub(super) fn set_doing(doing: Doing) -> Doing {
    DOING.replace(doing)
}

/// As [`set_doing`], to return to a previous occupation. Its seat becomes the first again.
pub(super) fn resume(before: Doing) {
    DOING.set(before);
    if before.scheduler != 0 {
        OWN.with_borrow_mut(|own| {
            let seat = own.iter().position(|own| own.scheduler == before.scheduler);
            if let Some(at) = seat {
                own[..=at].rotate_right(1);
            }
        });
    }
}

/// The thread's occupation; `NOTHING` if the thread is about to end.
#[inline]
pub(super) fn doing() -> Doing {
    DOING.try_with(Cell::get).unwrap_or(Doing::NOTHING)
}

/// The address of the scheduler whose ports this thread is running; 0 if there is none.
#[inline]
pub(super) fn active() -> usize {
    doing().scheduler
}

/// True if this thread delivers packets of a connection.
#[cfg(feature = "trace")]
pub(super) fn is_delivering() -> bool {
    doing().delivering
}

/// Sets whether the running port probably returns soon, and returns the previous setting.
#[inline]
pub(super) fn set_quick(quick: bool) -> bool {
    let doing = DOING.get();
    DOING.set(Doing { quick, ..doing });
    doing.quick
}

/// Records that this thread polls an async handler on a separate task, and whether that probably returns soon.
/// Returns the previous occupation.
pub(super) fn set_handling(quick: bool) -> Doing {
    let doing = DOING.get();
    let handling = true;
    DOING.replace(Doing {
        handling,
        quick,
        ..doing
    })
}

/// True if this thread gets to the ports at its seat soon: the running port is quick, and fewer than `few` others wait.
pub(super) fn is_quick(few: usize) -> bool {
    DOING.get().quick && OWN.with_borrow(|own| own[0].0.deque.len() < few)
}

/// Puts a port into the deque of the current seat. The thread must be active.
#[inline]
pub(super) fn push(work: Work) {
    OWN.with_borrow(|own| own[0].push(work));
}

/// Wakes a task, such as that of a caller. tokio keeps the task that a worker's task has woken last for that worker.
/// So if the present handler may take long, the woken task is pushed out of this slot.
pub(crate) fn wake(waker: Waker) {
    let doing = doing();
    if doing.delivering {
        return wake_later(doing, Later::Caller(waker));
    }
    guard::wake(waker);
    if doing.is_in_handler() && !doing.quick {
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

/// Wakes a connection's writer; within a handler, after the handler has returned.
pub(crate) fn wake_writer(writer: &Arc<Writer>) {
    let doing = doing();
    if !doing.is_in_handler() {
        return writer.wake();
    }
    if OWN.with_borrow(|own| own[0].blocking.load(Ordering::Relaxed)) {
        // This thread is not a worker, so a worker runs the woken task.
        return writer.wake();
    }
    wake_later(doing, Later::Writer(Arc::clone(writer)));
}

fn wake_later(doing: Doing, later: Later) {
    OWN.with_borrow(|own| own[0].later().push(later));
    DOING.set(Doing {
        later: true,
        ..doing
    });
}

/// True if there are tasks to wake. Resets the mark.
#[inline]
fn take_later() -> bool {
    let doing = DOING.get();
    if doing.later {
        DOING.set(Doing {
            later: false,
            ..doing
        });
    }
    doing.later
}

/// Wakes the tasks that an async handler has recorded. Another node's seat may have become the first one since.
pub(super) fn after_async_handler() {
    if take_later() {
        let seats: Vec<_> = OWN.with_borrow(|own| own.iter().map(|own| Arc::clone(own)).collect());
        seats.iter().for_each(|seat| seat.wake_later());
    }
}

/// Wakes the tasks that a handler has recorded, after it has returned.
#[inline]
pub(super) fn after_handlers(seat: &Seat) {
    if take_later() {
        seat.wake_later();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_runs_something_from_entering_to_leaving() {
        let seat = Mine::new(1);
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
