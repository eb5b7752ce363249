//! Delays and intervals, under paused time.

use std::{sync::Arc, time::Duration};

use aemp::{Cx, Timer, msg};
use tokio::{sync::oneshot, time::sleep};

use crate::{Journal, Recorder, RecorderRef, death, node, settle, watch, within};

const SECOND: Duration = Duration::from_secs(1);
const HALF: Duration = Duration::from_millis(500);

/// Sets a timer in the context of the port.
async fn set(port: &RecorderRef, set: impl FnOnce(&mut Cx<'_>) -> Timer + Send + 'static) -> Timer {
    let (give, given) = oneshot::channel();
    port.peval(move |cx: &mut Cx<'_>| drop(give.send(set(cx))));
    within(given).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn closures_run_after_a_delay() {
    let node = node();
    let journal = Journal::default();
    let port = node.port(Recorder::new(&journal));
    let (notes, id) = (journal.clone(), port.id());
    set(&port, move |cx| {
        cx.after(SECOND, move |cx| {
            assert_eq!(cx.id(), id);
            notes.note("closure");
        })
    })
    .await;
    let to = port.id();
    set(&port, move |cx| {
        cx.after_snd(SECOND * 2, &to, msg!["add", 5])
    })
    .await;
    sleep(HALF).await;
    assert!(journal.take().is_empty());
    sleep(SECOND).await;
    assert_eq!(journal.take(), ["closure"]);
    sleep(SECOND).await;
    settle(&port).await;
    assert_eq!(journal.take(), ["5"]);
    sleep(SECOND * 10).await;
    assert!(journal.take().is_empty(), "once means once");
}

#[tokio::test(start_paused = true)]
async fn timers_are_cancelled() {
    let node = node();
    let probe = Arc::new(());
    let port = node.port(Recorder::default());
    let held = Arc::clone(&probe);
    let once = set(&port, |cx| cx.after(SECOND, move |_| drop(held))).await;
    let held = Arc::clone(&probe);
    let often = set(&port, |cx| {
        cx.every(SECOND, move |_| -> () { panic!("ran with {held:?}") })
    })
    .await;
    sleep(HALF).await;
    assert_eq!(Arc::strong_count(&probe), 3);
    once.cancel();
    often.cancel();
    assert_eq!(Arc::strong_count(&probe), 1);
    sleep(SECOND * 3).await;
    assert_eq!(port.count().await.unwrap(), 0);
    let fired = set(&port, |cx| cx.after(SECOND, |_| ())).await;
    sleep(SECOND * 2).await;
    fired.cancel();
}

#[tokio::test(start_paused = true)]
async fn timers_end_with_their_port() {
    let node = node();
    let probe = Arc::new(());
    let other = node.port(Recorder::default());
    let port = node.port(Recorder::default());
    let (a, b, to) = (Arc::clone(&probe), Arc::clone(&probe), other.id());
    port.peval(move |cx: &mut Cx<'_>| {
        cx.after(SECOND, move |_| drop(a));
        cx.every(SECOND, move |_| drop(Arc::clone(&b)));
        cx.after_snd(SECOND, &to, msg!["add", 1]);
    });
    settle(&port).await;
    assert_eq!(Arc::strong_count(&probe), 3);
    port.kil(());
    death(&port).await;
    assert_eq!(Arc::strong_count(&probe), 1, "dropped at once");
    sleep(SECOND * 3).await;
    assert_eq!(other.count().await.unwrap(), 0, "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn timers_that_fail_kill() {
    let node = node();
    let port = node.port(Recorder::default());
    set(&port, |cx| cx.after(SECOND, |_| Err::<(), _>("once"))).await;
    assert_eq!(death(&port).await, "die once");
    let port = node.port(Recorder::default());
    set(&port, |cx| cx.after(SECOND, |_| -> () { panic!("loud") })).await;
    assert_eq!(death(&port).await, "die loud");
    let port = node.port(Recorder::default());
    set(&port, |cx| {
        let mut runs = 0;
        cx.every(SECOND, move |_| {
            runs += 1;
            if runs < 3 { Ok(()) } else { Err("third") }
        })
    })
    .await;
    let told = watch(&port);
    sleep(SECOND * 2 + HALF).await;
    assert_eq!(port.count().await.unwrap(), 0);
    sleep(SECOND).await;
    assert_eq!(within(told).await.unwrap().to_string(), "die third");
}

#[tokio::test(start_paused = true)]
async fn intervals_repeat() {
    let node = node();
    let journal = Journal::default();
    let port = node.port(Recorder::default());
    let notes = journal.clone();
    let timer = set(&port, |cx| cx.every(SECOND, move |_| notes.note("tick"))).await;
    sleep(HALF).await;
    assert_eq!(journal.take().len(), 0, "first after one period");
    for _ in 0..3 {
        sleep(SECOND).await;
        assert_eq!(journal.take().len(), 1);
    }
    timer.cancel();
    sleep(SECOND * 5).await;
    assert!(journal.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_interval_of_a_busy_port_does_not_pile_up() {
    let node = node();
    let journal = Journal::default();
    let slow = node.port(crate::waiting::Slow::default());
    let notes = journal.clone();
    slow.peval(move |cx: &mut Cx<'_>| drop(cx.every(SECOND, move |_| notes.note("tick"))));
    slow.sleep(10_500);
    settle(&slow).await;
    assert_eq!(journal.take().len(), 1, "one stands for ten");
    sleep(SECOND).await;
    assert_eq!(journal.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_longest_of_delays_is_no_failure() {
    let node = node();
    let port = node.port(Recorder::default());
    let once = set(&port, |cx| cx.after(Duration::MAX, |_| ())).await;
    let often = set(&port, |cx| cx.every(Duration::MAX, |_| ())).await;
    sleep(SECOND * 1000).await;
    assert_eq!(port.count().await.unwrap(), 0);
    once.cancel();
    often.cancel();
}

#[tokio::test(start_paused = true)]
async fn timers_of_the_node_belong_to_no_port() {
    let node = node();
    let journal = Journal::default();
    let notes = journal.clone();
    node.after(SECOND, move || notes.note("fired"));
    node.after(SECOND, || panic!("nobody's business"));
    let probe = Arc::new(());
    let held = Arc::clone(&probe);
    let timer = node.after(SECOND, move || drop(held));
    timer.cancel();
    sleep(HALF).await;
    assert_eq!(Arc::strong_count(&probe), 1);
    assert!(journal.take().is_empty());
    sleep(SECOND).await;
    assert_eq!(journal.take(), ["fired"]);
}
