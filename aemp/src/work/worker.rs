//! The port of a worker: it asks dispatchers for jobs, and runs its function for each.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Arc,
};

use aemp_codec::PortId;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

use super::{
    Attempt, DispatcherRef, Failure, Source,
    attempt::{Task, Work, work},
    dispatcher::unsent,
    machine::MOST_ROOM,
    source::{Dispatchers, Kind, RETRY, in_order},
    wire::{Assignment, Outcome},
};
use crate::{Cx, DbError, Local, Node, Reason, Reply, db::DbMonitor, port, supervisor};

/// The number of attempts that may wait. Other nodes decide how many there are.
const MOST_WAITING: usize = 16_384;

/// A port that does jobs. See the [module](super).
pub struct Worker {
    node: Node,
    work: Arc<Work>,
    at_once: u32,
    dispatchers: Dispatchers,
    /// The attempts that run, by session and number.
    running: BTreeMap<(u64, u64), Running>,
    /// Attempts that wait: together, several dispatchers may give more than there is room for.
    queue: VecDeque<Waiting>,
    draining: Drain,
    watch: Option<DbMonitor>,
}

struct Running {
    /// Its dispatcher.
    port: PortId,
    /// Dropping it ends the attempt.
    cancel: Option<oneshot::Sender<()>>,
}

/// An attempt that waits.
struct Waiting {
    port: PortId,
    /// The session with its dispatcher.
    session: u64,
    task: Task,
}

enum Drain {
    No,
    /// The dispatchers have been told, and may still send attempts.
    Asked(Vec<Reply<()>>),
    /// No more attempts come.
    Left(Vec<Reply<()>>),
}

/// A message of a worker to itself. It cannot leave the process.
#[doc(hidden)]
pub enum News {
    Listed(Vec<PortId>),
    Lost(PortId, u64, Reason),
    Retry,
    /// An attempt of this session and number has ended.
    Ended(u64, u64, Outcome),
    Left,
}

/// A worker that has not been started: [`Worker::builder`].
#[derive(Debug, Clone)]
#[must_use = "a worker does nothing until it is started"]
pub struct WorkerBuilder {
    source: Source,
    at_once: u32,
}

impl Worker {
    /// A builder of a worker for a dispatcher, or for all dispatchers of a family.
    pub fn builder(dispatchers: impl Into<Source>) -> WorkerBuilder {
        WorkerBuilder {
            source: dispatchers.into(),
            at_once: 1,
        }
    }
}

impl WorkerBuilder {
    /// The number of jobs that it does at once, up to 16,384. Default: 1.
    pub fn at_once(mut self, jobs: u32) -> Self {
        self.at_once = jobs.clamp(1, MOST_ROOM);
        self
    }

    /// Makes the worker's port, which runs this function for each job.
    ///
    /// The future runs as a task of the node. It must not block its thread for long; see the
    /// [handbook](crate::handbook::execution). It is dropped at its next wait when the job is cancelled or the worker's port
    /// ends. A panic is a failure that is tried again.
    ///
    /// A port is a worker by a function that calls it:
    ///
    /// ```
    /// use aemp::{CallError, Node, port, work::{Attempt, Dispatcher, Worker}};
    ///
    /// struct Resizer;
    ///
    /// #[port]
    /// impl Resizer {
    ///     #[rcv]
    ///     fn resize(&self, name: String) -> u64 { name.len() as u64 }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let dispatcher = Dispatcher::builder().start(&node)?;
    /// let resizer = node.port(Resizer);
    /// Worker::builder(&dispatcher).start(&node, move |attempt: Attempt<String>| {
    ///     resizer.resize(attempt.job)
    /// })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] if the family's name is not allowed.
    pub fn start<J, R, E, F>(
        self,
        node: &Node,
        run: impl Fn(Attempt<J>) -> F + Send + Sync + 'static,
    ) -> Result<WorkerRef, DbError>
    where
        J: DeserializeOwned + Send + 'static,
        R: Serialize,
        E: Into<Failure>,
        F: IntoFuture<Output = Result<R, E>>,
        F::IntoFuture: Send + 'static,
    {
        let worker = node.port(Worker {
            node: node.clone(),
            work: work(move |attempt| run(attempt).into_future()),
            at_once: self.at_once,
            dispatchers: Dispatchers::default(),
            running: BTreeMap::new(),
            queue: VecDeque::new(),
            draining: Drain::No,
            watch: None,
        });
        match self.source.0 {
            Kind::One(port) => drop(worker.notify(News::Listed(vec![port]))),
            Kind::Family(family) => {
                let me = worker.clone();
                let watch = node.db_mon(&family, move |change| {
                    me.notify(News::Listed(in_order(change)));
                });
                match watch {
                    Ok(watch) => drop(worker.watched(Local(watch))),
                    Err(error) => {
                        worker.kill(());
                        return Err(error);
                    }
                }
            }
        }
        Ok(worker)
    }
}

impl Worker {
    /// Asks all dispatchers for work that it has not asked yet.
    fn ask(&mut self, cx: &Cx<'_>) {
        let me = cx.handle_of(self);
        if !matches!(self.draining, Drain::No) {
            return;
        }
        let new: Vec<PortId> = self
            .dispatchers
            .usable()
            .filter(|port| self.dispatchers.session(port).is_none())
            .cloned()
            .collect();
        for port in new {
            let (tell, of) = (me.clone(), port.clone());
            let lost = move |number, reason| drop(tell.notify(News::Lost(of, number, reason)));
            let session = self.dispatchers.open(&self.node, &port, lost);
            session.dispatcher.offer(me.clone(), self.at_once);
        }
    }

    /// Runs as many jobs as it has room for.
    fn pump(&mut self, cx: &mut Cx<'_>) {
        while self.running.len() < self.at_once as usize
            && let Some(waiting) = self.queue.pop_front()
        {
            let Waiting {
                port,
                session,
                task,
            } = waiting;
            let (me, run) = (cx.handle_of(self), task.run);
            let (cancel, cancelled) = oneshot::channel();
            let running = Running {
                port,
                cancel: Some(cancel),
            };
            self.running.insert((session, run), running);
            let work = (self.work)(task);
            cx.spawn(async move {
                let outcome = tokio::select! {
                    biased;
                    _ = cancelled => Outcome::Stopped,
                    outcome = work => outcome,
                };
                me.notify(News::Ended(session, run, outcome));
            });
        }
        if self.running.is_empty()
            && self.queue.is_empty()
            && let Drain::Left(callers) = &mut self.draining
        {
            callers.drain(..).for_each(|caller| caller.send(()));
            cx.kill(());
        }
    }

    /// Tells a dispatcher the outcome of an attempt, unless its session has ended.
    fn report(&self, port: &PortId, session: u64, run: u64, outcome: Outcome) {
        if let Some(open) = self.dispatchers.session(port)
            && open.number == session
            && let Some(text) = unsent(open.dispatcher.ended(run, outcome))
        {
            let retry = false;
            open.dispatcher.ended(run, Outcome::Failed { text, retry });
        }
    }

    /// A dispatcher is lost. Its attempts end.
    fn lost(&mut self, cx: &Cx<'_>, port: &PortId, session: u64, reason: &Reason) {
        if !self.dispatchers.lost(port, session, reason) {
            return;
        }
        self.queue.retain(|waiting| waiting.session != session);
        for (_, running) in self.running.range_mut((session, 0)..=(session, u64::MAX)) {
            running.cancel = None;
        }
        if reason.is_loss() {
            let me = cx.handle_of(self);
            cx.after(RETRY, move |_| drop(me.notify(News::Retry)));
        }
    }
}

#[port(crate = crate)]
impl Worker {
    /// Takes no more jobs, waits for the end of those that it has, and ends the port with a normal reason.
    #[rcv]
    pub fn drain(&mut self, cx: &mut Cx<'_>, reply: Reply<()>) {
        match &mut self.draining {
            Drain::Asked(callers) | Drain::Left(callers) => {
                return supervisor::keep(callers, reply);
            }
            Drain::No => self.draining = Drain::Asked(vec![reply]),
        }
        let (me, id) = (cx.handle_of(self), cx.id());
        let told: Vec<DispatcherRef> = self
            .dispatchers
            .sessions()
            .map(|session| session.dispatcher.clone())
            .collect();
        for dispatcher in &told {
            dispatcher.offer(me.clone(), 0);
        }
        cx.spawn(async move {
            for dispatcher in told {
                // A dispatcher that is lost sends nothing more either.
                let _ = dispatcher.leave(id.clone()).await;
            }
            me.notify(News::Left);
        });
    }

    #[doc(hidden)]
    #[rcv]
    pub fn attempt(
        &mut self,
        cx: &mut Cx<'_>,
        from: DispatcherRef,
        run: u64,
        assignment: Assignment,
    ) {
        // Without a session there is no monitor that would end the attempt, and it is not one that this worker has asked for.
        let (port, session) = self.dispatchers.identify(&from);
        let Some(session) = session else {
            return drop(from.ended(run, Outcome::Stopped));
        };
        let task = Task {
            node: self.node.clone(),
            dispatcher: from,
            run,
            assignment,
        };
        if self.queue.len() >= MOST_WAITING {
            let text = "the worker was given too many attempts".into();
            let failed = Outcome::Failed { text, retry: true };
            return self.report(&port, session, run, failed);
        }
        self.queue.push_back(Waiting {
            port,
            session,
            task,
        });
        self.pump(cx);
    }

    #[doc(hidden)]
    #[rcv]
    pub fn cancel(&mut self, from: PortId, run: u64) {
        let Some(session) = self.dispatchers.session(&from).map(|it| it.number) else {
            return;
        };
        if let Some(running) = self.running.get_mut(&(session, run)) {
            running.cancel = None;
            return;
        }
        let waits = |waiting: &Waiting| (waiting.session, waiting.task.run) == (session, run);
        if let Some(at) = self.queue.iter().position(waits) {
            self.queue.remove(at);
            self.report(&from, session, run, Outcome::Stopped);
        }
    }

    #[rcv]
    fn watched(&mut self, watch: Local<DbMonitor>) {
        self.watch = Some(watch.0);
    }

    #[doc(hidden)]
    #[rcv("aemp news")]
    pub fn news(&mut self, cx: &mut Cx<'_>, news: Local<News>) {
        match news.0 {
            News::Listed(listed) => self.dispatchers.list(listed),
            News::Lost(port, session, reason) => self.lost(cx, &port, session, &reason),
            News::Retry => self.dispatchers.retry(),
            News::Ended(session, run, outcome) => {
                if let Some(running) = self.running.remove(&(session, run)) {
                    self.report(&running.port, session, run, outcome);
                }
            }
            News::Left => {
                if let Drain::Asked(callers) = &mut self.draining {
                    self.draining = Drain::Left(std::mem::take(callers));
                }
            }
        }
        self.ask(cx);
        self.pump(cx);
    }
}

impl WorkerRef {
    fn notify(&self, news: News) -> crate::Sent {
        self.news(Local(news))
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("at_once", &self.at_once)
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("News")
    }
}
