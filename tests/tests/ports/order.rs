//! Messages between two ports stay in order, and messages to unknown ports vanish.

use aemp::{Args, CallError, Cx, Handle, PortId, UntypedMsg, Value, msg, port, snd};
use proptest::prelude::*;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{Recorder, death_by, many_threads, node, on_both, one_thread, settle, within};

/// Reports its messages with the numbers of their senders.
struct Ear(UnboundedSender<(usize, usize)>);

#[port]
impl Ear {
    #[rcv]
    fn hear(&mut self, sender: usize, n: usize) {
        let _ = self.0.send((sender, n));
    }

    /// Has to wait at times.
    #[rcv]
    async fn hear_slowly(&mut self, sender: usize, n: usize) {
        if n.is_multiple_of(3) {
            tokio::task::yield_now().await;
        }
        let _ = self.0.send((sender, n));
    }
}

/// A port that sends, whenever it is told to.
struct Mouth {
    number: usize,
    sent: usize,
    ear: EarRef,
}

#[port]
impl Mouth {
    #[rcv]
    fn speak(&mut self, cx: &mut Cx<'_>, times: usize) {
        for _ in 0..times {
            let n = self.sent;
            self.sent += 1;
            match n % 4 {
                0 => drop(self.ear.hear(self.number, n)),
                1 => drop(self.ear.hear_slowly(self.number, n)),
                2 => drop(snd!(cx, self.ear, "hear", self.number, n)),
                _ => drop(snd!(cx, self.ear, "hear_slowly", self.number, n)),
            }
        }
    }
}

/// Ports send to one port in bursts: all messages of each sender arrive, in order.
async fn ports_to_one(bursts: &[(usize, usize)], senders: usize) {
    let node = node();
    let (tell, mut told) = unbounded_channel();
    let ear = node.port(Ear(tell));
    let mouths: Vec<MouthRef> = (0..senders)
        .map(|number| {
            let ear = ear.clone();
            let sent = 0;
            node.port(Mouth { number, sent, ear })
        })
        .collect();
    let mut expected = 0;
    for (sender, times) in bursts {
        mouths[sender % senders].speak(*times);
        expected += times;
    }
    let mut next = vec![0; senders];
    for _ in 0..expected {
        let (sender, n) = within(told.recv()).await.expect("the ear lives");
        assert_eq!(n, next[sender], "out of order from {sender}");
        next[sender] += 1;
    }
    node.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn per_pair_of_ports(
        bursts in prop::collection::vec((0..8_usize, 0..60_usize), 1..40),
        senders in 1..8_usize,
    ) {
        one_thread().block_on(ports_to_one(&bursts, senders));
        many_threads().block_on(ports_to_one(&bursts, senders));
    }
}

#[test]
fn per_thread_that_sends() {
    let runtime = many_threads();
    runtime.block_on(async {
        const EACH: usize = 2_000;
        let node = node();
        let (tell, mut told) = unbounded_channel();
        let ear = node.port(Ear(tell));
        let threads: Vec<_> = (0..4)
            .map(|sender| {
                let ear = ear.clone();
                std::thread::spawn(move || {
                    for n in 0..EACH {
                        ear.hear(sender, n);
                    }
                })
            })
            .collect();
        let mut next = [0; 4];
        for _ in 0..4 * EACH {
            let (sender, n) = within(told.recv()).await.expect("the ear lives");
            assert_eq!(n, next[sender], "out of order from {sender}");
            next[sender] += 1;
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_long_queue_is_handled_in_turns_and_in_order() {
    on_both(|| async {
        let node = node();
        let (tell, mut told) = unbounded_channel();
        let ear = node.port(Ear(tell));
        for n in 0..5_000 {
            ear.hear(0, n);
        }
        for n in 0..5_000 {
            assert_eq!(within(told.recv()).await, Some((0, n)));
        }
    });
}

/// Sends to itself, twice for each message, as often as it is told to.
struct Fountain;

#[port]
impl Fountain {
    #[rcv]
    fn spout(&self, cx: &mut Cx<'_>, height: u32) {
        let me: FountainRef = cx.me().expect("itself");
        if height > 0 {
            me.spout(height - 1);
            me.spout(height - 1);
        }
    }

    #[rcv]
    async fn spout_slowly(&mut self, cx: &mut Cx<'_>, height: u32) {
        let me: FountainRef = cx.me().expect("itself");
        if height > 0 {
            me.spout_slowly(height - 1);
            me.spout(height - 1);
        }
    }
}

#[test]
fn a_port_that_sends_to_itself_comes_to_rest() {
    on_both(|| async {
        let node = node();
        let other = node.port(Recorder::default());
        for height in 0..8 {
            let port = node.port(Fountain);
            let told = crate::watch(&port);
            port.spout(height);
            port.spout_slowly(height);
            assert_eq!(within(other.count()).await.unwrap(), 0);
            crate::until(|| port.queue_len() == Some(0)).await;
            settle(&port).await;
            port.kill("at rest");
            assert_eq!(within(told).await.unwrap().to_string(), "at rest");
        }
    });
}

#[test]
fn one_busy_port_does_not_keep_others_from_running() {
    on_both(|| async {
        let node = node();
        let forever = node.untyped(|cx: &mut Cx<'_>, message: Args| {
            let me: Handle<UntypedMsg> = cx.me().expect("itself");
            cx.node().snd(&me.id(), message);
        });
        snd!(node, forever, "again");
        let other = node.port(Recorder::default());
        other.add(1);
        assert_eq!(within(other.count()).await.unwrap(), 1);
        let reason = death_by(&forever, || forever.kill("enough")).await;
        assert_eq!(reason, "enough");
    });
}

#[test]
fn messages_to_the_dead_and_the_unknown_vanish() {
    on_both(|| async {
        let node = node();
        let dead = node.port(Recorder::default());
        let reason = death_by(&dead, || dead.kill("gone")).await;
        assert_eq!(reason, "gone");
        dead.add(1).check().expect("a send is never loud");
        snd!(node, dead, "add", 2).check().unwrap();
        let unknown = PortId::parse("#nobody").unwrap();
        snd!(node, unknown, "add", 3).check().unwrap();
        node.kil(&unknown, "whoever");
        node.kil(&dead.id(), "again");
        let far: Handle<UntypedMsg> = node.handle(&unknown);
        let refused = far.peval(|cx: &mut Cx<'_>| cx.kill("no port runs this"));
        assert!(matches!(refused.await, Err(CallError::Died(_))));
        assert!(far.queue_len().is_none());
        assert!(dead.queue_len().is_none());
        let live = node.port(Recorder::default());
        settle(&live).await;
        assert_eq!(node.port_count(), 1);
    });
}

#[tokio::test]
async fn within_a_node_nothing_is_written_down() {
    let node = node();
    // No wire format has a form for it.
    let port = node.untyped(|cx: &mut Cx<'_>, message: Args| cx.kill(message[1..].to_vec()));
    let told = crate::watch(&port);
    let sent = node.snd(&port.id(), msg!["tag", Value::from(f64::NAN)]);
    sent.check().expect("nothing is encoded");
    let reason = within(told).await.unwrap();
    assert!(reason[0].as_f64().is_some_and(f64::is_nan), "{reason}");
}
