//! Urgent messages: before others, in their own order, and with a bound.

use std::{sync::Arc, time::Duration};

use aemp::{Args, Cx, Node, PortId, Reply, TrySendError, port, snd};
use tokio::sync::Notify;

use crate::{Journal, node, on_both, settle, until, within};

/// The bound that the handbook states.
const IN_A_ROW: i64 = 16;

#[derive(Clone, Default)]
struct Pump {
    entered: Arc<Notify>,
    open: Arc<Notify>,
    journal: Journal,
}

#[port]
impl Pump {
    /// Keeps the port at work until the test lets it go on.
    #[rcv]
    async fn hold(&mut self) {
        self.entered.notify_one();
        self.open.notified().await;
    }

    #[rcv]
    fn fill(&mut self, n: i64) {
        self.journal.note(n);
    }

    #[rcv]
    async fn fill_slowly(&mut self, n: i64) {
        tokio::task::yield_now().await;
        self.journal.note(n);
    }

    #[rcv]
    fn fill_and_halt(&mut self, cx: &mut Cx<'_>, n: i64) {
        self.journal.note(n);
        let me: PumpRef = cx.me().unwrap();
        me.halt(n);
    }

    #[rcv("halt!", urgent)]
    fn halt(&mut self, n: i64) {
        self.journal.note(format!("u{n}"));
    }

    #[rcv(urgent)]
    async fn halt_slowly(&mut self, n: i64) {
        tokio::task::yield_now().await;
        self.journal.note(format!("u{n}"));
    }

    #[rcv(urgent)]
    fn level(&self, reply: Reply<i64>) {
        self.journal.note("level");
        reply.send(7);
    }

    #[rcv]
    fn ask(&self) -> i64 {
        self.journal.note("ask");
        7
    }

    /// Sends itself the next one.
    #[rcv(urgent)]
    fn repeat(&mut self, cx: &mut Cx<'_>, n: i64) {
        self.journal.note(format!("u{n}"));
        if n > 0 {
            let me: PumpRef = cx.me().unwrap();
            me.repeat(n - 1);
        } else {
            self.entered.notify_one();
        }
    }
}

/// A port that is at work, so that messages to it wait.
async fn busy(node: &Node) -> (PumpRef, Pump) {
    let pump = Pump::default();
    let port = node.port(pump.clone());
    port.hold();
    pump.entered.notified().await;
    (port, pump)
}

impl Pump {
    /// Lets the port go on, and returns its notes.
    async fn go_on(&self, port: &PumpRef) -> Vec<String> {
        self.open.notify_one();
        settle(port).await;
        self.journal.take()
    }
}

#[test]
fn urgent_messages_come_first_and_each_class_in_order() {
    on_both(async || {
        let node = node();
        let (port, pump) = busy(&node).await;
        port.fill(1);
        port.fill_slowly(2);
        port.halt(3);
        port.fill(4);
        port.halt_slowly(5);
        snd!(node, port, "halt!", 6);
        snd!(node, port, "fill", 7);
        assert_eq!(port.queue_len(), Some(7));
        let noted = pump.go_on(&port).await;
        assert_eq!(noted, ["u3", "u5", "u6", "1", "2", "4", "7"]);
    });
}

/// Messages that a worker has come to see are no batch that an urgent one would wait for.
#[test]
fn an_urgent_message_waits_for_one_handler() {
    on_both(async || {
        let (port, pump) = busy(&node()).await;
        port.fill(1);
        port.fill_and_halt(2);
        port.fill(3);
        port.fill(4);
        assert_eq!(pump.go_on(&port).await, ["1", "2", "u2", "3", "4"]);
    });
}

#[test]
fn a_call_overtakes_messages() {
    on_both(async || {
        let (port, pump) = busy(&node()).await;
        (0..3).for_each(|n| drop(port.fill(n)));
        let level = tokio::spawn(port.level());
        until(|| port.queue_len() == Some(4)).await;
        assert_eq!(pump.go_on(&port).await, ["level", "0", "1", "2"]);
        assert_eq!(level.await.unwrap().unwrap(), 7);
    });
}

#[test]
fn others_are_not_starved() {
    on_both(async || {
        let (port, pump) = busy(&node()).await;
        port.fill(1);
        port.fill(2);
        (0..100).for_each(|n| drop(port.halt(n)));
        pump.open.notify_one();
        // The end of a wait by a message of its own would come before some of the urgent ones.
        until(|| port.queue_len() == Some(0)).await;
        let noted = pump.go_on(&port).await;
        let place = |n: &str| noted.iter().position(|noted| noted == n).unwrap() as i64;
        assert_eq!(noted.len(), 102);
        assert_eq!((place("1"), place("2")), (IN_A_ROW, 2 * IN_A_ROW + 1));
    });
}

/// A port that floods itself has the same bound, over all its turns.
#[test]
fn a_chain_of_urgent_messages_does_not_starve_others() {
    on_both(async || {
        let (port, pump) = busy(&node()).await;
        port.repeat(10_000);
        (0..300).for_each(|n| drop(port.fill(n)));
        pump.open.notify_one();
        pump.entered.notified().await;
        settle(&port).await;
        let noted = pump.journal.take();
        assert_eq!(noted.len(), 10_301);
        let mut in_a_row = 0;
        for note in noted.iter().take_while(|note| *note != "299") {
            in_a_row = if note.starts_with('u') {
                in_a_row + 1
            } else {
                0
            };
            assert!(in_a_row <= IN_A_ROW);
        }
    });
}

#[test]
fn a_kill_is_not_overtaken() {
    on_both(async || {
        let (port, pump) = busy(&node()).await;
        port.fill(1);
        (0..50).for_each(|n| drop(port.halt(n)));
        port.kill("enough");
        port.halt(50);
        port.fill(2);
        assert_eq!(within(port.closed()).await.to_string(), "enough");
        let noted = pump.journal.take();
        assert_eq!(noted.len(), 51, "{noted:?}");
        assert!(noted.contains(&"1".into()) && !noted.contains(&"u50".into()));
    });
}

#[test]
fn a_stop_is_not_overtaken() {
    on_both(async || {
        let (port, pump) = busy(&node()).await;
        port.fill(1);
        port.halt(2);
        port.stop();
        port.halt(3);
        pump.open.notify_one();
        assert!(within(port.closed()).await.is_normal());
        assert_eq!(pump.journal.take(), ["u2", "1"]);
    });
}

/// The end of an idle port is in the queue like any other.
#[test]
fn the_end_of_an_idle_port_is_not_overtaken() {
    on_both(async || {
        for kills in [true, false] {
            let pump = Pump::default();
            let port = node().port(pump.clone());
            // Everything is sent before the port runs, on one thread at least.
            if kills {
                port.kill("enough");
            } else {
                port.stop();
            }
            port.fill(1);
            port.halt(2);
            within(port.closed()).await;
            assert!(pump.journal.take().is_empty());
        }
    });
}

/// Nothing is dropped without the death being told, and callers of both classes hear of it.
#[test]
fn the_dead_tell_callers_of_both_classes() {
    on_both(async || {
        let (port, pump) = busy(&node()).await;
        let calls = [tokio::spawn(port.level()), tokio::spawn(port.ask())];
        until(|| port.queue_len() == Some(2)).await;
        port.stop_within(Duration::ZERO);
        for call in calls {
            let error = within(call).await.unwrap().unwrap_err();
            assert!(error.reason().is_some(), "{error}");
        }
        within(port.closed()).await;
        assert!(pump.journal.take().is_empty());
    });
}

#[test]
fn a_bound_counts_both_classes() {
    on_both(async || {
        let pump = Pump::default();
        let port = node().port(pump.clone());
        // The bound is set first: one that is set while a handler runs counts it from its first wait on.
        port.bound(3);
        port.hold();
        pump.entered.notified().await;
        // The running handler counts.
        port.fill(1);
        port.halt(2);
        let full = port.try_send(PumpMsg::Halt(3));
        assert!(matches!(full, Err(TrySendError::Full(_))), "{full:?}");
        // A plain send does not wait for room, and is queued all the same.
        port.halt(4);
        let waiting = tokio::spawn({
            let port = port.clone();
            async move { port.send(PumpMsg::Fill(5)).await }
        });
        assert_eq!(pump.go_on(&port).await[..3], ["u2", "u4", "1"]);
        within(waiting).await.unwrap().unwrap();
        settle(&port).await;
    });
}

#[test]
fn code_in_the_port_is_in_order_with_ordinary_messages() {
    on_both(async || {
        let (port, pump) = busy(&node()).await;
        let journal = pump.journal.clone();
        port.fill(1);
        port.peval(move |_: &mut Cx<'_>| journal.note("code"));
        port.fill(2);
        port.halt(3);
        assert_eq!(pump.go_on(&port).await, ["u3", "1", "code", "2"]);
    });
}

#[test]
fn a_default_handler_may_be_urgent() {
    #[derive(Clone)]
    struct Net(Journal, Arc<Notify>, Arc<Notify>);

    #[port]
    impl Net {
        #[rcv]
        async fn hold(&mut self) {
            self.1.notify_one();
            self.2.notified().await;
        }

        #[rcv]
        fn known(&mut self) {
            self.0.note("known");
        }

        #[rcv(default, urgent)]
        fn other(&mut self, tag: &str, _args: Args) {
            self.0.note(tag);
        }
    }

    on_both(async || {
        let node = node();
        let net = Net(Journal::default(), Arc::default(), Arc::default());
        let port = node.port(net.clone());
        let id: PortId = port.id();
        port.hold();
        net.1.notified().await;
        port.known();
        snd!(node, id, "something");
        net.2.notify_one();
        settle(&port).await;
        assert_eq!(net.0.take(), ["something", "known"]);
    });
}

/// Code in the context of a port has the number that handlers from the 24th on share.
#[test]
fn code_is_ordinary_also_in_a_port_with_many_handlers() {
    #[derive(Clone, Default)]
    struct Many(Journal, Arc<Notify>, Arc<Notify>);

    #[port]
    impl Many {
        #[rcv]
        fn m0(&self) {}

        #[rcv]
        fn m1(&self) {}

        #[rcv]
        fn m2(&self) {}

        #[rcv]
        fn m3(&self) {}

        #[rcv]
        fn m4(&self) {}

        #[rcv]
        fn m5(&self) {}

        #[rcv]
        fn m6(&self) {}

        #[rcv]
        fn m7(&self) {}

        #[rcv]
        fn m8(&self) {}

        #[rcv]
        fn m9(&self) {}

        #[rcv]
        fn m10(&self) {}

        #[rcv]
        fn m11(&self) {}

        #[rcv]
        fn m12(&self) {}

        #[rcv]
        fn m13(&self) {}

        #[rcv]
        fn m14(&self) {}

        #[rcv]
        fn m15(&self) {}

        #[rcv]
        fn m16(&self) {}

        #[rcv]
        fn m17(&self) {}

        #[rcv]
        fn m18(&self) {}

        #[rcv]
        fn m19(&self) {}

        #[rcv]
        fn m20(&self) {}

        #[rcv]
        fn m21(&self) {}

        #[rcv]
        fn m22(&self) {}

        #[rcv(urgent)]
        fn last(&self) {
            self.0.note("last");
        }

        #[rcv]
        async fn hold(&mut self) {
            self.1.notify_one();
            self.2.notified().await;
        }
    }

    on_both(async || {
        let many = Many::default();
        let port = node().port(many.clone());
        port.hold();
        many.1.notified().await;
        let journal = many.0.clone();
        port.peval(move |_: &mut Cx<'_>| journal.note("code"));
        port.last();
        many.2.notify_one();
        settle(&port).await;
        assert_eq!(many.0.take(), ["last", "code"]);
    });
}
