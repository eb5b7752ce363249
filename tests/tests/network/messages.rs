//! Messages between nodes.

use aemp::{Args, Cx, Map, Node, NodeId, PortId, SendError, Value, msg, snd};

use crate::{
    common::{Inbox, soon},
    logs::Logs,
    nodes::{CounterRef, counter, pair},
    raw::Raw,
};

#[tokio::test]
async fn they_arrive_in_order() {
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    for n in 0..10_000 {
        snd!(a, inbox.id, "n", n);
    }
    for n in 0..10_000 {
        assert_eq!(inbox.next().await, msg!["n", n]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_arrive_in_order_from_many_senders_on_many_threads() {
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    for sender in 0..8 {
        let (a, to) = (a.clone(), inbox.id.clone());
        tokio::spawn(async move {
            for n in 0..1000 {
                snd!(a, to, sender, n);
                tokio::task::yield_now().await;
            }
        });
    }
    let mut next = [0; 8];
    for _ in 0..8000 {
        let message = inbox.next().await;
        let sender = message[0].as_i64().unwrap() as usize;
        assert_eq!(message[1], next[sender].into());
        next[sender] += 1;
    }
}

#[tokio::test]
async fn every_kind_of_value_arrives_as_it_was_sent() {
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    let map = Map::from_iter([("z".to_owned(), Value::from(1)), ("a".into(), ().into())]);
    let message = msg![
        "kinds",
        (),
        true,
        false,
        i64::MIN,
        u64::MAX,
        1.5,
        "text \u{20ac} \0 \"\\",
        Value::Array(msg![1, "two", Value::Array(msg![])]),
        map,
        "",
    ];
    a.snd(&inbox.id, message.clone());
    assert_eq!(inbox.next().await, message);
    a.snd(
        &inbox.id,
        msg!["octets", Value::Bytes(b"\0\xff\x80".to_vec())],
    );
    let octets = inbox.next().await;
    assert_eq!(octets[1].as_bytes().unwrap(), b"\0\xff\x80".as_slice());
}

#[tokio::test]
async fn typed_handles_work_as_they_do_locally() {
    let (a, b) = pair().await;
    let here = b.port(counter(1));
    let there: CounterRef = a.handle(&here.id());
    assert!(here.is_local() && !there.is_local());
    there.inc(2);
    assert_eq!(soon(there.get()).await.unwrap(), 3);
    here.inc(4);
    assert_eq!(soon(there.get()).await.unwrap(), 7);
    assert_eq!(here.id(), there.id());
}

#[tokio::test]
async fn handles_travel_between_nodes() {
    let (a, b) = pair().await;
    let (first, second) = (a.port(counter(0)), b.port(counter(100)));
    let far_second: CounterRef = a.handle(&second.id());
    // It is local again where it comes from, and far where it does not.
    let back = soon(far_second.inc_other(first.clone(), 5)).await.unwrap();
    assert_eq!(back.id(), first.id());
    assert!(back.is_local());
    assert_eq!(soon(back.get()).await.unwrap(), 5);
    let own = soon(far_second.inc_other(far_second.clone(), 1)).await;
    assert!(!own.unwrap().is_local());
    assert_eq!(soon(second.get()).await.unwrap(), 101);
}

#[tokio::test]
async fn the_origin_is_the_node_at_the_other_end() {
    let (a, b) = pair().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let port = b.untyped(move |cx: &mut Cx<'_>, _: Args| drop(tell.send(cx.origin())));
    snd!(a, port.id(), "from afar");
    let far = soon(told.recv()).await.unwrap();
    assert_eq!(far, Some(aemp::Origin::Node(NodeId::new("a").unwrap())));
    snd!(b, port, "from here");
    assert_eq!(soon(told.recv()).await.unwrap(), Some(aemp::Origin::Local));
}

/// Passes its messages on, and notes their origins.
struct Wrapper<P>(P, tokio::sync::mpsc::UnboundedSender<Option<aemp::Origin>>);

impl<P: aemp::Port> aemp::Port for Wrapper<P> {
    type Msg = P::Msg;
    type Ref = P::Ref;

    fn handle(&mut self, cx: &mut Cx<'_>, message: P::Msg) -> Result<(), aemp::Reason> {
        let _ = self.1.send(cx.origin());
        self.0.handle(cx, message)
    }
}

/// An origin is given only to ports that ask for it: `Wrapper` reads the origin, but the port's type does not say so.
#[tokio::test]
async fn a_port_that_does_not_use_origins_gets_none() {
    let (a, b) = pair().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let port = b.port(Wrapper(counter(0), tell));
    let far: CounterRef = a.handle(&port.id());
    far.inc(1);
    assert_eq!(soon(told.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn messages_to_unknown_ports_vanish() {
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    let nobody = PortId::new(b.id(), "nobody");
    assert!(snd!(a, nobody, "lost", 1).check().is_ok());
    let dead = b.untyped(|_: &mut Cx<'_>, _: Args| ());
    b.kil(&dead.id(), ());
    snd!(a, dead.id(), "lost", 2);
    snd!(a, inbox.id, "arrives");
    assert_eq!(inbox.next().await, msg!["arrives"]);
    assert_eq!(a.node_is_up("b"), Some(true));
}

#[tokio::test]
async fn a_message_that_cannot_be_encoded_is_the_error_of_that_send_alone() {
    let logs = Logs::catch();
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    snd!(a, inbox.id, "before");
    let nan = snd!(a, inbox.id, "never", "half a packet", f64::NAN).check();
    assert!(matches!(nan, Err(SendError::Encode(_))), "{nan:?}");
    logs.warned("was not sent: cannot be encoded: infinity and not-a-number cannot be sent")
        .await;
    let deep = (0..600).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let too_deep = snd!(a, inbox.id, "never", &deep).check();
    let text = too_deep.unwrap_err().to_string();
    assert!(text.contains("nested deeper than"), "{text}");
    snd!(a, inbox.id, "after");
    assert_eq!(inbox.next().await, msg!["before"]);
    assert_eq!(inbox.next().await, msg!["after"]);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_the_error_of_that_send_alone() {
    let limits = aemp::Limits::default().with_max_packet(1000);
    let a = crate::nodes::listening("a").packet_limits(limits);
    let a = crate::nodes::start(a).await;
    let mut raw = Raw::login(&a, "raw").await;
    let to = PortId::parse("raw#p").unwrap();
    let text = "x".repeat(1000);
    let error = snd!(a, to, "large", &text).check().unwrap_err();
    assert!(
        error.to_string().contains("larger than 1000 bytes"),
        "{error}"
    );
    snd!(a, to, "small");
    assert_eq!(raw.packet().await, serde_json::json!(["p", "small"]));
}

#[tokio::test]
async fn a_node_without_a_network_reaches_no_other_node() {
    let node = Node::local().unwrap();
    let port = PortId::parse("elsewhere#port").unwrap();
    assert!(snd!(node, port, "lost").check().is_ok());
    let reason = crate::common::watch(&node, &port).await;
    assert_eq!(
        reason.to_string(),
        "transport_error elsewhere no known address"
    );
}
