//! Killing ports: reasons, and the messages that are still handled.

use std::sync::Arc;

use aemp::{Args, Cx, Local, Map, Reason, Value, args, msg, port, snd};

use crate::{Journal, Recorder, RecorderRef, death, node, on_both, settle, watch, within};

#[test]
fn a_reason_is_any_list_of_values() {
    on_both(|| async {
        let node = node();
        let mut map = Map::new();
        map.insert("key", 1);
        let reasons = [
            args![],
            args!["text"],
            args![Value::Null],
            args![1, -2, 2.5, u64::MAX, true],
            args!["", args![], args!["nested", args![1]], map],
        ];
        for reason in reasons {
            let typed = node.port(Recorder::default());
            let untyped = node.untyped(|_: &mut Cx<'_>, _: Args| ());
            let told = (watch(&typed), watch(&untyped));
            typed.kill(reason.clone());
            node.kil(&untyped.id(), reason.clone());
            assert_eq!(within(told.0).await.unwrap().into_values(), reason);
            assert_eq!(within(told.1).await.unwrap().into_values(), reason);
        }
        assert_eq!(node.port_count(), 0);
    });
}

#[tokio::test]
async fn reasons_are_made_of_texts_and_of_nothing() {
    let node = node();
    for (reason, expected) in [
        (Reason::from(()), args![]),
        (Reason::from("text"), args!["text"]),
        (Reason::from("text".to_owned()), args!["text"]),
        (Reason::new(args![]), args![]),
    ] {
        let port = node.port(Recorder::default());
        let told = watch(&port);
        port.kill(reason);
        let reason = within(told).await.unwrap();
        assert_eq!(reason.is_normal(), expected.is_empty());
        assert_eq!(reason.into_values(), expected);
    }
}

#[test]
fn in_order_with_its_senders_messages() {
    on_both(|| async {
        for _ in 0..50 {
            let node = node();
            let journal = Journal::default();
            let port = node.port(Recorder::new(&journal));
            let told = watch(&port);
            port.add(1);
            snd!(node, port, "add", 2);
            port.kill("stop");
            port.add(3);
            snd!(node, port, "add", 4);
            port.kill("later");
            assert_eq!(within(told).await.unwrap().to_string(), "stop");
            assert_eq!(journal.take(), ["1", "2"]);
        }
    });
}

/// Sends to another port, and kills it.
struct Killer(RecorderRef);

#[port]
impl Killer {
    #[rcv]
    fn strike(&self, cx: &mut Cx<'_>) {
        self.0.add(1);
        cx.node().kil(&self.0.id(), "struck");
        self.0.add(2);
    }
}

#[test]
fn a_handler_kills_another_port_in_order() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let victim = node.port(Recorder::new(&journal));
        let killer = node.port(Killer(victim.clone()));
        let told = watch(&victim);
        killer.strike();
        assert_eq!(within(told).await.unwrap().to_string(), "struck");
        settle(&killer).await;
        assert_eq!(journal.take(), ["1"]);
        assert_eq!(node.port_count(), 1);
    });
}

#[tokio::test]
async fn the_dead_are_killed_in_vain() {
    let node = node();
    let journal = Journal::default();
    let port = node.port(Recorder::default());
    let notes = journal.clone();
    port.monitor(move |reason| notes.note(reason)).detach();
    port.kill("first");
    port.kill("second");
    settle(&port).await;
    port.kill("third");
    node.kil(&port.id(), "fourth");
    settle(&port).await;
    assert_eq!(journal.take(), ["first"]);
}

/// Holds its argument.
#[derive(Default)]
struct Holder(Vec<Local<Arc<()>>>);

#[port]
impl Holder {
    #[rcv]
    fn hold(&mut self, value: Local<Arc<()>>) {
        self.0.push(value);
    }
}

#[test]
fn a_dead_port_drops_its_possessions() {
    on_both(|| async {
        let node = node();
        let (probe, weak) = (Arc::new(()), 1);
        let port = node.port(Holder::default());
        let handle = port.clone();
        port.hold(Local(Arc::clone(&probe)));
        settle(&port).await;
        port.kill("first");
        // Both come behind the kill: one is dropped with the queue, or both by the dead port.
        port.hold(Local(Arc::clone(&probe)));
        death(&port).await;
        port.hold(Local(Arc::clone(&probe)));
        assert_eq!(Arc::strong_count(&probe), weak, "state or queue is left");
        assert_eq!(node.port_count(), 0);
        drop(handle);
    });
}

#[tokio::test]
async fn monitors_see_the_port_gone() {
    let node = node();
    let probe = Arc::new(());
    let port = node.port(Recorder::probed(&probe));
    let (tell, told) = tokio::sync::oneshot::channel();
    let (here, held) = (node.clone(), Arc::downgrade(&probe));
    port.monitor(move |_| {
        let _ = tell.send((here.port_count(), held.strong_count()));
    })
    .detach();
    drop(probe);
    port.kill(());
    assert_eq!(within(told).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn kills_of_the_node_port_are_ignored() {
    let node = node();
    let me = aemp::PortId::from(node.id().clone());
    node.kil(&me, "no");
    let port = node.port(Recorder::default());
    assert_eq!(port.count().await.unwrap(), 0);
    // The node's own port takes requests as it does from afar.
    node.snd(&me, msg!["kil1", port.id().name(), "asked", 1]);
    assert_eq!(death(&port).await, "asked 1");
}
