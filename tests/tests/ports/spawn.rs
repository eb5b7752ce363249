//! Spawning by name on one's own node.

use std::{future::pending, sync::Arc, time::Duration};

use aemp::{
    Args, Cx, FunctionKind, Node, RegistryError, StartError, Value, args, cal, msg, port, snd,
    spawnable,
};
use tokio::sync::Notify;

use crate::{Journal, Recorder, RecorderRef, death, node, on_both, settle, until, watch, within};

struct Tally {
    n: i64,
}

#[port]
impl Tally {
    #[rcv]
    fn add(&mut self, n: i64) -> i64 {
        self.n += n;
        self.n
    }
}

#[spawnable(name = "Ports::Tally::start")]
fn tally(n: i64, label: Option<String>) -> Result<Tally, String> {
    match label {
        Some(label) => Err(label),
        None => Ok(Tally { n }),
    }
}

#[spawnable(name = "Ports::slow")]
async fn slow(n: i64) -> Tally {
    tokio::time::sleep(Duration::from_millis(2)).await;
    Tally { n }
}

#[spawnable(name = "Ports::hang")]
async fn hang(cx: &mut Cx<'_>, loud: bool) -> Tally {
    let _bomb = Bomb(loud);
    cx.monitor_guard(()).detach();
    pending().await
}

#[spawnable(name = "Ports::explode")]
fn explode(wait: bool) -> Tally {
    panic!("init {wait}")
}

#[spawnable(name = "Ports::explode_later")]
async fn explode_later() -> Tally {
    tokio::task::yield_now().await;
    panic!("later")
}

/// Ends itself in its own init function.
#[spawnable(name = "Ports::stillborn")]
fn stillborn(cx: &mut Cx<'_>, by_handle: bool) -> Tally {
    match cx.me::<TallyRef>() {
        Some(me) if by_handle => me.kill("stillborn"),
        _ => cx.kill("stillborn"),
    }
    Tally { n: 0 }
}

#[spawnable(name = "Ports::closures")]
fn closures(cx: &mut Cx<'_>, n: i64) {
    cx.rcv("end", move |cx, _| cx.kill(format!("end {n}")));
}

struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "in a drop");
    }
}

#[test]
fn by_function_and_by_name() {
    on_both(|| async {
        let node = node();
        let typed = tally::on(&node, "", 5, None);
        assert_eq!(within(typed.add(1)).await.unwrap(), 6);
        let id = node.spawn("", "Ports::Tally::start", args!["7"]);
        assert!(node.port_is_local(&id));
        let named: TallyRef = node.handle(&id);
        assert_eq!(within(named.add(1)).await.unwrap(), 8);
        assert_eq!(
            within(node.cal(&id, msg!["add", 1])).await.unwrap(),
            msg![9]
        );
        let waiting = slow::on(&node, "", 1);
        assert_eq!(within(waiting.add(1)).await.unwrap(), 2);
        assert_eq!(node.port_count(), 3);
    });
}

#[test]
fn failures_kill_the_port_and_its_monitor_hears() {
    on_both(|| async {
        let node = node();
        for (function, arguments, reason) in [
            ("Ports::Tally::start", args![1, "label"], "die label"),
            ("Ports::explode", args![true], "die init true"),
            ("Ports::explode_later", args![], "die later"),
            ("Ports::stillborn", args![false], "stillborn"),
            ("Ports::stillborn", args![true], "stillborn"),
            (
                "Ports::Tally::strat",
                args![],
                "die unknown init function `Ports::Tally::strat`; \
                 did you mean `Ports::Tally::start`?",
            ),
            (
                "Something::else_entirely",
                args![],
                "die unknown init function `Something::else_entirely`",
            ),
            ("", args![], "die unknown init function ``"),
            (
                "Ports::Tally::start",
                args![1, Value::Null, 3, 4],
                "die Ports::Tally::start: takes 2 arguments, got 4",
            ),
        ] {
            // Within a port nothing runs before the monitor is set, as within any one thread.
            let (tell, told) = tokio::sync::oneshot::channel();
            let starter = node.port(Recorder::default());
            starter.peval(move |cx: &mut Cx<'_>| {
                let id = cx.node().spawn("", function, arguments);
                let callback = move |reason: &aemp::Reason| drop(tell.send(reason.to_string()));
                cx.node().mon(&id, callback).detach();
                cx.kill(());
            });
            assert_eq!(within(told).await.unwrap(), reason);
        }
        until(|| node.port_count() == 0).await;
    });
}

#[tokio::test]
async fn wrong_arguments_name_themselves() {
    let node = node();
    for (arguments, start) in [
        (
            args!["no number"],
            "die Ports::Tally::start: argument 1 (`n`): ",
        ),
        (args![], "die Ports::Tally::start: argument 1 (`n`): "),
        (
            args![1, args![]],
            "die Ports::Tally::start: argument 2 (`label`): ",
        ),
    ] {
        let id = node.spawn("", "Ports::Tally::start", arguments);
        let port: TallyRef = node.handle(&id);
        let reason = death(&port).await;
        assert!(reason.starts_with(start), "{reason}");
    }
}

#[test]
fn calls_of_a_failing_port_fail() {
    on_both(|| async {
        let node = node();
        for port in [
            node.handle(&node.spawn("", "Ports::explode", args![false])),
            explode::on(&node, "", false),
            node.handle(&node.spawn("", "Ports::explode_later", args![])),
        ] {
            let port: TallyRef = port;
            let error = within(port.add(1)).await.unwrap_err();
            assert_eq!(error.reason().expect("it died").kind(), "die");
        }
        assert_eq!(node.port_count(), 0, "no reply port is left");
    });
}

/// This holds also if the init function has run on another worker before, and in any order of call and monitor.
#[test]
fn a_monitor_right_after_a_failed_spawn_gets_the_reason_on_every_thread() {
    async fn tries(node: Node) {
        for _ in 0..200 {
            for port in [
                node.spawn("", "Ports::Tally::start", args![1, "label"]),
                node.spawn("", "Ports::unknown", args![]),
                tally::on(&node, "", 1, Some("label".into())).id(),
            ] {
                let far: TallyRef = node.handle(&port);
                let error = within(far.add(1)).await.unwrap_err();
                assert_eq!(error.reason().unwrap().kind(), "die");
                assert!(death(&far).await.starts_with("die "));
            }
        }
    }
    on_both(|| async {
        let node = node();
        tries(node.clone()).await;
        within(tokio::spawn(tries(node))).await.unwrap();
    });
}

#[tokio::test]
async fn many_that_fail_are_all_remembered() {
    let node = node();
    let ports: Vec<_> = (0..5000)
        .map(|n| node.spawn("", "Ports::Tally::start", args![1, n.to_string()]))
        .collect();
    until(|| node.port_count() == 0).await;
    for (n, port) in ports.iter().enumerate() {
        let port: TallyRef = node.handle(port);
        assert_eq!(death(&port).await, format!("die {n}"));
    }
}

struct Unprintable;

impl std::fmt::Display for Unprintable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("in Display")
    }
}

#[spawnable(name = "Ports::unprintable")]
fn unprintable() -> Result<Tally, Unprintable> {
    Err(Unprintable)
}

#[spawnable(name = "Ports::unprintable_later")]
async fn unprintable_later() -> Result<Tally, Unprintable> {
    tokio::task::yield_now().await;
    Err(Unprintable)
}

#[test]
fn an_error_with_a_panicking_text_is_a_failure_as_well() {
    on_both(|| async {
        let node = node();
        let text = "die an error whose text cannot be shown: in Display";
        assert_eq!(death(&unprintable::on(&node, "")).await, text);
        assert_eq!(death(&unprintable_later::on(&node, "")).await, text);
        let port = node.port(Recorder::default());
        let told = watch(&port);
        port.peval(|cx: &mut Cx<'_>| cx.spawn(async { Err::<(), _>(Unprintable) }));
        assert_eq!(within(told).await.unwrap().to_string(), text);
    });
}

/// Text that is not a node ID does not mean this node, which has no name.
#[tokio::test]
async fn invalid_node_names_fail_at_once() {
    let node = node();
    for name in ["a;b", "two words", ";", "a;b#port"] {
        let port = node.spawn(name, "Ports::slow", args![1]);
        let far: TallyRef = node.handle(&port);
        for reason in [
            death(&far).await,
            death(&slow::on(&node, name, 1)).await,
            within(far.add(1))
                .await
                .unwrap_err()
                .reason()
                .unwrap()
                .to_string(),
        ] {
            assert!(reason.starts_with("die \""), "{reason}");
            assert!(reason.contains("names no node"), "{reason}");
        }
        let sent = node.snd_to_func(name, "Some::function", args![]).check();
        assert!(matches!(sent, Err(aemp::SendError::NoNode { .. })));
        assert!(node.snd_on(name, &port, msg!["x"]).check().is_err());
        let asked = node.eval_on(name, "1", Duration::from_secs(60)).await;
        assert!(matches!(asked, Err(aemp::CallError::Send(_))));
        assert_eq!(node.node_is_up(name), None);
        within(node.until_up(name)).await;
    }
    let own = node.port(Recorder::default());
    let port = node.spawn(own.id().as_str(), "Ports::slow", args![1]);
    let port: TallyRef = node.handle(&port);
    assert_eq!(within(port.add(1)).await.unwrap(), 2);
    let port = slow::on(&node, own.id().as_str(), 1);
    assert_eq!(within(port.add(1)).await.unwrap(), 2);
}

#[test]
fn a_kill_cancels_an_init_function() {
    on_both(|| async {
        let node = node();
        for (loud, yields) in [(false, 0), (false, 5), (true, 0), (true, 5)] {
            let port = hang::on(&node, "", loud);
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
            let told = watch(&port);
            let call = tokio::spawn(port.add(1));
            tokio::task::yield_now().await;
            port.kill("cancelled");
            assert_eq!(within(told).await.unwrap().to_string(), "cancelled");
            assert!(within(call).await.unwrap().is_err());
        }
        assert_eq!(node.port_count(), 0);
    });
}

#[test]
fn messages_wait_for_the_init_function() {
    on_both(|| async {
        let gate = Arc::new(Notify::new());
        let (journal, wait) = (Journal::default(), Arc::clone(&gate));
        let notes = journal.clone();
        let init = move |cx: &mut Cx<'_>, given: Args| {
            notes.note(format!("init {}", given.len()));
            let me: RecorderRef = cx.me().expect("itself");
            me.add(3);
            wait.notify_one();
            Recorder::new(&notes)
        };
        let node = Node::builder().init("Ports::by_hand", init);
        let node = node.start_local().unwrap();
        let known: Vec<_> = node
            .init_functions()
            .into_iter()
            .map(|init| init.name)
            .collect();
        assert!(known.contains(&"Ports::by_hand".to_owned()));
        let starter = node.port(Recorder::default());
        starter.peval(|cx: &mut Cx<'_>| {
            let id = cx.node().spawn("", "Ports::by_hand", args![1, 2]);
            snd!(cx, id, "add", 1);
            snd!(cx, id, "add", 2);
        });
        within(gate.notified()).await;
        until(|| journal.0.lock().unwrap().len() == 4).await;
        let mut notes = journal.take();
        // Messages of the init function itself have another sender, and no order with the rest.
        notes.retain(|note| note != "3");
        assert_eq!(notes, ["init 2", "1", "2"]);
    });
}

#[tokio::test]
async fn spawned_closures_ignore_other_messages() {
    let node = node();
    let id = node.spawn("", "Ports::closures", args![1]);
    snd!(node, id, "unknown");
    snd!(node, id, "end");
    let port: aemp::Handle<aemp::UntypedMsg> = node.handle(&id);
    assert_eq!(death(&port).await, "end 1");
    let port = closures::on(&node, "", 2);
    assert!(
        within(async { cal!(node, port, "unknown").timeout(Duration::ZERO).await })
            .await
            .is_err()
    );
    let journal = Journal::default();
    let notes = journal.clone();
    node.rcv(&port.id(), "more", move |_: &mut Cx<'_>, _: Args| {
        notes.note("more")
    })
    .unwrap();
    snd!(node, port, "more");
    settle(&port).await;
    assert_eq!(journal.take(), ["more"]);
}

/// In Perl, such a function is one of the main program.
#[tokio::test]
async fn a_name_may_begin_with_colons() {
    let init = |_: &mut Cx<'_>, _: Args| Recorder::default();
    let node = Node::builder().init("::here", init).start_local().unwrap();
    let port: RecorderRef = node.handle(&node.spawn("", "::here", args![]));
    assert_eq!(within(port.count()).await.unwrap(), 0);
}

#[tokio::test]
async fn faults_of_the_registry_are_reported_at_the_start() {
    let init = |_: &mut Cx<'_>, _: Args| Recorder::default();
    let error = Node::builder()
        .init("Ports::twice", init)
        .init("Ports::twice", init)
        .init("nameless", init)
        .init("Ports::Tally::start", init)
        .function("plain", |_, _| ())
        .function("Ports::f", |_, _| ())
        .function("Ports::f", |_, _| ())
        .start_local()
        .unwrap_err();
    let text = error.to_string();
    let StartError::Registry(faults) = error else {
        panic!("{error}");
    };
    let twice = faults.iter().filter(|fault| {
        matches!(fault, RegistryError::Duplicate { name, positions, kind } if match kind {
            FunctionKind::Init => positions.is_some() && name.starts_with("Ports::"),
            _ => *kind == FunctionKind::Function && name == "Ports::f",
        })
    });
    assert_eq!((faults.len(), twice.count()), (5, 3), "{faults:?}");
    for part in [
        "two init functions are named \"Ports::twice\": at ",
        "init function \"nameless\" at ",
        "a name that others spawn by must contain `::`",
        "two init functions are named \"Ports::Tally::start\": at ",
        "function \"plain\": a name that others call must contain `::`",
        "two functions are named \"Ports::f\"",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(
        text.matches("spawn.rs:").count() >= 5,
        "both places: {text}"
    );
}
