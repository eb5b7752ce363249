//! Packets that are large, or become much.

use std::sync::{Mutex, PoisonError, mpsc};

use aemp::{Args, Cx, PortId, Value, msg};
use aemp_codec::{Codec, DecodeError, Framing, Limits, PacketReader, PacketWriter};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use super::Scene;
use crate::{
    common::{Inbox, PATIENCE, soon, watch},
    nodes::{address, counter, listening, start},
    plugged,
    raw::Raw,
};

/// More than is read in one go while others wait.
const LARGE: usize = 1 << 20;

/// JSON, of which large packets are read when the test says so.
#[derive(Debug)]
struct Gated {
    begun: UnboundedSender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Gated {
    fn decode(&self, packet: &[u8], limits: Limits) -> Result<Vec<Value>, DecodeError> {
        if packet.len() >= LARGE {
            let _ = self.begun.send(());
            let _ = self
                .go
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
        }
        plugged::decode(packet, limits)
    }
}

impl Codec for Gated {
    fn name(&self) -> &str {
        "gated"
    }

    fn framer(&self, limits: Limits) -> Box<dyn Framing> {
        plugged::framer(limits)
    }

    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
        PacketWriter::encoded(out, limits, plugged::encode)
    }

    fn reader<'a>(
        &'a self,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<PacketReader<'a>, DecodeError> {
        self.decode(packet, limits).map(PacketReader::values)
    }
}

/// The node has one worker, which goes on with the other peers. Packets behind the large one wait for it.
#[tokio::test]
async fn while_a_large_packet_is_read_others_are_heard() {
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let (go, wait) = mpsc::channel();
    let gated = Gated {
        begun,
        go: Mutex::new(wait),
    };
    let a = start(listening("a").codec(gated)).await;
    let b = start(listening("b").seed(address(&a))).await;
    let counted = a.port(counter(0));
    let mut inbox = Inbox::new(&a);
    let mut raw = Raw::login_writing(&a, "raw", "gated").await;
    soon(b.until_up("a")).await;
    for round in 0..3 {
        let packet = |value: &Value| format!(r#"["{}",{value}]"#, inbox.id.name());
        let large = Value::from("x".repeat(LARGE));
        let all = [packet(&1.into()), packet(&large), packet(&2.into())].concat();
        raw.send(all).await;
        assert_eq!(inbox.next().await, msg![1]);
        soon(has_begun.recv()).await.unwrap();
        for _ in 0..3 {
            let id = counted.id();
            let answer = soon(b.cal(&id, msg!["get"])).await.unwrap();
            assert_eq!(answer, msg![0], "{round}");
        }
        assert!(inbox.messages.try_recv().is_err(), "it waits");
        go.send(()).unwrap();
        assert_eq!(inbox.next().await, msg![large]);
        assert_eq!(inbox.next().await, msg![2]);
    }
    // A node that is stopped meanwhile waits for it.
    raw.send(json!([inbox.id.name(), "x".repeat(LARGE)]).to_string())
        .await;
    soon(has_begun.recv()).await.unwrap();
    go.send(()).unwrap();
    soon(b.stop()).await;
    soon(a.stop()).await;
}

/// The node has one worker, which goes on with all other peers. Another large message does not wait for ever for a
/// handler that does not return.
#[tokio::test]
async fn while_a_large_message_is_handled_others_are_served() {
    let scene = Scene::new(|node| node).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let held = scene.node.untyped(move |_: &mut Cx<'_>, _: Args| {
        let _ = tell.send("begun");
        let wait = wait.lock().unwrap_or_else(PoisonError::into_inner);
        let let_go = wait.recv_timeout(PATIENCE / 2).is_ok();
        let _ = tell.send(if let_go { "let go" } else { "given up" });
    });
    let (counted, mut inbox) = (scene.node.port(counter(0)), Inbox::new(&scene.node));
    let mut raw = Raw::login(&scene.node, "raw").await;
    let large = Value::from("x".repeat(LARGE));
    let packet = |port: &str| format!(r#"["{port}",{large}]"#);
    raw.send(packet(held.id().name())).await;
    assert_eq!(soon(told.recv()).await, Some("begun"));
    for _ in 0..3 {
        let answer = soon(scene.node.cal(&counted.id(), msg!["get"])).await;
        assert_eq!(answer.unwrap(), msg![0]);
    }
    raw.send(packet(inbox.id.name())).await;
    assert_eq!(inbox.next().await, msg![large]);
    go.send(()).unwrap();
    assert_eq!(soon(told.recv()).await, Some("let go"));
    scene.goes_on().await;
}

/// The order does not depend on sizes, on the pieces in which packets arrive, or on other senders of large packets.
#[tokio::test(flavor = "multi_thread")]
async fn large_and_small_packets_keep_their_order() {
    let scene = Scene::new(|node| node).await;
    let senders = (0..6).map(|sender| {
        let (node, mut inbox) = (scene.node.clone(), Inbox::new(&scene.node));
        tokio::spawn(async move {
            let mut raw = Raw::login(&node, &format!("raw{sender}")).await;
            let sizes = [1, 300_000, 10, 2, 400_000, 130_000, 5, 131_060, 3];
            let texts: Vec<String> = sizes.map(|size| "x".repeat(size)).into();
            let sent = texts.clone();
            let port = inbox.id.name().to_owned();
            let sending = tokio::spawn(async move {
                for round in 0..4 {
                    for text in &sent {
                        raw.send(json!([port, round, text]).to_string()).await;
                    }
                }
                raw
            });
            for round in 0..4 {
                for text in &texts {
                    assert!(inbox.next().await == msg![round, text.as_str()]);
                }
            }
            soon(sending).await.unwrap();
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        soon(sender).await.unwrap();
    }
    scene.goes_on().await;
}

/// A large packet that is malformed ends the connection like a small one.
#[tokio::test]
async fn large_packets_that_are_malformed() {
    let scene = Scene::new(|node| node).await;
    let inbox = Inbox::new(&scene.node);
    let mut raw = Raw::login(&scene.node, "raw").await;
    let death = watch(&scene.node, &PortId::parse("raw#p").unwrap());
    let text = "x".repeat(LARGE);
    raw.try_send(format!(r#"["{}","{text}",01]"#, inbox.id.name()))
        .await;
    assert_eq!(death.await.kind(), "transport_error");
    raw.closed().await;
    scene.logs.warned("raw: malformed packet at byte").await;
    scene.goes_on().await;
}

#[tokio::test]
async fn packets_of_too_many_values() {
    let scene = Scene::new(|node| node.max_packet_values(1000)).await;
    let mut inbox = Inbox::new(&scene.node);
    let mut raw = Raw::login(&scene.node, "raw").await;
    let name = inbox.id.name().to_owned();
    let packet = |values| json!([name, vec![0; values]]).to_string();
    raw.send(packet(990)).await;
    raw.send(packet(990)).await;
    // A port that has not been seen to be quick reads in its own time.
    let death = watch(&scene.node, &inbox.id);
    for _ in 0..2 {
        inbox.next().await;
    }
    raw.send(packet(1000)).await;
    let reason = death.await.to_string();
    assert!(reason.contains("(max_packet_values)"), "{reason}");
    let requests = [
        json!(["", "g_upd", "f", null, vec![0; 1000]]).to_string(),
        json!(["", "snd", inbox.id.to_string(), vec![0; 1000]]).to_string(),
        json!(["", "My::function", vec![0; 1000]]).to_string(),
    ];
    for packet in requests {
        let death = watch(&scene.node, &PortId::parse("raw#p").unwrap());
        raw.try_send(packet).await;
        assert_eq!(death.await.kind(), "transport_error");
        raw.closed().await;
        scene
            .logs
            .warned("more than 1000 values in a packet (max_packet_values)")
            .await;
        scene.goes_on().await;
        raw = Raw::login(&scene.node, "raw").await;
    }
}

/// Each of a million odd elements would have been a line.
#[tokio::test]
async fn requests_with_many_odd_elements() {
    let scene = Scene::new(|node| node).await;
    scene.node.become_global();
    let mut raw = Raw::login(&scene.node, "raw").await;
    let odd = vec![json!([]); 100_000];
    raw.send(json!(["", "g_upd", "f", {"k": 1}, odd]).to_string())
        .await;
    let told = "g_upd from raw: one of the deleted keys is a list of 0: left out, and 99999 more like that";
    scene.logs.warned(told).await;
    let keys = soon(scene.node.db_keys("f")).await.unwrap();
    assert_eq!(keys, ["k"], "the rest counts");
    scene.goes_on().await;
}
