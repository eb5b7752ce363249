//! The same seed gives the same run.

use std::time::Duration;

use aemp::sim::{Conditions, Crash, Sim};

use super::{SECOND, Told, builder, keeper, mourn};

/// Everything that happens in a network with faults, with its times.
fn history(seed: u64) -> Vec<String> {
    let mut sim = Sim::new(seed);
    sim.set_conditions(Conditions {
        latency: Duration::from_millis(1)..=Duration::from_millis(90),
        cut: 0.02,
        ..Conditions::default()
    });
    let told = Told::new();
    let names = ["a", "b", "c"];
    let nodes = names.map(|name| {
        let seeded = names.iter().fold(builder(name), |builder, seed| {
            builder.seed(format!("{seed}:4040"))
        });
        sim.start(seeded).unwrap()
    });
    let _observers = nodes.clone().map(|node| {
        let (tell, name) = (told.clone(), node.id().to_string());
        node.mon_nodes(move |other, up, text| tell.tell(format!("{name}: {other} {up} {text}")))
    });
    let ports = nodes.each_ref().map(keeper);
    let mut deaths = Vec::new();
    for round in 0..20 {
        for node in &nodes {
            for (port, _) in &ports {
                node.snd(port, vec![round.into()]);
                deaths.push(mourn(node, port));
            }
        }
        match round {
            5 => sim.partition(&["a"], &["b", "c"]),
            9 => sim.heal(),
            12 => sim.crash("c", Crash::Process),
            _ => {}
        }
        sim.run_for(SECOND);
        told.tell(format!("{:?}", sim.elapsed()));
    }
    let mut history = told.all();
    history.extend(ports.iter().map(|(port, kept)| format!("{port} {kept:?}")));
    history.extend(deaths.iter().map(|deaths| format!("{:?}", deaths.all())));
    history
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..3 {
        let first = history(seed);
        // Also on another thread.
        let second = std::thread::spawn(move || history(seed)).join().unwrap();
        for (one, other) in first.iter().zip(&second) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(first.len(), second.len());
    }
    assert_ne!(history(1), history(2));
}
