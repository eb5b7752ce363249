//! Monitors in all forms: when they fire, and when they do not.

use std::sync::Arc;

use aemp::{Args, Cx, Handle, Monitor, PortId, UntypedMsg, args, msg, port};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{
    Journal, Recorder, RecorderRef, death, death_by, node, on_both, settle, texts, watch, within,
};

/// Monitors from its own context.
struct Watcher {
    kept: Vec<Monitor>,
}

#[port]
impl Watcher {
    #[rcv]
    fn link_to(&mut self, cx: &mut Cx<'_>, port: RecorderRef) {
        self.kept.push(cx.link(&port));
    }

    #[rcv]
    fn link_id(&mut self, cx: &mut Cx<'_>, port: PortId) {
        self.kept.push(cx.link_id(&port));
    }

    #[rcv]
    fn unlink(&mut self) {
        self.kept.clear();
    }
}

/// A port that passes its messages on.
fn listener(node: &aemp::Node) -> (Handle<UntypedMsg>, UnboundedReceiver<Vec<String>>) {
    let (tell, told) = unbounded_channel();
    let port = node.untyped(move |_: &mut Cx<'_>, message: Args| drop(tell.send(texts(&message))));
    (port, told)
}

#[test]
fn of_all_four_forms_fire_once() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let id = port.id();
        let journal = Journal::default();
        let (listener, mut heard) = listener(&node);
        let linked = [(); 4].map(|()| node.port(Watcher { kept: Vec::new() }));
        let ends: Vec<_> = linked.iter().map(|watcher| watch(watcher)).collect();

        let (notes, more) = (journal.clone(), journal.clone());
        port.monitor(move |reason| notes.note(format!("handle: {reason}")))
            .detach();
        node.mon(&id, move |reason| more.note(format!("id: {reason}")))
            .detach();
        port.monitor_send(&listener.id(), msg!["died", 1]).detach();
        node.mon_snd(&id, &listener.id(), msg!["died", 2]).detach();
        port.link(&linked[0]).detach();
        node.mon_kil(&id, &linked[1].id()).detach();
        linked[2].link_to(port.clone());
        linked[3].link_id(id.clone());
        settle(&linked[2]).await;
        settle(&linked[3]).await;

        port.kill(args!["reason", 5]);
        for end in ends {
            assert_eq!(within(end).await.unwrap().to_string(), "reason 5");
        }
        let died = |n: &str| ["died", n, "reason", "5"].map(String::from).to_vec();
        assert_eq!(within(heard.recv()).await, Some(died("1")));
        assert_eq!(within(heard.recv()).await, Some(died("2")));
        port.kill("again");
        settle(&listener).await;
        assert!(heard.try_recv().is_err(), "fired twice");
        assert_eq!(journal.take(), ["handle: reason 5", "id: reason 5"]);
        assert_eq!(node.port_count(), 1);
    });
}

#[test]
fn links_do_not_pass_a_normal_end_on() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let linked = [(); 4].map(|()| node.port(Watcher { kept: Vec::new() }));
        port.link(&linked[0]).detach();
        node.mon_kil(&port.id(), &linked[1].id()).detach();
        linked[2].link_to(port.clone());
        linked[3].link_id(port.id());
        for watcher in &linked {
            settle(watcher).await;
        }
        let (listener, mut heard) = listener(&node);
        port.monitor_send(&listener.id(), msg!["died"]).detach();
        let reason = death_by(&port, || port.kill(())).await;
        assert_eq!(reason, "normal");
        assert_eq!(within(heard.recv()).await, Some(vec!["died".into()]));
        for watcher in &linked {
            settle(watcher).await;
            assert!(watcher.queue_len().is_some(), "a normal end was passed on");
        }
        assert_eq!(node.port_count(), 5);
    });
}

#[test]
fn of_unknown_ports_fire_at_once() {
    on_both(|| async {
        let node = node();
        let dead = node.port(Recorder::default());
        let id = dead.id();
        dead.kill("long ago");
        death(&dead).await;
        let expected = format!("no_such_port cannot monitor nonexistent port {id}");
        assert_eq!(death(&dead).await, "long ago", "its handle knows");
        // Its monitors fire before it is forgotten.
        while node.port_count() > 0 {
            tokio::task::yield_now().await;
        }
        let far: RecorderRef = node.handle(&id);
        assert_eq!(death(&far).await, expected);
        let unknown: RecorderRef = node.handle(&PortId::parse("#nobody").unwrap());
        assert_eq!(
            death(&unknown).await,
            "no_such_port cannot monitor nonexistent port #nobody"
        );
        let (listener, mut heard) = listener(&node);
        node.mon_snd(&id, &listener.id(), msg!["died"]).detach();
        let text = "cannot monitor nonexistent port";
        let message = ["died", "no_such_port", text, id.as_str()];
        assert_eq!(within(heard.recv()).await.unwrap(), message);
        let linked = [(); 3].map(|()| node.port(Watcher { kept: Vec::new() }));
        dead.link(&linked[0]).detach();
        linked[1].link_to(dead.clone());
        linked[2].link_id(id);
        settle(&linked[0]).await;
        settle(&linked[1]).await;
        settle(&linked[2]).await;
        assert_eq!(node.port_count(), 1, "those that were linked are gone");
    });
}

#[test]
fn are_cancelled_with_their_guards() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let (listener, mut heard) = listener(&node);
        let linked = [(); 2].map(|()| node.port(Watcher { kept: Vec::new() }));
        let probe = Arc::new(());
        let held = Arc::clone(&probe);
        let guards = [
            port.monitor(move |_| panic!("fired, with {held:?}")),
            port.monitor_send(&listener.id(), msg!["fired"]),
            port.link(&linked[0]),
        ];
        linked[1].link_to(port.clone());
        linked[1].unlink();
        settle(&linked[1]).await;
        drop(guards);
        assert_eq!(Arc::strong_count(&probe), 1, "the callback is dropped");
        let last = watch(&port);
        port.kill("unheard");
        within(last).await.unwrap();
        settle(&listener).await;
        assert!(heard.try_recv().is_err());
        settle(&linked[0]).await;
        assert_eq!(node.port_count(), 3);
    });
}

#[tokio::test]
async fn guards_may_outlive_their_ports() {
    let node = node();
    let port = node.port(Recorder::default());
    let journal = Journal::default();
    let notes = journal.clone();
    let guard = port.monitor(move |reason| notes.note(reason));
    port.kill("fired");
    settle(&port).await;
    drop(guard);
    let guard = port.monitor(|_| ());
    drop(guard);
    assert_eq!(journal.take(), ["fired"]);
}

#[tokio::test]
async fn one_of_many_is_cancelled_alone() {
    let node = node();
    let port = node.port(Recorder::default());
    let journal = Journal::default();
    let mut guards: Vec<Monitor> = (0..6)
        .map(|n| {
            let notes = journal.clone();
            port.monitor(move |_| notes.note(n))
        })
        .collect();
    drop(guards.remove(2));
    drop(guards.remove(3));
    port.kill(());
    death(&port).await;
    assert_eq!(journal.take(), ["0", "1", "3", "5"]);
}

#[test]
fn guarded_values_are_dropped_with_the_port() {
    on_both(|| async {
        let node = node();
        let probe = Arc::new(());
        let port = node.port(Recorder::default());
        port.monitor_guard((Arc::clone(&probe), "and more"))
            .detach();
        let inside = Arc::clone(&probe);
        port.peval(move |cx: &mut Cx<'_>| cx.monitor_guard(inside).detach());
        settle(&port).await;
        assert_eq!(Arc::strong_count(&probe), 3);
        port.kill(());
        death(&port).await;
        assert_eq!(Arc::strong_count(&probe), 1);
        port.monitor_guard(Arc::clone(&probe)).detach();
        assert_eq!(Arc::strong_count(&probe), 1, "the dead guard nothing");
        let far: RecorderRef = node.handle(&PortId::parse("elsewhere#port").unwrap());
        far.monitor_guard(Arc::clone(&probe)).detach();
        assert_eq!(Arc::strong_count(&probe), 1, "nor do others' ports");
    });
}

#[test]
fn chains_of_links_fall_together() {
    on_both(|| async {
        let node = node();
        let ports: Vec<RecorderRef> = (0..500).map(|_| node.port(Recorder::default())).collect();
        for pair in ports.windows(2) {
            pair[0].link(&pair[1]).detach();
        }
        ports[499].link(&ports[0]).detach();
        let last = watch(&ports[499]);
        ports[0].kill("domino");
        assert_eq!(within(last).await.unwrap().to_string(), "domino");
        assert_eq!(node.port_count(), 0);
    });
}
