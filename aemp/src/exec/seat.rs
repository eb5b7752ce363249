//! A thread's seat at a node: the ports to run next, which idle workers may steal, and the current message, which the
//! watch sees.
//!
//! The seat also collects the tasks to wake *later*, all at once: writers of connections, when a port's turn ends, and
//! callers whose answers a connection has read. The watch wakes them if the turn takes long.

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
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{scheduler::Work, watch, writer::Writer};
use crate::guard;

/// How many nodes a thread has seats at; the one that it has not used for longest goes first.
const SEATS: usize = 8;

/// The number of a connection that delivers; no port has it.
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
    /// Tasks that are woken when a handler returns, or a connection has delivered its packets; or by the watch, if
    /// that takes long.
    later: Mutex<Vec<Later>>,
    /// The thread in the system's eyes, where that can be found out.
    pub(super) thread: Option<PathBuf>,
    /// What the watch has seen. Nobody else looks at it.
    pub(super) seen: Mutex<watch::Seen>,
}

/// A task that is not woken at once.
enum Later {
    /// A connection that has something to write since a handler has sent it: what a worker's task wakes is run by
    /// that worker, and so behind the handler.
    Writer(Arc<Writer>),
    /// The task of a caller whose answer a connection has read. Each that is woken by itself may wake another worker,
    /// which is a call of the system.
    Caller(Waker),
}

/// What a seat runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) beat: u64,
    pub(super) port: u64,
    pub(super) handler: u32,
    pub(super) blocking: bool,
}

/// A thread's own seat. It is counted apart, because each run of a port takes one, and should not pay for what
/// threads share.
#[derive(Clone)]
pub(crate) struct Mine(Rc<Own>);

/// The thread's own part of it.
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

    /// Takes work from another's seat into one's own, and one of it to be run now.
    pub(super) fn steal_from(&self, other: &Seat) -> Option<Work> {
        loop {
            let stolen = other.stealer.steal_batch_and_pop(&self.0.deque);
            if !stolen.is_retry() {
                return stolen.success();
            }
        }
    }
}

/// The occupation of a thread, as far as it is of concern to ports.
#[derive(Clone, Copy)]
pub(super) struct Doing {
    /// The scheduler, by its address, whose ports it is running; 0: none. What they make ready goes to its seat.
    scheduler: usize,
    /// True if it delivers what a connection has read.
    delivering: bool,
    /// True if it polls an async handler on a task of its own.
    handling: bool,
    /// True if the port that it runs is likely to return soon.
    quick: bool,
    /// True if there is anything in [`Seat::later`].
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

    /// It runs ports; between them nothing takes long.
    pub(super) fn ports_of(scheduler: usize) -> Self {
        Self {
            scheduler,
            delivering: false,
            handling: false,
            quick: true,
            later: false,
        }
    }

    /// It delivers to ports.
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
    /// The thread's seats, the last used first.
    static OWN: RefCell<Vec<Mine>> = const { RefCell::new(Vec::new()) };
    static DOING: Cell<Doing> = const { Cell::new(Doing::NOTHING) };
}

impl Seat {
    fn later(&self) -> MutexGuard<'_, Vec<Later>> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A port begins to be run. The result is to be given to [`leave`](Self::leave): a run may be within another, of
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

    /// The port that is being run begins with another message.
    #[inline]
    pub(crate) fn next_message(&self, handler: u32) {
        self.handler.store(handler, Ordering::Relaxed);
        let beat = self.beat.load(Ordering::Relaxed);
        self.beat.store(beat + 2, Ordering::Release);
    }

    /// Marks it as that of a thread for ports that block, or of a worker again.
    pub(super) fn set_blocking(&self, blocking: bool) {
        self.blocking.store(blocking, Ordering::Relaxed);
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

    /// Wakes what was to be woken later.
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

/// What a seat was running before.
#[must_use]
pub(crate) struct Before {
    port: u64,
    running: u64,
}

/// The seat of this thread at a scheduler, made if it has none; `made` is told of a new one.
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
            later: Mutex::default(),
            thread: fs::read_link("/proc/thread-self").ok(),
            seen: Mutex::default(),
        });
        Self(Rc::new(Own { deque, seat }))
    }
}

/// From now on the thread does something else; what it did before.
#[inline]
pub(super) fn set_doing(doing: Doing) -> Doing {
    DOING.replace(doing)
}

/// As [`set_doing`], back to what it did before: the seat that was in use then comes first again.
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

/// The thread's occupation; nothing, when it is about to end.
#[inline]
pub(super) fn doing() -> Doing {
    DOING.try_with(Cell::get).unwrap_or(Doing::NOTHING)
}

/// Which scheduler's ports this thread is running; 0: none.
#[inline]
pub(super) fn active() -> usize {
    doing().scheduler
}

/// Notes whether the port that is run now is likely to return soon; what was noted before.
#[inline]
pub(super) fn set_quick(quick: bool) -> bool {
    let doing = DOING.get();
    DOING.set(Doing { quick, ..doing });
    doing.quick
}

/// Notes whether this thread polls an async handler on a task of its own, and whether that is likely to return soon;
/// what it did before.
pub(super) fn set_handling(quick: bool) -> Doing {
    let doing = DOING.get();
    let handling = true;
    DOING.replace(Doing {
        handling,
        quick,
        ..doing
    })
}

/// True if this thread gets to what waits at its seat soon: the port that it runs is quick, and fewer than so many
/// others wait.
pub(super) fn is_quick(few: usize) -> bool {
    DOING.get().quick && OWN.with_borrow(|own| own[0].0.deque.len() < few)
}

/// Puts work into the deque of the seat that is in use. To be called while this thread is active.
#[inline]
pub(super) fn push(work: Work) {
    OWN.with_borrow(|own| own[0].push(work));
}

/// Wakes a task: that of a caller, for example. A worker is the only one to run what its task has woken last, and if
/// that goes on for long, because it is a handler that is not known to be quick, the woken one waits for it. So it is
/// pushed from that place.
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

/// Wakes a connection's writer; within a handler, when that has returned.
pub(crate) fn wake_writer(writer: &Arc<Writer>) {
    let doing = doing();
    if !doing.is_in_handler() {
        return writer.wake();
    }
    if OWN.with_borrow(|own| own[0].blocking.load(Ordering::Relaxed)) {
        // Not a worker: what is woken here is run by one.
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

/// True if there is something to wake; from now on there is not.
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

/// What an async handler has sent goes its way. Another node's seat may have come first since.
pub(super) fn after_async_handler() {
    if take_later() {
        let seats: Vec<_> = OWN.with_borrow(|own| own.iter().map(|own| Arc::clone(own)).collect());
        seats.iter().for_each(|seat| seat.wake_later());
    }
}

/// What a handler has sent goes its way: the handler has returned.
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
