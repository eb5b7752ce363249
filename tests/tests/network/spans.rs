//! Contexts of spans on the wire: packets to nodes, and packets of odd peers.

use aemp::{Args, Cx, Node, NodeId, PortId, cal, msg, port, snd, span::Way};
use aemp_tests::recorder::{Record, Recorder};
use serde_json::json;

use crate::{
    common::{soon, until},
    nodes::{listening, start},
    raw::Raw,
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Relay {
    to: PortId,
}

#[port]
impl Relay {
    #[rcv]
    fn pass(&self, cx: &mut Cx<'_>, text: String) {
        snd!(cx.node(), self.to, "heard", text);
        cal!(cx.node(), self.to, "asked").forget();
    }
}

async fn traced(recorder: &Recorder) -> Node {
    start(listening("a").tracer(recorder.clone())).await
}

fn relay(node: &Node, to: &str) -> RelayRef {
    let to = PortId::new(&NodeId::new(to).unwrap(), "p");
    node.port(Relay { to })
}

/// Waits until there are so many spans that have ended.
async fn ended(recorder: &Recorder, number: usize) -> Vec<Record> {
    until(|| {
        let all = recorder.all();
        all.len() >= number && all.iter().all(|record| !record.end.is_empty())
    })
    .await;
    recorder.all()
}

/// A peer that has not offered it gets the packets of a node without a tracer, to the byte.
#[tokio::test]
async fn only_nodes_that_take_contexts_are_sent_them() {
    let mut sent = Vec::new();
    for tracer in [true, false] {
        let recorder = Recorder::default();
        let node = match tracer {
            true => traced(&recorder).await,
            false => start(listening("a")).await,
        };
        let mut greeted = Raw::connect(&node).await;
        assert!(greeted.line().await.contains(";trace=1"));
        let mut perl = Raw::login(&node, "perl").await;
        relay(&node, "perl").pass("x".into());
        for _ in 0..2 {
            sent.push(perl.packet().await);
        }
        let mut rust = Raw::login_saying(&node, "rust", ";trace=1").await;
        relay(&node, "rust").pass("x".into());
        let packets = [rust.packet().await, rust.packet().await];
        if !tracer {
            assert_eq!(packets[0], json!(["p", "heard", "x"]));
            assert_eq!(packets[1], json!(["p", "asked"]));
            continue;
        }
        let pass = &ended(&recorder, 2).await[1];
        for (packet, message) in packets
            .into_iter()
            .zip([json!(["heard", "x"]), json!(["asked"])])
        {
            let parent = pass.context.to_string();
            let mut expected = vec![
                json!(""),
                json!("Aemp::traced"),
                json!(parent),
                json!(""),
                json!("send"),
                json!("p"),
            ];
            expected.extend(message.as_array().unwrap().clone());
            assert_eq!(packet, json!(expected));
        }
    }
    assert_eq!(sent[..2], sent[2..]);
}

/// A call says that it is one. Its answer carries nothing, and neither do requests.
#[tokio::test]
async fn a_call_travels_as_a_call() {
    let recorder = Recorder::default();
    let node = traced(&recorder).await;
    let mut raw = Raw::login_saying(&node, "raw", ";trace=1").await;
    let echo = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
        let reply = message.pop().unwrap();
        let reply = PortId::parse(reply.as_str().unwrap()).unwrap();
        cx.node().snd(&reply, message);
    });
    let echo = echo.id();
    let name = echo.name();
    raw.send(format!(
        r#"["","Aemp::traced","{PARENT}","k=v","call","{name}","echo","raw#r?"]"#
    ))
    .await;
    assert_eq!(raw.packet().await, json!(["r?", "echo"]));
    let record = &ended(&recorder, 1).await[0];
    assert_eq!((&*record.name, record.way), ("Untyped.echo", Way::Called));
    assert_eq!(record.from.as_deref(), Some("raw"));
    let sender = record.sender.clone().unwrap();
    assert_eq!((sender.to_string(), sender.state()), (PARENT.into(), "k=v"));
    let (asks, to) = (node.clone(), PortId::parse("raw#p").unwrap());
    let asker = node.untyped(move |cx: &mut Cx<'_>, _: Args| {
        let call = asks.cal(&to, msg!["ask"]);
        cx.then(call, |_: &mut aemp::Untyped, _, _| ());
    });
    snd!(node, asker.id(), "go");
    assert_eq!(raw.packet().await[1], "mon1");
    let asked = raw.packet().await;
    assert_eq!(
        [&asked[1], &asked[4], &asked[5]],
        ["Aemp::traced", "call", "p"]
    );
    assert!(asked[7].as_str().unwrap().ends_with('?'), "{asked}");
}

/// The message of a peer whose context is wrong arrives all the same. A wrong request is logged, and nothing breaks.
#[tokio::test]
async fn a_wrong_context_is_ignored() {
    let recorder = Recorder::default();
    let node = traced(&recorder).await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = std::sync::Arc::clone(&seen);
    let port = node.untyped(move |_: &mut Cx<'_>, message: Args| {
        told.lock().unwrap().push(message[1].to_string());
    });
    let id = port.id();
    let name = id.name();
    let mut raw = Raw::login_saying(&node, "raw", ";trace=1").await;
    let long = "k=".to_owned() + &"v".repeat(10_000);
    let zero = PARENT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
    let wrong = [
        ("", ""),
        ("nonsense", ""),
        (&zero, ""),
        (PARENT, &*long),
        (PARENT, "k"),
        (&PARENT[..50], ""),
    ];
    for (number, (parent, state)) in wrong.into_iter().enumerate() {
        raw.send(format!(
            r#"["","Aemp::traced","{parent}","{state}","send","{name}","m",{number}]"#
        ))
        .await;
    }
    // No message: there is no port, or none is named, or the elements are wrong.
    for request in [
        format!(r#"["","Aemp::traced","{PARENT}","","send","nothing","m",1]"#),
        format!(r#"["","Aemp::traced","{PARENT}","","send","","kil1","{name}"]"#),
        format!(r#"["","Aemp::traced","{PARENT}","","send"]"#),
        r#"["","Aemp::traced"]"#.into(),
        format!(r#"["","Aemp::traced",[1],"","send","{name}","m",1]"#),
    ] {
        raw.send(request).await;
    }
    raw.send(format!(
        r#"["","Aemp::traced","{PARENT}","","send","{name}","m",6]"#
    ))
    .await;
    until(|| seen.lock().unwrap().len() == 7).await;
    assert_eq!(
        *seen.lock().unwrap(),
        (0..7).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    let all = ended(&recorder, 7).await;
    let known: Vec<_> = all.iter().map(|record| record.sender.is_some()).collect();
    assert_eq!(known, [false, false, false, false, false, false, true]);
    assert_eq!((all[0].way, all[6].way), (Way::Unknown, Way::Sent));
    assert!(port.queue_len().is_some());
}

/// A node without a tracer has offered to take contexts, because an observer may ask it for samples.
#[tokio::test]
async fn a_node_without_a_tracer_takes_contexts() {
    let node = start(listening("a")).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let port = node.untyped(move |_: &mut Cx<'_>, message: Args| {
        tell.send(message[1].to_string()).unwrap();
    });
    let id = port.id();
    let mut raw = Raw::login_saying(&node, "raw", ";trace=1").await;
    let name = id.name();
    raw.send(format!(
        r#"["","Aemp::traced","{PARENT}","","send","{name}","m",1]["{name}","m",2]"#
    ))
    .await;
    for expected in ["1", "2"] {
        assert_eq!(soon(told.recv()).await.unwrap(), expected);
    }
}

/// Messages that the port decodes later, and large ones, keep their contexts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_decoded_later_keep_their_contexts() {
    let recorder = Recorder::default();
    let (a, b) = (
        start(listening("a").tracer(recorder.clone())).await,
        Recorder::default(),
    );
    let seed = a.listeners().remove(0);
    let b = start(listening("b").seed(seed).tracer(b)).await;
    soon(b.until_up("a")).await;
    soon(a.until_up("b")).await;
    let sizes = [10, 100_000, 5_000_000];
    let sink = a.untyped(|_: &mut Cx<'_>, _: Args| ());
    let to = sink.id();
    let sender = b.untyped(move |cx: &mut Cx<'_>, message: Args| {
        let size = message[1].as_u64().unwrap();
        snd!(
            cx.node(),
            to,
            "load",
            "x".repeat(usize::try_from(size).unwrap())
        );
    });
    for size in sizes {
        snd!(b, sender.id(), "go", size);
    }
    let all = ended(&recorder, sizes.len()).await;
    assert!(all.iter().all(|record| record.way == Way::Sent));
    assert!(all.iter().all(|record| record.sender.is_some()));
    assert_eq!(all.len(), sizes.len());
}
