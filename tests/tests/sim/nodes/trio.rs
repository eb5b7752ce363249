//! Three nodes that are all connected, and the faults between them: the world of random schedules about streams.

use std::time::Duration;

use aemp::{
    Node,
    sim::{Chance, Conditions, Crash, Sim},
};

use super::{SECOND, wait_up};

pub(super) const NODES: [&str; 3] = ["a", "b", "c"];
const MS: Duration = Duration::from_millis(1);

/// Waits until each node has found the others.
pub(super) fn all_up(sim: &mut Sim, nodes: [&Node; 3]) {
    for (one, other) in [(0, "b"), (0, "c"), (1, "c"), (2, "a"), (2, "b")] {
        wait_up(sim, nodes[one], other);
    }
}

/// Time passes.
pub(super) fn a_while(sim: &mut Sim, chance: &mut Chance, most: Duration) {
    let time = chance.between(Duration::ZERO, most);
    sim.run_for(time);
}

/// In half of all cases, a moment passes.
pub(super) fn perhaps_a_moment(sim: &mut Sim, chance: &mut Chance) {
    if chance.happens(0.5) {
        a_while(sim, chance, 20 * MS);
    }
}

/// Makes the network slow, narrow or unreliable.
pub(super) fn spoil(sim: &mut Sim, chance: &mut Chance) {
    let conditions = Conditions {
        latency: MS / 2..=[2 * MS, 100 * MS][chance.index(2)],
        cut: [0.0, 0.02][chance.index(2)],
        refuse: [0.0, 0.3][chance.index(2)],
        lose: [0.0, 0.3][chance.index(2)],
        window: [3000, 1 << 18][chance.index(2)],
        ..Conditions::default()
    };
    sim.set_conditions(conditions);
}

/// The faults between two nodes, and their end.
pub(super) fn cut_or_heal(sim: &mut Sim, kind: u64, one: usize, other: usize) {
    match kind {
        0 => sim.cut(NODES[one], NODES[other]),
        1 => sim.partition(&[NODES[one]], &[NODES[other]]),
        _ => sim.heal(),
    }
}

/// A process or its machine dies.
pub(super) fn crash(sim: &mut Sim, chance: &mut Chance, which: usize) {
    let how = [Crash::Process, Crash::Machine][chance.index(2)];
    sim.crash(NODES[which], how);
}

/// A node that has crashed is started again after some time.
pub(super) fn start_again(sim: &mut Sim, chance: &mut Chance, which: usize) -> Node {
    a_while(sim, chance, 5 * SECOND);
    sim.restart(NODES[which]).unwrap()
}

/// All faults end.
pub(super) fn calm(sim: &mut Sim) {
    sim.heal();
    sim.set_conditions(Conditions::default());
    sim.run_for(200 * SECOND);
}
