//! The minimal foreign client: three lines (`aemp_proto::protocol::handshake`, "The smallest client").

use aemp::{PortId, cal, msg, snd};
use serde_json::json;

use crate::{
    common::{Inbox, soon, watch},
    logs::Logs,
    nodes::{counter, listening, start},
    raw::{Raw, hex_secret},
};

#[tokio::test]
async fn three_lines_and_it_is_a_node() {
    let a = start(listening("a")).await;
    let counter = a.port(counter(5)).id();
    let mut raw = Raw::login(&a, "raw").await;
    raw.send(format!(
        r#"["{0}","inc",2]["{0}","get","raw#reply"]"#,
        counter.name()
    ))
    .await;
    assert_eq!(raw.packet().await, json!(["reply", 7]));
    raw.send(r#"["","AnyEvent::MP::_spawn","mine","Net::counter","1"]["mine","get","raw#r"]"#)
        .await;
    assert_eq!(raw.packet().await, json!(["r", 1]));
    raw.send(r#"["","mon1","mine"]["","kil1","mine","done",[1]]"#)
        .await;
    assert_eq!(raw.packet().await, json!(["", "kil0", "mine", "done", [1]]));
    let port = PortId::parse("raw#p").unwrap();
    let call = tokio::spawn({
        let a = a.clone();
        async move { cal!(a, port, "ask", 1).await }
    });
    assert_eq!(raw.packet().await, json!(["", "mon1", "p"]));
    let ask = raw.packet().await;
    let reply = ask[3].as_str().unwrap().strip_prefix("a#").unwrap();
    raw.send(json!([reply, "answer"]).to_string()).await;
    assert_eq!(soon(call).await.unwrap().unwrap(), msg!["answer"]);
}

#[tokio::test]
async fn everything_in_one_segment_with_carriage_returns_and_no_nonce() {
    let a = start(listening("a")).await;
    let mut inbox = Inbox::new(&a);
    let mut raw = Raw::connect(&a).await;
    let (secret, name) = (hex_secret(), inbox.id.name());
    let hello = "aemp;1;raw;hmac_sha3_512;json\r\n\r\n";
    raw.send(format!(
        "{hello}cleartext;{secret};json\r\n [\"{name}\",1]\n[\"{name}\",2]"
    ))
    .await;
    assert_eq!(inbox.next().await, msg![1]);
    assert_eq!(inbox.next().await, msg![2]);
}

#[tokio::test]
async fn byte_by_byte() {
    let a = start(listening("a")).await;
    let mut inbox = Inbox::new(&a);
    let mut raw = Raw::connect(&a).await;
    let (secret, name) = (hex_secret(), inbox.id.name().to_owned());
    let all = format!(
        "aemp;1;raw;hmac_sha3_512;json\nn\ncleartext;{secret};json\n[\"{name}\",\"x\\u00e4y\"]"
    );
    for byte in all.bytes() {
        raw.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(inbox.next().await, msg!["x\u{e4}y"]);
}

#[tokio::test]
async fn the_greeting_names_node_methods_and_formats() {
    let a = start(listening("a")).await;
    let mut raw = Raw::connect(&a).await;
    let greeting = raw.line().await;
    let fields: Vec<_> = greeting.split(';').collect();
    assert_eq!(fields[..3], ["aemp", "1", "a"]);
    assert_eq!(fields[3], "tls_sha3_512,hmac_sha3_512,tls_anon,cleartext");
    assert!(
        fields[4].split(',').any(|format| format == "json"),
        "{greeting}"
    );
    assert!(
        fields[5..]
            .iter()
            .any(|pair| pair.starts_with("provider=aemp-rs-"))
    );
    assert!(
        fields[5..]
            .iter()
            .any(|pair| pair.starts_with("peeraddr=127.0.0.1:"))
    );
    assert!(fields[5..].contains(&"mproto=1") && fields[5..].contains(&"gproto=1"));
    assert!(raw.line().await.len() >= 32, "the nonce is short");
}

#[tokio::test]
async fn clear_text_may_be_refused() {
    let logs = Logs::catch();
    let a = start(listening("a").accept_cleartext(false)).await;
    let mut raw = Raw::connect(&a).await;
    assert!(!raw.line().await.contains("cleartext"));
    let secret = hex_secret();
    raw.send(format!(
        "aemp;1;raw;hmac_sha3_512;json\nnonce\ncleartext;{secret};json\n"
    ))
    .await;
    raw.closed().await;
    logs.warned("cleartext: fatal, selected unsupported rcv auth method")
        .await;
    // Others prove themselves as ever.
    let b = start(listening("b").seed(crate::nodes::address(&a))).await;
    soon(b.until_up("a")).await;
    let mut inbox = Inbox::new(&b);
    soon(a.until_up("b")).await;
    snd!(a, inbox.id, "on");
    assert_eq!(inbox.next().await, msg!["on"]);
    let nobody = watch(&a, &PortId::parse("raw").unwrap()).await;
    assert_eq!(nobody.kind(), "transport_error");
}
