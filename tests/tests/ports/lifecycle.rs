//! The life of a port: its start, its orderly ends, and waiting for them.

mod hooks;
mod idle;
mod state;

use std::time::Duration;

use aemp::{CallError, Cx, Node, Readiness, Reason, Reply, msg, port};
use tokio::time::{Instant, sleep, timeout};

use crate::{Journal, Recorder, node, on_both, settle, until, within};

const SECOND: Duration = Duration::from_secs(1);

/// Works for a second on each message.
#[derive(Default)]
struct Slow {
    journal: Journal,
    kept: Vec<Reply<i64>>,
}

#[port]
impl Slow {
    #[rcv]
    async fn work(&mut self, n: i64) {
        self.journal.note(format_args!("begin {n}"));
        sleep(SECOND).await;
        self.journal.note(format_args!("end {n}"));
    }

    #[rcv]
    async fn answer(&mut self, n: i64) -> i64 {
        sleep(SECOND).await;
        n
    }

    #[rcv]
    fn keep(&mut self, reply: Reply<i64>) {
        self.kept.push(reply);
    }

    #[rcv]
    fn note(&mut self, n: i64) {
        self.journal.note(n);
    }

    #[rcv]
    fn stop_yourself(&mut self, cx: &mut Cx<'_>) {
        cx.stop();
        self.journal.note("asked");
    }
}

fn slow(node: &Node) -> (SlowRef, Journal) {
    let journal = Journal::default();
    let port = node.port(Slow {
        journal: journal.clone(),
        ..Slow::default()
    });
    (port, journal)
}

#[tokio::test(start_paused = true)]
async fn a_stop_comes_after_all_that_is_queued() {
    let (port, journal) = slow(&node());
    for n in 0..50 {
        port.work(n);
    }
    port.stop();
    port.work(50);
    let late = port.answer(1);
    assert!(port.closed().await.is_normal());
    assert!(matches!(late.await, Err(CallError::Died(_))));
    let notes = journal.take();
    assert_eq!((notes.len(), &*notes[99]), (100, "end 49"));
}

#[tokio::test(start_paused = true)]
async fn a_kill_cancels_the_async_handlers_before_it() {
    let (port, journal) = slow(&node());
    port.work(1);
    sleep(SECOND / 2).await;
    port.work(2);
    port.note(3);
    port.kill("now");
    assert_eq!(port.closed().await.to_string(), "now");
    assert_eq!(journal.take(), ["begin 1", "begin 2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn calls_before_a_stop_are_answered_and_kept_ones_fail() {
    let (port, _) = slow(&node());
    let (kept, first, second) = (port.keep(), port.answer(1), port.answer(2));
    let calls = tokio::spawn(async move { tokio::join!(kept, first, second) });
    sleep(SECOND / 2).await;
    port.stop();
    let (kept, first, second) = calls.await.unwrap();
    assert_eq!((first.unwrap(), second.unwrap()), (1, 2));
    assert!(matches!(kept, Err(CallError::Died(reason)) if reason.is_normal()));
}

#[tokio::test(start_paused = true)]
async fn a_port_that_stops_itself_handles_its_queue() {
    let (port, journal) = slow(&node());
    port.stop_yourself();
    port.note(1);
    let _ = port.closed().await;
    // The message may have come before the port had run.
    assert_eq!(journal.take()[0], "asked");
}

#[tokio::test(start_paused = true)]
async fn a_stop_with_a_limit_ends_in_time() {
    let (port, journal) = slow(&node());
    for n in 0..50 {
        port.work(n);
        port.note(n);
    }
    let began = Instant::now();
    port.stop_within(SECOND * 5 / 2);
    let reason = port.closed().await;
    assert_eq!(reason.to_string(), "killed it did not stop within 2.5s");
    assert_eq!(began.elapsed().as_millis() / 10, 250);
    let expected = ["begin 0", "end 0", "0", "begin 1", "end 1", "1", "begin 2"];
    assert_eq!(journal.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_time_is_normal() {
    let (port, journal) = slow(&node());
    port.work(1);
    port.stop_within(SECOND * 2);
    assert!(port.closed().await.is_normal());
    assert_eq!(journal.take().len(), 2);
    sleep(SECOND * 5).await;
    port.stop_within(SECOND);
    assert!(port.closed().await.is_normal());
}

#[test]
fn idle_ports_stop_at_once() {
    on_both(|| async {
        let node = node();
        let ports: Vec<_> = (0..100).map(|_| node.port(Recorder::default())).collect();
        ports.iter().for_each(|port| port.stop());
        for port in &ports {
            assert!(within(port.closed()).await.is_normal());
        }
        node.empty_port().stop_within(SECOND);
        until(|| node.port_count() == 0).await;
    });
}

#[tokio::test]
async fn untyped_ports_are_stopped_by_their_ids() {
    let node = node();
    let journal = Journal::default();
    let notes = journal.clone();
    let port = node.untyped(move |_: &mut Cx<'_>, message| notes.note(format_args!("{message:?}")));
    node.snd(&port.id(), msg!["a"]);
    let closed = node.closed(&port.id());
    node.stop_port(&port.id());
    node.snd(&port.id(), msg!["b"]);
    assert!(within(closed).await.is_normal());
    assert_eq!(journal.take().len(), 1);
    let reason = within(node.closed(&port.id())).await;
    assert_eq!(reason.kind(), "no_such_port");
    node.stop_port_within(&port.id(), SECOND);
    // The node's own port takes the request as from afar.
    let port = node.empty_port();
    let me = aemp::PortId::from(node.id().clone());
    node.snd(&me, msg!["Aemp::stop", port.id().name()]);
    assert!(within(port.closed()).await.is_normal());
}

#[tokio::test]
async fn the_reason_is_told_before_and_after_the_end() {
    let node = node();
    let port = node.port(Recorder::default());
    let early = port.closed();
    port.kill("why");
    let (early, meanwhile) = (within(early).await, within(port.closed()).await);
    settle(&port).await;
    let late = within(port.closed()).await;
    for reason in [early, meanwhile, late] {
        assert_eq!(reason, Reason::from("why"));
    }
}

#[tokio::test]
async fn waiting_for_an_end_leaves_nothing_behind() {
    let node = node();
    let port = node.port(Recorder::default());
    for _ in 0..1000 {
        let closed = port.closed();
        assert!(timeout(Duration::ZERO, closed).await.is_err());
    }
    let inspected = node.inspect("").ports().await.unwrap();
    assert_eq!(inspected.ports[0].monitors, 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_drains_handles_its_queues() {
    let node = node();
    let (port, journal) = slow(&node);
    let (other, others) = slow(&node);
    for n in 0..10 {
        port.work(n);
    }
    other.work(1);
    let (began, draining) = (Instant::now(), node.clone());
    let stop = tokio::spawn(async move { draining.stop_within(SECOND * 60).await });
    sleep(SECOND / 2).await;
    assert_eq!(node.readiness(), Readiness::Stopping);
    // A port that is made meanwhile is stopped soon.
    let (late, lates) = slow(&node);
    late.work(1);
    stop.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 10);
    let notes = (
        journal.take().len(),
        others.take().len(),
        lates.take().len(),
    );
    assert_eq!(notes, (20, 2, 2));
    assert_eq!(node.readiness(), Readiness::Ended);
}

#[tokio::test(start_paused = true)]
async fn a_drain_has_an_end() {
    let drained = node();
    let (port, journal) = slow(&drained);
    (0..10).for_each(|n| drop(port.work(n)));
    let began = Instant::now();
    drained.stop_within(SECOND * 5 / 2).await;
    assert_eq!((began.elapsed().as_secs(), journal.take().len()), (2, 5));
    let stopped = node();
    let (port, _) = slow(&stopped);
    (0..10).for_each(|n| drop(port.work(n)));
    let (began, draining) = (Instant::now(), stopped.clone());
    let drain = tokio::spawn(async move { draining.stop_within(SECOND * 60).await });
    sleep(SECOND).await;
    stopped.stop().await;
    drain.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 1);
}
