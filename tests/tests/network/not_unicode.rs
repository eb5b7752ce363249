//! Text that is no Unicode, as Perl can send it: in every format it costs the port that it is for, and not the connection.

use aemp::{Args, CallError, Node, Reason, cal, msg, port};
use aemp_codec::{Format, Limits, PacketReader, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    common::{Inbox, soon, watch},
    logs::Logs,
    nodes::{counter, listening, start},
    raw::Raw,
};

/// The place of half a surrogate pair in a packet, with the same number of octets.
const HALF: &str = "XYZ";
const SURROGATE: &[u8] = b"\xed\xa0\x80";
const TEXT: &str = "text that is not Unicode";

#[derive(Serialize, Deserialize)]
struct Card {
    name: String,
}

struct Clerk;

#[port]
impl Clerk {
    #[rcv]
    fn text(&mut self, _text: String) {}

    #[rcv]
    fn card(&mut self, _card: Card) {}

    #[rcv]
    fn rest(&mut self, _first: i64, #[rest] _rest: Args) {}

    #[rcv]
    fn values(&mut self, _values: Value) {}
}

/// A client that writes one of the formats.
struct Speaker {
    raw: Raw,
    format: Format,
}

impl Speaker {
    async fn login(node: &Node, format: Format) -> Self {
        let raw = Raw::login_writing(node, "raw", format.name()).await;
        Self { raw, format }
    }

    /// Sends a packet with octets that are no Unicode in the place of each [`HALF`].
    async fn send(&mut self, packet: &[Value]) {
        let mut bytes = Vec::new();
        let mut writer = self.format.writer(&mut bytes, Limits::default());
        for value in packet {
            writer.value(value).expect("a value");
        }
        writer.finish().expect("a packet");
        self.raw.send(spoil(&bytes)).await;
    }
}

fn spoil(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while let Some(at) = bytes.windows(3).position(|part| part == HALF.as_bytes()) {
        bytes[at..at + 3].copy_from_slice(SURROGATE);
    }
    bytes
}

fn map(key: &str, value: &str) -> Value {
    Value::Map([(key, value)].into_iter().collect())
}

#[tokio::test]
async fn only_the_receiving_port_dies_of_it() {
    for format in Format::built_in() {
        let node = start(listening("a")).await;
        let mut speaker = Speaker::login(&node, format).await;
        let name = speaker.format.name().to_owned();
        let messages = [
            msg!["text", HALF],
            msg!["card", map("name", HALF)],
            msg!["card", map(HALF, "somebody")],
            msg!["rest", 1, HALF],
            msg!["rest", 1, 2, vec![map(HALF, "x")]],
            msg!["values", vec![vec![Value::from(HALF)]]],
            msg![HALF, 1],
        ];
        for message in messages {
            let port = node.port(Clerk).id();
            let untyped = Inbox::new(&node);
            for port in [&port, &untyped.id] {
                speaker.send(&msg!["", "mon1", port.name()]).await;
                let mut packet = msg![port.name()];
                packet.extend(message.clone());
                speaker.send(&packet).await;
                let death = speaker.raw.packet().await;
                let expected = json!(["", "kil0", port.name(), "die", death[4]]);
                assert_eq!(death, expected, "{name}: {message:?}");
                let text = death[4].as_str().expect("a text");
                assert!(text.ends_with(TEXT), "{name}: {message:?}: {text}");
            }
        }
        // A name that no port can have reaches none.
        speaker.send(&msg![HALF, "x"]).await;
        let mut inbox = Inbox::new(&node);
        speaker.send(&msg![inbox.id.name(), "after"]).await;
        assert_eq!(inbox.next().await, msg!["after"], "{name}");
    }
}

#[tokio::test]
async fn requests_with_it_are_dropped_and_logged() {
    for format in Format::built_in() {
        let logs = Logs::catch();
        let node = start(listening("a")).await;
        let mut speaker = Speaker::login(&node, format).await;
        for (request, why) in [
            (msg!["", HALF], "the request's name is not text"),
            (msg!["", "mon1", HALF], "mon1: the port is not text"),
            (msg!["", "snd", "a#p", HALF], "snd: argument 1: "),
            (msg!["", "g_set", map("f", HALF)], "g_set: argument 1: "),
        ] {
            speaker.send(&request).await;
            let line = format!("node port: request from raw: {why}");
            logs.warned(&line).await;
        }
        let mut inbox = Inbox::new(&node);
        speaker.send(&msg![inbox.id.name(), "after"]).await;
        assert_eq!(inbox.next().await, msg!["after"]);
    }
}

/// Monitors and calls end all the same, although not with the text that the other node has sent.
#[tokio::test]
async fn reasons_and_answers_with_it_are_heard() {
    for format in Format::built_in() {
        let node = start(listening("a")).await;
        let mut speaker = Speaker::login(&node, format).await;
        let far = aemp::PortId::parse("raw#port").expect("a port ID");
        let died = watch(&node, &far);
        speaker.raw.packet().await;
        speaker.send(&msg!["", "kil0", "port", "why", HALF]).await;
        let text = format!("kil0: the reason cannot be told: argument 2: {TEXT}");
        assert_eq!(died.await, Reason::die(&text));

        let victim = node.port(counter(0)).id();
        let died = watch(&node, &victim);
        speaker.send(&msg!["", "kil1", victim.name(), HALF]).await;
        let text = format!("kil1: the reason cannot be told: argument 1: {TEXT}");
        assert_eq!(died.await, Reason::die(&text));

        let (caller, asked) = (node.clone(), far.clone());
        let call = tokio::spawn(async move { cal!(caller, asked, "what").await });
        let reply = loop {
            let packet = speaker.raw.packet().await;
            if packet[0] == "port" {
                break packet[2].as_str().expect("a reply port").to_owned();
            }
        };
        let reply = reply.split_once('#').expect("a port ID").1;
        speaker.send(&msg![reply, HALF]).await;
        match soon(call).await.expect("no panic") {
            Err(CallError::Answer(error)) => assert!(error.is_not_unicode(), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

/// JSON can also say it in escapes.
#[tokio::test]
async fn as_an_escape() {
    let node = start(listening("a")).await;
    let mut raw = Raw::login(&node, "raw").await;
    for text in [r"\ud800", r"x\udfff", r"\ud83d\ud83d", r"\ud83dx"] {
        let port = node.port(Clerk).id();
        let name = port.name();
        let bytes = format!(r#"["","mon1","{name}"]["{name}","text","{text}"]"#);
        raw.send(bytes).await;
        let why = format!("text: argument 1 (`text`): {TEXT}");
        assert_eq!(raw.packet().await, json!(["", "kil0", name, "die", why]));
    }
}

/// A value that the receiver skips need not be Unicode.
#[test]
fn receivers_that_skip_it_do_not_notice() {
    for format in Format::built_in() {
        let mut bytes = Vec::new();
        let mut writer = format.writer(&mut bytes, Limits::default());
        writer.value(&map(HALF, HALF)).expect("a value");
        writer.str("after").expect("a text");
        writer.finish().expect("a packet");
        let bytes = spoil(&bytes);
        let mut packet: PacketReader<'_> =
            format.reader(&bytes, Limits::default()).expect("a packet");
        assert_eq!(packet.skip(), Ok(true));
        assert_eq!(packet.text().expect("text").as_deref(), Some("after"));
    }
}
