//! The decisions of a dispatcher, without I/O: events come in, commands come out.
//!
//! The caller gives the time, carries out the commands, and calls [`timeout`](Machine::timeout) at the
//! [`deadline`](Machine::deadline). Submitters and workers are known by numbers, which are never used twice.
//!
//! A job is in exactly one [`Phase`]. The sets below say the same for all jobs at once, so that no event looks at all of
//! them:
//!
//! - `lobby`: jobs that have not been accepted, because the queue is full. Each submitter has a few at most.
//! - `waiting`: accepted jobs that are not with a worker. Their number and their weight are bounded.
//! - `ready`: those of `waiting` that may be given to a worker: they are not resting, and no job with the same order key
//!   is before them.
//! - `chains`: the accepted jobs of each order key. The first of a chain is the only one that may be with a worker.
//! - `runs`: the attempts that are with workers.
//! - `free`: the workers with room. The least loaded is the first, then the one that has waited longest.
//!
//! A job enters by [`accept`](Machine::accept) and leaves by [`forget`](Machine::forget), and by nothing else. These two
//! are the place of a durable store: it would write the job before `Command::Accepted` is carried out, and delete it
//! before `Command::Ended` is; and a new dispatcher would begin with the jobs of its store.

mod job;
mod members;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use aemp_codec::Value;
use aemp_proto::register::Register;

pub(super) use self::job::NewJob;
use self::{
    job::{Fate, Job, Phase},
    members::{Submitter, Workers},
};
use super::{
    WhenFull,
    stats::Stats,
    wire::{Assignment, DeadLetter, End, JobId, Outcome, Refusal},
};
use crate::supervisor::{Backoff, Chance};

/// The number of a submitter or a worker.
pub(super) type Member = u64;
/// The number of a job. Jobs have the order of their numbers.
pub(super) type Key = u64;
/// The number of an attempt.
pub(super) type Run = u64;

/// The number of jobs of one submitter that may wait to be accepted.
pub(super) const WINDOW: usize = 64;

/// The most attempts that one worker has at once. Jobs that are with workers do not count for the capacity.
pub(super) const MOST_ROOM: u32 = 16_384;

/// The choices of a dispatcher.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    pub(super) capacity: usize,
    pub(super) max_bytes: usize,
    pub(super) when_full: WhenFull,
    pub(super) attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) time_limit: Option<Duration>,
}

/// An order of the machine.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// Tell a submitter that its job has been accepted.
    Accepted(Member, u64),
    /// Tell a submitter how its job has ended.
    Ended(Member, u64, End),
    /// Tell a submitter how far its job has come.
    Progress(Member, u64, Value),
    /// Give a worker an attempt.
    Attempt(Member, Run, Assignment),
    /// Tell a worker that it should end an attempt. The answer is `ended`.
    Cancel(Member, Run),
    /// Send a job that has failed for good to the port for dead letters.
    Dead(DeadLetter),
    /// A worker that leaves has no attempts any more.
    Left(Member),
    /// No jobs are left, and no more will come.
    Drained,
}

#[derive(Debug)]
pub(super) struct Machine {
    policy: Policy,
    chance: Chance,
    jobs: Register<Job>,
    ids: HashMap<JobId, Key>,
    next: u64,
    lobby: BTreeSet<Key>,
    waiting: BTreeSet<Key>,
    /// The weight of the jobs in `waiting`.
    bytes: usize,
    ready: BTreeSet<Key>,
    chains: HashMap<Arc<str>, BTreeSet<Key>>,
    runs: Register<Key>,
    timers: BTreeSet<(Duration, Key)>,
    submitters: BTreeMap<Member, Submitter>,
    workers: Workers,
    state: State,
    counted: Stats,
    commands: Vec<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Open,
    Draining,
    Drained,
}

impl Machine {
    pub(super) fn new(policy: Policy, seed: u64) -> Self {
        Self {
            policy,
            chance: Chance::new(seed),
            jobs: Register::default(),
            ids: HashMap::new(),
            next: 1,
            lobby: BTreeSet::new(),
            waiting: BTreeSet::new(),
            bytes: 0,
            ready: BTreeSet::new(),
            chains: HashMap::new(),
            runs: Register::default(),
            timers: BTreeSet::new(),
            submitters: BTreeMap::new(),
            workers: Workers::default(),
            state: State::Open,
            counted: Stats::default(),
            commands: Vec::new(),
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The commands since the last call, in place of an empty list.
    pub(super) fn commands(&mut self, list: &mut Vec<Command>) {
        debug_assert!(list.is_empty(), "commands are carried out once");
        std::mem::swap(&mut self.commands, list);
    }

    /// The time at which [`timeout`](Self::timeout) has something to do.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.timers.first().map(|(due, _)| *due)
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            waiting: self.waiting.len() as u64,
            unaccepted: self.lobby.len() as u64,
            running: self.runs.len() as u64,
            workers: self.workers.len() as u64,
            submitters: self.submitters.len() as u64,
            ..self.counted
        }
    }

    /// A new submitter.
    pub(super) fn submitter(&mut self) -> Member {
        let number = self.number();
        self.submitters.insert(number, Submitter::default());
        number
    }

    /// A job comes from a submitter. If the job is known already, it belongs to this submitter from now on.
    pub(super) fn submit(&mut self, now: Duration, from: Member, new: NewJob) {
        let number = new.id.number;
        let Some(submitter) = self.submitters.get_mut(&from) else {
            return;
        };
        if let Some(&key) = self.ids.get(&new.id) {
            return self.adopt(key, from, new.before);
        }
        let refusal = if self.state != State::Open {
            Some(Refusal::Draining)
        } else if submitter.lobby.len() >= WINDOW {
            Some(Refusal::Flood)
        } else if self.policy.when_full == WhenFull::Refuse && !self.fits(new.weight) {
            Some(Refusal::Full)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return self.emit(Command::Ended(from, number, End::Refused(refusal)));
        }
        if self.policy.when_full == WhenFull::DropOldest {
            self.make_room(new.weight);
        }
        let (key, fits) = (
            self.number(),
            self.lobby.is_empty() && self.fits(new.weight),
        );
        self.ids.insert(new.id.clone(), key);
        self.jobs.insert(key, Job::new(new, from));
        if let Some(submitter) = self.submitters.get_mut(&from) {
            submitter.jobs.insert(key, ());
            if !fits {
                submitter.lobby.insert(key);
            }
        }
        if fits {
            self.accept(now, key);
        } else {
            self.lobby.insert(key);
        }
        self.pump(now);
    }

    /// A known job comes again, after its submitter had lost this dispatcher.
    fn adopt(&mut self, key: Key, from: Member, before: u32) {
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        job.before = job.before.max(before);
        let (number, accepted) = (job.id.number, job.phase != Phase::Lobby);
        let owner = job.owner.replace(from);
        if let Some(old) = owner.and_then(|owner| self.submitters.get_mut(&owner)) {
            old.jobs.remove(key);
            old.lobby.remove(&key);
        }
        if let Some(new) = self.submitters.get_mut(&from) {
            new.jobs.insert(key, ());
            if !accepted {
                new.lobby.insert(key);
            }
        }
        if accepted {
            self.emit(Command::Accepted(from, number));
        }
    }

    /// The submitter of a job no longer wants it.
    pub(super) fn cancel(&mut self, now: Duration, id: &JobId) {
        let Some(&key) = self.ids.get(id) else {
            return;
        };
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        match job.phase {
            Phase::Lobby | Phase::Waiting | Phase::Resting { .. } => {
                self.forget(key, End::Cancelled);
            }
            Phase::Running { run, .. } | Phase::Stopping { run, .. } => {
                self.stop(key, run, Fate::Cancel);
            }
        }
        self.pump(now);
    }

    /// A submitter has died, or its node is lost. Its accepted jobs stay.
    pub(super) fn submitter_lost(&mut self, now: Duration, member: Member) {
        let Some(submitter) = self.submitters.remove(&member) else {
            return;
        };
        for (key, ()) in submitter.jobs {
            if let Some(job) = self.jobs.get_mut(key) {
                job.owner = None;
            }
            if submitter.lobby.contains(&key) {
                self.forget(key, End::Cancelled);
            }
        }
        self.pump(now);
    }

    /// A new worker, without room.
    pub(super) fn worker(&mut self) -> Member {
        let number = self.number();
        self.workers.add(number);
        number
    }

    /// A worker has room for so many attempts at once.
    pub(super) fn offer(&mut self, now: Duration, worker: Member, room: u32) {
        self.workers.offer(worker, room.min(MOST_ROOM));
        self.pump(now);
    }

    /// A worker takes no more attempts. `Command::Left` comes when it has none.
    pub(super) fn leave(&mut self, worker: Member) {
        if self.workers.leave(worker) {
            self.emit(Command::Left(worker));
        }
    }

    /// A worker has died, or its node is lost.
    pub(super) fn worker_lost(&mut self, now: Duration, worker: Member, why: &str) {
        for run in self.workers.remove(worker) {
            let text = format!("the worker was lost: {why}");
            self.end_run(now, run, Outcome::Failed { text, retry: true });
        }
        self.pump(now);
    }

    /// An attempt has ended.
    pub(super) fn ended(&mut self, now: Duration, run: Run, outcome: Outcome) {
        if let Some(left) = self.workers.ended(run) {
            self.emit(Command::Left(left));
        }
        self.end_run(now, run, outcome);
        self.pump(now);
    }

    fn end_run(&mut self, now: Duration, run: Run, outcome: Outcome) {
        let Some(key) = self.runs.remove(run) else {
            return;
        };
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        let phase = std::mem::replace(&mut job.phase, Phase::Waiting);
        if let Phase::Running {
            until: Some(until), ..
        } = phase
        {
            self.timers.remove(&(until, key));
        }
        match (phase, outcome) {
            (_, Outcome::Done(result)) => self.forget(key, End::Done(result)),
            (
                Phase::Stopping {
                    fate: Fate::Cancel, ..
                },
                _,
            ) => self.forget(key, End::Cancelled),
            (
                Phase::Stopping {
                    fate: Fate::TooLong,
                    ..
                },
                _,
            ) => self.failed(now, key, "it took longer than its time limit".into(), true),
            (_, Outcome::Failed { text, retry }) => self.failed(now, key, text, retry),
            (_, Outcome::Stopped) => {
                self.failed(now, key, "the worker has given it up".into(), true);
            }
        }
    }

    /// An attempt has failed. The job rests before the next one, or is dead.
    fn failed(&mut self, now: Duration, key: Key, text: String, retry: bool) {
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        let attempts = job.attempts;
        if !retry || attempts >= self.policy.attempts {
            return self.bury(key, End::Failed { attempts, text });
        }
        let fraction = self.chance.fraction();
        let backoff = &self.policy.backoff;
        let until = now.saturating_add(backoff.pause(attempts.saturating_sub(1), fraction));
        job.phase = Phase::Resting { until };
        self.bytes += job.weight;
        self.waiting.insert(key);
        self.timers.insert((until, key));
    }

    /// An attempt tells how far it has come.
    pub(super) fn progress(&mut self, run: Run, value: Value) {
        let job = self.runs.get(run).and_then(|key| self.jobs.get(*key));
        if let Some(job) = job
            && let Some(owner) = job.owner
        {
            self.emit(Command::Progress(owner, job.id.number, value));
        }
    }

    /// Takes no more jobs. `Command::Drained` comes when none is left.
    pub(super) fn drain(&mut self, now: Duration) {
        if self.state == State::Open {
            self.state = State::Draining;
            while let Some(&key) = self.lobby.first() {
                self.forget(key, End::Refused(Refusal::Draining));
            }
        }
        self.pump(now);
    }

    /// Does everything that is due.
    pub(super) fn timeout(&mut self, now: Duration) {
        while let Some(&(due, key)) = self.timers.first() {
            if due > now {
                break;
            }
            self.timers.pop_first();
            match self.jobs.get_mut(key) {
                Some(job) if matches!(job.phase, Phase::Resting { .. }) => {
                    job.phase = Phase::Waiting;
                    self.ready.insert(key);
                }
                Some(Job {
                    phase: Phase::Running { run, .. },
                    ..
                }) => {
                    let run = *run;
                    self.stop(key, run, Fate::TooLong);
                }
                _ => {}
            }
        }
        self.pump(now);
    }

    fn stop(&mut self, key: Key, run: Run, fate: Fate) {
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        let before = std::mem::replace(&mut job.phase, Phase::Stopping { run, fate });
        if let Phase::Running { until, .. } = before {
            if let Some(until) = until {
                self.timers.remove(&(until, key));
            }
            if let Some(worker) = self.workers.of(run) {
                self.emit(Command::Cancel(worker, run));
            }
        }
    }

    fn emit(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// True if a job of this weight may be accepted. An empty queue accepts any job.
    fn fits(&self, weight: usize) -> bool {
        self.waiting.is_empty()
            || self.waiting.len() < self.policy.capacity
                && self.bytes.saturating_add(weight) <= self.policy.max_bytes
    }

    /// Drops the oldest jobs until one of this weight fits.
    fn make_room(&mut self, weight: usize) {
        while !self.fits(weight) {
            let Some(&oldest) = self.waiting.first() else {
                return;
            };
            self.bury(oldest, End::Dropped);
        }
    }

    /// Accepts a job, which is not in the lobby any more. If a worker has room and no other job may be given to it before, the
    /// job does not wait.
    fn accept(&mut self, now: Duration, key: Key) {
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        job.phase = Phase::Waiting;
        let (number, weight, owner) = (job.id.number, job.weight, job.owner);
        let is_first = match &job.order {
            None => true,
            Some(order) => {
                let chain = self.chains.entry(Arc::clone(order)).or_default();
                chain.insert(key);
                chain.first() == Some(&key)
            }
        };
        if let Some(owner) = owner {
            self.emit(Command::Accepted(owner, number));
        }
        if is_first
            && self.ready.is_empty()
            && let Some((worker, run)) = self.free_worker()
        {
            return self.begin(now, key, worker, run);
        }
        self.waiting.insert(key);
        self.bytes += weight;
        if is_first {
            self.ready.insert(key);
        }
    }

    /// A job has failed for good.
    fn bury(&mut self, key: Key, end: End) {
        if let Some(job) = self.jobs.get(key) {
            let letter = job.letter(&end);
            self.counted.dead += 1;
            self.emit(Command::Dead(letter));
        }
        self.forget(key, end);
    }

    /// A job leaves.
    fn forget(&mut self, key: Key, end: End) {
        let Some(job) = self.jobs.remove(key) else {
            return;
        };
        self.ids.remove(&job.id);
        self.lobby.remove(&key);
        self.ready.remove(&key);
        if self.waiting.remove(&key) {
            self.bytes -= job.weight;
        }
        if let Phase::Resting { until } = job.phase {
            self.timers.remove(&(until, key));
        }
        if let Some(order) = &job.order {
            self.unchain(order, key);
        }
        if matches!(end, End::Done(_)) {
            self.counted.done += 1;
        }
        if let Some(owner) = job.owner {
            if let Some(submitter) = self.submitters.get_mut(&owner) {
                submitter.jobs.remove(key);
                submitter.lobby.remove(&key);
            }
            self.emit(Command::Ended(owner, job.id.number, end));
        }
    }

    fn unchain(&mut self, order: &Arc<str>, key: Key) {
        let Some(chain) = self.chains.get_mut(order) else {
            return;
        };
        let was_first = chain.first() == Some(&key);
        chain.remove(&key);
        match chain.first() {
            None => drop(self.chains.remove(order)),
            Some(next) if was_first => drop(self.ready.insert(*next)),
            Some(_) => {}
        }
    }

    /// Accepts the jobs that fit, and gives the workers as many as they have room for.
    fn pump(&mut self, now: Duration) {
        loop {
            while let Some(&first) = self.lobby.first() {
                let job = self.jobs.get(first);
                let (weight, owner) = job.map_or((0, None), |job| (job.weight, job.owner));
                if !self.fits(weight) {
                    break;
                }
                self.lobby.remove(&first);
                if let Some(submitter) = owner.and_then(|it| self.submitters.get_mut(&it)) {
                    submitter.lobby.remove(&first);
                }
                self.accept(now, first);
            }
            let Some(&key) = self.ready.first() else {
                break;
            };
            let Some((worker, run)) = self.free_worker() else {
                break;
            };
            self.ready.remove(&key);
            if self.waiting.remove(&key) {
                self.bytes -= self.jobs.get(key).map_or(0, |job| job.weight);
            }
            self.begin(now, key, worker, run);
        }
        if self.state == State::Draining && self.jobs.is_empty() {
            self.state = State::Drained;
            self.emit(Command::Drained);
        }
    }

    /// A worker with room, and the number of its next attempt.
    fn free_worker(&mut self) -> Option<(Member, Run)> {
        let run = self.next + 1;
        let worker = self.workers.take(run)?;
        self.next = run;
        Some((worker, run))
    }

    fn begin(&mut self, now: Duration, key: Key, worker: Member, run: Run) {
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        // A limit beyond all times is none.
        let limit = self.policy.time_limit;
        let until = limit.and_then(|limit| now.checked_add(limit));
        job.phase = Phase::Running { run, until };
        job.attempts += 1;
        let assignment = job.assignment();
        self.runs.insert(run, key);
        if let Some(until) = until {
            self.timers.insert((until, key));
        }
        if assignment.attempt > 1 {
            self.counted.repeated += 1;
        }
        self.emit(Command::Attempt(worker, run, assignment));
    }
}
