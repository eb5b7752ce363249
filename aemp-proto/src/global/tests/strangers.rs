//! Requests of peers that cannot be understood, or that were not asked for.

use aemp_codec::Value;

use super::network::{Network, id};
use crate::{mesh::Peers, peer::ConnId};

/// Sends a request to another node's node port, without regard to the sender's state.
pub(super) fn say(network: &mut Network, from: &str, to: &str, request: &str, args: &[Value]) {
    let to = id(to);
    let _ = network.mesh(from).peers().with(&to, |peer| {
        peer.send("", |packet| {
            packet.str(request)?;
            args.iter().try_for_each(|arg| packet.value(arg))
        })
    });
    network.settle();
}

pub(super) fn logs(network: &mut Network, node: &str) -> String {
    std::mem::take(&mut network.node(node).logs).join("\n")
}

pub(super) fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries.iter().map(|(key, value)| (*key, value.clone()));
    Value::Map(entries.collect())
}

#[test]
fn nonsense_is_logged_with_its_sender_and_the_rest_counts() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"])]);
    let database = map(&[("bad", 7.into()), ("f", map(&[("k", 1.into())]))]);
    say(&mut network, "s", "g", "g_set", &[database]);
    assert_eq!(network.view("f"), ["k=1"]);
    say(&mut network, "s", "g", "g_upd", &[]);
    say(&mut network, "s", "g", "g_what", &[]);
    let logs = logs(&mut network, "g");
    for text in [
        "g_set from s: family \"bad\" is 7: left out",
        "request from s: g_upd: the family must be a name, and is missing",
        "request from s: g_what: no such request",
    ] {
        assert!(logs.contains(text), "{logs}");
    }
    assert!(network.mesh("g").is_up(&id("s")));
}

#[test]
fn invalid_addresses_are_logged_with_their_sender() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"]), ("t", &["g"])]);
    let nonsense = map(&[
        ("s", "s:1".into()),
        ("t", Value::Null),
        ("u", vec!["u:1"].into()),
    ]);
    say(&mut network, "s", "g", "g_set", &[map(&[("'l", nonsense)])]);
    let logs = logs(&mut network, "g");
    for text in [
        r#"s: the addresses of "s" must be a list of texts, and are "s:1": left out"#,
        r#"s: the addresses of "t" must be a list of texts, and are missing: left out"#,
    ] {
        assert!(logs.contains(text), "{logs}");
    }
    let listeners = network.view("'l");
    let all = [
        r#"g=["g:1"]"#,
        r#"s=["s:1"]"#,
        r#"t=["t:1"]"#,
        r#"u=["u:1"]"#,
    ];
    assert_eq!(listeners, all);
}

#[test]
fn unrequested_answers_of_a_master_are_ignored() {
    let mut network = Network::of(&[("g", &["g"]), ("h", &["h", "g"]), ("s", &["g"])]);
    network.watch("s", "f");
    network.news("s");
    let entries = map(&[("k", 1.into())]);
    say(
        &mut network,
        "g",
        "s",
        "g_chg1",
        &["other".into(), entries.clone()],
    );
    say(
        &mut network,
        "g",
        "s",
        "g_chg2",
        &["other".into(), entries.clone()],
    );
    say(&mut network, "g", "s", "g_reply", &[99.into(), 1.into()]);
    say(
        &mut network,
        "g",
        "s",
        "g_found",
        &["x".into(), vec!["x:1"].into()],
    );
    let text = logs(&mut network, "s");
    assert!(
        text.contains("g_chg1 from g ignored: family \"other\" is not watched"),
        "{text}"
    );
    network.send_to("s", "h", "hello");
    say(&mut network, "h", "s", "g_chg2", &["f".into(), entries]);
    let text = logs(&mut network, "s");
    assert!(
        text.contains("g_chg2 from h ignored: it is not the master"),
        "{text}"
    );
    assert!(network.news("s").is_empty());
    network.assert_no_trace_of("x");
}

#[test]
fn an_answer_of_the_wrong_kind_is_an_error_that_names_the_master() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"])]);
    network.let_write("g", false);
    let now = network.now;
    let query = network
        .mesh("s")
        .db_query(now, crate::global::Query::Keys, "f");
    network.settle();
    // The true answer comes after the false one.
    network
        .nodes
        .get_mut("g")
        .unwrap()
        .mesh
        .peers()
        .with(&id("s"), |peer| {
            let mut out = Vec::new();
            peer.swap_output(peer.conn().unwrap(), &mut out);
            let sent = peer.send("", |packet| {
                packet.str("g_reply")?;
                packet.arg(&query.0)?;
                packet.arg(&"nonsense")
            });
            let _ = sent.unwrap();
        });
    network.let_write("g", true);
    let answers = std::mem::take(&mut network.node("s").answers);
    let error = answers[0].1.clone().unwrap_err();
    assert_eq!(
        error,
        "g: g_db_keys: the answer must be a list, and is \"nonsense\""
    );
}

#[test]
fn a_plain_node_refuses_requests_for_global_nodes() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"])]);
    for request in ["g_upd", "g_find", "g_db_keys", "g_mon1", "g_set"] {
        let arg = if request == "g_set" {
            map(&[])
        } else {
            "f".into()
        };
        say(&mut network, "g", "s", request, &[arg]);
        let logs = logs(&mut network, "s");
        assert!(
            logs.contains(&format!("{request} from g: this node is not global")),
            "{logs}"
        );
    }
}

#[test]
fn late_packets_of_a_lost_connection_have_no_effect() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"])]);
    let entries = map(&[("k", 1.into())]);
    network.kill("s");
    let now = network.now;
    let requests = [("g_upd".to_owned(), vec!["f".into(), entries])];
    for conn in 1..10 {
        network
            .mesh("g")
            .requests(now, ConnId(conn), requests.clone());
    }
    assert_eq!(network.view("f"), [""; 0]);
    network.assert_no_trace_of("s");
}

/// Connects a node without a role to `a`, for tests that send arbitrary requests.
fn stranger(network: &mut Network) {
    network.start_with("x", |config| config.listeners = vec![]);
    let now = network.now;
    network.mesh("x").learn(now, &id("a"), vec!["a:1".into()]);
    network.send_to("x", "a", "hello");
}

/// The requests of `a` to `x` about the family `f`.
fn told(network: &mut Network) -> Vec<String> {
    let packets = network.packets();
    let about = |packet: &String| packet.starts_with("a>x") && packet.contains(r#""f""#);
    packets.into_iter().filter(about).collect()
}

/// A reference node that is global before it is configured uses another global node as its master, and tells no other node
/// of its entries. So its own slaves see them only if they come back as sets.
#[test]
fn a_global_node_with_a_master_gets_its_own_entries_back() {
    for first in ["g_slave", "g_mon1"] {
        let mut network = Network::of(&[("a", &["a"]), ("b", &["a", "b"])]);
        stranger(&mut network);
        say(&mut network, "x", "a", "g_global", &[]);
        let argument = match first {
            "g_slave" => map(&[("f", map(&[("early", 1.into())]))]),
            _ => "f".into(),
        };
        say(&mut network, "x", "a", first, &[argument]);
        network.pass(10.0);
        told(&mut network);
        let update = ["f".into(), map(&[("k", 1.into())])];
        say(&mut network, "x", "a", "g_upd", &update);
        let news = told(&mut network);
        assert!(
            news.contains(&r#"a>x "g_upd","f",{"k":1},[]"#.into()),
            "{news:?}"
        );
        // As the reference does, the master also reports them to the other global nodes.
        let seen = network.mesh("b").db_view("f");
        assert!(seen.iter().any(|(key, _)| &**key == "k"), "{first}");
        let delete = ["f".into(), Value::Null, vec![Value::from("k")].into()];
        say(&mut network, "x", "a", "g_upd", &delete);
        let news = told(&mut network);
        assert!(
            news.contains(&r#"a>x "g_upd","f",{},["k"]"#.into()),
            "{news:?}"
        );
    }
}

/// The list of global nodes is watched by those that have no master, too.
#[test]
fn a_global_node_gets_none_of_its_own_entries_back() {
    for first in [
        &["g_global"][..],
        &["g_slave", "g_global"],
        &["g_global", "g_mon1"],
    ] {
        let mut network = Network::of(&[("a", &["a"]), ("b", &["a", "b"])]);
        stranger(&mut network);
        for request in first {
            let args = match *request {
                "g_slave" => vec![map(&[("f", map(&[("k", 0.into())]))])],
                "g_mon1" => vec!["'g".into()],
                _ => vec![],
            };
            say(&mut network, "x", "a", request, &args);
        }
        told(&mut network);
        for value in [1, 2] {
            let update = [
                "f".into(),
                map(&[("k", value.into())]),
                Value::Array(vec![]),
            ];
            say(&mut network, "x", "a", "g_upd", &update);
        }
        let delete = ["f".into(), map(&[]), vec![Value::from("k")].into()];
        say(&mut network, "x", "a", "g_upd", &delete);
        assert_eq!(told(&mut network), [""; 0], "{first:?}");
        network.pass(10.0);
        assert_eq!(told(&mut network), [""; 0], "{first:?}");
    }
}

/// A reference node that has not noticed the loss of its master sends no database, only changes.
#[test]
fn a_plain_node_that_sends_changes_is_a_slave() {
    let mut network = Network::of(&[("a", &["a"]), ("b", &["a", "b"])]);
    stranger(&mut network);
    let update = ["f".into(), map(&[("k", 1.into())])];
    say(&mut network, "x", "a", "g_upd", &update);
    // The node's master reports the change to the other node.
    assert_eq!(network.view("f"), ["k=1"]);
    network.kill("x");
    assert_eq!(network.view("f"), [""; 0]);
}

#[test]
fn a_peer_may_be_slave_and_global_in_any_order() {
    let database = |key: &str| map(&[("f", map(&[(key, 1.into())]))]);
    for order in [
        ["g_slave", "g_global", "g_set"],
        ["g_global", "g_slave", "g_set"],
        ["g_global", "g_set", "g_slave"],
    ] {
        let mut network = Network::of(&[("a", &["a"]), ("b", &["a", "b"])]);
        stranger(&mut network);
        for request in order {
            let args = match request {
                "g_slave" => vec![database("slave")],
                "g_set" => vec![database("global")],
                _ => vec![],
            };
            say(&mut network, "x", "a", request, &args);
        }
        let view = network.mesh("a").db_view("f");
        assert!(view.iter().any(|(key, _)| &**key == "global"), "{order:?}");
        say(
            &mut network,
            "x",
            "a",
            "g_upd",
            &["f".into(), map(&[("late", 1.into())])],
        );
        assert!(network.mesh("a").db_view("f").len() >= 2);
        network.kill("x");
        network.pass(10.0);
        assert_eq!(network.view("f"), [""; 0], "{order:?}");
        network.assert_no_trace_of("x");
    }
}
