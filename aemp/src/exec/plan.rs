//! The number of drainers, and the decision to start another: the scheduler without its locks, tasks and clocks.
//!
//! The plan is a pure struct under the injector's lock. A model tries it in any order (`plan/tests`): with tokio's
//! slots and queues, handlers and tasks that block, connections, and the watch.
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

/// Ports that a drainer takes at a time at most.
const SHARE: usize = 64;

/// What is decided about the drainers of one node.
#[derive(Debug)]
pub(super) struct Plan {
    /// How many drainers the runtime has workers for.
    max: usize,
    drainers: usize,
    /// Handlers that do not return. Their drainers may be replaced: the worker is lost, or has been given to another
    /// thread (`block_in_place`).
    stuck: usize,
    /// Drainers that are away, by the looks at which something waited since they went: none, one, more. The last are
    /// lost.
    away: [usize; 3],
    /// How often the watch has found something waiting.
    looks: u32,
    search: Search,
    started: u32,
    /// The runtime is gone.
    gone: bool,
}

/// Whether a drainer has been started, which one, that has found nothing to do yet. There is one at a time at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    None,
    On(u32),
    /// The watch has seen it: it should have begun by now. When it comes by again, this search counts no more.
    Late(u32),
    /// It waits where any worker takes it, and so needs no replacement.
    Sure(u32),
}

/// What a drainer has to give back: whether it is away, and whether it searches.
#[derive(Debug)]
#[must_use]
pub(super) struct Ticket {
    /// The count of looks when it went.
    away: Option<u32>,
    search: Option<u32>,
}

impl Ticket {
    pub(super) fn is_searching(&self) -> bool {
        self.search.is_some()
    }
}

/// Who starts a drainer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A task, whose worker may keep it.
    Task,
    /// The watch: any worker may take it.
    Watch,
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
        // A worker that blocks keeps as many as there were at most. Without a limit, those that are merely late would
        // be replaced again and again.
        let lost = self.away[2].min(self.max * self.max);
        self.max + self.stuck + lost
    }

    /// Whether another drainer could be started, and none is on its way.
    pub(super) fn wants(&self) -> bool {
        self.search == Search::None && !self.gone && self.drainers < self.most()
    }

    /// Starts a drainer if there are workers for one more.
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
            By::Watch => Search::Sure(self.started),
        };
        Some(ticket)
    }

    /// How many of the ready ports a drainer takes. With none, it goes on searching.
    pub(super) fn share(&mut self, ready: usize, ticket: &mut Ticket) -> usize {
        self.back(ticket);
        if ready == 0 || self.drainers > self.most() {
            return 0;
        }
        self.found(ticket);
        ready.div_ceil(self.max).min(SHARE)
    }

    /// The drainer has something to do; another may be started.
    pub(super) fn found(&mut self, ticket: &mut Ticket) {
        let Some(number) = ticket.search.take() else {
            return;
        };
        // If it was lost, another may be searching in its place.
        match self.search {
            Search::On(other) | Search::Late(other) | Search::Sure(other) if other == number => {
                self.search = Search::None;
            }
            _ => {}
        }
    }

    /// A drainer gives way, and is to come back.
    pub(super) fn pause(&mut self, ticket: &mut Ticket) {
        self.back(ticket);
        self.found(ticket);
        self.go(ticket);
    }

    /// A drainer has found nothing. Whether it ends: not if something has become ready that nobody else may run.
    pub(super) fn leave(&mut self, ready: usize, ticket: &mut Ticket) -> bool {
        if ready > 0 && self.drainers <= self.most() {
            self.back(ticket);
            self.found(ticket);
            return false;
        }
        self.end(ticket);
        true
    }

    /// A drainer has ended.
    pub(super) fn end(&mut self, ticket: &mut Ticket) {
        self.back(ticket);
        self.found(ticket);
        self.drainers -= 1;
    }

    /// The runtime drops what is started.
    pub(super) fn runtime_gone(&mut self) {
        self.gone = true;
    }

    /// The watch has come by: so many handlers do not return, and something waits, or nothing does. Whether a drainer
    /// is to be started.
    pub(super) fn look(&mut self, stuck: usize, waiting: bool) -> bool {
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
