//! Much at once, and names and values that a Rust node would not choose.

use aemp::{Node, PortId, msg, snd};
use serde_json::{Map, Value as Json, json};

use crate::{
    common::{Inbox, SECRET, soon},
    perl::{self, Perl},
    rust,
    rust_db::{Told, until_family},
};

/// Between Perl nodes everything passes through a Rust one that Perl lets pass.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn odd_names_and_values_between_perl_nodes() {
    if !perl::is_there() {
        return;
    }
    let node = rust().start().await.unwrap();
    let mut perl = Perl::start_global("perl", &node.listeners()).await.unwrap();
    let mut a = Perl::start("a", &node.listeners()).await.unwrap();
    let mut b = Perl::start("b", &node.listeners()).await.unwrap();
    let odd = json!({
        " ": 1.5,
        "a\u{0}b\"\\": -9_007_199_254_740_993_i64,
        "\u{1f600}#'l": u64::MAX,
        "deep": [[[{"x": {"": [null, true, false]}}]]],
        "text": "\u{0}\u{7f}\u{80}\u{ff}\u{2028}",
        "empty": {},
        "list": [],
        "none": null,
    });
    for family in ["fam", "my-own family!", "'own", "\u{e4}"] {
        for (key, value) in odd.as_object().unwrap() {
            a.set(family, key, value);
        }
        for one in [&mut a, &mut b, &mut perl] {
            one.until_family(family, &odd).await;
        }
    }
    b.watch("mon", "my-own family!");
    b.until_told("mon", &odd).await;
    a.kill();
    b.until_told("mon", &json!({})).await;
    perl.until_family("fam", &json!({})).await;
}

fn many(count: usize, value: &str) -> Json {
    let entry = |n: usize| (format!("key {n}"), json!(format!("{value} {n}")));
    Json::Object(Map::from_iter((0..count).map(entry)))
}

/// Thousands of changes in a burst, which Rust gathers and Perl does not, are all there in the end.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn bursts() {
    const COUNT: usize = 5000;
    if !perl::is_there() {
        return;
    }
    let mut perl = Perl::start_global("perl", &[]).await.unwrap();
    let node = rust().seed(&perl.address).start().await.unwrap();
    soon(node.until_up("perl")).await;
    let mut friend = Perl::start("friend", &node.listeners()).await.unwrap();
    let told = Told::new(&node, "fam");
    for round in ["first", "second"] {
        let all = many(COUNT, round);
        for (key, value) in all.as_object().unwrap() {
            node.db_set("fam", key, value).unwrap();
        }
        perl.until_family("fam", &all).await;
        friend.until_family("fam", &all).await;
        told.until(&all).await;
    }
    let keys = many(COUNT, "");
    let keys = keys.as_object().unwrap().keys();
    node.db_del("fam", keys).unwrap();
    friend.until_family("fam", &json!({})).await;
    let theirs = many(COUNT, "theirs");
    for (key, value) in theirs.as_object().unwrap() {
        friend.set("fam", key, value);
    }
    told.until(&theirs).await;
    perl.until_family("fam", &theirs).await;
    friend.kill();
    told.until(&json!({})).await;
    until_family(&node, "fam", &json!({})).await;
}

/// A node without listeners is heard where it has connected to, and cannot be reached by others.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_client_without_listeners() {
    if !perl::is_there() {
        return;
    }
    let mut perl = Perl::start_global("perl", &[]).await.unwrap();
    let mut other = Perl::start("other", std::slice::from_ref(&perl.address))
        .await
        .unwrap();
    let node = Node::builder().node_id("client").secret(SECRET);
    let node = node.seed(&perl.address).start().await.unwrap();
    assert!(node.listeners().is_empty());
    node.db_set("fam", "k", "v").unwrap();
    other.until_family("fam", &json!({"k": "v"})).await;
    let mut inbox = Inbox::new(&node);
    perl.order(&json!(["snd", inbox.id.as_str(), "hello"]));
    assert_eq!(inbox.next().await, msg!["hello"]);
    let died = other.ask(json!(["mon", inbox.id.as_str()]), "died").await;
    assert_eq!(died[3], "no known address");
    // A message to the other node connects the two, so that the other can answer.
    let far = PortId::parse(&other.inbox().await).unwrap();
    snd!(node, far, "hello");
    other.expect("got").await;
    other.order(&json!(["snd", inbox.id.as_str(), "back"]));
    assert_eq!(inbox.next().await, msg!["back"]);
}
