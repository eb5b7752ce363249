//! Two Rust nodes over loopback, over each pair of lists of formats.
//!
//! Cargo unites features over the workspace, so the nodes of the tests speak everything that all features together
//! offer. A test that depends on the preferred format must name its formats.

use aemp::{Map, Node, Value, msg};

use crate::{
    common::{Inbox, soon},
    nodes::{address, listening, start},
};

/// Everything that a value can be, so that it would show if the two ends did not mean the same format.
fn everything() -> Vec<Value> {
    let map: Map = [("k", Value::from(vec![1, 2])), ("", Value::Null)]
        .into_iter()
        .collect();
    vec![
        true.into(),
        (-5).into(),
        u64::MAX.into(),
        0.1.into(),
        "t\u{20ac}xt".into(),
        Value::bytes([0, 0xe4, 0xff]),
        Value::Map(map),
        "x".repeat(70_000).into(),
    ]
}

/// Sends a value of each kind, and waits for values that are equal, or that Perl could not tell apart.
async fn carries(from: &Node, inbox: &mut Inbox) {
    let mut message = msg!["all"];
    message.extend(everything());
    from.snd(&inbox.id, message.clone());
    let arrived = inbox.next().await;
    assert!(
        Value::Array(arrived.clone()).loose_eq(&Value::Array(message)),
        "{arrived:?}"
    );
}

#[tokio::test]
async fn each_direction_has_its_own_format() {
    for (a, b, to_b, to_a) in [
        (None, None, "postcard/1", "postcard/1"),
        (None, Some(&["json"][..]), "json", "json"),
        (None, Some(&["cbor", "postcard/1"]), "cbor", "postcard/1"),
        (
            Some(&["json", "cbor", "postcard/1"][..]),
            None,
            "postcard/1",
            "json",
        ),
        (
            Some(&["postcard/2", "cbor"]),
            Some(&["postcard/1", "cbor"]),
            "cbor",
            "cbor",
        ),
    ] {
        let node = |id: &str, formats: Option<&[&str]>| match formats {
            Some(names) => listening(id).framing_format(names.iter().copied()),
            None => listening(id),
        };
        let a = start(node("a", a)).await;
        let b = start(node("b", b).seed(address(&a))).await;
        soon(a.until_up("b")).await;
        soon(b.until_up("a")).await;
        assert_eq!(a.node_format("b").as_deref(), Some(to_b));
        assert_eq!(b.node_format("a").as_deref(), Some(to_a));
        let (mut at_a, mut at_b) = (Inbox::new(&a), Inbox::new(&b));
        carries(&a, &mut at_b).await;
        carries(&b, &mut at_a).await;
        let told = soon(b.inspect("a").connections()).await.unwrap();
        let end = &told.connections[0];
        assert_eq!(end.format_out.as_deref(), Some(to_b));
        assert_eq!(end.format_in.as_deref(), Some(to_a));
    }
}

/// A node that knows its formats by name only says which there are.
#[tokio::test]
async fn formats_that_are_unknown_to_all_are_an_error() {
    let result = listening("a").framing_format(["postcard", "morse"]).start();
    let text = result.await.expect_err("no format is left").to_string();
    assert!(text.contains("(postcard, morse)"), "{text}");
    assert!(
        text.contains("the known formats are postcard/1, cbor, json"),
        "{text}"
    );
}
