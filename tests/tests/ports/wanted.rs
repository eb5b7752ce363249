//! Calls whose callers wait no more, and handlers that are not begun for them.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use aemp::{CallError, Node, PortId, Reply, cal, port, snd};
use tokio::sync::Notify;

use crate::{Journal, node, on_both, settle, until, within};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Default)]
struct Oracle {
    entered: Arc<Notify>,
    open: Arc<Notify>,
    journal: Journal,
}

#[port]
impl Oracle {
    /// Keeps the port at work until the test lets it go on.
    #[rcv]
    async fn hold(&mut self) {
        self.entered.notify_one();
        self.open.notified().await;
    }

    #[rcv]
    fn always(&mut self, n: u32) -> u32 {
        self.journal.note(format!("always {n}"));
        n
    }

    #[rcv(wanted)]
    fn guess(&mut self, n: u32) -> u32 {
        self.journal.note(format!("guess {n}"));
        n
    }

    #[rcv(wanted)]
    async fn think(&self, n: u32) -> u32 {
        self.journal.note(format!("think {n}"));
        n
    }

    #[rcv(wanted)]
    fn later(&self, n: u32, reply: Reply<u32>) {
        self.journal.note(format!("later {n}"));
        reply.send(n);
    }

    #[rcv(wanted, concurrent = 1)]
    async fn look(&self, n: u32) -> u32 {
        self.journal.note(format!("look {n}"));
        self.entered.notify_one();
        self.open.notified().await;
        n
    }

    #[rcv(wanted, concurrent = 1)]
    async fn look_later(&self, n: u32, reply: Reply<u32>) {
        self.journal.note(format!("look_later {n}"));
        self.entered.notify_one();
        self.open.notified().await;
        reply.send(n);
    }

    #[rcv(wanted, call)]
    fn flush(&mut self) {
        self.journal.note("flush");
    }
}

async fn busy(node: &Node) -> (OracleRef, Oracle) {
    let oracle = Oracle::default();
    let port = node.port(oracle.clone());
    port.hold();
    oracle.entered.notified().await;
    (port, oracle)
}

async fn unwanted(node: &Node) -> u64 {
    let info = node.inspect(node.id()).node().await;
    info.unwrap().unwanted_calls
}

/// Sends calls, and drops them when they wait in the queue.
macro_rules! leave {
    ($port:expr, $($call:expr),* $(,)?) => {
        let calls = [$({
            let call = $call;
            tokio::spawn(async move { drop(call.await) })
        }),*];
        until(|| $port.queue_len() == Some(calls.len())).await;
        for call in calls {
            call.abort();
            let _ = call.await;
        }
    };
}

#[test]
fn a_call_whose_caller_has_left_is_not_handled() {
    on_both(async || {
        let node = node();
        let (port, oracle) = busy(&node).await;
        leave!(
            port,
            port.guess(1),
            port.think(2),
            port.later(3),
            port.always(4),
            port.look(5),
            port.look_later(6),
            port.flush(),
        );
        oracle.open.notify_one();
        settle(&port).await;
        assert_eq!(oracle.journal.take(), ["always 4"]);
        // The futures of concurrent handlers have to be polled once.
        for _ in 0..1000 {
            if unwanted(&node).await == 6 {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(unwanted(&node).await, 6);
        // A caller that waits is served as ever.
        assert_eq!(port.guess(7).await.unwrap(), 7);
        assert_eq!(port.think(8).await.unwrap(), 8);
        assert_eq!(port.later(9).await.unwrap(), 9);
        port.flush().await.unwrap();
        assert_eq!(unwanted(&node).await, 6);
    });
}

#[test]
fn messages_without_a_waiting_caller_are_handled() {
    on_both(async || {
        let node = node();
        let (port, oracle) = busy(&node).await;
        port.guess(1).forget();
        snd!(node, port, "guess", 2);
        // As a Perl program calls, whose reply ports are plain ones.
        let (gone, id) = (PortId::parse("nowhere#abc").unwrap(), port.id());
        snd!(node, id, "guess", 3, gone.as_str());
        port.think(4).forget();
        oracle.open.notify_one();
        settle(&port).await;
        assert_eq!(
            oracle.journal.take(),
            ["guess 1", "guess 2", "guess 3", "think 4"]
        );
        assert_eq!(unwanted(&node).await, 0);
    });
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_deadline_is_over_is_not_handled() {
    let node = node();
    let (port, oracle) = busy(&node).await;
    let calls = [port.guess(1), port.always(2)].map(|call| tokio::spawn(call.timeout(SECOND)));
    let untyped = cal!(node, port.id(), "guess", 3).timeout(SECOND);
    let untyped = tokio::spawn(untyped);
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error, CallError::Timeout), "{error}");
    }
    let error = untyped.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Timeout), "{error}");
    let in_time = tokio::spawn(port.guess(4).timeout(SECOND));
    until(|| port.queue_len() == Some(4)).await;
    oracle.open.notify_one();
    assert_eq!(in_time.await.unwrap().unwrap(), 4);
    assert_eq!(oracle.journal.take(), ["always 2", "guess 4"]);
    assert_eq!(unwanted(&node).await, 2);
}

/// The deadline counts, whether or not the caller has been polled since.
#[tokio::test(start_paused = true)]
async fn a_caller_that_is_not_polled_gets_the_timeout() {
    let node = node();
    let (port, oracle) = busy(&node).await;
    let mut call = Box::pin(port.guess(1).timeout(SECOND));
    let polled = poll_fn(|task| Poll::Ready(call.as_mut().poll(task))).await;
    assert!(polled.is_pending());
    tokio::time::advance(2 * SECOND).await;
    oracle.open.notify_one();
    settle(&port).await;
    assert!(oracle.journal.take().is_empty());
    let error = call.await.unwrap_err();
    assert!(matches!(error, CallError::Timeout), "{error}");
}

/// The wait for a place counts as well.
#[tokio::test(start_paused = true)]
async fn a_concurrent_handler_that_waits_too_long_for_its_place_is_not_run() {
    let node = node();
    let oracle = Oracle::default();
    let port = node.port(oracle.clone());
    let first = tokio::spawn(port.look(1));
    oracle.entered.notified().await;
    let second = tokio::spawn(port.look(2).timeout(SECOND));
    let error = second.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Timeout), "{error}");
    let third = tokio::spawn(port.look(3));
    until(|| port.queue_len() == Some(2)).await;
    oracle.open.notify_one();
    assert_eq!(first.await.unwrap().unwrap(), 1);
    oracle.entered.notified().await;
    oracle.open.notify_one();
    assert_eq!(within(third).await.unwrap().unwrap(), 3);
    assert_eq!(oracle.journal.take(), ["look 1", "look 3"]);
    assert_eq!(unwanted(&node).await, 1);
}

#[test]
fn metrics_count_by_handler() {
    on_both(async || {
        let node = node();
        let (port, oracle) = busy(&node).await;
        leave!(port, port.guess(1), port.guess(2), port.think(3));
        oracle.open.notify_one();
        settle(&port).await;
        let metrics = node.metrics().await;
        let of = std::any::type_name::<Oracle>();
        let count = |handler| metrics.value("aemp_unwanted_calls_total", &[of, handler]);
        assert_eq!(count("guess"), Some(2.0));
        assert_eq!(count("think"), Some(1.0));
        assert_eq!(count("later"), None);
    });
}
