//! Nodes that are reached by way of relays.

use std::time::Duration;

use aemp::{
    Node,
    sim::{Conditions, Crash, Sim},
};

use super::{SECOND, builder, keeper, mourn, wait_up};

/// A global node, and two that do not listen.
fn three(sim: &mut Sim) -> [Node; 3] {
    let private = |id: &str| {
        let builder = Node::builder().node_id(id).secret("s");
        builder.seed("g:4040").monitor_timeout(9 * SECOND)
    };
    let g = sim.start(builder("g").global(true)).unwrap();
    let [a, b] = ["a", "b"].map(|id| sim.start(private(id)).unwrap());
    for node in [&a, &b] {
        wait_up(sim, node, "g");
    }
    sim.run_for(SECOND);
    [g, a, b]
}

#[test]
fn private_nodes_talk_and_hear_of_losses_on_both_hops() {
    for (one, other) in [("a", "g"), ("b", "g")] {
        let mut sim = Sim::new(1);
        let [_, a, b] = three(&mut sim);
        let (port, kept) = keeper(&b);
        let deaths = mourn(&a, &port);
        for number in 0..5 {
            a.snd(&port, vec![number.into()]);
        }
        sim.run_for(SECOND);
        assert_eq!(kept.all(), [0, 1, 2, 3, 4]);
        sim.cut(one, other);
        sim.run_for(SECOND);
        assert_eq!(deaths.all().len(), 1, "{one} {other}: {deaths:?}");
        sim.run_for(20 * SECOND);
        let deaths = mourn(&a, &port);
        a.snd(&port, vec![5.into()]);
        sim.run_for(SECOND);
        assert_eq!(kept.all(), [0, 1, 2, 3, 4, 5]);
        assert!(deaths.all().is_empty(), "{deaths:?}");
    }
}

#[test]
fn crashes_are_noticed_through_a_relay() {
    for (node, how) in [
        ("b", Crash::Process),
        ("b", Crash::Machine),
        ("g", Crash::Process),
        ("g", Crash::Machine),
    ] {
        let mut sim = Sim::new(2);
        let [_, a, b] = three(&mut sim);
        let (port, _) = keeper(&b);
        let deaths = mourn(&a, &port);
        sim.run_for(SECOND);
        sim.crash(node, how);
        sim.run_for(20 * SECOND);
        assert_eq!(deaths.all().len(), 1, "{node} {how:?}: {deaths:?}");
    }
}

#[test]
fn no_cut_on_either_hop_causes_an_unreported_loss() {
    let mut arrived = 0;
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let [_, a, b] = three(&mut sim);
        let (port, kept) = keeper(&b);
        sim.set_conditions(Conditions {
            latency: Duration::from_millis(1)..=Duration::from_millis(80),
            cut: 0.03,
            ..Conditions::default()
        });
        // An epoch is a thousand numbers; each fire of the monitor begins another.
        let mut deaths = mourn(&a, &port);
        let mut next = 0;
        for _ in 0..200 {
            if !deaths.all().is_empty() {
                deaths = mourn(&a, &port);
                next = (next / 1000 + 1) * 1000;
            }
            a.snd(&port, vec![next.into()]);
            next += 1;
            sim.run_for(Duration::from_millis(50));
        }
        let kept = kept.all();
        arrived += kept.len();
        for pair in kept.windows(2) {
            let same = pair[0] / 1000 == pair[1] / 1000;
            let fits = if same {
                pair[0] + 1 == pair[1]
            } else {
                pair[1] % 1000 == 0
            };
            assert!(fits && pair[0] < pair[1], "seed {seed}: {kept:?}");
        }
    }
    assert!(arrived > 500, "{arrived}");
}
