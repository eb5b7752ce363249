//! The number of messages that may be sent to each port of another node without waiting.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::port::credit::GOOD_FOR;
use aemp_proto::peer::ConnId;

/// The number of ports below which unused ones are not searched for.
const FEW: usize = 64;
/// The greatest credit of a port, even if the node grants more.
const MOST: usize = 1 << 20;

/// A request for room in a port. The token distinguishes it from earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) conn: ConnId,
    pub(crate) token: u64,
}

/// The state of a port for its senders.
#[derive(Debug)]
pub(super) enum Balance {
    /// It is not known whether the node gives credit, or the node is not connected.
    Unknown,
    /// The node gives no credit, so there is nothing to wait for.
    None,
    /// Each message needs a permit.
    Counted(Arc<Semaphore>),
    /// Any number of messages, as of this tick.
    Open(u64),
}

/// The result of an answer.
pub(super) enum Granted {
    /// This number of permits is to be added to the semaphore.
    Counted(Arc<Semaphore>, usize),
    /// Any number of messages. The caller must close the semaphore, to wake waiting senders, and must start the calls of
    /// [`Table::tick`] if they have stopped.
    Open {
        closed: Option<Arc<Semaphore>>,
        begins: bool,
    },
}

#[derive(Default)]
pub(super) struct Table {
    grants: Grants,
    /// The ports with recent activity.
    ports: HashMap<Box<str>, PortCredit>,
    /// The number of ports at which unused ones are searched for.
    many: usize,
    last_token: u64,
    ticks: Ticks,
}

/// The time for ports without a bound, because reading a clock is too slow for every message. A grant without a
/// number is valid for the tick in which it arrived, and renewed in the next one. The ticks stop while there are no
/// such grants. A new connection counts as a tick.
struct Ticks {
    /// Shared with senders, which compare it with their last report without a lock.
    now: Arc<AtomicU64>,
    last_grant: u64,
    is_ticking: bool,
}

impl Default for Ticks {
    fn default() -> Self {
        Self {
            // A sender without a report has tick 0.
            now: Arc::new(AtomicU64::new(2)),
            last_grant: 0,
            is_ticking: false,
        }
    }
}

impl Ticks {
    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn since(&self, tick: u64) -> u64 {
        self.now() - tick
    }

    fn skip(&self, ticks: u64) {
        self.now.fetch_add(ticks, Ordering::Relaxed);
    }
}

#[derive(Default, PartialEq)]
enum Grants {
    #[default]
    Unknown,
    /// The node of this connection gives no credit.
    Without(ConnId),
    With(ConnId),
}

struct PortCredit {
    terms: Terms,
    asked: Asked,
}

enum Terms {
    Counted(Counted),
    /// The port has no bound, as of this tick.
    Open(u64),
}

struct Counted {
    credit: Arc<Semaphore>,
    /// The unused permits: those of the semaphore, and those that senders hold.
    left: usize,
    /// The last grant.
    window: usize,
    /// The times at which half of the grant's validity is over, and all of it.
    times: Option<[Instant; 2]>,
}

enum Asked {
    No,
    /// A request is out. `since` messages were sent after it, and the answer does not take them into account.
    Yes {
        token: u64,
        since: usize,
    },
}

impl Counted {
    fn new() -> Self {
        Self {
            credit: Arc::new(Semaphore::new(0)),
            left: 0,
            window: 0,
            times: None,
        }
    }

    fn is_past(&self, time: usize, now: Instant) -> bool {
        self.times.is_none_or(|times| now >= times[time])
    }

    /// Removes permits, except those that senders hold.
    fn take_back(&mut self, permits: usize) {
        self.left -= self.credit.forget_permits(permits.min(self.left));
    }

    /// Takes a grant of `messages`, of which `since` were sent after the request. Returns the number of permits to add.
    fn granted(&mut self, messages: u64, since: usize, now: Instant) -> usize {
        self.window = usize::try_from(messages).map_or(MOST, |messages| messages.min(MOST));
        self.times = Some([now + GOOD_FOR / 2, now + GOOD_FOR]);
        let left = self.window.saturating_sub(since);
        self.take_back(self.left.saturating_sub(left));
        let more = left.saturating_sub(self.left);
        self.left += more;
        more
    }
}

impl PortCredit {
    fn new() -> Self {
        Self {
            terms: Terms::Counted(Counted::new()),
            asked: Asked::No,
        }
    }

    fn is_asked(&self) -> bool {
        matches!(self.asked, Asked::Yes { .. })
    }

    /// Makes the port counted, if it was not.
    fn counted(&mut self) -> &mut Counted {
        if let Terms::Open(_) = self.terms {
            self.terms = Terms::Counted(Counted::new());
        }
        match &mut self.terms {
            Terms::Counted(counted) => counted,
            Terms::Open(_) => unreachable!("it has just been replaced"),
        }
    }

    /// True if no sender waits and nothing useful is left.
    fn is_idle(&self, now: Instant, ticks: &Ticks) -> bool {
        let is_over = match &self.terms {
            Terms::Counted(counted) => {
                Arc::strong_count(&counted.credit) == 1 && counted.is_past(1, now)
            }
            Terms::Open(tick) => ticks.since(*tick) > 1,
        };
        is_over && !self.is_asked()
    }
}

impl Table {
    /// The ticks, for senders.
    pub(super) fn ticks(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.ticks.now)
    }

    /// Starts a connection. Returns the semaphores to close.
    #[must_use]
    pub(super) fn begin(&mut self, conn: ConnId, gives: bool) -> Vec<Arc<Semaphore>> {
        self.grants = if gives {
            Grants::With(conn)
        } else {
            Grants::Without(conn)
        };
        self.clear()
    }

    /// Ends a connection, unless there is another by now. Returns the semaphores to close.
    #[must_use]
    pub(super) fn end(&mut self, conn: ConnId) -> Vec<Arc<Semaphore>> {
        match self.grants {
            Grants::With(at_work) | Grants::Without(at_work) if at_work == conn => self.close(),
            _ => Vec::new(),
        }
    }

    #[must_use]
    pub(super) fn close(&mut self) -> Vec<Arc<Semaphore>> {
        self.grants = Grants::Unknown;
        self.clear()
    }

    fn clear(&mut self) -> Vec<Arc<Semaphore>> {
        self.ticks.skip(2);
        let ports = std::mem::take(&mut self.ports);
        let counted = ports.into_values().filter_map(|port| match port.terms {
            Terms::Counted(counted) => Some(counted.credit),
            Terms::Open(_) => None,
        });
        counted.collect()
    }

    pub(super) fn is_known(&self) -> bool {
        self.grants != Grants::Unknown
    }

    /// The state of a port for a sender, and the request that the caller must send, with the number of messages that
    /// are left.
    pub(super) fn account(&mut self, name: &str, now: Instant) -> (Balance, Option<(Ask, usize)>) {
        match self.grants {
            Grants::Unknown => return (Balance::Unknown, None),
            Grants::Without(_) => return (Balance::None, None),
            Grants::With(_) => {}
        }
        if !self.ports.contains_key(name) {
            self.forget_idle(now);
            self.ports.insert(name.into(), PortCredit::new());
        }
        let Some(port) = self.ports.get_mut(name) else {
            return (Balance::None, None);
        };
        if let Terms::Open(tick) = port.terms {
            let age = self.ticks.since(tick);
            if age <= 1 {
                return (Balance::Open(tick), self.ask_if(name, age > 0));
            }
        }
        let counted = port.counted();
        if counted.is_past(1, now) {
            counted.take_back(counted.left);
        }
        let credit = Arc::clone(&counted.credit);
        let wanted = credit.available_permits() == 0;
        (Balance::Counted(credit), self.ask_if(name, wanted))
    }

    /// Records that a message has been sent. Returns the request to send, if any.
    pub(super) fn spent(
        &mut self,
        name: &str,
        leave: OwnedSemaphorePermit,
        now: Instant,
    ) -> Option<(Ask, usize)> {
        let port = self.ports.get_mut(name)?;
        let Terms::Counted(counted) = &mut port.terms else {
            return None;
        };
        if !Arc::ptr_eq(&counted.credit, leave.semaphore()) {
            return None;
        }
        leave.forget();
        counted.left = counted.left.saturating_sub(1);
        if let Asked::Yes { since, .. } = &mut port.asked {
            *since += 1;
        }
        // Early enough that a steady stream does not stop.
        let wanted = counted.left <= counted.window / 2 || counted.is_past(0, now);
        self.ask_if(name, wanted)
    }

    /// Takes an answer, which counts from its request.
    pub(super) fn granted(
        &mut self,
        name: &str,
        ask: Ask,
        messages: Option<u64>,
        now: Instant,
    ) -> Option<Granted> {
        let port = self.ports.get_mut(name)?;
        let since = match port.asked {
            Asked::Yes { token, since } if token == ask.token => since,
            _ => return None,
        };
        if self.grants != Grants::With(ask.conn) {
            return None;
        }
        port.asked = Asked::No;
        let Some(messages) = messages else {
            return Some(self.opened(name));
        };
        let counted = port.counted();
        let more = counted.granted(messages, since, now);
        Some(Granted::Counted(Arc::clone(&counted.credit), more))
    }

    fn opened(&mut self, name: &str) -> Granted {
        let now = self.ticks.now();
        let open = Terms::Open(now);
        let port = self.ports.get_mut(name);
        let before = port.map(|port| std::mem::replace(&mut port.terms, open));
        let closed = match before {
            Some(Terms::Counted(counted)) => Some(counted.credit),
            _ => None,
        };
        self.ticks.last_grant = now;
        let begins = !std::mem::replace(&mut self.ticks.is_ticking, true);
        Granted::Open { closed, begins }
    }

    /// Advances the tick, when half of [`GOOD_FOR`] is over. Returns true if another tick is needed.
    pub(super) fn tick(&mut self) -> bool {
        self.ticks.skip(1);
        self.ticks.is_ticking = self.ticks.since(self.ticks.last_grant) < 2;
        self.ticks.is_ticking
    }

    /// The request for senders that still wait, if an answer has left them nothing.
    pub(super) fn ask_again(&mut self, name: &str) -> Option<(Ask, usize)> {
        let wanted = match &self.ports.get(name)?.terms {
            Terms::Counted(counted) => counted.left == 0 && Arc::strong_count(&counted.credit) > 1,
            Terms::Open(_) => false,
        };
        self.ask_if(name, wanted)
    }

    fn ask_if(&mut self, name: &str, wanted: bool) -> Option<(Ask, usize)> {
        let Grants::With(conn) = self.grants else {
            return None;
        };
        let port = self.ports.get_mut(name)?;
        if !wanted || port.is_asked() {
            return None;
        }
        self.last_token += 1;
        let (token, since) = (self.last_token, 0);
        port.asked = Asked::Yes { token, since };
        let left = match &port.terms {
            Terms::Counted(counted) => counted.left,
            Terms::Open(_) => 0,
        };
        Some((Ask { conn, token }, left))
    }

    fn forget_idle(&mut self, now: Instant) {
        if self.ports.len() < self.many.max(FEW) {
            return;
        }
        self.ports.retain(|_, port| !port.is_idle(now, &self.ticks));
        self.many = 2 * self.ports.len();
    }
}

#[cfg(test)]
mod tests;
