//! The ends of ports of other nodes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aemp::{Handle, PortId, Readiness, UntypedMsg, port, spawnable};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    common::{soon, until},
    nodes::{address, listening, pair, start},
    raw::Raw,
};

/// Works for a moment on each message, and counts them.
#[derive(Default)]
struct Worker(Arc<AtomicU64>);

#[port]
impl Worker {
    #[rcv]
    async fn work(&mut self, millis: u64) {
        sleep(Duration::from_millis(millis)).await;
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    #[stop]
    fn end(&mut self) {
        self.0.fetch_add(100, Ordering::Relaxed);
    }
}

static SPAWNED: AtomicU64 = AtomicU64::new(0);

/// As `Worker`, for ports that another node spawns.
struct Spawned;

#[port]
impl Spawned {
    #[rcv]
    async fn work(&mut self) {
        sleep(Duration::from_millis(1)).await;
        SPAWNED.fetch_add(1, Ordering::Relaxed);
    }
}

#[spawnable(name = "Net::worker")]
fn spawned() -> Spawned {
    Spawned
}

#[tokio::test]
async fn a_far_port_stops_after_the_messages_before() {
    let (a, b) = pair().await;
    for is_typed in [true, false] {
        let worker = Worker::default();
        let done = Arc::clone(&worker.0);
        let port: WorkerRef = a.handle(&b.port(worker).id());
        let closed = if is_typed {
            port.closed()
        } else {
            a.closed(&port.id())
        };
        (0..10).for_each(|_| drop(port.work(1)));
        if is_typed {
            port.stop();
        } else {
            a.stop_port(&port.id());
        }
        port.work(1);
        let reason = soon(closed).await;
        assert!(reason.is_normal(), "{reason}");
        assert_eq!(done.load(Ordering::Relaxed), 110);
        assert_eq!(soon(port.closed()).await.kind(), "no_such_port");
    }
}

#[tokio::test]
async fn a_port_of_a_node_that_is_not_connected_yet_is_stopped_too() {
    let there = start(listening("there")).await;
    let here = start(listening("here").seed(address(&there))).await;
    let port = spawned::on(&here, "there");
    let closed = port.closed();
    (0..10).for_each(|_| drop(port.work()));
    port.stop();
    assert!(soon(closed).await.is_normal());
    assert_eq!(SPAWNED.load(Ordering::Relaxed), 10);
}

#[tokio::test]
async fn a_far_port_is_killed_after_its_time() {
    let (a, b) = pair().await;
    let worker = Worker::default();
    let done = Arc::clone(&worker.0);
    let port: WorkerRef = a.handle(&b.port(worker).id());
    port.work(1_000_000);
    let closed = port.closed();
    port.stop_within(Duration::from_millis(30));
    port.stop_within(Duration::from_secs(1000));
    let reason = soon(closed).await;
    assert_eq!(reason.to_string(), "killed it did not stop within 30ms");
    assert_eq!(done.load(Ordering::Relaxed), 100);
}

#[tokio::test]
async fn another_implementation_gets_a_kill() {
    let node = start(listening("node")).await;
    let mut raw = Raw::login(&node, "raw").await;
    let port: Handle<UntypedMsg> = node.handle(&PortId::parse("raw#port").unwrap());
    port.stop_within(Duration::from_secs(1));
    assert_eq!(raw.packet().await, json!(["", "kil1", "port"]));
}

#[tokio::test]
async fn the_end_of_a_node_comes_after_the_work_of_its_ports() {
    let (a, b) = pair().await;
    assert_eq!(b.readiness(), Readiness::Ready);
    let worker = Worker::default();
    let done = Arc::clone(&worker.0);
    let port: WorkerRef = a.handle(&b.port(worker).id());
    (0..3).for_each(|_| drop(port.work(20)));
    // In order with the messages.
    soon(a.inspect(b.id().as_str()).ports()).await.unwrap();
    let (closed, stopped) = (port.closed(), b.clone());
    let stop = tokio::spawn(async move { stopped.stop_within(Duration::from_secs(10)).await });
    until(|| b.readiness() == Readiness::Stopping).await;
    let late = spawned::on(&a, "b");
    assert_eq!(soon(late.closed()).await.to_string(), "die node stopped");
    assert!(soon(closed).await.is_normal());
    assert_eq!(done.load(Ordering::Relaxed), 103);
    soon(stop).await.unwrap();
    assert_eq!(b.readiness(), Readiness::Ended);
    assert_eq!(soon(port.closed()).await.kind(), "transport_error");
}
