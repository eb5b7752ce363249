//! The mailbox of a process: messages that wait, and receives that wait.
//!
//! Its lock is held for bookkeeping only. Predicates of the user run on messages that are *lent* to the receive: all of
//! them are taken out of the mailbox, and put back when the receive has looked at them, also if a predicate panics.
//! What comes meanwhile is kept beside. Another receive that comes meanwhile, from another task, waits until they are
//! back.
//!
//! A message is removed in the same step in which a receive becomes ready. So a receive that is dropped has taken
//! nothing.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use aemp_codec::Value;
use tokio::sync::Notify;

use super::{
    body::Ticket,
    parked::{Letter, Parked, Wanted, tag},
};
use crate::{Cx, Reason, exec::seat, guard, message::Origin};

/// The number of messages that a process receives in one poll, before other ports have their turn.
const BATCH: u32 = 32;
/// The allowance of receives outside of a poll of the process.
const UNLIMITED: u32 = u32::MAX;

pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    /// The number of messages, which ports read under their own locks.
    len: AtomicUsize,
    /// The greatest number of messages.
    most: usize,
    /// The number of messages that may still be received in the present poll.
    allowance: AtomicU32,
    /// Set if the port has a bound: it reports room to senders.
    room: OnceLock<Arc<Notify>>,
    /// The future that is polled when a message is wanted.
    ticket: OnceLock<Arc<Ticket>>,
}

struct Inner {
    place: Place,
    waiters: Vec<Waiter>,
    next_waiter: u64,
    /// The origin of the message that was received last.
    origin: Option<Origin>,
}

enum Place {
    /// The messages are in the mailbox.
    Here(Parked),
    /// A receive has the messages.
    Lent {
        /// What has come since.
        late: Vec<Letter>,
        /// True if another receive has looked for a message since.
        missed: bool,
    },
    /// There is no receiver any more. What comes is dropped.
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
            }),
            len: AtomicUsize::new(0),
            most,
            allowance: AtomicU32::new(UNLIMITED),
            room: OnceLock::new(),
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
    pub(crate) fn is_bounded(&self, room: &Arc<Notify>) {
        let _ = self.room.set(Arc::clone(room));
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
        match (self.put(Letter { origin, message })?, self.ticket.get()) {
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

    /// Adds a message. Wakes the receives that want it, except those of the process itself: returns whether there are
    /// any.
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
        if let Some(room) = self.room.get() {
            guard::shielded(|| room.notify_waiters());
        }
    }

    /// Drops all messages, and those that will come.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        let place = mem::replace(&mut inner.place, Place::Closed);
        self.len.store(0, Ordering::Relaxed);
        drop(inner);
        drop(place);
    }
}

/// A receive, from its first poll to its end.
pub(super) struct Receive<'a> {
    mailbox: &'a Mailbox,
    /// Its number among the waiting receives.
    waiting: Option<u64>,
    /// Messages with lower numbers were refused.
    seen: u64,
    /// False if it must find a message now or not at all.
    pub(super) may_wait: bool,
}

/// The messages of a mailbox, while a receive looks at them. They are put back when this is dropped.
struct Loan<'a> {
    mailbox: &'a Mailbox,
    parked: Parked,
    /// The origin of the message that the receive has taken.
    origin: Option<Option<Origin>>,
}

impl<'a> Receive<'a> {
    pub(super) fn new(mailbox: &'a Mailbox) -> Self {
        Self {
            mailbox,
            waiting: None,
            seen: 0,
            may_wait: true,
        }
    }

    /// Takes the first wanted message.
    pub(super) fn poll(&mut self, wanted: Wanted<'_>, task: &mut Context<'_>) -> Poll<Vec<Value>> {
        if self.must_pause(task) {
            return Poll::Pending;
        }
        // It is cloned outside of the lock, because a waker is foreign code.
        let waker = task.waker().clone();
        let mut inner = self.mailbox.lock();
        if let Place::Here(parked) = &mut inner.place
            && let Some(number) = parked.find(wanted, 0)
            && let Some(letter) = parked.take(number)
        {
            inner.origin = letter.origin;
            let unused = self.leave(&mut inner);
            drop(inner);
            self.mailbox.has_taken();
            drop((unused, waker));
            return Poll::Ready(letter.message);
        }
        let unused = self.wait(&mut inner, wanted, waker);
        drop(inner);
        drop(unused);
        Poll::Pending
    }

    /// Takes the first wanted message that `judge` accepts. Each message is judged once.
    pub(super) fn poll_judged<K>(
        &mut self,
        wanted: Wanted<'_>,
        judge: &mut impl FnMut(&[Value]) -> Option<K>,
        task: &mut Context<'_>,
    ) -> Poll<(K, Vec<Value>)> {
        if self.must_pause(task) {
            return Poll::Pending;
        }
        while let Some(mut loan) = self.borrow(wanted, task) {
            let taken = loan.judge(wanted, &mut self.seen, judge);
            drop(loan);
            if let Some(taken) = taken {
                self.mailbox.has_taken();
                let unused = self.leave(&mut self.mailbox.lock());
                drop(unused);
                return Poll::Ready(taken);
            }
        }
        Poll::Pending
    }

    /// True if the process has received enough messages in this poll. Then it is polled again soon.
    fn must_pause(&self, task: &Context<'_>) -> bool {
        let must = self.may_wait && self.mailbox.is_spent();
        if must {
            task.waker().wake_by_ref();
        }
        must
    }

    /// Borrows the messages, if a wanted one has not been judged yet. Otherwise the receive waits.
    fn borrow(&mut self, wanted: Wanted<'_>, task: &Context<'_>) -> Option<Loan<'a>> {
        let waker = task.waker().clone();
        let mut inner = self.mailbox.lock();
        if let Place::Here(parked) = &mut inner.place
            && parked.find(wanted, self.seen).is_some()
        {
            let parked = mem::take(parked);
            inner.place = Place::Lent {
                late: Vec::new(),
                missed: false,
            };
            drop(inner);
            drop(waker);
            return Some(Loan {
                mailbox: self.mailbox,
                parked,
                origin: None,
            });
        }
        let unused = self.wait(&mut inner, wanted, waker);
        drop(inner);
        drop(unused);
        None
    }

    /// Waits for wanted messages. Returns a waker to drop outside of the lock.
    fn wait(&mut self, inner: &mut Inner, wanted: Wanted<'_>, waker: Waker) -> Option<Waker> {
        if !self.may_wait {
            return Some(waker);
        }
        if let Place::Lent { missed, .. } = &mut inner.place {
            *missed = true;
        }
        if let Some(number) = self.waiting
            && let Some(waiter) = inner.waiters.iter_mut().find(|own| own.number == number)
        {
            return waiter.waker.replace(waker);
        }
        let number = inner.next_waiter;
        inner.next_waiter += 1;
        self.waiting = Some(number);
        if inner.waiters.capacity() == 0 {
            // Mostly there is one.
            inner.waiters.reserve_exact(1);
        }
        inner.waiters.push(Waiter {
            number,
            wanted: match wanted {
                Wanted::Any => Tags::Any,
                Wanted::Tag(tag) => Tags::One(tag.into()),
                Wanted::OneOf(tags) => Tags::Listed(tags),
            },
            waker: Some(waker),
        });
        None
    }

    /// Waits no longer. Returns a waker to drop outside of the lock.
    fn leave(&mut self, inner: &mut Inner) -> Option<Waker> {
        let number = self.waiting.take()?;
        let at = inner.waiters.iter().position(|own| own.number == number)?;
        inner.waiters.swap_remove(at).waker
    }
}

impl Drop for Receive<'_> {
    fn drop(&mut self) {
        if self.waiting.is_some() {
            let unused = self.leave(&mut self.mailbox.lock());
            drop(unused);
        }
    }
}

impl Loan<'_> {
    /// Judges the wanted messages from `seen` on, and takes the first that is accepted.
    fn judge<K>(
        &mut self,
        wanted: Wanted<'_>,
        seen: &mut u64,
        judge: &mut impl FnMut(&[Value]) -> Option<K>,
    ) -> Option<(K, Vec<Value>)> {
        while let Some(number) = self.parked.find(wanted, *seen) {
            *seen = number + 1;
            let kept = self.parked.get(number).and_then(|message| judge(message));
            if let Some(kept) = kept
                && let Some(letter) = self.parked.take(number)
            {
                self.origin = Some(letter.origin);
                return Some((kept, letter.message));
            }
        }
        None
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut parked = mem::take(&mut self.parked);
        let mut inner = self.mailbox.lock();
        if let Some(origin) = self.origin.take() {
            inner.origin = origin;
        }
        let Place::Lent { late, missed } = &mut inner.place else {
            drop(inner);
            return;
        };
        let missed = *missed;
        late.drain(..).for_each(|letter| parked.push(letter));
        inner.place = Place::Here(parked);
        let wakers: Vec<Waker> = if missed {
            let waiters = inner.waiters.iter_mut();
            waiters.filter_map(|waiter| waiter.waker.take()).collect()
        } else {
            Vec::new()
        };
        drop(inner);
        wakers.into_iter().for_each(seat::wake);
    }
}
