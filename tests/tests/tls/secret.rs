//! Nodes that have a secret and no certificates.

mod middle;

use std::time::Duration;

use aemp::{
    Node, NodeBuilder, StartError,
    config::{Encrypt, Method},
    msg,
    sim::Sim,
    snd,
};
use tokio::net::TcpStream;

use crate::{
    certificates::{address, pair, start, tls},
    common::{Inbox, SECRET, soon, until},
    logs::Logs,
    proxy::Proxy,
};

fn builder(id: &str, encrypt: Encrypt) -> NodeBuilder {
    let builder = Node::builder().node_id(id).secret(SECRET);
    builder
        .bind("127.0.0.1:0")
        .framing_format(["json"])
        .encrypt(encrypt)
}

/// The TLS client is one end or the other, by chance. With enough rounds, each end very probably is.
#[tokio::test]
async fn a_secret_is_enough_for_tls() {
    for _ in 0..8 {
        let [a, b] = pair(builder("a", Encrypt::Always), builder("b", Encrypt::Auto)).await;
        for (node, other) in [(&a, "b"), (&b, "a")] {
            let tls = tls(node, other).await.expect("it is in TLS");
            assert!(
                tls.starts_with("TLS 1.3 ") && tls.ends_with(" (secret)"),
                "{tls}"
            );
        }
        let mut inbox = Inbox::new(&a);
        let text = "x".repeat(200_000);
        snd!(b, inbox.id, 1, text.clone());
        assert!(inbox.next().await == msg![1, text]);
        b.stop().await;
        a.stop().await;
    }
}

#[tokio::test]
async fn loopback_needs_no_tls() {
    let [a, b] = pair(builder("a", Encrypt::Auto), builder("b", Encrypt::Auto)).await;
    assert_eq!(tls(&a, "b").await, None);
    b.stop().await;
    a.stop().await;
}

/// Two nodes with nothing but a secret, the second of which dials the first one at such an address.
async fn by_default(bind: &str) -> Option<[Node; 2]> {
    let with = |id: &str| Node::builder().node_id(id).secret(SECRET);
    let a = start(with("a").bind(bind)).await;
    let address = a.listeners().into_iter().next()?;
    let b = start(with("b").seed(address)).await;
    soon(b.until_up("a")).await;
    soon(a.until_up("b")).await;
    Some([a, b])
}

#[tokio::test]
async fn by_default_connections_beyond_loopback_are_encrypted() {
    // As in the configuration: each address that is not loopback.
    let Some(nodes) = by_default("*:*").await else {
        println!("skipped: this machine has no address but loopback");
        return;
    };
    for (node, other) in nodes.iter().zip(["b", "a"]) {
        let tls = tls(node, other).await.expect("it is in TLS");
        assert!(tls.ends_with(" (secret)"), "{tls}");
    }
    let loopback = by_default("127.0.0.1:0").await.unwrap();
    for (node, other) in loopback.iter().zip(["b", "a"]) {
        assert_eq!(tls(node, other).await, None);
    }
    for node in nodes.iter().chain(&loopback) {
        node.stop().await;
    }
}

/// A proxy that changes no byte is not noticed.
#[tokio::test]
async fn a_proxy_that_only_carries_is_no_hindrance() {
    let a = start(builder("a", Encrypt::Always)).await;
    let proxy = Proxy::to(address(&a)).await;
    let b = start(builder("b", Encrypt::Always).seed(proxy.address())).await;
    soon(b.until_up("a")).await;
    let mut inbox = Inbox::new(&a);
    for n in 0..50_i64 {
        snd!(b, inbox.id, n);
        assert_eq!(inbox.next().await, msg![n]);
    }
    b.stop().await;
    a.stop().await;
}

/// A stranger that reaches two nodes dials both, and passes their octets on.
#[tokio::test]
async fn a_relay_that_dials_two_nodes_is_detected() {
    for encrypt in [Encrypt::Auto, Encrypt::Always, Encrypt::Never] {
        let logs = Logs::catch();
        let a = start(builder("a", encrypt)).await;
        let b = start(builder("b", encrypt)).await;
        let mut to_a = TcpStream::connect(address(&a)).await.unwrap();
        let mut to_b = TcpStream::connect(address(&b)).await.unwrap();
        let carried = tokio::io::copy_bidirectional(&mut to_a, &mut to_b);
        let _ = soon(carried).await;
        logs.warned("both ends of the connection have accepted")
            .await;
        assert!(a.up_nodes().is_empty() && b.up_nodes().is_empty());
        b.stop().await;
        a.stop().await;
    }
}

/// With TLS of its own towards either end, it passes on the proofs from within.
#[tokio::test]
async fn a_relay_with_tls_to_both_ends_is_detected() {
    for _ in 0..4 {
        let logs = Logs::catch();
        let a = start(builder("a", Encrypt::Always)).await;
        let middle = middle::Middle::to(address(&a));
        let b = start(builder("b", Encrypt::Always).seed(middle.address())).await;
        logs.warned("authentication failure/shared secret mismatch")
            .await;
        until(|| middle.proofs() >= 2).await;
        assert!(a.up_nodes().is_empty() && b.up_nodes().is_empty());
        b.stop().await;
        a.stop().await;
    }
}

#[tokio::test]
async fn required_encryption_refuses_other_connections() {
    let logs = Logs::catch();
    let a = start(builder("a", Encrypt::Always)).await;
    let b = start(builder("b", Encrypt::Never).seed(address(&a))).await;
    logs.warned("no encryption with b, and encrypt is \"always\"")
        .await;
    assert!(a.up_nodes().is_empty() && b.up_nodes().is_empty());
    b.stop().await;
    a.stop().await;
}

async fn problem(builder: NodeBuilder) -> String {
    match builder.start().await {
        Err(error @ StartError::Setting { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_node_that_could_never_connect_does_not_start() {
    let nothing = Node::builder().node_id("a").encrypt(Encrypt::Always);
    let text = problem(nothing.bind("127.0.0.1:0")).await;
    assert!(
        text.starts_with("secret: there is none, and no `cert`"),
        "{text}"
    );
    let unusable = builder("a", Encrypt::Always).auth_accept([Method::Cleartext]);
    let text = problem(unusable).await;
    assert!(
        text.starts_with("encrypt: ") && text.contains("hmac_sha3_512"),
        "{text}"
    );
}

/// A simulation has no attacker in between, so nodes encrypt there only if they are asked to.
#[test]
fn simulated_nodes_encrypt_if_configured() {
    for (encrypt, expected) in [(Encrypt::Auto, false), (Encrypt::Always, true)] {
        let mut sim = Sim::new(1);
        let own = |id: &str| {
            let builder = Node::builder().node_id(id).secret(SECRET);
            builder.bind("*:4040").encrypt(encrypt)
        };
        let a = sim.start(own("a")).unwrap();
        let b = sim.start(own("b").seed("a:4040")).unwrap();
        let up = {
            let (a, b) = (a.clone(), b.clone());
            move || a.node_is_up("b") == Some(true) && b.node_is_up("a") == Some(true)
        };
        assert!(sim.run_until(Duration::from_secs(60), up));
        let told = sim.block_on(async move { tls(&a, "b").await });
        assert_eq!(told.is_some(), expected, "{encrypt:?}");
    }
}
