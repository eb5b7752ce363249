//! A node that comes back under the same ID is another one.

use aemp::{Node, PortId, args, msg, snd};

use crate::{
    common::{Inbox, SECRET, soon, until, watch},
    nodes::{CounterRef, listening, node_port, start},
};

async fn incarnation(address: &str) -> Node {
    let b = Node::builder().node_id("b").secret(SECRET).bind(address);
    start(b).await
}

#[tokio::test]
async fn messages_to_ports_of_an_earlier_run_vanish() {
    let at = aemp_tests::free_address();
    let a = start(listening("a").seed(&at)).await;
    let b = incarnation(&at).await;
    soon(a.until_up("b")).await;
    let mut old: Vec<PortId> = (0..50).map(|_| Inbox::new(&b).id).collect();
    old.extend((0..50).map(|n| a.spawn("b", "Net::counter", args![n])));
    let last: CounterRef = a.handle(&old[99]);
    assert_eq!(soon(last.get()).await.unwrap(), 49);
    let down = watch(&a, &node_port(&b));
    b.stop().await;
    assert_eq!(down.await.kind(), "transport_error");
    drop(b);

    let b = incarnation(&at).await;
    soon(a.until_up("b")).await;
    let mut inboxes: Vec<_> = (0..100).map(|_| Inbox::new(&b)).collect();
    let fresh: Vec<_> = (0..50)
        .map(|n| a.spawn("b", "Net::counter", args![1000 + n]))
        .collect();
    for id in &old {
        snd!(a, id, "inc", 1);
        assert_eq!(watch(&a, id).await.kind(), "no_such_port");
        assert!(!fresh.contains(id) && inboxes.iter().all(|inbox| inbox.id != *id));
    }
    for (n, id) in fresh.iter().enumerate() {
        let counter: CounterRef = a.handle(id);
        assert_eq!(soon(counter.get()).await.unwrap(), 1000 + n as i64);
    }
    for inbox in &mut inboxes {
        snd!(a, inbox.id, "the first");
        assert_eq!(inbox.next().await, msg!["the first"]);
    }
}

/// The other way round: the node that stayed has forgotten the monitors of the restarted one, and its deaths and
/// answers reach no port there.
#[tokio::test]
async fn the_new_one_hears_nothing_of_the_old_ones_affairs() {
    let at = aemp_tests::free_address();
    let a = start(listening("a").seed(&at)).await;
    let b = incarnation(&at).await;
    soon(a.until_up("b")).await;
    soon(b.until_up("a")).await;
    let inbox = Inbox::new(&a);
    let death = watch(&b, &inbox.id);
    until(|| b.node_is_up("a") == Some(true)).await;
    b.stop().await;
    assert_eq!(death.await.to_string(), "transport_error a node stopped");
    let b = incarnation(&at).await;
    soon(b.until_up("a")).await;
    let mut at_b = Inbox::new(&b);
    a.kil(&inbox.id, "unheard");
    snd!(a, at_b.id, "on");
    assert_eq!(at_b.next().await, msg!["on"]);
    assert_eq!(watch(&b, &inbox.id).await.kind(), "no_such_port");
}
