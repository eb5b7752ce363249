//! Nodes without listeners find each other by way of their masters.

use super::network::Network;

/// Starts a node without listeners.
fn start_private(network: &mut Network, node: &str, seed: &str) {
    network.start_with(node, |config| {
        config.seeds = vec![format!("{seed}:1")];
        config.listeners = vec![];
    });
}

fn of_one_master() -> Network {
    let mut network = Network::of(&[("g", &["g"])]);
    start_private(&mut network, "a", "g");
    start_private(&mut network, "b", "g");
    network.pass(1.0);
    network.packets();
    network
}

#[test]
fn a_private_node_is_found_at_its_master() {
    let mut network = of_one_master();
    network.send_to("a", "b", "hello");
    let packets = network.packets();
    let first = packets.iter().take(5);
    let first: Vec<_> = first
        .map(|packet| packet.replace(char::is_numeric, "N"))
        .collect();
    assert_eq!(
        first,
        [
            r#"a>g "g_find","b""#,
            r#"g>a "g_found","b",[],"g""#,
            r#"a>g "Aemp::relay","open",N,"b""#,
            r#"g>a "Aemp::relayed","opened",N,N"#,
            r#"g>b "Aemp::relayed","open",N,"a""#,
        ]
    );
    assert_eq!(network.node("b").arrived, [r#"["p","hello"]"#]);
    network.send_to("b", "a", "answer");
    assert_eq!(network.node("a").arrived, [r#"["p","answer"]"#]);
    assert_eq!(network.mesh("g").relayed_sessions(), 1);
}

#[test]
fn nodes_of_different_masters_find_each_other() {
    let mut network = Network::of(&[("g", &["g"]), ("h", &["g", "h"])]);
    start_private(&mut network, "a", "g");
    start_private(&mut network, "b", "h");
    network.pass(1.0);
    network.send_to("a", "b", "hello");
    assert_eq!(network.node("b").arrived, [r#"["p","hello"]"#]);
    let relayed = ["g", "h"].map(|relay| network.mesh(relay).relayed_sessions());
    assert_eq!(relayed, [0, 1]);
}

#[test]
fn the_loss_of_the_other_end_fires_monitors() {
    let mut network = of_one_master();
    network.send_to("a", "b", "hello");
    network.kill("b");
    assert_eq!(network.node("a").fired, ["b 1"]);
    network.pass(5.0);
    network.assert_no_trace_of("b");
    for node in ["a", "g"] {
        assert!(network.mesh(node).has_no_tunnels(), "{node}");
    }
}

#[test]
fn the_loss_of_the_relay_fires_monitors_at_both_ends() {
    let mut network = of_one_master();
    network.send_to("a", "b", "hello");
    network.send_to("b", "a", "answer");
    network.kill("g");
    for (node, other) in [("a", "b"), ("b", "a")] {
        let fired = network.node(node).fired.clone();
        assert!(fired.contains(&format!("{other} 1")), "{node}: {fired:?}");
        network.pass(5.0);
        assert!(network.mesh(node).has_no_tunnels(), "{node}");
    }
    network.start("g", &["g"]);
    network.pass(40.0);
    network.send_to("a", "b", "again");
    assert_eq!(network.node("b").arrived.len(), 2);
}

#[test]
fn a_cut_between_the_relay_and_an_end_fires_monitors_at_the_other() {
    let mut network = of_one_master();
    network.send_to("a", "b", "hello");
    network.cut("b", "g");
    assert_eq!(network.node("a").fired, ["b 1"]);
    assert!(network.mesh("g").has_no_tunnels());
    network.heal();
    network.pass(40.0);
    network.send_to("a", "b", "again");
    assert_eq!(network.node("b").arrived.len(), 2);
}

#[test]
fn a_relay_that_is_switched_off_passes_nothing_on() {
    let mut network = Network::new();
    network.start_with("g", |config| {
        config.listeners = vec!["g:1".into()];
        config.global = true;
        config.handshake.relay = false;
    });
    start_private(&mut network, "a", "g");
    start_private(&mut network, "b", "g");
    network.pass(1.0);
    network.send_to("a", "b", "hello");
    assert_eq!(network.node("a").fired, ["b 1"]);
    let packets = network.packets().join("\n");
    assert!(packets.contains(r#"g>a "g_found","b",[]"#), "{packets}");
    assert!(!packets.contains("Aemp::relay"), "{packets}");
}
