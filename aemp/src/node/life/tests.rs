//! Ends that a user cannot cause from outside.

use std::future::pending;

use aemp_codec::PortId;
use tokio::sync::oneshot;

use super::*;
use crate::{CallError, msg};

fn watch(node: &Node, port: &PortId) -> oneshot::Receiver<Reason> {
    let (tell, told) = oneshot::channel();
    node.mon(port, move |reason| drop(tell.send(reason.clone())))
        .detach();
    told
}

#[tokio::test(start_paused = true)]
async fn a_node_without_one_of_its_tasks_ends_loudly() {
    for panics in [false, true] {
        let node = Node::local().unwrap();
        let (here, there) = (node.empty_port(), PortId::parse("there#port").unwrap());
        let told = watch(&node, &here.id());
        node.spawn_vital("test", async move {
            assert!(!panics, "oh");
        });
        let Ended::Failed(text) = node.ended().await else {
            panic!("not failed");
        };
        assert!(text.starts_with("its task `test` has"), "{text}");
        assert_eq!(text.ends_with("failed: die oh"), panics, "{text}");
        let reason = told.await.unwrap();
        assert!(reason.to_string().contains(&text), "{reason}");
        assert_eq!(node.port_count(), 0);
        let told = watch(&node, &there);
        assert_eq!(told.await.unwrap().kind(), "transport_error");
        node.stop().await;
        assert!(matches!(node.has_ended(), Some(Ended::Failed(_))));
    }
}

#[tokio::test]
async fn vital_tasks_that_stop_has_ended_are_no_failure() {
    let node = Node::local().unwrap();
    let task = node.spawn_vital("test", pending());
    node.stop().await;
    task.abort();
    let _aborted = task.await;
    assert_eq!(node.ended().await, Ended::Stopped);
}

#[test]
fn waits_end_with_the_runtime() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let (theirs, ours) = (runtime(), runtime());
    let (node, port) = theirs.block_on(async {
        let node = Node::local().unwrap();
        let port = node.untyped(|_: &mut crate::Cx<'_>, _: crate::Args| ());
        (node, port)
    });
    let there = PortId::parse("there#port").unwrap();
    let (local, far) = (watch(&node, &port.id()), watch(&node, &there));
    let waiting = ours.spawn(node.cal(&port.id(), msg!["get"]));
    let query = ours.spawn({
        let node = node.clone();
        async move { node.until_up("there").await }
    });
    drop(theirs);
    ours.block_on(async {
        assert_eq!(local.await.unwrap().kind(), "die");
        assert_eq!(far.await.unwrap().kind(), "transport_error");
        let waited = waiting.await.unwrap();
        assert!(matches!(waited, Err(CallError::Died(_))), "{waited:?}");
        let called = node.cal(&port.id(), msg!["get"]).await;
        assert!(matches!(called, Err(CallError::Died(_))), "{called:?}");
        assert!(!query.await.unwrap());
        assert_eq!(node.ended().await, Ended::RuntimeGone);
        node.stop().await;
        let told = watch(&node, &there).await.unwrap();
        assert_eq!(
            told.to_string(),
            format!("transport_error there {RUNTIME_GONE}")
        );
        assert_eq!(
            watch(&node, &port.id()).await.unwrap().kind(),
            "no_such_port"
        );
        // A new port of the node is dead as well.
        let port = node.empty_port();
        assert_eq!((node.port_count(), port.queue_len()), (0, None));
    });
}

/// The node is freed with its last handle, and so are its tasks.
#[test]
fn ended_nodes_are_freed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let weak = |node: &Node| Arc::downgrade(&node.0);
    let dropped = runtime.block_on(async { weak(&Node::local().unwrap()) });
    assert!(dropped.upgrade().is_none());
    let node = runtime.block_on(async { Node::local().unwrap() });
    let (gone, port) = (weak(&node), node.empty_port());
    node.mon(&PortId::parse("there#port").unwrap(), {
        let node = node.clone();
        move |_| drop(node)
    })
    .detach();
    drop((runtime, port, node));
    assert!(gone.upgrade().is_none());
}
