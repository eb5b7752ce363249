//! Code that belongs to a port: closures and futures that run in its context, and end with it.

use std::{future::pending, sync::Arc};

use aemp::{CallError, Cx, Psub};
use tokio::sync::oneshot;

use crate::{Journal, Recorder, RecorderRef, death, node, on_both, settle, watch, within};

/// Binds a closure to the port and hands it out.
async fn bind<O: aemp::Outcome + 'static>(
    port: &RecorderRef,
    run: impl FnMut(&mut Cx<'_>, i64) -> O + Send + 'static,
) -> Psub<i64> {
    let (give, given) = oneshot::channel();
    port.peval(move |cx: &mut Cx<'_>| drop(give.send(cx.psub(run))));
    within(given).await.unwrap()
}

#[test]
fn peval_runs_in_order_in_the_ports_context() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let port = node.port(Recorder::new(&journal));
        let (notes, id) = (journal.clone(), port.id());
        port.add(1);
        let value = port.peval(move |cx: &mut Cx<'_>| {
            assert_eq!(cx.id(), id);
            let me: RecorderRef = cx.me().expect("itself");
            me.add(3);
            notes.note("peval");
            "a value"
        });
        assert_eq!(value.await.unwrap(), "a value");
        settle(&port).await;
        settle(&port).await;
        assert_eq!(journal.take(), ["1", "peval", "3"]);
    });
}

#[tokio::test]
async fn peval_that_fails_kills() {
    let node = node();
    let port = node.port(Recorder::default());
    let failed = port.peval(|_: &mut Cx<'_>| panic!("panicked"));
    let next = port.peval(|_: &mut Cx<'_>| ());
    assert_eq!(death(&port).await, "die panicked");
    for failed in [failed.await, next.await] {
        let error = failed.unwrap_err();
        assert_eq!(error.reason().unwrap().to_string(), "die panicked");
    }
    let port = node.port(Recorder::default());
    let asked = port.peval(|cx: &mut Cx<'_>| cx.kill("asked"));
    assert_eq!(death(&port).await, "asked");
    asked.await.expect("it ran to its end");
    let probe = Arc::new(());
    let held = Arc::clone(&probe);
    let late = port.peval(move |_: &mut Cx<'_>| drop(held));
    assert_eq!(Arc::strong_count(&probe), 1, "the dead drop it at once");
    assert!(matches!(late.await, Err(CallError::Died(_))));
}

#[test]
fn psub_runs_in_the_ports_context() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let port = node.port(Recorder::new(&journal));
        let (notes, id) = (journal.clone(), port.id());
        let mut calls = 0;
        let psub = bind(&port, move |cx, n| {
            calls += 1;
            assert_eq!(cx.id(), id);
            notes.note(format!("call {calls}: {n}"));
        })
        .await;
        port.add(0);
        psub.call(7);
        let other = psub.clone();
        std::thread::spawn(move || other.call(8)).join().unwrap();
        port.add(9);
        settle(&port).await;
        assert_eq!(journal.take(), ["0", "call 1: 7", "call 2: 8", "9"]);
    });
}

#[test]
fn psub_that_fails_kills() {
    on_both(|| async {
        let node = node();
        for (n, reason) in [(1, "die one"), (2, "die two"), (3, "three")] {
            let port = node.port(Recorder::default());
            let psub = bind(&port, |cx, n| match n {
                1 => Err("one"),
                2 => panic!("two"),
                _ => {
                    cx.kill("three");
                    Ok(())
                }
            })
            .await;
            let told = watch(&port);
            psub.call(n);
            psub.call(1);
            assert_eq!(within(told).await.unwrap().to_string(), reason);
        }
    });
}

#[test]
fn psub_is_dropped_with_the_port() {
    on_both(|| async {
        let node = node();
        let probe = Arc::new(());
        let held = Arc::clone(&probe);
        let port = node.port(Recorder::default());
        let psub = bind(&port, move |_, _| drop(Arc::clone(&held))).await;
        psub.call(1);
        settle(&port).await;
        assert_eq!(Arc::strong_count(&probe), 2);
        port.kill(());
        death(&port).await;
        assert_eq!(Arc::strong_count(&probe), 1);
        psub.call(2);
        assert_eq!(node.port_count(), 0);
    });
}

/// A port that lives long and makes many of them must not keep all.
#[test]
fn psub_is_dropped_with_its_last_clone() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let probe = Arc::new(());
        let (held, notes) = (Arc::clone(&probe), journal.clone());
        let port = node.port(Recorder::default());
        let psub = bind(&port, move |_, n| {
            let _ = &held;
            notes.note(n);
        })
        .await;
        let clone = psub.clone();
        psub.call(1);
        drop(psub);
        clone.call(2);
        drop(clone);
        settle(&port).await;
        assert_eq!(journal.take(), ["1", "2"], "the called closures are run");
        assert_eq!(Arc::strong_count(&probe), 1);
    });
}

#[test]
fn futures_that_fail_kill() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let told = watch(&port);
        port.peval(|cx: &mut Cx<'_>| {
            cx.spawn(async {
                tokio::task::yield_now().await;
                Err::<(), _>("failed")
            });
        });
        assert_eq!(within(told).await.unwrap().to_string(), "die failed");
        let port = node.port(Recorder::default());
        let told = watch(&port);
        port.peval(|cx: &mut Cx<'_>| cx.spawn(panicking()));
        assert_eq!(within(told).await.unwrap().to_string(), "die panicked");
        let port = node.port(Recorder::default());
        let (done, is_done) = oneshot::channel();
        port.peval(|cx: &mut Cx<'_>| {
            cx.spawn(async {
                let _ = done.send(());
            });
        });
        within(is_done).await.unwrap();
        assert_eq!(within(port.count()).await.unwrap(), 0, "success is no end");
    });
}

#[test]
fn futures_are_dropped_with_the_port() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let (started, is_started) = oneshot::channel();
        let (held, dropped) = oneshot::channel::<()>();
        port.peval(move |cx: &mut Cx<'_>| {
            cx.spawn(async move {
                let _held = held;
                let _ = started.send(());
                pending::<()>().await;
            });
        });
        within(is_started).await.unwrap();
        port.kill(());
        assert!(within(dropped).await.is_err(), "dropped, not sent");
    });
}

#[tokio::test]
async fn futures_kill_their_own_port_in_order() {
    let node = node();
    let journal = Journal::default();
    let port = node.port(Recorder::new(&journal));
    let told = watch(&port);
    port.peval(|cx: &mut Cx<'_>| {
        let me: RecorderRef = cx.me().expect("itself");
        cx.spawn(async move {
            me.add(1);
            me.kill("by its future");
            me.add(2);
        });
    });
    assert_eq!(within(told).await.unwrap().to_string(), "by its future");
    assert_eq!(journal.take(), ["1"]);
}

async fn panicking() {
    tokio::task::yield_now().await;
    panic!("panicked")
}
