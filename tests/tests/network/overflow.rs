//! More is queued for a node than may be.

use aemp::{PortId, msg, snd};

use crate::{
    common::{Inbox, soon, watch},
    nodes::{address, listening, start},
    raw::Raw,
};

const TEXT: &str = "more than 65536 bytes queued";

#[tokio::test]
async fn a_connection_that_takes_too_little_is_given_up() {
    let a = start(listening("a").max_queue_bytes(65_536)).await;
    let raw = Raw::login(&a, "raw").await;
    let other = start(listening("other").seed(address(&a))).await;
    soon(a.until_up("other")).await;
    let port = PortId::parse("raw#p").unwrap();
    let deaths = [watch(&a, &port), watch(&a, &PortId::parse("raw").unwrap())];
    let text = "x".repeat(1000);
    for _ in 0..100 {
        snd!(a, port, &text);
    }
    for death in deaths {
        let reason = death.await.into_values();
        assert_eq!(reason, msg!["transport_error", "raw", TEXT]);
    }
    // The other end sees an ordinary end, and whole packets up to it.
    raw.closed().await;
    let mut inbox = Inbox::new(&other);
    snd!(a, inbox.id, "others go on");
    assert_eq!(inbox.next().await, msg!["others go on"]);
    let mut raw = Raw::login(&a, "raw").await;
    snd!(a, port, "again");
    assert_eq!(raw.packet().await, serde_json::json!(["p", "again"]));
}

#[tokio::test]
async fn a_node_that_is_not_connected_yet_is_given_up() {
    let a = start(listening("a").max_queue_bytes(65_536)).await;
    let port = PortId::parse("b#p").unwrap();
    let death = watch(&a, &port);
    let text = "x".repeat(1000);
    for _ in 0..100 {
        snd!(a, port, &text);
    }
    assert_eq!(
        death.await.into_values(),
        msg!["transport_error", "b", TEXT]
    );
}

/// Who waits for room overflows nothing.
#[tokio::test]
async fn senders_that_wait_for_room_lose_nothing() {
    let a = start(listening("a").max_queue_bytes(65_536)).await;
    let b = start(listening("b").seed(address(&a))).await;
    soon(a.until_up("b")).await;
    let mut inbox = Inbox::new(&b);
    let far: crate::nodes::NotesRef = a.handle(&inbox.id);
    let text = "x".repeat(1000);
    for _ in 0..1000 {
        let sent = far.send(crate::nodes::NotesMsg::Note(text.clone()));
        soon(sent).await.unwrap();
    }
    for _ in 0..1000 {
        assert_eq!(inbox.next().await, msg!["note", &text]);
    }
}
