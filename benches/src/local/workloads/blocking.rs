//! Workloads with handlers that block their threads, and the effects on other actors.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::local::framework::{Counter, Framework, Job, Labourer, Latch, Place};
use crate::local::workloads::Sizes;
use crate::report::{self, Unit};

/// A row: the measurement, and the number of workers.
///
/// Two workers are the number of the other rows. Four workers on two cores show the use of free workers, because
/// sleeping jobs leave the cores to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocking {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) workers: usize,
    measured: Measured,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measured {
    /// The time in milliseconds from the message to the actor that hands out jobs, until all jobs are done.
    FanOut(Job),
    /// The time in milliseconds until the caller of a slow handler continues.
    SlowCall(Limit),
    /// The time in microseconds until a quick actor answers beside slow ones.
    Beside(Ask, Figure),
    /// The time in microseconds until idle actors have handled the messages of a slow handler.
    Behind(Figure),
}

/// The owner of a call's time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// The framework, if it has time limits.
    Own,
    /// `tokio::time::timeout` around the call.
    Around,
    /// The framework. The actor has answered this number of calls quickly before.
    OwnAfterQuick(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Call,
    /// A message that opens a latch.
    Message,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Median,
    P99,
}

const LONG: Job = Job::Sleep(Duration::from_millis(10));
const SHORT: Job = Job::Spin(Duration::from_micros(100));

/// A tenth of the time of a slow call in the full size.
const LIMIT: Duration = Duration::from_millis(20);

pub(super) const BLOCKING: [Blocking; 14] = [
    Blocking {
        name: "fan-out-10ms-2",
        title: "fan-out of 64 jobs of 10 ms (asleep) from a handler, 2 workers",
        workers: 2,
        measured: Measured::FanOut(LONG),
    },
    Blocking {
        name: "fan-out-10ms-4",
        title: "fan-out of 64 jobs of 10 ms (asleep) from a handler, 4 workers",
        workers: 4,
        measured: Measured::FanOut(LONG),
    },
    Blocking {
        name: "fan-out-100us-2",
        title: "fan-out of 1,000 jobs of 100 us (spinning) from a handler, 2 workers",
        workers: 2,
        measured: Measured::FanOut(SHORT),
    },
    Blocking {
        name: "slow-call-2",
        title: "call of a new port of 200 ms, limit 20 ms, until it fails, 2 workers",
        workers: 2,
        measured: Measured::SlowCall(Limit::Own),
    },
    Blocking {
        name: "slow-call-4",
        title: "call of a new port of 200 ms, limit 20 ms, until it fails, 4 workers",
        workers: 4,
        measured: Measured::SlowCall(Limit::Own),
    },
    Blocking {
        name: "slow-call-around-4",
        title: "call of a new port of 200 ms, limit 20 ms around it, until it fails, 4 workers",
        workers: 4,
        measured: Measured::SlowCall(Limit::Around),
    },
    Blocking {
        name: "slow-call-once-quick-4",
        title: "call that takes 200 ms after 100 quick ones, limit 20 ms, until it fails, 4 workers",
        workers: 4,
        measured: Measured::SlowCall(Limit::OwnAfterQuick(100)),
    },
    Blocking {
        name: "beside-2",
        title: "call of a quick port beside 1 busy with 10 ms handlers, median, 2 workers",
        workers: 2,
        measured: Measured::Beside(Ask::Call, Figure::Median),
    },
    Blocking {
        name: "beside-p99-2",
        title: "call of a quick port beside 1 busy with 10 ms handlers, p99, 2 workers",
        workers: 2,
        measured: Measured::Beside(Ask::Call, Figure::P99),
    },
    Blocking {
        name: "beside-4",
        title: "call of a quick port beside 3 busy with 10 ms handlers, median, 4 workers",
        workers: 4,
        measured: Measured::Beside(Ask::Call, Figure::Median),
    },
    Blocking {
        name: "beside-p99-4",
        title: "call of a quick port beside 3 busy with 10 ms handlers, p99, 4 workers",
        workers: 4,
        measured: Measured::Beside(Ask::Call, Figure::P99),
    },
    Blocking {
        name: "beside-message-p99-4",
        title: "message to a quick port beside 3 busy with 10 ms handlers, p99, 4 workers",
        workers: 4,
        measured: Measured::Beside(Ask::Message, Figure::P99),
    },
    Blocking {
        name: "behind-4",
        title: "messages to 10 idle ports by a handler that goes on for 10 ms, median, 4 workers",
        workers: 4,
        measured: Measured::Behind(Figure::Median),
    },
    Blocking {
        name: "behind-p99-4",
        title: "messages to 10 idle ports by a handler that goes on for 10 ms, p99, 4 workers",
        workers: 4,
        measured: Measured::Behind(Figure::P99),
    },
];

impl Blocking {
    pub(super) fn unit(self) -> Unit {
        match self.measured {
            Measured::FanOut(_) | Measured::SlowCall(_) => Unit::cost("ms"),
            Measured::Beside(..) | Measured::Behind(_) => Unit::cost("us"),
        }
    }

    /// All work divided by the workers, or the time limit.
    pub(super) fn ideal(self, sizes: &Sizes) -> Option<f64> {
        match self.measured {
            Measured::FanOut(job) => {
                let work = job.time() * jobs(job, sizes);
                Some(milliseconds(work) / self.workers as f64)
            }
            Measured::SlowCall(_) => Some(milliseconds(LIMIT)),
            Measured::Beside(..) | Measured::Behind(_) => None,
        }
    }

    pub(super) async fn measure<F: Framework>(self, framework: &F, sizes: &Sizes) -> f64 {
        match self.measured {
            Measured::FanOut(job) => fan_out(framework, job, jobs(job, sizes)).await,
            Measured::SlowCall(limit) => slow_calls(framework, limit, sizes).await,
            Measured::Beside(ask, figure) => {
                let busy = self.workers - 1;
                figure.of(&beside(framework, ask, busy, sizes.busy_jobs).await)
            }
            Measured::Behind(figure) => figure.of(&behind(framework, sizes.busy_jobs).await),
        }
    }
}

impl Figure {
    fn of(self, taken: &[f64]) -> f64 {
        let figure = match self {
            Self::Median => report::median(taken),
            Self::P99 => report::percentile(taken, 99),
        };
        figure.expect("something was measured once at least")
    }
}

fn jobs(job: Job, sizes: &Sizes) -> u32 {
    match job {
        Job::Sleep(_) => sizes.long_jobs,
        Job::Spin(_) => sizes.short_jobs,
    }
}

/// All actors have handled a message before, so they are idle and not about to start.
async fn fan_out<F: Framework>(framework: &F, job: Job, jobs: u32) -> f64 {
    let boss = framework.labourer(0).await;
    let mut others = Vec::new();
    for index in 0..jobs {
        others.push(framework.labourer(index as usize).await);
    }
    hand_out(&boss, Job::NOTHING, &others).await;
    milliseconds(hand_out(&boss, job, &others).await)
}

async fn hand_out<L: Labourer>(boss: &L, job: Job, others: &[L]) -> Duration {
    let (latch, all_done) = Latch::new();
    let to = |other: &L| (other.clone(), latch.clone());
    let others = others.iter().map(to).collect();
    drop(latch);
    let start = Instant::now();
    boss.hand_out(job, others, Job::NOTHING).await;
    all_done.await - start
}

/// The median of a few calls, each to another actor. A call begins when the handler of the previous one has ended and
/// its worker is free again.
async fn slow_calls<F: Framework>(framework: &F, limit: Limit, sizes: &Sizes) -> f64 {
    let job = Job::Sleep(sizes.slow_call);
    let mut taken = Vec::new();
    for _ in 0..sizes.slow_calls {
        let slow = framework.labourer(1).await;
        if let Limit::OwnAfterQuick(calls) = limit {
            for _ in 0..calls {
                slow.call(Job::NOTHING, Latch::new().0, None).await;
            }
        }
        let (latch, handler_ended) = Latch::new();
        let start = Instant::now();
        match limit {
            Limit::Around => drop(timeout(LIMIT, slow.call(job, latch, None)).await),
            Limit::Own | Limit::OwnAfterQuick(_) => drop(slow.call(job, latch, Some(LIMIT)).await),
        }
        taken.push(milliseconds(start.elapsed()));
        handler_ended.await;
    }
    report::median(&taken).expect("there is at least one call")
}

/// The times until the quick actor answered, measured once a millisecond while the others are busy. Each of these has
/// all its jobs in its queue from the start.
async fn beside<F: Framework>(framework: &F, ask: Ask, busy: usize, jobs: u32) -> Vec<f64> {
    let quick = framework.counter(Place::Near, None).await;
    for _ in 0..100 {
        hear(&quick, ask).await;
    }
    let (latch, all_done) = Latch::new();
    for index in 0..busy {
        let slow = framework.labourer(index + 1).await;
        for _ in 0..jobs {
            slow.toil(LONG, latch.clone()).await;
        }
    }
    drop(latch);
    let mut all_done = framework.task(Place::Near, all_done);
    let mut taken = Vec::new();
    while all_done.try_recv().is_err() {
        sleep(Duration::from_millis(1)).await;
        let start = Instant::now();
        let heard = hear(&quick, ask).await;
        taken.push(microseconds(heard - start));
    }
    taken
}

/// A handler sends to ten idle actors, and then blocks its thread. Returns the times until each has handled its message.
async fn behind<F: Framework>(framework: &F, turns: u32) -> Vec<f64> {
    const IDLE: usize = 10;
    let slow = framework.labourer(1).await;
    let mut idle = Vec::new();
    for index in 0..IDLE {
        idle.push(framework.labourer(index + 2).await);
    }
    hand_out(&slow, Job::NOTHING, &idle).await;
    let mut taken = Vec::new();
    for _ in 0..turns {
        let (latches, handled): (Vec<_>, Vec<_>) = idle.iter().map(|_| Latch::new()).unzip();
        let others = idle.iter().cloned().zip(latches).collect();
        let start = Instant::now();
        slow.hand_out(Job::NOTHING, others, LONG).await;
        for handled in handled {
            taken.push(microseconds(handled.await - start));
        }
        // The answer comes when the slow handler has ended.
        slow.call(Job::NOTHING, Latch::new().0, None).await;
    }
    taken
}

/// The time at which the caller has the answer, or the actor has handled the message.
async fn hear<C: Counter>(quick: &C, ask: Ask) -> Instant {
    match ask {
        Ask::Call => {
            quick.get().await;
            Instant::now()
        }
        Ask::Message => {
            let (latch, heard) = Latch::new();
            quick.visit(latch).await;
            heard.await
        }
    }
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
