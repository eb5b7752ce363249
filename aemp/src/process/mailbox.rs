//! The mailbox of a process: messages that wait, and receives that wait.
//!
//! Its lock is held for bookkeeping only. Predicates of the user run on messages that are *lent* to the receive: all of
//! them are taken out of the mailbox, and put back when the receive has looked at them, also if a predicate panics.
//! Messages that come meanwhile are kept beside. Another receive that comes meanwhile, from another task, waits until they are
//! back.
//!
//! A message is removed in the same step in which a receive becomes ready. So a receive that is dropped has taken
//! nothing.

mod receive;

use std::{
    cell::Cell,
    mem, ptr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    task::Waker,
};

use aemp_codec::Value;

pub(super) use self::receive::Receive;
use super::{
    body::Ticket,
    parked::{Letter, Parked, Wanted, tag},
};
use crate::{
    Cx, Reason,
    exec::{
        seat,
        spans::{self, Task},
    },
    message::Origin,
    port::line::Line,
};

/// The number of messages that a process receives in one poll, before other ports have their turn.
const BATCH: u32 = 32;
/// The allowance of receives outside of a poll of the process.
const UNLIMITED: u32 = u32::MAX;

thread_local! {
    /// The address of the mailbox whose process this thread polls.
    static POLLED: Cell<usize> = const { Cell::new(0) };
}

/// While this value lives, the thread polls the process of a mailbox.
pub(super) struct Polling(usize);

impl Polling {
    pub(super) fn begin(mailbox: &Mailbox) -> Self {
        Self(POLLED.replace(ptr::from_ref(mailbox).addr()))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        POLLED.set(self.0);
    }
}

pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    /// The number of messages, which ports read under their own locks.
    len: AtomicUsize,
    /// The greatest number of messages.
    most: usize,
    /// The number of messages that may still be received in the present poll.
    allowance: AtomicU32,
    /// Set if the port has a bound: it reports room to senders.
    line: OnceLock<Arc<Line>>,
    /// The future that is polled when a message is wanted.
    ticket: OnceLock<Arc<Ticket>>,
}

struct Inner {
    place: Place,
    waiters: Vec<Waiter>,
    next_waiter: u64,
    /// The origin of the message that was received last.
    origin: Option<Origin>,
    /// The span of the message that was received last, while the process is not being polled.
    span: Task,
}

enum Place {
    /// The messages are in the mailbox.
    Here(Parked),
    /// A receive has the messages.
    Lent {
        /// The messages that have come since.
        late: Vec<Letter>,
        /// True if another receive has looked for a message since.
        missed: bool,
    },
    /// There is no receiver any more. Messages are dropped.
    Closed,
}

/// A receive that waits.
struct Waiter {
    number: u64,
    wanted: Tags,
    /// Taken when the receive is woken.
    waker: Option<Waker>,
}

/// The tags that a waiting receive looks at.
enum Tags {
    Any,
    One(Box<str>),
    Listed(&'static [&'static str]),
}

impl Waiter {
    fn wants(&self, tag: &str) -> bool {
        let wanted = match &self.wanted {
            Tags::Any => Wanted::Any,
            Tags::One(wanted) => Wanted::Tag(wanted),
            Tags::Listed(wanted) => Wanted::OneOf(wanted),
        };
        wanted.takes(tag)
    }
}

impl Mailbox {
    pub(super) fn new(most: usize, origin: Option<Origin>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                place: Place::Here(Parked::default()),
                waiters: Vec::new(),
                next_waiter: 0,
                origin,
                span: Task::default(),
            }),
            len: AtomicUsize::new(0),
            most,
            allowance: AtomicU32::new(UNLIMITED),
            line: OnceLock::new(),
            ticket: OnceLock::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No user code runs under this lock, so a poisoned lock is still consistent.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of messages that wait.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// The port has a bound: senders that wait for room are told when there is some.
    pub(crate) fn is_bounded(&self, line: &Arc<Line>) {
        let _ = self.line.set(Arc::clone(line));
    }

    pub(super) fn belongs_to(&self, ticket: Arc<Ticket>) {
        let _ = self.ticket.set(ticket);
    }

    pub(super) fn origin(&self) -> Option<Origin> {
        self.lock().origin.clone()
    }

    /// Adds a message in the context of the port, and polls the process there if it waits for such a message.
    pub(crate) fn deliver(&self, cx: &mut Cx<'_>, message: Vec<Value>) -> Result<(), Reason> {
        let origin = cx.origin();
        let span = spans::take_over();
        let put = self.put(Letter {
            origin,
            message,
            span,
        });
        let put = put.inspect_err(|_| cx.node().scheduler().past().reached("max_port_queue"))?;
        match (put, self.ticket.get()) {
            (true, Some(ticket)) => ticket.run(cx),
            _ => Ok(()),
        }
    }

    /// Adds a message, outside of the port's context.
    pub(super) fn put_and_wake(&self, letter: Letter) -> Result<(), Reason> {
        if let (true, Some(ticket)) = (self.put(letter)?, self.ticket.get()) {
            ticket.call();
        }
        Ok(())
    }

    /// Adds a message. Wakes the receives that want it, except those of the process itself. Returns true if there are
    /// such.
    ///
    /// # Errors
    ///
    /// The reason to die with, if the mailbox is full.
    fn put(&self, letter: Letter) -> Result<bool, Reason> {
        let mut inner = self.lock();
        let Inner { place, waiters, .. } = &mut *inner;
        if self.len() >= self.most && !matches!(place, Place::Closed) {
            return Err(self.full());
        }
        let tag = tag(&letter.message);
        let mut wanting = waiters.iter_mut().filter(|waiter| waiter.wants(&tag));
        // Mostly there is one.
        let first = wanting.next().and_then(|waiter| waiter.waker.take());
        let others: Vec<Waker> = wanting.filter_map(|waiter| waiter.waker.take()).collect();
        drop(tag);
        match place {
            Place::Here(parked) => parked.push(letter),
            Place::Lent { late, .. } => late.push(letter),
            Place::Closed => return Ok(false),
        }
        self.len.fetch_add(1, Ordering::Relaxed);
        drop(inner);
        let mut own = false;
        for waker in first.into_iter().chain(others) {
            match self.ticket.get() {
                Some(ticket) if ticket.is_of(&waker) => own = true,
                _ => seat::wake(waker),
            }
        }
        Ok(own)
    }

    #[cold]
    fn full(&self) -> Reason {
        let most = self.most;
        Reason::die(format_args!(
            "max_port_queue ({most}) reached: so many messages wait in the mailbox of the process"
        ))
    }

    /// Starts a poll of the process, which may receive a limited number of messages.
    pub(super) fn begin_poll(&self) {
        self.allowance.store(BATCH, Ordering::Relaxed);
    }

    pub(super) fn end_poll(&self) {
        self.allowance.store(UNLIMITED, Ordering::Relaxed);
    }

    /// Takes the span of the message that was received last, for a poll of the process.
    pub(super) fn take_span(&self) -> Task {
        mem::take(&mut self.lock().span)
    }

    /// Keeps the span until the next poll.
    pub(super) fn keep_span(&self, span: Task) {
        // The span before is dropped when the lock is free, because it is foreign code.
        let _before = mem::replace(&mut self.lock().span, span);
    }

    /// A message was received: its span takes the place of the last one's, if the process is being polled by this thread.
    fn enter_span(&self, span: Task) {
        if POLLED.get() == ptr::from_ref(self).addr() {
            spans::adopt(span);
        }
    }

    /// True if the present poll must not receive more messages.
    fn is_spent(&self) -> bool {
        self.allowance.load(Ordering::Relaxed) == 0
    }

    /// Records that a message was removed.
    fn has_taken(&self) {
        self.len.fetch_sub(1, Ordering::Relaxed);
        let allowance = self.allowance.load(Ordering::Relaxed);
        if allowance != UNLIMITED {
            let left = allowance.saturating_sub(1);
            self.allowance.store(left, Ordering::Relaxed);
        }
        if let Some(line) = self.line.get() {
            line.wake();
        }
    }

    /// Drops all messages, and those that will come.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        let place = mem::replace(&mut inner.place, Place::Closed);
        let span = mem::take(&mut inner.span);
        self.len.store(0, Ordering::Relaxed);
        drop(inner);
        drop((place, span));
    }
}
