//! One connection per pair of nodes, however many want it at the same moment.

use std::time::Duration;

use aemp::{
    PortId,
    sim::{Conditions, Member, Observation, Setup, World},
};

const NODES: usize = 6;
const PAIRS: usize = NODES * (NODES - 1) / 2;

/// Nodes that start together, with these seeds.
fn crowd(seed: u64, seeds: &[&str]) -> (World, Vec<Member>) {
    let mut world = World::new(seed);
    world.network().set_conditions(Conditions {
        latency: Duration::from_millis(1)..=Duration::from_millis(100),
        ..Conditions::default()
    });
    let names = (0..NODES).map(|index| format!("n{index}"));
    for name in names.clone() {
        world.network().add_host(&name);
    }
    let add = |name: String| {
        let setup = Setup::new(&name);
        world.add(seeds.iter().fold(setup, |setup, seed| setup.seed(seed)))
    };
    let members = names.map(add).collect();
    (world, members)
}

/// The counts of nodes that came up and of messages that arrived, if no connection was ever lost.
fn count(world: &mut World) -> (usize, usize) {
    let (mut ups, mut arrived) = (0, 0);
    while let Some(observation) = world.observe() {
        match observation {
            Observation::Up { .. } => ups += 1,
            Observation::Received { .. } => arrived += 1,
            Observation::Down { at, node, text } => panic!("{at:?} has lost {node}: {text}"),
            _ => {}
        }
    }
    (ups, arrived)
}

/// Every node has one connection to every other, and there are no others.
fn one_per_pair(world: &mut World) {
    for member in world.members() {
        let established = world.established(member);
        assert_eq!(established.len(), NODES - 1);
        assert!(established.values().all(|ends| ends.len() == 1));
    }
    // A node that is its own seed looks now and then if it still is.
    let mut settled = false;
    for _ in 0..50 {
        settled |= world.network().connections() == PAIRS;
        world.run_for(Duration::from_millis(100));
    }
    assert!(settled, "{}", world.network().connections());
}

#[test]
fn nodes_that_are_each_others_seeds_make_one_lasting_connection() {
    for seed in 0..40 {
        let all = ["n0", "n1", "n2", "n3", "n4", "n5"];
        let (mut world, _) = crowd(seed, &all);
        world.run_for(Duration::from_secs(120));
        assert_eq!(count(&mut world), (2 * PAIRS, 0), "seed {seed}");
        one_per_pair(&mut world);
    }
}

#[test]
fn nodes_that_send_to_each_other_make_one_lasting_connection() {
    for seed in 0..40 {
        let (mut world, members) = crowd(seed, &["n0"]);
        let ports: Vec<PortId> = members.iter().map(|one| world.open_port(*one)).collect();
        world.run_for(Duration::from_secs(10));
        for (from, member) in members.iter().enumerate() {
            for (_, port) in ports.iter().enumerate().filter(|(to, _)| *to != from) {
                world.send(*member, port, &["hello".into()]);
            }
        }
        world.run_for(Duration::from_secs(120));
        assert_eq!(count(&mut world), (2 * PAIRS, 2 * PAIRS), "seed {seed}");
        one_per_pair(&mut world);
    }
}
