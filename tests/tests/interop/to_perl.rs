//! The operations of a Rust node on ports of a Perl node.

use std::time::Duration;

use aemp::{CallError, Map, PortId, Value, args, cal, msg, snd};
use serde_json::json;

use crate::{
    BOTH, CounterRef, Dial,
    common::{Inbox, soon, watch},
    counter, pair,
    perl::Perl,
    rust,
};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn spawn_send_call_and_die() {
    for dial in BOTH {
        let Some((node, _perl)) = pair(dial).await else {
            return;
        };
        // The Perl port answers to the typed handle of a Rust one.
        let counter: CounterRef = node.handle(&node.spawn("perl", "Peer::counter", args![40]));
        counter.inc(2);
        assert_eq!(soon(counter.get()).await.unwrap(), 42);
        assert_eq!(soon(counter.get().timeout(LIMIT)).await.unwrap(), 42);
        assert_eq!(
            soon(cal!(node, counter, "text")).await.unwrap()[0]
                .text()
                .unwrap(),
            "42"
        );
        assert_eq!(soon(counter.divide(2)).await.unwrap(), 21);
        let death = watch(&node, &counter.id());
        let error = soon(counter.divide(0)).await.unwrap_err();
        assert_eq!(
            error.reason().unwrap().to_string(),
            "die cannot divide by zero"
        );
        assert_eq!(
            death.await.into_values(),
            msg!["die", "cannot divide by zero"]
        );
        let error = soon(counter.get()).await.unwrap_err();
        assert_eq!(error.reason().unwrap().kind(), "no_such_port");
        assert_eq!(node.port_count(), 0);
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn kill_and_unmonitor() {
    let Some((node, mut perl)) = pair(Dial::Rust).await else {
        return;
    };
    let port = node.spawn("perl", "Peer::echo", args![]);
    let cancelled = node.mon(&port, |_| panic!("it was cancelled"));
    let death = watch(&node, &port);
    drop(cancelled);
    node.kil(&port, msg!["because", 7, Value::Array(msg!["x"]), ()]);
    let reason = death.await.into_values();
    assert_eq!(reason, msg!["because", 7, Value::Array(msg!["x"]), ()]);
    let port = node.spawn("perl", "Peer::echo", args![]);
    let death = watch(&node, &port);
    node.kil(&port, ());
    assert!(death.await.is_normal());
    // A Perl port of its own making, and a link of ours to it.
    let (inbox, mut near) = (
        PortId::parse(&perl.inbox().await).unwrap(),
        Inbox::new(&node),
    );
    node.mon_kil(&inbox, &near.id).detach();
    let death = watch(&node, &near.id);
    // Behind the monitor.
    node.snd_on("perl", &near.id, msg!["set"]);
    assert_eq!(near.next().await, msg!["set"]);
    perl.order(&json!(["kil", inbox.as_str(), "linked", 1]));
    assert_eq!(death.await.to_string(), "linked 1");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn spawns_that_fail() {
    let Some((node, _perl)) = pair(Dial::Perl).await else {
        return;
    };
    let unknown = node.spawn("perl", "No::Such::function", args![]);
    assert_eq!(watch(&node, &unknown).await.kind(), "no_such_port");
    let faulty = node.spawn("perl", "Peer::faulty", args![]);
    let reason = watch(&node, &faulty).await;
    assert!(["die", "no_such_port"].contains(&reason.kind()), "{reason}");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn messages_arrive_in_order_and_as_they_were_sent() {
    let Some((node, mut perl)) = pair(Dial::Rust).await else {
        return;
    };
    let inbox = PortId::parse(&perl.inbox().await).unwrap();
    let map = Map::from_iter([("key".to_owned(), Value::Array(msg![(), 1.5, "x"]))]);
    snd!(
        node,
        inbox,
        "kinds",
        -9_007_199_254_740_993_i64,
        u64::MAX,
        "\u{20ac}\u{e4}\0",
        map,
        "7",
        7,
        ""
    );
    let got = perl.expect("got").await;
    let kinds = json!(["kinds", -9_007_199_254_740_993_i64, u64::MAX, "\u{20ac}\u{e4}\0", {"key": [null, 1.5, "x"]}, "7", 7, ""]);
    assert_eq!(json!(got[1..]), kinds);
    for n in 0..2000 {
        snd!(node, inbox, n);
    }
    for n in 0..2000 {
        assert_eq!(perl.expect("got").await[1], n);
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn octets_are_characters() {
    let Some((node, _perl)) = pair(Dial::Perl).await else {
        return;
    };
    let port = node.spawn("perl", "Peer::octets", args![]);
    let all: Vec<u8> = (0..=255).collect();
    let hex: String = all.iter().map(|octet| format!("{octet:02x}")).collect();
    let look = soon(cal!(node, port, "look", Value::Bytes(all.clone())))
        .await
        .unwrap();
    assert_eq!(look[0].text().unwrap(), "256");
    assert_eq!(look[1].text().unwrap(), hex);
    let made = soon(cal!(node, port, "make", &hex)).await.unwrap();
    assert_eq!(made[0].as_bytes().unwrap(), all);
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_large_message_there_and_back() {
    let Some((node, _perl)) = pair(Dial::Rust).await else {
        return;
    };
    let port = node.spawn("perl", "Peer::echo", args![]);
    let text = "\u{e4}x".repeat(1 << 20);
    let back = soon(cal!(node, port, &text)).await.unwrap();
    assert_eq!(back, msg![&text]);
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn requests_to_the_node_port() {
    let Some((node, _perl)) = pair(Dial::Perl).await else {
        return;
    };
    let mut inbox = Inbox::new(&node);
    let port = PortId::parse("perl").unwrap();
    node.snd_on("perl", &inbox.id, msg!["echo", 1]);
    assert_eq!(inbox.next().await, msg!["echo", 1]);
    node.snd(&port, msg!["devnull", &inbox.id]);
    node.snd(&port, msg!["can", "mon1", &inbox.id, "can"]);
    assert_eq!(inbox.next().await[1].text().unwrap(), "1");
    node.snd(&port, msg!["time", &inbox.id, "time"]);
    let time = inbox.next().await[1].as_f64().unwrap();
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((time - since).abs() < 60.0);
    node.snd_to_func("perl", "main::event", args!["hello"]);
    let answer = node.eval_on("perl", "6 * 7", LIMIT).await.unwrap();
    assert_eq!(answer[0].text().unwrap(), "");
    assert_eq!(answer[1].text().unwrap(), "42");
    let answer = node.eval_on("perl", "die qq(oh\n)", LIMIT).await.unwrap();
    assert!(answer[0].text().unwrap().starts_with("oh"), "{answer:?}");
    assert_eq!(node.port_count(), 1);
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_secure_node_is_silent() {
    let Some(perl) = Perl::start_at("perl", "127.0.0.1:*", &[], true).await else {
        return;
    };
    let node = rust().seed(&perl.address).start().await.unwrap();
    soon(node.until_up("perl")).await;
    let eval = node.eval_on("perl", "1", Duration::from_millis(300)).await;
    assert!(matches!(eval, Err(CallError::Timeout)), "{eval:?}");
    let port = node.spawn("perl", "Peer::counter", args![1]);
    assert_eq!(watch(&node, &port).await.kind(), "no_such_port");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn handles_travel() {
    let Some((node, _perl)) = pair(Dial::Perl).await else {
        return;
    };
    let echo = node.spawn("perl", "Peer::echo", args![]);
    let own = node.port(counter(3));
    let back = soon(cal!(node, echo, "handle", &own.id())).await.unwrap();
    let back = PortId::parse(back[1].as_str().unwrap()).unwrap();
    let back: CounterRef = node.handle(&back);
    assert!(back.is_local());
    assert_eq!(soon(back.get()).await.unwrap(), 3);
}
