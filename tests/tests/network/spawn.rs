//! Ports that are spawned on other nodes by name.

use aemp::{Args, Cx, args, cal, msg, snd, spawnable};
use serde_json::json;

use crate::{
    common::{Inbox, soon, watch},
    logs::Logs,
    nodes::{Counter, CounterRef, counter, listening, pair, picky, start},
    raw::Raw,
};

#[tokio::test]
async fn the_handle_is_usable_at_once() {
    let (a, _b) = pair().await;
    let counter = counter::on(&a, "b", 40);
    counter.inc(2);
    assert_eq!(soon(counter.get()).await.unwrap(), 42);
    let by_name = a.spawn("b", "Net::counter", args!["5"]);
    assert_eq!(soon(cal!(a, by_name, "get")).await.unwrap(), msg![5]);
    assert_ne!(by_name, counter.id());
    let handle: CounterRef = a.handle(&by_name);
    let death = watch(&a, &by_name);
    handle.inc(1);
    a.kil(&by_name, "done");
    assert_eq!(death.await.to_string(), "done");
}

#[tokio::test]
async fn a_monitor_set_right_after_a_failed_spawn_gets_the_reason() {
    let (a, _b) = pair().await;
    let cases = [
        (
            "Net::countre",
            args![1],
            "die unknown init function `Net::countre`; did you mean `Net::counter`?",
        ),
        ("Net::picky", args![13], "die not thirteen"),
        (
            "Net::counter",
            args!["many"],
            "die Net::counter: argument 1 (`n`)",
        ),
        (
            "Net::counter",
            args![],
            "die Net::counter: argument 1 (`n`)",
        ),
        (
            "Net::counter",
            args![1, 2],
            "die Net::counter: takes 1 argument, got 2",
        ),
    ];
    for (function, args, expected) in cases {
        let port = a.spawn("b", function, args);
        let reason = watch(&a, &port).await.to_string();
        assert!(reason.starts_with(expected), "{reason}");
        assert_eq!(watch(&a, &port).await.kind(), "no_such_port");
    }
    let failed = picky::on(&a, "b", 13);
    let error = soon(failed.get()).await.unwrap_err();
    assert_eq!(error.reason().unwrap().to_string(), "die not thirteen");
}

#[tokio::test]
async fn a_port_stands_for_its_node() {
    let (a, b) = pair().await;
    let other = Inbox::new(&b);
    for target in [other.id.as_str(), "b#", "b"] {
        let port = a.spawn(target, "Net::counter", args![5]);
        assert_eq!(port.node(), "b");
        assert_eq!(soon(cal!(a, port, "get")).await.unwrap(), msg![5]);
        assert_eq!(soon(counter::on(&a, target, 6).get()).await.unwrap(), 6);
        assert_eq!(a.node_is_up(target), Some(true));
        soon(a.until_up(target)).await;
    }
    let own = counter::on(&b, other.id.as_str(), 3);
    assert!(own.is_local());
}

/// The empty name is that of a node without a network, and of no other.
#[tokio::test]
async fn invalid_node_names_fail_at_once() {
    let (a, b) = pair().await;
    for name in ["", "a;b", "#", "#port", "a b#port"] {
        let port = a.spawn(name, "Net::counter", args![5]);
        let reason = watch(&a, &port).await.to_string();
        assert!(
            reason.starts_with("die ") && reason.contains("names no node"),
            "{reason}"
        );
        let error = soon(counter::on(&a, name, 6).get()).await.unwrap_err();
        assert_eq!(error.reason().unwrap().kind(), "die");
        assert!(
            a.snd_to_func(name, "Some::function", args![])
                .check()
                .is_err()
        );
        assert_eq!(a.node_is_up(name), None);
        soon(a.until_up(name)).await;
    }
    // As the ports of such a node are named, those of another node of this process.
    let local = aemp::Node::local().unwrap();
    let foreign = Inbox::new(&local).id;
    // A name of an own port behind no node's is not that port.
    let own = Inbox::new(&a);
    let alike = aemp::PortId::parse(&format!("#{}", own.id.name())).unwrap();
    for port in [foreign, alike, aemp::PortId::parse("#").unwrap()] {
        let reason = watch(&a, &port).await;
        assert_eq!(reason.kind(), "transport_error", "{reason}");
        assert!(snd!(a, port, "lost").check().is_err());
        a.kil(&port, "lost");
        let error = soon(cal!(a, port, "get")).await.unwrap_err();
        assert!(!matches!(error, aemp::CallError::Timeout), "{error}");
        // Nor when another node asks for it.
        b.snd_on("a", &port, msg!["lost"]).check().unwrap();
    }
    let handle: CounterRef = a.handle(&aemp::PortId::parse("#port").unwrap());
    assert!(!handle.is_local());
    a.learn(&aemp::NodeId::unnamed(), "127.0.0.1:1");
    assert_eq!(a.up_nodes().len(), 1);
}

#[tokio::test]
async fn the_init_function_knows_the_spawning_node() {
    let node = |name| {
        listening(name).init("Net::whence", |cx: &mut Cx<'_>, _: Args| {
            let origin = format!("{:?}", cx.origin());
            cx.rcv_default(move |cx, _| cx.kill(origin.clone()));
        })
    };
    let b = start(node("b")).await;
    let a = start(node("a").seed(crate::nodes::address(&b))).await;
    soon(a.until_up("b")).await;
    for (on, origin) in [("a", "Some(Local)"), ("b", "Some(Node(NodeId(\"a\")))")] {
        let port = a.spawn(on, "Net::whence", args![]);
        let death = watch(&a, &port);
        snd!(a, port, "say");
        assert_eq!(death.await.to_string(), origin);
    }
}

#[tokio::test]
async fn closures_are_registered_by_hand() {
    let mut inbox = None;
    let b = listening("b").init("Hand::made", |cx: &mut Cx<'_>, args: Args| {
        let first = args[0].clone();
        cx.rcv("first", move |cx, args| {
            let reply = args[0].as_str().unwrap();
            snd!(cx, aemp::PortId::parse(reply).unwrap(), &first);
        });
    });
    let b = start(b).await;
    let a = start(listening("a").seed(crate::nodes::address(&b))).await;
    soon(a.until_up("b")).await;
    let port = a.spawn("b", "Hand::made", args![["one"].concat()]);
    let inbox = inbox.insert(Inbox::new(&a));
    // As the reference: a spawned port ignores messages without a handler.
    snd!(a, port, "unknown", 1);
    snd!(a, port, "first", &inbox.id);
    assert_eq!(inbox.next().await, msg!["one"]);
}

#[tokio::test]
async fn secure_mode_refuses() {
    let logs = Logs::catch();
    let b = start(listening("b").secure(true)).await;
    let a = start(listening("a").seed(crate::nodes::address(&b))).await;
    soon(a.until_up("b")).await;
    let port = a.spawn("b", "Net::counter", args![1]);
    assert_eq!(watch(&a, &port).await.kind(), "no_such_port");
    logs.warned("spawn of Net::counter from a: remote execution not allowed")
        .await;
    // Ports that the node spawns itself are allowed.
    let own = counter::on(&b, "b", 3);
    assert_eq!(soon(own.get()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_name_that_is_taken_is_not_given_again() {
    let logs = Logs::catch();
    let a = start(listening("a")).await;
    let mut inbox = Inbox::new(&a);
    let mut raw = Raw::login(&a, "raw").await;
    for name in ["", inbox.id.name(), "mine", "mine"] {
        let spawn = json!(["", "AnyEvent::MP::_spawn", name, "Net::counter", 1]);
        raw.send(spawn.to_string()).await;
    }
    raw.send(format!(
        r#"["mine","inc",1]["mine","get","raw#r"]["{}","still"]"#,
        inbox.id.name()
    ))
    .await;
    assert_eq!(raw.packet().await, json!(["r", 2]));
    assert_eq!(inbox.next().await, msg!["still"]);
    logs.warned("the port name \"mine\" cannot be given").await;
    logs.warned("the port name \"\" cannot be given").await;
}

/// Also if the spawn is handled before the monitor's packet is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_right_behind_learns_it_on_two_threads() {
    let (a, _b) = pair().await;
    for round in 0..500 {
        let port = a.spawn("b", "Net::unknown", args![]);
        let reason = watch(&a, &port).await;
        assert_eq!(reason.kind(), "die", "round {round}: {reason}");
    }
}

/// A client that sees the answer to a later request knows that the function exists and takes these arguments.
#[tokio::test]
async fn a_spawn_that_cannot_begin_fails_before_the_next_answer() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "raw").await;
    for (name, function, argument) in [
        ("p", "Net::unknown", json!(1)),
        ("q", "Net::counter", json!("many")),
    ] {
        let spawn = json!(["", "AnyEvent::MP::_spawn", name, function, argument]);
        let monitor = json!(["", "mon1", name]);
        let ask = json!(["", "snd", "raw#r", name]);
        raw.send(format!("{spawn}{monitor}{ask}")).await;
        let died = raw.packet().await;
        assert_eq!(died.as_array().unwrap()[1..4], ["kil0", name, "die"]);
        assert_eq!(raw.packet().await, json!(["r", name]));
    }
}

#[spawnable(name = "Net::optional")]
fn optional(_a: u8, _b: Option<u8>, _c: Option<u8>) -> Counter {
    Counter::default()
}

/// Nodes of different age: arguments that are not given are not sent, and nulls at the end are no arguments.
#[tokio::test]
async fn optional_arguments_that_are_not_given_are_not_sent() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "raw").await;
    for (b, c, sent) in [
        (None, None, json!([1])),
        (Some(2), None, json!([1, 2])),
        (None, Some(3), json!([1, null, 3])),
    ] {
        optional::on(&a, "raw", 1, b, c);
        let packet = raw.packet().await;
        assert_eq!(
            packet.as_array().unwrap()[4..],
            sent.as_array().unwrap()[..]
        );
    }
    let spawn = json!([
        "",
        "AnyEvent::MP::_spawn",
        "p",
        "Net::counter",
        7,
        null,
        null
    ]);
    raw.send(spawn.to_string() + r#"["p","get","raw#r"]"#).await;
    assert_eq!(raw.packet().await, json!(["r", 7]));
    let spawn = json!(["", "AnyEvent::MP::_spawn", "q", "Net::counter", 7, null, 1]);
    raw.send(spawn.to_string() + r#"["","mon1","q"]"#).await;
    assert_eq!(raw.packet().await[1], "kil0");
}
