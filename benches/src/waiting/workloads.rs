//! The workloads, written once for all contenders.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::report::{self, Unit};
use crate::runtime;
use crate::schedule;
use crate::waiting::framework::{Framework, State, Wait, Waiter};

/// A row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    name: &'static str,
    title: &'static str,
    kind: Kind,
    actors: u64,
    /// The messages to each actor.
    messages: u64,
    sends: Sends,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Never,
    /// So many microseconds.
    Work(u64),
    Yield,
    Answer,
    Timer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sends {
    /// All messages are sent without waiting: one to each actor, then the next one.
    AtOnce,
    /// One sender calls an actor, and then the next one.
    Calls,
}

const fn at_once(
    name: &'static str,
    title: &'static str,
    kind: Kind,
    actors: u64,
    messages: u64,
) -> Workload {
    Workload {
        name,
        title,
        kind,
        actors,
        messages,
        sends: Sends::AtOnce,
    }
}

const fn calls(name: &'static str, title: &'static str, kind: Kind) -> Workload {
    Workload {
        name,
        title,
        kind,
        actors: 1,
        messages: 100_000,
        sends: Sends::Calls,
    }
}

#[rustfmt::skip]
pub(crate) const WORKLOADS: [Workload; 19] = [
    at_once("plain-20k", "no wait, plain fn, 20,000 messages to 1 actor", Kind::Plain, 1, 20_000),
    at_once("never-20k", "no wait, async fn, 20,000 messages to 1 actor", Kind::Never, 1, 20_000),
    at_once("plain-200k", "no wait, plain fn, 200,000 messages to 1 actor", Kind::Plain, 1, 200_000),
    at_once("never-200k", "no wait, async fn, 200,000 messages to 1 actor", Kind::Never, 1, 200_000),
    at_once("yield-1", "yield_now, 80,000 messages to 1 actor", Kind::Yield, 1, 80_000),
    at_once("yield-1k", "yield_now, 1,000 actors, 200 messages each", Kind::Yield, 1_000, 200),
    at_once("yield-100k", "yield_now, 100,000 actors, 3 messages each", Kind::Yield, 100_000, 3),
    at_once("answer-1", "answer of a task, 80,000 messages to 1 actor", Kind::Answer, 1, 80_000),
    at_once("answer-1k", "answer of a task, 1,000 actors, 200 messages each", Kind::Answer, 1_000, 200),
    at_once("answer-100k", "answer of a task, 100,000 actors, 3 messages each", Kind::Answer, 100_000, 3),
    at_once("timer-1", "timer of 1 ms, 200 messages to 1 actor", Kind::Timer, 1, 200),
    at_once("timer-1k", "timer of 1 ms, 1,000 actors, 100 messages each", Kind::Timer, 1_000, 100),
    at_once("timer-100k", "timer of 1 ms, 100,000 actors, 3 messages each", Kind::Timer, 100_000, 3),
    at_once("work-10us", "handlers that compute for 10 us, 1,000 actors, 40 messages each", Kind::Work(10), 1_000, 40),
    at_once("work-1ms", "handlers that compute for 1 ms, 100 actors, 10 messages each", Kind::Work(1_000), 100, 10),
    calls("call-plain", "call, plain fn", Kind::Plain),
    calls("call-never", "call, async fn without a wait", Kind::Never),
    calls("call-yield", "call, yield_now", Kind::Yield),
    calls("call-answer", "call, answer of a task", Kind::Answer),
];

impl schedule::Workload for Workload {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn unit(&self) -> Unit {
        match self.sends {
            Sends::AtOnce => Unit::rate("k/s"),
            Sends::Calls => Unit::cost("ns"),
        }
    }

    /// The theoretical optimum of handlers that compute: all workers do so all the time.
    fn ideal(&self) -> Option<f64> {
        match self.kind {
            Kind::Work(micros) => Some(runtime::usual_workers() as f64 * 1e3 / micros as f64),
            _ => None,
        }
    }
}

impl Workload {
    /// A size that only shows that the workload runs.
    pub(crate) fn small(self) -> Self {
        Self {
            actors: self.actors.div_ceil(1_000),
            messages: self.messages.div_ceil(100),
            ..self
        }
    }
}

impl Kind {
    fn wait(self) -> Wait {
        match self {
            Self::Plain => Wait::Plain,
            Self::Never => Wait::Never,
            Self::Work(micros) => Wait::Work(Duration::from_micros(micros)),
            Self::Yield => Wait::Yield,
            Self::Answer => Wait::Answer(answerer()),
            Self::Timer => Wait::Timer,
        }
    }
}

/// A task that answers at once.
fn answerer() -> mpsc::UnboundedSender<oneshot::Sender<()>> {
    let (sender, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<()>>();
    tokio::spawn(async move {
        while let Some(reply) = asked.recv().await {
            let _ = reply.send(());
        }
    });
    sender
}

/// Measures one workload once, in a new runtime.
pub(crate) fn measure<F: Framework>(workload: Workload) -> f64 {
    let runtime = runtime::multi_thread();
    let task = runtime.spawn(async move {
        let framework = F::start();
        match workload.sends {
            Sends::AtOnce => send_at_once(&framework, workload).await,
            Sends::Calls => call(&framework, workload).await,
        }
    });
    runtime.block_on(task).expect("no workload panics")
}

/// The rate in thousands of messages per second.
async fn send_at_once<F: Framework>(framework: &F, workload: Workload) -> f64 {
    let (life, mut lives) = mpsc::channel(1);
    let mut actors = Vec::new();
    for _ in 0..workload.actors {
        let state = State {
            left: workload.messages + 1,
            life: Some(life.clone()),
        };
        actors.push(framework.waiter(state).await);
    }
    drop(life);
    // Afterwards the actors are idle, and not about to start.
    for actor in &actors {
        actor.rested(Wait::Plain).await;
    }
    let wait = workload.kind.wait();
    let start = Instant::now();
    for _ in 0..workload.messages {
        for actor in &actors {
            actor.rest(wait.clone());
        }
    }
    assert!(lives.recv().await.is_none(), "nothing is sent");
    let messages = workload.actors * workload.messages;
    messages as f64 / start.elapsed().as_secs_f64() / 1e3
}

/// The median time of a call in nanoseconds, in groups of ten, because reading the clock takes a while.
async fn call<F: Framework>(framework: &F, workload: Workload) -> f64 {
    const BATCH: u32 = 10;
    let actor = framework
        .waiter(State {
            left: workload.messages + 1,
            life: None,
        })
        .await;
    let wait = workload.kind.wait();
    let mut batches = Vec::new();
    for _ in 0..workload.messages / u64::from(BATCH) {
        let start = Instant::now();
        for _ in 0..BATCH {
            actor.rested(wait.clone()).await;
        }
        batches.push((start.elapsed() / BATCH).as_nanos() as f64);
    }
    report::median(&batches).expect("there is at least one batch")
}
