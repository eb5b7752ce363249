//! Networks that are split, bad, or cut.

use std::time::Duration;

use aemp::sim::{Conditions, Sim};

use super::{SECOND, keeper, mourn, pair, sent_over_cuts, wait_up};

#[test]
fn a_short_partition_loses_nothing() {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim);
    let (port, kept) = keeper(&a);
    let deaths = mourn(&b, &port);
    sim.partition(&["a"], &["b"]);
    for number in 0..5 {
        b.snd(&port, vec![number.into()]);
    }
    sim.run_for(4 * SECOND);
    assert!(kept.all().is_empty());
    sim.heal();
    sim.run_for(SECOND);
    assert_eq!(kept.all(), [0, 1, 2, 3, 4]);
    assert!(deaths.all().is_empty(), "{deaths:?}");
}

#[test]
fn a_long_one_way_partition_ends_the_connection_at_both_ends() {
    for [from, to] in [["a", "b"], ["b", "a"]] {
        let mut sim = Sim::new(1);
        let [a, b] = pair(&mut sim);
        let (port, _) = keeper(&a);
        let deaths = mourn(&b, &port);
        sim.run_for(SECOND);
        sim.partition_one_way(&[from], &[to]);
        sim.run_for(31 * SECOND);
        assert_eq!(deaths.all().len(), 1, "{from} to {to}");
        assert_ne!(a.node_is_up("b"), Some(true));
        sim.heal();
        wait_up(&mut sim, &b, "a");
    }
}

#[test]
fn a_cut_connection_is_reported_as_a_loss() {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim);
    let (port, _) = keeper(&a);
    let deaths = mourn(&b, &port);
    sim.run_for(SECOND);
    sim.cut("a", "b");
    sim.run_for(SECOND);
    assert_eq!(deaths.all().len(), 1);
    assert!(deaths.all()[0].to_string().contains("reset"), "{deaths:?}");
    wait_up(&mut sim, &b, "a");
}

#[test]
fn no_cut_causes_an_unreported_loss() {
    let arrived = sent_over_cuts(0.05, 100, |sim| {
        let [a, b] = pair(sim);
        [b, a]
    });
    assert!(arrived > 500, "{arrived} of 2000");
}

#[test]
fn a_bad_link_is_bad_in_one_direction() {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim);
    let ((to_a, at_a), (to_b, at_b)) = (keeper(&a), keeper(&b));
    let slow = Duration::from_secs(2);
    sim.set_link(
        "a",
        "b",
        Conditions {
            latency: slow..=slow,
            ..Conditions::default()
        },
    );
    a.snd(&to_b, vec![1.into()]);
    b.snd(&to_a, vec![1.into()]);
    sim.run_for(SECOND);
    assert_eq!((at_a.all().len(), at_b.all().len()), (1, 0));
    sim.run_for(2 * SECOND);
    assert_eq!(at_b.all().len(), 1);
}
