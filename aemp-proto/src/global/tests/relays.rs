//! Nodes without listeners find each other by way of their masters.

use aemp_codec::Value;

use super::{
    network::{Network, id},
    strangers::say,
};
use crate::mesh::{Output, Peers, TunnelRead, Way};

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

#[test]
fn there_is_one_hop_only() {
    let mut network = of_one_master();
    network.start("h", &["g"]);
    network.pass(1.0);
    network.send_to("a", "h", "hello");
    network.send_to("a", "b", "hello");
    network.packets();
    say(
        &mut network,
        "h",
        "a",
        "Aemp::relay",
        &["open".into(), 9.into(), "b".into()],
    );
    let packets = network.packets().join("\n");
    assert!(
        packets.contains(r#"a>h "Aemp::relayed","refused",9,"#),
        "{packets}"
    );
    assert_eq!(network.mesh("a").relayed_sessions(), 0);
}

#[test]
fn a_session_and_its_octets_cost_their_sender() {
    let mut network = of_one_master();
    let now = network.now;
    let conn = network
        .mesh("g")
        .peers()
        .with(&id("a"), |peer| peer.conn())
        .unwrap();
    let mut cost = |args: Vec<Value>| {
        let request = ("Aemp::relay".to_owned(), args);
        network.mesh("g").requests(now, conn, [request])
    };
    assert_eq!(cost(vec!["open".into(), 1.into(), "b".into()]), 100);
    let octets = Value::bytes(vec![0; 16 << 10]);
    assert_eq!(cost(vec!["data".into(), 1.into(), octets]), 4);
    assert_eq!(cost(vec!["room".into(), 1.into(), 5.into()]), 0);
}

#[test]
fn a_late_answer_to_a_dial_that_was_given_up_ends_the_session() {
    let mut network = of_one_master();
    network.packets();
    // The token is that of no dial.
    say(
        &mut network,
        "a",
        "g",
        "Aemp::relay",
        &["open".into(), 99.into(), "b".into()],
    );
    let packets = network.packets().join("\n");
    assert!(
        packets.contains(r#"a>g "Aemp::relay","end",1,"#),
        "{packets}"
    );
    assert!(network.mesh("g").has_no_tunnels());
}

/// The reader of a tunnel hears of a failed write.
#[test]
fn a_full_queue_for_the_relay_ends_the_tunnel() {
    let mut network = of_one_master();
    network.send_to("a", "b", "hello");
    let now = network.now;
    let mesh = network.mesh("a");
    let conn = mesh.peers().with(&id("b"), |peer| peer.conn()).unwrap();
    mesh.peers().with(&id("g"), |peer| {
        let large = "x".repeat(peer.limits().max_queue_bytes / 2);
        let _ = peer.send("p", |packet| packet.str(&large));
    });
    let text = "the queue for the relay is full".to_owned();
    assert_eq!(mesh.tunnel_write(now, conn, b"x"), Err(text.clone()));
    let stirred = std::iter::from_fn(|| mesh.poll());
    let mut stirred = stirred.filter(
        |output| matches!(output, Output::TunnelStirred { conn: stirred } if *stirred == conn),
    );
    assert!(stirred.next().is_some());
    let mut buffer = Vec::with_capacity(10);
    assert_eq!(
        mesh.tunnel_read(now, conn, &mut buffer),
        TunnelRead::Lost(text)
    );
}

#[test]
fn a_dial_ends_with_its_relay() {
    let mut network = of_one_master();
    let now = network.now;
    let mesh = network.mesh("a");
    let relay = mesh.peers().with(&id("g"), |peer| peer.conn()).unwrap();
    let ways = [Way::Relay(id("g")), Way::Relay(id("a"))];
    let failures = ways.map(|way| {
        mesh.dial_stream(now, &way, &id("b"), "s");
        mesh.closed(now, relay, "cut");
        let outputs: Vec<_> = std::iter::from_fn(|| mesh.poll()).collect();
        outputs.into_iter().find_map(|output| match output {
            Output::StreamFailed { id, text, .. } => Some(format!("{id}: {text}")),
            _ => None,
        })
    });
    let expected = [
        "s: the relay cannot be reached",
        "s: the relay passes on no connections",
    ];
    assert_eq!(failures, expected.map(|text| Some(text.to_owned())));
    assert!(mesh.has_no_tunnels());
}
