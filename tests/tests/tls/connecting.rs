//! The peers that TLS lets in or keeps out, and the log lines about it.

use std::time::Duration;

use aemp::{Node, NodeBuilder, StartError, cal, config::Method};

use crate::{
    certificates::{
        address, authority, builder, dated, for_node, issued, pair, params, shared, start, tls,
    },
    common::{SECRET, soon},
    logs::Logs,
};

/// The first of two nodes logs that text when the second, whose seed it is, does not get in.
async fn refused(a: NodeBuilder, b: NodeBuilder, expected: &str) {
    let logs = Logs::catch();
    let a = start(a).await;
    let b = start(b.seed(address(&a))).await;
    logs.warned(expected).await;
    assert!(a.up_nodes().is_empty() && b.up_nodes().is_empty());
    let lines = logs.lines();
    // One line at each end at most, however often it is tried, with the name of the peer.
    let said = lines.iter().find(|(_, line)| line.contains(expected));
    let (_, line) = said.unwrap();
    assert!(logs.count(expected) <= 2, "{lines:#?}");
    assert!(line.contains("(it says it is node \""), "{line}");
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn one_certificate_is_enough_and_no_secret() {
    // The TLS client is one end or the other, by chance. With eight rounds, each end very probably is.
    let cert = shared();
    for _ in 0..8 {
        let [a, b] = pair(builder("a", &cert), builder("b", &cert)).await;
        for (node, other) in [(&a, "b"), (&b, "a")] {
            let tls = tls(node, other).await.expect("it is in TLS");
            assert!(tls.starts_with("TLS 1.3 "), "{tls}");
        }
        b.stop().await;
        a.stop().await;
    }
}

#[tokio::test]
async fn a_node_without_certificate_is_accepted_with_the_secret() {
    let a = builder("a", &shared()).secret(SECRET);
    let b = Node::builder().node_id("b").secret(SECRET);
    let [a, b] = pair(a, b).await;
    assert_eq!(tls(&a, "b").await, None);
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn a_node_without_certificate_is_refused_if_tls_is_required() {
    let a = builder("a", &shared()).secret(SECRET).require_tls(true);
    let b = Node::builder().node_id("b").secret(SECRET);
    refused(a, b, "no TLS with b, and require_tls is set").await;
    let a = Node::builder()
        .node_id("a")
        .secret(SECRET)
        .bind("127.0.0.1:0");
    let b = builder("b", &shared()).secret(SECRET).require_tls(true);
    refused(a, b, "no TLS with a, and require_tls is set").await;
}

#[tokio::test]
async fn a_node_with_the_secret_and_a_foreign_certificate_is_refused() {
    let a = builder("a", &shared()).secret(SECRET);
    let b = builder("b", &shared()).secret(SECRET);
    refused(
        a,
        b,
        "TLS: the peer's certificate for CN=AnyEvent::MP is a CA's certificate",
    )
    .await;
}

#[tokio::test]
async fn nodes_have_their_own_from_a_private_ca() {
    let ca = authority("our ca");
    let own = |id| {
        let cert = issued(&ca, &for_node(id));
        let builder = builder(id, &cert).ca(ca.pem());
        builder.require_tls(true).verify_node_id(true)
    };
    let [a, b] = pair(own("a"), own("worker/b")).await;
    b.stop().await;
    // A node with the certificate of another node is refused.
    let b = builder("c", &issued(&ca, &for_node("worker/b"))).ca(ca.pem());
    let logs = Logs::catch();
    let b = start(b.require_tls(true).seed(address(&a))).await;
    logs.warned(
        "the peer's certificate is made for \"worker/b\", not for \"c\", and verify_nodeid is set",
    )
    .await;
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn each_rule_has_its_words() {
    let (ca, other) = (authority("our ca"), authority("another ca"));
    let good = || builder("a", &issued(&ca, &params("a"))).ca(ca.pem());
    let trusting = |cert: &str| builder("b", cert).ca(ca.pem() + &other.pem());
    refused(
        good(),
        trusting(&issued(&other, &params("foreign"))),
        "the peer's certificate for CN=foreign is not trusted here, and neither is its issuer, CN=another ca",
    )
    .await;
}

/// A node does not start with a certificate that every other node would refuse.
#[tokio::test]
async fn unusable_certificates_are_errors() {
    let ca = authority("our ca");
    let late = issued(&ca, &dated(params("late"), 2001, 2002));
    let early = issued(&ca, &dated(params("early"), 3001, 3002));
    for (cert, expected) in [
        (
            late.as_str(),
            "cert: its certificate for CN=late has expired on 2002-01-01",
        ),
        (
            &early,
            "cert: its certificate for CN=early is not valid before 3001-01-01",
        ),
        ("nonsense", "cert: there is no private key in it"),
    ] {
        let error = builder("a", cert).start().await.unwrap_err();
        assert!(matches!(error, StartError::Setting { .. }));
        assert_eq!(error.to_string(), expected);
    }
    let required = Node::builder()
        .node_id("a")
        .secret(SECRET)
        .require_tls(true);
    let text = required.start().await.unwrap_err().to_string();
    assert!(
        text.starts_with("require_tls: there is no `cert`"),
        "{text}"
    );
}

#[tokio::test]
async fn a_certificate_that_peers_would_refuse_is_reported() {
    let ca = authority("our ca");
    let logs = Logs::catch();
    let cert = issued(&ca, &for_node("x"));
    let node = start(builder("a", &cert).ca(ca.pem()).verify_node_id(true)).await;
    logs.warned("cert: it is made for \"x\", not for \"a\"")
        .await;
    node.stop().await;
}

#[tokio::test]
async fn the_secret_may_still_be_wanted_within() {
    let cert = shared();
    let wants = |id, secret: &str| {
        let builder = builder(id, &cert).secret(secret);
        let methods = [Method::HmacSha3_512];
        builder.auth_accept(methods).auth_offer(methods)
    };
    let [a, b] = pair(wants("a", SECRET), wants("b", SECRET)).await;
    assert!(tls(&a, "b").await.is_some());
    b.stop().await;
    a.stop().await;
    refused(
        wants("a", SECRET),
        wants("b", "another"),
        "authentication failure/shared secret mismatch",
    )
    .await;
}

/// The stranger's certificate is good, but it does not prove its greeting.
#[tokio::test]
async fn anonymous_peers_cannot_run_functions() {
    let cert = shared();
    let logs = Logs::catch();
    let a = builder("a", &cert).init("Tls::echo", |cx: &mut aemp::Cx<'_>, _| {
        cx.rcv("echo", |_: &mut aemp::Cx<'_>, _: aemp::Args| ());
    });
    let b = builder("b", &cert).auth_offer([Method::TlsAnon]);
    let [a, b] = pair(a, b).await;
    let spawned = b.spawn("a", "Tls::echo", Vec::new());
    logs.warned(
        "spawn of Tls::echo from b: not allowed to a peer that authenticated with tls_anon",
    )
    .await;
    let reason = crate::common::watch(&b, &spawned).await;
    assert_eq!(reason.kind(), "no_such_port");
    // A request that runs no function is answered.
    let time = soon(cal!(b, aemp::PortId::parse("a").unwrap(), "time")).await;
    assert!(time.is_ok(), "{time:?}");
    b.stop().await;
    a.stop().await;
}

/// The TLS handshake is part of the handshake's time.
#[tokio::test]
async fn a_silent_tls_handshake_ends_in_time() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let logs = Logs::catch();
    let timeout = Duration::from_millis(300);
    let node = start(builder("a", &shared()).monitor_timeout(timeout)).await;
    for nonce in ["!", "~"] {
        let mut stream = tokio::net::TcpStream::connect(address(&node))
            .await
            .unwrap();
        let greeting = format!("aemp;1;silent;tls_sha3_512;json;tls=1.0\n{nonce}\n");
        stream.write_all(greeting.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        soon(stream.read_to_end(&mut rest)).await.unwrap();
    }
    logs.expect("Connection timed out (it says it is node \"silent\")")
        .await;
    node.stop().await;
}

#[tokio::test]
async fn garbage_for_tls_ends_it() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let logs = Logs::catch();
    let node = start(builder("a", &shared())).await;
    for garbage in [
        &b"tls_sha3_512;00;json\n"[..],
        b"\x16\x03\x01\xff\xffxyz",
        b"\x17\x03\x03\0\0",
    ] {
        for nonce in ["!", "~"] {
            let mut stream = tokio::net::TcpStream::connect(address(&node))
                .await
                .unwrap();
            let greeting = format!("aemp;1;fool;tls_sha3_512;json;tls=1.0\n{nonce}\n");
            let bytes = [greeting.as_bytes(), garbage].concat();
            stream.write_all(&bytes).await.unwrap();
            let mut rest = Vec::new();
            let _ = soon(stream.read_to_end(&mut rest)).await;
        }
    }
    logs.warned("TLS: ").await;
    assert!(node.up_nodes().is_empty());
    node.stop().await;
}
