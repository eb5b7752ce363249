//! Senders that wait for room in bounded ports of other nodes.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Poll,
};

use aemp::{Node, PortId, Reason, msg, port};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    common::{soon, until},
    nodes::{CounterRef, NotesMsg, NotesRef, address, listening, pair, start},
    raw::Raw,
};

/// Handles one message for every permit.
struct Gated {
    permits: Arc<Semaphore>,
    taken: Arc<Mutex<Vec<usize>>>,
}

#[port]
impl Gated {
    #[rcv]
    async fn take(&mut self, n: usize) {
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
        self.taken.lock().unwrap().push(n);
    }
}

/// A port that is held, and the gate that holds it.
struct Held {
    port: GatedRef,
    permits: Arc<Semaphore>,
    taken: Arc<Mutex<Vec<usize>>>,
}

impl Held {
    fn new(node: &Node, bound: usize) -> Self {
        let (permits, taken) = (Arc::new(Semaphore::new(0)), Arc::default());
        let port = node.port(Gated {
            permits: Arc::clone(&permits),
            taken: Arc::clone(&taken),
        });
        assert!(port.bound(bound));
        Self {
            port,
            permits,
            taken,
        }
    }

    /// The number of messages that have arrived and are not handled yet, with the one that may be in hand.
    fn waiting(&self) -> usize {
        self.port.queue_len().unwrap() + 1
    }

    fn taken(&self) -> Vec<usize> {
        self.taken.lock().unwrap().clone()
    }
}

/// Sends numbers, waiting for room for each.
fn sending(far: &GatedRef, numbers: std::ops::Range<usize>) -> JoinHandle<()> {
    let far = far.clone();
    tokio::spawn(async move {
        for n in numbers {
            far.send(GatedMsg::Take(n)).await.unwrap();
        }
    })
}

/// All that one node was about to send to another has come there, and back.
async fn settle(here: &Node, there: &Node) {
    let counter = there.port(crate::nodes::Counter::default());
    let far: CounterRef = here.handle(&counter.id());
    for _ in 0..20 {
        soon(far.get()).await.unwrap();
    }
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|task| Poll::Ready(future.as_mut().poll(task))).await
}

#[tokio::test]
async fn senders_wait_for_room_there() {
    let (a, b) = pair().await;
    let held = Held::new(&b, 4);
    let far: GatedRef = a.handle(&held.port.id());
    let sent = sending(&far, 0..200);
    until(|| held.waiting() == 4).await;
    settle(&a, &b).await;
    assert_eq!(held.waiting(), 4);
    assert!(!sent.is_finished());
    held.permits.add_permits(3);
    until(|| held.taken().len() == 3 && held.waiting() == 4).await;
    settle(&a, &b).await;
    assert_eq!(held.waiting(), 4);
    held.permits.add_permits(197);
    soon(sent).await.unwrap();
    until(|| held.taken().len() == 200).await;
    assert_eq!(held.taken(), (0..200).collect::<Vec<_>>());
}

/// A sender that begins before the other node is known.
#[tokio::test]
async fn so_they_do_before_the_nodes_are_connected() {
    let b = start(listening("b")).await;
    let held = Held::new(&b, 4);
    let a = start(listening("a").seed(address(&b))).await;
    let far: GatedRef = a.handle(&held.port.id());
    let sent = sending(&far, 0..50);
    until(|| held.waiting() >= 4).await;
    settle(&a, &b).await;
    assert_eq!(held.waiting(), 4);
    held.permits.add_permits(50);
    soon(sent).await.unwrap();
}

#[tokio::test]
async fn several_senders_of_several_nodes_share_the_room() {
    let (a, b) = pair().await;
    let c = start(listening("c").seed(address(&a))).await;
    soon(a.until_up("c")).await;
    let held = Held::new(&a, 8);
    let sent: Vec<_> = [&b, &c, &b, &c]
        .into_iter()
        .map(|node| sending(&node.handle(&held.port.id()), 0..100))
        .collect();
    until(|| held.waiting() >= 8).await;
    settle(&b, &a).await;
    settle(&c, &a).await;
    assert!(held.waiting() <= 10, "{}", held.waiting());
    held.permits.add_permits(400);
    for sent in sent {
        soon(sent).await.unwrap();
    }
    until(|| held.taken().len() == 400).await;
}

/// Plain sends neither wait nor take notice.
#[tokio::test]
async fn plain_sends_exceed_the_bound() {
    let (a, b) = pair().await;
    let held = Held::new(&b, 2);
    let far: GatedRef = a.handle(&held.port.id());
    (0..10).for_each(|n| drop(far.take(n)));
    until(|| held.waiting() == 10).await;
    let mut waiting = pin!(far.send(GatedMsg::Take(10)));
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    settle(&a, &b).await;
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    held.permits.add_permits(11);
    soon(waiting).await.unwrap();
    until(|| held.taken().len() == 11).await;
    assert_eq!(held.taken(), (0..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_death_of_the_port_ends_the_wait() {
    let (a, b) = pair().await;
    let held = Held::new(&b, 1);
    let far: GatedRef = a.handle(&held.port.id());
    let sent = sending(&far, 0..50);
    held.port.take(0);
    settle(&a, &b).await;
    assert!(!sent.is_finished());
    held.port.kill(Reason::new(msg!["gone"]));
    soon(sent).await.unwrap();
}

#[tokio::test]
async fn the_end_of_either_node_ends_the_wait() {
    let (a, b) = pair().await;
    let held = Held::new(&b, 1);
    let far: GatedRef = a.handle(&held.port.id());
    let sent = sending(&far, 0..2);
    until(|| held.waiting() == 1).await;
    settle(&a, &b).await;
    let fourth = sending(&far, 3..4);
    soon(a.stop()).await;
    soon(sent).await.unwrap();
    soon(fourth).await.unwrap();

    let c = start(listening("c").seed(address(&b))).await;
    soon(c.until_up("b")).await;
    let far: GatedRef = c.handle(&held.port.id());
    let sent = sending(&far, 0..1);
    settle(&c, &b).await;
    soon(b.stop()).await;
    soon(sent).await.unwrap();
}

/// A port of a raw peer.
fn notes(node: &Node) -> NotesRef {
    node.handle(&PortId::parse("raw#p").unwrap())
}

fn note(text: &str) -> NotesMsg {
    NotesMsg::Note(text.into())
}

/// Reads a question; its token.
async fn asked(raw: &mut Raw) -> u64 {
    let packet = raw.packet().await;
    assert_eq!(packet.as_array().map(Vec::len), Some(5), "{packet}");
    assert_eq!(
        (&packet[1], &packet[2]),
        (&json!("Aemp::room"), &json!("p"))
    );
    packet[3].as_u64().unwrap()
}

async fn grant(raw: &mut Raw, token: u64, messages: u64) {
    let answer = json!(["", "Aemp::credit", "p", token, messages]);
    raw.send(answer.to_string()).await;
}

#[tokio::test]
async fn peers_that_give_no_credit_are_not_asked() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "raw").await;
    soon(notes(&a).send(note("first"))).await.unwrap();
    soon(notes(&a).send(note("second"))).await.unwrap();
    assert_eq!(raw.packet().await, json!(["p", "note", "first"]));
    assert_eq!(raw.packet().await, json!(["p", "note", "second"]));
}

#[tokio::test]
async fn a_sender_that_gives_up_has_not_sent() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login_saying(&a, "raw", ";credit=1").await;
    let far = notes(&a);
    let token = {
        let mut given_up = pin!(far.send(note("given up")));
        assert!(poll_once(given_up.as_mut()).await.is_pending());
        asked(&mut raw).await
    };
    let mut second = pin!(far.send(note("second")));
    assert!(poll_once(second.as_mut()).await.is_pending());
    grant(&mut raw, token + 1, 1).await;
    grant(&mut raw, token, 1).await;
    soon(second).await.unwrap();
    assert_eq!(raw.packet().await, json!(["p", "note", "second"]));
    // Behind it, it is asked for the next.
    let token = asked(&mut raw).await;
    grant(&mut raw, token, 0).await;
    let mut third = pin!(far.send(note("third")));
    assert!(poll_once(third.as_mut()).await.is_pending());
    let token = soon(asked(&mut raw)).await;
    grant(&mut raw, token, 1).await;
    soon(third).await.unwrap();
    assert_eq!(raw.packet().await, json!(["p", "note", "third"]));
}

#[tokio::test]
async fn the_loss_of_the_connection_ends_the_wait() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login_saying(&a, "raw", ";credit=1").await;
    let far = notes(&a);
    let sent = tokio::spawn(async move { far.send(note("lost")).await });
    asked(&mut raw).await;
    raw.reset();
    soon(sent).await.unwrap().unwrap();
}

/// So many ports may be waited for by one node; beyond that it is told at once that one message may come.
#[tokio::test]
async fn waits_of_one_node_have_a_limit() {
    const MOST: usize = 1000;
    let a = start(listening("a")).await;
    let mut raw = Raw::login_saying(&a, "raw", ";credit=1").await;
    let held: Vec<_> = (0..=MOST).map(|_| Held::new(&a, 1)).collect();
    let mut asks = String::new();
    for (n, held) in held.iter().enumerate() {
        held.port.take(0);
        let id = held.port.id();
        // A second question replaces the first.
        asks += &json!(["", "Aemp::room", id.name(), 10_000 + n, 0]).to_string();
        asks += &json!(["", "Aemp::room", id.name(), n, 0]).to_string();
    }
    raw.send(asks).await;
    let last = held[MOST].port.id();
    for token in [10_000 + MOST, MOST] {
        let expected = json!(["", "Aemp::credit", last.name(), token, 1]);
        assert_eq!(raw.packet().await, expected);
    }
    held[7].permits.add_permits(1);
    let answer = json!(["", "Aemp::credit", held[7].port.id().name(), 7, 1]);
    assert_eq!(raw.packet().await, answer);
    // Now there is room for another wait.
    let ask = json!(["", "Aemp::room", last.name(), 77, 0]).to_string();
    raw.send(ask).await;
    held[MOST].permits.add_permits(1);
    let answer = json!(["", "Aemp::credit", last.name(), 77, 1]);
    assert_eq!(raw.packet().await, answer);
}

/// Messages to a port without a bound are not counted, but the port is asked for again.
#[tokio::test]
async fn a_bound_that_is_set_later_takes_hold() {
    let (a, b) = pair().await;
    let held = Held::new(&b, usize::MAX);
    let free = b.port(Gated {
        permits: Arc::clone(&held.permits),
        taken: Arc::clone(&held.taken),
    });
    let far: GatedRef = a.handle(&free.id());
    soon(sending(&far, 0..5_000)).await.unwrap();
    until(|| free.queue_len().unwrap() >= 4_999).await;
    assert!(free.bound(10));
    let sent = sending(&far, 5_000..2_000_000);
    let mut before = 0;
    soon(async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let queued = free.queue_len().unwrap();
            if std::mem::replace(&mut before, queued) == queued {
                break;
            }
        }
    })
    .await;
    assert!(!sent.is_finished());
    sent.abort();
}

#[tokio::test]
async fn ports_without_a_bound_have_room() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login_saying(&a, "raw", ";credit=1").await;
    let port = a.port(crate::nodes::Counter::default()).id();
    for name in [port.name(), "none"] {
        raw.send(json!(["", "Aemp::room", name, 1, 0]).to_string())
            .await;
        let answer = json!(["", "Aemp::credit", name, 1]);
        assert_eq!(raw.packet().await, answer);
    }
}
