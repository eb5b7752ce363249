//! The submitters and the workers of a dispatcher.

use std::collections::{BTreeMap, BTreeSet};

use aemp_proto::register::Register;

use super::{Key, Member, Run};

#[derive(Debug, Default)]
pub(super) struct Submitter {
    pub(super) jobs: Register<()>,
    /// Those of its jobs that have not been accepted.
    pub(super) lobby: BTreeSet<Key>,
}

#[derive(Debug, Default)]
pub(super) struct Workers {
    all: BTreeMap<Member, Worker>,
    /// The workers with room: the number of attempts, the turn of the last one, the worker.
    free: BTreeSet<(usize, u64, Member)>,
    of_run: Register<Member>,
    turn: u64,
}

#[derive(Debug, Default)]
struct Worker {
    room: u32,
    runs: Register<()>,
    /// The turn of its last attempt.
    turn: u64,
    leaving: bool,
}

impl Worker {
    fn place(&self, member: Member) -> (usize, u64, Member) {
        (self.runs.len(), self.turn, member)
    }

    fn is_free(&self) -> bool {
        self.runs.len() < self.room as usize && !self.leaving
    }
}

impl Workers {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn add(&mut self, member: Member) {
        self.all.insert(member, Worker::default());
    }

    /// Changes a worker, and its place among the free ones.
    fn change<T>(&mut self, member: Member, change: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        let worker = self.all.get_mut(&member)?;
        self.free.remove(&worker.place(member));
        let result = change(worker);
        if worker.is_free() {
            self.free.insert(worker.place(member));
        }
        Some(result)
    }

    pub(super) fn offer(&mut self, member: Member, room: u32) {
        self.change(member, |worker| worker.room = room);
    }

    /// True if it has no attempts.
    pub(super) fn leave(&mut self, member: Member) -> bool {
        let leave = |worker: &mut Worker| {
            worker.leaving = true;
            worker.runs.is_empty()
        };
        self.change(member, leave).unwrap_or(false)
    }

    /// Returns the attempts that it had.
    pub(super) fn remove(&mut self, member: Member) -> Vec<Run> {
        let Some(worker) = self.all.remove(&member) else {
            return Vec::new();
        };
        self.free.remove(&worker.place(member));
        let runs: Vec<Run> = worker.runs.into_iter().map(|(run, ())| run).collect();
        for run in &runs {
            self.of_run.remove(*run);
        }
        runs
    }

    /// Gives an attempt to a worker that has room.
    pub(super) fn take(&mut self, run: Run) -> Option<Member> {
        let &(_, _, member) = self.free.first()?;
        self.turn += 1;
        let turn = self.turn;
        self.change(member, |worker| {
            worker.turn = turn;
            worker.runs.insert(run, ());
        })?;
        self.of_run.insert(run, member);
        Some(member)
    }

    pub(super) fn of(&self, run: Run) -> Option<Member> {
        self.of_run.get(run).copied()
    }

    /// An attempt has ended. Returns its worker if that leaves, and this was its last one.
    pub(super) fn ended(&mut self, run: Run) -> Option<Member> {
        let member = self.of_run.remove(run)?;
        let left = self.change(member, |worker| {
            worker.runs.remove(run);
            worker.leaving && worker.runs.is_empty()
        });
        left.filter(|left| *left).map(|_| member)
    }
}

#[cfg(test)]
impl Workers {
    /// True if no worker has room.
    pub(super) fn is_busy(&self) -> bool {
        self.free.is_empty()
    }
}
