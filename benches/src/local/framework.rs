//! The interface of a contender: four kinds of actors, and a place to run.
//!
//! The workloads are written once, with these traits. A contender writes its actors as in its own documentation, and
//! uses the fastest reasonable way of its API.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::runtime;

/// The place of an actor, for frameworks that bind an actor to a thread. Other frameworks ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the thread of the workload's own code.
    Near,
    /// On the other thread.
    Far,
}

impl Place {
    /// Alternates between the two places.
    pub(crate) fn spread(index: u64) -> Self {
        if index.is_multiple_of(2) {
            Self::Near
        } else {
            Self::Far
        }
    }
}

/// A framework, or a running system of it.
pub(crate) trait Framework: Clone + Send + Sync + 'static {
    /// The handle of an actor that adds up numbers.
    type Counter: Counter;
    /// The handle of an actor that passes a token on.
    type Relay: Relay;
    /// The handle of an actor whose handlers take time.
    type Labourer: Labourer;

    /// Called within the runtime, once for each measurement.
    fn start() -> Self;

    /// Runs a workload to its end with this number of workers, on one of them and not on the calling thread.
    fn run<T, F>(workers: usize, body: impl FnOnce(Self) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let runtime = runtime::of_workers(workers);
        let task = runtime.spawn(async { body(Self::start()).await });
        runtime.block_on(task).expect("no workload panics")
    }

    /// Starts a task at once; its result arrives on the channel.
    fn task<F>(&self, place: Place, future: F) -> oneshot::Receiver<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // tokio's scheduler chooses the thread.
        let _ = place;
        let (sender, result) = oneshot::channel();
        tokio::spawn(async { sender.send(future.await).ok() });
        result
    }

    /// A new counter, which keeps `life` in its state until it has stopped.
    fn counter(
        &self,
        place: Place,
        life: Option<Latch>,
    ) -> impl Future<Output = Self::Counter> + Send;

    /// A new relay, which reports on `done` when a token has no more hops.
    fn relay(&self, place: Place, done: Done) -> impl Future<Output = Self::Relay> + Send;

    /// A new labourer. Frameworks that bind an actor to a thread use the thread of this number, modulo the number of
    /// workers. The workload's own code runs on number 0. Other frameworks ignore the number.
    fn labourer(&self, thread: usize) -> impl Future<Output = Self::Labourer> + Send;

    /// Spawns a tree of actors in which each spawns ten others, `depth` levels below the root. A leaf reports 1, and
    /// any other actor reports 1 plus the reports of its children. Each actor stops after its report. Returns the
    /// root's report, which is the number of actors.
    fn tree(&self, depth: u32) -> impl Future<Output = u64> + Send;
}

/// The channel for a relay's report.
pub(crate) type Done = mpsc::UnboundedSender<()>;

/// The handle of an actor that adds up numbers.
pub(crate) trait Counter: Clone + Send + Sync + 'static {
    /// Sends a number, without waiting for anything but room in the queue.
    fn add(&self, number: u64) -> impl Future<Output = ()> + Send;

    /// Sends a latch, which the actor drops when it handles the message.
    fn visit(&self, latch: Latch) -> impl Future<Output = ()> + Send;

    /// Calls for the sum so far.
    fn get(&self) -> impl Future<Output = u64> + Send;

    /// Tells the actor to stop, without waiting for its end.
    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// The handle of an actor that passes a token on.
pub(crate) trait Relay: Clone + Send + Sync + 'static {
    /// Sends the neighbour to pass tokens to.
    fn link(&self, next: Self) -> impl Future<Output = ()> + Send;

    /// Sends a token with this number of hops.
    fn pass(&self, hops: u64) -> impl Future<Output = ()> + Send;
}

/// The handle of an actor whose handlers take time.
///
/// A handler blocks its thread for the duration of its job, like code that computes, reads a file or calls a blocking
/// library. When the job is done, it drops the latch that came with the job.
pub(crate) trait Labourer: Clone + Send + Sync + 'static {
    /// Sends a job.
    fn toil(&self, job: Job, latch: Latch) -> impl Future<Output = ()> + Send;

    /// Sends a message. Its handler sends the job to each of the others, with the latch, and then does a job itself.
    fn hand_out(
        &self,
        job: Job,
        others: Vec<(Self, Latch)>,
        own: Job,
    ) -> impl Future<Output = ()> + Send;

    /// Calls for a job, and waits until it is done, or until the framework's own time limit of calls. Returns whether
    /// it was done.
    fn call(
        &self,
        job: Job,
        latch: Latch,
        limit: Option<Duration>,
    ) -> impl Future<Output = bool> + Send;
}

/// The use of a labourer's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// Blocks the thread and leaves the core to others.
    Sleep(Duration),
    /// Reads the clock until the time is over, because the system's sleep is too coarse for short jobs.
    Spin(Duration),
}

impl Job {
    /// A job that is done at once.
    pub(crate) const NOTHING: Self = Self::Sleep(Duration::ZERO);

    pub(crate) fn run(self) {
        match self {
            Self::Sleep(time) => thread::sleep(time),
            Self::Spin(time) => {
                let start = Instant::now();
                while start.elapsed() < time {}
            }
        }
    }

    pub(crate) fn time(self) -> Duration {
        match self {
            Self::Sleep(time) | Self::Spin(time) => time,
        }
    }
}

/// Opens when its last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Latch {
    _open: Arc<Opener>,
}

impl Latch {
    /// A latch, and a future that is ready when the latch opens. It returns the time of the opening, because the
    /// waiting task may run later.
    pub(crate) fn new() -> (Self, impl Future<Output = Instant> + Send) {
        let (sender, opened) = oneshot::channel();
        let latch = Self {
            _open: Arc::new(Opener(Some(sender))),
        };
        (latch, async {
            opened.await.expect("an opener sends when it is dropped")
        })
    }
}

#[derive(Debug)]
struct Opener(Option<oneshot::Sender<Instant>>);

impl Drop for Opener {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(Instant::now());
        }
    }
}
