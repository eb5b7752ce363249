//! The stall detector: one thread of the process that notices handlers that do not return.
//!
//! A task of the runtime could not do this, because a blocking handler may occupy the worker that would run the task.
//! The stall detector looks at every seat each two milliseconds while anything runs, and sleeps otherwise. A seat whose
//! message has not changed since the last look is *stuck*. Then another drainer takes its place, the messages that its
//! handler has sent go out, and an idle worker is woken, because the stuck worker may be the one that waited for
//! sockets and timers. The port is judged slow if the thread sleeps or has used processor time (`/proc`), but not if
//! the system has kept it from running. After a second without any free worker the stall detector logs the ports and
//! handlers.

use std::{
    fmt::Write as _,
    fs,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use super::{
    scheduler::Scheduler,
    seat::{self, Running, Seat, Seen},
};
use crate::{Node, WeakNode, guard, lock::Lock};

/// The time between two looks.
const TICK: Duration = Duration::from_millis(2);
/// The number of looks without a running port after which the stall detector goes to sleep.
const IDLE: u32 = 50;
/// The number of looks after which the runtime is reminded of its sockets and timers, while a handler is stuck.
const REMIND: u32 = 4;
/// The time for which all workers must be blocked before that is logged.
const BLOCKED: Duration = Duration::from_secs(1);
/// The processor time within a stuck message that marks its handler as slow. With less, the system has probably kept
/// the thread from running.
const WORKED: Duration = Duration::from_micros(500);

static DETECTOR: OnceLock<Detector> = OnceLock::new();
/// True if the stall detector must be woken when a port begins to run.
static ASLEEP: AtomicBool = AtomicBool::new(true);

struct Detector {
    observed: Lock<Vec<Observed>>,
    thread: OnceLock<Thread>,
}

/// The observed state of one node.
struct Observed {
    scheduler: Scheduler,
    node: WeakNode,
    /// True if the runtime has run its last probe, and the time of that probe.
    probe: Arc<AtomicBool>,
    asked: Option<Instant>,
    logged: bool,
}

/// A handler that does not return.
struct Stuck {
    port: u64,
    handler: u32,
    since: Instant,
}

/// Lets the stall detector observe a node until the node is gone.
pub(super) fn observe(scheduler: Scheduler, node: WeakNode) {
    let detector = DETECTOR.get_or_init(|| Detector {
        observed: Lock::default(),
        thread: OnceLock::new(),
    });
    let observed = Observed {
        scheduler,
        node,
        probe: Arc::new(AtomicBool::new(true)),
        asked: None,
        logged: false,
    };
    let mut all = detector.observed.lock();
    all.push(observed);
    if detector.thread.get().is_none() {
        let started = thread::Builder::new().name("aemp-watch".into());
        // Without the thread, blocking handlers are not noticed, and everything else works.
        if let Ok(started) = started.spawn(|| detector.run()) {
            let _ = detector.thread.set(started.thread().clone());
        }
    }
}

/// Wakes the stall detector when a port begins to run.
#[inline]
pub(super) fn stir() {
    if ASLEEP.load(Ordering::Relaxed) {
        wake();
    }
}

#[cold]
fn wake() {
    ASLEEP.store(false, Ordering::Relaxed);
    if let Some(thread) = DETECTOR.get().and_then(|detector| detector.thread.get()) {
        thread.unpark();
    }
}

impl Detector {
    fn run(&self) {
        let mut idle = 0;
        loop {
            // A failure ends only this look.
            let busy = guard::run(|| {
                let mut all = self.observed.lock();
                all.retain(|one| one.node.is_alive());
                all.iter_mut()
                    .fold(false, |busy, one| one.check_seats() | busy)
            });
            let busy = busy.unwrap_or(true);
            idle = if busy { 0 } else { idle + 1 };
            if idle < IDLE {
                thread::sleep(TICK);
            } else if idle == IDLE {
                // One more look afterwards, for threads that have not seen the mark in time.
                ASLEEP.store(true, Ordering::Relaxed);
                thread::sleep(TICK);
            } else {
                while ASLEEP.load(Ordering::Relaxed) {
                    thread::park();
                }
                idle = 0;
            }
        }
    }
}

impl Observed {
    /// Looks at all seats. Returns true if any of them is running something.
    fn check_seats(&mut self) -> bool {
        let now = Instant::now();
        let (mut busy, mut stuck) = (false, Vec::new());
        for seat in self.scheduler.seats() {
            seat.wake_later();
            let Some(running) = seat.running() else {
                continue;
            };
            busy = true;
            if let Some(found) = self.check_seat(&seat, running, now) {
                stuck.push(found);
            }
        }
        busy |= self.scheduler.report_stuck(stuck.len());
        if stuck.is_empty() {
            (self.asked, self.logged) = (None, false);
        } else {
            self.probe(now);
            self.log_blocked(now, &stuck);
        }
        busy
    }

    /// Checks whether the seat's handler is stuck.
    fn check_seat(&self, seat: &Seat, running: Running, now: Instant) -> Option<Stuck> {
        let mut seen = seat.seen.lock();
        if seen.running != Some(running) {
            *seen = Seen {
                running: Some(running),
                since: Some(now),
                ..Seen::default()
            };
            return None;
        }
        seen.looks += 1;
        if seen.looks == 1 {
            seen.worked = seat.worked();
        }
        if running.blocking {
            return None;
        }
        if seen.looks > 1 && !seen.judged && (seat.is_waiting() || seat.has_worked(seen.worked)) {
            seen.judged = true;
            self.judge(running);
        }
        if seen.looks % REMIND == 1 {
            // The worker that waited for sockets and timers may be the stuck one. This task wakes an idle worker,
            // which then does so.
            self.scheduler.runtime().spawn(async {});
        }
        Some(Stuck {
            port: running.port,
            handler: running.handler,
            since: seen.since.unwrap_or(now),
        })
    }

    /// Marks the port as slow, so that it no longer runs on other tasks.
    fn judge(&self, running: Running) {
        let Some(node) = self.node.upgrade() else {
            return;
        };
        let port = node.port_by_number(running.port);
        if let Some(port) = &port {
            self.scheduler.past().was_slow();
            port.pace().slow();
            port.record().slow(running.handler);
        }
        let_go((node, port));
    }

    /// Finds out whether the runtime has a free worker.
    fn probe(&mut self, now: Instant) {
        if self.probe.load(Ordering::Relaxed) {
            self.asked = Some(now);
            let probe = Arc::clone(&self.probe);
            probe.store(false, Ordering::Relaxed);
            self.scheduler.runtime().spawn(async move {
                probe.store(true, Ordering::Relaxed);
            });
        }
    }

    fn log_blocked(&mut self, now: Instant, stuck: &[Stuck]) {
        let unanswered = self.asked.is_some_and(|asked| now - asked >= BLOCKED);
        if self.logged || !unanswered || self.probe.load(Ordering::Relaxed) {
            return;
        }
        self.logged = true;
        let Some(node) = self.node.upgrade() else {
            return;
        };
        let mut text = String::from("every worker of the runtime is blocked, by ");
        for (nth, one) in stuck.iter().enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}{}", one.describe(&node, now));
        }
        text.push_str(": use `spawn_blocking`, or declare the port with `#[port(blocking)]`");
        // Subscribers are user code. A slow one must not delay the stall detector.
        let log = move || {
            crate::log::error!("{text}");
            guard::discard(node);
        };
        let _ = thread::Builder::new().spawn(log);
    }
}

/// Drops a value on another thread: it may be the last reference to a node, with all values of the user in it.
fn let_go<T: Send + 'static>(held: T) {
    let _ = thread::Builder::new().spawn(move || guard::discard(held));
}

impl Stuck {
    fn describe(&self, node: &Node, now: Instant) -> String {
        let took = (now - self.since).as_secs_f64();
        if self.port == seat::NO_PORT {
            return format!("the decoding of a message, for {took:.1} s");
        }
        match node.port_by_number(self.port) {
            Some(port) => {
                let (handler, kind) = (port.handler_name(self.handler), port.type_name());
                format!("`{handler}` of {} ({kind}) for {took:.1} s", port.port_id())
            }
            None => format!("a port that is dying, for {took:.1} s"),
        }
    }
}

impl Seat {
    /// True if the thread sleeps or is blocked. Where the system does not report it, true.
    fn is_waiting(&self) -> bool {
        let state = self.read("stat").and_then(|stat| {
            // The name before the parenthesis may contain any characters.
            let behind = stat.rsplit(')').next()?.trim_start();
            behind.chars().next()
        });
        state.is_none_or(|state| state != 'R')
    }

    /// The processor time of the thread.
    fn worked(&self) -> Option<Duration> {
        let text = self.read("schedstat")?;
        let nanoseconds = text.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    }

    fn has_worked(&self, since: Option<Duration>) -> bool {
        match (since, self.worked()) {
            (Some(since), Some(now)) => now.saturating_sub(since) >= WORKED,
            _ => true,
        }
    }

    fn read(&self, file: &str) -> Option<String> {
        let thread = self.thread.as_ref()?;
        fs::read_to_string(std::path::Path::new("/proc").join(thread).join(file)).ok()
    }
}
