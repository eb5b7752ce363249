//! Handles as values: equal, ordered, hashed and shown; calls whose answer is not wanted; lists of handlers
//! and of reply ports.

use std::collections::{BTreeSet, HashSet};

use aemp::{
    Args, CallError, Cx, Handle, Handlers, PortId, Reply, SendError, TrySendError, UntypedMsg,
    args, msg, port, snd,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{Journal, Recorder, RecorderMsg, death, node, on_both, settle, within};

/// An untyped port that passes on whole messages.
fn ear(node: &aemp::Node) -> (PortId, UnboundedReceiver<Args>) {
    let (tell, told) = unbounded_channel();
    let port = node.untyped(move |_: &mut Cx<'_>, message: Args| drop(tell.send(message)));
    (port.id(), told)
}

#[tokio::test]
async fn handles_of_one_port_are_equal_however_they_were_made() {
    let node = node();
    let (one, other) = (
        node.port(Recorder::default()),
        node.port(Recorder::default()),
    );
    let typed: Handle<RecorderMsg> = node.handle(&one.id());
    let untyped: Handle<UntypedMsg> = node.handle(&one.id());
    let again: Handle<UntypedMsg> = node.handle(&one.id());
    assert!(typed == **one_ref(&one) && typed != **one_ref(&other));
    assert_eq!(untyped, again);
    let far: Handle<UntypedMsg> = node.handle(&PortId::parse("elsewhere#port").unwrap());
    assert!(far != untyped && far == far.clone());
    assert_eq!(far.to_string(), "elsewhere#port");
    assert_eq!(typed.to_string(), one.id().to_string());
    assert_eq!(one.to_string(), one.id().to_string());
    let generated: HashSet<_> = [one.clone(), other.clone(), one.clone()].into();
    assert!(generated.len() == 2 && (one < other) == (one.id() < other.id()));
    let keys = [typed.clone(), (**one_ref(&other)).clone(), typed];
    let hashed: HashSet<_> = keys.iter().cloned().collect();
    let ordered: BTreeSet<_> = keys.into_iter().collect();
    assert_eq!((hashed.len(), ordered.len()), (2, 2));
}

/// One side has a cell, the other an ID: they are compared by the ID.
#[tokio::test]
async fn a_handle_of_the_dead_equals_one_by_its_id() {
    let node = node();
    let port = node.port(Recorder::default());
    port.kill(());
    death(&port).await;
    let by_id: Handle<RecorderMsg> = node.handle(&port.id());
    assert_eq!(by_id, **one_ref(&port));
    assert_eq!(**one_ref(&port), by_id);
}

fn one_ref(handle: &crate::RecorderRef) -> &impl std::ops::Deref<Target = Handle<RecorderMsg>> {
    handle
}

struct Till {
    journal: Journal,
}

#[port]
impl Till {
    #[rcv]
    fn take(&mut self, cents: i64, reply: Reply<i64>) {
        self.journal
            .note(format_args!("{cents} {}", reply.is_wanted()));
        reply.send(cents);
    }
}

#[test]
fn a_call_that_is_forgotten_is_sent_and_not_waited_for() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let till = node.port(Till {
            journal: journal.clone(),
        });
        till.take(1).forget().check().unwrap();
        assert_eq!(till.take(2).await.unwrap(), 2);
        assert_eq!(journal.take(), ["1 false", "2 true"]);
        let (ear, mut told) = ear(&node);
        node.cal(&ear, msg!["knock"]).forget().check().unwrap();
        assert_eq!(told.recv().await.unwrap(), msg!["knock"]);
    });
}

#[tokio::test]
async fn a_full_port_hands_the_message_back() {
    let node = node();
    let port = node.port(Recorder::default());
    port.bound(1);
    port.try_send(RecorderMsg::Add(1)).unwrap();
    let Err(TrySendError::Full(RecorderMsg::Add(2))) = port.try_send(RecorderMsg::Add(2)) else {
        panic!("there is room for one");
    };
    settle(&port).await;
    port.try_send(RecorderMsg::Add(3)).unwrap();
    port.kill(());
    death(&port).await;
    let dead = port.try_send(RecorderMsg::Add(4));
    assert!(matches!(dead, Err(TrySendError::Send(SendError::Dead))));
}

#[tokio::test]
async fn many_handlers_are_set_at_once() {
    let node = node();
    let (tell, mut told) = unbounded_channel();
    let note = |tag: &'static str| {
        let tell = tell.clone();
        move |_: &mut Cx<'_>, args: Args| drop(tell.send((tag, args)))
    };
    let port = node.empty_port();
    let handlers = Handlers::new()
        .rcv("a", note("first"))
        .rcv("a", note("a"))
        .rcv("b", note("b"))
        .rcv_default(note("default"));
    assert_eq!(
        format!("{handlers:?}"),
        r#"[Some("a"), Some("a"), Some("b"), None]"#
    );
    node.rcv_all(&port.id(), handlers).unwrap();
    for tag in ["b", "a", "c"] {
        snd!(node, port, tag, 1);
    }
    assert_eq!(told.recv().await.unwrap(), ("b", msg![1]));
    assert_eq!(
        told.recv().await.unwrap(),
        ("a", msg![1]),
        "the last one counts"
    );
    assert_eq!(told.recv().await.unwrap(), ("default", msg!["c", 1]));
}

#[tokio::test]
async fn a_reply_list_begins_with_its_port() {
    let node = node();
    let (ear, mut told) = ear(&node);
    let list = args![ear.to_string(), "tag", 1];
    node.snd_list(&list, args![2, 3]).check().unwrap();
    assert_eq!(told.recv().await.unwrap(), msg!["tag", 1, 2, 3]);
    for wrong in [args![], args![args!["a"]]] {
        let sent = node.snd_list(&wrong, args![]).check();
        assert!(
            matches!(sent, Err(SendError::NoPort(_))),
            "{wrong:?}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn a_closure_may_never_return() {
    let node = node();
    let port = node.untyped(|_: &mut Cx<'_>, _: Args| panic!("never"));
    snd!(node, port, "go");
    assert_eq!(death(&port).await, "die never");
}

#[tokio::test]
async fn the_guard_of_values_ends_them() {
    let node = node();
    let port = node.port(Recorder::default());
    let probe = std::sync::Arc::new(());
    let count = || std::sync::Arc::strong_count(&probe);
    let (mine, kept) = (std::sync::Arc::clone(&probe), std::sync::Arc::clone(&probe));
    let guard = port.monitor_guard(mine);
    port.monitor_guard(kept).detach();
    assert_eq!(count(), 3);
    drop(guard);
    assert_eq!(count(), 2);
    port.kill(());
    death(&port).await;
    assert_eq!(count(), 1);
}

#[tokio::test]
async fn a_reason_is_an_error_and_travels() {
    let reason = aemp::Reason::new(msg!["late", 7]);
    let text = serde_json::to_string(&reason).unwrap();
    assert_eq!(text, r#"["late",7]"#);
    assert_eq!(serde_json::from_str::<aemp::Reason>(&text).unwrap(), reason);
    let error: Box<dyn std::error::Error> = reason.into();
    assert_eq!(error.to_string(), "late 7");
    let refused = CallError::Send(SendError::Dead);
    assert!(
        std::error::Error::source(&refused).is_none(),
        "the source is printed once"
    );
    within(async {}).await;
}
