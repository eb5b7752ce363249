//! Ports on one node: the guarantees for their users.

mod ages;
mod arguments;
mod backpressure;
mod blocked;
mod bound;
mod cal;
mod calls;
mod circles;
mod concurrent;
mod create;
mod deadlines;
mod dying;
mod executor;
mod failures;
mod handles;
mod kill;
mod lifecycle;
mod metrics;
mod model;
mod monitors;
mod nodes;
mod order;
mod origin;
mod owned;
mod pools;
mod processes;
mod receive;
mod registered;
mod replies;
mod self_kill;
mod spans;
mod spawn;
mod stop;
mod streamed;
mod supervisor;
mod testing;
mod timers;
mod topics;
mod urgent;
mod waiting;
mod wanted;
mod work;

use std::{
    fmt::Display,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aemp::{Cx, Handle, Message, Node, Reason, Reply, Value, port};
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::timeout,
};

/// A node without a network.
fn node() -> Node {
    Node::local().expect("tests run within a runtime")
}

/// The notes of ports, in the order in which they were taken.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, text: impl Display) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(text.to_string());
    }

    fn take(&self) -> Vec<String> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *notes)
    }
}

/// A port that records its messages in a journal.
#[derive(Default)]
struct Recorder {
    journal: Journal,
    count: i64,
    kept: Vec<Reply<i64>>,
    /// Shows when the state is dropped.
    _probe: Arc<()>,
}

#[port]
impl Recorder {
    #[rcv]
    fn add(&mut self, n: i64) {
        self.count += 1;
        self.journal.note(n);
    }

    #[rcv]
    fn count(&self) -> i64 {
        self.count
    }

    #[rcv(try, send)]
    fn fail(&mut self, text: String) -> Result<(), String> {
        self.journal.note("fail");
        Err(text)
    }

    #[rcv]
    fn explode(&mut self) -> i64 {
        panic!("boom {}", self.count)
    }

    #[rcv]
    fn keep(&mut self, reply: Reply<i64>) {
        self.kept.push(reply);
    }

    #[rcv]
    fn answer(&mut self) {
        for reply in self.kept.drain(..) {
            reply.send(self.count);
        }
    }

    #[rcv]
    fn ignore(&mut self, reply: Reply<i64>) {
        drop(reply);
    }
}

impl Recorder {
    fn new(journal: &Journal) -> Self {
        Self {
            journal: journal.clone(),
            ..Self::default()
        }
    }

    fn probed(probe: &Arc<()>) -> Self {
        Self {
            _probe: Arc::clone(probe),
            ..Self::default()
        }
    }
}

/// A current-thread runtime.
fn one_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A runtime of several workers.
fn many_threads() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(3)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Runs a test on both kinds of runtime.
fn on_both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    one_thread().block_on(within(test()));
    many_threads().block_on(within(test()));
}

/// The future's output; panics rather than hang.
async fn within<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("it takes too long")
}

/// Tells the reason with which the port will die. The monitor stands when this returns.
fn watch<M: Message>(port: &Handle<M>) -> oneshot::Receiver<Reason> {
    let (tell, told) = oneshot::channel();
    let callback = move |reason: &Reason| drop(tell.send(reason.clone()));
    port.monitor(callback).detach();
    told
}

/// The reason with which the port dies, as text; panics if it lives on.
async fn death<M: Message>(port: &Handle<M>) -> String {
    let told = watch(port);
    within(told).await.expect("the monitor fires").to_string()
}

/// Waits until the port has handled all earlier messages of the caller, or is dead.
async fn settle<M: Message>(port: &Handle<M>) {
    let (done, is_done) = oneshot::channel();
    port.peval(move |_: &mut Cx<'_>| {
        let _ = done.send(());
    });
    let _ = within(is_done).await;
}

/// Waits until `condition` holds, which something else is about to bring about.
async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The reason with which the port dies after `act`, as text.
async fn death_by<M: Message>(port: &Handle<M>, act: impl FnOnce()) -> String {
    let told = watch(port);
    act();
    within(told).await.expect("the monitor fires").to_string()
}

/// The elements of a reason as text.
fn texts(values: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.text().map_or_else(|| value.to_string(), Into::into);
    values.iter().map(text).collect()
}
