//! The means for tests of one's own actors (`aemp::test`).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aemp::{
    CallError, Cx, Node, PortId, Value, args, msg, port, protocol,
    sim::{Crash, Sim},
    snd,
    test::{self, Mock, Probe},
};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);

/// Says something to another port, later.
struct Echo {
    to: EarRef,
}

#[port]
impl Echo {
    #[rcv]
    fn say(&mut self, cx: &mut Cx<'_>, text: String, after: u64) {
        let to = self.to.clone();
        cx.after(Duration::from_secs(after), move |_| drop(to.hear(text)));
    }

    #[rcv]
    async fn ask(&mut self) -> u32 {
        self.to.count().await.unwrap_or(0)
    }
}

struct Ear;

#[port]
impl Ear {
    #[rcv]
    fn hear(&mut self, _text: String) {}

    #[rcv]
    fn count(&self) -> u32 {
        0
    }
}

#[protocol]
trait Shelf {
    fn count(&self) -> i64;

    #[rcv("put it")]
    fn put(&self, key: String, value: Value);

    fn owner(&self, port: PortId) -> bool;
}

/// The text of the panic of a test.
fn failure(test: impl AsyncFnOnce(Node)) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| test::run(test))).expect_err("it fails");
    *panic.downcast::<String>().expect("the text of a panic")
}

#[test]
fn a_probe_hears_messages_and_answers_calls() {
    test::run(async |node| {
        let mut probe = Probe::new(&node);
        let echo = node.port(Echo { to: probe.handle() });
        let began = Instant::now();
        echo.say("hello".into(), 4);
        let text = probe.expect_that(|message| match message {
            EarMsg::Hear(text) => Some(text),
            EarMsg::Count(_) => None,
        });
        assert_eq!(text.await, "hello");
        assert_eq!(began.elapsed().as_secs(), 4);
        let asked = tokio::spawn(echo.ask());
        let EarMsg::Count(reply) = probe.expect().await else {
            panic!("it is a call");
        };
        reply.send(7);
        assert_eq!(asked.await.unwrap().unwrap(), 7);
        probe.expect_none(MINUTE).await;
        assert_eq!(began.elapsed().as_secs(), 64);
    });
}

#[test]
fn expectations_that_are_not_met_say_where_and_why() {
    let text = failure(async |node| {
        let mut probe: Probe<EarMsg> = Probe::new(&node).within(MINUTE);
        probe.expect().await;
    });
    assert!(text.starts_with(file!()), "{text}");
    assert!(text.ends_with("no message has come within 60s"), "{text}");
    let text = failure(async |node| {
        let mut probe = Probe::new(&node);
        let echo = node.port(Echo { to: probe.handle() });
        echo.say("hello".into(), 1);
        probe.expect_none(MINUTE).await;
    });
    assert!(text.ends_with("a message has come, for `hear`"), "{text}");
    let text = failure(async |node| {
        let mut probe = Probe::new(&node);
        let echo = node.port(Echo { to: probe.handle() });
        echo.say("hello".into(), 1);
        probe
            .expect_that(|message| matches!(message, EarMsg::Count(_)).then_some(()))
            .await;
    });
    assert!(
        text.ends_with("the next message is another, for `hear`"),
        "{text}"
    );
    let text = failure(async |node| {
        let probe = Probe::untyped(&node);
        let port = node.empty_port();
        probe.expect_down(&port).await;
    });
    assert!(text.ends_with("is alive after 5s"), "{text}");
}

#[test]
fn an_untyped_probe_reads_arguments() {
    test::run(async |node| {
        let mut probe = Probe::untyped(&node);
        snd!(node, probe.id(), "sold", "apple", 5);
        let (article, n): (String, u32) = probe.expect_tag("sold").await;
        assert_eq!((&*article, n), ("apple", 5));
        snd!(node, probe.id(), "one", 7);
        let one: i64 = probe.expect_tag("one").await;
        assert_eq!(one, 7);
        snd!(node, probe.id(), "hear", "you");
        assert!(matches!(probe.expect_as::<EarMsg>().await, EarMsg::Hear(text) if text == "you"));
        let port = node.empty_port();
        port.monitor_send(&probe.id(), msg!["down"]).detach();
        port.kill("enough");
        let reason: String = probe.expect_tag("down").await;
        assert_eq!(reason, "enough");
        assert_eq!(probe.expect_down(&port).await.to_string(), "enough");
    });
    let text = failure(async |node| {
        let mut probe = Probe::untyped(&node);
        snd!(node, probe.id(), "one", "text");
        probe.expect_tag::<i64>("one").await;
    });
    assert!(text.contains("`one` with [Str(\"text\")]"), "{text}");
}

#[test]
fn the_port_of_a_probe_ends_with_it() {
    test::run(async |node| {
        let probe: Probe<EarMsg> = Probe::new(&node);
        let ear: EarRef = probe.handle();
        drop(probe);
        assert!(ear.closed().await.is_normal());
        assert!(matches!(ear.count().await, Err(CallError::Died(_))));
    });
}

#[test]
fn a_mock_answers_and_records() {
    test::run(async |node| {
        let mut stock = 0;
        let mock = Mock::new(&node, move |message| match message {
            ShelfMsg::Count(reply) => reply.send(stock),
            ShelfMsg::Put(..) => stock += 1,
            ShelfMsg::Owner(port, reply) => reply.send(port.name() == "me"),
        });
        let shelf: ShelfRef = mock.handle();
        shelf.put("apples".into(), 5.into());
        assert_eq!(shelf.count().await.unwrap(), 1);
        let me = PortId::parse("here#me").unwrap();
        assert!(shelf.owner(me).await.unwrap());
        let puts: Vec<(String, i64)> = mock.calls_of("put it");
        assert_eq!(puts, [("apples".into(), 5)]);
        let calls: Vec<_> = mock
            .calls()
            .into_iter()
            .map(|call| (call.tag, call.args))
            .collect();
        let expected = [
            ("put it".to_owned(), args!["apples", 5]),
            ("count".to_owned(), args![]),
            ("owner".to_owned(), args!["here#me"]),
        ];
        assert_eq!(calls, expected);
    });
}

#[test]
fn a_mock_dies_of_messages_outside_its_protocol() {
    test::run(async |node| {
        let mock = Mock::new(&node, |_: ShelfMsg| panic!("not expected"));
        let shelf: ShelfRef = mock.handle();
        let answer = shelf.count().await;
        assert!(
            matches!(answer, Err(CallError::Died(reason)) if reason.to_string() == "die not expected")
        );
        let mock = Mock::new(&node, |_: ShelfMsg| ());
        let shelf: ShelfRef = mock.handle();
        snd!(node, shelf, "steal", 1);
        assert_eq!(shelf.closed().await.kind(), "die");
        assert_eq!(mock.calls().len(), 1);
    });
}

#[test]
fn a_mock_is_reached_from_other_nodes() {
    let mut sim = test::network(["a", "b"]);
    let mock = Mock::new(sim.node("a").unwrap(), |message| {
        if let ShelfMsg::Count(reply) = message {
            reply.send(3);
        }
    });
    let id = mock.handle::<ShelfRef>().id();
    let far: ShelfRef = sim.node("b").unwrap().handle(&id);
    assert_eq!(sim.block_on(far.count()).unwrap(), 3);
}

/// Tells when the port is reported dead at the other node.
fn lost(sim: &mut Sim, fault: impl FnOnce(&mut Sim)) -> bool {
    let probe = Probe::<EarMsg>::new(sim.node("a").unwrap());
    let far: EarRef = sim.node("b").unwrap().handle(&probe.id());
    let down = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&down);
    far.monitor(move |_| told.store(true, Ordering::Relaxed))
        .detach();
    sim.run_for(Duration::from_secs(1));
    fault(sim);
    sim.run_until(2 * MINUTE, || down.load(Ordering::Relaxed))
}

#[test]
fn faults_are_lines() {
    let mut sim = test::network(["a", "b", "c"]);
    assert!(!lost(&mut sim, |_| ()));
    assert!(lost(&mut sim, |sim| sim.cut("a", "b")));
    assert!(lost(&mut sim, |sim| sim.partition(&["a"], &["b"])));
    sim.heal();
    let (a, b) = (
        sim.node("a").unwrap().clone(),
        sim.node("b").unwrap().clone(),
    );
    let up = || a.node_is_up("b") == Some(true) && b.node_is_up("a") == Some(true);
    assert!(sim.run_until(2 * MINUTE, up));
    assert!(lost(&mut sim, |sim| sim.crash("a", Crash::Process)));
    sim.restart("a").unwrap();
    assert!(sim.run_until(2 * MINUTE, || b.node_is_up("a") == Some(true)));
}

#[test]
fn time_is_virtual() {
    let began = std::time::Instant::now();
    test::run(async |_| sleep(60 * MINUTE).await);
    assert!(began.elapsed() < MINUTE);
}
