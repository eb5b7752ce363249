//! Ports of one process. Each function returns the time of its operations.

use std::{
    hint::black_box,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aemp::{Cx, Local, Monitor, Node, Reason, port};
use tokio::sync::mpsc;

use crate::local::framework::Latch;

/// Coprime to the numbers of ports, and a jump over many pages of memory.
const JUMP: u64 = 611_953;

#[derive(Default)]
struct Sum(u64);

#[port]
impl Sum {
    #[rcv]
    fn add(&mut self, number: u64) {
        self.0 += number;
    }

    #[rcv]
    fn visit(&mut self, latch: Local<Latch>) {
        drop(latch);
    }

    #[rcv]
    fn get(&self) -> u64 {
        self.0
    }
}

/// A port that sends itself a message for each one that it handles, so that its queue keeps its length.
struct Carousel {
    left: u64,
    done: Option<mpsc::Sender<()>>,
}

#[port]
impl Carousel {
    #[rcv]
    fn turn(&mut self, cx: &mut Cx<'_>) {
        let Some(left) = self.left.checked_sub(1) else {
            self.done = None;
            return;
        };
        self.left = left;
        if let Some(me) = cx.me::<CarouselRef>() {
            me.turn();
        }
    }
}

fn node() -> Node {
    Node::local().expect("called within a runtime")
}

pub(super) async fn in_order(size: u64, operations: u64) -> Duration {
    visits(size, operations, |index| index).await
}

pub(super) async fn shuffled(size: u64, operations: u64) -> Duration {
    visits(size, operations, |index| index * JUMP % size).await
}

/// One message to each port, and then the next one. A round ends when all have been handled.
async fn visits(size: u64, operations: u64, order: impl Fn(u64) -> u64) -> Duration {
    let node = node();
    let made: Vec<_> = (0..size).map(|_| node.port(Sum::default())).collect();
    let ports: Vec<_> = (0..size)
        .map(|index| made[order(index) as usize].clone())
        .collect();
    // Afterwards the ports are idle, and the queue of ready ports has its size.
    visit_all(&ports).await;
    let start = Instant::now();
    for _ in 0..operations / size {
        visit_all(&ports).await;
    }
    // The rest of the operations, which no round holds.
    let rest = &ports[..(operations % size) as usize];
    visit_all(rest).await;
    start.elapsed()
}

async fn visit_all(ports: &[SumRef]) {
    let (latch, all_visited) = Latch::new();
    for port in ports {
        port.visit(Local(latch.clone()));
    }
    drop(latch);
    all_visited.await;
}

/// The memory accesses of [`shuffled`] without its ports: one pass that sends, and one that handles. The cost grows by the
/// misses of the processor's caches alone.
pub(super) async fn memory(size: u64, operations: u64) -> Duration {
    // As large as a port with its state, so that both fill the caches alike.
    let made: Vec<_> = (0..size)
        .map(|_| Arc::new((Mutex::new(0_u64), [0_u64; 12])))
        .collect();
    let order: Vec<_> = (0..size)
        .map(|index| Arc::clone(&made[(index * JUMP % size) as usize]))
        .collect();
    let rounds = operations.div_ceil(size);
    let start = Instant::now();
    for _ in 0..rounds {
        for _pass in ["send", "handle"] {
            for one in &order {
                *one.0.lock().expect("nothing panics") += black_box(one.1[11]) + 1;
            }
        }
    }
    // The last round goes on after the last operation.
    start
        .elapsed()
        .mul_f64(operations as f64 / (rounds * size) as f64)
}

pub(super) async fn senders(size: u64, operations: u64) -> Duration {
    let port = node().port(Sum::default());
    let share = operations / size;
    let start = Instant::now();
    let sender = |_| {
        let port = port.clone();
        tokio::spawn(async move {
            for _ in 0..share {
                port.add(1);
            }
        })
    };
    for sender in (0..size).map(sender).collect::<Vec<_>>() {
        sender.await.expect("a sender runs to its end");
    }
    let sum = port.get().await.expect("the port answers");
    assert_eq!(sum, share * size);
    start.elapsed()
}

pub(super) async fn queue(size: u64, operations: u64) -> Duration {
    let (done, mut over) = mpsc::channel(1);
    let port = node().port(Carousel {
        left: operations,
        done: Some(done),
    });
    let start = Instant::now();
    for _ in 0..size {
        port.turn();
    }
    assert!(over.recv().await.is_none(), "nothing is sent");
    start.elapsed()
}

pub(super) async fn monitors_fire(size: u64, operations: u64) -> Duration {
    let node = node();
    let (latch, all_told) = Latch::new();
    let ports: Vec<_> = (0..operations / size)
        .map(|_| node.port(Sum::default()))
        .collect();
    let start = Instant::now();
    for port in &ports {
        for _ in 0..size {
            let latch = latch.clone();
            port.monitor(move |_: &Reason| drop(latch)).detach();
        }
    }
    drop(latch);
    for port in ports {
        port.kill(());
    }
    all_told.await;
    start.elapsed()
}

pub(super) async fn monitors_dropped(size: u64, operations: u64) -> Duration {
    let port = node().port(Sum::default());
    let mut monitors = monitors(&port, size);
    let start = Instant::now();
    for operation in 0..operations {
        let index = (operation * JUMP % size) as usize;
        // The monitor that was there before is dropped.
        monitors[index] = port.monitor(|_: &Reason| {});
    }
    start.elapsed()
}

pub(super) async fn monitored(size: u64, operations: u64) -> Duration {
    let port = node().port(Sum::default());
    let _monitors = monitors(&port, size);
    let start = Instant::now();
    for _ in 0..operations {
        port.add(1);
    }
    assert_eq!(port.get().await.expect("the port answers"), operations);
    start.elapsed()
}

fn monitors(port: &SumRef, size: u64) -> Vec<Monitor> {
    (0..size).map(|_| port.monitor(|_: &Reason| {})).collect()
}
