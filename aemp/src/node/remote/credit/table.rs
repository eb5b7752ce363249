//! Who may send how much to which port of another node, without waiting for anything.

use std::{collections::HashMap, sync::Arc};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{port::credit::GOOD_FOR, proto::peer::ConnId};

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

/// What senders to a port find.
#[derive(Debug)]
pub(super) enum Account {
    /// It is not known yet whether the node gives credit, or it is not connected.
    Unknown,
    /// The node gives none: there is nothing to wait for.
    None,
    /// A permit for each message; and what is to be asked, by whoever gets to know of it, with how much is left.
    Open(Arc<Semaphore>, Option<(Ask, usize)>),
}

/// What an answer has brought.
pub(super) struct Granted {
    pub(super) credit: Arc<Semaphore>,
    /// How many permits are to be added.
    pub(super) more: usize,
}

#[derive(Default)]
pub(super) struct Table {
    line: Line,
    /// The ports with which something has gone on lately.
    ports: HashMap<Box<str>, Port>,
    /// How many there may be before some are looked for that are not needed.
    many: usize,
    last_token: u64,
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
    credit: Arc<Semaphore>,
    /// Permits that have not been used: those in the semaphore, and those that senders hold who are about to send.
    left: usize,
    /// What was granted last.
    window: usize,
    asked: Asked,
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

impl Port {
    fn new() -> Self {
        Self {
            credit: Arc::new(Semaphore::new(0)),
            left: 0,
            window: 0,
            asked: Asked::No,
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

    fn is_asked(&self) -> bool {
        matches!(self.asked, Asked::Yes { .. })
    }

    /// Nobody waits, and there is nothing left that could be of use.
    fn is_idle(&self, now: Instant) -> bool {
        Arc::strong_count(&self.credit) == 1 && !self.is_asked() && self.is_past(1, now)
    }
}

impl Table {
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
        let ports = std::mem::take(&mut self.ports);
        ports.into_values().map(|port| port.credit).collect()
    }

    pub(super) fn is_known(&self) -> bool {
        self.line != Line::Unknown
    }

    /// What somebody finds who wants to send to a port.
    pub(super) fn account(&mut self, name: &str, now: Instant) -> Account {
        match self.line {
            Line::Unknown => return Account::Unknown,
            Line::Without(_) => return Account::None,
            Line::With(_) => {}
        }
        if !self.ports.contains_key(name) {
            self.forget_idle(now);
            self.ports.insert(name.into(), Port::new());
        }
        let Some(port) = self.ports.get_mut(name) else {
            return Account::None;
        };
        if port.is_past(1, now) {
            port.take_back(port.left);
        }
        let credit = Arc::clone(&port.credit);
        let wanted = credit.available_permits() == 0;
        Account::Open(credit, self.ask_if(name, wanted))
    }

    /// A message has been sent.
    pub(super) fn spent(
        &mut self,
        name: &str,
        leave: OwnedSemaphorePermit,
        now: Instant,
    ) -> Option<(Ask, usize)> {
        let port = self.ports.get_mut(name)?;
        if !Arc::ptr_eq(&port.credit, leave.semaphore()) {
            return None;
        }
        leave.forget();
        port.left = port.left.saturating_sub(1);
        if let Asked::Yes { since, .. } = &mut port.asked {
            *since += 1;
        }
        // Early enough for a steady stream not to stop.
        let wanted = port.left <= port.window / 2 || port.is_past(0, now);
        self.ask_if(name, wanted)
    }

    /// An answer has come. It counts from where it was asked.
    pub(super) fn granted(
        &mut self,
        name: &str,
        ask: Ask,
        messages: u64,
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
        port.window = usize::try_from(messages).map_or(MOST, |messages| messages.min(MOST));
        port.asked = Asked::No;
        port.times = Some([now + GOOD_FOR / 2, now + GOOD_FOR]);
        let left = port.window.saturating_sub(since);
        port.take_back(port.left.saturating_sub(left));
        let more = left.saturating_sub(port.left);
        port.left += more;
        let credit = Arc::clone(&port.credit);
        Some(Granted { credit, more })
    }

    /// What is to be asked for because of those who wait still, if an answer has left them nothing.
    pub(super) fn ask_again(&mut self, name: &str) -> Option<(Ask, usize)> {
        let port = self.ports.get(name)?;
        let wanted = port.left == 0 && Arc::strong_count(&port.credit) > 1;
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
        Some((Ask { conn, token }, port.left))
    }

    fn forget_idle(&mut self, now: Instant) {
        if self.ports.len() < self.many.max(FEW) {
            return;
        }
        self.ports.retain(|_, port| !port.is_idle(now));
        self.many = 2 * self.ports.len();
    }
}

#[cfg(test)]
mod tests;
