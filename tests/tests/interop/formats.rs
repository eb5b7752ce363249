//! The same values in every format that both sides have, in each direction by itself.

use aemp::{Map, Node, PortId, Value, args, cal, msg, snd};
use serde_json::json;

use crate::{
    common::{Inbox, soon},
    perl::Perl,
    rust,
};

/// The formats that Perl and we offer, and those in which Perl and we write then.
const PAIRS: [(&str, &[&str], &str, &str); 5] = [
    ("cbor,json,storable", &["cbor", "json"], "cbor", "cbor"),
    ("json", &["cbor", "json"], "json", "json"),
    ("cbor", &["json", "cbor"], "cbor", "cbor"),
    ("storable,json,cbor", &["cbor", "json"], "cbor", "json"),
    ("cbor,json", &["json", "cbor"], "json", "cbor"),
];

async fn pair(theirs: &str, ours: &[&str]) -> Option<(Node, Perl)> {
    let node = rust()
        .framing_format(ours.iter().copied())
        .start()
        .await
        .unwrap();
    let perl = Perl::start_speaking("perl", &node.listeners(), theirs).await?;
    soon(node.until_up("perl")).await;
    Some((node, perl))
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn each_end_writes_the_receivers_favourite_format() {
    for (theirs, ours, perl_writes, we_write) in PAIRS {
        let Some((node, _perl)) = pair(theirs, ours).await else {
            return;
        };
        let seen = soon(node.inspect("rust").connections()).await.unwrap();
        let line = &seen.connections[0];
        let formats = (line.format_in.as_deref(), line.format_out.as_deref());
        assert_eq!(
            formats,
            (Some(perl_writes), Some(we_write)),
            "{theirs} {ours:?}"
        );
    }
}

fn values() -> Vec<Value> {
    let map = Map::from_iter([
        ("key".to_owned(), Value::Array(msg![(), 1.5, "x"])),
        ("\u{20ac}".to_owned(), Value::Map(Map::new())),
        (String::new(), 7.into()),
    ]);
    let mut values = msg![
        (),
        true,
        false,
        0,
        -1,
        -24,
        -25,
        65_536,
        -9_007_199_254_740_993_i64,
        i64::MAX,
        u64::MAX,
        0.1,
        -5.5,
        1e100,
        4_294_967_296.0,
        "",
        "abc",
        "7",
        "\u{e4}\u{20ac}\u{1f600}\0\n\"",
        "x".repeat(70_000),
        map,
        Value::Array(vec![]),
    ];
    values.push((0..30).map(Value::from).collect());
    values
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn values_come_back_as_they_were_sent() {
    for (theirs, ours, ..) in PAIRS {
        let Some((node, _perl)) = pair(theirs, ours).await else {
            return;
        };
        let echo = node.spawn("perl", "Peer::echo", args![]);
        for value in values() {
            let back = soon(cal!(node, echo, value.clone())).await.unwrap();
            // Perl's JSON has fifteen digits for floats.
            assert!(
                back[0].loose_eq(&value),
                "{theirs} {ours:?}: {value} {}",
                back[0]
            );
        }
        let many: Vec<Value> = (0..300).map(Value::from).collect();
        let back = soon(node.cal(&echo, many.clone())).await.unwrap();
        assert_eq!(back, many);
    }
}

/// Octets are octets to Perl, whichever way they travel; in CBOR they are to us, too.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn octets() {
    let octets: Vec<u8> = (0..=255).collect();
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    for (theirs, ours, perl_writes, _) in PAIRS {
        let Some((node, _perl)) = pair(theirs, ours).await else {
            return;
        };
        let port = node.spawn("perl", "Peer::octets", args![]);
        let seen = soon(cal!(node, port, "look", Value::bytes(octets.clone())))
            .await
            .unwrap();
        assert_eq!(
            (seen[0].as_i64(), seen[1].as_str()),
            (Some(256), Some(&*digits)),
            "{theirs}"
        );
        let made = soon(cal!(node, port, "make", digits.as_str()))
            .await
            .unwrap();
        assert_eq!(made[0].as_bytes().as_deref(), Some(&*octets), "{theirs}");
        let is_bytes = matches!(made[0], Value::Bytes(_));
        assert_eq!(is_bytes, perl_writes == "cbor", "{theirs}");
    }
}

/// Port names, tags and keys in Perl's two kinds of strings, and as numbers.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn values_that_perl_sends_unprompted() {
    for (theirs, ours, ..) in PAIRS {
        let Some((node, mut perl)) = pair(theirs, ours).await else {
            return;
        };
        let mut inbox = Inbox::new(&node);
        let sent = json!(["n\u{f6}", "\u{20ac}", {"k\u{e4}": [null, 1, "1"]}, 5, "x"]);
        let mut order = vec![json!("snd"), json!(inbox.id.as_str())];
        order.extend(sent.as_array().unwrap().iter().cloned());
        perl.order(&order.into());
        let got = Value::Array(inbox.next().await);
        assert_eq!(got.to_string(), sent.to_string(), "{theirs} {ours:?}");
        perl.order(&json!(["raw", "rust", [inbox.id.name(), 1]]));
        assert_eq!(inbox.next().await, msg![1]);
        let port = PortId::parse(&perl.inbox().await).unwrap();
        snd!(node, port, "tag", 1.0);
        assert_eq!(perl.expect("got").await[1..], [json!("tag"), json!(1)]);
    }
}
