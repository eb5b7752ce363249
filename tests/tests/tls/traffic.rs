//! The traffic of connections in TLS, and its fate when they end.

use std::time::Duration;

use aemp::{PortId, Value, msg, snd};

use crate::{
    certificates::{address, builder, pair, shared, start},
    common::{Inbox, soon, until, watch},
    proxy::Proxy,
};

/// Each sends more than any buffer between them holds before it reads, and none waits for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_goes_both_ways_at_once() {
    let cert = shared();
    let big = |builder: aemp::NodeBuilder| builder.max_queue_bytes(256 << 20);
    let [a, b] = pair(big(builder("a", &cert)), big(builder("b", &cert))).await;
    let (mut at_a, mut at_b) = (Inbox::new(&a), Inbox::new(&b));
    let text = |n: usize| "x".repeat([0, 1, 100, 5_000, 16_384, 70_000, 300_000][n % 7] + n % 3);
    for n in 0..200 {
        snd!(a, at_b.id, n as i64, text(n));
        snd!(b, at_a.id, n as i64, text(n));
    }
    for n in 0..200 {
        let expected = msg![n as i64, text(n)];
        assert!(
            at_a.next().await == expected && at_b.next().await == expected,
            "{n}"
        );
    }
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn small_ones_arrive_at_once() {
    let cert = shared();
    let [a, b] = pair(builder("a", &cert), builder("b", &cert)).await;
    let mut inbox = Inbox::new(&a);
    for n in 0..300_i64 {
        snd!(b, inbox.id, n);
        assert_eq!(inbox.next().await, msg![n]);
    }
    b.stop().await;
    a.stop().await;
}

/// Keepalives are in TLS, too, and count as life.
#[tokio::test]
async fn a_quiet_connection_lives() {
    let cert = shared();
    let quick = |id| builder(id, &cert).monitor_timeout(Duration::from_millis(300));
    let [a, b] = pair(quick("a"), quick("b")).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let _observer = a.mon_nodes(move |node, up, _| drop(tell.send((node.to_string(), up))));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let down = std::iter::from_fn(|| told.try_recv().ok()).find(|(_, up)| !up);
    assert_eq!(down, None);
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn a_stopping_node_closes_tls_after_its_last_packet() {
    let cert = shared();
    let [a, b] = pair(builder("a", &cert), builder("b", &cert)).await;
    let mut inbox = Inbox::new(&a);
    let last = Inbox::new(&b);
    let death = watch(&a, &last.id);
    let _ = soon(aemp::cal!(a, PortId::parse("b").unwrap(), "time")).await;
    snd!(b, inbox.id, "last", "x".repeat(1 << 20));
    b.stop().await;
    assert_eq!(inbox.next().await[0], Value::from("last"));
    soon(death).await;
    a.stop().await;
}

/// Cut wherever it happens to be, most often in the middle of a record.
#[tokio::test]
async fn a_cut_connection_leaves_no_hole() {
    let cert = shared();
    let a = start(builder("a", &cert)).await;
    let proxy = Proxy::to(address(&a)).await;
    let b = start(builder("b", &cert).seed(proxy.address())).await;
    for round in 0..4_i64 {
        soon(b.until_up("a")).await;
        soon(a.until_up("b")).await;
        let mut inbox = Inbox::new(&a);
        let mut death = Box::pin(watch(&b, &inbox.id));
        let text = "x".repeat(3000);
        for n in 0..2000_i64 {
            snd!(b, inbox.id, n, &text);
        }
        // Some of it has arrived.
        assert_eq!(inbox.next().await[0], Value::from(0));
        tokio::time::sleep(Duration::from_millis(3 * round as u64)).await;
        assert_eq!(proxy.open(), 1);
        proxy.cut();
        let reason = soon(&mut death).await;
        assert_eq!(reason.kind(), "transport_error");
        let (mut next, mut closed) = (1_i64, false);
        let mut again = Box::pin(watch(&b, &inbox.id));
        snd!(b, inbox.id, -1);
        while !closed {
            tokio::select! {
                message = inbox.next() => match message[0].as_i64() {
                    Some(-1) => closed = true,
                    number => assert_eq!(number, Some(next)),
                },
                // `a` is still busy with the data before the cut, and has refused a second connection.
                _ = &mut again => {
                    again = Box::pin(watch(&b, &inbox.id));
                    snd!(b, inbox.id, -1);
                    continue;
                }
            }
            next += 1;
        }
    }
    b.stop().await;
    a.stop().await;
}

/// Both ends of a connection in TLS notice that nothing goes over it any more.
#[tokio::test]
async fn a_dead_wire_is_noticed() {
    let cert = shared();
    let quick = |id| builder(id, &cert).monitor_timeout(Duration::from_millis(400));
    let a = start(quick("a")).await;
    let proxy = Proxy::to(address(&a)).await;
    let b = start(quick("b").seed(proxy.address())).await;
    soon(b.until_up("a")).await;
    proxy.go_dead();
    until(|| b.up_nodes().is_empty() && a.up_nodes().is_empty()).await;
    b.stop().await;
    a.stop().await;
}
