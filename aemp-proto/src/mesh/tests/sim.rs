//! Two nodes and a network in memory, under a virtual clock: delays, cuts at any byte, simultaneous dials.

mod reference;
mod world;

use self::world::{Plan, World};

const RUNS: u64 = 30;

fn for_all(plan: Plan, check: impl Fn(&World, u64)) {
    for seed in 0..RUNS {
        let mut world = World::new(plan, seed);
        world.run();
        check(&world, seed);
    }
}

#[test]
fn two_nodes_that_are_each_others_seeds_come_up_once() {
    for_all(Plan::seeds(), |world, seed| {
        assert_eq!(world.ups(), [1, 1], "seed {seed}");
        world.assert_one_connection();
    });
}

#[test]
fn two_nodes_that_send_to_each_other_come_up_once() {
    for_all(Plan::on_demand(), |world, seed| {
        assert_eq!(world.ups(), [1, 1], "seed {seed}");
        world.assert_one_connection();
    });
}

#[test]
fn cuts_leave_one_connection_in_the_end() {
    for plan in [Plan::seeds(), Plan::on_demand()] {
        for_all(plan.cut(), |world, _| world.assert_one_connection());
    }
}

#[test]
fn a_reference_node_never_sees_two_connections_complete() {
    for_all(Plan::seeds().reference(), |world, seed| {
        assert_eq!(world.switched(), 0, "seed {seed}");
        assert_eq!(world.ups(), [1, 1], "seed {seed}");
        world.assert_one_connection();
    });
}

#[test]
fn with_a_reference_node_there_is_one_connection_in_the_end() {
    for_all(Plan::seeds().reference().cut(), |world, _| {
        world.assert_one_connection()
    });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut world = World::new(Plan::seeds().cut(), seed);
        world.run();
        world.history()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
