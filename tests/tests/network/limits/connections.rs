//! Connections without proof, packets, queues.

use std::time::Duration;

use aemp::{Node, PortId, msg, snd};
use serde_json::json;

use super::Scene;
use crate::{
    common::{Inbox, soon, watch},
    nodes::counter,
    raw::{Raw, hex_secret},
};

/// Strangers of that number, each of which has been greeted.
async fn silent(node: &Node, number: usize) -> Vec<Raw> {
    let mut silent = Vec::new();
    for _ in 0..number {
        let mut raw = Raw::connect(node).await;
        raw.line().await;
        silent.push(raw);
    }
    silent
}

#[tokio::test]
async fn strangers_from_one_address() {
    let scene = Scene::new(|node| node.max_strangers_per_address(3)).await;
    let mut silent = silent(&scene.node, 5).await;
    for _ in 0..2 {
        silent.remove(0).closed().await;
    }
    let told = "too many connections in handshake: max_strangers_per_address (3) reached.";
    let (level, line) = scene.logs.expect(told).await;
    assert!(
        level == tracing::Level::WARN && line.starts_with("127.0.0.1:"),
        "{line}"
    );
    scene.goes_on().await;
    // A peer with the secret is accepted all the same, and the strangers that are left are not closed for it.
    let _raw = Raw::login(&scene.node, "raw").await;
    silent.remove(0).closed().await;
    let secret = hex_secret();
    let rest = format!("aemp;1;last;hmac_sha3_512;json\nnonce\ncleartext;{secret};json\n");
    silent[0].send(rest).await;
    soon(scene.node.until_up("last")).await;
}

#[tokio::test]
async fn strangers_at_once() {
    let scene = Scene::new(|node| node.max_strangers(2)).await;
    let mut silent = silent(&scene.node, 3).await;
    silent.remove(0).closed().await;
    scene
        .logs
        .warned("too many connections in handshake: max_strangers (2) reached.")
        .await;
    scene.goes_on().await;
}

#[tokio::test]
async fn the_time_of_a_handshake() {
    let scene = Scene::new(|node| node.handshake_timeout(Duration::from_millis(300))).await;
    let mut raw = Raw::connect(&scene.node).await;
    raw.send("aemp;1;raw;hmac_sha3_512;json\n").await;
    raw.closed().await;
    scene
        .logs
        .expect("disconnected - Connection timed out (it says it is node \"raw\").")
        .await;
    scene.goes_on().await;
}

/// A peer that has proved itself and is held back may pipeline as much as it likes: its packets wait in the network.
#[tokio::test]
async fn data_sent_ahead_of_the_handshake_waits_and_is_not_lost() {
    let scene = Scene::new(|node| node.max_handshake_bytes(16 << 10)).await;
    let mut inbox = Inbox::new(&scene.node);
    let mut impostor = Raw::connect(&scene.node).await;
    let hello = "aemp;1;raw;hmac_sha3_512;json\nnonce\n";
    impostor.send(hello).await;
    for _ in 0..3 {
        impostor.line().await;
    }
    let mut raw = Raw::connect(&scene.node).await;
    raw.send(format!("{hello}cleartext;{};json\n", hex_secret()))
        .await;
    let text = "x".repeat(1000);
    for number in 0..100 {
        let packet = json!([inbox.id.name(), number, text]);
        raw.send(packet.to_string()).await;
    }
    scene
        .logs
        .warned("raw has sent max_handshake_bytes (16384) before the end of its handshake")
        .await;
    scene.goes_on().await;
    impostor.closed().await;
    for number in 0..100 {
        assert_eq!(inbox.next().await, msg![number, &text]);
    }
}

#[tokio::test]
async fn large_packets_and_deep_ones() {
    let scene = Scene::new(|node| node.max_packet_bytes(10_000).max_packet_depth(20)).await;
    let port = scene.node.port(counter(0)).id();
    let deep = format!(r#"["{}","inc",{}"#, port.name(), "[".repeat(30));
    let large = format!(r#"["{}","inc","{}"#, port.name(), "1".repeat(20_000));
    let deep = (
        deep,
        "a packet is nested deeper than 20 levels",
        "(max_packet_depth)",
    );
    let large = (
        large,
        "a packet is larger than 10000 bytes",
        "(max_packet_bytes)",
    );
    for (packet, why, limit) in [deep, large] {
        let mut raw = Raw::login(&scene.node, "raw").await;
        let death = watch(&scene.node, &PortId::parse("raw#p").unwrap());
        raw.try_send(packet).await;
        assert_eq!(death.await.kind(), "transport_error");
        raw.closed().await;
        scene
            .logs
            .warned(&format!("raw: malformed packet: {why}"))
            .await;
        scene.logs.warned(limit).await;
        scene.goes_on().await;
    }
}

#[tokio::test]
async fn a_queue_that_the_peer_does_not_read() {
    let scene = Scene::new(|node| node.max_queue_bytes(65_536)).await;
    let raw = Raw::login(&scene.node, "raw").await;
    let port = PortId::parse("raw#p").unwrap();
    let death = watch(&scene.node, &port);
    for _ in 0..100 {
        snd!(scene.node, port, "x".repeat(1000));
    }
    let reason = death.await.to_string();
    assert_eq!(reason, "transport_error raw more than 65536 bytes queued");
    scene
        .logs
        .warned("raw: max_queue_bytes (65536) reached")
        .await;
    raw.closed().await;
    scene.goes_on().await;
    let _again = Raw::login(&scene.node, "raw").await;
}
