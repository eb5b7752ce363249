//! Tests of one's own actors (feature `test`): probes, mocks, and nodes on a virtual clock. The guide is the handbook's
//! page [`testing`](crate::handbook::testing).
//!
//! | you want | use |
//! | --- | --- |
//! | a node on paused time | [`run`] |
//! | a port that records its messages, one by one | [`Probe`] |
//! | a port that answers as another would, and records its calls | [`Mock`] |
//! | nodes in a network that breaks when the test says so | [`network`], [`Sim`] |
//!
//! Probes and mocks are ports like others: they work on any node, and can be reached from every node. All waits have a time
//! limit. Under a paused clock a limit costs no time; the test fails as soon as nothing else can happen.

mod mock;
mod probe;

use std::time::Duration;

pub use self::{
    mock::{Heard, Mock},
    probe::Probe,
};
use crate::{Node, sim::Sim};

/// The time in which nodes of [`network`] connect.
const JOINING: Duration = Duration::from_secs(60);

/// The virtual time after which a test of [`run`] waits for something that does not come.
const LONGEST: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// The seed of the chance of all tests.
const SEED: u64 = 1;

/// Runs a test on a node with a virtual clock: the node of a [`network`] of one.
///
/// ```
/// use std::time::Duration;
/// use aemp::{Cx, port, test};
///
/// struct Fuse;
///
/// #[port]
/// impl Fuse {
///     #[rcv]
///     fn light(&mut self, cx: &mut Cx<'_>) { cx.after(Duration::from_secs(3600), |cx| cx.kill("boom")); }
/// }
///
/// test::run(async |node| {
///     let fuse = node.port(Fuse);
///     fuse.light();
///     assert_eq!(fuse.closed().await.to_string(), "boom"); // at once
/// });
/// ```
///
/// *Semantics.* Everything runs on this thread. Time passes when there is nothing else to do. The node ends with the test;
/// its ports are dropped without their `#[stop]` methods.
///
/// *Limits.* Code that uses threads, real sockets or the real clock does not follow the virtual clock; see [`Sim`]. A test
/// has 100 days of virtual time, which pass within some minutes when nothing else happens.
///
/// # Panics
///
/// As the test, and if it is not over after its 100 days, as when it waits for an answer that never comes.
pub fn run<T>(test: impl AsyncFnOnce(Node) -> T) -> T {
    run_within(LONGEST, test)
}

fn run_within<T>(limit: Duration, test: impl AsyncFnOnce(Node) -> T) -> T {
    let mut sim = network(["test"]);
    let node = sim.node("test").cloned();
    let test = test(node.expect("it has been started"));
    let done = sim.block_on(async { tokio::time::timeout(limit, test).await });
    done.unwrap_or_else(|_| panic!("the test is not over after {limit:?} of virtual time"))
}

/// Starts nodes that are connected with each other, in a simulated network. Faults are methods of the [`Sim`].
///
/// ```
/// use std::time::Duration;
/// use aemp::{port, sim::Crash, test};
///
/// #[derive(Default)]
/// struct Counter(i64);
///
/// #[port]
/// impl Counter {
///     #[rcv]
///     fn inc(&mut self) -> i64 { self.0 += 1; self.0 }
/// }
///
/// let mut sim = test::network(["a", "b"]);
/// let counter = sim.node("a").unwrap().port(Counter::default());
/// let far: CounterRef = sim.node("b").unwrap().handle(&counter.id());
/// assert_eq!(sim.block_on(far.inc())?, 1);
///
/// sim.cut("a", "b");                              // they connect again at once
/// sim.partition(&["a"], &["b"]);                  // until `sim.heal()`
/// sim.heal();
/// sim.crash("a", Crash::Process);                 // until `sim.restart("a")`
/// assert!(sim.block_on(far.inc().timeout(Duration::from_secs(90))).is_err());
/// # Ok::<(), aemp::CallError>(())
/// ```
///
/// *Semantics.* Each node listens at its name, and has all others as seeds. The chance of nodes and network is the same in
/// every run. To choose it, or nodes with other settings, use [`Sim`] itself; [`Sim::start`] adds nodes to this one as well.
///
/// *Limits.* Those of [`Sim`].
///
/// # Panics
///
/// If a name is not a node ID, or is there twice.
#[must_use]
pub fn network<'a>(nodes: impl IntoIterator<Item = &'a str>) -> Sim {
    let ids: Vec<&str> = nodes.into_iter().collect();
    let mut sim = Sim::new(SEED);
    let mut started = Vec::new();
    for id in &ids {
        let others = ids.iter().filter(|other| *other != id);
        let own = Node::builder().node_id(*id).secret("test").bind("*:4040");
        let builder = others.fold(own, |builder, other| builder.seed(format!("{other}:4040")));
        match sim.start(builder) {
            Ok(node) => started.push(node),
            Err(error) => panic!("the node {id:?} of the test does not start: {error}"),
        }
    }
    let all_up = |node: &Node| ids.iter().all(|id| node.node_is_up(id) == Some(true));
    let joined = sim.run_until(JOINING, || started.iter().all(all_up));
    assert!(joined, "the nodes {ids:?} of the test do not connect");
    sim
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the test is not over after 60s of virtual time")]
    fn a_test_that_waits_for_ever_fails() {
        run_within(Duration::from_secs(60), async |node: Node| {
            node.empty_port().closed().await;
        });
    }
}
