//! Streams whose other half speaks the protocol by itself, with the functions that Perl programs have: `rcv` and `snd`.
//! Some of them break its rules.

use std::sync::{Arc, Mutex};

use aemp::{
    Args, CallError, Cx, Node, PortId, Reason, Value, cal, msg, port, snd,
    streamed::{SinkError, Streamed, StreamedError, WAIT},
};
use tokio::sync::mpsc;

use crate::{node, until, within};

/// A port that keeps all of its messages.
struct Peer {
    node: Node,
    id: PortId,
    messages: mpsc::UnboundedReceiver<Args>,
}

impl Peer {
    fn new(node: &Node) -> Self {
        let (keep, messages) = mpsc::unbounded_channel();
        let port = node.untyped(move |_: &mut Cx<'_>, message: Args| drop(keep.send(message)));
        Self {
            node: node.clone(),
            id: port.id(),
            messages,
        }
    }

    async fn next(&mut self) -> Args {
        within(self.messages.recv()).await.expect("the port lives")
    }

    /// Asks a sender for items.
    fn ask(&self, sender: &PortId, items: i64) {
        snd!(self.node, sender, "credit", self.id.as_str(), items);
    }

    /// The items that come before the end, and the reason of the end.
    async fn all(&mut self) -> (Vec<Value>, Vec<Value>) {
        let mut items = Vec::new();
        loop {
            let mut message = self.next().await;
            match message.remove(0).as_str() {
                Some("data") => items.append(&mut message),
                Some("end") => return (items, message),
                _ => panic!("{message:?}"),
            }
        }
    }
}

type Ends = Arc<Mutex<Vec<Result<(), SinkError>>>>;

/// Sends and takes streams.
#[derive(Clone, Default)]
struct Desk {
    ends: Ends,
}

#[port]
impl Desk {
    /// The numbers below `to`.
    #[rcv]
    fn count(&self, cx: &mut Cx<'_>, to: u32) -> Streamed<u32> {
        let (mut sink, streamed) = cx.node().streamed();
        let ends = Arc::clone(&self.ends);
        cx.spawn(async move {
            let mut end = Ok(());
            for number in 0..to {
                end = sink.send(number).await;
                if end.is_err() {
                    break;
                }
            }
            if end.is_ok() {
                sink.finish();
            }
            ends.lock().unwrap().push(end);
        });
        streamed
    }

    #[rcv]
    fn fails(&self, cx: &mut Cx<'_>) -> Streamed<u32> {
        let (mut sink, streamed) = cx.node().streamed();
        cx.spawn(async move {
            let _ = sink.send(1).await;
            sink.fail("broken");
        });
        streamed
    }

    /// Floats, of which the second one cannot be encoded by any format.
    #[rcv]
    fn strange(&self, cx: &mut Cx<'_>) -> Streamed<Strange> {
        let (mut sink, streamed) = cx.node().streamed();
        cx.spawn(async move {
            for strange in [Strange(1), Strange(2), Strange(13), Strange(3)] {
                let _ = sink.send(strange).await;
            }
        });
        streamed
    }

    /// The items of a stream, and its error.
    #[rcv(concurrent = 8)]
    async fn take(&self, items: Streamed<u32>, window: usize) -> (Vec<u32>, String) {
        take(items.window(window)).await
    }

    /// Takes one item, and passes the rest on.
    #[rcv]
    async fn behead(&mut self, mut items: Streamed<u32>) -> Streamed<u32> {
        let _ = items.next().await;
        items
    }

    #[rcv]
    fn same(&self, items: Streamed<u32>) -> Streamed<u32> {
        items
    }

    #[rcv]
    fn ignore(&self, items: Streamed<u32>) {
        drop(items);
    }
}

/// A number that cannot be serialized if it is 13.
#[derive(serde::Deserialize)]
struct Strange(u32);

impl serde::Serialize for Strange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            13 => Err(serde::ser::Error::custom("thirteen")),
            number => number.serialize(serializer),
        }
    }
}

async fn take(mut items: Streamed<u32>) -> (Vec<u32>, String) {
    let mut taken = Vec::new();
    let end = loop {
        match items.next().await {
            Some(Ok(item)) => taken.push(item),
            Some(Err(error)) => break error.to_string(),
            None => break String::new(),
        }
    };
    assert_eq!(items.next().await, None, "it is fused");
    (taken, end)
}

fn desk() -> (Node, DeskRef, Ends) {
    let (node, desk) = (node(), Desk::default());
    let ends = Arc::clone(&desk.ends);
    (node.clone(), node.port(desk), ends)
}

/// The port of the stream that is answered to an untyped call.
async fn sender(node: &Node, desk: &DeskRef, message: Args) -> PortId {
    let answer = within(node.cal(&desk.id(), message)).await.unwrap();
    PortId::parse(answer[0].as_str().unwrap()).unwrap()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<Value> {
    range.map(Value::from).collect()
}

#[tokio::test]
async fn a_peer_takes_items_as_it_asks_for_them() {
    let (node, desk, _) = desk();
    let sender = sender(&node, &desk, msg!["count", 150]).await;
    let mut peer = Peer::new(&node);
    let mut got = Vec::new();
    for _ in 0..5 {
        peer.ask(&sender, 30);
        let wanted = got.len() + 30;
        while got.len() < wanted {
            let message = peer.next().await;
            assert_eq!(message[0], "data".into());
            got.extend_from_slice(&message[1..]);
        }
        assert_eq!(got.len(), wanted, "no more than it has asked for");
    }
    assert_eq!(got, numbers(0..150));
    assert_eq!(peer.next().await, msg!["end"], "the end needs no credit");
    until(|| node.port_count() == 2).await;
}

#[tokio::test]
async fn a_peer_hears_of_a_failure() {
    let (node, desk, _) = desk();
    let mut peer = Peer::new(&node);
    peer.ask(&sender(&node, &desk, msg!["fails"]).await, 9);
    assert_eq!(peer.all().await, (numbers(1..2), msg!["broken"]));
    // An item that cannot be encoded: those before it arrive.
    peer.ask(&sender(&node, &desk, msg!["strange"]).await, 9);
    let (items, reason) = peer.all().await;
    assert_eq!(items, numbers(1..3));
    let text = "item 3 cannot be encoded: thirteen";
    assert_eq!(reason, msg!["die", text]);
}

#[tokio::test]
async fn a_peer_cancels() {
    let (node, desk, ends) = desk();
    let gone = |reason: Reason| Err(SinkError::Gone(reason));
    let ended = async |reason: Reason| {
        until(|| !ends.lock().unwrap().is_empty()).await;
        assert_eq!(ends.lock().unwrap().pop(), Some(gone(reason)));
    };
    // By a message, before and after it has asked for items.
    let port = sender(&node, &desk, msg!["count", 1000]).await;
    snd!(node, port, "cancel");
    ended(Reason::normal()).await;
    let mut peer = Peer::new(&node);
    let port = sender(&node, &desk, msg!["count", 1000]).await;
    peer.ask(&port, 1);
    peer.next().await;
    snd!(node, port, "cancel");
    snd!(node, port, "cancel", desk.id().as_str());
    peer.ask(&port, 1);
    peer.next().await;
    assert!(ends.lock().unwrap().is_empty(), "it is not the consumer");
    snd!(node, port, "cancel", peer.id.as_str());
    ended(Reason::normal()).await;
    // By its death, and by that of the sender.
    let port = sender(&node, &desk, msg!["count", 1000]).await;
    peer.ask(&port, 1);
    peer.next().await;
    node.kil(&peer.id, "tired");
    ended("tired".into()).await;
    let port = sender(&node, &desk, msg!["count", 1000]).await;
    node.kil(&port, "stop it");
    ended("stop it".into()).await;
    until(|| node.port_count() == 1).await;
}

/// The first one that asks for items is the consumer.
#[tokio::test]
async fn a_stream_has_one_consumer() {
    let (node, desk, _) = desk();
    let port = sender(&node, &desk, msg!["count", 3]).await;
    let (mut first, mut second) = (Peer::new(&node), Peer::new(&node));
    first.ask(&port, 1);
    first.next().await;
    second.ask(&port, 5);
    let (items, reason) = second.all().await;
    assert_eq!((items, reason[0].clone()), (vec![], "no_end".into()));
    first.ask(&port, 5);
    assert_eq!(first.all().await, (numbers(1..3), vec![]));
    // There is nothing left to have.
    let late = desk.take(
        node.handle::<DeskRef>(&desk.id()).same_stream(&port).await,
        64,
    );
    let (items, error) = within(late).await.unwrap();
    assert!(
        items.is_empty() && error.contains("no_such_port"),
        "{error}"
    );
}

impl DeskRef {
    /// The stream of a port, as a handler gets it.
    async fn same_stream(&self, port: &PortId) -> Streamed<u32> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let catch = self.node().port(Catch(Some(tell)));
        snd!(self.node(), catch, "stream", port.as_str());
        within(told).await.unwrap()
    }
}

/// Gives the stream that it gets to a test.
struct Catch(Option<tokio::sync::oneshot::Sender<Streamed<u32>>>);

#[port]
impl Catch {
    #[rcv]
    fn stream(&mut self, stream: Streamed<u32>) {
        if let Some(tell) = self.0.take() {
            let _ = tell.send(stream);
        }
    }
}

/// A peer that sends a stream to a handler, and the call of the handler.
fn sending(node: &Node, desk: &DeskRef, window: usize) -> (Peer, impl Future<Output = Args>) {
    let peer = Peer::new(node);
    let call = cal!(node, desk, "take", peer.id.as_str(), window);
    let call = tokio::spawn(call.into_future());
    (peer, async move { within(call).await.unwrap().unwrap() })
}

fn taken(items: std::ops::Range<u32>, error: &str) -> Args {
    msg![Value::Array(numbers(items)), error]
}

/// The port that asks for items, and how many it asks for.
async fn asked(peer: &mut Peer) -> (PortId, u64) {
    let message = peer.next().await;
    assert_eq!(message[0], "credit".into());
    let consumer = PortId::parse(message[1].as_str().unwrap()).unwrap();
    (consumer, message[2].as_u64().unwrap())
}

#[tokio::test]
async fn a_peer_sends_a_stream_to_a_handler() {
    let (node, desk, _) = desk();
    let (mut peer, call) = sending(&node, &desk, 10);
    let (consumer, credit) = asked(&mut peer).await;
    assert_eq!(credit, 10);
    for number in 0..5 {
        snd!(node, consumer, "data", number);
    }
    assert_eq!(asked(&mut peer).await, (consumer.clone(), 5));
    // Several at once, and none.
    snd!(node, consumer, "data", "5", 6.0, 7);
    snd!(node, consumer, "data");
    snd!(node, consumer, "end");
    assert_eq!(call.await, taken(0..8, ""));
    until(|| node.port_count() == 2).await;
}

#[tokio::test]
async fn whatever_a_peer_does_the_stream_does_not_look_whole() {
    let (node, desk, _) = desk();
    let lies: [(&str, Vec<Args>, u32); 6] = [
        (
            "the stream has failed: tired of it",
            vec![msg!["data", 0], msg!["end", "tired", "of it"]],
            1,
        ),
        (
            "item 3: invalid type: string \"x\", expected u32",
            vec![msg!["data", 0], msg!["data", 1, "x"], msg!["end"]],
            2,
        ),
        (
            "the sender breaks the rules: more items came than were asked for",
            vec![msg!["data", 0, 1, 2, 3, 4], msg!["end"]],
            0,
        ),
        (
            "the sender breaks the rules: an item came after the end",
            vec![msg!["data", 0], msg!["end"], msg!["data", 1]],
            1,
        ),
        (
            "the sender is lost: killed",
            vec![msg!["data", 0], msg!["kill", "killed"]],
            1,
        ),
        (
            "the sender is lost: ",
            vec![msg!["data", 0], msg!["kill"]],
            1,
        ),
    ];
    for (error, messages, items) in lies {
        let (mut peer, call) = sending(&node, &desk, 4);
        let (consumer, _) = asked(&mut peer).await;
        for mut message in messages {
            if message[0].as_str() == Some("kill") {
                node.kil(&peer.id, message.split_off(1));
            } else {
                node.snd(&consumer, message);
            }
        }
        let answer = call.await;
        assert_eq!(answer[0], Value::Array(numbers(0..items)), "{error}");
        let text = answer[1].as_str().unwrap();
        assert!(text.starts_with(error), "{text}: not {error}");
    }
    let alive = cal!(node, desk, "count", 0).await;
    assert!(alive.is_ok(), "{alive:?}");
}

/// Credit that is no number, or is for a node.
#[tokio::test]
async fn a_sender_dies_of_credit_that_it_cannot_read() {
    let (node, desk, ends) = desk();
    for credit in [
        msg!["credit", "a#b", "many"],
        msg!["credit", "a#b", -1],
        msg!["credit", 7],
        msg!["credit", "a", 7],
    ] {
        let port = sender(&node, &desk, msg!["count", 1000]).await;
        node.snd(&port, credit);
        until(|| !ends.lock().unwrap().is_empty()).await;
        let end = ends.lock().unwrap().pop();
        let Some(Err(SinkError::Gone(reason))) = end else {
            panic!("{end:?}");
        };
        assert_eq!(reason.kind(), "die", "{reason}");
    }
    // A huge number is one like any other.
    let mut peer = Peer::new(&node);
    let port = sender(&node, &desk, msg!["count", 1000]).await;
    snd!(node, port, "credit", peer.id.as_str(), u64::MAX);
    snd!(node, port, "credit", peer.id.as_str(), u64::MAX);
    assert_eq!(peer.all().await, (numbers(0..1000), vec![]));
}

#[tokio::test]
async fn a_stream_is_passed_on_unused_and_in_use() {
    let (node, desk, ends) = desk();
    let port = sender(&node, &desk, msg!["count", 500]).await;
    let same = sender(&node, &desk, msg!["same", port.as_str()]).await;
    assert_eq!(same, port, "the consumer will ask the sender itself");
    let rest = sender(&node, &desk, msg!["behead", port.as_str()]).await;
    assert_ne!(rest, port);
    let mut peer = Peer::new(&node);
    peer.ask(&rest, 1000);
    assert_eq!(peer.all().await, (numbers(1..500), vec![]));
    until(|| ends.lock().unwrap().pop() == Some(Ok(()))).await;
    // The end of the last consumer goes all the way back.
    let port = sender(&node, &desk, msg!["count", 5000]).await;
    let rest = sender(&node, &desk, msg!["behead", port.as_str()]).await;
    snd!(node, rest, "cancel");
    until(|| !ends.lock().unwrap().is_empty()).await;
    until(|| node.port_count() == 2).await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_unused_cancels_the_sender() {
    let (node, desk, ends) = desk();
    let port = sender(&node, &desk, msg!["count", 1000]).await;
    snd!(node, desk, "ignore", port.as_str());
    until(|| !ends.lock().unwrap().is_empty()).await;
    assert_eq!(
        ends.lock().unwrap().pop(),
        Some(Err(SinkError::Gone(().into())))
    );
    until(|| node.port_count() == 1).await;
}

/// The message may have been lost with its connection.
#[tokio::test(start_paused = true)]
async fn a_sender_waits_for_its_consumer_for_a_time() {
    let (node, desk, ends) = desk();
    let port = sender(&node, &desk, msg!["count", 1000]).await;
    tokio::time::sleep(WAIT - WAIT / 100).await;
    assert_eq!(node.port_count(), 2);
    tokio::time::sleep(WAIT / 50).await;
    let end = ends.lock().unwrap().pop();
    let Some(Err(SinkError::Gone(reason))) = end else {
        panic!("{end:?}");
    };
    assert_eq!((reason.kind(), node.port_count()), ("no_consumer", 1));
    let late = desk.take(desk.same_stream(&port).await, 64).await.unwrap();
    assert!(late.1.contains("no_such_port"), "{late:?}");
}

#[tokio::test]
async fn the_id_of_a_stream_is_that_of_a_port() {
    let (node, desk, _) = desk();
    for id in ["", "nothing", "#"] {
        let refused = within(cal!(node, desk, "take", id, 1).into_future()).await;
        assert!(
            matches!(refused, Err(CallError::Refused(_))),
            "{id}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn the_end_of_the_node_is_an_error() {
    let (node, desk, ends) = desk();
    let port = sender(&node, &desk, msg!["count", 1000]).await;
    let mut items = desk.same_stream(&port).await;
    assert_eq!(items.next().await, Some(Ok(0)));
    node.stop().await;
    let error = loop {
        match within(items.next()).await.expect("an error comes first") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(!matches!(error, StreamedError::Rules(_)), "{error}");
    drop(ends);
}
