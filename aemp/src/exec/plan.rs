//! The number of drainers, and the decision to start another: the scheduler without its locks, tasks and clocks.
//!
//! The plan is a pure struct under the injector's lock. A model tries it in any order (`plan/tests`): with tokio's
//! slots and queues, handlers and tasks that block, connections, and the stall detector.
//!
//! A drainer is *present* (it runs or blocks) or *away* (it has been started and has not begun, or has given way). An
//! away drainer may be *lost*: behind a task of its worker that does not give way, where no other worker can take it.
//! Drainers with a stuck handler and lost drainers do not count against the number of workers.
//!
//! Waking another worker costs a system call. So the plan does it at once only for work that may take long: if the
//! ready port, or the running one, is not known to be quick, or if many ports wait. tokio reserves the task that a
//! worker has started or woken last for that worker. An empty task (`displace`) pushes urgent work out of this slot.

#[cfg(test)]
mod tests;

/// The greatest number of ports that a drainer takes at a time.
const SHARE: usize = 64;

/// The state of the drainers of one node.
#[derive(Debug)]
pub(super) struct Plan {
    /// The number of drainers without replacements: the number of the runtime's workers.
    max: usize,
    drainers: usize,
    /// The number of handlers that do not return. Their drainers may be replaced: their worker is lost, or another
    /// thread has become the worker (`block_in_place`).
    stuck: usize,
    /// The number of away drainers, by the number of reports since they went at which something waited: none, one,
    /// more. The last are lost.
    away: [usize; 3],
    /// The number of reports of the stall detector at which something waited.
    looks: u32,
    search: Search,
    started: u32,
    /// True if the runtime is gone.
    gone: bool,
}

/// The drainer that has been started and has found nothing to do yet. There is at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    None,
    On(u32),
    /// The stall detector has seen it, so it should have begun by now. At the next report it no longer counts.
    Late(u32),
    /// It waits in a queue from which any worker takes it, so it needs no replacement.
    Sure(u32),
}

/// The state of one drainer: the flags for its absence and its search for work.
#[derive(Debug)]
#[must_use]
pub(super) struct Ticket {
    /// The number of reports when it went away.
    away: Option<u32>,
    search: Option<u32>,
}

impl Ticket {
    pub(super) fn is_searching(&self) -> bool {
        self.search.is_some()
    }
}

/// The starter of a drainer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A task. Its worker may keep the drainer for itself.
    Task,
    /// The stall detector. Any worker may take the drainer.
    StallDetector,
}

impl Plan {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            drainers: 0,
            stuck: 0,
            away: [0; 3],
            looks: 0,
            search: Search::None,
            started: 0,
            gone: false,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    fn most(&self) -> usize {
        // A blocked worker holds at most as many as there were. Without a limit, drainers that are merely late would
        // be replaced again and again.
        let lost = self.away[2].min(self.max * self.max);
        self.max + self.stuck + lost
    }

    /// True if another drainer may be started, and none is on its way.
    pub(super) fn wants(&self) -> bool {
        self.search == Search::None && !self.gone && self.drainers < self.most()
    }

    /// Starts a drainer if there is a worker for it.
    pub(super) fn start(&mut self, by: By) -> Option<Ticket> {
        if !self.wants() {
            return None;
        }
        self.drainers += 1;
        self.started = self.started.wrapping_add(1);
        let mut ticket = Ticket {
            away: None,
            search: Some(self.started),
        };
        self.search = match by {
            By::Task => {
                self.go(&mut ticket);
                Search::On(self.started)
            }
            By::StallDetector => Search::Sure(self.started),
        };
        Some(ticket)
    }

    /// The number of ready ports that a drainer takes. If it is zero, the drainer continues to search.
    pub(super) fn share(&mut self, ready: usize, ticket: &mut Ticket) -> usize {
        self.back(ticket);
        if ready == 0 || self.drainers > self.most() {
            return 0;
        }
        self.found(ticket);
        ready.div_ceil(self.max).min(SHARE)
    }

    /// Records that the drainer has something to do. Another one may be started.
    pub(super) fn found(&mut self, ticket: &mut Ticket) {
        let Some(number) = ticket.search.take() else {
            return;
        };
        // If the drainer was lost, another may be searching in its place.
        match self.search {
            Search::On(other) | Search::Late(other) | Search::Sure(other) if other == number => {
                self.search = Search::None;
            }
            _ => {}
        }
    }

    /// Records that a drainer yields, and will come back.
    pub(super) fn pause(&mut self, ticket: &mut Ticket) {
        self.back(ticket);
        self.found(ticket);
        self.go(ticket);
    }

    /// Records that a drainer has found nothing. Returns true if it ends; it does not if a port has become ready
    /// meanwhile.
    pub(super) fn leave(&mut self, ready: usize, ticket: &mut Ticket) -> bool {
        if ready > 0 && self.drainers <= self.most() {
            self.back(ticket);
            self.found(ticket);
            return false;
        }
        self.end(ticket);
        true
    }

    /// Records the end of a drainer.
    pub(super) fn end(&mut self, ticket: &mut Ticket) {
        self.back(ticket);
        self.found(ticket);
        self.drainers -= 1;
    }

    /// Records that the runtime drops started tasks.
    pub(super) fn runtime_gone(&mut self) {
        self.gone = true;
    }

    /// Takes a report of the stall detector: the number of handlers that do not return, and true if a port waits.
    /// Returns true if a drainer should be started.
    pub(super) fn report(&mut self, stuck: usize, waiting: bool) -> bool {
        self.stuck = stuck;
        if !waiting {
            return false;
        }
        self.looks = self.looks.wrapping_add(1);
        let [fresh, late, lost] = self.away;
        self.away = [0, fresh, late + lost];
        self.search = match self.search {
            Search::On(number) => Search::Late(number),
            Search::Late(_) => Search::None,
            other => other,
        };
        self.wants()
    }

    fn go(&mut self, ticket: &mut Ticket) {
        ticket.away = Some(self.looks);
        self.away[0] += 1;
    }

    fn back(&mut self, ticket: &mut Ticket) {
        if let Some(since) = ticket.away.take() {
            self.away[self.looks.wrapping_sub(since).min(2) as usize] -= 1;
        }
    }
}
