//! Timers, continuations and streams with the port's state.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aemp::{CallError, Cx, Node, Timer, port};
use futures_core::Stream;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::SECOND;
use crate::{Journal, node, until, within};

/// The items of a channel.
struct Items {
    items: mpsc::UnboundedReceiver<i64>,
    polls: Journal,
}

impl Stream for Items {
    type Item = i64;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<i64>> {
        let item = self.items.poll_recv(task);
        if item.is_ready() {
            self.polls.note("ready");
        }
        if let Poll::Ready(Some(-1)) = item {
            panic!("in the stream");
        }
        item
    }
}

#[derive(Default)]
struct Actor {
    n: i64,
    journal: Journal,
    timers: Vec<Timer>,
    probe: Arc<()>,
}

#[port(local)]
impl Actor {
    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    #[rcv]
    async fn wait(&mut self, seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
        self.journal.note("waited");
    }

    #[rcv]
    fn later(&mut self, cx: &mut Cx<'_>, by: i64) {
        let timer = cx.after_with(SECOND, move |me: &mut Self, cx| {
            me.n += by;
            me.journal.note(cx.origin().is_some());
        });
        self.timers.push(timer);
    }

    #[rcv]
    fn often(&mut self, cx: &mut Cx<'_>) {
        let timer = cx.every_with(SECOND, |me: &mut Self, _| {
            me.n += 1;
            if me.n == 3 { Err("three") } else { Ok(()) }
        });
        self.timers.push(timer);
    }

    #[rcv]
    fn cancel(&mut self) {
        self.timers.drain(..).for_each(Timer::cancel);
    }

    #[rcv]
    fn named(&mut self, cx: &mut Cx<'_>, name: String, by: i64) {
        cx.timer(&name, SECOND, move |me: &mut Self, _| me.n += by);
    }

    #[rcv]
    fn cancel_named(&mut self, cx: &mut Cx<'_>, name: String) -> bool {
        cx.cancel_timer(&name)
    }

    #[rcv]
    fn ask(&mut self, cx: &mut Cx<'_>, other: ActorRef) {
        let timer = cx.then(
            other.get(),
            |me: &mut Self, _, n: Result<i64, CallError>| {
                me.n += n?;
                me.journal.note("answered");
                Ok::<_, CallError>(())
            },
        );
        self.timers.push(timer);
    }

    #[rcv]
    fn after_that(&mut self, cx: &mut Cx<'_>, done: oneshot::Receiver<i64>) {
        let probe = Arc::clone(&self.probe);
        cx.then(done, move |me: &mut Self, _, n| {
            drop(probe);
            me.n = n.expect("it comes");
        });
    }

    #[rcv]
    fn feed(&mut self, cx: &mut Cx<'_>, items: Items) {
        let probe = Arc::clone(&self.probe);
        let timer = cx.stream(items, move |me: &mut Self, cx, item| match item {
            Some(n) => {
                me.n += n;
                me.journal.note(n);
                assert!(n != 100, "too much");
            }
            None => {
                let _kept = &probe;
                me.journal.note("end");
                cx.after_with(SECOND, |me: &mut Self, _| me.journal.note("later"));
            }
        });
        self.timers.push(timer);
    }

    #[rcv]
    fn mistake(&mut self, cx: &mut Cx<'_>) {
        cx.after_with(SECOND, |_: &mut crate::Recorder, _| ());
    }

    #[stop]
    fn end(&mut self) {
        self.journal.note("stop");
    }
}

fn actor(node: &Node) -> (ActorRef, Journal, Arc<()>) {
    let state = Actor::default();
    let (journal, probe) = (state.journal.clone(), Arc::clone(&state.probe));
    (node.port(state), journal, probe)
}

#[tokio::test(start_paused = true)]
async fn timers_have_the_state() {
    let (port, journal, _) = actor(&node());
    port.later(5);
    assert_eq!(port.get().await.unwrap(), 0);
    sleep(SECOND * 2).await;
    assert_eq!(port.get().await.unwrap(), 5);
    assert_eq!(journal.take(), ["true"]);
    port.later(7);
    port.cancel();
    sleep(SECOND * 2).await;
    assert_eq!(port.get().await.unwrap(), 5);
}

#[tokio::test(start_paused = true)]
async fn timers_wait_for_async_handlers_and_die_with_the_port() {
    let (port, journal, _) = actor(&node());
    port.later(5);
    port.wait(3);
    sleep(SECOND * 4).await;
    assert_eq!(journal.take(), ["waited", "true"]);
    port.later(6);
    port.stop();
    let _ = port.closed().await;
    sleep(SECOND * 2).await;
    assert_eq!(journal.take(), ["stop"]);
}

#[tokio::test(start_paused = true)]
async fn intervals_have_the_state_and_their_errors_kill() {
    let (port, ..) = actor(&node());
    port.often();
    sleep(SECOND * 5 / 2).await;
    assert_eq!(port.get().await.unwrap(), 2);
    assert_eq!(port.closed().await.to_string(), "die three");
    let (port, ..) = actor(&node());
    port.often();
    sleep(SECOND * 3 / 2).await;
    port.cancel();
    sleep(SECOND * 5).await;
    assert_eq!(port.get().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn named_timers_replace_each_other() {
    let (port, ..) = actor(&node());
    port.named("a".into(), 1);
    port.named("b".into(), 10);
    sleep(SECOND / 2).await;
    port.named("a".into(), 2);
    sleep(SECOND * 3 / 4).await;
    assert_eq!(port.get().await.unwrap(), 10);
    sleep(SECOND).await;
    assert_eq!(port.get().await.unwrap(), 12);
    assert!(!port.cancel_named("a".into()).await.unwrap(), "it has run");
    port.named("a".into(), 100);
    assert!(port.cancel_named("a".into()).await.unwrap());
    sleep(SECOND * 2).await;
    assert_eq!(port.get().await.unwrap(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_port_works_on_while_it_waits_for_an_answer() {
    let node = node();
    let (port, journal, _) = actor(&node);
    let (other, ..) = actor(&node);
    other.later(3);
    other.wait(5);
    port.ask(other.clone());
    assert_eq!(port.get().await.unwrap(), 0);
    sleep(SECOND * 6).await;
    // The call came before the timer had run.
    assert_eq!(
        (port.get().await.unwrap(), journal.take()),
        (0, vec!["answered".into()])
    );
    other.wait(5);
    port.ask(other.clone());
    assert_eq!(port.get().await.unwrap(), 0);
    port.cancel();
    sleep(SECOND * 6).await;
    assert!(journal.take().is_empty());
    port.ask(port.clone());
    sleep(SECOND).await;
    assert_eq!(journal.take(), ["answered"]);
    other.kill("gone");
    port.ask(other);
    assert_eq!(port.closed().await.kind(), "die");
}

#[tokio::test]
async fn continuations_die_with_the_port_and_kill_it_with_a_panic() {
    let node = node();
    let (port, _, probe) = actor(&node);
    let (done, is_done) = oneshot::channel();
    port.after_that(is_done);
    within(port.get()).await.unwrap();
    assert_eq!(Arc::strong_count(&probe), 3);
    port.kill(());
    within(port.closed()).await;
    until(|| done.is_closed() && Arc::strong_count(&probe) == 1).await;
    let (port, journal, _) = actor(&node);
    let (done, is_done) = oneshot::channel();
    port.after_that(is_done);
    drop(done);
    let reason = within(port.closed()).await.to_string();
    assert!(reason.contains("it comes"), "{reason}");
    assert!(journal.take().is_empty(), "no stop after a panic");
}

#[tokio::test]
async fn a_stream_waits_until_its_item_is_handled() {
    let (port, journal, probe) = actor(&node());
    let (give, items) = mpsc::unbounded_channel();
    let polls = Journal::default();
    let stream = Items {
        items,
        polls: polls.clone(),
    };
    for n in 1..=5 {
        give.send(n).unwrap();
    }
    let gate = port.peval(|cx| cx.id());
    port.feed(stream);
    within(gate).await.unwrap();
    until(|| journal.take().contains(&"5".to_owned())).await;
    assert_eq!(polls.take().len(), 5);
    drop(give);
    until(|| journal.take().contains(&"end".to_owned())).await;
    within(port.get()).await.unwrap();
    until(|| Arc::strong_count(&probe) == 2).await;
    assert_eq!(within(port.get()).await.unwrap(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_busy_port_slows_its_stream_down() {
    let (port, _, _) = actor(&node());
    let (give, items) = mpsc::unbounded_channel();
    let polls = Journal::default();
    let stream = Items {
        items,
        polls: polls.clone(),
    };
    port.feed(stream);
    port.wait(10);
    for n in 1..=5 {
        give.send(n).unwrap();
    }
    sleep(SECOND * 5).await;
    assert_eq!(polls.take().len(), 1, "the next waits for the last");
    sleep(SECOND * 10).await;
    assert_eq!(polls.take().len(), 4);
    port.cancel();
    sleep(SECOND).await;
    assert!(give.is_closed());
}

#[tokio::test]
async fn panics_of_streams_and_their_closures_kill() {
    for (item, text) in [(-1, "in the stream"), (100, "too much")] {
        let (port, _, probe) = actor(&node());
        let (give, items) = mpsc::unbounded_channel();
        let polls = Journal::default();
        port.feed(Items { items, polls });
        give.send(item).unwrap();
        let reason = within(port.closed()).await.to_string();
        assert_eq!(reason, format!("die {text}"));
        until(|| give.is_closed() && Arc::strong_count(&probe) == 1).await;
    }
}

#[tokio::test]
async fn a_wrong_type_of_state_is_a_panic() {
    let (port, ..) = actor(&node());
    port.mistake();
    let reason = within(port.closed()).await.to_string();
    assert!(reason.contains("this port is a"), "{reason}");
}
