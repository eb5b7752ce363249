//! Handlers that block at one end of a connection: their own port waits, and nothing else. Gates hold them, so that no time decides.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{Node, Reply, port};
use serde::{Deserialize, Deserializer, Serialize};

use crate::common::{soon, until};

/// Blocks threads until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut open = self.lock();
        while !*open {
            open = self
                .opened
                .wait(open)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn open(&self) {
        *self.lock() = true;
        self.opened.notify_all();
    }
}

static READING: Gate = Gate {
    open: Mutex::new(false),
    opened: Condvar::new(),
    waiting: AtomicUsize::new(0),
};

#[derive(Serialize)]
struct SlowToRead(u8);

impl<'de> Deserialize<'de> for SlowToRead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READING.pass();
        u8::deserialize(deserializer).map(Self)
    }
}

struct Worker {
    gate: Arc<Gate>,
}

#[port]
impl Worker {
    #[rcv]
    fn quick(&self) -> u8 {
        1
    }

    #[rcv]
    fn block(&self) -> u8 {
        self.gate.pass();
        2
    }

    #[rcv]
    fn take(&self, value: SlowToRead) -> u8 {
        value.0
    }

    #[rcv]
    fn answer_and_block(&self, reply: Reply<u8>) {
        reply.send(7);
        self.gate.pass();
    }
}

/// With a timeout that a blocked connection would exceed.
async fn pair() -> (Node, Node) {
    let node = |id: &str| {
        Node::builder()
            .node_id(id)
            .secret("s")
            .monitor_timeout(Duration::from_secs(1))
    };
    let there = node("there").bind("127.0.0.1:0").start().await.unwrap();
    let here = node("here").seed(there.listeners().remove(0));
    let here = here.start().await.unwrap();
    assert!(here.until_up("there").await);
    (here, there)
}

struct Scene {
    here: Node,
    there: Node,
    gate: Arc<Gate>,
}

impl Scene {
    async fn new() -> Self {
        let (here, there) = pair().await;
        let gate = Arc::new(Gate::default());
        Self { here, there, gate }
    }

    fn worker(&self) -> WorkerRef {
        let gate = Arc::clone(&self.gate);
        let port = self.there.port(Worker { gate });
        self.here.handle(&port.id())
    }

    /// Longer than the other end would have waited for a sign of life, other ports answer.
    async fn goes_on(&self) {
        let lost = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&lost);
        let _watch = self.here.mon_nodes(move |_, up, _| {
            count.fetch_add(usize::from(!up), Ordering::SeqCst);
        });
        for _ in 0..25 {
            assert_eq!(soon(self.worker().quick()).await.unwrap(), 1);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(lost.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_costs_its_port_alone() {
    let scene = Scene::new().await;
    let call = tokio::spawn(scene.worker().block());
    until(|| scene.gate.waiting.load(Ordering::SeqCst) == 1).await;
    scene.goes_on().await;
    scene.gate.open();
    assert_eq!(soon(call).await.unwrap().unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_arguments_costs_the_port_alone() {
    let scene = Scene::new().await;
    let call = tokio::spawn(scene.worker().take(SlowToRead(5)));
    until(|| READING.waiting.load(Ordering::SeqCst) == 1).await;
    scene.goes_on().await;
    READING.open();
    assert_eq!(soon(call).await.unwrap().unwrap(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_goes_out_while_its_handler_blocks() {
    let scene = Scene::new().await;
    assert_eq!(soon(scene.worker().answer_and_block()).await.unwrap(), 7);
    scene.gate.open();
    let gate = Arc::new(Gate::default());
    let local = scene.there.port(Worker {
        gate: Arc::clone(&gate),
    });
    assert_eq!(soon(local.answer_and_block()).await.unwrap(), 7);
    gate.open();
}
