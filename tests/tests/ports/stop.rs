//! Stopping a node.

use std::{future::pending, sync::Arc};

use aemp::{CallError, Cx, cal, port};

use crate::{Journal, Recorder, RecorderRef, node, on_both, until, watch, within};

/// Is always busy.
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
    fn stop(&self, cx: &mut Cx<'_>) {
        let node = cx.node().clone();
        cx.spawn(async move { node.stop().await });
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
fn what_was_sent_before_is_handled() {
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
        port.stop();
        assert!(within(told).await.unwrap().is_normal());
        until(|| node.port_count() == 0 && Arc::strong_count(&probe) == 1).await;
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
