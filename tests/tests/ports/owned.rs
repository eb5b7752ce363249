//! Ports that end with their handles.

use std::future::pending;

use aemp::{CallError, Cx, Node, Owned, WeakHandle, cal, port, snd, test};

use crate::{Journal, Recorder, RecorderRef, node, on_both, settle, within};

/// Ends with its handles, and records its messages in a journal.
#[derive(Default)]
struct Cart {
    journal: Journal,
    me: Option<CartRef>,
}

#[port(owned)]
impl Cart {
    #[rcv]
    fn add(&mut self, item: String) {
        self.journal.note(item);
    }

    #[rcv]
    async fn slow(&mut self) -> u8 {
        tokio::task::yield_now().await;
        self.journal.note("slow");
        1
    }

    #[rcv]
    async fn hang(&mut self) {
        pending().await
    }

    #[rcv]
    fn keep_yourself(&mut self, cx: &mut Cx<'_>) -> bool {
        self.me = cx.me();
        self.me.is_some()
    }

    #[rcv]
    fn let_go(&mut self) {
        self.me = None;
    }

    #[rcv]
    fn end(&mut self, cx: &mut Cx<'_>) {
        let me: CartRef = cx.me().unwrap();
        me.kill("enough");
        self.journal.note("returned");
    }

    #[stop]
    fn stop(&mut self) {
        self.journal.note("stopped");
    }
}

fn cart(node: &Node) -> (CartRef, Journal) {
    let journal = Journal::default();
    let cart = Cart {
        journal: journal.clone(),
        me: None,
    };
    (node.port(cart), journal)
}

#[test]
fn dropping_an_owned_handle_stops_the_port() {
    on_both(|| async {
        let (node, journal) = (node(), Journal::default());
        let owned = Owned::new(node.port(Recorder::new(&journal)));
        let other: RecorderRef = owned.clone();
        owned.add(1);
        drop(owned);
        assert!(within(other.closed()).await.is_normal());
        assert_eq!(journal.take(), ["1"]);
        let kept = Owned::new(node.port(Recorder::new(&journal))).release();
        settle(&kept).await;
        assert_eq!(within(kept.count()).await.unwrap(), 0);
    });
}

#[test]
fn a_port_ends_with_its_last_handle_after_its_queue() {
    on_both(|| async {
        let node = node();
        let (cart, journal) = cart(&node);
        let (other, closed) = (cart.clone(), cart.closed());
        drop(cart);
        for item in ["a", "b"] {
            other.add(item.into());
        }
        drop(tokio::spawn(other.slow()).await.unwrap());
        other.add("c".into());
        drop(other);
        assert!(within(closed).await.is_normal());
        assert_eq!(journal.take(), ["a", "b", "slow", "c", "stopped"]);
        assert_eq!(node.port_count(), 0);
    });
}

#[test]
fn an_owned_port_without_a_holder_ends_at_once() {
    on_both(|| async {
        let node = node();
        let (cart, _) = cart(&node);
        let id = cart.id();
        drop(cart);
        let reason = within(node.closed(&id)).await;
        assert!(reason.is_normal() || reason.kind() == "no_such_port");
        assert_eq!(node.port_count(), 0);
    });
}

#[test]
fn a_call_that_has_not_ended_holds_the_port() {
    on_both(|| async {
        let (cart, journal) = cart(&node());
        let call = cart.slow();
        let closed = cart.closed();
        drop(cart);
        assert_eq!(within(call).await.unwrap(), 1);
        assert!(within(closed).await.is_normal());
        assert_eq!(journal.take(), ["slow", "stopped"]);
    });
}

#[test]
fn handles_of_the_id_and_of_the_port_itself_count() {
    on_both(|| async {
        let node = node();
        let (cart, journal) = cart(&node);
        let again: CartRef = node.handle(&cart.id());
        drop(cart);
        again.add("a".into());
        settle(&again).await;
        assert!(within(again.keep_yourself()).await.unwrap());
        let (id, closed) = (again.id(), again.closed());
        drop(again);
        // It holds itself, until it lets go.
        within(cal!(node, id, "slow")).await.unwrap();
        assert_eq!(journal.take(), ["a", "slow"]);
        snd!(node, id, "let_go");
        assert!(within(closed).await.is_normal());
        assert_eq!(journal.take(), ["stopped"]);
    });
}

#[test]
fn weak_handles_monitors_and_ids_do_not_count() {
    on_both(|| async {
        let node = node();
        let (cart, _) = cart(&node);
        let (weak, id) = (WeakHandle::new(&cart), cart.id());
        let (tell, told) = tokio::sync::oneshot::channel();
        let monitor = cart.monitor(move |reason| drop(tell.send(reason.clone())));
        let second = cart.monitor(|_| panic!("it has been dropped"));
        assert_eq!(weak.upgrade::<CartRef>().unwrap().id(), id);
        drop(cart);
        // The guard works without the handles.
        drop(second);
        assert!(within(told).await.unwrap().is_normal());
        assert_eq!(weak.clone().upgrade::<CartRef>(), None);
        drop(monitor);
        // Nor does an ID bring it back.
        let gone: CartRef = node.handle(&id);
        assert!(matches!(within(gone.slow()).await, Err(CallError::Died(_))));
        // Weak handles of ordinary ports hear of the end.
        let port = node.port(Recorder::default());
        let weak = WeakHandle::new(&port);
        assert!(weak.upgrade::<RecorderRef>().is_some());
        port.kill("enough");
        within(port.closed()).await;
        assert_eq!(weak.upgrade::<RecorderRef>(), None);
    });
}

#[test]
fn it_is_killed_stopped_and_cut_like_others() {
    on_both(|| async {
        let node = node();
        let (first, journal) = cart(&node);
        // A kill of itself by its own handle ends it when the handler returns.
        first.end();
        first.add("late".into());
        assert_eq!(within(first.closed()).await.to_string(), "enough");
        assert_eq!(journal.take(), ["returned", "stopped"]);
        let (second, _) = cart(&node);
        second.hang();
        second.stop_within(std::time::Duration::from_millis(5));
        let closed = second.closed();
        drop(second);
        assert_eq!(within(closed).await.kind(), "killed");
    });
}

#[test]
fn handles_on_other_nodes_do_not_count() {
    let mut sim = test::network(["a", "b"]);
    let (here, journal) = cart(sim.node("a").unwrap());
    let far: CartRef = sim.node("b").unwrap().handle(&here.id());
    assert_eq!(sim.block_on(far.slow()).unwrap(), 1);
    drop(here);
    assert!(sim.block_on(far.closed()).is_normal());
    assert!(matches!(sim.block_on(far.slow()), Err(CallError::Died(_))));
    assert_eq!(journal.take(), ["slow", "stopped"]);
    // `Owned` works from there.
    let port = sim.node("a").unwrap().port(Recorder::default());
    let owned = Owned::new(sim.node("b").unwrap().handle::<RecorderRef>(&port.id()));
    drop(owned);
    assert!(sim.block_on(port.closed()).is_normal());
}
