//! More is queued for a node than may be.

use std::time::{Duration, Instant};

use aemp::{PortId, msg, port, snd};

use crate::{
    common::{Inbox, soon, watch},
    nodes::{address, listening, start},
    raw::Raw,
};

const TEXT: &str = "more than 65536 bytes queued";

#[tokio::test]
async fn a_connection_that_takes_too_little_is_given_up() {
    let a = start(listening("a").max_queue_bytes(65_536)).await;
    let raw = Raw::login(&a, "raw").await;
    let other = start(listening("other").seed(address(&a))).await;
    soon(a.until_up("other")).await;
    let port = PortId::parse("raw#p").unwrap();
    let deaths = [watch(&a, &port), watch(&a, &PortId::parse("raw").unwrap())];
    let text = "x".repeat(1000);
    for _ in 0..100 {
        snd!(a, port, &text);
    }
    for death in deaths {
        let reason = death.await.into_values();
        assert_eq!(reason, msg!["transport_error", "raw", TEXT]);
    }
    // The other end sees an ordinary end, and whole packets up to it.
    raw.closed().await;
    let mut inbox = Inbox::new(&other);
    snd!(a, inbox.id, "others go on");
    assert_eq!(inbox.next().await, msg!["others go on"]);
    let mut raw = Raw::login(&a, "raw").await;
    snd!(a, port, "again");
    assert_eq!(raw.packet().await, serde_json::json!(["p", "again"]));
}

#[tokio::test]
async fn a_node_that_is_not_connected_yet_is_given_up() {
    let a = start(listening("a").max_queue_bytes(65_536)).await;
    let port = PortId::parse("b#p").unwrap();
    let death = watch(&a, &port);
    let text = "x".repeat(1000);
    for _ in 0..100 {
        snd!(a, port, &text);
    }
    assert_eq!(
        death.await.into_values(),
        msg!["transport_error", "b", TEXT]
    );
}

/// A sender that waits for room overflows nothing.
#[tokio::test]
async fn senders_that_wait_for_room_lose_nothing() {
    let a = start(listening("a").max_queue_bytes(65_536)).await;
    let b = start(listening("b").seed(address(&a))).await;
    soon(a.until_up("b")).await;
    let mut inbox = Inbox::new(&b);
    let far: crate::nodes::NotesRef = a.handle(&inbox.id);
    let text = "x".repeat(1000);
    for _ in 0..1000 {
        let sent = far.send(crate::nodes::NotesMsg::Note(text.clone()));
        soon(sent).await.unwrap();
    }
    for _ in 0..1000 {
        assert_eq!(inbox.next().await, msg!["note", &text]);
    }
}

/// Many connections flood one port, whose handler is slower than each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_many_connections_flood_lives() {
    const SENDERS: usize = 8;
    const EACH: usize = 10_000;
    let a = start(listening("a").max_port_queue(40_000)).await;
    let slow = a.port(Slow { handled: 0 });
    let mut death = std::pin::pin!(watch(&a, &slow.id()));
    let send = |number: usize| {
        let (seed, id) = (address(&a), slow.id());
        async move {
            let node = start(listening(&format!("b{number}")).seed(seed)).await;
            let far: SlowRef = node.handle(&id);
            soon(node.until_up("a")).await;
            for _ in 0..EACH {
                far.work();
            }
            node
        }
    };
    let nodes: Vec<_> = (0..SENDERS)
        .map(|number| tokio::spawn(send(number)))
        .collect();
    for node in nodes {
        // The call comes behind the messages of its node.
        let node = node.await.unwrap();
        let far: SlowRef = node.handle(&slow.id());
        tokio::select! {
            reason = &mut death => panic!("{:?}", reason.into_values()),
            handled = far.handled().timeout(Duration::from_secs(60)) => drop(handled.unwrap()),
        }
    }
    assert_eq!(slow.handled().await.unwrap(), SENDERS * EACH);
}

/// A port that handles nothing is given up, and its sender is gone without a word.
#[tokio::test]
async fn the_loss_of_a_sender_is_noticed_while_its_port_is_stuck() {
    let a = listening("a").monitor_timeout(Duration::from_secs(1));
    let a = start(a.max_port_queue(100_000)).await;
    let stuck = a.port(Stuck);
    // It promises to be heard.
    let mut raw = Raw::login_saying(&a, "raw", ";keepalive=0.3").await;
    let death = watch(&a, &PortId::parse("raw#p").unwrap());
    let id = stuck.id();
    let packet = serde_json::json!([id.name(), "work"]).to_string();
    for _ in 0..20 {
        raw.send(packet.repeat(1000)).await;
    }
    let reason = soon(death).await;
    assert_eq!(reason.kind(), "transport_error");
    assert!(stuck.queue_len().is_some_and(|waiting| waiting >= 19_999));
    drop(raw);
}

struct Stuck;

#[port]
impl Stuck {
    #[rcv]
    async fn work(&self) {
        std::future::pending().await
    }
}

struct Slow {
    handled: usize,
}

#[port]
impl Slow {
    #[rcv]
    fn work(&mut self) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(10) {}
        self.handled += 1;
    }

    #[rcv]
    fn handled(&self) -> usize {
        self.handled
    }
}
