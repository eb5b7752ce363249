//! Nodes without listeners, which reach each other by way of the global node that both are connected to.

mod script;

use std::{future::IntoFuture, time::Duration};

use aemp::{
    Args, Cx, Node, NodeBuilder, PortId, Value, args, inspect::Direction, msg, port,
    stream::ByteStream,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use crate::{
    common::{Inbox, SECRET, soon, watch},
    nodes::{CounterRef, address, counter, listening, node_port, start},
};

/// A builder of a node that does not listen.
fn private(id: &str, global: &Node) -> NodeBuilder {
    Node::builder()
        .node_id(id)
        .secret(SECRET)
        .seed(address(global))
        .connect_interval(Duration::from_millis(500))
}

/// Waits until the database lists so many nodes at each node.
async fn known(nodes: &[&Node], count: usize) {
    for node in nodes {
        let all = async {
            while node
                .db_keys("'l")
                .await
                .is_ok_and(|keys| keys.len() < count)
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon(all).await;
    }
}

/// A global node, and two private ones.
async fn three() -> (Node, Node, Node) {
    let g = start(listening("g").global(true)).await;
    let (a, b) = (start(private("a", &g)).await, start(private("b", &g)).await);
    known(&[&a, &b], 3).await;
    (g, a, b)
}

#[tokio::test]
async fn private_nodes_call_and_send_to_each_other() {
    let (g, a, b) = three().await;
    let far: CounterRef = counter::on(&a, "b", 1);
    far.inc(2);
    assert_eq!(soon(far.get()).await.unwrap(), 3);
    assert_eq!(a.node_is_up("b"), Some(true));
    let mut inbox = Inbox::new(&a);
    for number in 0..100 {
        b.snd(&inbox.id, args![number]);
    }
    for number in 0..100 {
        assert_eq!(inbox.next().await, args![number]);
    }
    for (node, other, direction) in [(&a, "b", Direction::Out), (&b, "a", Direction::In)] {
        let connections = soon(node.inspect(node.id().as_str()).connections()).await;
        let connections = connections.unwrap().connections;
        let found = connections.iter().find(|found| found.node == other);
        let found = found.expect("a connection");
        assert_eq!(found.address.as_deref(), Some("via g"));
        assert_eq!(found.direction, Some(direction));
        let tls = found.tls.as_deref();
        assert!(tls.is_some_and(|tls| tls.ends_with("(secret)")), "{tls:?}");
    }
    let between = soon(a.inspect("g").connections()).await.unwrap();
    assert_eq!(between.total, 2, "the relay has no connection more");
    drop((g, b));
}

#[tokio::test]
async fn deaths_and_kills_pass_through_a_relay() {
    let (_g, a, b) = three().await;
    let far: CounterRef = counter::on(&a, "b", 1);
    soon(far.get()).await.unwrap();
    let died = watch(&a, &far.id());
    a.kil(&far.id(), aemp::Reason::new(args!["enough"]));
    assert_eq!(died.await.to_string(), "enough");
    let mine = Inbox::new(&a);
    let died = watch(&b, &mine.id);
    // The monitor has arrived when a later call has been answered.
    let near: CounterRef = counter::on(&b, "a", 1);
    soon(near.get()).await.unwrap();
    a.kil(&mine.id, aemp::Reason::new(args!["over"]));
    assert_eq!(died.await.to_string(), "over");
}

#[tokio::test]
async fn the_loss_of_the_far_node_fires_monitors() {
    let (_g, a, b) = three().await;
    let far: CounterRef = counter::on(&a, "b", 1);
    soon(far.get()).await.unwrap();
    let died = watch(&a, &node_port(&b));
    soon(b.stop()).await;
    let reason = died.await.to_string();
    assert!(reason.starts_with("transport_error b"), "{reason}");
}

#[tokio::test]
async fn the_loss_of_the_relay_fires_monitors_at_both_ends() {
    let (g, a, b) = three().await;
    let far: CounterRef = counter::on(&a, "b", 1);
    soon(far.get()).await.unwrap();
    let mine = Inbox::new(&a);
    let (there, here) = (watch(&a, &far.id()), watch(&b, &mine.id));
    soon(counter::on(&b, "a", 1).get()).await.unwrap();
    soon(g.stop()).await;
    for (reason, other) in [(there.await, "b"), (here.await, "a")] {
        let reason = reason.to_string();
        let begin = format!("transport_error {other} relay g is lost");
        assert!(reason.starts_with(&begin), "{reason}");
    }
}

#[tokio::test]
async fn large_and_many_messages_pass_in_both_directions() {
    let (_g, a, b) = three().await;
    let echo = |node: &Node| {
        let port = node.untyped(|cx: &mut Cx<'_>, message: Args| {
            let to = PortId::parse(message[0].text().unwrap().as_ref()).unwrap();
            cx.node().snd(&to, message);
        });
        port.id()
    };
    let echoes = [echo(&b), echo(&a)];
    let both = [(&a, &echoes[0]), (&b, &echoes[1])].map(|(node, echo)| async move {
        let mut inbox = Inbox::new(node);
        let content = Value::bytes(vec![7; 300_000]);
        for number in 0..20 {
            node.snd(echo, args![inbox.id.as_str(), number, content.clone()]);
        }
        for number in 0..20 {
            let message = inbox.next().await;
            assert_eq!(message[1], Value::from(number));
            assert_eq!(message[2].as_bytes().unwrap().len(), 300_000);
        }
    });
    let [one, other] = both;
    tokio::join!(one, other);
}

#[tokio::test]
async fn streams_take_the_same_way() {
    let g = start(listening("g").global(true)).await;
    let a = start(private("a", &g)).await;
    let b = private("b", &g).stream_function("My::count", |_, _, mut stream| async move {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes).await;
        let answer = read.map_or_else(|error| error.to_string(), |count| count.to_string());
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    });
    let b = start(b).await;
    known(&[&a, &b], 3).await;
    let opened = a.open_stream("b", "My::count", args![]);
    let mut stream = soon(opened.into_future()).await.unwrap();
    let bytes = vec![7; 2_000_000];
    soon(stream.write_all(&bytes)).await.unwrap();
    soon(stream.shutdown()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "2000000");
}

struct Counting;

#[port]
impl Counting {
    #[rcv]
    async fn count(&self, mut stream: ByteStream) -> String {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes).await;
        let read = read.map_err(|error| error.kind());
        format!("{read:?}: {stream:?}")
    }
}

/// A long one moves to a relayed connection.
#[tokio::test]
async fn streams_in_messages_take_the_same_way() {
    let (_g, a, b) = three().await;
    let counting: CountingRef = a.handle(&b.port(Counting).id());
    for (size, state) in [(5000, "inline"), (2_000_000, "connected")] {
        let (mut mine, theirs) = a.stream();
        let write = async {
            mine.write_all(&vec![7; size]).await?;
            mine.shutdown().await
        };
        let both = async { tokio::join!(counting.count(theirs), write) };
        let (counted, written) = soon(both).await;
        written.unwrap();
        let counted = counted.unwrap();
        assert!(counted.starts_with(&format!("Ok({size})")), "{counted}");
        assert!(counted.contains(state), "{counted}");
    }
}

#[tokio::test]
async fn the_sender_is_the_private_node_and_not_the_relay() {
    let g = start(listening("g").global(true)).await;
    let a = start(private("a", &g)).await;
    let b = private("b", &g).allow("a", "Net::counter");
    let b = start(b).await;
    let c = start(private("c", &g)).await;
    known(&[&a, &b, &c], 4).await;
    let allowed: CounterRef = counter::on(&a, "b", 1);
    assert_eq!(soon(allowed.get()).await.unwrap(), 1);
    let refused: CounterRef = counter::on(&c, "b", 1);
    assert!(soon(refused.get()).await.is_err());
    drop(g);
}

#[tokio::test]
async fn a_switched_off_node_takes_no_part() {
    for off in ["g", "a", "b"] {
        let set = |builder: NodeBuilder, id: &str| builder.relay(id != off);
        let g = start(set(listening("g").global(true), "g")).await;
        let a = start(set(private("a", &g), "a")).await;
        let b = start(set(private("b", &g), "b")).await;
        known(&[&a, &b], 3).await;
        let far: CounterRef = counter::on(&a, "b", 1);
        let reason = watch(&a, &far.id()).await.to_string();
        assert!(reason.contains("no known address"), "{off}: {reason}");
    }
}

#[tokio::test]
async fn a_listening_node_reaches_a_private_one_as_well() {
    let (g, a, _b) = three().await;
    let c = start(listening("c").seed(address(&g))).await;
    known(&[&a, &c], 4).await;
    let far: CounterRef = counter::on(&c, "a", 1);
    assert_eq!(soon(far.get()).await.unwrap(), 1);
    // The other direction uses the same connection.
    let (keep, mut kept) = mpsc::unbounded_channel();
    let port = c.untyped(move |_: &mut Cx<'_>, message: Args| drop(keep.send(message)));
    a.snd(&port.id(), msg!["hello"]);
    assert_eq!(soon(kept.recv()).await.unwrap(), args!["hello"]);
}
