//! The executor's contract, with real threads: a handler that blocks may hold up some things, and must not hold up
//! others. Times are wide, and only there to tell a handler's length from none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use aemp::{CallError, Cx, Local, Node, Reply, port};
use tokio::{runtime::Handle, sync::Semaphore};
use tracing::Instrument;

use crate::within;

/// Blocks until it is let go.
struct Gate {
    open: mpsc::Sender<()>,
    closed: Option<mpsc::Receiver<()>>,
}

impl Gate {
    fn new() -> Self {
        let (open, closed) = mpsc::channel();
        Self {
            open,
            closed: Some(closed),
        }
    }

    fn take(&mut self) -> mpsc::Receiver<()> {
        self.closed.take().expect("a handler waits at the gate")
    }

    fn open(&self) {
        let _ = self.open.send(());
    }
}

#[derive(Default)]
struct Worker {
    others: Vec<WorkerRef>,
    kept: Option<Reply<u8>>,
}

#[port]
impl Worker {
    #[rcv]
    fn quick(&mut self) -> u8 {
        1
    }

    #[rcv]
    fn block(&mut self, until: Local<mpsc::Receiver<()>>) -> u8 {
        let _ = until.0.recv();
        2
    }

    #[rcv]
    fn count(&mut self, counter: Local<Arc<Semaphore>>) {
        counter.0.add_permits(1);
    }

    /// Sends to all others, then blocks.
    #[rcv]
    fn send_and_block(&mut self, counter: Local<Arc<Semaphore>>, until: Local<mpsc::Receiver<()>>) {
        for other in &self.others {
            other.count(Local(counter.0.clone()));
        }
        let _ = until.0.recv();
    }

    #[rcv]
    fn keep(&mut self, reply: Reply<u8>) {
        self.kept = Some(reply);
    }

    #[rcv]
    fn answer_and_block(&mut self, until: Local<mpsc::Receiver<()>>) {
        if let Some(reply) = self.kept.take() {
            reply.send(7);
        }
        let _ = until.0.recv();
    }

    #[rcv]
    fn call_another(&mut self) -> u8 {
        let other = self.others[0].clone();
        tokio::task::block_in_place(|| {
            Handle::current()
                .block_on(async { other.quick().await })
                .unwrap_or_default()
        })
    }

    #[rcv]
    async fn rest(&mut self) {
        tokio::task::yield_now().await;
    }

    #[rcv]
    async fn block_in_the_middle(&mut self, until: Local<mpsc::Receiver<()>>) -> u8 {
        tokio::task::yield_now().await;
        let _ = until.0.recv();
        3
    }
}

async fn trusted(node: &Node) -> WorkerRef {
    let port = node.port(Worker::default());
    for _ in 0..100 {
        port.quick().await.unwrap();
    }
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn receivers_run_while_the_sending_handler_blocks() {
    let node = Node::local().unwrap();
    let mut gate = Gate::new();
    let others: Vec<_> = (0..10).map(|_| node.port(Worker::default())).collect();
    let boss = node.port(Worker {
        others: others.clone(),
        kept: None,
    });
    let counter = Arc::new(Semaphore::new(0));
    boss.send_and_block(Local(counter.clone()), Local(gate.take()));
    let _all = within(counter.acquire_many(10)).await.unwrap();
    gate.open();
}

/// The same for a port that has been quick, so that nothing is known against it, and for those that it sends to.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn receivers_of_a_trusted_port_run_as_well() {
    let node = Node::local().unwrap();
    let other = trusted(&node).await;
    let boss = node.port(Worker {
        others: vec![other; 1],
        kept: None,
    });
    let counter = Arc::new(Semaphore::new(0));
    for _ in 0..100 {
        let mut gate = Gate::new();
        gate.open();
        boss.send_and_block(Local(counter.clone()), Local(gate.take()));
    }
    within(counter.acquire_many(100)).await.unwrap().forget();
    let mut gate = Gate::new();
    boss.send_and_block(Local(counter.clone()), Local(gate.take()));
    let _one = within(counter.acquire()).await.unwrap();
    gate.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_block_at_once_as_there_are_workers() {
    let node = Node::local().unwrap();
    let mut gates: Vec<_> = (0..3).map(|_| Gate::new()).collect();
    for gate in &mut gates {
        tokio::spawn(node.port(Worker::default()).block(Local(gate.take())));
    }
    // One worker is left, and it is enough for everything else.
    for _ in 0..50 {
        assert_eq!(
            within(node.port(Worker::default()).quick()).await.unwrap(),
            1
        );
    }
    gates.iter().for_each(Gate::open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_is_not_kept_by_a_handler_that_blocks() {
    let node = Node::local().unwrap();
    let (mut first, mut second) = (Gate::new(), Gate::new());
    let fresh = node.port(Worker::default());
    let call = fresh.block(Local(first.take()));
    assert!(
        tokio::time::timeout(Duration::from_millis(10), call)
            .await
            .is_err()
    );
    first.open();
    // A port that is trusted for another handler.
    let call = trusted(&node).await.block(Local(second.take()));
    let call = call.timeout(Duration::from_millis(10));
    assert!(matches!(within(call).await, Err(CallError::Timeout)));
    second.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn calls_of_several_ports_run_side_by_side() {
    let node = Node::local().unwrap();
    let (mut first, mut second) = (Gate::new(), Gate::new());
    let (a, b) = (node.port(Worker::default()), node.port(Worker::default()));
    let (one, other) = (a.block(Local(first.take())), b.block(Local(second.take())));
    let opener = async {
        // The second can only be let go while the first blocks.
        second.open();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            first.open();
        });
    };
    let (one, other, ()) = within(async { tokio::join!(one, other, opener) }).await;
    assert_eq!((one.unwrap(), other.unwrap()), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_may_wait_for_another_port_in_block_in_place() {
    let node = Node::local().unwrap();
    for other in [node.port(Worker::default()), trusted(&node).await] {
        let port = node.port(Worker {
            others: vec![other],
            kept: None,
        });
        for _ in 0..100 {
            assert_eq!(within(port.call_another()).await.unwrap(), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_async_handler_delays_no_other_port() {
    let node = Node::local().unwrap();
    let mut gate = Gate::new();
    let blocked = node.port(Worker::default());
    let waiting = tokio::spawn(blocked.block_in_the_middle(Local(gate.take())));
    for _ in 0..50 {
        assert_eq!(
            within(node.port(Worker::default()).quick()).await.unwrap(),
            1
        );
    }
    gate.open();
    assert_eq!(within(waiting).await.unwrap().unwrap(), 3);
}

/// The task of a port whose handlers wait runs its plain handlers, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_run_while_a_handler_behind_a_waiting_one_blocks() {
    let node = Node::local().unwrap();
    let others: Vec<_> = (0..8).map(|_| node.port(Worker::default())).collect();
    let port = node.port(Worker { others, kept: None });
    for _ in 0..3 {
        let (mut gate, counter) = (Gate::new(), Arc::new(Semaphore::new(0)));
        port.rest();
        port.send_and_block(Local(Arc::clone(&counter)), Local(gate.take()));
        let all = within(counter.acquire_many(8)).await.unwrap();
        drop(all);
        gate.open();
        within(port.quick()).await.unwrap();
    }
}

#[derive(Default)]
struct Thread(Option<thread::ThreadId>);

#[port(blocking)]
impl Thread {
    #[rcv]
    fn is_a_worker(&mut self, workers: Local<Vec<thread::ThreadId>>) -> bool {
        workers.0.contains(&thread::current().id())
    }

    #[rcv]
    fn block(&mut self, until: Local<mpsc::Receiver<()>>, done: Local<Arc<AtomicUsize>>) {
        self.0 = Some(thread::current().id());
        let _ = until.0.recv();
        done.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// More ports block than there are workers, and the runtime goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn blocking_ports_take_no_worker() {
    let node = Node::local().unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let mut gates: Vec<_> = (0..8).map(|_| Gate::new()).collect();
    for gate in &mut gates {
        node.port(Thread::default())
            .block(Local(gate.take()), Local(done.clone()));
    }
    let worker = tokio::spawn(async { thread::current().id() })
        .await
        .unwrap();
    let port = node.port(Thread::default());
    assert!(!within(port.is_a_worker(Local(vec![worker]))).await.unwrap());
    assert_eq!(
        within(node.port(Worker::default()).quick()).await.unwrap(),
        1
    );
    gates.iter().for_each(Gate::open);
    crate::until(|| done.load(Ordering::SeqCst) == 8).await;
}

tokio::task_local! {
    static WHO: u8;
}

struct Nosy;

#[port]
impl Nosy {
    #[rcv]
    fn who(&self) -> Option<u8> {
        WHO.try_with(|who| *who).ok()
    }

    #[rcv]
    fn span(&self) -> bool {
        !tracing::Span::current().is_none()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_not_trusted_sees_nothing_of_its_caller() {
    let node = Node::local().unwrap();
    let port = node.port(Nosy);
    let who = WHO.scope(5, async { port.who().await.unwrap() }).await;
    assert_eq!(who, None);
}

#[tokio::test]
async fn spans_of_callers_are_not_those_of_ports() {
    let subscriber = tracing_subscriber::registry();
    let _default = tracing::subscriber::set_default(subscriber);
    let node = Node::local().unwrap();
    let port = node.port(Nosy);
    for _ in 0..100 {
        assert!(!port.span().await.unwrap());
    }
    let span = tracing::error_span!("caller");
    assert!(!span.is_none());
    let call = async { port.span().await.unwrap() };
    assert!(!call.instrument(span).await);
}

/// A port is closed for running in place when it was slow once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_port_never_runs_on_a_callers_task() {
    struct Sleeper;

    #[port]
    impl Sleeper {
        #[rcv]
        fn sleep(&mut self, millis: u64, _cx: &mut Cx<'_>) {
            thread::sleep(Duration::from_millis(millis));
        }

        #[rcv]
        fn sleep_and_tell(&mut self, millis: u64) -> u64 {
            thread::sleep(Duration::from_millis(millis));
            millis
        }
    }

    let node = Node::local().unwrap();
    let port = node.port(Sleeper);
    assert_eq!(port.sleep_and_tell(20).await.unwrap(), 20);
    for _ in 0..1000 {
        port.sleep_and_tell(0).await.unwrap();
    }
    let begun = Instant::now();
    let call = tokio::time::timeout(Duration::from_millis(50), port.sleep_and_tell(3000));
    assert!(call.await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(2));
}
