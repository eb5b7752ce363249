//! Mistakes of an authenticated peer: at worst it ends its own connection.

use aemp::{Node, msg, snd};
use serde_json::{Value as Json, json};

use crate::{
    common::{Inbox, soon},
    logs::Logs,
    nodes::{address, counter, listening, start},
    raw::Raw,
};

struct Scene {
    logs: Logs,
    node: Node,
    neighbour: Node,
}

impl Scene {
    async fn new() -> Self {
        let logs = Logs::catch();
        let node = start(listening("a")).await;
        let neighbour = start(listening("b").seed(address(&node))).await;
        soon(node.until_up("b")).await;
        Self {
            logs,
            node,
            neighbour,
        }
    }

    /// These bytes end the connection, after all earlier packets have been delivered; the log has the reason.
    async fn ends(&self, bytes: impl AsRef<[u8]>, why: &str) {
        let mut inbox = Inbox::new(&self.node);
        let mut raw = Raw::login(&self.node, "raw").await;
        raw.send(format!(r#"["{}","before"]"#, inbox.id.name()))
            .await;
        assert_eq!(inbox.next().await, msg!["before"]);
        raw.try_send(&bytes).await;
        // Seen only if the test fails.
        println!("sent: {}", String::from_utf8_lossy(bytes.as_ref()));
        raw.closed().await;
        self.logs
            .warned(&format!("raw: malformed packet{why}"))
            .await;
        self.goes_on().await;
    }

    /// These bytes do nothing.
    async fn ignored(&self, bytes: impl AsRef<[u8]>) {
        let mut inbox = Inbox::new(&self.node);
        let mut raw = Raw::login(&self.node, "raw").await;
        raw.send(bytes).await;
        raw.send(format!(r#"["{}","after"]"#, inbox.id.name()))
            .await;
        assert_eq!(inbox.next().await, msg!["after"]);
        let down = crate::common::watch(&self.node, &aemp::PortId::parse("raw").unwrap());
        drop(raw);
        down.await;
        self.goes_on().await;
    }

    async fn goes_on(&self) {
        let mut inbox = Inbox::new(&self.node);
        snd!(self.neighbour, inbox.id, "undisturbed");
        assert_eq!(inbox.next().await, msg!["undisturbed"]);
        assert!(self.logs.find("b is down").is_none());
    }
}

#[tokio::test]
async fn no_array() {
    let scene = Scene::new().await;
    scene
        .ends(r#"{"a":1}"#, ": a packet must be an array")
        .await;
    scene.ends("42", ": a packet must be an array").await;
    scene.ends("hello", ": a packet must be an array").await;
}

#[tokio::test]
async fn nested_10_000_deep() {
    let scene = Scene::new().await;
    scene
        .ends(
            format!(r#"["p",{}"#, "[".repeat(10_000)),
            ": a packet is nested deeper than 512 levels",
        )
        .await;
    let complete = format!(r#"["p",{}{}]"#, r#"{"x":"#.repeat(600), "}".repeat(600));
    scene
        .ends(complete, ": a packet is nested deeper than 512 levels")
        .await;
}

#[tokio::test]
async fn cut_off() {
    let scene = Scene::new().await;
    let mut inbox = Inbox::new(&scene.node);
    let mut raw = Raw::login(&scene.node, "raw").await;
    let name = inbox.id.name();
    raw.send(format!(r#"["{name}","whole"]["{name}","cut o"#))
        .await;
    let down = crate::common::watch(&scene.node, &aemp::PortId::parse("raw").unwrap());
    assert_eq!(inbox.next().await, msg!["whole"]);
    drop(raw);
    assert_eq!(
        down.await.to_string(),
        "transport_error raw Unexpected end-of-file"
    );
    scene
        .logs
        .expect("raw is down (transport_error raw Unexpected end-of-file).")
        .await;
    scene.goes_on().await;
}

#[tokio::test]
async fn not_json() {
    let scene = Scene::new().await;
    let inbox = Inbox::new(&scene.node);
    let name = inbox.id.name().as_bytes();
    let to_somebody = [b"[\"", name, b"\",\"\xff\xfe\n\"]"].concat();
    scene
        .ends(to_somebody, ": control character in a string")
        .await;
    scene
        .ends(b"[\"nobody\",\xff]", ": unexpected character")
        .await;
    scene.ends(b"[\"nobody\",\"\xff\" 1]", " at byte").await;
    scene.ends(r#"["nobody",nonsense]"#, " at byte").await;
    scene.ends(r#"["nobody",1 2]"#, " at byte").await;
    scene.ends(r#"["nobody","\ud800" 1]"#, " at byte").await;
    scene.ends("[\"nobody\",{\"a\"}]", " at byte").await;
    scene.ends(r#"["","devnull","\x"]"#, " at byte").await;
    scene
        .ends(r#"["p"]]"#, ": unexpected character (at byte 0)")
        .await;
}

#[tokio::test]
async fn too_large() {
    let logs = Logs::catch();
    let limits = aemp::Limits::default().with_max_packet(10_000);
    let a = start(listening("a").packet_limits(limits)).await;
    let mut raw = Raw::login(&a, "raw").await;
    raw.try_send(format!(r#"["p","{}"#, "x".repeat(20_000)))
        .await;
    raw.closed().await;
    logs.warned("raw: malformed packet: a packet is larger than 10000 bytes")
        .await;
}

#[tokio::test]
async fn addressed_to_nowhere() {
    let scene = Scene::new().await;
    let nowhere =
        r#"["nobody","x"][]["nobody"][null,"x"][17,"x"][{"a":[1]},"x"][["p"],"x"] [true] "#;
    scene.ignored(nowhere).await;
}

#[tokio::test]
async fn requests_that_make_no_sense() {
    let scene = Scene::new().await;
    let requests = [
        (r#"["","mon1"]"#, "mon1: no port"),
        (r#"["","mon0",["p"]]"#, "mon0: the port is not text"),
        (r#"["","kil1",{}]"#, "kil1: the port is not text"),
        (r#"["","snd"]"#, "snd: no receiver"),
        (
            r#"["","snd",""]"#,
            "snd: the receiver: an ID must not be empty",
        ),
        (
            r#"["","snd","x;y#p"]"#,
            "snd: the receiver: a node ID must not contain ';'",
        ),
        (r#"["","can","mon1"]"#, "can: no receiver"),
        (r#"["","time",[]]"#, "time: the receiver is not text"),
        (
            r#"["","AnyEvent::MP::_spawn"]"#,
            "AnyEvent::MP::_spawn: no port",
        ),
        (
            r#"["","AnyEvent::MP::_spawn","p"]"#,
            "AnyEvent::MP::_spawn: no function",
        ),
        (r#"["",["mon1"]]"#, "the request's name is not text"),
    ];
    for (request, why) in requests {
        scene.ignored(request).await;
        scene
            .logs
            .warned(&format!("node port: request from raw: {why}"))
            .await;
    }
    let harmless = r#"["","mon0","nobody"]["","kil1","nobody","x"]["","kil0","nobody","x"]["","mon0",null]["",""]["",""," "][""]"#;
    scene.ignored(harmless).await;
    scene.ignored(r#"["","kil1","","bye"]"#).await;
    scene
        .logs
        .warned("node port: raw tried to kill it: refused")
        .await;
    scene
        .ignored(r#"["","CORE::exit"]["","exit",1]["",17,18]"#)
        .await;
    scene
        .logs
        .warned("unable to resolve function 'CORE::exit'")
        .await;
    scene.logs.warned("unable to resolve function '17'").await;
}

/// Arguments that a handler does not take kill its port, which says which and why.
#[tokio::test]
async fn wrong_arguments() {
    let scene = Scene::new().await;
    let mut raw = Raw::login(&scene.node, "raw").await;
    let cases = [
        (
            json!(["inc", "many"]),
            "invalid type: string \"many\", expected i64",
        ),
        (json!(["inc", [1]]), "invalid type: sequence, expected i64"),
        (json!(["inc", 1e300]), "inc: argument 1 (`by`): "),
        (json!(["inc"]), "inc: argument 1 (`by`): missing argument"),
        (
            json!(["get", {"no": "port"}]),
            "get: argument 1 (`reply port`)",
        ),
    ];
    for (mut message, why) in cases {
        let port = scene.node.port(counter(0)).id();
        raw.send(json!(["", "mon1", port.name()]).to_string()).await;
        let packet = message.as_array_mut().unwrap();
        packet.insert(0, port.name().into());
        raw.send(message.to_string()).await;
        let death = raw.packet().await;
        assert_eq!(
            death.as_array().unwrap()[..4],
            [json!(""), "kil0".into(), port.name().into(), "die".into()]
        );
        let text = death[4].as_str().unwrap();
        assert!(
            text.starts_with("inc: ") || text.starts_with("get: "),
            "{text}"
        );
        assert!(text.contains(why), "{message}: {text}");
        scene.goes_on().await;
    }
    for (message, shown) in [
        (json!([["inc"], 1]), "(a structure)"),
        (json!([]), ""),
        (json!(["\u{1}\u{e9}"]), ".."),
    ] {
        not_understood(
            &scene,
            &mut raw,
            message,
            &format!("no callback found for message '{shown}'"),
        )
        .await;
    }
}

/// A message that a port does not know is logged, and does not kill the port.
async fn not_understood(scene: &Scene, raw: &mut Raw, message: Json, why: &str) {
    let port = scene.node.port(counter(0));
    let mut packet = vec![json!(port.id().name())];
    packet.extend(message.as_array().unwrap().iter().cloned());
    raw.send(json!(packet).to_string()).await;
    let text = format!("port {} does not understand a message: {why}", port.id());
    scene.logs.warned(&text).await;
    assert_eq!(port.get().await.unwrap(), 0);
    scene.goes_on().await;
}

#[tokio::test]
async fn more_arguments_than_are_known() {
    let scene = Scene::new().await;
    let mut raw = Raw::login(&scene.node, "raw").await;
    let message = json!(["inc", 1, 2, 3]);
    not_understood(&scene, &mut raw, message, "inc: takes 1 argument, got 3").await;
}

/// Names, requests, reasons and greetings of a peer with terminal escapes, line feeds and changes of direction in them.
#[tokio::test]
async fn nothing_in_a_log_acts_on_a_terminal() {
    const EVIL: &str = "\u{1b}]0;x\u{7}\n\u{9b}2J\u{202e}";
    let scene = Scene::new().await;
    let mut raw = Raw::login(&scene.node, "raw").await;
    let function = format!("{EVIL}::f");
    let requests = [
        json!(["", "AnyEvent::MP::_spawn", EVIL, function]),
        json!(["", function, EVIL]),
        json!(["", EVIL, EVIL]),
        json!(["", "kil0", EVIL, EVIL, [EVIL]]),
        json!(["", "snd", EVIL, EVIL]),
        json!(["", "snd"]),
        json!(["", "eval", EVIL, EVIL]),
        json!(["", "g_set", EVIL]),
        json!(["", "g_upd", EVIL, { EVIL: EVIL }, [EVIL]]),
        json!([EVIL, EVIL]),
    ];
    for request in requests {
        raw.send(request.to_string()).await;
    }
    raw.try_send("[\"\u{9b}\u{202e}\u{1b}").await;
    raw.closed().await;
    let mut stranger = Raw::connect(&scene.node).await;
    let greeting = format!("aemp;1;raw{EVIL};hmac{EVIL};json{EVIL}\nnonce\nx\n");
    stranger.try_send(greeting).await;
    stranger.closed().await;
    scene.logs.expect("malformed packet").await;
    scene.logs.expect(r"\u001b]0;x\u0007\n").await;
    scene.goes_on().await;
    for (_, line) in scene.logs.lines() {
        assert!(!line.chars().any(aemp::Shown::escapes), "{line:?}");
    }
}
