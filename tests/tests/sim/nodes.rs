//! Whole nodes with user ports in a simulated network.

mod crashes;
mod database;
mod inline;
mod limits;
mod names;
mod partitions;
mod pools;
mod processes;
mod relays;
mod repeats;
mod spans;
mod streamed;
mod streams;
mod supervisor;
mod topics;
mod trio;
mod urgent;
mod wanted;
mod work;

use std::{
    panic::{RefUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex},
    time::Duration,
};

use aemp::{
    Args, Cx, Node, NodeBuilder, PortId, Reason, StartError, Value,
    sim::{Conditions, Sim},
};

use crate::schedules::number;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A list of reports, in order.
#[derive(Clone, Debug)]
pub(crate) struct Told<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Told<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn tell(&self, report: T) {
        self.0.lock().unwrap().push(report);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

/// Runs schedules of these numbers, `AEMP_SCHEDULES` of them from `AEMP_SCHEDULE` on. The number of one that fails is shown.
pub(crate) fn each_schedule(most: u64, run: impl Fn(u64) + RefUnwindSafe) {
    let (first, count) = (number("AEMP_SCHEDULE", 0), number("AEMP_SCHEDULES", most));
    for seed in first..first + count {
        if let Err(panic) = catch_unwind(|| run(seed)) {
            eprintln!("schedule {seed} failed: AEMP_SCHEDULE={seed} AEMP_SCHEDULES=1");
            resume_unwind(panic);
        }
    }
}

pub(crate) fn builder(id: &str) -> NodeBuilder {
    Node::builder()
        .node_id(id)
        .secret("s")
        .bind("*:4040")
        .monitor_timeout(9 * SECOND)
}

/// Two nodes, the second of which has the first as seed, and which are connected.
pub(crate) fn pair(sim: &mut Sim) -> [Node; 2] {
    let a = sim.start(builder("a")).unwrap();
    let b = sim.start(builder("b").seed("a:4040")).unwrap();
    wait_up(sim, &b, "a");
    wait_up(sim, &a, "b");
    [a, b]
}

pub(crate) fn wait_up(sim: &mut Sim, node: &Node, other: &str) {
    let up = sim.run_until(60 * SECOND, || node.node_is_up(other) == Some(true));
    assert!(up, "{node:?} has not found {other}");
}

/// A port that keeps the numbers that it is sent.
pub(crate) fn keeper(node: &Node) -> (PortId, Told<i64>) {
    let told = Told::new();
    let keep = told.clone();
    let port = node.untyped(move |_: &mut Cx<'_>, message: Args| {
        if let Some(number) = message.first().and_then(Value::as_i64) {
            keep.tell(number);
        }
    });
    (port.id(), told)
}

/// The reason for which a port dies, once the node learns of it.
pub(crate) fn mourn(node: &Node, port: &PortId) -> Told<Reason> {
    let told = Told::new();
    let tell = told.clone();
    node.mon(port, move |reason| tell.tell(reason.clone()))
        .detach();
    told
}

/// Sends numbers to a port that keeps them, over connections that are cut, in 20 simulations. `nodes` starts the sender and
/// the receiver. After each report of a loss the numbers begin at the next thousand. Checks that no number is missing
/// within a thousand, and returns the number of those that have arrived.
pub(crate) fn sent_over_cuts(
    cut: f64,
    rounds: usize,
    nodes: impl Fn(&mut Sim) -> [Node; 2],
) -> usize {
    let mut arrived = 0;
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let [from, to] = nodes(&mut sim);
        let (port, kept) = keeper(&to);
        sim.set_conditions(Conditions {
            latency: Duration::from_millis(1)..=Duration::from_millis(80),
            cut,
            ..Conditions::default()
        });
        let mut deaths = mourn(&from, &port);
        let mut next = 0;
        for _ in 0..rounds {
            if !deaths.all().is_empty() {
                deaths = mourn(&from, &port);
                next = (next / 1000 + 1) * 1000;
            }
            from.snd(&port, vec![next.into()]);
            next += 1;
            sim.run_for(Duration::from_millis(50));
        }
        let kept = kept.all();
        arrived += kept.len();
        for pair in kept.windows(2) {
            let follows = pair[1] == pair[0] + 1 || pair[1] % 1000 == 0 && pair[1] > pair[0];
            assert!(follows, "seed {seed}: {pair:?}");
        }
    }
    arrived
}

#[test]
fn an_hour_passes_and_nothing_is_lost() {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim);
    let (port, kept) = keeper(&a);
    let deaths = mourn(&b, &port);
    let before = sim.elapsed();
    for number in 0..60 {
        b.snd(&port, vec![number.into()]);
        sim.run_for(60 * SECOND);
    }
    assert_eq!(sim.elapsed() - before, 3600 * SECOND);
    assert_eq!(kept.all(), (0..60).collect::<Vec<_>>());
    assert!(deaths.all().is_empty(), "{deaths:?}");
}

#[test]
fn timers_of_ports_follow_the_virtual_clock() {
    let mut sim = Sim::new(1);
    let node = sim.start(builder("a")).unwrap();
    let told = Told::new();
    let tell = told.clone();
    let _timer = node.after(90 * SECOND, move || tell.tell(()));
    sim.run_for(89 * SECOND);
    assert!(told.all().is_empty());
    sim.run_for(2 * SECOND);
    assert_eq!(told.all().len(), 1);
}

#[test]
fn more_than_fits_into_the_network_arrives_all_the_same() {
    let mut sim = Sim::new(3);
    let [a, b] = pair(&mut sim);
    let (port, kept) = keeper(&a);
    let text = "x".repeat(300_000);
    for number in 0..10 {
        b.snd(&port, vec![number.into(), text.as_str().into()]);
    }
    assert!(sim.run_until(60 * SECOND, || kept.all().len() == 10));
    assert_eq!(kept.all(), (0..10).collect::<Vec<_>>());
}

#[test]
fn an_address_is_bound_once() {
    let mut sim = Sim::new(1);
    let error = sim.start(builder("a").bind("*:4040")).unwrap_err();
    assert!(matches!(error, StartError::Bind { .. }), "{error}");
    let twice = builder("b").bind("*:*").bind("*:*");
    let node = sim.start(twice).unwrap();
    assert_eq!(node.listeners(), ["b:4040", "b:4041", "b:4042"]);
    // The first has given its address back when it failed.
    assert_eq!(sim.start(builder("a")).unwrap().listeners(), ["a:4040"]);
}

#[test]
fn a_node_is_not_found_at_a_wrong_address() {
    let mut sim = Sim::new(1);
    let node = sim.start(builder("a").address("b", "nowhere:1")).unwrap();
    let port = PortId::parse("b#port").unwrap();
    let deaths = mourn(&node, &port);
    assert!(sim.run_until(30 * SECOND, || !deaths.all().is_empty()));
    assert_eq!(
        deaths.all(),
        [Reason::transport_error("b", "connect timeout")]
    );
}

#[test]
fn there_is_one_node_of_an_id() {
    let mut sim = Sim::new(1);
    pair(&mut sim);
    let error = sim.start(builder("a")).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("a node \"a\" is running"), "{text}");
}

#[test]
#[should_panic(expected = "no node \"c\" has been started")]
fn a_node_that_never_was_is_a_mistake() {
    let mut sim = Sim::new(1);
    pair(&mut sim);
    sim.partition(&["a"], &["c"]);
}
