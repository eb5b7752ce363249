//! Connections to nodes, and the reports about them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aemp::{Node, NodesMonitor, PortId, db::Role, msg, snd};

use crate::{
    common::{Inbox, soon, until, watch},
    logs::Logs,
    nodes::{address, listening, node_port, pair, start},
    proxy::Proxy,
};

/// The reports about one node to an observer: true for up, false for down.
struct Heard {
    events: Arc<Mutex<Vec<bool>>>,
    _observer: NodesMonitor,
}

impl Heard {
    fn of(node: &Node, other: &'static str) -> Self {
        let events: Arc<Mutex<Vec<bool>>> = Arc::default();
        let keep = Arc::clone(&events);
        let observer = node.mon_nodes(move |node, up, _| {
            if node.as_str() == other {
                keep.lock().unwrap().push(up);
            }
        });
        Self {
            events,
            _observer: observer,
        }
    }

    fn events(&self) -> Vec<bool> {
        self.events.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_seed_that_starts_later_is_found() {
    let later = aemp_tests::free_address();
    let a = start(listening("a").seed(&later)).await;
    assert_eq!(a.node_is_up("b"), None);
    let b = Node::builder().node_id("b").secret(crate::common::SECRET);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let b = start(b.bind(later)).await;
    soon(a.until_up("b")).await;
    soon(b.until_up("a")).await;
}

#[tokio::test]
async fn a_seed_that_is_lost_is_found_again() {
    // Attempts at a seed that comes and goes are at most this far apart.
    let timeout = Duration::from_secs(1);
    let a = start(listening("a").monitor_timeout(timeout)).await;
    let wire = Proxy::to(address(&a)).await;
    let b = listening("b").monitor_timeout(timeout).seed(wire.address());
    let b = start(b).await;
    let (heard, other) = (Heard::of(&a, "b"), Heard::of(&b, "a"));
    for round in 1..=4 {
        until(|| heard.events().len() == 2 * round - 1).await;
        until(|| other.events().len() == 2 * round - 1).await;
        wire.cut();
        until(|| heard.events().len() >= 2 * round).await;
        until(|| other.events().len() >= 2 * round).await;
    }
    soon(a.until_up("b")).await;
    let alternating = |(i, up): (usize, bool)| up == (i % 2 == 0);
    for events in [heard.events(), other.events()] {
        let in_turn = events.iter().copied().enumerate().all(alternating);
        assert!(in_turn, "{events:?}");
    }
}

#[tokio::test]
async fn up_nodes_are_listed_and_observed() {
    let (a, b) = pair().await;
    assert_eq!(a.up_nodes(), [b.id().clone()]);
    assert_eq!(a.node_is_up("a"), Some(true));
    assert_eq!(a.node_is_up("b"), Some(true));
    assert_eq!(a.node_is_up("c"), None);
    assert_eq!(a.node_format("b").as_deref(), Some("postcard/1"));
    let heard = Heard::of(&a, "b");
    b.stop().await;
    until(|| heard.events() == [false]).await;
    assert!(a.up_nodes().is_empty());
    assert_eq!(a.node_is_up("b"), Some(false));
    assert_eq!(a.node_format("b"), None);
}

#[tokio::test]
async fn nodes_that_come_and_go_are_logged() {
    let logs = Logs::catch();
    let (_a, b) = pair().await;
    let (level, line) = logs.expect("b (aemp-rs-").await;
    assert!(
        level == tracing::Level::INFO && line.ends_with(" is up"),
        "{level} {line}"
    );
    b.stop().await;
    let (level, _) = logs.expect("b is down (transport_error b ").await;
    assert_eq!(level, tracing::Level::INFO);
}

#[tokio::test]
async fn an_observer_that_is_dropped_hears_no_more() {
    let (a, b) = pair().await;
    let (stays, goes) = (Heard::of(&a, "b"), Heard::of(&a, "b"));
    let gone = Arc::clone(&goes.events);
    drop(goes);
    b.stop().await;
    until(|| stays.events() == [false]).await;
    assert!(gone.lock().unwrap().is_empty());
}

#[tokio::test]
async fn messages_sent_before_the_connection_arrive_in_order() {
    let a = start(listening("a")).await;
    let b = start(listening("b")).await;
    let mut inbox = Inbox::new(&b);
    let nobody = watch(&a, &PortId::parse("b#nobody").unwrap());
    snd!(a, inbox.id, "first");
    a.learn(b.id(), &address(&b));
    for n in 0..1000 {
        snd!(a, inbox.id, n);
    }
    assert_eq!(inbox.next().await, msg!["first"]);
    for n in 0..1000 {
        assert_eq!(inbox.next().await, msg![n]);
    }
    assert_eq!(nobody.await.kind(), "no_such_port");
    soon(b.until_up("a")).await;
}

#[tokio::test]
async fn addresses_are_tried_in_turn_and_known_from_the_start() {
    let b = start(listening("b")).await;
    let a = listening("a").address("b", address(&b));
    let a = start(a).await;
    let mut inbox = Inbox::new(&b);
    snd!(a, inbox.id, "known");
    assert_eq!(inbox.next().await, msg!["known"]);
}

#[tokio::test]
async fn unreachable_nodes_are_reported() {
    let a = listening("a").address("refuses", aemp_tests::free_address());
    let a = start(a).await;
    for (node, text) in [
        ("refuses", "connect timeout"),
        ("unknown", "connect timeout"),
    ] {
        let port = PortId::parse(&format!("{node}#p")).unwrap();
        snd!(a, port, "lost");
        let reason = watch(&a, &port).await.to_string();
        assert_eq!(reason, format!("transport_error {node} {text}"));
        let reason = soon(aemp::cal!(a, port, "ask")).await.unwrap_err();
        assert_eq!(reason.reason().unwrap().kind(), "transport_error");
        assert_eq!(a.node_is_up(node), Some(false));
    }
    assert_eq!(a.port_count(), 0);
}

/// Messages from before the monitor fired do not arrive, and later ones do.
#[tokio::test]
async fn lost_messages_are_not_sent_again() {
    let a = start(listening("a")).await;
    let b = start(listening("b")).await;
    let mut inbox = Inbox::new(&b);
    snd!(a, inbox.id, "lost");
    let reason = watch(&a, &inbox.id).await;
    assert_eq!(reason.kind(), "transport_error");
    a.learn(b.id(), &address(&b));
    snd!(a, inbox.id, "arrives");
    assert_eq!(inbox.next().await, msg!["arrives"]);
}

#[tokio::test]
async fn another_node_at_the_address() {
    let logs = Logs::catch();
    let b = start(listening("b")).await;
    let a = start(listening("a").address("c", address(&b))).await;
    let reason = watch(&a, &PortId::parse("c").unwrap()).await;
    assert_eq!(reason.to_string(), "transport_error c connect timeout");
    logs.expect("looked for c and found b").await;
    // The node that was found is accepted all the same.
    soon(a.until_up("b")).await;
}

#[tokio::test]
async fn a_node_distinguishes_itself_from_a_namesake() {
    let logs = Logs::catch();
    let own = aemp_tests::free_address();
    let a = Node::builder().node_id("a").secret(crate::common::SECRET);
    let a = start(a.bind(&own).seed(&own)).await;
    logs.expect(&format!("seed {own} is this node itself"))
        .await;
    // Both ends say so, and again at each later attempt.
    until(|| logs.count("I refuse to talk to myself") >= 2).await;
    assert_eq!(a.role(), Role::Global);
    assert_eq!(logs.count("another node uses our ID"), 0);
    let namesake = start(listening("a").seed(&own)).await;
    let told = format!("seed not reached: {own} disconnected - another node uses our ID \"a\".");
    assert_eq!(logs.expect(&told).await.0, tracing::Level::ERROR);
    // Each of them says so.
    until(|| logs.count("another node uses our ID \"a\"") >= 2).await;
    assert_ne!(namesake.role(), Role::Global);
    assert!(a.up_nodes().is_empty() && namesake.up_nodes().is_empty());
}

#[tokio::test]
async fn of_two_nodes_with_one_id_the_first_stays() {
    let logs = Logs::catch();
    let a = start(listening("a")).await;
    let heard = Heard::of(&a, "b");
    let first = start(listening("b").seed(address(&a))).await;
    soon(a.until_up("b")).await;
    let second = start(listening("b").seed(address(&a))).await;
    logs.expect("b already connected, not connecting again.")
        .await;
    let mut inbox = Inbox::new(&first);
    snd!(a, inbox.id, "to the first");
    assert_eq!(inbox.next().await, msg!["to the first"]);
    assert!(!second.node_is_up("a").unwrap_or(false));
    assert_eq!(heard.events(), [true]);
    first.stop().await;
    soon(second.until_up("a")).await;
    until(|| heard.events() == [true, false, true]).await;
    let mut inbox = Inbox::new(&second);
    snd!(a, inbox.id, "to the second");
    assert_eq!(inbox.next().await, msg!["to the second"]);
}

#[tokio::test]
async fn a_stopped_node_is_gone() {
    let (a, b) = pair().await;
    let (mut there, mut own) = (Inbox::new(&b), Inbox::new(&a));
    let death = watch(&b, &own.id);
    snd!(b, own.id, "behind the monitor");
    own.next().await;
    let node_death = watch(&b, &node_port(&a));
    snd!(a, there.id, "the last word");
    soon(a.stop()).await;
    assert_eq!(there.next().await, msg!["the last word"]);
    assert_eq!(death.await.to_string(), "normal");
    assert_eq!(
        node_death.await.to_string(),
        "transport_error a Unexpected end-of-file"
    );
    snd!(a, there.id, "from the grave");
    let refused = tokio::net::TcpStream::connect(address_of_stopped(&a)).await;
    assert!(refused.is_err());
    assert_eq!(b.node_is_up("a"), Some(false));
}

/// A stopped node has no listeners any more; an unused address stands for that.
fn address_of_stopped(node: &Node) -> String {
    assert!(node.listeners().is_empty());
    aemp_tests::free_address()
}

#[tokio::test]
async fn settings_that_cannot_work_are_errors() {
    let id = |id: &str| Node::builder().node_id(id).start();
    for bad in ["", "a#b", "a;b", "a b", &"x".repeat(300)] {
        let error = id(bad).await.unwrap_err();
        assert!(error.to_string().starts_with("nodeid: "), "{error}");
    }
    let builder = || Node::builder().secret("s");
    let taken = start(listening("a")).await;
    let cases = [
        (
            builder().seed("nowhere"),
            "seeds: the seed nowhere:* needs a port",
        ),
        (
            builder().address("b", "x"),
            "address: \"x\" must be host:port",
        ),
        (
            builder().bind(address(&taken)),
            "cannot listen on 127.0.0.1:",
        ),
        (builder().bind("nonsense"), "cannot listen on nonsense:*: "),
        (
            builder().monitor_timeout(Duration::ZERO),
            "monitor_timeout: expected a number of seconds, at least 0.03, found 0",
        ),
        (
            builder().connect_interval(Duration::ZERO),
            "connect_interval: expected a number of seconds, at least 0.001, found 0",
        ),
    ];
    for (builder, text) in cases {
        let error = builder.start().await.unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
}
