//! Two classes of messages over nodes: each in order, and no hole in either.
//!
//! `b` and `c` send messages of both classes to a port of `a`, which is slow, so that they wait there. The schedule delays
//! and cuts. The port must have handled exactly the messages of each sender before the report of a loss, up to some message: in
//! the order of its class, and with no hole across both.
//!
//! `AEMP_SCHEDULES` is the number of schedules, `AEMP_SCHEDULE` the first.

use std::time::Duration;

use aemp::{
    Node, PortId, Reason, port,
    sim::{Chance, Conditions, Sim},
    snd,
};

use super::{SECOND, Told, builder, each_schedule, mourn, wait_up};

/// A message that was handled: sender, number, and its class.
type Handled = (usize, usize, bool);

struct Valve {
    told: Told<Handled>,
}

#[port]
impl Valve {
    #[rcv]
    async fn turn(&mut self, sender: usize, n: usize) {
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.told.tell((sender, n, false));
    }

    #[rcv("shut", urgent)]
    fn shut(&mut self, sender: usize, n: usize) {
        self.told.tell((sender, n, true));
    }

    #[rcv(urgent)]
    async fn shut_slowly(&mut self, sender: usize, n: usize) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.told.tell((sender, n, true));
    }
}

struct Sender {
    node: Node,
    /// The classes of the messages that it has sent.
    sent: Vec<bool>,
    lost: Told<Reason>,
}

impl Sender {
    fn send(&mut self, number: usize, to: &PortId, chance: &mut Chance) {
        // One that has heard of a loss may send into a new connection, behind a hole that it knows of.
        if !self.lost.all().is_empty() {
            return;
        }
        let n = self.sent.len();
        let tag = ["turn", "turn", "shut", "shut_slowly"][chance.index(4)];
        self.sent.push(tag != "turn");
        snd!(self.node, to, tag, number, n);
    }

    fn check(&self, number: usize, handled: &[Handled]) {
        let own = handled.iter().filter(|(sender, ..)| *sender == number);
        let mut own: Vec<(usize, bool)> = own.map(|(_, n, urgent)| (*n, *urgent)).collect();
        for class in [false, true] {
            let of_class = own.iter().filter(|(_, urgent)| *urgent == class);
            assert!(of_class.is_sorted(), "out of order: {own:?}");
        }
        own.sort_unstable();
        let prefix = self.sent.iter().copied().enumerate().take(own.len());
        assert!(prefix.eq(own.iter().copied()), "a hole: {own:?}");
        if self.lost.all().is_empty() {
            assert_eq!(own.len(), self.sent.len(), "lost without a word");
        }
    }
}

/// Returns true if a message has overtaken another one of its sender.
fn run(seed: u64) -> bool {
    let mut sim = Sim::new(seed);
    let mut chance = Chance::new(seed);
    let a = sim.start(builder("a")).unwrap();
    let told = Told::new();
    let valve = sim.block_on(async { a.port(Valve { told: told.clone() }) });
    let to = valve.id();
    let mut senders = ["b", "c"].map(|id| {
        let node = sim.start(builder(id).seed("a:4040")).unwrap();
        wait_up(&mut sim, &node, "a");
        let lost = mourn(&node, &to);
        let sent = Vec::new();
        Sender { node, sent, lost }
    });
    sim.run_for(SECOND);
    sim.set_conditions(Conditions {
        latency: Duration::from_millis(1)..=Duration::from_millis(60),
        ..Conditions::default()
    });
    for _ in 0..30 {
        let number = chance.index(2);
        for _ in 0..chance.below(30) {
            senders[number].send(number, &to, &mut chance);
        }
        sim.run_for(Duration::from_millis(chance.below(40)));
        if chance.happens(0.02) {
            sim.cut("a", ["b", "c"][chance.index(2)]);
        }
    }
    sim.run_for(30 * SECOND);
    let handled = told.all();
    for (number, sender) in senders.iter().enumerate() {
        sender.check(number, &handled);
    }
    handled
        .windows(2)
        .any(|pair| pair[0].0 == pair[1].0 && pair[0].1 > pair[1].1)
}

#[test]
fn each_class_is_in_order_and_has_no_hole() {
    let overtaken = std::sync::atomic::AtomicUsize::new(0);
    each_schedule(60, |seed| {
        let overtaken = &overtaken;
        overtaken.fetch_add(run(seed).into(), std::sync::atomic::Ordering::Relaxed);
    });
    assert!(overtaken.into_inner() > 0, "the schedules show nothing");
}
