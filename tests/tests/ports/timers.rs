//! Delays and intervals, under paused time.

use std::{sync::Arc, time::Duration};

use aemp::{Cx, Timer, msg};
use tokio::{sync::oneshot, time::sleep};

use crate::{Journal, Recorder, RecorderRef, death, many_threads, node, settle, watch, within};

const SECOND: Duration = Duration::from_secs(1);
const HALF: Duration = Duration::from_millis(500);
const SHORT: Duration = Duration::from_millis(1);

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

/// The port is held up until the timer's run is queued behind.
#[test]
fn a_timer_that_has_become_due_is_cancelled() {
    many_threads().block_on(within(async {
        let node = node();
        let port = node.port(Recorder::default());
        let probe = Arc::new(());
        let sets: [fn(&mut Cx<'_>, Arc<()>) -> Timer; 2] = [
            |cx, held| cx.after(SHORT, move |_| -> () { panic!("ran with {held:?}") }),
            |cx, held| cx.every(SHORT, move |_| -> () { panic!("ran with {held:?}") }),
        ];
        for set in sets {
            let (held, me) = (Arc::clone(&probe), port.clone());
            port.peval(move |cx: &mut Cx<'_>| {
                let timer = set(cx, held);
                // A worker keeps the task that it has started last to itself.
                cx.spawn(async {});
                while me.queue_len() == Some(0) {
                    std::thread::yield_now();
                }
                timer.cancel();
            });
            settle(&port).await;
            settle(&port).await;
            assert_eq!(Arc::strong_count(&probe), 1, "it is dropped");
        }
    }));
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_is_due_while_a_handler_waits_is_cancelled() {
    let node = node();
    let slow = node.port(crate::waiting::Slow::default());
    let journal = Journal::default();
    let (give, given) = oneshot::channel();
    let notes = journal.clone();
    slow.peval(move |cx: &mut Cx<'_>| {
        let more = notes.clone();
        let timers = [
            cx.after(SECOND, move |_| notes.note("once")),
            cx.every(SECOND, move |_| more.note("often")),
        ];
        drop(give.send(timers));
    });
    let timers = within(given).await.unwrap();
    slow.sleep(3_000);
    sleep(SECOND * 2).await;
    assert_eq!(slow.queue_len(), Some(2), "both are queued");
    let elsewhere = std::thread::spawn(|| timers.into_iter().for_each(Timer::cancel));
    elsewhere.join().unwrap();
    sleep(SECOND * 5).await;
    settle(&slow).await;
    assert!(journal.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_closure_cancels_its_own_timer() {
    let node = node();
    let journal = Journal::default();
    let port = node.port(Recorder::default());
    let own: Arc<std::sync::Mutex<Option<Timer>>> = Arc::default();
    let (mine, notes) = (Arc::clone(&own), journal.clone());
    let probe = Arc::new(());
    let held = Arc::clone(&probe);
    let timer = set(&port, move |cx| {
        cx.every(SECOND, move |_| {
            let _ = &held;
            notes.note("tick");
            mine.lock()
                .unwrap()
                .take()
                .into_iter()
                .for_each(Timer::cancel);
        })
    })
    .await;
    *own.lock().unwrap() = Some(timer);
    sleep(SECOND * 5).await;
    assert_eq!(journal.take(), ["tick"]);
    assert_eq!(Arc::strong_count(&probe), 1);
}

/// Timers set by any thread belong to the node's runtime, and go by its clock.
#[tokio::test(start_paused = true)]
async fn a_thread_without_a_runtime_sets_timers() {
    let node = node();
    let journal = Journal::default();
    let port = node.port(Recorder::default());
    sleep(SECOND * 1000).await;
    let (notes, more) = (journal.clone(), journal.clone());
    port.peval(move |cx: &mut Cx<'_>| {
        let set = move || {
            cx.after(SECOND, move |_| notes.note("once"));
            cx.every(SECOND * 2, move |_| more.note("often"));
        };
        std::thread::scope(|scope| scope.spawn(set).join().unwrap());
    });
    settle(&port).await;
    let (notes, on) = (journal.clone(), node.clone());
    let set = move || drop(on.after(SECOND * 3, move || notes.note("free")));
    std::thread::spawn(set).join().unwrap();
    for expected in [vec![], vec!["once"], vec!["often"], vec!["free"]] {
        assert_eq!(journal.take(), expected);
        sleep(SECOND + Duration::from_millis(1)).await;
    }
}

/// That it is dropped in the midst of a panic would end the process.
#[tokio::test(start_paused = true)]
async fn a_closure_that_fails_in_two_ways_kills_once() {
    let node = node();
    let port = node.port(Recorder::default());
    let bomb = Bomb;
    set(&port, |cx| {
        cx.every(SECOND, move |_| -> () {
            let _ = &bomb;
            panic!("first")
        })
    })
    .await;
    assert_eq!(death(&port).await, "die first");
    let (port, other) = (
        node.port(Recorder::default()),
        node.port(Recorder::default()),
    );
    let bomb = Bomb;
    port.peval(|cx: &mut Cx<'_>| {
        cx.spawn(async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        });
    });
    settle(&port).await;
    port.kill(());
    death(&port).await;
    assert_eq!(other.count().await.unwrap(), 0);
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::panic_any(Self);
    }
}

/// As in a table of sessions, each of which has its timeout.
#[tokio::test(start_paused = true)]
async fn many_timers_are_no_burden() {
    const MANY: usize = 50_000;
    let node = node();
    let port = node.port(Recorder::default());
    let (give, given) = oneshot::channel();
    port.peval(move |cx: &mut Cx<'_>| {
        let timers: Vec<_> = (0..MANY).map(|_| Some(cx.after(SECOND, |_| ()))).collect();
        for _ in 0..MANY {
            cx.monitor_guard(()).detach();
            drop(cx.psub(|_, ()| ()));
            cx.spawn(async {});
        }
        drop(give.send(timers));
    });
    let mut timers = within(given).await.unwrap();
    // A stride that is prime to their number comes by them in an order that suits no list.
    for n in 0..MANY / 2 {
        if let Some(timer) = timers[n * 48_271 % MANY].take() {
            timer.cancel();
        }
    }
    sleep(SECOND * 2).await;
    settle(&port).await;
    port.kill(());
    death(&port).await;
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
    port.kill(());
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
    node.after(SECOND, || panic!("of a timer"));
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
