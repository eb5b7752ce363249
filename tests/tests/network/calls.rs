//! Calls of ports on other nodes, which leave nothing behind.

use std::time::Duration;

use aemp::{Args, CallError, Cx, PortId, cal, msg};
use serde_json::json;

use crate::{
    common::{Inbox, soon, until},
    nodes::{CounterRef, address, counter, listening, pair, start},
    proxy::Proxy,
    raw::Raw,
};

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn answers_come_back_typed_and_untyped() {
    let (a, b) = pair().await;
    let here = b.port(counter(7));
    let there: CounterRef = a.handle(&here.id());
    let before = a.port_count();
    assert_eq!(soon(there.get()).await.unwrap(), 7);
    assert_eq!(
        soon(there.divide(2).timeout(Duration::from_secs(20)))
            .await
            .unwrap(),
        3
    );
    assert_eq!(soon(cal!(a, there, "get")).await.unwrap(), msg![3]);
    let limited = a
        .cal(&there.id(), msg!["divide", "3"])
        .timeout(Duration::from_secs(20));
    assert_eq!(soon(limited).await.unwrap(), msg![1]);
    assert_eq!(a.port_count(), before);
}

#[tokio::test]
async fn many_at_a_time_are_answered_each_its_own() {
    let (a, b) = pair().await;
    let echo = b.untyped(|cx: &mut Cx<'_>, mut message: Args| {
        let reply = message.pop().unwrap();
        let reply = PortId::parse(reply.as_str().unwrap()).unwrap();
        cx.node().snd(&reply, message);
    });
    let calls = (0..500).map(|n| {
        let call = cal!(a, echo.id(), "echo", n);
        tokio::spawn(async move { (n, call.await) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (n, answer) = soon(call).await.unwrap();
        assert_eq!(answer.unwrap(), msg!["echo", n]);
    }
    assert_eq!(a.port_count(), 0);
}

#[tokio::test]
async fn a_call_ends_when_the_port_dies() {
    let (a, b) = pair().await;
    let counter: CounterRef = a.handle(&b.port(counter(7)).id());
    let before = a.port_count();
    let error = soon(counter.divide(0)).await.unwrap_err();
    let reason = error.reason().expect("the port died").to_string();
    assert_eq!(reason, "die cannot divide by zero");
    let error = soon(counter.get()).await.unwrap_err();
    assert_eq!(error.reason().unwrap().kind(), "no_such_port");
    let error = soon(cal!(a, counter, "get")).await.unwrap_err();
    assert_eq!(error.reason().unwrap().kind(), "no_such_port");
    assert_eq!(a.port_count(), before);
}

#[tokio::test]
async fn a_call_ends_when_the_node_is_lost() {
    let a = start(listening("a")).await;
    let wire = Proxy::to(address(&a)).await;
    let b = start(listening("b").seed(wire.address())).await;
    soon(b.until_up("a")).await;
    let counter: CounterRef = b.handle(&a.port(counter(0)).id());
    let waits = tokio::spawn({
        let counter = counter.clone();
        async move { counter.ponder().await }
    });
    until(|| b.port_count() == 1).await;
    wire.cut();
    let error = soon(waits).await.unwrap().unwrap_err();
    assert_eq!(error.reason().unwrap().kind(), "transport_error");
    assert_eq!(b.port_count(), 0);
}

#[tokio::test]
async fn a_call_that_times_out_or_is_dropped_leaves_no_port() {
    let (a, b) = pair().await;
    let counter: CounterRef = a.handle(&b.port(counter(7)).id());
    let late = soon(counter.ponder().timeout(SHORT)).await;
    assert!(matches!(late, Err(CallError::Timeout)), "{late:?}");
    assert_eq!(a.port_count(), 0);
    let mute = Inbox::new(&b);
    let late = soon(a.cal(&mute.id, msg!["x"]).timeout(SHORT)).await;
    assert!(matches!(late, Err(CallError::Timeout)), "{late:?}");
    assert_eq!(a.port_count(), 0);
    let dropped = tokio::time::timeout(SHORT, a.cal(&mute.id, msg!["y"])).await;
    assert!(dropped.is_err());
    assert!(tokio::time::timeout(SHORT, counter.get()).await.is_err());
    assert_eq!(a.port_count(), 0);
}

/// The called node sees monitors of calls, and these end as well, if not at once.
#[tokio::test]
async fn the_called_node_is_left_no_monitor() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "raw").await;
    let to = PortId::parse("raw#p").unwrap();

    let call = tokio::time::timeout(SHORT, cal!(a, to, "one"));
    assert!(call.await.is_err());
    assert_eq!(raw.packet().await, json!(["", "mon1", "p"]));
    assert_eq!(raw.packet().await[1], "one");
    // The monitor of the first call still stands, for a call like this.
    let call = a.cal(&to, msg!["two"]).timeout(SHORT).await;
    assert!(matches!(call, Err(CallError::Timeout)));
    assert_eq!(raw.packet().await[1], "two");
    assert_eq!(raw.packet().await, json!(["", "mon0", "p"]));
}

#[tokio::test]
async fn an_answer_that_comes_too_late_vanishes() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "raw").await;
    let to = PortId::parse("raw#p").unwrap();
    assert!(a.cal(&to, msg!["slow"]).timeout(SHORT).await.is_err());
    assert_eq!(raw.packet().await[1], "mon1");
    let call = raw.packet().await;
    let reply = call[2].as_str().unwrap().strip_prefix("a#").unwrap();
    raw.send(format!(r#"["{reply}","late"]"#)).await;
    let mut inbox = Inbox::new(&a);
    raw.send(format!(r#"["{}","on"]"#, inbox.id.name())).await;
    assert_eq!(inbox.next().await, msg!["on"]);
}

#[tokio::test]
async fn an_answer_of_the_wrong_type_is_an_error_of_the_call() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "raw").await;
    let counter: CounterRef = a.handle(&PortId::parse("raw#p").unwrap());
    let call = tokio::spawn({
        let counter = counter.clone();
        async move { counter.get().timeout(Duration::from_secs(20)).await }
    });
    assert_eq!(raw.packet().await[1], "mon1");
    let packet = raw.packet().await;
    let reply = packet[2].as_str().unwrap().strip_prefix("a#").unwrap();
    raw.send(format!(r#"["{reply}",{{"n":1}}]"#)).await;
    let error = soon(call).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Answer(_)), "{error:?}");
    // A number as text is a number.
    let call = tokio::spawn(async move { counter.get().timeout(Duration::from_secs(20)).await });
    let packet = raw.packet().await;
    let reply = packet[2].as_str().unwrap().strip_prefix("a#").unwrap();
    raw.send(format!(r#"["{reply}","42"]"#)).await;
    assert_eq!(soon(call).await.unwrap().unwrap(), 42);
    assert_eq!(a.port_count(), 0);
}
