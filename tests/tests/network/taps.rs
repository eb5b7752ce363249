//! Taps of ports and nodes.

use aemp::{
    Node, PortId, args, msg,
    tap::{Direction, TAP, Tap, TapEvent, TappedPacket},
};

use crate::{
    common::{Inbox, soon, until},
    logs::Logs,
    nodes::{CounterRef, address, counter, listening, node_port, pair, start},
};

/// The next packet.
async fn next(tap: &mut Tap) -> TappedPacket {
    match soon(tap.next()).await {
        Some(TapEvent::Packet(packet)) => packet,
        other => panic!("{other:?}, {:?}", tap.end()),
    }
}

/// A third node, which taps.
async fn third(a: &Node) -> Node {
    let c = start(listening("c").seed(address(a))).await;
    soon(c.until_up("a")).await;
    soon(a.until_up("c")).await;
    c
}

async fn open(node: &Node, what: &PortId, tag: Option<&str>) -> Tap {
    let mut tap = node.tap(what, tag);
    assert_eq!(soon(tap.next()).await, Some(TapEvent::Open));
    tap
}

#[tokio::test]
async fn typed_messages_of_a_port_are_seen_as_values() {
    let (a, b) = pair().await;
    let c = third(&a).await;
    let counter: CounterRef = counter::on(&b, "a", 5);
    assert_eq!(soon(counter.get()).await.unwrap(), 5);
    let id = aemp::PortRef::handle(&counter).id();
    let (mut all, mut incs) = (open(&c, &id, None).await, open(&c, &id, Some("inc")).await);
    counter.inc(37);
    assert_eq!(soon(counter.get()).await.unwrap(), 42);
    counter.inc(1);
    let packet = next(&mut all).await;
    assert_eq!(
        (packet.direction, packet.node.as_str()),
        (Direction::Rcv, "b")
    );
    assert_eq!(
        (&*packet.port, packet.message),
        (id.name(), args!["inc", 37])
    );
    let packet = next(&mut all).await;
    assert_eq!(
        (&packet.message[0], packet.message.len()),
        (&"get".into(), 2)
    );
    assert_eq!(next(&mut all).await.message, args!["inc", 1]);
    assert_eq!(next(&mut incs).await.message, args!["inc", 37]);
    assert_eq!(next(&mut incs).await.message, args!["inc", 1]);
    // It ends with the reader, and the node goes on without it.
    drop((all, incs));
    until(|| c.port_count() == 0).await;
    counter.inc(1);
    assert_eq!(soon(counter.get()).await.unwrap(), 44);
}

#[tokio::test]
async fn a_node_is_tapped_in_both_directions() {
    let (a, b) = pair().await;
    let c = third(&a).await;
    let (mut here, there) = (Inbox::new(&a), Inbox::new(&b));
    let mut tap = open(&c, &node_port(&a), Some("hello")).await;
    a.snd(&there.id, msg!["hello", 1]);
    let packet = next(&mut tap).await;
    assert_eq!(
        packet.to_string(),
        format!("SND b {} [\"hello\",1]", there.id.name())
    );
    b.snd(&here.id, msg!["hello", 2]);
    here.next().await;
    let packet = next(&mut tap).await;
    assert_eq!(
        packet.to_string(),
        format!("RCV b {} [\"hello\",2]", here.id.name())
    );
    // A node taps itself, and a lost node ends a tap.
    let mut own = open(&a, &node_port(&a), Some("hello")).await;
    a.snd(&there.id, msg!["hello", 3]);
    assert_eq!(next(&mut own).await.message, msg!["hello", 3]);
    assert_eq!(next(&mut tap).await.message, msg!["hello", 3]);
    soon(a.stop()).await;
    assert_eq!(soon(tap.next()).await, None);
    assert_eq!(tap.end().unwrap().kind(), "transport_error");
    assert_eq!(soon(own.next()).await, None);
}

/// Nodes that tap each other, and themselves, see nothing of that.
#[tokio::test]
async fn taps_are_not_tapped() {
    let (a, b) = pair().await;
    let mut taps = Vec::new();
    for node in [&a, &b] {
        for tapped in [&a, &b] {
            taps.push(open(node, &node_port(tapped), None).await);
        }
    }
    let mut inbox = Inbox::new(&b);
    a.snd(&inbox.id, msg!["mark", 0]);
    inbox.next().await;
    // The packets before the mark.
    for tap in &mut taps {
        while next(tap).await.message != msg!["mark", 0] {}
    }
    a.snd(&inbox.id, msg!["mark", 1]);
    inbox.next().await;
    for tap in &mut taps {
        assert_eq!(next(tap).await.message, msg!["mark", 1]);
    }
}

#[tokio::test]
async fn too_many_packets_are_counted() {
    const MOST: u64 = 20_000;
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    let mut tap = open(&a, &node_port(&b), Some("x")).await;
    for n in 0..MOST {
        a.snd(&inbox.id, msg!["x", n]);
    }
    for n in 0..MOST {
        assert_eq!(inbox.next().await, msg!["x", n]);
    }
    let (mut seen, mut lost) = (0, 0);
    while seen + lost < MOST {
        match soon(tap.next()).await.unwrap() {
            TapEvent::Packet(packet) => {
                assert_eq!(packet.message, msg!["x", seen + lost]);
                seen += 1;
            }
            TapEvent::Lost(more) => lost += more,
            other => panic!("{other:?}"),
        }
    }
    assert!(lost > 0 && seen > 0, "{seen} {lost}");
}

#[tokio::test]
async fn it_is_a_function_like_any_other() {
    let logs = Logs::catch();
    let a = start(listening("a").allow("c", TAP)).await;
    let b = start(listening("b").seed(address(&a))).await;
    let c = third(&a).await;
    soon(b.until_up("a")).await;
    let _refused = b.tap(&node_port(&a), None);
    logs.warned("Aemp::tap from b: remote execution not allowed")
        .await;
    let mut taps = Vec::new();
    for _ in 0..16 {
        taps.push(open(&c, &node_port(&a), None).await);
    }
    let mut more = c.tap(&node_port(&a), None);
    let text = "there are 16 taps already".to_owned();
    assert_eq!(soon(more.next()).await, Some(TapEvent::Refused(text)));
    taps.pop();
    until(|| c.port_count() == 16).await;
    let _open = open(&c, &node_port(&a), None).await;
    // Neither a third node's port nor a node's own.
    for port in ["b#port", "c", "nonsense#"] {
        c.snd_to_func("a", TAP, args![0, port, ""]);
        logs.warned("is no port of the asking node").await;
    }
}
