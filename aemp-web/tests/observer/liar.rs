//! A peer that lies in its answers, or answers nonsense.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{Duration, sleep, timeout},
};

use crate::{
    http::{get, soon},
    watched::{SECRET, Watched},
};

/// Connects to a node as the minimal client of the protocol, and answers inspections with the result of `lie` for their subject.
async fn lie(to: &str, id: &str, lie: fn(&str) -> Value) -> JoinHandle<()> {
    let to: SocketAddr = to.parse().expect("an address");
    let mut stream = soon(TcpStream::connect(to)).await.expect("it listens");
    let secret: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let lines = format!("aemp;1;{id};hmac_sha3_512;json\nnonce\ncleartext;{secret};json\n");
    soon(stream.write_all(lines.as_bytes()))
        .await
        .expect("it reads");
    let mut heard = Vec::new();
    while heard.iter().filter(|byte| **byte == b'\n').count() < 3 {
        assert_ne!(soon(stream.read_buf(&mut heard)).await.expect("open"), 0);
    }
    let ends = heard.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let third = ends.map(|(at, _)| at).nth(2).expect("three lines");
    heard.drain(..=third);
    tokio::spawn(async move {
        loop {
            let mut packets = serde_json::Deserializer::from_slice(&heard).into_iter::<Value>();
            let mut answers = Vec::new();
            while let Some(Ok(packet)) = packets.next() {
                answers.extend(answer(&packet, lie));
            }
            let end = packets.byte_offset();
            heard.drain(..end);
            for answer in answers {
                if stream
                    .write_all(answer.to_string().as_bytes())
                    .await
                    .is_err()
                {
                    return;
                }
            }
            if !stream.read_buf(&mut heard).await.is_ok_and(|read| read > 0) {
                return;
            }
        }
    })
}

fn answer(packet: &Value, lie: fn(&str) -> Value) -> Option<Value> {
    let [port, tag, subject, to, message @ ..] = packet.as_array()?.as_slice() else {
        return None;
    };
    if port != "" {
        return None;
    }
    let (_, port) = to.as_str()?.split_once('#')?;
    let mut answer = vec![json!(port)];
    answer.extend(message.iter().cloned());
    match tag.as_str()? {
        "can" => answer.push(json!(1)),
        "inspect" => {
            let subject = subject.as_str().or_else(|| subject[0].as_str())?;
            answer.extend([json!(""), lie(subject)]);
        }
        _ => return None,
    }
    Some(answer.into())
}

fn lies(subject: &str) -> Value {
    let most = u64::MAX;
    let script = "<script>alert(1)</script>";
    match subject {
        "node" => json!({
            "id": "green", "provider": script, "version": "\u{0}\n\u{1b}[2J", "uptime": -1e308, "role": "emperor",
            "master": script, "ports": most, "memory": most, "process": 1, "os": script,
            "listeners": [script], "seeds": [{ "address": script, "failure": { "kind": "odd", "text": script } }],
        }),
        "connections" => {
            let long = "x".repeat(100_000);
            let mut connections = vec![
                json!({ "node": "liar", "queued": most, "up": -1 }),
                json!({ "node": "green", "queued": most, "received": { "packets": most, "bytes": most } }),
                json!({ "node": "not a name#", "queued": most }),
                json!({ "node": long }),
            ];
            connections.extend((0..20_000).map(|n| json!({ "node": format!("made/up{n}") })));
            json!({ "total": most, "connections": connections })
        }
        "ports" => json!({
            "total": most, "queued": most,
            "types": [{ "type": script, "count": most, "queued": most }, { "type": script, "count": most, "queued": most }],
            "ports": [{ "id": "green#stolen", "type": script, "queued": most }, { "id": "\n", "monitors": most }],
        }),
        "counts" => {
            let handler = json!({
                "name": script, "handled": most, "unwanted": most, "times": { "sum": -1e308, "classes": vec![most; 100] },
                "calls": { "ended": { script: most, "answered": most, "timeout": most }, "times": { "classes": [most, most] } },
            });
            let of_type = json!({ "type": script, "died": { script: most, "die": most }, "handlers": vec![handler; 300] });
            json!({
                "uptime": -1, "counting": false, "bounds": [1e308, -1, 0], "total": most, "restarts": most, "slow": most,
                "limits": { script: most }, "types": vec![of_type; 5],
            })
        }
        "waits" => {
            let wait = |port: &str, calls: &str| json!({ "port": port, "type": script, "handler": script, "run": 1, "calls": [calls] });
            let mut waits = vec![
                wait("green#1", "green#1"),
                wait(&format!("liar#{script}"), script),
                wait("liar#1", "liar#1"),
            ];
            waits.extend(
                (0..20_000).map(|n| wait(&format!("liar#x{n}"), &format!("liar#x{}", n + 1))),
            );
            json!({ "total": most, "waits": waits })
        }
        "traces" => {
            let span = |n: u64, parent: u64| {
                json!({
                    "trace": format!("{:032x}", 7), "span": format!("{n:016x}"), "parent": format!("{parent:016x}"), "port": "liar#p",
                    "type": script, "handler": script, "way": script, "from": script, "at": 1e9, "waited": -1e300, "took": 1e300,
                    "end": "died", "failed": true, "reason": script, "events": vec![json!({ "after": -1, "name": script, "text": script }); 20],
                })
            };
            // Each calls the next, and the last the first.
            let mut spans: Vec<_> = (1..400).map(|n| span(n, n + 1)).collect();
            spans.insert(0, span(50, 1));
            let mut stolen = span(9, 1);
            stolen["port"] = json!("green#p");
            spans.insert(0, stolen);
            json!({ "next": most, "lost": most, "spans": spans })
        }
        "port" => json!({
            "alive": { "id": "liar#a", "type": script, "queued": most, "monitors": most },
            "died": { "port": "green#stolen", "type": script, "reason": [script] },
        }),
        "deaths" => {
            let death = |port: &str| json!({ "port": port, "type": script, "ago": -1e308, "reason": [script, [most]] });
            let mut deaths = vec![
                death("green#buried"),
                death("liar#\n"),
                death(&format!("liar#{script}")),
            ];
            deaths.extend((0..20_000).map(|n| death(&format!("liar#{n}"))));
            json!({ "total": most, "deaths": deaths })
        }
        "owners" => json!({ "owners": { script: [script, "soup"] } }),
        "families" => json!({ "total": 1, "families": [{ "name": script, "keys": most }] }),
        _ => json!({ "init": [{ "name": script, "signature": script }], "callable": [script] }),
    }
}

/// The document, when it has this part. An answer that is late comes in the next round, and with 20,000 invented nodes that takes
/// eighty seconds.
async fn told(watched: &Watched, path: &str, part: &str) -> Value {
    let found = async {
        loop {
            let answer = get(watched.at, path).await;
            if answer.status == 200 && !answer.json()[part].is_null() {
                return answer.json();
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let found = timeout(Duration::from_secs(200), found).await;
    found.expect("it comes in the next round")
}

fn nonsense(subject: &str) -> Value {
    match subject {
        "node" => json!([[], "x", -1]),
        "connections" => json!({ "connections": 7 }),
        _ => Value::Null,
    }
}

#[tokio::test]
async fn lies_are_shown_as_text_and_break_nothing() {
    let watched = Watched::start().await;
    let liar = lie(&watched.observer.listeners()[0], "liar", lies).await;
    soon(watched.observer.until_up("liar")).await;
    soon(async {
        while !get(watched.at, "/node?id=liar")
            .await
            .body
            .contains("aemp-rs-")
        {
            if get(watched.at, "/node?id=liar")
                .await
                .body
                .contains("emperor")
                || get(watched.at, "/node?id=liar")
                    .await
                    .body
                    .contains("&lt;script&gt;")
            {
                break;
            }
        }
    })
    .await;
    // The page asks for traces, and the first answer may come after it.
    let trace = "/api/traces?trace=00000000000000000000000000000007";
    soon(async { while get(watched.at, trace).await.status != 200 {} }).await;
    for path in [
        "/",
        "/connections",
        "/ports",
        "/calls",
        "/family?id=menu",
        "/supervision",
        "/database",
        "/logs",
        "/node?id=liar",
        "/port?id=liar%23a",
        "/port?id=liar%23other",
        "/port?id=liar%23a&tap=1",
        "/port?id=green%23stolen",
        "/api/nodes",
        "/api/ports",
        "/api/connections",
        "/api/network",
        "/api/totals",
        "/api/types",
        "/api/handlers",
        "/api/counts",
        "/api/waits",
        "/api/port?port=liar%23a",
        "/api/deaths?node=liar",
        "/api/top",
        "/trace?id=00000000000000000000000000000007",
        "/api/traces",
        "/api/traces?trace=00000000000000000000000000000007",
    ] {
        let page = get(watched.at, path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.len() < 8_000_000, "{path}: {}", page.body.len());
        if !path.starts_with("/api") {
            assert!(!page.body.contains("<script>"), "{path}");
            assert!(!page.body.contains('\u{1b}'), "{path}");
        }
    }
    let traces = get(watched.at, "/api/traces").await;
    assert!(!traces.body.contains("green#p"), "it speaks for others");
    let trace = &traces.json()["traces"][0];
    let spans = trace["spans"].as_array().map_or(0, Vec::len) as u64;
    let all = spans + trace["more"].as_u64().unwrap_or(0);
    assert!((1..=100).contains(&all), "{all}");
    let page = get(watched.at, "/calls").await.body;
    assert!(
        page.contains("&lt;script&gt;"),
        "its traces are shown as text"
    );
    let waits = get(watched.at, "/api/waits").await.body;
    assert!(!waits.contains("green#1"), "it speaks for others: {waits}");
    let deaths = told(&watched, "/api/deaths?node=liar", "deaths").await;
    let listed = deaths["deaths"].as_array().map_or(0, Vec::len);
    assert!((1..=50).contains(&listed), "{listed}");
    assert!(
        !deaths.to_string().contains("green#"),
        "it speaks for others"
    );
    let port = told(&watched, "/api/port?port=liar%23a", "alive").await;
    assert_eq!(
        (&port["alive"]["id"], &port["died"]),
        (&json!("liar#a"), &Value::Null)
    );
    let other = get(watched.at, "/api/port?port=liar%23other").await.json();
    assert_eq!(other["alive"], Value::Null, "that is another port");
    // The others are shown as they are.
    let green = get(watched.at, "/node?id=green").await.body;
    assert!(green.contains("aemp-rs-"), "{green}");
    liar.abort();
    watched.stop().await;
}

fn odd_counts(subject: &str) -> Value {
    match subject {
        "node" => json!({ "id": "liar", "provider": "aemp-rs-9", "uptime": 1 }),
        "counts" => json!({ "types": { "a": [] } }),
        "waits" => json!("never"),
        "traces" => json!({ "spans": [[], 7] }),
        _ => json!({}),
    }
}

/// The rest of a node's answer is of interest all the same.
#[tokio::test]
async fn nonsense_about_counts_hides_nothing_else() {
    let watched = Watched::start().await;
    let liar = lie(&watched.observer.listeners()[0], "liar", odd_counts).await;
    soon(watched.observer.until_up("liar")).await;
    for path in ["/node?id=liar", "/ports", "/calls"] {
        let text = "cannot be understood";
        soon(async { while !get(watched.at, path).await.body.contains(text) {} }).await;
    }
    let page = get(watched.at, "/node?id=liar").await.body;
    assert!(
        page.contains("aemp-rs-9") && !page.contains("gives no answer"),
        "{page}"
    );
    liar.abort();
    watched.stop().await;
}

#[tokio::test]
async fn nonsense_is_said_to_be_some() {
    let watched = Watched::start().await;
    let liar = lie(&watched.observer.listeners()[0], "liar", nonsense).await;
    soon(watched.observer.until_up("liar")).await;
    let text = "cannot be understood";
    soon(async { while !get(watched.at, "/node?id=liar").await.body.contains(text) {} }).await;
    assert!(get(watched.at, "/").await.body.contains("green"));
    liar.abort();
    watched.stop().await;
}
