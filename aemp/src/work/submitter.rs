//! The port behind a `Jobs`: it holds each job until it has ended, and submits it again when its dispatcher is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use aemp_codec::{PortId, Value};

use super::{
    JobError,
    machine::WINDOW,
    source::{Dispatchers, Kind, RETRY, Source, in_order},
    ticket::Stub,
    wire::{End, Payload, Refusal, Submission},
};
use crate::{Cx, DbError, Local, Node, Reason, SendError, db::DbMonitor, port};

/// The port of a [`Jobs`](super::Jobs).
#[doc(hidden)]
pub struct Submitter {
    node: Node,
    dispatchers: Dispatchers,
    held: BTreeMap<u64, Held>,
    /// The jobs that are not with a dispatcher.
    here: BTreeSet<u64>,
    /// The number of jobs that are with a dispatcher and have not been accepted.
    sent: usize,
    /// The reason of the death of its only dispatcher.
    orphaned: Option<Reason>,
    /// True if all handles are gone. It ends with its last job.
    closing: bool,
    watch: Option<DbMonitor>,
}

/// A job until its end.
struct Held {
    job: Payload,
    key: Option<String>,
    /// The number of times that it was submitted, and may have been begun, before.
    before: u32,
    at: At,
    cancelled: bool,
    stub: Stub,
}

#[derive(PartialEq)]
enum At {
    Here,
    Sent(PortId),
    Accepted(PortId),
}

/// A message of a submitter to itself, or from its handles. It cannot leave the process.
#[doc(hidden)]
pub struct Order(Command);

pub(super) enum Command {
    Hold {
        number: u64,
        job: Payload,
        key: Option<String>,
        stub: Stub,
    },
    Withdraw(u64),
    Listed(Vec<PortId>),
    Lost(PortId, u64, Reason),
    Retry,
    Close,
}

impl Submitter {
    /// Makes a submitter of these dispatchers.
    pub(super) fn start(node: &Node, source: &Source) -> Result<SubmitterRef, DbError> {
        let submitter = node.port(Self {
            node: node.clone(),
            dispatchers: Dispatchers::default(),
            held: BTreeMap::new(),
            here: BTreeSet::new(),
            sent: 0,
            orphaned: None,
            closing: false,
            watch: None,
        });
        match &source.0 {
            Kind::One(port) => drop(submitter.notify(Command::Listed(vec![port.clone()]))),
            Kind::Family(family) => {
                let me = submitter.clone();
                let watch = node.db_mon(family, move |change| {
                    me.notify(Command::Listed(in_order(change)));
                });
                match watch {
                    Ok(watch) => drop(submitter.watched(Local(watch))),
                    Err(error) => {
                        submitter.kill(());
                        return Err(error);
                    }
                }
            }
        }
        Ok(submitter)
    }

    /// Submits the jobs that may be submitted.
    fn pump(&mut self, cx: &Cx<'_>) {
        while self.sent < WINDOW
            && let Some(&number) = self.here.first()
            && let Some(port) = self.dispatchers.first()
        {
            self.here.remove(&number);
            let me = cx.handle_of(self);
            let Some(held) = self.held.get_mut(&number) else {
                continue;
            };
            let submission = Submission {
                number,
                job: held.job.clone(),
                key: held.key.clone(),
                before: held.before,
            };
            held.at = At::Sent(port.clone());
            self.sent += 1;
            let (lost, from) = (port.clone(), me.clone());
            let lost = move |number, reason| drop(me.notify(Command::Lost(lost, number, reason)));
            let session = self.dispatchers.open(&self.node, &port, lost);
            match session.dispatcher.submit(from, submission).check() {
                Ok(()) => {}
                Err(SendError::Encode(error)) => self.end(number, Err(JobError::Encode(error))),
                Err(error) => {
                    let reason = Reason::die(error);
                    self.end(number, Err(JobError::Died(reason)));
                }
            }
        }
        if let Some(reason) = self.orphaned.clone() {
            while let Some(&number) = self.here.first() {
                self.end(number, Err(JobError::Died(reason.clone())));
            }
        }
    }

    fn end(&mut self, number: u64, end: Result<Value, JobError>) {
        self.here.remove(&number);
        if let Some(held) = self.held.remove(&number) {
            if matches!(held.at, At::Sent(_)) {
                self.sent = self.sent.saturating_sub(1);
            }
            held.stub.0.ended(end);
        }
    }

    /// The dispatcher does not accept a job.
    fn refused(&mut self, number: u64, refusal: Refusal) {
        let Some(held) = self.held.get_mut(&number) else {
            return;
        };
        if held.cancelled {
            return self.end(number, Err(JobError::Cancelled));
        }
        if refusal != Refusal::Draining || self.watch.is_none() {
            let error = match refusal {
                Refusal::Draining => JobError::Draining,
                Refusal::Full | Refusal::Flood => JobError::Full,
            };
            return self.end(number, Err(error));
        }
        // Another dispatcher of the family may take it.
        if let At::Sent(port) = &held.at {
            self.sent = self.sent.saturating_sub(1);
            self.dispatchers.leave_out(port);
            held.at = At::Here;
            self.here.insert(number);
        }
    }

    fn withdraw(&mut self, cx: &Cx<'_>, number: u64) {
        let Some(held) = self.held.get_mut(&number) else {
            return;
        };
        match &held.at {
            At::Here => self.end(number, Err(JobError::Cancelled)),
            At::Sent(port) | At::Accepted(port) => {
                held.cancelled = true;
                if let Some(session) = self.dispatchers.session(port) {
                    session.dispatcher.withdraw(cx.id(), number);
                }
            }
        }
    }

    /// A dispatcher is lost. Its jobs are submitted again.
    fn lost(&mut self, cx: &Cx<'_>, port: &PortId, session: u64, reason: Reason) {
        if !self.dispatchers.lost(port, session, &reason) {
            return;
        }
        let mut cancelled = Vec::new();
        for (&number, held) in &mut self.held {
            match &held.at {
                At::Sent(at) if at == port => self.sent = self.sent.saturating_sub(1),
                At::Accepted(at) if at == port => {}
                _ => continue,
            }
            held.at = At::Here;
            held.before = held.before.saturating_add(1);
            self.here.insert(number);
            if held.cancelled {
                cancelled.push(number);
            }
        }
        for number in cancelled {
            self.end(number, Err(JobError::Cancelled));
        }
        if reason.is_loss() {
            let me = cx.handle_of(self);
            cx.after(RETRY, move |_| drop(me.notify(Command::Retry)));
        } else if self.watch.is_none() {
            self.orphaned = Some(reason);
        }
    }
}

#[port(crate = crate)]
impl Submitter {
    #[rcv]
    fn accepted(&mut self, cx: &mut Cx<'_>, number: u64) {
        if let Some(held) = self.held.get_mut(&number)
            && let At::Sent(port) = &held.at
        {
            held.at = At::Accepted(port.clone());
            self.sent = self.sent.saturating_sub(1);
            held.stub.0.accepted();
            self.pump(cx);
        }
    }

    #[rcv]
    fn ended(&mut self, cx: &mut Cx<'_>, number: u64, end: End) {
        match end {
            End::Done(result) => self.end(number, Ok(result)),
            End::Failed { attempts, text } => {
                self.end(number, Err(JobError::Failed { attempts, text }));
            }
            End::Cancelled => self.end(number, Err(JobError::Cancelled)),
            End::Dropped => self.end(number, Err(JobError::Dropped)),
            End::Refused(refusal) => self.refused(number, refusal),
        }
        self.pump(cx);
        self.close(cx);
    }

    #[rcv]
    fn progressed(&mut self, number: u64, report: Value) {
        if let Some(held) = self.held.get(&number) {
            held.stub.0.reported(report);
        }
    }

    #[rcv]
    fn watched(&mut self, watch: Local<DbMonitor>) {
        self.watch = Some(watch.0);
    }

    #[rcv("aemp order")]
    fn order(&mut self, cx: &mut Cx<'_>, order: Local<Order>) {
        match order.0.0 {
            Command::Hold {
                number,
                job,
                key,
                stub,
            } => {
                let held = Held {
                    job,
                    key,
                    before: 0,
                    at: At::Here,
                    cancelled: false,
                    stub,
                };
                self.held.insert(number, held);
                self.here.insert(number);
            }
            Command::Withdraw(number) => self.withdraw(cx, number),
            Command::Listed(listed) => self.dispatchers.list(listed),
            Command::Lost(port, session, reason) => self.lost(cx, &port, session, reason),
            Command::Retry => self.dispatchers.retry(),
            Command::Close => self.closing = true,
        }
        self.pump(cx);
        self.close(cx);
    }
}

impl Submitter {
    fn close(&self, cx: &mut Cx<'_>) {
        if self.held.is_empty() && self.closing {
            cx.kill(());
        }
    }
}

impl SubmitterRef {
    pub(super) fn notify(&self, command: Command) -> crate::Sent {
        self.order(Local(Order(command)))
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter")
            .field("jobs", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Order")
    }
}
