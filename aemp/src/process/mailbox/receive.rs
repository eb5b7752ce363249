//! Receives: they take messages out of the mailbox, or wait.

use std::{
    mem,
    task::{Context, Poll, Waker},
};

use aemp_codec::Value;

use super::{Inner, Mailbox, Place, Tags, Waiter};
use crate::{
    exec::seat,
    message::Origin,
    process::parked::{Letter, Parked, Wanted},
};

/// A receive, from its first poll to its end.
pub(in crate::process) struct Receive<'a> {
    mailbox: &'a Mailbox,
    /// Its number among the waiting receives.
    waiting: Option<u64>,
    /// Messages with lower numbers were refused.
    seen: u64,
    /// False if it must find a message now or not at all.
    pub(in crate::process) may_wait: bool,
}

/// The messages of a mailbox, while a receive looks at them. They are put back when this is dropped.
struct Loan<'a> {
    mailbox: &'a Mailbox,
    parked: Parked,
    /// The origin of the message that the receive has taken.
    origin: Option<Option<Origin>>,
}

impl<'a> Receive<'a> {
    pub(in crate::process) fn new(mailbox: &'a Mailbox) -> Self {
        Self {
            mailbox,
            waiting: None,
            seen: 0,
            may_wait: true,
        }
    }

    /// Takes the first wanted message.
    pub(in crate::process) fn poll(
        &mut self,
        wanted: Wanted<'_>,
        task: &mut Context<'_>,
    ) -> Poll<Vec<Value>> {
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
            self.mailbox.enter_span(letter.span);
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
    pub(in crate::process) fn poll_judged<K>(
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
            if let Some((kept, letter)) = taken {
                self.mailbox.enter_span(letter.span);
                self.mailbox.has_taken();
                let unused = self.leave(&mut self.mailbox.lock());
                drop(unused);
                return Poll::Ready((kept, letter.message));
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
    ) -> Option<(K, Letter)> {
        while let Some(number) = self.parked.find(wanted, *seen) {
            *seen = number + 1;
            let kept = self.parked.get(number).and_then(|message| judge(message));
            if let Some(kept) = kept
                && let Some(mut letter) = self.parked.take(number)
            {
                self.origin = Some(letter.origin.take());
                return Some((kept, letter));
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
