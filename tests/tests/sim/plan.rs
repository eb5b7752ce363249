//! The events of one schedule.

use std::{fmt, time::Duration};

use proptest::{collection::vec, prelude::*};

/// A schedule: a network, its nodes, and their events.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The seed of all random numbers of the world.
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    /// The number of nodes that are seeds of all.
    pub(crate) seeds: usize,
    /// The number of other nodes that accept no connections: the last ones.
    pub(crate) private: usize,
    /// The longest latency in milliseconds.
    pub(crate) latency: u64,
    /// The chance that a write cuts its connection, in thousandths.
    pub(crate) cuts: u32,
    /// The chances that a connection is refused, and that it is never answered, in hundredths each.
    pub(crate) lost_dials: u32,
    /// The number of bytes that fit into a connection.
    pub(crate) window: usize,
    /// The largest queue for a node, in bytes.
    pub(crate) queue: usize,
    pub(crate) steps: Vec<Step>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            nodes,
            seeds,
            private,
            latency,
            cuts,
            lost_dials,
            window,
            queue,
            steps,
        } = self;
        writeln!(
            f,
            "seed {seed}, {nodes} nodes of which {seeds} are seeds and {private} private, latency {latency} ms, cuts {cuts}/1000"
        )?;
        writeln!(
            f,
            "lost dials {lost_dials}/100, window {window}, queue {queue}"
        )?;
        let mut at = Duration::ZERO;
        steps.iter().try_for_each(|step| {
            at += step.after;
            writeln!(f, "  {at:?} {:?}", step.op)
        })
    }
}

/// An event, some time after the one before it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) after: Duration,
    pub(crate) op: Op,
}

/// An event. A number that is too large for the list that it indexes counts from the beginning again.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A number of messages from a node to a port.
    Send {
        from: usize,
        port: usize,
        count: usize,
    },
    /// So many messages from a node to a port, one after the other, so many milliseconds apart.
    Talk {
        from: usize,
        port: usize,
        count: usize,
        every: u64,
    },
    /// So many messages from a node to a port, in between other things that the node does.
    Crowd {
        from: usize,
        port: usize,
        count: usize,
    },
    OpenPort(usize),
    KillPort(usize),
    /// A monitor of a port.
    Monitor {
        from: usize,
        port: usize,
    },
    /// A monitor of a node.
    MonitorNode {
        from: usize,
        node: usize,
    },
    /// One of a node's monitors is taken back.
    Unmonitor(usize),
    Set {
        node: usize,
        family: usize,
        key: usize,
        value: u8,
    },
    Del {
        node: usize,
        family: usize,
        key: usize,
    },
    Watch {
        node: usize,
        family: usize,
    },
    /// One of a node's watches ends.
    Unwatch(usize),
    Query {
        node: usize,
        family: usize,
    },
    Stop(usize),
    /// The process or the machine.
    Crash(usize, bool),
    Start(usize),
    Cut(usize, usize),
    /// Those whose bits are set from the others; perhaps in one direction only.
    Partition {
        members: u32,
        one_way: bool,
    },
    Heal,
}

/// Nodes: some of them have much more to do than others, so that things meet.
fn node() -> impl Strategy<Value = usize> {
    prop_oneof![2 => 0..3_usize, 1 => 0..20_usize]
}

/// Ports: the first of each node are numbered like their nodes.
fn port() -> impl Strategy<Value = usize> {
    prop_oneof![2 => 0..4_usize, 1 => 0..64_usize]
}

const FAMILY: std::ops::Range<usize> = 0..3;
const KEY: std::ops::Range<usize> = 0..6;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        // Failing schedules shrink towards the first.
        2 => Just(Op::Heal),
        6 => (node(), port(), 1..6_usize).prop_map(|(from, port, count)| Op::Send { from, port, count }),
        5 => (node(), port(), 2..60_usize, 1..150_u64)
            .prop_map(|(from, port, count, every)| Op::Talk { from, port, count, every }),
        4 => (node(), port(), 1..40_usize).prop_map(|(from, port, count)| Op::Crowd { from, port, count }),
        2 => node().prop_map(Op::OpenPort),
        1 => port().prop_map(Op::KillPort),
        2 => (node(), port()).prop_map(|(from, port)| Op::Monitor { from, port }),
        1 => (node(), node()).prop_map(|(from, node)| Op::MonitorNode { from, node }),
        1 => node().prop_map(Op::Unmonitor),
        6 => (node(), FAMILY, KEY, any::<u8>())
            .prop_map(|(node, family, key, value)| Op::Set { node, family, key, value }),
        3 => (node(), FAMILY, KEY).prop_map(|(node, family, key)| Op::Del { node, family, key }),
        3 => (node(), FAMILY).prop_map(|(node, family)| Op::Watch { node, family }),
        1 => node().prop_map(Op::Unwatch),
        1 => (node(), FAMILY).prop_map(|(node, family)| Op::Query { node, family }),
        1 => node().prop_map(Op::Stop),
        2 => (node(), any::<bool>()).prop_map(|(node, machine)| Op::Crash(node, machine)),
        4 => node().prop_map(Op::Start),
        2 => (node(), node()).prop_map(|(one, other)| Op::Cut(one, other)),
        2 => (any::<u32>(), any::<bool>()).prop_map(|(members, one_way)| Op::Partition { members, one_way }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly close to each other, now and then longer than any timeout.
    let after = prop_oneof![6 => 0..50_u64, 4 => 50..2_000_u64, 1 => 2_000..15_000_u64];
    (after, op()).prop_map(|(after, op)| Step {
        after: Duration::from_millis(after),
        op,
    })
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let network = (
        prop_oneof![Just(2_u64), 2..300_u64],
        prop_oneof![Just(0_u32), 0..50_u32],
        prop_oneof![Just(0_u32), 0..20_u32],
        prop_oneof![Just(256_usize << 10), 100..2_000_usize],
        // The addresses of all nodes have to fit into a queue.
        prop_oneof![4 => Just(1_usize << 20), 1 => 700..3_000_usize],
    );
    let shape = (any::<u64>(), 5..=20_usize, 1..=4_usize);
    (shape, network, vec(step(), 0..80)).prop_map(|(shape, network, steps)| {
        let (seed, nodes, seeds) = shape;
        let (latency, cuts, lost_dials, window, queue) = network;
        Plan {
            seed,
            nodes,
            seeds,
            private: 0,
            latency,
            cuts,
            lost_dials,
            window,
            queue,
            steps,
        }
    })
}

/// The same schedules, for networks in which some nodes, or all that are not seeds, are reached by way of relays only.
pub(crate) fn private_plan() -> impl Strategy<Value = Plan> {
    plan().prop_map(|plan| {
        let others = plan.nodes.saturating_sub(plan.seeds);
        let private = (plan.seed % (others as u64 + 1)) as usize;
        Plan {
            private: private.max(2).min(others),
            ..plan
        }
    })
}
