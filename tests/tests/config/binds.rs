//! The addresses at which a node listens, and the seeds that it finds.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use aemp::{Node, NodeBuilder, StartError, config::host_name};

use crate::{
    common::{SECRET, up},
    logs::Logs,
};

fn node(id: &str) -> NodeBuilder {
    Node::builder().node_id(id).secret(SECRET)
}

async fn bound(binds: &str) -> Result<Node, StartError> {
    node("a").setting("binds", binds).start().await
}

#[tokio::test]
async fn an_address_that_is_empty_is_a_mistake() {
    let error = node("a")
        .bind("127.0.0.1:*")
        .bind("")
        .start()
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "binds: element 2: an address is missing: the text is empty"
    );
    // An empty list is one way to say that a node does not listen.
    let private = bound("").await.unwrap();
    assert!(private.listeners().is_empty());
}

/// A zone may be the name of an interface, which the system looks up.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_zone_is_a_number_or_a_name() {
    let error = bound("[fe80::1%no-such-0]:0").await.unwrap_err();
    assert!(error.to_string().contains("[fe80::1%no-such-0]"), "{error}");
    let local = bound("[::1%lo]:*").await;
    if let Ok(node) = local {
        assert!(sockets(&node)[0].ip().is_loopback());
    }
}

fn sockets(node: &Node) -> Vec<SocketAddr> {
    let listeners = node.listeners();
    listeners
        .iter()
        .map(|listener| listener.parse().unwrap())
        .collect()
}

/// A port that is free on all addresses, and that the system does not choose for another socket meanwhile.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        // Tests of other processes begin elsewhere.
        let start = u16::try_from(std::process::id() % 100).unwrap() * 100;
        let port = 20_000 + (start + next) % 10_000;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

#[tokio::test]
async fn a_star_stands_for_every_address_but_loopback() {
    let logs = Logs::catch();
    for (text, wanted) in [
        ("*", None),
        ("*:*", None),
        (&format!("*:{}", free_port()), Some(())),
    ] {
        let a = bound(text).await.unwrap();
        let listeners = sockets(&a);
        if listeners.is_empty() {
            logs.warned("this machine has none").await;
            continue;
        }
        for listener in &listeners {
            assert!(!listener.ip().is_loopback() && !listener.ip().is_unspecified());
            assert_ne!(listener.port(), 0);
            if wanted.is_some() {
                assert_eq!(
                    Some(listener.port().to_string().as_str()),
                    text.strip_prefix("*:")
                );
            }
            let b = node("b").seed(listener.to_string()).start().await.unwrap();
            up(&b, "a").await;
            b.stop().await;
        }
        assert!(listeners.is_sorted_by_key(SocketAddr::is_ipv6));
        a.stop().await;
    }
}

#[tokio::test]
async fn several_addresses_each_have_a_listener() {
    let a = bound("127.0.0.1:0,localhost,127.0.0.1:*").await.unwrap();
    let listeners = sockets(&a);
    assert!(listeners.len() >= 3, "{listeners:?}");
    for (i, listener) in listeners.iter().enumerate() {
        assert!(listener.ip().is_loopback() && listener.port() != 0);
        assert!(!listeners[..i].contains(listener));
        let b = node("b").seed(listener.to_string()).start().await.unwrap();
        up(&b, "a").await;
        b.stop().await;
    }
    a.stop().await;
}

#[tokio::test]
async fn ipv6_has_brackets() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    for text in ["[::1]:0", "::1", "[::1]:*"] {
        let a = bound(text).await.unwrap();
        let listener = a.listeners().remove(0);
        assert!(
            listener.starts_with("[::1]:") && !listener.ends_with(":0"),
            "{listener}"
        );
        let b = node("b").seed(listener).start().await.unwrap();
        up(&b, "a").await;
        b.stop().await;
        a.stop().await;
    }
}

#[tokio::test]
async fn a_bare_number_is_a_port_on_the_host_s_own_name() {
    let port = free_port();
    match bound(&port.to_string()).await {
        Ok(a) => {
            assert!(sockets(&a).iter().all(|listener| listener.port() == port));
            let b = node("b").seed(port.to_string()).start().await.unwrap();
            up(&b, "a").await;
            b.stop().await;
            a.stop().await;
        }
        // The host does not know its own name.
        Err(error) => {
            let start = format!("cannot listen on {}:{port}: ", host_name());
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }
}

#[tokio::test]
async fn seeds_may_be_names() {
    let a = bound("localhost:0").await.unwrap();
    let port = sockets(&a)[0].port();
    let b = node("b")
        .seed(format!("localhost:{port}"))
        .start()
        .await
        .unwrap();
    up(&b, "a").await;
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn a_star_as_a_seed_stands_for_this_machine() {
    let a = bound("*:0").await.unwrap();
    if let Some(first) = sockets(&a).first() {
        let b = node("b")
            .seed(format!("*:{}", first.port()))
            .start()
            .await
            .unwrap();
        up(&b, "a").await;
        b.stop().await;
    }
    a.stop().await;
}

#[tokio::test]
async fn unreachable_addresses_are_not_announced() {
    let a = bound("0.0.0.0:0").await.unwrap();
    let listeners = sockets(&a);
    assert!(!listeners.is_empty());
    for listener in &listeners {
        assert!(
            listener.is_ipv4() && !listener.ip().is_unspecified(),
            "{listener}"
        );
        assert_eq!(listener.port(), listeners[0].port());
        let b = node("b").seed(listener.to_string()).start().await.unwrap();
        up(&b, "a").await;
        b.stop().await;
    }
    a.stop().await;
}

#[tokio::test]
async fn the_same_port_twice_is_no_error() {
    let port = free_port();
    let a = bound(&format!(
        "127.0.0.1:{port},localhost:{port},127.0.0.1:{port}"
    ))
    .await
    .unwrap();
    let listeners = a.listeners();
    let first = format!("127.0.0.1:{port}");
    assert_eq!(
        listeners
            .iter()
            .filter(|listener| **listener == first)
            .count(),
        1
    );
    a.stop().await;
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = bound(&format!("127.0.0.1:{port}"))
        .await
        .unwrap_err()
        .to_string();
    let start = format!("cannot listen on 127.0.0.1:{port}: Address already in use");
    assert!(error.starts_with(&start), "{error}");
    let free = free_port();
    let error = bound(&format!("127.0.0.1:{free},localhost:{port}"))
        .await
        .unwrap_err();
    let text = error.to_string();
    let start = format!("cannot listen on localhost:{port} (127.0.0.1:{port}): Address");
    assert!(text.starts_with(&start), "{text}");
    // The address that was bound before the error is free again.
    TcpListener::bind(("127.0.0.1", free)).unwrap();
}

#[tokio::test]
async fn an_unknown_name_is_named_in_the_error() {
    let error = bound("no-such-host.invalid:4040")
        .await
        .unwrap_err()
        .to_string();
    let start = "cannot listen on no-such-host.invalid:4040: ";
    assert!(error.starts_with(start), "{error}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    // TEST-NET-3: an address of no machine.
    let error = bound("203.0.113.77:0").await.unwrap_err().to_string();
    let start = "cannot listen on 203.0.113.77:* (203.0.113.77:0): ";
    assert!(error.starts_with(start), "{error}");
}

#[tokio::test]
async fn an_unknown_seed_is_logged_and_the_node_starts() {
    let logs = Logs::catch();
    let a = node("a")
        .seed("no-such-host.invalid:4040")
        .bind("127.0.0.1:0");
    let a = a.start().await.unwrap();
    logs.expect("no-such-host.invalid:4040").await;
    let b = node("b")
        .seed(a.listeners().remove(0))
        .start()
        .await
        .unwrap();
    up(&b, "a").await;
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn a_node_without_binds_does_not_listen() {
    let a = node("a").start().await.unwrap();
    assert_eq!(a.listeners(), [""; 0]);
    let b = bound("").await.unwrap();
    assert_eq!(b.listeners(), [""; 0]);
}
