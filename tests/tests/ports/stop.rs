//! Stopping a node.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aemp::{CallError, Cx, Ended, Node, SendError, cal, port};

use crate::{Journal, Recorder, RecorderRef, many_threads, node, on_both, until, watch, within};

/// Is always busy.
#[derive(Default)]
struct Busy {
    _probe: Arc<()>,
}

#[port]
impl Busy {
    #[rcv]
    async fn hang(&mut self) -> i64 {
        pending().await
    }

    #[rcv]
    fn stop_node(&self, cx: &mut Cx<'_>) {
        let node = cx.node().clone();
        cx.spawn(async move { node.stop().await });
    }

    #[rcv]
    async fn stop_and_wait(&mut self, cx: &mut Cx<'_>) {
        cx.node().stop().await;
    }
}

#[test]
fn every_port_ends_normally() {
    on_both(|| async {
        let node = node();
        let probe = Arc::new(());
        let idle: Vec<RecorderRef> = (0..50)
            .map(|_| node.port(Recorder::probed(&probe)))
            .collect();
        let busy = node.port(Busy {
            _probe: Arc::clone(&probe),
        });
        let call = tokio::spawn(busy.hang());
        let cal = tokio::spawn(cal!(node, busy, "hang"));
        until(|| node.port_count() == 52).await;
        let ends = (watch(&idle[0]), watch(&busy));
        within(node.stop()).await;
        assert!(within(ends.0).await.unwrap().is_normal());
        assert!(within(ends.1).await.unwrap().is_normal());
        for answer in [
            within(call).await.unwrap().map(|_| ()),
            within(cal).await.unwrap().map(|_| ()),
        ] {
            match answer {
                Err(CallError::Died(reason)) => {
                    assert!(reason.is_normal() || reason.kind() == "no_such_port")
                }
                other => panic!("{other:?}"),
            }
        }
        until(|| node.port_count() == 0 && Arc::strong_count(&probe) == 1).await;
    });
}

#[test]
fn messages_sent_before_the_stop_are_handled() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let port = node.port(Recorder::new(&journal));
        let told = watch(&port);
        port.add(1);
        within(node.stop()).await;
        port.add(2);
        assert!(within(told).await.unwrap().is_normal());
        assert_eq!(journal.take(), ["1"]);
    });
}

#[test]
fn a_port_can_stop_its_own_node() {
    on_both(|| async {
        let node = node();
        let probe = Arc::new(());
        let port = node.port(Busy {
            _probe: Arc::clone(&probe),
        });
        let told = watch(&port);
        port.stop_node();
        assert!(within(told).await.unwrap().is_normal());
        assert_eq!(within(node.ended()).await, Ended::Stopped);
        until(|| node.port_count() == 0 && Arc::strong_count(&probe) == 1).await;
    });
}

#[test]
fn a_handler_can_stop_its_own_node() {
    on_both(|| async {
        let node = node();
        let (port, other) = (node.port(Busy::default()), node.port(Busy::default()));
        let hanging = tokio::spawn(other.hang());
        port.stop_and_wait();
        assert_eq!(within(node.ended()).await, Ended::Stopped);
        assert!(within(hanging).await.unwrap().is_err());
        assert_eq!(node.port_count(), 0);
    });
}

#[test]
fn all_callers_of_stop_wait_for_the_same_end() {
    on_both(|| async {
        let node = node();
        let probe = Arc::new(());
        for _ in 0..100 {
            node.port(Recorder::probed(&probe));
        }
        let stops: Vec<_> = (0..10)
            .map(|_| {
                let node = node.clone();
                tokio::spawn(async move { node.stop().await })
            })
            .collect();
        // One that goes away again has set it going.
        stops[0].abort();
        for stop in stops.into_iter().skip(1) {
            within(stop).await.unwrap();
            assert_eq!((node.port_count(), Arc::strong_count(&probe)), (0, 1));
        }
        assert_eq!(node.has_ended(), Some(Ended::Stopped));
    });
}

/// Starts a port again whenever it dies.
fn supervise(node: &Node, started: &Arc<AtomicU32>) {
    started.fetch_add(1, Ordering::Relaxed);
    let (again, count) = (node.clone(), Arc::clone(started));
    let port = node.port(Recorder::default());
    port.monitor(move |_| supervise(&again, &count)).detach();
}

#[test]
fn a_supervisor_does_not_keep_its_node_from_stopping() {
    on_both(|| async {
        let (node, started) = (node(), Arc::default());
        supervise(&node, &started);
        within(node.stop()).await;
        assert_eq!(node.port_count(), 0);
        // It is told of each, but not without end.
        assert!(
            (2..100).contains(&started.load(Ordering::Relaxed)),
            "{started:?}"
        );
    });
}

#[tokio::test(start_paused = true)]
async fn stopping_takes_no_time_and_does_not_wait_for_time_to_pass() {
    let (node, started) = (node(), Arc::default());
    supervise(&node, &started);
    let begun = tokio::time::Instant::now();
    node.stop().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[test]
fn ports_made_on_a_stopped_node_are_dead() {
    on_both(|| async {
        let node = node();
        within(node.stop()).await;
        let probe = Arc::new(());
        let port = node.port(Recorder::probed(&probe));
        assert_eq!((node.port_count(), Arc::strong_count(&probe)), (0, 1));
        let told = watch(&port);
        assert!(within(told).await.unwrap().is_normal());
        let called = within(port.count()).await;
        assert!(matches!(called, Err(CallError::Died(_))), "{called:?}");
        let called = within(cal!(node, port, "count")).await;
        assert!(matches!(called, Err(CallError::Died(_))), "{called:?}");
    });
}

#[test]
fn senders_that_wait_for_room_get_an_error() {
    on_both(|| async {
        let node = node();
        let port = node.port(Busy::default());
        port.bound(1);
        let _hangs = tokio::spawn(port.hang());
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let port = port.clone();
                tokio::spawn(async move { port.send(BusyMsg::StopNode).await })
            })
            .collect();
        tokio::task::yield_now().await;
        within(node.stop()).await;
        let mut refused = 0;
        for sender in senders {
            match within(sender).await.unwrap() {
                Ok(()) => {}
                Err(SendError::Dead) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0);
        assert!(matches!(
            port.send(BusyMsg::StopNode).await,
            Err(SendError::Dead)
        ));
    });
}

/// A handler that blocks its thread holds up neither the node nor the waiters of its port.
#[test]
fn a_handler_that_never_returns_is_left_behind() {
    many_threads().block_on(async {
        let node = node();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let probe = Arc::new(());
        let stuck = node.port(Recorder::probed(&probe));
        let told = watch(&stuck);
        stuck.peval(move |_: &mut Cx<'_>| {
            let _ = released.recv();
        });
        stuck.add(1);
        within(node.stop()).await;
        assert!(within(told).await.unwrap().is_normal());
        assert_eq!((node.port_count(), Arc::strong_count(&probe)), (0, 2));
        drop(release);
        until(|| Arc::strong_count(&probe) == 1).await;
    });
}

#[test]
fn everything_that_a_node_holds_goes_with_it() {
    on_both(|| async {
        for stopped in [true, false] {
            let probe = Arc::new(());
            let held = || Arc::clone(&probe);
            let (function, timer, watch) = (held(), held(), held());
            let node = Node::builder().function("Test::f", move |_, _| {
                let _held = &function;
            });
            let node = node.start_local().unwrap();
            let port = node.port(Recorder::probed(&probe));
            let itself = (node.clone(), held());
            let far = aemp::PortId::parse("far#port").unwrap();
            node.mon(&far, move |_| drop(itself)).detach();
            node.after(Duration::from_secs(3600), move || drop(timer));
            let monitor = node.db_mon("family", move |_| {
                let _held = &watch;
            });
            if stopped {
                within(node.stop()).await;
                // All but the function, which the node still has.
                until(|| Arc::strong_count(&probe) == 2).await;
            } else {
                port.kill(());
                until(|| node.port_count() == 0 && Arc::strong_count(&probe) < 5).await;
            }
            drop((monitor, port, node));
            until(|| Arc::strong_count(&probe) == 1).await;
        }
    });
}

#[test]
fn stopping_twice_and_other_nodes_are_fine() {
    on_both(|| async {
        let (stopped, other) = (node(), node());
        let port = other.port(Recorder::default());
        within(stopped.stop()).await;
        within(stopped.stop()).await;
        assert_eq!(within(port.count()).await.unwrap(), 0);
    });
}
