//! The interface of a contender: an actor whose handlers wait.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::local::framework::Job;

/// A framework, or a running system of it.
pub(crate) trait Framework: Send + Sync + 'static {
    type Waiter: Waiter;

    /// Called within the runtime, once for each measurement.
    fn start() -> Self;

    fn waiter(&self, state: State) -> impl Future<Output = Self::Waiter> + Send;
}

/// The handle of an actor that waits.
pub(crate) trait Waiter: Send + Sync + 'static {
    /// Sends a message, whose handler waits in this way. The queue has no bound.
    fn rest(&self, wait: Wait);

    /// As `rest`, and waits until the handler has returned.
    fn rested(&self, wait: Wait) -> impl Future<Output = ()> + Send;
}

/// The way in which a handler waits.
#[derive(Debug, Clone)]
pub(crate) enum Wait {
    /// Not at all. Where a framework has handlers that are no `async fn`, this is one.
    Plain,
    /// Not at all, but it computes for so long. Where a framework has handlers that are no `async fn`, this is one.
    Work(Duration),
    /// Not at all, within an `async fn`.
    Never,
    /// For its next turn.
    Yield,
    /// For an answer of the task that reads this channel.
    Answer(mpsc::UnboundedSender<oneshot::Sender<()>>),
    Timer,
}

impl Wait {
    /// The part that is no waiting.
    pub(crate) fn work(self) {
        if let Self::Work(time) = self {
            Job::Spin(time).run();
        }
    }

    pub(crate) async fn wait(self) {
        match self {
            Self::Plain | Self::Work(_) => self.work(),
            Self::Never => {}
            Self::Yield => tokio::task::yield_now().await,
            Self::Answer(task) => {
                let (reply, answer) = oneshot::channel();
                task.send(reply).expect("the task reads until the end");
                answer.await.expect("the task answers");
            }
            Self::Timer => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// The state of an actor that waits: the number of messages that are still to come, and a sender that it drops with the
/// last of them. The workload ends when all senders have been dropped.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) left: u64,
    pub(crate) life: Option<mpsc::Sender<Infallible>>,
}

impl State {
    pub(crate) fn did_one(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.life = None;
        }
    }
}
