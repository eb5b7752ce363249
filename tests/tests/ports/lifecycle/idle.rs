//! Ports that stop when they are idle.

use std::time::Duration;

use aemp::{Cx, Node, port};
use tokio::time::{Instant, sleep};

use super::SECOND;
use crate::{Journal, node, within};

struct Session {
    journal: Journal,
}

#[port]
impl Session {
    #[rcv]
    fn idle(&mut self, cx: &mut Cx<'_>, millis: u64) {
        cx.idle_after(Duration::from_millis(millis));
    }

    #[rcv]
    fn touch(&mut self) {}

    #[rcv]
    async fn work(&mut self, seconds: u64) {
        sleep(SECOND * u32::try_from(seconds).unwrap()).await;
    }

    #[rcv]
    fn tick(&mut self, cx: &mut Cx<'_>) {
        cx.every(SECOND / 2, |_| ());
    }

    #[stop]
    fn save(&mut self) {
        self.journal.note("saved");
    }
}

fn session(node: &Node, millis: u64) -> (SessionRef, Journal) {
    let journal = Journal::default();
    let port = node.port(Session {
        journal: journal.clone(),
    });
    port.idle(millis);
    (port, journal)
}

/// The time after which the port stops, in tenths of a second.
async fn lives(port: &SessionRef) -> u128 {
    let began = Instant::now();
    assert!(port.closed().await.is_normal());
    began.elapsed().as_millis() / 100
}

#[tokio::test(start_paused = true)]
async fn an_idle_port_is_stopped() {
    let (port, journal) = session(&node(), 1000);
    assert_eq!(lives(&port).await, 10);
    assert_eq!(journal.take(), ["saved"]);
}

#[tokio::test(start_paused = true)]
async fn each_message_counts_from_anew() {
    let (port, _) = session(&node(), 1000);
    for _ in 0..5 {
        sleep(SECOND * 7 / 10).await;
        port.touch();
    }
    assert_eq!(lives(&port).await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_handler_is_not_idle() {
    let (port, _) = session(&node(), 1000);
    port.work(5);
    assert_eq!(lives(&port).await, 60);
}

#[tokio::test(start_paused = true)]
async fn the_time_is_replaced() {
    let (port, _) = session(&node(), 1000);
    port.idle(3000);
    assert_eq!(lives(&port).await, 30);
    let (port, _) = session(&node(), 0);
    port.idle(u64::MAX);
    sleep(SECOND * 100_000).await;
    within(async { assert!(port.queue_len().is_some()) }).await;
    port.idle(0);
    assert_eq!(lives(&port).await, 0);
}

#[tokio::test(start_paused = true)]
async fn timers_of_the_port_count_as_work() {
    let (port, _) = session(&node(), 1000);
    port.tick();
    sleep(SECOND * 30).await;
    assert!(port.queue_len().is_some());
}
