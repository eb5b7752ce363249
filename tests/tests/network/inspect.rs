//! Looking into nodes, this one and others.

use std::time::Duration;

use aemp::{
    CallError, Node, PortId,
    inspect::{Connections, Direction, FamilyInfo, InspectError, NodeInfo, Ports, Role},
    msg,
};
use serde_json::json;

use crate::{
    common::{Inbox, soon, until},
    logs::Logs,
    nodes::{Counter, CounterRef, address, counter, listening, node_port, pair, start},
    raw::Raw,
};

#[tokio::test]
async fn a_node_describes_itself() {
    let b = start(listening("b").secure(true)).await;
    let a = start(listening("a").seed(address(&b))).await;
    soon(a.until_up("b")).await;
    let _port = b.empty_port();
    let info = soon(a.inspect("b").node()).await.unwrap();
    assert_eq!((&*info.id, info.ports, info.secure), ("b", 1, true));
    assert_eq!(info.listeners, b.listeners());
    assert_eq!(info.provider, format!("aemp-rs-{}", info.version));
    assert_eq!(info.process, std::process::id());
    assert!(info.uptime >= 0.0 && info.uptime < 1000.0);
    assert!(info.os.starts_with(std::env::consts::OS));
    if cfg!(target_os = "linux") {
        assert!(info.memory.is_some_and(|bytes| bytes > 100_000));
    }
    assert!(info.seeds.is_empty());
    let seeds = soon(b.inspect("a").node()).await.unwrap().seeds;
    assert_eq!(seeds[0].address, address(&b));
    assert_eq!(
        (seeds[0].node.as_deref(), seeds[0].connected),
        (Some("b"), true)
    );
}

#[tokio::test]
async fn the_role_of_a_node_is_reported() {
    let (a, b) = pair().await;
    let slave = async {
        loop {
            let info = a.inspect("b").node().await.unwrap();
            if info.role == Some(Role::Slave) {
                return info;
            }
        }
    };
    // `a` is the seed of `b`.
    assert_eq!(soon(slave).await.master.as_deref(), Some("a"));
    let global = soon(b.inspect("a").node()).await.unwrap();
    assert_eq!((global.role, global.master), (Some(Role::Global), None));
    let alone = Node::local().unwrap().inspect("").node().await.unwrap();
    assert_eq!((alone.role, alone.master), (Some(Role::Alone), None));
}

#[tokio::test]
async fn both_ends_report_a_connection() {
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&a);
    let monitor = b.mon(&inbox.id, |_| ());
    b.snd(&inbox.id, msg!["hello"]);
    inbox.next().await;
    // Each end as the other one hears of it.
    let of_a = soon(b.inspect("a").connections()).await.unwrap();
    let of_b = soon(a.inspect("b").connections()).await.unwrap();
    let (at_a, at_b) = (&of_a.connections[0], &of_b.connections[0]);
    assert_eq!((of_a.total, of_a.connections.len()), (1, 1));
    assert_eq!((&*at_a.node, &*at_b.node), ("b", "a"));
    // `b` has dialled.
    assert_eq!(at_a.direction, Some(Direction::In));
    assert_eq!(at_b.direction, Some(Direction::Out));
    assert_eq!(at_b.address.as_deref(), Some(&*address(&a)));
    let provider = at_a.provider.as_deref().unwrap();
    assert!(provider.starts_with("aemp-rs-"), "{provider}");
    for end in [at_a, at_b] {
        assert_eq!(end.format_in.as_deref(), Some("postcard/1"));
        assert_eq!(end.format_out.as_deref(), Some("postcard/1"));
        assert!(end.up >= 0.0 && end.up < 1000.0);
    }
    // The question itself calls, and calls monitor.
    assert!(
        at_a.monitored >= 1 && at_b.monitors >= 1,
        "{at_a:?} {at_b:?}"
    );
    drop(monitor);
    // The other node has received at least as much when it is asked, because it is asked later.
    assert!(at_b.received.packets >= at_a.sent.packets);
    assert!(at_b.received.bytes >= at_a.sent.bytes && at_a.sent.bytes > 0);
}

#[tokio::test]
async fn the_traffic_of_a_connection_is_counted_exactly() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "perl").await;
    let connection = |connections: Connections| connections.connections.into_iter().next();
    let look = async || connection(a.inspect("a").connections().await.unwrap()).unwrap();
    let before = look().await;
    assert_eq!((before.received.packets, before.received.bytes), (0, 0));
    let to = PortId::parse("perl#x").unwrap();
    a.snd(&to, msg!["12345"]);
    a.snd(&to, msg!["6"]);
    assert_eq!(raw.packet().await, json!(["x", "12345"]));
    assert_eq!(raw.packet().await, json!(["x", "6"]));
    raw.send(r#"["","devnull"]["#).await;
    raw.send(r#""","devnull"]  "#).await;
    soon(async {
        while look().await.received.packets < 2 || look().await.received.bytes < 30 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let after = look().await;
    assert_eq!((after.received.packets, after.received.bytes), (2, 30));
    // ["x","12345"]["x","6"]
    assert_eq!((after.sent.packets, after.sent.bytes), (2, 22));
    assert_eq!(after.queued, 0);
}

#[tokio::test]
async fn bytes_that_the_peer_does_not_read_are_queued() {
    let a = start(listening("a")).await;
    let _raw = Raw::login(&a, "perl").await;
    let to = PortId::parse("perl#x").unwrap();
    // More than the buffers of two sockets hold, which the raw peer never reads.
    let (text, count) = ("x".repeat(1 << 20), 24);
    for _ in 0..count {
        a.snd(&to, msg![&*text]);
        tokio::task::yield_now().await;
    }
    let connections = a.inspect("a").connections().await.unwrap();
    let connection = &connections.connections[0];
    let total = connection.sent.bytes + connection.queued;
    assert!(connection.queued > 1 << 20, "{connection:?}");
    assert_eq!(total, count * ((1 << 20) + r#"["x",""]"#.len() as u64));
}

#[tokio::test]
async fn ports_are_listed_by_their_queues() {
    let (a, b) = pair().await;
    let busy = b.port(Counter::default());
    let idle: Vec<CounterRef> = (0..3).map(|_| b.port(Counter::default())).collect();
    let far = counter::on(&a, "b", 7);
    assert_eq!(soon(far.get()).await.unwrap(), 7);
    let pondering = tokio::spawn(busy.ponder().into_future());
    soon(async {
        // Its handler waits, so later messages stay in the queue.
        loop {
            busy.inc(1);
            let ports = b.inspect("b").ports().await.unwrap();
            if ports.queued >= 5 {
                break;
            }
        }
    })
    .await;
    let ports = soon(a.inspect("b").ports()).await.unwrap();
    assert_eq!(ports.total, 5, "{ports:?}");
    assert_eq!(ports.ports[0].id, busy.id().as_str());
    assert_eq!(ports.ports[0].queued, ports.queued);
    assert!(ports.queued >= 5);
    let kind = &ports.types[0];
    assert!(kind.kind.ends_with("::nodes::Counter"), "{}", kind.kind);
    assert_eq!((kind.count, kind.queued), (5, ports.queued));
    assert!(ports.ports.iter().any(|port| port.id == far.id().as_str()));
    let one = soon(a.inspect("b").at_most(1).ports()).await.unwrap();
    assert_eq!((one.total, one.ports.len(), one.types.len()), (5, 1, 1));
    assert_eq!(one.ports[0].id, busy.id().as_str());
    drop(idle);
    pondering.abort();
}

#[tokio::test]
async fn monitors_show_on_the_port() {
    let (a, b) = pair().await;
    let inbox = Inbox::new(&b);
    a.mon(&inbox.id, |_| ()).detach();
    let ports = soon(a.inspect("b").ports()).await.unwrap();
    assert_eq!(
        (&*ports.ports[0].kind, ports.ports[0].monitors),
        ("untyped", 1)
    );
}

#[tokio::test]
async fn functions_are_listed() {
    let b = listening("b").function("My::note", |_, _| ());
    let b = start(b.init("My::closure", |_, _| ())).await;
    let a = start(listening("a").seed(address(&b))).await;
    soon(a.until_up("b")).await;
    let functions = soon(a.inspect("b").functions()).await.unwrap();
    assert_eq!(functions.init, b.init_functions());
    assert_eq!(functions.callable, ["My::note"]);
    let counter = functions.init.iter().find(|f| f.name == "Net::counter");
    assert!(counter.is_some_and(|f| f.signature.contains("n: i64")));
    assert_eq!(b.inspect("b").functions().await.unwrap(), functions);
}

#[tokio::test]
async fn a_global_node_knows_all_families() {
    let (a, b) = pair().await;
    let lights = b.family::<i64>("lights").unwrap();
    lights.set("kitchen", &1).unwrap();
    lights.set("hall", &0).unwrap();
    let known = async {
        loop {
            // `a` is the seed of `b`, hence global.
            let families = b.inspect("a").families().await.unwrap();
            let known = |family: &&FamilyInfo| family.name == "lights" && family.keys == 2;
            if families.families.iter().any(|family| known(&family)) {
                return families;
            }
        }
    };
    let families = soon(known).await;
    assert_eq!(families.total, families.families.len() as u64);
    assert!(families.families.iter().any(|family| family.name == "'l"));
    let own = a.inspect("b").families().await.unwrap();
    assert!(own.families.iter().any(|family| family.name == "lights"));
    let alone = Node::local().unwrap();
    alone.family::<i64>("mine").unwrap().set("x", &1).unwrap();
    let families = alone.inspect("").families().await.unwrap();
    assert_eq!(
        (&*families.families[0].name, families.families[0].keys),
        ("mine", 1)
    );
}

#[tokio::test]
async fn a_reference_node_gets_no_unknown_request() {
    let a = start(listening("a")).await;
    let mut perl = Raw::login(&a, "perl").await;
    let asking = tokio::spawn({
        let a = a.clone();
        async move { a.inspect("perl").ports().await }
    });
    let can = perl.packet().await;
    assert_eq!((&can[1], &can[2]), (&json!("can"), &json!("inspect")));
    perl.send(answer(&can[3], r#""""#)).await;
    let error = soon(asking).await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "perl does not know this request (provider unknown)"
    );
    // It is not asked again either.
    let again = soon(a.inspect("perl").node()).await;
    assert!(matches!(again, Err(InspectError::Unknown { .. })));
    a.snd(&PortId::parse("perl#x").unwrap(), msg!["on"]);
    assert_eq!(perl.packet().await, json!(["x", "on"]));
}

fn answer(to: &serde_json::Value, args: &str) -> String {
    let port = to.as_str().expect("a port ID").split_once('#');
    format!(r#"["{}",{args}]"#, port.expect("one of a node").1)
}

#[tokio::test]
async fn other_versions_may_say_more_and_less() {
    let a = start(listening("a")).await;
    let mut other = Raw::login(&a, "other").await;
    let ask = |a: &Node| {
        let other = a.inspect("other").at_most(3);
        tokio::spawn(async move { (other.node().await, other.ports().await) })
    };
    let asking = ask(&a);
    let can = other.packet().await;
    other.send(answer(&can[3], "1")).await;
    let node = other.packet().await;
    assert_eq!(
        (&node[1], &node[2]),
        (&json!("inspect"), &json!(["node", {"most": 3}]))
    );
    let info = r#""",{"id":"other","role":"emperor","ports":"12","colour":["green"]}"#;
    other.send(answer(&node[3], info)).await;
    let ports = other.packet().await;
    assert_eq!(ports[2], json!(["ports", {"most": 3}]));
    other.send(answer(&ports[3], r#""",["none"]"#)).await;
    let (info, ports) = soon(asking).await.unwrap();
    let info = info.unwrap();
    let mut expected = NodeInfo::default();
    (expected.id, expected.role, expected.ports) = ("other".into(), Some(Role::Other), 12);
    assert_eq!(info, expected);
    let error = ports.unwrap_err();
    assert!(matches!(error, InspectError::Answer { .. }));
    assert!(
        error
            .to_string()
            .starts_with("other: the answer cannot be understood: ")
    );
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_answered_so() {
    let logs = Logs::catch();
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&a);
    a.snd(
        &node_port(&b),
        msg!["inspect", "weather", &inbox.id, "it is"],
    );
    let answer = inbox.next().await;
    assert_eq!(answer[0], "it is".into());
    assert_eq!(
        answer[1].text().unwrap(),
        r#"cannot inspect "weather": only connections, counts, deaths, families, functions, node, owners, port, ports, traces, waits"#
    );
    assert!(answer[2].is_null());
    a.snd(&node_port(&b), msg!["inspect", "node"]);
    logs.warned("node port: request from a: inspect: no receiver")
        .await;
    a.snd(&node_port(&b), msg!["inspect", "node", "not#a#port"]);
    a.snd(&node_port(&b), msg!["inspect"]);
    logs.warned("node port: request from a: inspect: no subject")
        .await;
    a.snd(
        &node_port(&b),
        msg!["inspect", vec!["node", "what"], &inbox.id],
    );
    assert!(inbox.next().await[1].as_map().is_some());
}

#[tokio::test]
async fn nodes_that_are_not_there_are_errors() {
    let a = start(listening("a")).await;
    let error = soon(a.inspect("nobody").node()).await.unwrap_err();
    let InspectError::Call {
        error: CallError::Died(_),
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert!(
        error.to_string().starts_with("nobody: the port died: "),
        "{error}"
    );
    let error = a.inspect("no#node").node().await.unwrap_err();
    assert!(matches!(error, InspectError::NodeId { .. }), "{error}");
    let error = a.inspect("").node().await.unwrap_err();
    assert!(matches!(error, InspectError::NodeId { .. }), "{error}");
}

#[tokio::test]
async fn a_node_that_is_lost_meanwhile_is_an_error() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "raw").await;
    let asking = tokio::spawn({
        let a = a.clone();
        async move { a.inspect("raw").node().await }
    });
    raw.packet().await;
    raw.reset();
    let error = soon(asking).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("transport_error"), "{error}");
    until(|| a.port_count() == 0).await;
}

#[tokio::test]
async fn a_list_of_a_hundred_thousand_ports_delays_no_message() {
    let node = Node::local().unwrap();
    let ports: Vec<CounterRef> = (0..100_000)
        .map(|_| node.port(Counter::default()))
        .collect();
    let looking = node.inspect("");
    let mut looking = Box::pin(looking.ports());
    let mut steps = 0;
    let looked: Ports = std::future::poll_fn(|task| {
        steps += 1;
        looking.as_mut().poll(task).map(Result::unwrap)
    })
    .await;
    assert_eq!((looked.total, looked.ports.len()), (100_000, 1000));
    assert!(steps > 90, "{steps}");
    drop(ports);
}

#[tokio::test(start_paused = true)]
async fn nodes_that_are_only_named_are_forgotten() {
    let a = start(listening("a")).await;
    let ghost = PortId::parse("ghost#x").unwrap();
    a.snd(&ghost, msg!["boo"]);
    let held: CounterRef = a.handle(&PortId::parse("held#x").unwrap());
    held.inc(1);
    assert_eq!(a.node_is_up("ghost"), Some(false));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(a.node_is_up("ghost"), None);
    assert_eq!(a.node_is_up("held"), Some(false));
    drop(held);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(a.node_is_up("held"), None);
}
