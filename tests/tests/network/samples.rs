//! Samples of traces for observers: without a tracer, over nodes, and of odd peers.

use std::time::Duration;

use aemp::{
    Args, Cx, Node, NodeId, PortId,
    inspect::{SpanInfo, Traces},
    port, snd,
};
use aemp_tests::recorder::Recorder;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    common::{soon, until},
    nodes::{listening, start},
    raw::Raw,
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Asks another port, and tells a third one.
struct Desk {
    kitchen: Option<KitchenRef>,
    book: Option<BookRef>,
}

#[port]
impl Desk {
    #[rcv]
    async fn order(&mut self, dish: String) -> u64 {
        if let Some(book) = &self.book {
            book.enter(dish.clone());
        }
        match &self.kitchen {
            Some(kitchen) => kitchen.cook(dish).await.unwrap_or(0),
            None => 0,
        }
    }
}

struct Kitchen;

#[port]
impl Kitchen {
    #[rcv]
    async fn cook(&mut self, dish: String) -> u64 {
        sleep(Duration::from_millis(5)).await;
        dish.len() as u64
    }
}

struct Book {
    again: bool,
}

#[port]
impl Book {
    #[rcv]
    fn enter(&self, cx: &mut Cx<'_>, dish: String) {
        if self.again {
            cx.handle_of(self).enter(dish);
        }
    }
}

async fn sampled(from: &Node, of: &str, since: u64) -> Traces {
    let answer = soon(from.inspect(of).traces(since)).await;
    answer.expect("it is built with the feature")
}

fn named<'a>(spans: &'a [SpanInfo], name: &str) -> &'a SpanInfo {
    let found = spans.iter().find(|span| span.handler == name);
    found.unwrap_or_else(|| panic!("{name}: {spans:#?}"))
}

/// Three nodes without tracers: an observer, and two that work for each other.
async fn three() -> [Node; 3] {
    let near = start(listening("near")).await;
    let seed = near.listeners().remove(0);
    let far = start(listening("far").seed(seed.clone())).await;
    let observer = start(listening("observer").seed(seed)).await;
    soon(near.until_up("far")).await;
    for node in [&far, &observer] {
        soon(node.until_up("near")).await;
    }
    [near, far, observer]
}

#[tokio::test]
async fn a_sample_is_followed_over_nodes() {
    let [near, far, observer] = three().await;
    let desk = near.port(Desk {
        kitchen: Some(near.handle(&far.port(Kitchen).id())),
        book: Some(near.handle(&far.port(Book { again: false }).id())),
    });
    assert_eq!(desk.order("soup".into()).await.unwrap(), 4);
    // Nothing is kept before the first question.
    for node in ["near", "far"] {
        assert_eq!(sampled(&observer, node, 0).await.spans, []);
    }
    for _ in 0..3 {
        assert_eq!(desk.order("rice".into()).await.unwrap(), 4);
    }
    let mut there = Vec::new();
    while there.len() < 2 {
        sleep(Duration::from_millis(1)).await;
        there = sampled(&far, "far", 0).await.spans;
    }
    // The far node was armed as well, but its messages come from another node.
    assert_eq!(there.len(), 2, "{there:#?}");
    let here = sampled(&observer, "near", 0).await.spans;
    assert_eq!(here.len(), 1, "{here:#?}");
    let (order, cook, enter) = (&here[0], named(&there, "cook"), named(&there, "enter"));
    assert_eq!(
        (&*order.handler, &order.parent, &order.link),
        ("order", &None, &None)
    );
    assert_eq!(
        (&cook.trace, cook.parent.as_ref()),
        (&order.trace, Some(&order.span))
    );
    assert_eq!((cook.from.as_deref(), &*cook.way), (Some("near"), "call"));
    let link = Some((order.trace.clone(), order.span.clone()));
    assert_eq!((&enter.link, &*enter.way), (&link, "send"));
    assert_ne!(enter.trace, order.trace);
    assert!(
        order.took >= cook.took && cook.took >= 0.004,
        "{order:?} {cook:?}"
    );
    assert!(order.kind.ends_with("::Desk") && order.port == desk.id().as_str());
}

#[tokio::test]
async fn a_port_that_sends_to_itself_ends_the_sample() {
    let node = Node::local().unwrap();
    let first = sampled(&node, node.id().as_str(), 0).await;
    let book = node.port(Book { again: true });
    book.enter("soup".into());
    let mut spans = Vec::new();
    while spans.len() < 4 {
        tokio::task::yield_now().await;
        spans = sampled(&node, node.id().as_str(), first.next).await.spans;
    }
    sleep(Duration::from_millis(5)).await;
    // The question that has found them may be the next second's.
    let now = sampled(&node, node.id().as_str(), first.next).await.spans;
    let first_four: Vec<_> = now.iter().take(4).collect();
    for pair in first_four.windows(2) {
        assert_eq!(
            pair[1].link,
            Some((pair[0].trace.clone(), pair[0].span.clone()))
        );
    }
    assert!(
        now.get(4).is_none_or(|span| span.link.is_none()),
        "{now:#?}"
    );
    book.kill("enough");
}

/// Nodes without questions send the same as before, to the byte, and take contexts.
#[tokio::test]
async fn nobody_pays_while_nobody_looks() {
    let node = start(listening("a")).await;
    let mut raw = Raw::login_saying(&node, "raw", ";trace=1").await;
    let to = PortId::new(&NodeId::new("raw").unwrap(), "p");
    let relay = node.untyped(move |cx: &mut Cx<'_>, _: Args| {
        snd!(cx.node(), to, "heard");
    });
    snd!(node, relay.id(), "go");
    assert_eq!(raw.packet().await, json!(["p", "heard"]));
    let id = relay.id();
    let name = id.name();
    // Not even for the contexts of a peer.
    raw.send(format!(
        r#"["","Aemp::traced","{PARENT}","aemp=3","call","{name}","go"]"#
    ))
    .await;
    assert_eq!(raw.packet().await, json!(["p", "heard"]));
    sampled(&node, "a", 0).await;
    snd!(node, relay.id(), "go");
    let packet = raw.packet().await;
    assert_eq!(
        [&packet[1], &packet[3]],
        ["Aemp::traced", "aemp=3"],
        "{packet}"
    );
    snd!(node, relay.id(), "go");
    assert_eq!(raw.packet().await, json!(["p", "heard"]));
}

#[tokio::test]
async fn a_peer_that_invents_contexts_is_bounded() {
    let node = start(listening("a")).await;
    let port = node.untyped(|_: &mut Cx<'_>, _: Args| ());
    let id = port.id();
    let name = id.name();
    sampled(&node, "a", 0).await;
    let mut raw = Raw::login_saying(&node, "raw", ";trace=1").await;
    let tag = "<script>".repeat(1000);
    let one = format!(r#"["","Aemp::traced","{PARENT}","aemp=255","call","{name}","{tag}"]"#);
    for _ in 0..300 {
        raw.send(&one).await;
    }
    let kept = async || sampled(&node, "a", 0).await;
    let lost = async {
        while kept().await.lost < 300 - 256 {
            sleep(Duration::from_millis(5)).await
        }
    };
    // If a second passes meanwhile, there is room for more.
    let _ = tokio::time::timeout(Duration::from_secs(2), lost).await;
    let all = kept().await;
    assert!(
        all.spans.len() <= 300 && all.spans.len() as u64 + all.lost <= 301,
        "{}",
        all.lost
    );
    assert!(all.spans.iter().all(|span| span.handler.len() <= 200));
    assert_eq!(all.spans[0].from.as_deref(), Some("raw"));
}

/// The tracer decides, and the decision that a caller is not sampled travels.
#[tokio::test]
async fn an_unsampled_decision_travels_with_calls() {
    let callee = Recorder::default();
    let far = start(listening("far").tracer(callee.clone())).await;
    let caller = Recorder::without(&[], &["Desk.order"]);
    let seed = far.listeners().remove(0);
    let near = start(listening("near").seed(seed).tracer(caller.clone())).await;
    soon(near.until_up("far")).await;
    soon(far.until_up("near")).await;
    let desk = near.port(Desk {
        kitchen: Some(near.handle(&far.port(Kitchen).id())),
        book: Some(near.handle(&far.port(Book { again: false }).id())),
    });
    sampled(&near, "near", 0).await;
    assert_eq!(desk.order("soup".into()).await.unwrap(), 4);
    until(|| callee.all().len() == 2).await;
    let cook = callee.only("Kitchen.cook");
    let sender = cook.sender.expect("a decision");
    assert!(!sender.is_sampled());
    // The handler of a one-way message is the root of a trace of its own.
    assert_eq!(callee.only("Book.enter").sender, None);
    assert_eq!(sampled(&near, "near", 0).await.spans, []);
}

/// The decision is the flags alone.
#[tokio::test]
async fn an_unsampled_decision_is_short() {
    let recorder = Recorder::without(&[], &["Untyped.go"]);
    let node = start(listening("a").tracer(recorder)).await;
    let mut raw = Raw::login_saying(&node, "raw", ";trace=1").await;
    let to = PortId::parse("raw#p").unwrap();
    let asks = node.clone();
    let asker = node.untyped(move |cx: &mut Cx<'_>, _: Args| {
        let call = asks.cal(&to, aemp::msg!["ask"]);
        cx.then(call, |_: &mut aemp::Untyped, _, _| ());
    });
    snd!(node, asker.id(), "go");
    assert_eq!(raw.packet().await[1], "mon1");
    let asked = raw.packet().await;
    let head: Vec<_> = asked.as_array().unwrap()[..6].to_vec();
    assert_eq!(
        json!(head),
        json!(["", "Aemp::traced", "00", "", "call", "p"])
    );
}
