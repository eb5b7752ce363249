//! Calls between nodes whose answers do not fit, or whose callers no longer wait.

use std::{collections::BTreeMap, pin::pin, sync::OnceLock, time::Duration};

use aemp::{Args, CallError, Cx, Local, Node, PortId, Value, cal, msg, port};
use aemp_tests::keeper::{Keeper, KeeperRef};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    common::{Inbox, soon, until, watch},
    nodes::{CounterRef, address, counter, listening, pair, start},
    proxy::Proxy,
    raw::Raw,
};

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn replies_know_of_callers_on_other_nodes() {
    let (a, b) = pair().await;
    let here = b.port(Keeper::default());
    let far: KeeperRef = a.handle(&here.id());
    let mut dropped = Box::pin(far.keep());
    let over = far.keep().timeout(SHORT);
    assert!(tokio::time::timeout(SHORT, dropped.as_mut()).await.is_err());
    let ended = tokio::spawn(over);
    while soon(here.kept()).await.unwrap() < 2 {}
    assert!(soon(ended).await.unwrap().is_err());
    while soon(here.wanted()).await.unwrap() != 1 {}
    drop(dropped);
    while soon(here.wanted()).await.unwrap() != 0 {}
}

#[tokio::test]
async fn a_caller_may_go_before_its_call_is_handled() {
    let (a, b) = pair().await;
    let here = b.port(Keeper::default());
    let far: KeeperRef = a.handle(&here.id());
    let (wake, asleep) = oneshot::channel();
    here.sleep(Local(asleep));
    assert!(far.keep().timeout(SHORT).await.is_err());
    // The notice that the caller has left arrives before this message.
    let mut inbox = Inbox::new(&b);
    a.snd(&inbox.id, msg!["behind"]);
    inbox.next().await;
    wake.send(()).unwrap();
    assert_eq!(soon(here.kept()).await.unwrap(), 1);
    assert_eq!(soon(here.wanted()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_lost_connection_is_a_lost_caller() {
    let a = start(listening("a")).await;
    let wire = Proxy::to(address(&a)).await;
    let b = start(listening("b").seed(wire.address())).await;
    soon(b.until_up("a")).await;
    let here = a.port(Keeper::default());
    let far: KeeperRef = b.handle(&here.id());
    let mut call = Box::pin(far.keep());
    assert!(tokio::time::timeout(SHORT, call.as_mut()).await.is_err());
    while soon(here.wanted()).await.unwrap() != 1 {}
    let (tell, told) = oneshot::channel();
    here.watch(Local(tell));
    wire.cut();
    soon(told).await.unwrap();
    let end = soon(call).await;
    assert!(matches!(end, Err(CallError::Died(_))), "{end:?}");
}

#[tokio::test]
async fn dropped_replies_and_deaths_are_distinguished() {
    let (a, b) = pair().await;
    let here = b.port(Keeper::default());
    let far: KeeperRef = a.handle(&here.id());
    for limit in [None, Some(LONG)] {
        let call = match limit {
            None => far.keep(),
            Some(limit) => far.keep().timeout(limit),
        };
        let call = tokio::spawn(call);
        while soon(here.kept()).await.unwrap() == 0 {}
        here.forget();
        let end = soon(call).await.unwrap();
        assert!(matches!(end, Err(CallError::NoReply)), "{end:?}");
    }
    for _ in 0..20 {
        let far: KeeperRef = a.handle(&b.port(Keeper::default()).id());
        let end = soon(far.panics_with_reply().timeout(LONG)).await;
        assert!(matches!(end, Err(CallError::Died(_))), "{end:?}");
    }
    let kept = tokio::spawn(far.keep().timeout(LONG));
    while soon(here.kept()).await.unwrap() == 0 {}
    here.kill("with a reply that is kept");
    let end = soon(kept).await.unwrap().unwrap_err();
    assert_eq!(
        end.reason().expect("it died").kind(),
        "with a reply that is kept"
    );
}

/// Answers with a value that cannot be sent.
struct Unspeakable;

#[port]
impl Unspeakable {
    #[rcv]
    fn ratio(&self, a: f64, b: f64) -> f64 {
        a / b
    }

    #[rcv]
    fn keys(&self) -> BTreeMap<bool, u8> {
        BTreeMap::from([(true, 1)])
    }

    #[rcv]
    fn deep(&self, levels: u64) -> Value {
        nested(levels)
    }

    #[rcv]
    fn large(&self, bytes: usize) -> String {
        "x".repeat(bytes)
    }

    #[rcv]
    fn panicking(&self) -> Odd {
        Odd(13)
    }
}

fn nested(levels: u64) -> Value {
    (0..levels).fold(Value::from(1), |inner, _| Value::from(vec![inner]))
}

/// Two connected nodes with small packets.
async fn small_pair() -> (Node, Node) {
    let a = start(listening("a").max_packet_bytes(1 << 20)).await;
    let b = listening("b").max_packet_bytes(1 << 20).seed(address(&a));
    let b = start(b).await;
    soon(a.until_up("b")).await;
    soon(b.until_up("a")).await;
    (a, b)
}

#[tokio::test]
async fn an_answer_that_cannot_be_sent_ends_the_call() {
    let (a, b) = small_pair().await;
    let far: UnspeakableRef = a.handle(&b.port(Unspeakable).id());
    #[track_caller]
    fn told<T: std::fmt::Debug>(end: Result<T, CallError>, why: &str) {
        let error = end.unwrap_err();
        assert!(matches!(error, CallError::Answer(_)), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    told(soon(far.ratio(0.0, 0.0)).await, "not-a-number");
    told(soon(far.keys()).await, "a map key");
    told(soon(far.deep(600)).await, "512 levels");
    told(soon(far.large(2 << 20)).await, "1048576 bytes");
    told(soon(far.panicking()).await, "panicked: in Serialize");
    told(soon(cal!(a, far, "ratio", 0, 0)).await, "not-a-number");
    assert_eq!(soon(far.ratio(6.0, 3.0)).await.unwrap(), 2.0);
}

/// A caller that is not of this project is answered with nothing, as `cal` in Perl has it, and its port is told why.
#[tokio::test]
async fn an_answer_that_cannot_be_sent_ends_the_call_of_a_perl_node() {
    let b = start(listening("b")).await;
    let mut raw = Raw::login(&b, "raw").await;
    let port = b.port(Unspeakable).id();
    raw.send(json!([port.name(), "ratio", 0, 0, "raw#p"]).to_string())
        .await;
    assert_eq!(raw.packet().await, json!(["p"]));
    let why = "the answer cannot be encoded: infinity and not-a-number cannot be sent";
    assert_eq!(
        raw.packet().await,
        json!(["", "kil1", "p", "no_answer", why])
    );
    // A call that is not understood is one if the handler is known, and answers.
    raw.send(json!([port.name(), "ratio", 0, "x", "raw#p"]).to_string())
        .await;
    assert_eq!(raw.packet().await, json!(["p"]));
    assert_eq!(raw.packet().await[3], "not_understood");
}

#[tokio::test]
async fn a_reason_that_cannot_be_sent_is_replaced() {
    let (a, b) = small_pair().await;
    for (reason, why) in [
        (vec![Value::from("ratio"), f64::NAN.into()], "not-a-number"),
        (vec!["ratio".into(), nested(600)], "512 levels"),
        (
            vec!["ratio".into(), "x".repeat(2 << 20).into()],
            "1048576 bytes",
        ),
    ] {
        // Of a death here, and of one that is ordered from there.
        let dying = reason.clone();
        let port = b.untyped(move |cx: &mut Cx<'_>, _: Args| cx.kill(dying.clone()));
        let death = watch(&a, &port.id());
        a.snd(&port.id(), msg!["die"]);
        let told = soon(death).await;
        assert_eq!((told.kind(), told.len()), ("ratio", 2));
        assert!(told.to_string().contains(why), "{told}");
        let port = b.empty_port();
        let death = watch(&b, &port.id());
        a.kil(&port.id(), reason);
        let told = soon(death).await;
        assert!(
            told.kind() == "ratio" && told.to_string().contains(why),
            "{told}"
        );
    }
}

/// Reads and writes itself with side effects.
#[derive(Debug)]
struct Odd(u8);

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != 13, "in Serialize");
        serializer.serialize_u8(self.0)
    }
}

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let n = u8::deserialize(deserializer)?;
        assert!(n != 7, "in Deserialize");
        Ok(Self(n))
    }
}

/// Tells the other node when it is written, and shows the queue for that node.
#[derive(Debug, Deserialize)]
struct Chatty(u8);

static CHAT: OnceLock<(Node, PortId)> = OnceLock::new();

impl Serialize for Chatty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (node, inbox) = CHAT.get().expect("set by the test");
        node.snd(inbox, msg!["written"]);
        assert_eq!(node.node_is_up("b"), Some(true));
        assert!(node.node_format("b").is_some());
        serializer.serialize_u8(self.0)
    }
}

#[aemp::protocol]
trait Odds {
    fn get(&self) -> Odd;
    #[rcv("inc")]
    fn odd(&self, by: Odd);
}

#[aemp::protocol]
trait Chat {
    fn inc(&self, by: Chatty);
}

#[tokio::test]
async fn serde_runs_without_any_lock() {
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    CHAT.set((a.clone(), inbox.id.clone())).unwrap();
    let here = b.port(counter(0));
    let far: OddsRef = a.handle(&here.id());
    let chat: ChatRef = a.handle(&here.id());
    soon(async { chat.inc(Chatty(7)).check() }).await.unwrap();
    assert_eq!(inbox.next().await, msg!["written"]);
    let error = far.odd(Odd(13)).check().unwrap_err().to_string();
    assert!(error.contains("in Serialize"), "{error}");
    // The same holds for messages to a node that is not connected.
    let nowhere = PortId::parse("nowhere#p").unwrap();
    a.handle::<ChatRef>(&nowhere)
        .inc(Chatty(1))
        .check()
        .unwrap();
    let nowhere: OddsRef = a.handle(&nowhere);
    assert!(nowhere.odd(Odd(13)).check().is_err());
    while soon(here.get()).await.unwrap() != 7 {}
    let end = soon(far.get()).await;
    assert!(matches!(end, Err(CallError::Answer(_))), "{end:?}");
    here.inc(1);
    assert_eq!(soon(far.get()).await.unwrap().0, 8);
    assert_eq!(a.node_is_up("b"), Some(true), "the connection is the same");
}

#[tokio::test]
async fn packets_of_any_size_stay_in_order() {
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    let sizes = [10, 100_000, 20, 31_000, 40_000, 33_000, 1, 500_000, 2];
    for (n, size) in sizes.into_iter().cycle().take(200).enumerate() {
        a.snd(&inbox.id, msg![n, "x".repeat(size)]);
    }
    for (n, size) in sizes.into_iter().cycle().take(200).enumerate() {
        let message = inbox.next().await;
        assert_eq!(message[0].text().unwrap(), n.to_string());
        assert_eq!(message[1].as_str().unwrap().len(), size);
    }
}

/// Answers with lists.
struct Lists;

#[port]
impl Lists {
    #[rcv]
    fn value(&self, of: Value) -> Value {
        of
    }

    #[rcv]
    fn values(&self, of: Vec<Value>) -> Vec<Value> {
        of
    }
}

#[aemp::protocol]
trait Any {
    fn value(&self, of: Value) -> Value;
    fn values(&self, of: Vec<Value>) -> Value;
}

#[tokio::test]
async fn lists_arrive_as_they_were_sent() {
    let (a, b) = pair().await;
    let port = b.port(Lists);
    let any: AnyRef = a.handle(&port.id());
    for list in [
        msg![],
        msg![1],
        msg![1, 2],
        msg![Value::Null],
        msg![msg![1]],
        msg![msg![]],
    ] {
        let value = Value::Array(list.clone());
        assert_eq!(soon(any.value(value.clone())).await.unwrap(), value);
        assert_eq!(soon(any.values(list)).await.unwrap(), value);
    }
    assert_eq!(soon(any.value(Value::Null)).await.unwrap(), Value::Null);
    // In the wire form of the reference a list of one is its element.
    let mut raw = Raw::login(&b, "raw").await;
    raw.send(json!([port.id().name(), "values", [1], "raw#p"]).to_string())
        .await;
    assert_eq!(raw.packet().await, json!(["p", 1]));
}

#[aemp::protocol]
trait Newer {
    fn get(&self, of: Option<String>) -> i64;
    fn inc(&self, by: i64, unit: Option<u8>);
    fn added(&self) -> i64;
}

#[tokio::test]
async fn an_older_port_survives_newer_messages() {
    let (a, b) = pair().await;
    let port = b.port(counter(0));
    let far: NewerRef = a.handle(&port.id());
    far.inc(2, None);
    assert_eq!(soon(far.get(None)).await.unwrap(), 2);
    let refused = soon(far.added().timeout(LONG)).await;
    assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
    let refused = soon(far.get(Some("all".into()))).await;
    assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
    far.inc(2, Some(1));
    let old: CounterRef = a.handle(&port.id());
    assert_eq!(soon(old.get()).await.unwrap(), 2);
    until(|| a.port_count() == 0).await;
}

/// Foreign receivers find the reply port where it has always been; the end of a plain message is no place.
#[tokio::test]
async fn omitted_arguments_keep_their_places_in_calls_to_perl_nodes() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "raw").await;
    let far: NewerRef = a.handle(&PortId::parse("raw#p").unwrap());
    far.inc(1, None);
    far.inc(1, Some(2));
    assert_eq!(raw.packet().await, json!(["p", "inc", 1]));
    assert_eq!(raw.packet().await, json!(["p", "inc", 1, 2]));
    let mut call = pin!(far.get(None));
    assert!(tokio::time::timeout(SHORT, call.as_mut()).await.is_err());
    assert_eq!(raw.packet().await, json!(["", "mon1", "p"]));
    let packet = raw.packet().await;
    assert_eq!(
        packet.as_array().unwrap()[..3],
        [json!("p"), "get".into(), json!(null)]
    );
    let reply = packet[3].as_str().unwrap().strip_prefix("a#").unwrap();
    raw.send(json!([reply, 5]).to_string()).await;
    assert_eq!(soon(call).await.unwrap(), 5);
}
