//! Streams of items between two nodes.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use aemp::{
    Cx, Node, PortId, msg, port,
    streamed::{SinkError, Streamed, StreamedError, WINDOW},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    common::{Inbox, soon, until},
    nodes::{address, listening, pair, start},
    raw::Raw,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    number: u32,
    text: String,
    parts: Vec<Option<u8>>,
}

fn row(number: u32) -> Row {
    Row {
        number,
        text: "x".repeat(number as usize % 50),
        parts: vec![None; number as usize % 3],
    }
}

/// Sends and takes streams, and tells how its sinks have ended.
struct Shop {
    sent: Arc<AtomicU32>,
    ends: mpsc::UnboundedSender<SinkError>,
}

#[port]
impl Shop {
    #[rcv]
    fn rows(&self, cx: &mut Cx<'_>, from: u32, to: u32) -> Streamed<Row> {
        let (mut sink, streamed) = cx.node().streamed();
        let (sent, ends) = (Arc::clone(&self.sent), self.ends.clone());
        cx.spawn(async move {
            for number in from..to {
                if let Err(error) = sink.send(row(number)).await {
                    let _ = ends.send(error);
                    return;
                }
                sent.fetch_add(1, Ordering::Relaxed);
            }
            sink.finish();
        });
        streamed
    }

    #[rcv]
    async fn longest(&mut self, rows: Streamed<Row>) -> Result<usize, String> {
        let rows = rows.collect().await.map_err(|error| error.to_string())?;
        Ok(rows.iter().map(|row| row.text.len()).max().unwrap_or(0))
    }

    /// A large item.
    #[rcv]
    fn large(&self, cx: &mut Cx<'_>, count: u32) -> Streamed<String> {
        let (mut sink, streamed) = cx.node().streamed();
        cx.spawn(async move {
            for number in 0..count {
                let _ = sink.send(number.to_string().repeat(300_000)).await;
            }
            sink.finish();
        });
        streamed
    }

    #[rcv]
    fn pass(&self, rows: Streamed<Row>) -> Streamed<Row> {
        rows
    }

    #[rcv]
    fn words(&self, cx: &mut Cx<'_>) -> Streamed<Vec<u8>> {
        let (mut sink, streamed) = cx.node().streamed();
        cx.spawn(async move {
            for word in [vec![], vec![1], vec![1, 2]] {
                let _ = sink.send(word).await;
            }
            sink.finish();
        });
        streamed
    }
}

/// A shop at `b`, as `a` sees it.
struct Pair {
    a: Node,
    b: Node,
    shop: ShopRef,
    sent: Arc<AtomicU32>,
    ends: mpsc::UnboundedReceiver<SinkError>,
}

fn shop(a: Node, b: Node) -> Pair {
    let (tell, ends) = mpsc::unbounded_channel();
    let sent = Arc::default();
    let shop = b.port(Shop {
        sent: Arc::clone(&sent),
        ends: tell,
    });
    let shop = a.handle(&shop.id());
    Pair {
        a,
        b,
        shop,
        sent,
        ends,
    }
}

async fn shops() -> Pair {
    let (a, b) = pair().await;
    shop(a, b)
}

#[tokio::test]
async fn a_stream_arrives_whole_in_every_format() {
    for format in ["json", "cbor", "postcard/1"] {
        let a = start(listening("a").framing_format([format])).await;
        let b = start(listening("b").framing_format([format]).seed(address(&a))).await;
        soon(a.until_up("b")).await;
        soon(b.until_up("a")).await;
        let Pair { a, b, shop, .. } = shop(a, b);
        let rows = soon(shop.rows(0, 3000).into_future()).await.unwrap();
        let rows = soon(rows.collect()).await.unwrap();
        assert_eq!(rows, (0..3000).map(row).collect::<Vec<_>>());
        let empty = soon(shop.rows(7, 7).into_future()).await.unwrap();
        assert_eq!(soon(empty.collect()).await, Ok(vec![]));
        // Items that are lists stay lists.
        let words = soon(shop.words().into_future()).await.unwrap();
        let words = soon(words.collect()).await.unwrap();
        assert_eq!(words, [vec![], vec![1], vec![1, 2]]);
        until(|| a.port_count() == 0 && b.port_count() == 1).await;
    }
}

#[tokio::test]
async fn a_handler_of_another_node_takes_a_stream() {
    let Pair { a, shop, .. } = shops().await;
    let (mut sink, rows) = a.streamed();
    let call = tokio::spawn(shop.longest(rows).into_future());
    for number in 0..1000 {
        soon(sink.send(row(number))).await.unwrap();
    }
    sink.finish();
    assert_eq!(soon(call).await.unwrap().unwrap(), Ok(49));
    let (mut sink, rows) = a.streamed();
    let call = tokio::spawn(shop.longest(rows).into_future());
    soon(sink.send(row(1))).await.unwrap();
    drop(sink);
    let error = soon(call).await.unwrap().unwrap().unwrap_err();
    assert!(error.contains("no_end"), "{error}");
}

/// A window at the consumer and one at the sender, and no more.
#[tokio::test]
async fn a_consumer_that_stops_stops_the_sender() {
    let Pair { shop, sent, .. } = shops().await;
    let rows = soon(shop.rows(0, 1_000_000).into_future()).await.unwrap();
    let mut rows = rows.window(10);
    assert_eq!(soon(rows.next()).await, Some(Ok(row(0))));
    until(|| sent.load(Ordering::Relaxed) as usize >= WINDOW).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let sent = sent.load(Ordering::Relaxed) as usize;
    assert!(sent <= WINDOW + 10 + 1, "{sent}");
}

#[tokio::test]
async fn a_dropped_consumer_cancels_the_sender() {
    let Pair {
        a,
        b,
        shop,
        mut ends,
        ..
    } = shops().await;
    let mut rows = soon(shop.rows(0, 1_000_000).into_future()).await.unwrap();
    assert_eq!(soon(rows.next()).await, Some(Ok(row(0))));
    drop(rows);
    assert_eq!(soon(ends.recv()).await, Some(SinkError::Gone(().into())));
    let unused = soon(shop.rows(0, 1_000_000).into_future()).await.unwrap();
    drop(unused);
    assert_eq!(soon(ends.recv()).await, Some(SinkError::Gone(().into())));
    until(|| a.port_count() == 0 && b.port_count() == 1).await;
}

#[tokio::test]
async fn the_loss_of_a_node_ends_both_halves() {
    let Pair { a, b, shop, .. } = shops().await;
    let mut rows = soon(shop.rows(0, 1_000_000).into_future()).await.unwrap();
    assert_eq!(soon(rows.next()).await, Some(Ok(row(0))));
    soon(b.stop()).await;
    let error = loop {
        match soon(rows.next()).await.expect("an error comes first") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(
        matches!(error, StreamedError::Lost(_) | StreamedError::Failed(_)),
        "{error}"
    );
    assert_eq!(soon(rows.next()).await, None);
    drop(rows);
    until(|| a.port_count() == 0).await;
    // The other way round.
    let Pair {
        a: a2,
        shop,
        ends: mut others,
        ..
    } = shops().await;
    let mut rows = soon(shop.rows(0, 1_000_000).into_future()).await.unwrap();
    assert_eq!(soon(rows.next()).await, Some(Ok(row(0))));
    soon(a2.stop()).await;
    let gone = soon(others.recv()).await;
    assert!(matches!(gone, Some(SinkError::Gone(_))), "{gone:?}");
}

#[tokio::test]
async fn large_items_are_sent_one_by_one() {
    let Pair { shop, .. } = shops().await;
    let texts = soon(shop.large(12).into_future()).await.unwrap();
    let texts = soon(texts.collect()).await.unwrap();
    let wanted = |number: usize| number.to_string().repeat(300_000);
    assert_eq!(texts.len(), 12);
    assert!(texts.iter().enumerate().all(|(n, text)| *text == wanted(n)));
}

/// From `b` to `a`, and through `b` again, unused and in use.
#[tokio::test]
async fn a_stream_is_passed_on() {
    let Pair { a, b, shop, .. } = shops().await;
    let rows = soon(shop.rows(0, 500).into_future()).await.unwrap();
    let rows = soon(shop.pass(rows).into_future()).await.unwrap();
    assert_eq!(soon(rows.collect()).await.unwrap().len(), 500);
    let mut rows = soon(shop.rows(0, 500).into_future()).await.unwrap();
    assert_eq!(soon(rows.next()).await, Some(Ok(row(0))));
    let rows = soon(shop.pass(rows).into_future()).await.unwrap();
    let rows = soon(rows.collect()).await.unwrap();
    assert_eq!(rows, (1..500).map(row).collect::<Vec<_>>());
    until(|| a.port_count() == 0 && b.port_count() == 1).await;
}

#[tokio::test]
async fn a_stream_that_was_sent_cannot_be_used_here() {
    let Pair { a, shop, .. } = shops().await;
    let (sink, rows) = a.streamed::<Row>();
    let message = ShopMsg::Longest(rows, aemp::Reply::none());
    // The message is encoded, and gone.
    shop.post(message);
    drop(sink);
    let (_sink, rows) = a.streamed::<Row>();
    let id = serde_json::to_value(&rows).unwrap();
    assert_eq!(serde_json::to_value(&rows).unwrap(), id, "it is sent once");
    let mut rows = rows;
    assert_eq!(soon(rows.next()).await, Some(Err(StreamedError::Sent)));
    assert_eq!(soon(rows.next()).await, None);
    assert!(serde_json::to_value(&rows).is_err());
    let lost: Result<Streamed<Row>, _> = serde_json::from_value(id);
    assert!(lost.is_err(), "there is no node");
}

/// A port ID is no secret. Only the nodes of the two halves have a say in a stream.
#[tokio::test]
async fn a_third_node_can_neither_add_to_a_stream_nor_end_it() {
    let Pair { a, b, shop, .. } = shops().await;
    let mut raw = Raw::login(&b, "raw").await;
    let next = async |raw: &mut Raw| loop {
        let packet = raw.packet().await;
        if packet[0] == "s" || packet[0] == "r" {
            return packet;
        }
    };
    // It sends a stream to a handler.
    let call = json!([shop.id().name(), "longest", "raw#s", "raw#r"]);
    raw.send(call.to_string()).await;
    let credit = next(&mut raw).await;
    assert_eq!(credit[1], "credit");
    let consumer: PortId = credit[2].as_str().unwrap().parse().unwrap();
    a.snd(&consumer, msg!["end"]);
    a.snd(&consumer, msg!["data", 1]);
    settled(&a, &b).await;
    let item = json!({ "number": 1, "text": "four", "parts": [] });
    let data = json!([consumer.name(), "data", item]).to_string();
    raw.send(data + &json!([consumer.name(), "end"]).to_string())
        .await;
    assert_eq!(next(&mut raw).await, json!(["r", { "Ok": 4 }]));
    // It asks for a stream. Neither can others become its consumer in the name of a third, nor cancel it.
    let call = json!([shop.id().name(), "rows", 0, 2, "raw#r"]);
    raw.send(call.to_string()).await;
    let sender: PortId = next(&mut raw).await[1].as_str().unwrap().parse().unwrap();
    a.snd(&sender, msg!["credit", "raw#s", 1]);
    settled(&a, &b).await;
    let credit = json!([sender.name(), "credit", "raw#s", 1]).to_string();
    raw.send(credit).await;
    assert_eq!(next(&mut raw).await[2]["number"], 0);
    a.snd(&sender, msg!["cancel", "raw#s"]);
    settled(&a, &b).await;
    let credit = json!([sender.name(), "credit", "raw#s", 1]).to_string();
    raw.send(credit).await;
    assert_eq!(next(&mut raw).await[2]["number"], 1);
    assert_eq!(next(&mut raw).await, json!(["s", "end"]));
}

/// Waits until the messages that one node has sent to another before have been handled.
async fn settled(from: &Node, to: &Node) {
    let mut inbox = Inbox::new(to);
    from.snd(&inbox.id, msg!["settled"]);
    inbox.next().await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
}
