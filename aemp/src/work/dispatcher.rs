//! The port of a dispatcher: it carries out the commands of the machine.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use aemp_codec::{PortId, Value, to_value};

use super::{
    SubmitterRef, WorkerRef,
    machine::{Command, Machine, Member, NewJob},
    stats::Stats,
    wire::{End, JobId, Outcome, Refusal, Submission},
};
use crate::{
    Cx, Local, Monitor, Node, Reason, Reply, Sent, port,
    supervisor::{self, Alarm},
};

/// The number of submitters, and that of workers. Other nodes decide how many there are.
const MOST_MEMBERS: usize = 16_384;

/// The number of commands for which memory is kept.
const KEPT: usize = 64;

/// A port that gives jobs to workers. See the [module](super).
#[doc(alias = "factory")]
#[doc(alias = "queue")]
pub struct Dispatcher {
    node: Node,
    alarm: Alarm,
    machine: Machine,
    /// The empty list in which the machine gives its commands.
    commands: Vec<Command>,
    submitters: BTreeMap<Member, Known<SubmitterRef>>,
    workers: BTreeMap<Member, Known<WorkerRef>>,
    numbers: HashMap<PortId, Member>,
    /// The submitter of the last job. To make the ID of a port, and to look it up, costs more than to compare handles.
    last: Option<(SubmitterRef, Member)>,
    leaving: BTreeMap<Member, Reply<()>>,
    draining: Vec<Reply<()>>,
    dead_letters: Option<PortId>,
    family: Option<String>,
}

/// A submitter or a worker.
struct Known<R> {
    port: R,
    id: PortId,
    _monitor: Monitor,
}

/// A message of a dispatcher to itself. It cannot leave the process.
#[doc(hidden)]
pub enum Event {
    Tick,
    Register(u64),
    SubmitterLost(Member),
    WorkerLost(Member, Reason),
}

impl Dispatcher {
    /// A builder of a dispatcher.
    pub fn builder() -> super::Builder {
        super::Builder::new()
    }

    pub(super) fn new(
        node: &Node,
        machine: Machine,
        dead_letters: Option<PortId>,
        family: Option<String>,
    ) -> Self {
        Self {
            node: node.clone(),
            alarm: Alarm::new(node),
            machine,
            commands: Vec::new(),
            submitters: BTreeMap::new(),
            workers: BTreeMap::new(),
            numbers: HashMap::new(),
            last: None,
            leaving: BTreeMap::new(),
            draining: Vec::new(),
            dead_letters,
            family,
        }
    }

    fn now(&mut self) -> Duration {
        self.alarm.now()
    }

    /// Carries out the commands of the machine, and those that come of it.
    fn act(&mut self, cx: &mut Cx<'_>) {
        let mut commands = std::mem::take(&mut self.commands);
        loop {
            self.machine.commands(&mut commands);
            if commands.is_empty() {
                break;
            }
            for command in commands.drain(..) {
                self.obey(cx, command);
            }
        }
        commands.shrink_to(KEPT);
        self.commands = commands;
        let me = cx.handle_of(self);
        let tick = move || drop(me.event(Local(Event::Tick)));
        self.alarm.set(cx, self.machine.deadline(), tick);
    }

    fn obey(&mut self, cx: &mut Cx<'_>, command: Command) {
        match command {
            Command::Accepted(to, number) => {
                if let Some(submitter) = self.submitters.get(&to) {
                    submitter.port.accepted(number);
                }
            }
            Command::Ended(to, number, end) => {
                if let Some(submitter) = self.submitters.get(&to) {
                    tell_end(&submitter.port, number, end);
                }
            }
            Command::Progress(to, number, value) => {
                if let Some(submitter) = self.submitters.get(&to) {
                    submitter.port.progressed(number, value);
                }
            }
            Command::Attempt(to, run, assignment) => {
                let Some(worker) = self.workers.get(&to) else {
                    return;
                };
                let sent = worker.port.attempt(cx.handle_of(self), run, assignment);
                if let Some(text) = unsent(sent) {
                    let failed = Outcome::Failed { text, retry: false };
                    let now = self.now();
                    self.machine.ended(now, run, failed);
                }
            }
            Command::Cancel(to, run) => {
                if let Some(worker) = self.workers.get(&to) {
                    worker.port.cancel(cx.id(), run);
                }
            }
            Command::Dead(letter) => {
                if let Some(port) = &self.dead_letters
                    && let Ok(letter) = to_value(&letter)
                {
                    self.node.snd(port, vec!["dead_letter".into(), letter]);
                }
            }
            Command::Left(worker) => {
                if let Some(reply) = self.leaving.remove(&worker) {
                    reply.send(());
                }
            }
            Command::Drained => {
                self.draining.drain(..).for_each(|reply| reply.send(()));
                cx.kill(());
            }
        }
    }

    /// The number and the ID of a submitter. `None` if there are too many.
    fn submitter(&mut self, cx: &Cx<'_>, port: &SubmitterRef) -> Option<(Member, PortId)> {
        if let Some((last, number)) = &self.last
            && last == port
            && let Some(known) = self.submitters.get(number)
        {
            return Some((*number, known.id.clone()));
        }
        let id = port.id();
        let number = match self.numbers.get(&id) {
            Some(number) => *number,
            None => self.new_submitter(cx, port.clone(), id.clone())?,
        };
        self.last = Some((port.clone(), number));
        Some((number, id))
    }

    fn new_submitter(&mut self, cx: &Cx<'_>, port: SubmitterRef, id: PortId) -> Option<Member> {
        if self.submitters.len() >= MOST_MEMBERS {
            return None;
        }
        let (number, me) = (self.machine.submitter(), cx.handle_of(self));
        let lost = move |_: &Reason| drop(me.event(Local(Event::SubmitterLost(number))));
        let _monitor = port.monitor(lost);
        self.numbers.insert(id.clone(), number);
        self.submitters.insert(number, Known { port, id, _monitor });
        Some(number)
    }

    /// A worker is lost. Its attempts have failed.
    fn forget_worker(&mut self, now: Duration, member: Member, why: &str) {
        if let Some(known) = self.workers.remove(&member) {
            self.numbers.remove(&known.id);
        }
        self.leaving.remove(&member);
        self.machine.worker_lost(now, member, why);
    }

    /// The number of a worker. `None` if there are too many.
    fn worker(&mut self, cx: &Cx<'_>, port: WorkerRef) -> Option<Member> {
        let id = port.id();
        if let Some(number) = self.numbers.get(&id) {
            return Some(*number);
        }
        if self.workers.len() >= MOST_MEMBERS {
            crate::log::warning!("a worker is ignored, because there are {MOST_MEMBERS}: {id}");
            return None;
        }
        let (number, me) = (self.machine.worker(), cx.handle_of(self));
        let lost =
            move |why: &Reason| drop(me.event(Local(Event::WorkerLost(number, why.clone()))));
        let _monitor = port.monitor(lost);
        self.numbers.insert(id.clone(), number);
        self.workers.insert(number, Known { port, id, _monitor });
        Some(number)
    }
}

/// Tells a submitter how a job has ended. A result that cannot be sent is a failure.
fn tell_end(submitter: &SubmitterRef, number: u64, end: End) {
    if let Some(text) = unsent(submitter.ended(number, end)) {
        let attempts = 1;
        submitter.ended(number, End::Failed { attempts, text });
    }
}

/// The error of a message that could not be sent.
pub(super) fn unsent(sent: Sent) -> Option<String> {
    let error = sent.check().err()?;
    Some(format!("it cannot be sent: {error}"))
}

#[port(crate = crate)]
impl Dispatcher {
    /// Its figures.
    #[rcv]
    pub fn stats(&self) -> Stats {
        self.machine.stats()
    }

    /// Takes no more jobs, waits until none is left, and ends the dispatcher with a normal reason. Jobs that have not been
    /// accepted go to the next dispatcher of its family; without one they end with
    /// [`JobError::Draining`](super::JobError::Draining).
    #[rcv]
    pub fn drain(&mut self, cx: &mut Cx<'_>, reply: Reply<()>) {
        supervisor::keep(&mut self.draining, reply);
        if let Some(family) = self.family.take() {
            // The name was checked when the dispatcher was started.
            let _ = self.node.db_del(&family, [cx.id().to_string()]);
        }
        let now = self.now();
        self.machine.drain(now);
        self.act(cx);
    }

    #[doc(hidden)]
    #[rcv]
    pub fn submit(&mut self, cx: &mut Cx<'_>, from: SubmitterRef, job: Submission) {
        let number = job.number;
        let Some((member, submitter)) = self.submitter(cx, &from) else {
            from.ended(number, End::Refused(Refusal::Flood));
            return;
        };
        let weight = aemp_proto::weight(&job.job.0) + job.key.as_ref().map_or(0, String::len);
        let new = NewJob {
            id: JobId { submitter, number },
            payload: job.job,
            weight,
            order: job.key.map(Into::into),
            before: job.before,
        };
        let now = self.now();
        self.machine.submit(now, member, new);
        self.act(cx);
    }

    #[doc(hidden)]
    #[rcv]
    pub fn withdraw(&mut self, cx: &mut Cx<'_>, submitter: PortId, number: u64) {
        let now = self.now();
        self.machine.cancel(now, &JobId { submitter, number });
        self.act(cx);
    }

    #[doc(hidden)]
    #[rcv]
    pub fn offer(&mut self, cx: &mut Cx<'_>, worker: WorkerRef, room: u32) {
        let now = self.now();
        if room > 0
            && let Some(&before) = self.numbers.get(&worker.id())
        {
            // A worker offers its room once in each session, so it has lost the one before, and its attempts with it.
            self.forget_worker(now, before, "it has begun anew");
        }
        if let Some(member) = self.worker(cx, worker) {
            self.machine.offer(now, member, room);
        }
        self.act(cx);
    }

    #[doc(hidden)]
    #[rcv]
    pub fn leave(&mut self, cx: &mut Cx<'_>, worker: PortId, reply: Reply<()>) {
        let Some(&member) = self.numbers.get(&worker) else {
            return reply.send(());
        };
        self.leaving.insert(member, reply);
        self.machine.leave(member);
        self.act(cx);
    }

    #[doc(hidden)]
    #[rcv]
    pub fn ended(&mut self, cx: &mut Cx<'_>, run: u64, outcome: Outcome) {
        let now = self.now();
        self.machine.ended(now, run, outcome);
        self.act(cx);
    }

    #[doc(hidden)]
    #[rcv]
    pub fn progressed(&mut self, cx: &mut Cx<'_>, run: u64, report: Value) {
        self.machine.progress(run, report);
        self.act(cx);
    }

    #[doc(hidden)]
    #[rcv("aemp event")]
    pub fn event(&mut self, cx: &mut Cx<'_>, event: Local<Event>) {
        let now = self.now();
        match event.0 {
            Event::Tick => {
                self.alarm.rang();
                self.machine.timeout(now);
            }
            Event::Register(rank) => {
                if let Some(family) = &self.family
                    && let Err(error) = self.node.db_reg(family, &cx.id(), rank)
                {
                    crate::log::error!("a dispatcher is not registered: {error}");
                }
            }
            Event::SubmitterLost(member) => {
                if let Some(known) = self.submitters.remove(&member) {
                    self.numbers.remove(&known.id);
                }
                self.last = self.last.take().filter(|(_, last)| *last != member);
                self.machine.submitter_lost(now, member);
            }
            Event::WorkerLost(member, reason) => {
                self.forget_worker(now, member, &reason.to_string());
            }
        }
        self.act(cx);
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("stats", &self.machine.stats())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Event")
    }
}
