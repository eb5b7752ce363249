//! The parts of the model, and its steps. In one step no other part can act.

use std::collections::VecDeque;

use super::{super::*, Dice};

pub(super) const FOREVER: u32 = u32::MAX;

/// The actions of a handler or a task.
pub(super) type Job = Vec<Act>;

#[derive(Clone, Debug)]
pub(super) enum Act {
    Send(usize, Job),
    /// Sends something over a connection.
    Write,
    /// Blocks its thread for this number of looks of the stall detector.
    Block(u32),
    /// Blocks in `block_in_place`: another thread becomes the worker.
    InPlace(u32),
}

#[derive(Debug)]
enum Task {
    Drainer(Drainer),
    Plain(VecDeque<Act>),
    Link(Link),
    /// An empty task, which pushes another task out of its slot.
    Nothing,
}

/// A connection with data to read.
#[derive(Debug)]
struct Link {
    /// The number of times that it yields.
    turns: usize,
    /// The number of looks for which it has waited while a worker was idle.
    waited: u32,
}

#[derive(Debug)]
struct Drainer {
    ticket: Ticket,
    next: Next,
    /// The number of ports run since it yielded.
    done: usize,
}

#[derive(Debug)]
enum Next {
    Pop,
    Steal,
    Run(usize, VecDeque<Act>),
    Leave,
}

/// The end of a task's step.
enum Step {
    More,
    GivesWay,
    Ends,
}

#[derive(Debug, Default)]
struct Worker {
    task: Option<(usize, Task)>,
    /// The number of looks for which it is blocked.
    blocked: u32,
    /// A task that it has started. No other worker takes it.
    lifo: Option<(usize, Task)>,
    /// Tasks that other workers may take.
    queue: VecDeque<(usize, Task)>,
    /// Tasks that have yielded. No other worker takes them.
    deferred: Vec<(usize, Task)>,
    parked: bool,
    searching: bool,
    /// True if another thread has become the worker, and this one only finishes its task.
    retired: bool,
    /// The ready ports at the seat of its thread.
    seat: VecDeque<usize>,
    /// The number of links to wake when the handler returns.
    later: usize,
    /// The message that the stall detector saw at its last look.
    seen: Option<u64>,
    /// Counts messages; odd while a handler runs.
    beat: u64,
    /// True if the running port was trusted when it began.
    is_trusted: bool,
    /// The value of `wanted` when the sending handler read it.
    wanted: Option<bool>,
}

#[derive(Debug, Default)]
struct Port {
    messages: VecDeque<Job>,
    /// True if it is scheduled or running.
    at_work: bool,
    trusted: bool,
}

#[derive(Debug)]
pub(super) struct Model {
    plan: Plan,
    wanted: bool,
    ready: VecDeque<usize>,
    ports: Vec<Port>,
    workers: Vec<Worker>,
    /// Tasks that were started by other threads than workers.
    global: VecDeque<(usize, Task)>,
    tasks: usize,
    links: usize,
    /// The number of looks at which a port was ready, a worker idle, and nothing began.
    pub(super) stalled: u32,
    /// True if drainers yield, and others act between the reading of `wanted` and the sending.
    pub(super) is_rough: bool,
}

impl Worker {
    fn is_able(&self) -> bool {
        !self.parked && self.blocked == 0 && !(self.retired && self.task.is_none())
    }
}

impl Model {
    pub(super) fn untrusted(workers: usize, ports: usize) -> Self {
        let parked = || Worker {
            parked: true,
            ..Worker::default()
        };
        Self {
            plan: Plan::new(workers),
            wanted: true,
            ready: VecDeque::new(),
            ports: (0..ports).map(|_| Port::default()).collect(),
            workers: (0..workers).map(|_| parked()).collect(),
            global: VecDeque::new(),
            tasks: 0,
            links: 0,
            stalled: 0,
            is_rough: false,
        }
    }

    pub(super) fn new(workers: usize, ports: usize, dice: &mut Dice) -> Self {
        let mut model = Self::untrusted(workers, ports);
        model.is_rough = true;
        for port in &mut model.ports {
            port.trusted = dice.one_in(2);
        }
        model
    }

    pub(super) fn task(&mut self, job: Job) {
        self.start_outside(Task::Plain(job.into()));
    }

    /// Adds a link with data to read.
    pub(super) fn link(&mut self, turns: usize) {
        let link = self.new_link(turns);
        self.start_outside(link);
    }

    fn new_link(&mut self, turns: usize) -> Task {
        self.links += 1;
        Task::Link(Link { turns, waited: 0 })
    }

    pub(super) fn post_from_outside(&mut self, to: usize, job: Job) {
        if self.push(to, job) {
            self.ready.push_back(to);
            if let Some(ticket) = self.plan.start(By::Task) {
                self.start_outside(drainer(ticket));
            }
            self.remember();
        }
    }

    /// Runs the workers in random order until nothing is left that they can do before the next look.
    pub(super) fn run_workers(&mut self, dice: &mut Dice) {
        for steps in 0.. {
            assert!(steps < 100_000, "it never comes to rest: {self:?}");
            let able = |worker: &Worker| worker.is_able();
            let able: Vec<_> = (0..self.workers.len())
                .filter(|worker| able(&self.workers[*worker]))
                .collect();
            if able.is_empty() {
                return;
            }
            if self.is_rough && dice.one_in(200) {
                self.watch();
            }
            self.step(able[dice.below(able.len())], dice);
            self.check();
        }
    }

    fn has_idle(&self) -> bool {
        self.workers.iter().any(|worker| worker.parked)
    }

    pub(super) fn blocked(&self) -> usize {
        self.workers.iter().filter(|one| one.blocked > 0).count()
    }

    fn links(&mut self) -> impl Iterator<Item = &mut Link> {
        let queued = self.workers.iter_mut().flat_map(|worker| {
            let own = worker.task.iter_mut().chain(&mut worker.lifo);
            own.chain(&mut worker.queue).chain(&mut worker.deferred)
        });
        queued
            .chain(&mut self.global)
            .filter_map(|(_, task)| match task {
                Task::Link(link) => Some(link),
                _ => None,
            })
    }

    /// The greatest number of looks for which a link has waited while a worker was free.
    pub(super) fn worst_link(&mut self) -> u32 {
        self.links().map(|link| link.waited).max().unwrap_or(0)
    }

    /// Ends all blocking.
    pub(super) fn release(&mut self) {
        for worker in &mut self.workers {
            worker.blocked = 0;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        let rests = |worker: &Worker| worker.task.is_none() && worker.seat.is_empty();
        self.workers.iter().all(rests)
            && self.global.is_empty()
            && self.ready.is_empty()
            && self.ports.iter().all(|port| !port.at_work)
            && (self.plan.drainers, self.plan.away, self.links) == (0, [0; 3], 0)
            && self.plan.search == Search::None
    }

    /// Checks the invariants between two steps.
    fn check(&self) {
        let queued = self.workers.iter().flat_map(|worker| {
            let own = worker.task.iter().chain(&worker.lifo);
            own.chain(&worker.queue).chain(&worker.deferred)
        });
        let (mut drainers, mut away, mut current) = (0, 0, 0);
        for (_, task) in queued.chain(&self.global) {
            if let Task::Drainer(drainer) = task {
                drainers += 1;
                away += usize::from(drainer.ticket.away.is_some());
                current += usize::from(match self.plan.search {
                    Search::None => false,
                    Search::On(on) | Search::Late(on) | Search::Sure(on) => {
                        drainer.ticket.search == Some(on)
                    }
                });
            }
        }
        let searched = usize::from(self.plan.search != Search::None);
        let (known, counted) = (self.plan.drainers, self.plan.away.iter().sum());
        assert_eq!(
            (drainers, away, current),
            (known, counted, searched),
            "{self:?}"
        );
        assert_eq!(self.wanted, self.plan.wants());
        assert!(
            drainers <= self.plan.max * (self.plan.max + 1) + self.workers.len(),
            "{self:?}"
        );
    }

    fn remember(&mut self) {
        self.wanted = self.plan.wants();
    }

    /// Queues a job. Returns true if the port must be scheduled.
    fn push(&mut self, to: usize, job: Job) -> bool {
        let port = &mut self.ports[to];
        port.messages.push_back(job);
        !std::mem::replace(&mut port.at_work, true)
    }
}

fn drainer(ticket: Ticket) -> Task {
    Task::Drainer(Drainer {
        ticket,
        next: Next::Pop,
        done: 0,
    })
}

/// The model of the stall detector.
impl Model {
    pub(super) fn watch(&mut self) {
        let idle = self.has_idle();
        let at_rest = !self.workers.iter().any(Worker::is_able);
        let at_seats = self.workers.iter().any(|worker| !worker.seat.is_empty());
        let waiting = at_seats || !self.ready.is_empty();
        if at_rest {
            self.stalled = if idle && waiting { self.stalled + 1 } else { 0 };
        }
        for link in self.links() {
            link.waited += u32::from(idle && at_rest);
        }
        for worker in &mut self.workers {
            // The executor cannot help ports that a task of the user delays, or a handler that blocks for the first
            // time.
            let excused = match &worker.task {
                Some((_, Task::Plain(_))) => true,
                Some((_, Task::Drainer(_))) => worker.is_trusted,
                _ => false,
            };
            if let Some((_, Task::Link(link))) = &mut worker.lifo
                && excused
            {
                link.waited = 0;
            }
        }
        let mut stuck = 0;
        for worker in &mut self.workers {
            let seen = (worker.beat % 2 == 1).then_some(worker.beat);
            if seen.is_some() && worker.seen == seen {
                stuck += 1;
                if let Some((_, Task::Drainer(drainer))) = &worker.task
                    && let Next::Run(port, _) = drainer.next
                {
                    self.ports[port].trusted = false;
                }
            }
            worker.seen = seen;
            if at_rest && worker.blocked != FOREVER {
                worker.blocked = worker.blocked.saturating_sub(1);
            }
        }
        if self.plan.report(stuck, waiting)
            && let Some(ticket) = self.plan.start(By::StallDetector)
        {
            self.start_outside(drainer(ticket));
        }
        self.remember();
        self.time_passes();
    }

    /// Wakes the links over which handlers have sent, and reminds yielded links by a timer.
    fn time_passes(&mut self) {
        let later = self.workers.iter_mut();
        let later: usize = later.map(|worker| std::mem::take(&mut worker.later)).sum();
        for _ in 0..later {
            self.link(0);
        }
        let mut woken = Vec::new();
        for worker in &mut self.workers {
            let is_link = |task: &mut (usize, Task)| matches!(task.1, Task::Link(_));
            woken.extend(worker.deferred.extract_if(.., is_link));
        }
        for (_, task) in woken {
            self.start_outside(task);
        }
    }
}

/// The model of tokio.
impl Model {
    fn number(&mut self) -> usize {
        self.tasks += 1;
        self.tasks
    }

    fn start_outside(&mut self, task: Task) {
        let number = self.number();
        self.global.push_back((number, task));
        self.notify();
    }

    /// Starts a task from a worker.
    fn start(&mut self, own: usize, task: Task) {
        if self.workers[own].retired {
            return self.start_outside(task);
        }
        let number = self.number();
        self.place(own, (number, task));
    }

    fn place(&mut self, own: usize, task: (usize, Task)) {
        let worker = &mut self.workers[own];
        if let Some(before) = worker.lifo.replace(task) {
            worker.queue.push_back(before);
            self.notify();
        }
    }

    /// Wakes an idle worker, unless one is searching for work.
    fn notify(&mut self) {
        if self.workers.iter().any(|worker| worker.searching) {
            return;
        }
        if let Some(idle) = self.workers.iter_mut().find(|worker| worker.parked) {
            idle.parked = false;
            idle.searching = true;
        }
    }

    fn step(&mut self, own: usize, dice: &mut Dice) {
        let Some((number, mut task)) = self.workers[own].task.take() else {
            return self.find_task(own, dice);
        };
        let step = match &mut task {
            Task::Drainer(drainer) => self.drain(own, drainer, dice),
            Task::Plain(acts) => match acts.pop_front() {
                Some(act) => {
                    self.act_of_task(own, act);
                    Step::More
                }
                None => Step::Ends,
            },
            Task::Link(link) if link.turns == 0 => {
                self.links -= 1;
                Step::Ends
            }
            Task::Link(link) => {
                link.turns -= 1;
                link.waited = 0;
                Step::GivesWay
            }
            Task::Nothing => Step::Ends,
        };
        let worker = &mut self.workers[own];
        match step {
            Step::More => worker.task = Some((number, task)),
            Step::GivesWay if worker.retired => self.start_outside(task),
            Step::GivesWay => worker.deferred.push((number, task)),
            Step::Ends => {}
        }
    }

    /// Blocks the thread in place: it is no longer a worker.
    fn retire(&mut self, own: usize, looks: u32) {
        let worker = &mut self.workers[own];
        worker.blocked = looks;
        if std::mem::replace(&mut worker.retired, true) {
            return;
        }
        let mut new = Worker {
            queue: std::mem::take(&mut worker.queue),
            ..Worker::default()
        };
        new.queue.extend(worker.lifo.take());
        new.queue.extend(std::mem::take(&mut worker.deferred));
        self.workers.push(new);
        // tokio differs: there, moved tasks may wait behind the new worker's first task.
        self.notify();
    }

    fn find_task(&mut self, own: usize, dice: &mut Dice) {
        if dice.one_in(20) {
            self.wake_deferred(own);
        }
        let from_global = dice.one_in(10).then(|| self.global.pop_front()).flatten();
        let worker = &mut self.workers[own];
        let found = from_global
            .or_else(|| worker.lifo.take())
            .or_else(|| worker.queue.pop_front())
            .or_else(|| self.global.pop_front())
            .or_else(|| self.steal_task(own, dice));
        let worker = &mut self.workers[own];
        let searched = std::mem::take(&mut worker.searching);
        if found.is_some() {
            worker.task = found;
            if searched {
                self.notify();
            }
        } else if worker.deferred.is_empty() {
            worker.parked = true;
            if searched && self.has_task() {
                self.notify();
            }
        } else {
            self.wake_deferred(own);
        }
    }

    fn steal_task(&mut self, own: usize, dice: &mut Dice) -> Option<(usize, Task)> {
        let (all, first) = (self.workers.len(), dice.below(self.workers.len()));
        let mut others = (0..all).map(|nth| (first + nth) % all);
        let victim =
            others.find(|other| *other != own && !self.workers[*other].queue.is_empty())?;
        let half = self.workers[victim].queue.len().div_ceil(2);
        let stolen: Vec<_> = self.workers[victim].queue.drain(..half).collect();
        self.workers[own].queue.extend(stolen);
        self.workers[own].queue.pop_front()
    }

    fn has_task(&self) -> bool {
        !self.global.is_empty() || self.workers.iter().any(|worker| !worker.queue.is_empty())
    }

    fn wake_deferred(&mut self, own: usize) {
        for task in std::mem::take(&mut self.workers[own].deferred) {
            self.place(own, task);
        }
    }
}

/// The tasks of workers: see `drainer.rs` and `scheduler.rs`.
impl Model {
    fn start_drainer(&mut self, own: usize, now: bool) {
        let Some(ticket) = self.plan.start(By::Task) else {
            return;
        };
        self.remember();
        self.start(own, drainer(ticket));
        if now {
            self.displace(own);
        }
    }

    fn displace(&mut self, own: usize) {
        if self.plan.max > 1 {
            self.start(own, Task::Nothing);
        }
    }

    fn act_of_task(&mut self, own: usize, act: Act) {
        match act {
            Act::Write => {
                let link = self.new_link(0);
                self.start(own, link);
            }
            Act::Block(looks) => self.workers[own].blocked = looks,
            Act::InPlace(looks) => self.retire(own, looks),
            Act::Send(to, job) => {
                if self.push(to, job) {
                    self.ready.push_back(to);
                    self.start_drainer(own, !self.ports[to].trusted);
                }
            }
        }
    }

    /// An action of a handler. `false` if the action has only begun.
    fn act_of_handler(&mut self, own: usize, runs: usize, act: &Act) -> bool {
        match act {
            Act::Write => self.workers[own].later += 1,
            Act::Block(looks) => self.workers[own].blocked = *looks,
            Act::InPlace(looks) => self.retire(own, *looks),
            Act::Send(to, job) => {
                let Some(wanted) = self.workers[own].wanted.take() else {
                    let soon = self.ports[*to].trusted && self.ports[runs].trusted;
                    self.workers[own].wanted = Some(self.wanted && !soon);
                    return !self.is_rough && self.act_of_handler(own, runs, act);
                };
                if self.push(*to, job.clone()) {
                    self.workers[own].seat.push_back(*to);
                    if wanted {
                        self.start_drainer(own, true);
                    }
                }
            }
        }
        true
    }

    fn drain(&mut self, own: usize, drainer: &mut Drainer, dice: &mut Dice) -> Step {
        drainer.next = match std::mem::replace(&mut drainer.next, Next::Pop) {
            Next::Pop => {
                // The time slice may end after any port.
                if self.is_rough && drainer.done > 0 && dice.one_in(4) {
                    drainer.done = 0;
                    self.plan.pause(&mut drainer.ticket);
                    self.remember();
                    let rest = std::mem::take(&mut self.workers[own].seat);
                    self.ready.extend(rest);
                    return Step::GivesWay;
                }
                match self.workers[own].seat.pop_front() {
                    Some(port) => self.begin(own, port),
                    None if self.refill(own, &mut drainer.ticket) => Next::Pop,
                    None => Next::Steal,
                }
            }
            Next::Steal => match self.steal_port(own, dice) {
                Some(port) => {
                    self.plan.found(&mut drainer.ticket);
                    self.remember();
                    self.begin(own, port)
                }
                None => Next::Leave,
            },
            Next::Leave => {
                let ended = self.plan.leave(self.ready.len(), &mut drainer.ticket);
                self.remember();
                if ended {
                    return Step::Ends;
                }
                Next::Pop
            }
            Next::Run(port, mut acts) => match acts.front() {
                Some(act) => {
                    if self.act_of_handler(own, port, act) {
                        acts.pop_front();
                    }
                    Next::Run(port, acts)
                }
                None => {
                    self.finish(own, port);
                    drainer.done += 1;
                    Next::Pop
                }
            },
        };
        Step::More
    }

    fn begin(&mut self, own: usize, port: usize) -> Next {
        if !self.ports[port].trusted {
            let left = self.workers.iter().any(|worker| !worker.seat.is_empty());
            if self.wanted && left {
                self.start_drainer(own, true);
            } else {
                self.displace(own);
            }
        }
        self.stalled = 0;
        self.workers[own].beat += 1;
        self.workers[own].is_trusted = self.ports[port].trusted;
        let message = self.ports[port].messages.pop_front().unwrap_or_default();
        Next::Run(port, message.into())
    }

    fn finish(&mut self, own: usize, port: usize) {
        for _ in 0..std::mem::take(&mut self.workers[own].later) {
            let link = self.new_link(0);
            self.start(own, link);
        }
        let worker = &mut self.workers[own];
        worker.beat += 1;
        if self.ports[port].messages.is_empty() {
            self.ports[port].at_work = false;
            return;
        }
        // The turn of the port is over.
        let wanted = self.wanted && !self.ports[port].trusted;
        worker.seat.push_back(port);
        if wanted {
            self.start_drainer(own, true);
        }
    }

    fn refill(&mut self, own: usize, ticket: &mut Ticket) -> bool {
        let share = self.plan.share(self.ready.len(), ticket);
        self.remember();
        self.workers[own].seat.extend(self.ready.drain(..share));
        if share > 0 && !self.ready.is_empty() {
            self.start_drainer(own, true);
        }
        share > 0
    }

    fn steal_port(&mut self, own: usize, dice: &mut Dice) -> Option<usize> {
        let (all, first) = (self.workers.len(), dice.below(self.workers.len()));
        let mut others = (0..all).map(|nth| (first + nth) % all);
        let victim = others.find(|other| *other != own && !self.workers[*other].seat.is_empty())?;
        let batch = (self.workers[victim].seat.len() - 1) / 2;
        let stolen = self.workers[victim].seat.pop_front();
        let more: Vec<_> = self.workers[victim].seat.drain(..batch).collect();
        self.workers[own].seat.extend(more);
        stolen
    }
}
