//! `#[start]` and `#[stop]`.

use std::{future::pending, time::Duration};

use aemp::{CallError, Cx, Node, Reason, Reply, port, spawnable};
use tokio::time::{Instant, sleep};

use super::SECOND;
use crate::{Journal, node, on_both, watch, within};

/// Records the events of its life.
#[derive(Default)]
struct Told {
    journal: Journal,
    fails: Option<String>,
    kept: Vec<Reply<String>>,
}

#[port]
impl Told {
    #[start]
    async fn begin(&mut self, cx: &mut Cx<'_>) -> Result<(), String> {
        self.journal.note("start");
        if cx.node().port_count() > 1 {
            sleep(SECOND).await;
        }
        self.fails.take().map_or(Ok(()), Err)
    }

    #[stop(within = 2)]
    async fn end(&mut self, reason: &Reason, cx: &mut Cx<'_>) {
        self.journal.note(format_args!("stop {reason}"));
        for reply in self.kept.drain(..) {
            reply.send(cx.id().to_string());
        }
        sleep(SECOND).await;
        self.journal.note("stopped");
    }

    #[rcv]
    fn note(&mut self, n: i64) {
        self.journal.note(n);
    }

    #[rcv(try, send)]
    fn fail(&mut self) -> Result<(), String> {
        Err("failed".into())
    }

    #[rcv]
    fn explode(&mut self) {
        panic!("boom")
    }

    #[rcv]
    fn keep(&mut self, reply: Reply<String>) {
        self.kept.push(reply);
    }

    #[rcv]
    fn end_yourself(&mut self, cx: &mut Cx<'_>) {
        cx.kill("myself");
    }

    #[rcv]
    async fn wait(&mut self) {
        pending().await
    }
}

fn told(node: &Node) -> (ToldRef, Journal) {
    let journal = Journal::default();
    let port = node.port(Told {
        journal: journal.clone(),
        ..Told::default()
    });
    (port, journal)
}

#[tokio::test(start_paused = true)]
async fn the_start_comes_before_the_first_message() {
    let node = node();
    let (port, journal) = told(&node);
    let (other, _) = told(&node);
    port.note(1);
    other.stop();
    port.stop();
    let _ = port.closed().await;
    assert_eq!(journal.take(), ["start", "1", "stop normal", "stopped"]);
}

#[test]
fn a_start_that_fails_is_the_end() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let port = node.port(Told {
            journal: journal.clone(),
            fails: Some("no disk".into()),
            ..Told::default()
        });
        port.note(1);
        let (closed, call) = (port.closed(), port.keep());
        assert_eq!(within(closed).await.to_string(), "die no disk");
        assert!(matches!(within(call).await, Err(CallError::Died(_))));
        assert_eq!(journal.take(), ["start"], "neither messages nor a stop");
        assert_eq!(within(port.closed()).await.to_string(), "die no disk");
        let id = port.id();
        drop(port);
        let late = within(node.closed(&id)).await;
        assert_eq!(late.to_string(), "die no disk", "remembered for a while");
    });
}

#[tokio::test(start_paused = true)]
async fn a_kill_during_the_start_is_the_end() {
    let node = node();
    let (port, journal) = told(&node);
    let (_other, _) = told(&node);
    port.note(1);
    tokio::task::yield_now().await;
    port.kill("early");
    assert_eq!(port.closed().await.to_string(), "early");
    assert_eq!(journal.take(), ["start"]);
}

#[tokio::test(start_paused = true)]
async fn the_stop_sees_every_reason_but_a_panic() {
    for (act, reason) in [
        (ToldMsg::Fail, "die failed"),
        (ToldMsg::EndYourself, "myself"),
    ] {
        let (port, journal) = told(&node());
        port.post(act);
        assert_eq!(port.closed().await.to_string(), reason);
        let expected = ["start", &format!("stop {reason}"), "stopped"];
        assert_eq!(journal.take(), expected);
    }
    let (port, journal) = told(&node());
    port.explode();
    assert_eq!(port.closed().await.to_string(), "die boom");
    assert_eq!(journal.take(), ["start"]);
}

#[tokio::test(start_paused = true)]
async fn the_stop_comes_before_the_monitors_and_answers_kept_calls() {
    let node = node();
    let (port, journal) = told(&node);
    let kept = port.keep();
    let call = tokio::spawn(kept);
    sleep(SECOND).await;
    port.wait();
    let notes = journal.clone();
    port.monitor(move |_| notes.note("monitor")).detach();
    sleep(SECOND).await;
    port.kill("now");
    let _ = port.closed().await;
    assert_eq!(call.await.unwrap().unwrap(), port.id().to_string());
    let expected = ["start", "stop now", "stopped", "monitor"];
    assert_eq!(journal.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_port_takes_no_messages() {
    let node = node();
    let (port, journal) = told(&node);
    port.stop();
    sleep(SECOND / 2).await;
    assert_eq!(node.port_count(), 0);
    let call = port.keep();
    port.note(1);
    assert!(matches!(call.await, Err(CallError::Died(_))));
    let _ = port.closed().await;
    assert_eq!(journal.take(), ["start", "stop normal", "stopped"]);
}

/// Never returns.
struct Stuck;

#[port]
impl Stuck {
    #[stop(within = 0.5)]
    async fn end(&mut self) -> Result<(), String> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_bounded_in_time() {
    let port = node().port(Stuck);
    let began = Instant::now();
    port.kill("bye");
    assert_eq!(port.closed().await.to_string(), "bye");
    let took = began.elapsed();
    assert!(took >= SECOND / 2 && took < SECOND, "{took:?}");
}

/// Panics at its end.
struct Bad;

#[port]
impl Bad {
    #[stop]
    fn end(&mut self) {
        panic!("at the end")
    }
}

#[test]
fn a_panic_in_the_stop_changes_nothing() {
    on_both(|| async {
        let port = node().port(Bad);
        port.kill("bye");
        assert_eq!(within(port.closed()).await.to_string(), "bye");
    });
}

#[tokio::test(start_paused = true)]
async fn a_stopping_node_waits_for_its_ports() {
    let node = node();
    let (port, journal) = told(&node);
    port.note(1);
    node.port(Stuck);
    sleep(SECOND * 2).await;
    node.stop().await;
    assert_eq!(journal.take(), ["start", "1", "stop normal", "stopped"]);
}

#[spawnable(name = "Test::told")]
async fn start_told(text: String) -> Told {
    tokio::task::yield_now().await;
    let fails = (!text.is_empty()).then_some(text);
    Told {
        fails,
        ..Told::default()
    }
}

#[spawnable(name = "Test::told_now")]
fn start_told_now(text: String) -> Told {
    Told {
        fails: Some(text),
        ..Told::default()
    }
}

#[tokio::test(start_paused = true)]
async fn spawned_ports_start_as_well() {
    let node = node();
    let failing = start_told::on(&node, "", "no".into());
    let now = start_told_now::on(&node, "", "nor now".into());
    assert_eq!(failing.closed().await.to_string(), "die no");
    assert_eq!(now.closed().await.to_string(), "die nor now");
    let living = start_told::on(&node, "", String::new());
    let told = watch(&living);
    living.note(1);
    living.stop();
    assert!(told.await.unwrap().is_normal());
}

/// Blocks its thread in both.
#[derive(Default)]
struct Blocking(Journal);

#[port(blocking)]
impl Blocking {
    #[start]
    fn begin(&mut self) {
        std::thread::sleep(Duration::from_millis(5));
        self.0.note("start");
    }

    #[stop]
    fn end(&mut self) {
        std::thread::sleep(Duration::from_millis(5));
        self.0.note("stop");
    }
}

#[test]
fn blocking_ports_have_them_too() {
    on_both(|| async {
        let (node, journal) = (node(), Journal::default());
        let port = node.port(Blocking(journal.clone()));
        port.stop();
        let _ = within(port.closed()).await;
        assert_eq!(journal.take(), ["start", "stop"]);
    });
}
