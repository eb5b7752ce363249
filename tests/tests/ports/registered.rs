//! Names that a node has for its own ports.

use std::time::Duration;

use aemp::{
    Node,
    names::{ClaimEnd, ClaimError, ClaimState, RegisterError, WhereisError},
    port, test,
};

use crate::{Recorder, RecorderRef, node, on_both, settle, until, watch, within};

struct Other;

#[port]
impl Other {
    #[rcv]
    fn nothing(&self) {}
}

#[derive(Default)]
struct Session;

#[port(owned)]
impl Session {
    #[rcv]
    fn number(&self) -> u8 {
        7
    }
}

/// Is busy until its gate opens.
#[derive(Clone)]
struct Slow(tokio::sync::watch::Receiver<bool>);

#[port]
impl Slow {
    #[rcv(concurrent = 2)]
    async fn wait(&self) {
        let mut gate = self.0.clone();
        let _ = gate.wait_for(|is_open| *is_open).await;
    }
}

#[test]
fn a_port_that_was_stopped_and_has_not_ended_has_no_name() {
    on_both(|| async {
        let node = node();
        let (open, gate) = tokio::sync::watch::channel(false);
        let first = node.port(Slow(gate.clone()));
        node.register("slow", &first).unwrap();
        first.wait();
        // Here, in the port, in the handler's copy of its state, and in the handler.
        until(|| open.receiver_count() == 4).await;
        let mut ended = watch(&first);
        first.stop();
        until(|| node.whereis::<SlowRef>("slow").is_err()).await;
        assert!(ended.try_recv().is_err(), "it waits for its handler");
        let error = node.register("other", &first);
        assert_eq!(error, Err(RegisterError::Dead(first.id())));
        let second = node.port(Slow(gate));
        node.register("slow", &second).unwrap();
        open.send_replace(true);
        assert!(within(ended).await.unwrap().is_normal());
        // The monitor of the first registration leaves the second one alone.
        settle(&second).await;
        assert_eq!(node.whereis_id("slow"), Some(second.id()));
    });
}

#[test]
fn a_name_finds_its_port_until_the_port_dies() {
    on_both(|| async {
        let node = node();
        let first = node.port(Recorder::default());
        node.register("log", &first).unwrap();
        node.register("also", &first).unwrap();
        assert_eq!(node.whereis::<RecorderRef>("log").unwrap(), first);
        assert_eq!(node.whereis_id("also"), Some(first.id()));
        let all = [("also".into(), first.id()), ("log".into(), first.id())];
        assert_eq!(node.registered(), all);

        let second = node.port(Recorder::default());
        let taken = RegisterError::Taken {
            name: "log".into(),
            by: first.id(),
        };
        assert_eq!(node.register("log", &second), Err(taken));
        first.kill(());
        within(first.closed()).await;
        // It is free at once, in every order of the monitors.
        node.register("log", &second).unwrap();
        until(|| node.registered() == [("log".into(), second.id())]).await;
        assert_eq!(node.whereis::<RecorderRef>("log").unwrap(), second);
        let unknown = WhereisError::Unknown("also".into());
        assert_eq!(node.whereis::<RecorderRef>("also"), Err(unknown));

        assert_eq!(node.unregister("log"), Some(second.id()));
        assert_eq!(node.unregister("log"), None);
        // The monitor of a registration that is over takes no later one back.
        let third = node.port(Recorder::default());
        node.register("log", &third).unwrap();
        second.kill(());
        within(second.closed()).await;
        settle(&third).await;
        assert_eq!(node.whereis_id("log"), Some(third.id()));
    });
}

#[test]
fn dead_and_far_ports_cannot_have_names() {
    on_both(|| async {
        let (node, stranger) = (node(), node());
        let dead = node.port(Recorder::default());
        dead.kill(());
        within(dead.closed()).await;
        let error = node.register("x", &dead);
        assert_eq!(error, Err(RegisterError::Dead(dead.id())));
        let living = node.port(Recorder::default());
        assert_eq!(node.register("", &living), Err(RegisterError::Empty));
        let far: RecorderRef = node.handle(&aemp::PortId::parse("there#1").unwrap());
        let error = node.register("x", &far);
        assert_eq!(error, Err(RegisterError::Remote(far.id())));
        assert!(node.registered().is_empty());
        let _ = stranger;
    });
}

#[test]
fn the_type_is_checked() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        node.register("log", &port).unwrap();
        let error = node.whereis::<OtherRef>("log").unwrap_err();
        assert!(
            matches!(&error, WhereisError::OtherType { port: id, .. } if *id == port.id()),
            "{error}"
        );
        assert!(error.to_string().contains("OtherRef"), "{error}");
    });
}

#[test]
fn a_name_does_not_hold_an_owned_port() {
    on_both(|| async {
        let node = node();
        let session = node.port(Session);
        node.register("session", &session).unwrap();
        let found = node.whereis::<SessionRef>("session").unwrap();
        drop(session);
        assert_eq!(within(found.number()).await.unwrap(), 7);
        drop(found);
        until(|| node.registered().is_empty()).await;
    });
}

#[test]
fn a_look_up_can_wait() {
    on_both(|| async {
        let node = node();
        let waits = {
            let node = node.clone();
            tokio::spawn(async move { node.until_registered::<RecorderRef>("log").await })
        };
        tokio::task::yield_now().await;
        let port = node.port(Recorder::default());
        node.register("log", &port).unwrap();
        assert_eq!(within(waits).await.unwrap().unwrap(), port);
        let stops = {
            let node = node.clone();
            tokio::spawn(async move { node.until_registered::<RecorderRef>("other").await })
        };
        tokio::task::yield_now().await;
        node.stop().await;
        let stopped = within(stops).await.unwrap();
        assert_eq!(stopped, Err(WhereisError::Stopped));
    });
}

/// Otherwise a registration would cost as much as there are tasks that wait for other names.
#[test]
fn a_task_that_waits_is_not_woken_by_other_names() {
    on_both(|| async {
        let node = node();
        let polls = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let waits = {
            let (node, polls) = (node.clone(), std::sync::Arc::clone(&polls));
            tokio::spawn(async move {
                let mut found = std::pin::pin!(node.until_registered::<RecorderRef>("log"));
                std::future::poll_fn(|task| {
                    polls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    found.as_mut().poll(task)
                })
                .await
            })
        };
        until(|| polls.load(std::sync::atomic::Ordering::Relaxed) == 1).await;
        let port = node.port(Recorder::default());
        for number in 0..100 {
            node.register(&format!("other {number}"), &port).unwrap();
            tokio::task::yield_now().await;
        }
        node.register("log", &port).unwrap();
        assert_eq!(within(waits).await.unwrap().unwrap(), port);
        assert_eq!(polls.load(std::sync::atomic::Ordering::Relaxed), 2);
    });
}

#[test]
fn the_names_of_dead_ports_leave_nothing() {
    on_both(|| async {
        let node = node();
        for round in 0..1000 {
            let port = node.port(Other);
            node.register(&format!("{}", round % 10), &port).unwrap();
            port.kill(());
            within(port.closed()).await;
        }
        until(|| node.port_count() == 0).await;
        assert!(node.registered().is_empty());
    });
}

#[test]
fn many_names_are_listed_in_order() {
    on_both(|| async {
        let node = node();
        let port = node.port(Other);
        let names: Vec<_> = (100..400).map(|number| format!("room {number}")).collect();
        for name in names.iter().rev() {
            node.register(name, &port).unwrap();
        }
        let listed = node.registered();
        assert!(listed.iter().map(|(name, _)| name).eq(&names));
        for name in &names {
            assert_eq!(node.unregister(name), Some(port.id()));
        }
        assert!(node.registered().is_empty());
    });
}

#[test]
fn names_of_the_network_work_without_one() {
    on_both(|| async {
        let node = node();
        let (one, two) = (
            node.port(Recorder::default()),
            node.port(Recorder::default()),
        );
        let waits = {
            let node = node.clone();
            tokio::spawn(async move { node.wait_for::<RecorderRef>("My log/1").await })
        };
        let claim = node.claim("My log/1", &one).unwrap();
        within(claim.held()).await.unwrap();
        assert_eq!(within(waits).await.unwrap().unwrap(), one);
        let follow = node.follow::<RecorderRef>("My log/1").unwrap();
        assert_eq!(within(follow.wait()).await.unwrap(), one);

        let next = node.claim("My log/1", &two).unwrap();
        let taken = ClaimError::Taken {
            name: "My log/1".into(),
            by: one.id(),
        };
        assert_eq!(within(next.decided()).await, Err(taken));
        one.kill("enough");
        within(next.held()).await.unwrap();
        assert!(matches!(within(claim.lost()).await, ClaimEnd::Died(_)));
        assert!(matches!(claim.state(), ClaimState::Ended(_)));
        until(|| follow.get().as_ref() == Some(&two)).await;
        let found = within(node.look_up::<RecorderRef>("My log/1")).await;
        assert_eq!(found.unwrap(), Some(two.clone()));

        drop(next);
        until(|| follow.get().is_none()).await;
        assert_eq!(within(two.count()).await.unwrap(), 0, "it lives on");
        let long = "x".repeat(250);
        assert!(node.claim(&long, &two).is_err());
    });
}

#[test]
fn a_singleton_is_made_again_when_it_dies() {
    test::run(async |node| {
        let made = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = std::sync::Arc::clone(&made);
        let one = node
            .singleton("one", move |node: &Node| {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                node.port(Recorder::default())
            })
            .unwrap();
        let first = one.wait().await.unwrap();
        first.fail("out of tea".into());
        first.closed().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let second = one.wait().await.unwrap();
        assert_ne!(first, second);
        assert_eq!(made.load(std::sync::atomic::Ordering::Relaxed), 2);
        one.leave().await.unwrap();
        assert!(second.closed().await.kind() == "shutdown");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(one.get().is_none());
    });
}
