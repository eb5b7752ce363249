use aemp_codec::Value;

use super::network::Network;

#[test]
fn a_node_known_only_by_name_is_found_on_the_first_send() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"]), ("t", &["g"])]);
    network.packets();
    network.send_to("s", "t", "hello");
    assert_eq!(network.node("t").arrived, [r#"["p","hello"]"#]);
    assert_eq!(
        network.packets()[..2],
        [r#"s>g "g_find","t""#, r#"g>s "g_found","t",["t:1"]"#,]
    );
    network.send_to("g", "t", "again");
    assert_eq!(network.node("t").arrived.len(), 2);
}

#[test]
fn the_search_for_an_unknown_node_fails_at_once() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"])]);
    network.send_to("s", "nobody", "hello");
    assert_eq!(network.node("s").fired, ["nobody 1"]);
    network.send_to("g", "nobody", "hello");
    assert_eq!(network.node("g").fired, ["nobody 1"]);
    let logs = network.node("g").logs.join("\n");
    assert!(
        logs.contains("nobody cannot be reached (no known address)"),
        "{logs}"
    );
    network.assert_no_trace_of("nobody");
}

#[test]
fn a_nodes_own_word_counts_for_its_addresses() {
    // A reference global node stores this after a `g_set` without the sender's addresses.
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"]), ("t", &["g"])]);
    network.set("s", "'l", "t", Value::Null);
    network.send_to("s", "t", "hello");
    assert_eq!(network.node("t").arrived.len(), 1);
}

#[test]
fn a_node_without_listeners_cannot_be_found_but_finds() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"])]);
    network.start_with("client", |config| {
        config.seeds = vec!["g:1".into()];
        config.listeners = vec![];
        config.handshake.relay = false;
    });
    network.pass(1.0);
    network.send_to("s", "client", "hello");
    assert_eq!(network.node("s").fired, ["client 1"]);
    network.send_to("client", "s", "hello");
    network.send_to("s", "client", "answer");
    assert_eq!(network.node("client").arrived, [r#"["p","answer"]"#]);
}

#[test]
fn addresses_are_asked_for_anew_each_time() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"]), ("t", &["g"])]);
    network.send_to("s", "t", "one");
    network.kill("t");
    network.start_with("elsewhere", |config| {
        config.handshake.node = super::network::id("t");
        config.seeds = vec!["g:1".into()];
        config.listeners = vec!["elsewhere:1".into()];
    });
    network.pass(5.0);
    network.send_to("s", "t", "two");
    assert_eq!(network.node("elsewhere").arrived, [r#"["p","two"]"#]);
}

#[test]
fn without_a_master_the_attempt_waits_for_one() {
    let mut network = Network::new();
    network.start("s", &["g"]);
    network.start("t", &["g"]);
    network.send_to("s", "t", "hello");
    network.start("g", &["g"]);
    network.pass(1.0);
    assert!(network.node("s").fired.is_empty());
    network.pass(2.0);
    let arrived = network.node("t").arrived.len();
    assert!(arrived == 1 || network.node("s").fired == ["t 1"]);
    network.send_to("s", "t", "again");
    network.pass(1.0);
    assert!(
        network
            .node("t")
            .arrived
            .iter()
            .any(|packet| packet.contains("again"))
    );
}
