//! The workloads, each written once for all contenders.

mod blocking;
mod sizes;

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::local::framework::{Counter, Framework, Latch, Place, Relay};
use crate::local::workloads::blocking::{BLOCKING, Blocking};
pub(crate) use crate::local::workloads::sizes::Sizes;
use crate::report::{self, Unit};
use crate::runtime;

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    OneWay,
    FanIn,
    Call,
    CallsInFlight,
    PingPong,
    Ring,
    SpawnStop,
    Memory,
    Visit,
    Tree,
    Blocking(Blocking),
}

const QUICK: [Workload; 10] = [
    Workload::OneWay,
    Workload::FanIn,
    Workload::Call,
    Workload::CallsInFlight,
    Workload::PingPong,
    Workload::Ring,
    Workload::SpawnStop,
    Workload::Memory,
    Workload::Visit,
    Workload::Tree,
];

/// All workloads, in the order of the report.
pub(crate) fn all() -> Vec<Workload> {
    let blocking = BLOCKING.iter().copied().map(Workload::Blocking);
    QUICK.into_iter().chain(blocking).collect()
}

impl Workload {
    /// The name for `--only`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one-way",
            Self::FanIn => "fan-in",
            Self::Call => "call",
            Self::CallsInFlight => "calls-64",
            Self::PingPong => "ping-pong",
            Self::Ring => "ring",
            Self::SpawnStop => "spawn-stop",
            Self::Memory => "memory",
            Self::Visit => "visit",
            Self::Tree => "tree",
            Self::Blocking(blocking) => blocking.name,
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OneWay => "one-way, 1 sender to 1 port",
            Self::FanIn => "fan-in, 4 senders to 1 port",
            Self::Call => "call, sequential, median",
            Self::CallsInFlight => "calls, 64 in flight",
            Self::PingPong => "ping-pong, round trips",
            Self::Ring => "ring of 503, hops",
            Self::SpawnStop => "spawn and stop",
            Self::Memory => "memory per idle port after one message,",
            Self::Visit => "one message to each of 100,000 ports",
            Self::Tree => "tree of 111,111 actors, spawn and sum up",
            Self::Blocking(blocking) => blocking.title,
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::Call => Unit::cost("ns"),
            Self::Memory => Unit::cost("bytes"),
            Self::Visit | Self::Tree => Unit::cost("ms"),
            Self::Blocking(blocking) => blocking.unit(),
            _ => Unit::rate("M/s"),
        }
    }

    /// The theoretical optimum, if it is known.
    pub(crate) fn ideal(self, sizes: &Sizes) -> Option<f64> {
        match self {
            Self::Blocking(blocking) => blocking.ideal(sizes),
            _ => None,
        }
    }

    fn workers(self) -> usize {
        match self {
            Self::Blocking(blocking) => blocking.workers,
            _ => runtime::usual_workers(),
        }
    }
}

/// Measures one workload once, in a new runtime.
pub(crate) fn measure<F: Framework>(workload: Workload, sizes: Sizes) -> f64 {
    F::run(workload.workers(), move |framework| async move {
        match workload {
            Workload::OneWay => one_way(&framework, sizes.messages).await,
            Workload::FanIn => fan_in(&framework, sizes.messages).await,
            Workload::Call => call(&framework, sizes.calls).await,
            Workload::CallsInFlight => calls_in_flight(&framework, sizes.calls_in_flight).await,
            Workload::PingPong => ring(&framework, 2, 2 * sizes.round_trips).await / 2.0,
            Workload::Ring => ring(&framework, sizes.ring_actors, sizes.ring_hops).await,
            Workload::SpawnStop => spawn_stop(&framework, sizes.spawns).await,
            Workload::Memory => unreachable!("measured in a process of its own"),
            Workload::Visit => visit(&framework, sizes.visited).await,
            Workload::Tree => tree(&framework, sizes.tree_depth).await,
            Workload::Blocking(blocking) => blocking.measure(&framework, &sizes).await,
        }
    })
}

async fn one_way<F: Framework>(framework: &F, messages: u64) -> f64 {
    let counter = framework.counter(Place::Far, None).await;
    let start = Instant::now();
    for _ in 0..messages {
        counter.add(1).await;
    }
    assert_eq!(counter.get().await, messages);
    millions_per_second(messages, start)
}

async fn fan_in<F: Framework>(framework: &F, messages: u64) -> f64 {
    const SENDERS: u64 = 4;
    let counter = framework.counter(Place::Far, None).await;
    let start = Instant::now();
    let sender = |_| {
        let counter = counter.clone();
        framework.task(Place::Near, async move {
            for _ in 0..messages / SENDERS {
                counter.add(1).await;
            }
        })
    };
    for sender in (0..SENDERS).map(sender).collect::<Vec<_>>() {
        sender.await.expect("a sender runs to its end");
    }
    assert_eq!(counter.get().await, messages);
    millions_per_second(messages, start)
}

/// Calls are timed in groups of ten, because reading the clock costs a tenth of the quickest call.
async fn call<F: Framework>(framework: &F, calls: u64) -> f64 {
    const BATCH: u32 = 10;
    let counter = framework.counter(Place::Near, None).await;
    let mut batches = Vec::new();
    for _ in 0..calls / u64::from(BATCH) {
        let start = Instant::now();
        for _ in 0..BATCH {
            counter.get().await;
        }
        batches.push((start.elapsed() / BATCH).as_nanos() as f64);
    }
    report::median(&batches).expect("there is at least one batch")
}

async fn calls_in_flight<F: Framework>(framework: &F, calls: u64) -> f64 {
    const CALLERS: u64 = 64;
    let counter = framework.counter(Place::Near, None).await;
    let start = Instant::now();
    let caller = |_| {
        let counter = counter.clone();
        framework.task(Place::Near, async move {
            for _ in 0..calls / CALLERS {
                counter.get().await;
            }
        })
    };
    for caller in (0..CALLERS).map(caller).collect::<Vec<_>>() {
        caller.await.expect("a caller runs to its end");
    }
    millions_per_second(calls, start)
}

/// Hops of one token around a ring; ping-pong is a ring of two.
///
/// If each hop wakes another thread, it takes a hundred times as long. Then a second of hops is enough, so the time
/// of a run is limited.
async fn ring<F: Framework>(framework: &F, actors: u64, hops: u64) -> f64 {
    let (done, mut finished) = mpsc::unbounded_channel();
    let mut relays = Vec::new();
    for index in 0..actors {
        let place = if index < actors / 2 {
            Place::Near
        } else {
            Place::Far
        };
        relays.push(framework.relay(place, done.clone()).await);
    }
    for (index, relay) in relays.iter().enumerate() {
        let next = &relays[(index + 1) % relays.len()];
        relay.link(next.clone()).await;
    }
    // One round first, so that every actor has started and knows its neighbour.
    relays[0].pass(actors).await;
    finished.recv().await.expect("the token comes to its end");
    let start = Instant::now();
    let part = hops / 20;
    let mut passed = 0;
    while passed < hops && start.elapsed() < Duration::from_secs(1) {
        relays[0].pass(part).await;
        finished.recv().await.expect("the token comes to its end");
        passed += part;
    }
    millions_per_second(passed, start)
}

/// At most a thousand actors live at a time. A wave ends when all of them have dropped their state.
async fn spawn_stop<F: Framework>(framework: &F, spawns: u64) -> f64 {
    const WAVE: u64 = 1_000;
    let start = Instant::now();
    let mut left = spawns;
    while left > 0 {
        let wave = left.min(WAVE);
        let (life, all_stopped) = Latch::new();
        for index in 0..wave {
            let counter = framework
                .counter(Place::spread(index), Some(life.clone()))
                .await;
            counter.stop().await;
        }
        drop(life);
        all_stopped.await;
        left -= wave;
    }
    millions_per_second(spawns, start)
}

async fn visit<F: Framework>(framework: &F, actors: u64) -> f64 {
    let counters = counters(framework, actors).await;
    // Afterwards the actors are idle, and not about to start.
    visit_all(&counters).await;
    let start = Instant::now();
    visit_all(&counters).await;
    start.elapsed().as_secs_f64() * 1e3
}

pub(crate) async fn counters<F: Framework>(framework: &F, count: u64) -> Vec<F::Counter> {
    let mut counters = Vec::new();
    for index in 0..count {
        counters.push(framework.counter(Place::spread(index), None).await);
    }
    counters
}

/// Sends a message to each, and waits until the last one has been handled.
pub(crate) async fn visit_all<C: Counter>(counters: &[C]) {
    let (latch, all_visited) = Latch::new();
    for counter in counters {
        counter.visit(latch.clone()).await;
    }
    drop(latch);
    all_visited.await;
}

async fn tree<F: Framework>(framework: &F, depth: u32) -> f64 {
    let start = Instant::now();
    let actors = framework.tree(depth).await;
    let taken = start.elapsed();
    assert_eq!(actors, (10_u64.pow(depth + 1) - 1) / 9);
    taken.as_secs_f64() * 1e3
}

fn millions_per_second(count: u64, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64() / 1e6
}
