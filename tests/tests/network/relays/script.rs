//! A client that speaks the protocol, in JSON: it is reached by way of its master as well.

use serde_json::{Value as Json, json};

use super::{known, private};
use crate::{
    common::{Inbox, SECRET, soon, watch},
    nodes::{listening, start},
    raw::{Raw, hex_secret},
};

/// The next request of a relay of that kind. Its other requests are skipped.
async fn next(raw: &mut Raw, kind: &str) -> Json {
    loop {
        let packet = raw.packet().await;
        if packet[1] == "Aemp::relayed" && packet[2] == kind {
            return packet;
        }
    }
}

/// The octets that a relay passes on from the other end, as lines and packets.
struct Tunnel {
    session: Json,
    text: String,
}

impl Tunnel {
    /// Waits for a session.
    async fn accept(raw: &mut Raw) -> Self {
        let open = next(raw, "open").await;
        let (session, text) = (open[3].clone(), String::new());
        Self { session, text }
    }

    async fn send(&self, raw: &mut Raw, octets: &str) {
        let packet = json!(["", "Aemp::relay", "data", self.session, octets]);
        raw.send(packet.to_string()).await;
    }

    async fn more(&mut self, raw: &mut Raw) {
        let packet = raw.packet().await;
        assert_eq!(packet[1], "Aemp::relayed", "{packet}");
        assert_eq!(
            (&packet[2], &packet[3]),
            (&json!("data"), &self.session),
            "{packet}"
        );
        self.text += packet[4].as_str().unwrap();
    }

    async fn line(&mut self, raw: &mut Raw) -> String {
        loop {
            if let Some((line, rest)) = self.text.split_once('\n') {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.text = rest;
                return line;
            }
            self.more(raw).await;
        }
    }

    async fn packet(&mut self, raw: &mut Raw) -> Json {
        loop {
            let mut packets = serde_json::Deserializer::from_str(&self.text).into_iter::<Json>();
            if let Some(Ok(packet)) = packets.next() {
                self.text.drain(..packets.byte_offset());
                return packet;
            }
            self.more(raw).await;
        }
    }
}

#[tokio::test]
async fn a_script_is_reached_and_answers() {
    let g = start(listening("g").global(true)).await;
    let mut raw = Raw::login_saying(&g, "script", ";relay=1").await;
    raw.send(r#"["","g_slave",{"'l":{"script":[]}}]"#).await;
    let b = start(private("b", &g)).await;
    known(&[&b], 3).await;

    let mut inbox = Inbox::new(&b);
    let port = "script#port".parse().unwrap();
    let died = watch(&b, &port);
    b.snd(&port, aemp::args!["hello"]);
    let mut tunnel = Tunnel::accept(&mut raw).await;
    let secret = hex_secret();
    let lines = format!("aemp;1;script;hmac_sha3_512;json\nnonce\ncleartext;{secret};json\n");
    tunnel.send(&mut raw, &lines).await;
    let greeting = tunnel.line(&mut raw).await;
    assert!(greeting.starts_with("aemp;1;b;"), "{greeting}");
    tunnel.line(&mut raw).await;
    let proof = tunnel.line(&mut raw).await;
    assert!(
        proof.starts_with("hmac_sha3_512;") && !proof.contains(SECRET),
        "{proof}"
    );
    assert_eq!(tunnel.packet(&mut raw).await, json!(["", "mon1", "port"]));
    assert_eq!(tunnel.packet(&mut raw).await, json!(["port", "hello"]));

    let name = inbox.id.name().to_owned();
    tunnel
        .send(&mut raw, &json!([name, "answer"]).to_string())
        .await;
    assert_eq!(inbox.next().await, aemp::args!["answer"]);
    tunnel
        .send(&mut raw, &json!(["", "kil0", "port", "done"]).to_string())
        .await;
    assert_eq!(died.await.to_string(), "done");
}

#[tokio::test]
async fn nonsense_of_an_end_costs_its_session_only() {
    let g = start(listening("g").global(true)).await;
    let mut raw = Raw::login_saying(&g, "script", ";relay=1").await;
    raw.send(r#"["","g_slave",{"'l":{"script":[]}}]"#).await;
    let b = start(private("b", &g)).await;
    known(&[&b], 3).await;
    let port: aemp::PortId = "script#port".parse().unwrap();

    for nonsense in [
        r#"["","Aemp::relay","data",SESSION,null]"#,
        r#"["","Aemp::relay","room",SESSION,1000000]"#,
        r#"["","Aemp::relay","data",SESSION,"no greeting\nat\nall\n"]"#,
    ] {
        let died = watch(&b, &port);
        let tunnel = Tunnel::accept(&mut raw).await;
        raw.send(nonsense.replace("SESSION", &tunnel.session.to_string()))
            .await;
        let reason = died.await.to_string();
        assert!(reason.starts_with("transport_error script"), "{reason}");
        assert_eq!(
            (b.node_is_up("g"), g.node_is_up("script")),
            (Some(true), Some(true))
        );
    }
    for nonsense in [
        r#"["","Aemp::relay"]"#,
        r#"["","Aemp::relay","data",77,"x"]"#,
        r#"["","Aemp::relay","open","x"]"#,
        r#"["","Aemp::relayed","open",1,"b"]"#,
        r#"["","Aemp::relayed","opened",1,1]"#,
    ] {
        raw.send(nonsense).await;
    }
    raw.send(r#"["","Aemp::relay","open",5,"nobody"]"#).await;
    let refused = next(&mut raw, "refused").await;
    assert_eq!(refused[3], 5);
    soon(g.until_up("script")).await;
}
