//! Paths within one node.

use aemp::{Node, Reason, msg, port};
use tokio::{sync::mpsc, task};

use crate::BATCH;

struct Sum(u64);

#[port]
impl Sum {
    #[rcv]
    fn add(&mut self, number: u64) {
        self.0 += number;
    }

    #[rcv]
    fn get(&self) -> u64 {
        self.0
    }

    #[rcv]
    async fn get_async(&self) -> u64 {
        self.0
    }

    #[rcv]
    async fn get_later(&self) -> u64 {
        task::yield_now().await;
        self.0
    }
}

struct Relay {
    next: Option<RelayRef>,
    done: mpsc::UnboundedSender<()>,
}

#[port]
impl Relay {
    #[rcv]
    fn pass_to(&mut self, next: RelayRef) {
        self.next = Some(next);
    }

    #[rcv]
    fn pass(&mut self, hops: u64) {
        match (hops, &self.next) {
            (0, _) => drop(self.done.send(())),
            (_, Some(next)) => drop(next.pass(hops - 1)),
            (_, None) => {}
        }
    }
}

/// Typed messages, many for each run of the port.
pub(crate) async fn send(node: Node, times: u64) {
    let sum = node.port(Sum(0));
    for _ in 0..times / BATCH {
        for number in 0..BATCH {
            sum.add(number);
        }
        sum.get().await.expect("the port answers");
    }
}

/// Typed messages, one for each run of a port.
pub(crate) async fn ping_pong(node: Node, times: u64) {
    let (done, mut finished) = mpsc::unbounded_channel();
    let ping = node.port(Relay {
        next: None,
        done: done.clone(),
    });
    let pong = node.port(Relay {
        next: Some(ping.clone()),
        done,
    });
    ping.pass_to(pong);
    ping.pass(times);
    finished.recv().await;
}

pub(crate) async fn call(node: Node, times: u64) {
    let sum = node.port(Sum(0));
    for _ in 0..times {
        sum.get().await.expect("the port answers");
    }
}

/// Calls of an async handler that never waits.
pub(crate) async fn call_async(node: Node, times: u64) {
    let sum = node.port(Sum(0));
    for _ in 0..times {
        sum.get_async().await.expect("the port answers");
    }
}

/// Calls of an async handler that waits once.
pub(crate) async fn call_waiting(node: Node, times: u64) {
    let sum = node.port(Sum(0));
    for _ in 0..times {
        sum.get_later().await.expect("the port answers");
    }
}

/// Untyped messages to a typed port.
pub(crate) async fn snd_untyped(node: Node, times: u64) {
    let sum = node.port(Sum(0));
    let id = sum.id();
    for _ in 0..times / BATCH {
        for number in 0..BATCH {
            node.snd(&id, msg!["add", number]);
        }
        sum.get().await.expect("the port answers");
    }
}

pub(crate) async fn spawn_stop(node: Node, times: u64) {
    for _ in 0..times / BATCH {
        for _ in 0..BATCH {
            node.port(Sum(0)).kill(());
        }
        task::yield_now().await;
    }
}

/// A port, its monitor, its death, and the monitor's callback.
pub(crate) async fn monitor_fires(node: Node, times: u64) {
    let (told, mut deaths) = mpsc::unbounded_channel();
    for _ in 0..times / BATCH {
        for _ in 0..BATCH {
            let port = node.port(Sum(0));
            let told = told.clone();
            let tell = move |reason: &Reason| drop(told.send(reason.clone()));
            node.mon(&port.id(), tell).detach();
            port.kill(());
        }
        for _ in 0..BATCH {
            deaths.recv().await;
        }
    }
}

/// Changes of a key of the database, each seen by a watch of the same node.
pub(crate) async fn db_set(node: Node, times: u64) {
    let family = node.family::<u64>("numbers").expect("the name is allowed");
    let mut watch = family.watch();
    for number in 0..times {
        family.set("key", &number).expect("a number can be stored");
        watch.next().await;
    }
}
