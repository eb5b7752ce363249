use super::network::Network;
use crate::global::{Answer, Query};

/// Two global nodes, each with two slaves.
fn six() -> Network {
    Network::of(&[
        ("g", &["g", "h"]),
        ("h", &["g", "h"]),
        ("g1", &["g"]),
        ("g2", &["g"]),
        ("h1", &["h"]),
        ("h2", &["h"]),
    ])
}

#[test]
fn entries_of_a_slave_are_known_everywhere() {
    let mut network = six();
    network.packets();
    network.set("g1", "f", "k", 1);
    assert_eq!(network.view("f"), ["k=1"]);
    assert_eq!(
        network.packets(),
        [
            r#"g1>g "g_upd","f",{"k":1}"#,
            r#"g>h "g_upd","f",{"k":1},[]"#
        ]
    );
    network.set("g1", "f", "k", 1);
    assert!(network.packets().is_empty(), "an equal value");
    network.del("g1", "f", "k");
    assert_eq!(network.view("f"), [""; 0]);
    assert_eq!(
        network.packets(),
        [
            r#"g1>g "g_upd","f",null,["k"]"#,
            r#"g>h "g_upd","f",{},["k"]"#
        ]
    );
    network.del("g1", "f", "k");
    assert!(network.packets().is_empty());
}

#[test]
fn a_global_node_sets_for_itself() {
    let mut network = six();
    network.set("g", "f", "k", "x");
    assert_eq!(network.view("f"), [r#"k="x""#]);
    network.del("g", "f", "k");
    assert_eq!(network.view("f"), [""; 0]);
}

#[test]
fn deleting_one_owners_entry_shows_anothers() {
    let mut network = six();
    network.watch("h1", "f");
    network.set("g1", "f", "k", 1);
    network.set("h2", "f", "k", 2);
    network.set("g2", "f", "k", 3);
    assert_eq!(network.view("f"), ["k=3"]);
    network.del("g2", "f", "k");
    network.news("h1");
    network.del("h2", "f", "k");
    assert_eq!(network.view("f"), ["k=1"]);
    network.del("g1", "f", "k");
    assert_eq!(network.view("f"), [""; 0]);
    assert_eq!(network.news("h1").last().unwrap(), "1 -k");
}

#[test]
fn a_node_takes_its_entries_along() {
    let mut network = six();
    network.set("g1", "f", "own", 1);
    network.set("g1", "f", "both", 1);
    network.set("h1", "f", "both", 1);
    network.kill("g1");
    assert_eq!(network.view("f"), ["both=1"]);
    network.assert_no_trace_of("g1");
}

#[test]
fn a_lost_global_nodes_slaves_keep_their_entries() {
    let mut network = Network::of(&[
        ("g", &["g", "h"]),
        ("h", &["g", "h"]),
        ("s", &["g", "h"]),
        ("t", &["h"]),
    ]);
    network.set("s", "f", "s", 1);
    network.set("g", "f", "g#port", 1);
    network.watch("t", "f");
    network.news("t");
    network.kill("g");
    network.pass(20.0);
    assert_eq!(network.news("t"), ["1 -g#port"], "s was there all the time");
    assert_eq!(network.view("f"), ["s=1"]);
    network.assert_no_trace_of("g");
}

#[test]
fn unclaimed_entries_of_a_lost_global_node_expire() {
    let mut network = Network::of(&[("g", &["g", "h"]), ("h", &["h", "g"]), ("s", &["g"])]);
    network.set("s", "f", "s", 1);
    network.kill("g");
    assert_eq!(network.mesh("h").db_view("f").len(), 1);
    network.pass(3.9);
    assert_eq!(network.mesh("h").db_view("f").len(), 1);
    network.pass(0.2);
    assert_eq!(network.mesh("h").db_view("f").len(), 0);
}

#[test]
fn queries_are_answered_by_the_master() {
    let mut network = six();
    network.set("g1", "f", "a", 1);
    network.set("h1", "f", "b", vec![2]);
    for node in ["g", "h", "g2", "h1"] {
        let Some(Answer::Family(mut entries)) = network.ask(node, Query::Family, "f") else {
            panic!("{node}: no answer")
        };
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            entries,
            [("a".into(), 1.into()), ("b".into(), vec![2].into())]
        );
        let Some(Answer::Keys(mut keys)) = network.ask(node, Query::Keys, "f") else {
            panic!("{node}: no keys")
        };
        keys.sort();
        assert_eq!(keys, ["a".into(), "b".into()]);
        let Some(Answer::Values(values)) = network.ask(node, Query::Values, "f") else {
            panic!("{node}: no values")
        };
        assert_eq!(values.len(), 2);
        assert_eq!(
            network.ask(node, Query::Keys, "empty"),
            Some(Answer::Keys(vec![]))
        );
    }
}

#[test]
fn a_query_sees_earlier_entries() {
    let mut network = six();
    let now = network.now;
    let mesh = network.mesh("g1");
    mesh.db_set(now, "f", "k", 1.into());
    let query = mesh.db_query(now, Query::Keys, "f");
    network.settle();
    assert_eq!(
        network.answer("g1", query),
        Some(Answer::Keys(vec!["k".into()]))
    );
}

#[test]
fn a_node_alone_answers_its_own_queries() {
    let mut network = Network::new();
    network.start("a", &[]);
    network.set("a", "f", "k", 1);
    let entries = Answer::Family(vec![("k".into(), 1.into())]);
    assert_eq!(network.ask("a", Query::Family, "f"), Some(entries.clone()));
    network.start("b", &["nowhere"]);
    network.set("b", "f", "k", 1);
    let now = network.now;
    let query = network.mesh("b").db_query(now, Query::Family, "f");
    network.settle();
    assert_eq!(
        network.answer("b", query),
        None,
        "there may be a master soon"
    );
    network.pass(2.0);
    assert_eq!(network.answer("b", query), Some(entries));
}

#[test]
fn queries_before_the_first_master_are_answered_by_it() {
    let mut network = Network::new();
    network.start("s", &["g"]);
    let now = network.now;
    let query = network.mesh("s").db_query(now, Query::Keys, "f");
    network.set("s", "f", "mine", 1);
    network.start("g", &[]);
    network.set("g", "f", "other", 1);
    // This is before s stops to search for a master.
    network.pass(1.9);
    let Some(Answer::Keys(keys)) = network.answer("s", query) else {
        panic!("no answer")
    };
    assert_eq!(keys.len(), 2);
}

#[test]
fn outstanding_questions_are_asked_again_of_another_master() {
    let mut network = Network::of(&[("g", &["g", "h"]), ("h", &["h", "g"]), ("s", &["g", "h"])]);
    network.set("h", "f", "k", 1);
    network.let_write("g", false);
    let now = network.now;
    let query = network.mesh("s").db_query(now, Query::Keys, "f");
    network.settle();
    assert_eq!(network.answer("s", query), None);
    network.kill("g");
    assert_eq!(
        network.answer("s", query),
        Some(Answer::Keys(vec!["k".into()]))
    );
}

#[test]
fn many_changes_are_few_packets_for_a_slow_reader() {
    let mut network = Network::of(&[("g", &["g", "h"]), ("h", &["h", "g"]), ("s", &["g"])]);
    network.watch("s", "f");
    network.news("s");
    network.packets();
    network.let_write("g", false);
    let large = "x".repeat(10_000);
    for round in 0..20 {
        for key in 0..50 {
            network.set("g", "f", &format!("k{key}"), format!("{round}{large}"));
        }
    }
    let queued: usize = network
        .mesh("g")
        .peers()
        .iter()
        .map(|peer| peer.pending_bytes())
        .sum();
    assert!(queued < 3 << 20, "{queued} bytes are queued for two nodes");
    network.let_write("g", true);
    network.pass(1.0);
    assert_eq!(network.view("f").len(), 50);
    let view: Vec<_> = network
        .node("s")
        .views
        .values()
        .next()
        .unwrap()
        .values()
        .cloned()
        .collect();
    assert_eq!(view.len(), 50);
    assert!(
        view.iter()
            .all(|value| value.as_str().unwrap().starts_with("19x"))
    );
}

#[test]
fn entries_of_a_lost_slave_are_deleted_everywhere_in_parts() {
    let mut network = six();
    let watch = network.watch("h1", "f");
    for key in 0..3000 {
        network.set("g1", "f", &format!("k{key}"), 1);
    }
    network.set("g2", "f", "kept", 1);
    network.packets();
    network.kill("g1");
    let left = network.mesh("g").db_view("f").len();
    assert!(left > 1 && left < 3000, "{left} are left at once");
    network.pass(0.1);
    assert_eq!(network.view("f"), ["kept=1"]);
    let known = &network.node("h1").views[&watch];
    assert_eq!(known.keys().collect::<Vec<_>>(), ["kept"]);
    let told = network.packets();
    let told = told.iter().filter(|line| line.starts_with("g>h"));
    assert!(told.count() > 1, "others are told of each part");
}

#[test]
fn a_large_database_arrives_in_parts() {
    let mut network = Network::new();
    network.start("g", &["g"]);
    for key in 0..100 {
        network.set("g", "f", &format!("k{key}"), "x".repeat(10_000));
    }
    network.start("h", &["h", "g"]);
    network.pass(5.0);
    assert_eq!(network.view("f").len(), 100);
    let sets = network.packets();
    let set = sets.iter().find(|line| line.starts_with(r#"g>h "g_set""#));
    // The reference expects the addresses of the sender in this packet.
    assert_eq!(set.unwrap(), r#"g>h "g_set",{"'l":{"g":["g:1"]}}"#);
    network.start("s", &["nowhere"]);
    for key in 0..100 {
        network.set("s", "own", &format!("k{key}"), "x".repeat(10_000));
    }
    let now = network.now;
    network.mesh("s").add_seed(now, "g:1");
    network.pass(5.0);
    assert_eq!(network.view("own").len(), 100);
    let longest = network.packets().iter().map(String::len).max().unwrap();
    assert!(longest < 300_000, "{longest}");
}

#[test]
fn a_database_larger_than_a_queue_gets_across() {
    let mut network = Network::of(&[("a", &["a"])]);
    let large = "x".repeat(1 << 20);
    for key in 0..70 {
        network.set("a", "big", &format!("k{key}"), large.as_str());
    }
    network.start("b", &["b", "a"]);
    network.pass(3.0);
    assert_eq!(network.view("big").len(), 70);
    network.start("s", &["a"]);
    network.watch("s", "big");
    network.pass(3.0);
    let view = network.node("s").views.values().next().unwrap();
    assert_eq!(view.len(), 70);
    let now = network.now;
    let query = network.mesh("s").db_query(now, Query::Family, "big");
    network.settle();
    let answers = std::mem::take(&mut network.node("s").answers);
    let (_, answer) = answers.iter().find(|(id, _)| *id == query).unwrap();
    let error = answer.clone().unwrap_err();
    assert!(
        error.contains("family big is too large for one packet"),
        "{error}"
    );
}

#[test]
fn many_staged_changes_are_few_packets() {
    let mut network = Network::of(&[("g", &[]), ("s", &["g"])]);
    network.packets();
    for number in 0..1000 {
        network
            .mesh("s")
            .db_stage("f", &format!("k{number}"), number.into());
    }
    network.mesh("s").db_stage_del("f", ["k0", "k1"]);
    let now = network.now;
    network.mesh("s").flush(now);
    network.settle();
    assert_eq!(network.packets().len(), 1);
    assert_eq!(network.view("f").len(), 998);
}

#[test]
fn values_that_a_format_cannot_express_do_not_block_others() {
    let mut network = Network::of(&[("g", &["g"]), ("s", &["g"])]);
    let now = network.now;
    let mesh = network.mesh("s");
    mesh.db_set(now, "f", "a", 1.into());
    mesh.db_set(now, "f", "bad", 3.into());
    mesh.db_set(now, "f", "bad", f64::NAN.into());
    network.settle();
    network.set("s", "f", "z", 2);
    assert_eq!(network.view("f"), ["a=1", "z=2"]);
    let logs = network.node("s").logs.join("\n");
    let text = "family f: the value of \"bad\" cannot be sent to g: infinity and not-a-number";
    assert!(logs.contains(text), "{logs}");
}
