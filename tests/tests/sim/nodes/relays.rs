//! Nodes that are reached by way of relays.

use aemp::{
    Node,
    sim::{Crash, Sim},
};

use super::{SECOND, builder, keeper, mourn, sent_over_cuts, wait_up};

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
    let arrived = sent_over_cuts(0.03, 200, |sim| {
        let [_, a, b] = three(sim);
        [a, b]
    });
    assert!(arrived > 500, "{arrived}");
}
