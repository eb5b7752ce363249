//! Nodes that dial each other at the same moment end with one connection (`aemp_proto::protocol::handshake`, "One connection per pair").

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aemp::{Node, NodesMonitor, msg, snd};

use crate::{
    common::{Inbox, SECRET, soon, until, watch},
    nodes::{address, listening, node_port, start},
    proxy::Proxy,
};

/// Counts the ups and downs of other nodes.
fn count(node: &Node) -> (NodesMonitor, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let observer = node.mon_nodes(move |_, _, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (observer, count)
}

/// Both send at once, each knowing the other's address: no message is lost, and neither node is reported as down.
async fn both_send(round: usize) {
    let (a, b) = (start(listening("a")).await, start(listening("b")).await);
    let (to_a, to_b) = (Proxy::to(address(&a)).await, Proxy::to(address(&b)).await);
    let ((_a, ups_of_a), (_b, ups_of_b)) = (count(&a), count(&b));
    let (mut at_a, mut at_b) = (Inbox::new(&a), Inbox::new(&b));
    a.learn(b.id(), to_b.address());
    b.learn(a.id(), to_a.address());
    let dial = |from: Node, to: aemp::PortId| {
        tokio::spawn(async move {
            // Now one is ahead, now the other.
            for _ in 0..round % 5 {
                tokio::task::yield_now().await;
            }
            (0..20).for_each(|n| drop(snd!(from, to, n)));
        })
    };
    let (first, second) = (
        dial(a.clone(), at_b.id.clone()),
        dial(b.clone(), at_a.id.clone()),
    );
    soon(first).await.unwrap();
    soon(second).await.unwrap();
    for n in 0..20 {
        assert_eq!(at_a.next().await, msg![n], "round {round}");
        assert_eq!(at_b.next().await, msg![n], "round {round}");
    }
    until(|| to_a.open() + to_b.open() == 1).await;
    for ups in [&ups_of_a, &ups_of_b] {
        until(|| ups.load(Ordering::Relaxed) > 0).await;
    }
    assert_eq!(ups_of_a.load(Ordering::Relaxed), 1, "round {round}");
    assert_eq!(ups_of_b.load(Ordering::Relaxed), 1, "round {round}");
}

#[tokio::test]
async fn when_both_send_at_once() {
    for round in 0..60 {
        both_send(round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_both_send_at_once_on_two_threads() {
    for round in 0..60 {
        both_send(round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_each_is_the_others_seed() {
    for round in 0..40 {
        let (at_a, at_b) = (aemp_tests::free_address(), aemp_tests::free_address());
        let (to_a, to_b) = (Proxy::to(at_a.clone()).await, Proxy::to(at_b.clone()).await);
        let node = |id: &str, bind: String, seed: &Proxy| {
            let node = Node::builder().node_id(id).secret(SECRET);
            node.bind(bind).seed(seed.address()).start()
        };
        let (a, b) = tokio::join!(node("a", at_a, &to_b), node("b", at_b, &to_a));
        let (a, b) = (a.unwrap(), b.unwrap());
        let (_a, downs_of_a) = count(&a);
        soon(a.until_up("b")).await;
        soon(b.until_up("a")).await;
        let lost = watch(&a, &node_port(&b));
        let (mut here, mut there) = (Inbox::new(&a), Inbox::new(&b));
        snd!(a, there.id, round);
        assert_eq!(there.next().await, msg![round]);
        snd!(b, here.id, round);
        assert_eq!(here.next().await, msg![round]);
        until(|| to_a.open() + to_b.open() == 1).await;
        assert!(downs_of_a.load(Ordering::Relaxed) <= 1, "round {round}");
        assert_eq!(a.node_is_up("b"), Some(true));
        drop(lost);
        tokio::join!(a.stop(), b.stop());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_five_nodes_all_send_to_each_other() {
    let mut nodes = Vec::new();
    for id in ["a", "b", "c", "d", "e"] {
        nodes.push(start(listening(id)).await);
    }
    let mut inboxes: Vec<_> = nodes.iter().map(Inbox::new).collect();
    let observers: Vec<_> = nodes.iter().map(count).collect();
    for node in &nodes {
        for other in &nodes {
            if node.id() != other.id() {
                node.learn(other.id(), &address(other));
            }
        }
    }
    let ids: Vec<_> = inboxes.iter().map(|inbox| inbox.id.clone()).collect();
    for node in nodes.clone() {
        let ids = ids.clone();
        tokio::spawn(async move {
            for id in ids.iter().filter(|id| !node.port_is_local(id)) {
                snd!(node, id, "from", node.id());
            }
        });
    }
    for inbox in &mut inboxes {
        for _ in 0..4 {
            assert_eq!(inbox.next().await[0], "from".into());
        }
    }
    for (_, ups) in &observers {
        until(|| ups.load(Ordering::Relaxed) >= 4).await;
        assert_eq!(ups.load(Ordering::Relaxed), 4);
    }
}
