//! Watches of other nodes on our ports, and the connections that they belong to.

use aemp_codec::{Format, PacketReader, PortId};

use super::*;
use crate::port::any::AnyPort;
use crate::{
    Args, Cx,
    node::delivery::{Brought, Crowd},
};

/// A node, and another one that seems to be connected to it.
fn connected(conn: u64) -> (Node, Arc<Peer>) {
    let node = Node::local().unwrap();
    let peer = node.peers().of(&node, "other");
    let _ = peer.state().link_up(ConnId(conn), Format::Json);
    (node, peer)
}

fn port(node: &Node) -> (PortId, Arc<dyn AnyPort>) {
    let port = node.untyped(|_: &mut Cx<'_>, _: Args| ()).id();
    let found = node.find(port.name()).unwrap();
    (port, found)
}

fn written(peer: &Peer, conn: u64) -> String {
    let mut out = Vec::new();
    peer.state().swap_output(ConnId(conn), &mut out);
    String::from_utf8(out).unwrap()
}

async fn dead(port: &Arc<dyn AnyPort>) {
    while port.died().is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_watch_ends_with_the_port_and_is_told() {
    let (node, peer) = connected(1);
    let (id, found) = port(&node);
    assert!(peer.monitor_port(&found, id.name(), ConnId(1)));
    assert_eq!(peer.monitored_ports(), 1);
    node.kil(&id, Reason::new(vec!["x".into()]));
    dead(&found).await;
    while peer.monitored_ports() > 0 {
        tokio::task::yield_now().await;
    }
    let told = format!(r#"["","kil0","{}","x"]"#, id.name());
    assert_eq!(written(&peer, 1), told);
}

#[tokio::test]
async fn a_port_that_is_dead_by_now_is_not_entered() {
    let (node, peer) = connected(1);
    let (id, found) = port(&node);
    node.kil(&id, ());
    dead(&found).await;
    assert!(!peer.monitor_port(&found, id.name(), ConnId(1)));
    assert_eq!(peer.monitored_ports(), 0);
}

#[tokio::test]
async fn a_watch_belongs_to_the_connection_that_it_came_over() {
    let (node, peer) = connected(1);
    let (id, found) = port(&node);
    // The connection that the mesh has replaced delivers a last request.
    let _ = peer.state().link_down(ConnId(1));
    let _ = peer.state().link_up(ConnId(2), Format::Json);
    assert!(peer.monitor_port(&found, id.name(), ConnId(1)));
    peer.forget_monitored(ConnId(2));
    assert_eq!(peer.monitored_ports(), 1);
    peer.forget_monitored(ConnId(1));
    assert_eq!(peer.monitored_ports(), 0);
    // The end of the old connection does not concern the new one.
    assert!(peer.monitor_port(&found, id.name(), ConnId(1)));
    node.kil(&id, ());
    dead(&found).await;
    assert_eq!((peer.monitored_ports(), &*written(&peer, 2)), (0, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_that_die_while_they_are_watched_leave_nothing() {
    let (node, peer) = connected(1);
    for _ in 0..300 {
        let (id, found) = port(&node);
        let kill = std::thread::spawn({
            let (node, id) = (node.clone(), id.clone());
            move || node.kil(&id, ())
        });
        let _ = peer.monitor_port(&found, id.name(), ConnId(1));
        kill.join().unwrap();
        dead(&found).await;
    }
    while peer.monitored_ports() > 0 {
        tokio::task::yield_now().await;
    }
}

/// A node without a network reaches no other node, and fires all monitors, also after an overflow.
#[tokio::test]
async fn without_a_network_everything_fires() {
    let node = Node::local().unwrap();
    let peer = node.peers().of(&node, "other");
    let fired = Arc::new(std::sync::Mutex::new(Vec::new()));
    let action = || {
        let fired = Arc::clone(&fired);
        Action::Call(Box::new(move |reason: &Reason| {
            fired.lock().unwrap().push(reason.to_string());
        }))
    };
    peer.monitor("p", action());
    assert_eq!(fired.lock().unwrap().len(), 1);
    peer.monitor("p", action());
    assert_eq!(fired.lock().unwrap().len(), 2);
    assert!(peer.state().is_idle());
}

/// The port does not run meanwhile, because the only worker is the one that delivers.
#[tokio::test]
async fn a_crowd_of_messages_slows_its_sender_down() {
    let (node, peer) = connected(1);
    let (id, _) = port(&node);
    let number = node.find(id.name()).unwrap().number();
    let mut brought = Brought::over(ConnId(1));
    let mut deliver = |messages: usize| {
        for _ in 0..messages {
            let message = vec![id.name().into(), "x".into()];
            let mut packet = PacketReader::values(message);
            node.deliver(&peer, &mut packet, &mut brought).unwrap();
        }
        std::mem::take(&mut brought.crowd)
    };
    assert_eq!(deliver(8_000), Crowd::None);
    assert_eq!(deliver(24_000), Crowd::Small);
    assert_eq!(deliver(2_000), Crowd::Large(number));
}

/// Many connections send a few messages each. None of them need be the one of 1024 that reports the crowd.
#[tokio::test]
async fn a_crowd_that_others_have_made_is_found() {
    let (node, peer) = connected(1);
    let (id, _) = port(&node);
    let number = node.find(id.name()).unwrap().number();
    let deliver = |messages: usize| {
        let mut brought = Brought::over(ConnId(1));
        for _ in 0..messages {
            let message = vec![id.name().into(), "x".into()];
            let mut packet = PacketReader::values(message);
            node.deliver(&peer, &mut packet, &mut brought).unwrap();
        }
        brought
    };
    let look = |mut brought: Brought| {
        let reported = brought.crowd;
        node.look_for_crowd(&mut brought);
        (reported, brought.crowd)
    };
    assert_eq!(look(deliver(8_000)), (Crowd::None, Crowd::None));
    let _ = deliver(1_000);
    assert_eq!(look(deliver(100)), (Crowd::None, Crowd::Small));
    let _ = deliver(24_000);
    assert_eq!(look(deliver(100)), (Crowd::None, Crowd::Large(number)));
    let none = Brought::over(ConnId(1));
    assert_eq!(look(none), (Crowd::None, Crowd::None));
}

/// The other end takes as long for many small packets as for few large ones, so their number counts.
#[tokio::test]
async fn senders_wait_behind_many_small_packets() {
    let (_node, peer) = connected(1);
    let send = || peer.send("p", |out| out.str("x")).unwrap();
    (0..ROOM_PACKETS).for_each(|_| send());
    peer.room().await;
    send();
    let mut room = std::pin::pin!(peer.room());
    let waiting =
        std::future::poll_fn(|task| std::task::Poll::Ready(room.as_mut().poll(task).is_pending()));
    assert!(waiting.await);
    written(&peer, 1);
    peer.queue_shrunk();
    room.await;
}
