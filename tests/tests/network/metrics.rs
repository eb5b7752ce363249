//! The counts of a node about other nodes, and the server for scrapers and probes.

use std::{net::SocketAddr, time::Duration};

use aemp::{Node, Reason, metrics::Metrics, msg};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use crate::{
    common::{soon, until},
    nodes::{Counter, CounterRef, address, counter, listening, start},
};

fn value(metrics: &Metrics, name: &str, labels: &[&str]) -> f64 {
    metrics.value(name, labels).unwrap_or_default()
}

#[tokio::test]
async fn peers_have_traffic_and_connections() {
    let b = start(listening("b")).await;
    let a = start(listening("a").seed(address(&b))).await;
    soon(a.until_up("b")).await;
    let far: CounterRef = a.handle(&b.port(Counter::default()).id());
    for _ in 0..10 {
        soon(far.get()).await.unwrap();
    }
    let metrics = a.metrics().await;
    assert_eq!(
        value(&metrics, "aemp_calls_total", &["remote", "answered"]),
        10.0
    );
    // Each call to another node is timed.
    assert_eq!(
        value(&metrics, "aemp_call_seconds", &["remote", "answered"]),
        10.0
    );
    assert_eq!(value(&metrics, "aemp_connections", &[]), 1.0);
    assert_eq!(value(&metrics, "aemp_nodes_up_total", &[]), 1.0);
    assert_eq!(value(&metrics, "aemp_peer_connections_total", &["b"]), 1.0);
    for name in ["sent_packets", "received_packets"] {
        let name = format!("aemp_peer_{name}_total");
        assert!(value(&metrics, &name, &["b"]) >= 10.0, "{name}");
    }
    assert!(value(&metrics, "aemp_peer_received_bytes_total", &["b"]) >= 100.0);
    b.stop().await;
    soon(async {
        while value(&a.metrics().await, "aemp_nodes_lost_total", &[]) == 0.0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // The counts about a lost node stay.
    let metrics = a.metrics().await;
    assert!(value(&metrics, "aemp_peer_sent_packets_total", &["b"]) >= 10.0);
}

#[tokio::test]
async fn limits_that_are_reached_count() {
    let b = start(listening("b").max_spawned_ports(1)).await;
    let a = start(listening("a").seed(address(&b))).await;
    soon(a.until_up("b")).await;
    let first = counter::on(&a, "b", 1);
    let second = counter::on(&a, "b", 2);
    soon(first.get()).await.unwrap();
    soon(second.get()).await.unwrap_err();
    let reached = value(
        &b.metrics().await,
        "aemp_limits_reached_total",
        &["max_spawned_ports"],
    );
    assert_eq!(reached, 1.0);
}

#[tokio::test]
async fn the_database_is_counted() {
    let node = start(listening("a").global(true)).await;
    let entry = node.db_set("f", "k", msg![1]).unwrap();
    let count = async |name: &str| value(&node.metrics().await, name, &[]);
    soon(async {
        while value(&node.metrics().await, "aemp_database_keys", &["f"]) != 1.0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let (bytes, changes) = (
        count("aemp_database_bytes").await,
        count("aemp_database_changes_total").await,
    );
    assert!(bytes > 100.0 && changes >= 1.0);
    drop(entry);
    node.db_del("f", ["k"]).unwrap();
    soon(async {
        while count("aemp_database_changes_total").await != changes + 1.0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Sends a request, and returns the answer.
async fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request).await.unwrap();
    let mut answer = String::new();
    soon(client.read_to_string(&mut answer)).await.unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    let answer = ask(address, request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap()[9..].into(), body.into())
}

#[tokio::test]
async fn scrapers_and_probes_are_answered() {
    let b = listening("b");
    let node = start(listening("a").seed("127.0.0.1:1")).await;
    let server = node.serve_metrics("127.0.0.1:0").await.unwrap();
    let address = server.local_addr();
    let (status, text) = get(address, "/metrics").await;
    assert_eq!(status, "200 OK");
    assert!(
        text.contains("aemp_node_info{node=\"a\",version="),
        "{text}"
    );
    assert!(text.contains("\naemp_ready 0\n"), "{text}");
    let ready = get(address, "/readyz").await;
    assert_eq!(
        ready,
        ("503 Service Unavailable".into(), "joining\n".into())
    );
    assert_eq!(
        get(address, "/healthz").await,
        ("200 OK".into(), "ok\n".into())
    );
    assert_eq!(get(address, "/").await.0, "404 Not Found");
    let answer = ask(address, b"HEAD /metrics HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"));
    let b = start(b).await;
    let c = start(listening("c").seed(self::address(&b))).await;
    let ready = c.serve_metrics("127.0.0.1:0").await.unwrap();
    soon(c.joined()).await.unwrap();
    assert_eq!(
        get(ready.local_addr(), "/readyz").await,
        ("200 OK".into(), "ready\n".into())
    );
    c.stop().await;
    assert_eq!(get(ready.local_addr(), "/readyz").await.1, "ended\n");
    assert_eq!(
        get(ready.local_addr(), "/healthz").await.0,
        "503 Service Unavailable"
    );
    drop(server);
    until_refused(address).await;
}

async fn until_refused(address: SocketAddr) {
    soon(async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn clients_cost_little() {
    let node = Node::local().unwrap();
    let server = node.serve_metrics("127.0.0.1:0").await.unwrap();
    let address = server.local_addr();
    let mut silent = Vec::new();
    for _ in 0..40 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /met").await.unwrap();
        silent.push(client);
    }
    // The oldest make way, so a scraper is served all the same.
    assert_eq!(get(address, "/healthz").await.0, "200 OK");
    for client in &mut silent[..8] {
        assert!(!matches!(soon(client.read(&mut [0])).await, Ok(1..)));
    }
    let mut long = b"GET /metrics HTTP/1.1\r\n".to_vec();
    long.resize(8192, b'a');
    let answer = ask(address, &long).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = ask(address, b"\x16\x03\x01\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = ask(address, b"POST /metrics HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(node.serve_metrics(address.to_string()).await.is_err());
}

/// The server of a node without a network does not keep it alive.
#[tokio::test]
async fn the_server_ends_with_its_node() {
    let node = Node::local().unwrap();
    let server = node.serve_metrics("127.0.0.1:0").await.unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    node.mon(&node.empty_port().id(), move |reason: &Reason| {
        drop(tell.send(reason.clone()));
    })
    .detach();
    node.stop().await;
    drop(node);
    until(|| told.try_recv().is_ok()).await;
    until_refused(server.local_addr()).await;
}
