//! The number of messages that may be sent to each port of another node without a wait.

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

/// So many ports are no reason to look for some to forget.
const FEW: usize = 64;
/// However much a node may grant.
const MOST: usize = 1 << 20;

/// A question for room in a port. The token tells it from earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) conn: ConnId,
    pub(crate) token: u64,
}

/// The state of a port as its senders find it.
#[derive(Debug)]
pub(super) enum Account {
    /// It is not known yet whether the node gives credit, or it is not connected.
    Unknown,
    /// The node gives none: there is nothing to wait for.
    None,
    /// A permit for each message.
    Counted(Arc<Semaphore>),
    /// As many as they like, as of that tick.
    Open(u64),
}

/// The result of an answer.
pub(super) enum Granted {
    /// So many permits are to be added to it.
    Counted(Arc<Semaphore>, usize),
    /// Any number of messages may be sent. Those who wait for permits are to be told, by closing that; and somebody
    /// has to call [`Table::tick`] if nobody does.
    Open {
        closed: Option<Arc<Semaphore>>,
        begins: bool,
    },
}

#[derive(Default)]
pub(super) struct Table {
    line: Line,
    /// The ports with which something has gone on lately.
    ports: HashMap<Box<str>, Port>,
    /// How many there may be before some are looked for that are not needed.
    many: usize,
    last_token: u64,
    ticks: Ticks,
}

/// Time as ports without a bound have it, because a clock is too slow for every message: a grant without a number is
/// good for the tick in which it has come, and renewed in the next. Nothing ticks while nothing was granted like
/// that. Another connection counts as well.
struct Ticks {
    /// Shared with senders, who see by it without a lock that what they have been told is news.
    now: Arc<AtomicU64>,
    last_grant: u64,
    is_ticking: bool,
}

impl Default for Ticks {
    fn default() -> Self {
        Self {
            // A sender without any news was told in tick 0.
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
enum Line {
    #[default]
    Unknown,
    /// The node of this connection gives no credit.
    Without(ConnId),
    With(ConnId),
}

struct Port {
    terms: Terms,
    asked: Asked,
}

enum Terms {
    Counted(Counted),
    /// It has no bound, as of that tick.
    Open(u64),
}

struct Counted {
    credit: Arc<Semaphore>,
    /// Permits that have not been used: those in the semaphore, and those that senders hold who are about to send.
    left: usize,
    /// The last grant.
    window: usize,
    /// When half of the time is over that the grant is good for, and all of it.
    times: Option<[Instant; 2]>,
}

enum Asked {
    No,
    /// `since` messages have been sent behind the question: the answer does not know of them.
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

    /// Takes permits back, but for those that senders hold.
    fn take_back(&mut self, permits: usize) {
        self.left -= self.credit.forget_permits(permits.min(self.left));
    }

    /// So many may be sent, and that many have been since the question. How many permits are to be added.
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

impl Port {
    fn new() -> Self {
        Self {
            terms: Terms::Counted(Counted::new()),
            asked: Asked::No,
        }
    }

    fn is_asked(&self) -> bool {
        matches!(self.asked, Asked::Yes { .. })
    }

    /// Counted from now on, if it was not.
    fn counted(&mut self) -> &mut Counted {
        if let Terms::Open(_) = self.terms {
            self.terms = Terms::Counted(Counted::new());
        }
        match &mut self.terms {
            Terms::Counted(counted) => counted,
            Terms::Open(_) => unreachable!("it has just been replaced"),
        }
    }

    /// No sender waits, and there is nothing left that could be of use.
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
    /// Ticks, as senders see them.
    pub(super) fn ticks(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.ticks.now)
    }

    /// A connection is at work. Returns what is to be closed, as all of these do.
    #[must_use]
    pub(super) fn begin(&mut self, conn: ConnId, gives: bool) -> Vec<Arc<Semaphore>> {
        self.line = if gives {
            Line::With(conn)
        } else {
            Line::Without(conn)
        };
        self.clear()
    }

    /// A connection has ended; by now there may be another.
    #[must_use]
    pub(super) fn end(&mut self, conn: ConnId) -> Vec<Arc<Semaphore>> {
        match self.line {
            Line::With(at_work) | Line::Without(at_work) if at_work == conn => self.close(),
            _ => Vec::new(),
        }
    }

    #[must_use]
    pub(super) fn close(&mut self) -> Vec<Arc<Semaphore>> {
        self.line = Line::Unknown;
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
        self.line != Line::Unknown
    }

    /// The state of a port for a sender; and the question that the caller has to ask, with the number of messages
    /// that are left.
    pub(super) fn account(&mut self, name: &str, now: Instant) -> (Account, Option<(Ask, usize)>) {
        match self.line {
            Line::Unknown => return (Account::Unknown, None),
            Line::Without(_) => return (Account::None, None),
            Line::With(_) => {}
        }
        if !self.ports.contains_key(name) {
            self.forget_idle(now);
            self.ports.insert(name.into(), Port::new());
        }
        let Some(port) = self.ports.get_mut(name) else {
            return (Account::None, None);
        };
        if let Terms::Open(tick) = port.terms {
            let age = self.ticks.since(tick);
            if age <= 1 {
                return (Account::Open(tick), self.ask_if(name, age > 0));
            }
        }
        let counted = port.counted();
        if counted.is_past(1, now) {
            counted.take_back(counted.left);
        }
        let credit = Arc::clone(&counted.credit);
        let wanted = credit.available_permits() == 0;
        (Account::Counted(credit), self.ask_if(name, wanted))
    }

    /// A message has been sent.
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
        // Early enough for a steady stream not to stop.
        let wanted = counted.left <= counted.window / 2 || counted.is_past(0, now);
        self.ask_if(name, wanted)
    }

    /// An answer has come. It counts from where it was asked.
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
        if self.line != Line::With(ask.conn) {
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

    /// Half of [`GOOD_FOR`] is over since the last tick. Whether there is to be another.
    pub(super) fn tick(&mut self) -> bool {
        self.ticks.skip(1);
        self.ticks.is_ticking = self.ticks.since(self.ticks.last_grant) < 2;
        self.ticks.is_ticking
    }

    /// The question to ask for senders that wait still, if an answer has left them nothing.
    pub(super) fn ask_again(&mut self, name: &str) -> Option<(Ask, usize)> {
        let wanted = match &self.ports.get(name)?.terms {
            Terms::Counted(counted) => counted.left == 0 && Arc::strong_count(&counted.credit) > 1,
            Terms::Open(_) => false,
        };
        self.ask_if(name, wanted)
    }

    fn ask_if(&mut self, name: &str, wanted: bool) -> Option<(Ask, usize)> {
        let Line::With(conn) = self.line else {
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
