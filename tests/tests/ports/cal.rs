//! Calls by port ID: `cal`, whose answer is a list of values.

use std::{pin::Pin, task::Poll, time::Duration};

use aemp::{Args, CallError, Cx, Node, PortId, ValueCall, cal, msg, snd};

use crate::{Recorder, death, node, on_both, settle, within};

async fn poll_once(call: &mut ValueCall) -> Poll<Result<Args, CallError>> {
    std::future::poll_fn(|task| Poll::Ready(Pin::new(&mut *call).poll(task))).await
}

/// Sends its arguments back.
fn echo(node: &Node) -> PortId {
    let echo = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
        let reply = message
            .pop()
            .and_then(|to| PortId::parse(to.as_str()?).ok());
        if let Some(reply) = reply {
            cx.node().snd(&reply, message);
        }
    });
    echo.id()
}

#[test]
fn any_number_of_values_is_an_answer() {
    on_both(|| async {
        let node = node();
        let echo = echo(&node);
        for message in [msg![], msg![1], msg!["a", msg!["b", 2.5], true]] {
            assert_eq!(
                within(node.cal(&echo, message.clone())).await.unwrap(),
                message
            );
        }
        assert_eq!(node.port_count(), 1);
    });
}

#[test]
fn typed_ports_answer() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        port.add(1);
        assert_eq!(within(cal!(node, port, "count")).await.unwrap(), msg![1]);
        assert_eq!(node.port_count(), 1);
        // An answer that is deferred comes all the same.
        let mut kept = cal!(node, port, "keep");
        assert!(poll_once(&mut kept).await.is_pending());
        assert_eq!(node.port_count(), 2, "with a reply port");
        port.answer();
        assert_eq!(within(kept).await.unwrap(), msg![1]);
        assert_eq!(node.port_count(), 1);
    });
}

#[test]
fn a_death_ends_it() {
    on_both(|| async {
        let node = node();
        let reason = |answer: Result<Args, CallError>| match answer {
            Err(CallError::Died(reason)) => reason.to_string(),
            other => panic!("{other:?}"),
        };
        let port = node.port(Recorder::default());
        assert_eq!(
            reason(within(cal!(node, port, "explode")).await),
            "die boom 0"
        );
        let gone = format!("no_such_port cannot monitor nonexistent port {}", port.id());
        // As long as it is dying, it still tells why.
        let after = reason(within(cal!(node, port, "count")).await);
        assert!(after == gone || after == "die boom 0", "{after}");
        let port = node.port(Recorder::default());
        let mut kept = cal!(node, port, "keep");
        assert!(poll_once(&mut kept).await.is_pending());
        port.kill("meanwhile");
        assert_eq!(reason(within(kept).await), "meanwhile");
        let port = node.port(Recorder::default());
        let answer = within(cal!(node, port, "unknown", 1)).await;
        let unhandled = "no callback found for message 'unknown'";
        assert!(matches!(answer, Err(CallError::Refused(text)) if text == unhandled));
        assert_eq!(node.port_count(), 1, "no reply port is left");
    });
}

#[tokio::test(start_paused = true)]
async fn it_times_out() {
    let node = node();
    let port = node.port(Recorder::default());
    let call = cal!(node, port, "keep").timeout(Duration::from_secs(1));
    assert!(matches!(call.await, Err(CallError::Timeout)));
    assert_eq!(node.port_count(), 1, "no reply port is left");
    port.answer();
    settle(&port).await;
    let call = cal!(node, port, "count").timeout(Duration::from_secs(1));
    assert_eq!(call.await.unwrap(), msg![0]);
    // A time limit is for ports that do not answer, not for dead ones.
    port.kill(());
    death(&port).await;
    let begun = tokio::time::Instant::now();
    let call = cal!(node, port, "count").timeout(Duration::from_secs(1));
    assert!(matches!(call.await, Err(CallError::Died(_))));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(node.port_count(), 0);
}

#[tokio::test]
async fn one_that_is_dropped_leaves_nothing() {
    let node = node();
    let port = node.port(Recorder::default());
    drop(cal!(node, port, "keep"));
    settle(&port).await;
    let mut call = cal!(node, port, "keep");
    assert!(poll_once(&mut call).await.is_pending());
    assert_eq!(node.port_count(), 2);
    drop(call);
    assert_eq!(node.port_count(), 1);
    port.answer();
    assert_eq!(port.count().await.unwrap(), 0);
}

#[tokio::test]
async fn the_first_answer_counts() {
    let node = node();
    let eager = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
        let reply = message
            .pop()
            .and_then(|to| PortId::parse(to.as_str()?).ok());
        let reply = reply.expect("a call");
        snd!(cx, reply, "first");
        snd!(cx, reply, "second");
        cx.node().kil(&reply, "third");
        cx.kill("fourth");
    });
    let answer = within(node.cal(&eager.id(), msg!["x"])).await;
    assert_eq!(answer.unwrap(), msg!["first"]);
    assert_eq!(node.port_count(), 0);
}

#[tokio::test]
async fn reply_ports_can_be_monitored_but_not_given_handlers() {
    let node = node();
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let nosy = node.untyped(move |cx: &mut Cx<'_>, mut message: Args| {
        let reply = message
            .pop()
            .and_then(|to| PortId::parse(to.as_str()?).ok());
        let reply = reply.expect("a call");
        assert!(
            cx.node()
                .rcv(&reply, "a", |_: &mut Cx<'_>, _: Args| ())
                .is_err()
        );
        let tell = tell.take().expect("one call");
        cx.node()
            .mon(&reply, move |reason| {
                drop(tell.send(reason.kind().to_owned()))
            })
            .detach();
        snd!(cx, reply, "done");
    });
    assert_eq!(
        within(node.cal(&nosy.id(), msg!["x"])).await.unwrap(),
        msg!["done"]
    );
    assert_eq!(within(told).await.unwrap(), "", "it has done its work");
}
