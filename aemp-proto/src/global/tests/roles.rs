use super::network::{Network, id};
use crate::global::Role;

fn role(network: &mut Network, node: &str) -> Role {
    network.mesh(node).role().clone()
}

#[test]
fn a_seed_becomes_global_and_the_master() {
    let mut network = Network::of(&[("g", &[]), ("s", &["g"])]);
    assert_eq!(role(&mut network, "g"), Role::Global);
    assert_eq!(role(&mut network, "s"), Role::Slave(id("g")));
    assert_eq!(network.view("'g"), ["g=null"]);
    assert_eq!(network.view("'l"), [r#"g=["g:1"]"#, r#"s=["s:1"]"#]);
    let packets = network.packets();
    assert_eq!(
        packets[..3],
        [
            r#"s>g "g_slave""#,
            r#"s>g "g_slave",{"'l":{"s":["s:1"]}}"#,
            r#"g>s "g_global""#,
        ]
    );
}

#[test]
fn a_node_that_is_its_own_seed_is_global() {
    let mut network = Network::of(&[("g", &["g"])]);
    assert_eq!(role(&mut network, "g"), Role::Global);
}

#[test]
fn by_configuration_or_alone() {
    let mut network = Network::new();
    network.start_with("g", |config| config.global = true);
    network.start("a", &[]);
    network.start("b", &["nowhere"]);
    assert_eq!(role(&mut network, "g"), Role::Global);
    assert_eq!(role(&mut network, "a"), Role::Alone);
    assert!(matches!(role(&mut network, "b"), Role::Searching(_)));
    network.pass(2.0);
    assert_eq!(role(&mut network, "b"), Role::Alone);
}

#[test]
fn nodes_that_are_each_others_seeds_are_both_global_and_know_each_other() {
    let mut network = Network::of(&[("a", &["b"]), ("b", &["a"])]);
    assert_eq!(role(&mut network, "a"), Role::Global);
    assert_eq!(role(&mut network, "b"), Role::Global);
    assert_eq!(network.view("'g"), ["a=null", "b=null"]);
}

#[test]
fn another_seed_becomes_the_master_when_it_is_lost() {
    let nodes: [(&str, &[&str]); 3] = [("g", &["h"]), ("h", &["g"]), ("s", &["g", "h"])];
    let mut network = Network::of(&nodes);
    let Role::Slave(master) = role(&mut network, "s") else {
        panic!("no slave")
    };
    let other = if master == id("g") { "h" } else { "g" };
    network.set("s", "f", "k", 1);
    network.kill(master.as_str());
    network.pass(0.1);
    assert_eq!(role(&mut network, "s"), Role::Slave(id(other)));
    assert_eq!(network.view("f"), ["k=1"]);
    network.pass(10.0);
    network.start(master.as_str(), &[other]);
    network.pass(30.0);
    assert_eq!(role(&mut network, "s"), Role::Slave(id(other)));
    assert_eq!(network.view("f"), ["k=1"]);
}

/// All slaves of a lost node choose at the same time, and do not all choose the same node. The slaves of other nodes
/// stay.
#[test]
fn slaves_of_a_lost_node_spread_over_the_others() {
    let mut network = Network::of(&[("a", &["a"]), ("b", &["a", "b"]), ("c", &["a", "b"])]);
    let now = network.now;
    network.mesh("c").become_global(now);
    let slaves: Vec<_> = (0..36).map(|n| format!("s{n}")).collect();
    for (n, slave) in slaves.iter().enumerate() {
        // Most follow `a`, the first node that they meet.
        let seeds = if n % 6 == 5 { ["b", "c"] } else { ["a", "b"] };
        network.start(slave, &seeds[..1]);
        network.pass(0.1);
        for seed in ["a", "b", "c"] {
            let now = network.now;
            network.mesh(slave).add_seed(now, &format!("{seed}:1"));
        }
    }
    network.pass(10.0);
    let masters = |network: &mut Network| -> Vec<Role> {
        slaves.iter().map(|slave| role(network, slave)).collect()
    };
    let before = masters(&mut network);
    assert_eq!(
        before
            .iter()
            .filter(|role| **role == Role::Slave(id("a")))
            .count(),
        30
    );
    network.kill("a");
    network.pass(1.0);
    let after = masters(&mut network);
    let (mut to_b, mut to_c) = (0, 0);
    for (before, after) in before.iter().zip(&after) {
        if *before != Role::Slave(id("a")) {
            assert_eq!(before, after, "its master lives");
        } else if *after == Role::Slave(id("b")) {
            to_b += 1;
        } else {
            assert_eq!(*after, Role::Slave(id("c")));
            to_c += 1;
        }
    }
    assert!(to_b.max(to_c) <= 18, "{to_b} and {to_c} of 30");

    // No node changes its master again, even when the lost node is back.
    network.pass(60.0);
    assert_eq!(masters(&mut network), after);
    network.start("a", &["b"]);
    network.pass(60.0);
    assert_eq!(masters(&mut network), after);
}

#[test]
fn without_another_seed_any_global_node_will_do() {
    // s knows h because it has sent a message there.
    let nodes: [(&str, &[&str]); 3] = [("g", &[]), ("h", &["g"]), ("s", &["g"])];
    let mut network = Network::of(&nodes);
    let now = network.now;
    network.mesh("h").become_global(now);
    network.settle();
    network.send_to("s", "h", "hello");
    network.kill("g");
    network.pass(0.1);
    assert_eq!(role(&mut network, "s"), Role::Slave(id("h")));
}

#[test]
fn global_nodes_find_each_other_and_stay_connected() {
    let nodes: [(&str, &[&str]); 3] = [("a", &["a"]), ("b", &["b", "a"]), ("c", &["c", "a"])];
    let mut network = Network::of(&nodes);
    assert!(network.mesh("b").is_up(&id("c")), "no node told them to");
    network.cut("b", "c");
    assert!(!network.mesh("b").is_up(&id("c")));
    assert_eq!(network.view("'g").len(), 3, "a still sees both");
    network.heal();
    network.pass(5.0);
    assert!(network.mesh("b").is_up(&id("c")));
    network.kill("c");
    network.pass(10.0);
    assert_eq!(network.view("'g"), ["a=null", "b=null"]);
    network.assert_no_trace_of("c");
}

#[test]
fn networks_that_share_a_seed_merge_again() {
    let nodes: [(&str, &[&str]); 4] = [
        ("a", &["a", "b"]),
        ("b", &["a", "b"]),
        ("s", &["a"]),
        ("t", &["b"]),
    ];
    let mut network = Network::of(&nodes);
    network.set("s", "f", "s", 1);
    network.set("t", "f", "t", 2);
    assert_eq!(network.view("f"), ["s=1", "t=2"]);
    network.cut("a", "b");
    network.pass(10.0);
    assert_eq!(network.mesh("a").db_view("f").len(), 1);
    assert_eq!(network.mesh("b").db_view("f").len(), 1);
    network.heal();
    network.pass(30.0);
    assert_eq!(network.view("f"), ["s=1", "t=2"]);
    assert_eq!(network.view("'g"), ["a=null", "b=null"]);
}

#[test]
fn a_slave_that_becomes_global_keeps_its_entries_visible() {
    let nodes: [(&str, &[&str]); 3] = [("a", &["a"]), ("b", &["a"]), ("s", &["a"])];
    let mut network = Network::of(&nodes);
    network.set("s", "f", "k", 1);
    network.set("s", "f", "l", 1);
    network.watch("b", "f");
    network.news("b");
    let now = network.now;
    network.mesh("s").become_global(now);
    network.settle();
    network.set("s", "f", "k", 2);
    network.del("s", "f", "l");
    network.pass(10.0);
    assert_eq!(network.news("b"), ["1 k=2", "1 -l"], "no flicker");
    assert_eq!(network.view("f"), ["k=2"]);
    network.kill("s");
    network.pass(10.0);
    assert_eq!(network.view("f"), [""; 0]);
    network.assert_no_trace_of("s");
}
