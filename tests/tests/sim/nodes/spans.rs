//! Contexts that travel over nodes.

use std::time::Duration;

use aemp::{
    CallError, Cx, Node, PortId, Reply, cal, port,
    sim::{Crash, Sim},
    snd,
    span::{SpanContext, Way},
};
use aemp_tests::recorder::{Record, Recorder};

use super::{SECOND, builder, wait_up};

struct Store;

#[port]
impl Store {
    #[rcv]
    fn get(&self, key: String) -> String {
        key + "!"
    }

    #[rcv]
    fn put(&self, _key: String) {}

    #[rcv]
    async fn slow(&mut self) -> bool {
        tokio::time::sleep(SECOND).await;
        SpanContext::current().is_some()
    }
}

struct Front {
    store: StoreRef,
}

#[port]
impl Front {
    #[rcv]
    async fn serve(&mut self, key: String) -> String {
        let got = self.store.get(key.clone()).await;
        self.store.put(key);
        got.unwrap_or_default()
    }

    #[rcv]
    async fn untyped(&mut self, cx: &mut Cx<'_>) -> bool {
        let got = cal!(cx.node(), self.store.id(), "get", "k").await;
        snd!(cx.node(), self.store.id(), "put", "k");
        got.is_ok()
    }

    #[rcv]
    fn pass(&mut self, cx: &mut Cx<'_>, reply: Reply<bool>) {
        cx.then(
            self.store.slow(),
            |_: &mut Self, _, done: Result<bool, CallError>| reply.send(done.unwrap_or(false)),
        );
    }
}

fn only<'a>(all: &'a [Record], name: &str) -> &'a Record {
    let mut named = all.iter().filter(|record| record.name == name);
    let found = named.next().unwrap_or_else(|| panic!("{name}: {all:#?}"));
    assert!(named.next().is_none(), "{name}: {all:#?}");
    found
}

/// Two nodes, with or without tracers, and a front at the second whose store is at the first.
fn pair(sim: &mut Sim, first: Option<&Recorder>, second: Option<&Recorder>) -> (Node, FrontRef) {
    let with = |builder: aemp::NodeBuilder, recorder: Option<&Recorder>| match recorder {
        Some(recorder) => builder.tracer(recorder.clone()),
        None => builder,
    };
    let a = sim.start(with(builder("a"), first)).unwrap();
    let b = sim
        .start(with(builder("b").seed("a:4040"), second))
        .unwrap();
    wait_up(sim, &b, "a");
    wait_up(sim, &a, "b");
    sim.run_for(SECOND);
    let front = sim.block_on(async {
        let store = b.handle(&a.port(Store).id());
        b.port(Front { store })
    });
    (b, front)
}

fn done<T>(sim: &mut Sim, call: impl IntoFuture<Output = Result<T, CallError>>) -> T {
    let done = sim.block_on(call.into_future());
    sim.run_for(SECOND);
    done.unwrap()
}

#[test]
fn a_context_travels_with_calls_and_messages() {
    let recorder = Recorder::default();
    let mut sim = Sim::new(1);
    let (_, front) = pair(&mut sim, Some(&recorder), Some(&recorder));
    assert_eq!(done(&mut sim, front.serve("k".into())), "k!");
    let all = recorder.all();
    let serve = only(&all, "Front.serve");
    assert_eq!((&*serve.node, serve.from.as_deref()), ("b", None));
    let (get, put) = (only(&all, "Store.get"), only(&all, "Store.put"));
    assert!(get.is_child_of(serve) && put.is_linked_to(serve));
    for remote in [get, put] {
        assert_eq!((&*remote.node, remote.from.as_deref()), ("a", Some("b")));
        assert_eq!(remote.end, "returned");
    }
    // Untyped messages, and a call that waits.
    assert!(done(&mut sim, front.untyped()));
    assert!(done(&mut sim, front.pass()));
    let all = recorder.all()[3..].to_vec();
    let untyped = only(&all, "Front.untyped");
    assert!(only(&all, "Store.get").is_child_of(untyped));
    assert!(only(&all, "Store.put").is_linked_to(untyped));
    let slow = only(&all, "Store.slow");
    assert!(slow.is_child_of(only(&all, "Front.pass")));
    assert!(slow.took >= SECOND);
}

/// A node without a tracer offers nothing, so it gets the packets of a network without traces.
#[test]
fn a_context_travels_only_between_nodes_with_tracers() {
    for traced in [[true, false], [false, true]] {
        let recorder = Recorder::default();
        let mut sim = Sim::new(2);
        let [first, second] = traced.map(|traced| traced.then_some(&recorder));
        let (_, front) = pair(&mut sim, first, second);
        assert_eq!(done(&mut sim, front.serve("k".into())), "k!");
        let all = recorder.all();
        match traced {
            [true, _] => {
                let get = only(&all, "Store.get");
                assert_eq!((get.way, get.sender.as_ref()), (Way::Unknown, None));
                assert_eq!(get.from.as_deref(), Some("b"));
            }
            _ => assert_eq!(all.len(), 1, "{all:#?}"),
        }
    }
}

/// The decision not to sample travels with calls. A one-way message begins a trace of its own.
#[test]
fn an_unsampled_decision_travels_with_calls() {
    let recorder = Recorder::without(&[], &["Front.serve"]);
    let mut sim = Sim::new(3);
    let (_, front) = pair(&mut sim, Some(&recorder), Some(&recorder));
    assert_eq!(done(&mut sim, front.serve("k".into())), "k!");
    let all = recorder.all();
    assert!(!only(&all, "Front.serve").context.is_sampled());
    let called = only(&all, "Store.get");
    assert_eq!(called.way, Way::Called);
    let caller = called.sender.as_ref().expect("the decision has travelled");
    assert!(!caller.is_sampled());
    let sent = only(&all, "Store.put");
    assert_eq!((sent.way, sent.sender.as_ref()), (Way::Unknown, None));
}

/// After a connection is lost, and messages have waited for the next one, everything arrives, and contexts travel again.
#[test]
fn a_context_travels_over_the_next_connection() {
    for seed in 0..20 {
        let recorder = Recorder::default();
        let mut sim = Sim::new(seed);
        let (b, front) = pair(&mut sim, Some(&recorder), Some(&recorder));
        sim.cut("a", "b");
        sim.run_for(Duration::from_millis(seed * 97));
        let told = super::Told::new();
        for _ in 0..3 {
            let (tell, call) = (told.clone(), front.serve("k".into()));
            sim.block_on(async {
                drop(tokio::spawn(async move { tell.tell(call.await.is_ok()) }))
            });
        }
        sim.run_for(SECOND);
        sim.heal();
        assert!(sim.run_until(60 * SECOND, || told.all().len() == 3));
        wait_up(&mut sim, &b, "a");
        sim.run_for(SECOND);
        let before = recorder.all().len();
        assert_eq!(done(&mut sim, front.serve("k".into())), "k!");
        let all = recorder.all()[before..].to_vec();
        let serve = only(&all, "Front.serve");
        assert!(only(&all, "Store.get").is_child_of(serve));
        assert!(only(&all, "Store.put").is_linked_to(serve));
    }
}

/// Connections that come again are events. So are monitors that fire for a node.
#[test]
fn losses_are_events() {
    let recorder = Recorder::default();
    let mut sim = Sim::new(5);
    let (b, _) = pair(&mut sim, None, Some(&recorder));
    let absent = PortId::parse("a#nothing").unwrap();
    b.mon(&absent, |_| ()).detach();
    b.mon(&PortId::parse("a").unwrap(), |_| ()).detach();
    sim.crash("a", Crash::Machine);
    assert!(sim.run_until(60 * SECOND, || b.node_is_up("a") != Some(true)));
    sim.run_for(SECOND);
    let events = recorder.events();
    assert_eq!(&*events[0], "connect a");
    for event in ["disconnect a", "monitor transport_error"] {
        assert!(
            events.iter().any(|told| told.starts_with(event)),
            "{event}: {events:?}"
        );
    }
    sim.restart("a").unwrap();
    wait_up(&mut sim, &b, "a");
    sim.run_for(SECOND);
    assert!(recorder.events().iter().any(|told| told == "reconnect a"));
}
