use super::network::Network;
use crate::global::{Answer, Query};

fn four() -> Network {
    Network::of(&[
        ("g", &["g", "h"]),
        ("h", &["h", "g"]),
        ("s", &["g", "h"]),
        ("t", &["h"]),
    ])
}

#[test]
fn the_contents_come_first_and_then_changes() {
    let mut network = four();
    network.set("t", "f", "a", 1);
    network.watch("s", "f");
    assert_eq!(network.news("s"), ["1 all a=1"]);
    network.set("t", "f", "b", 2);
    network.set("t", "f", "a", 3);
    network.del("t", "f", "b");
    assert_eq!(network.news("s"), ["1 +b=2", "1 a=3", "1 -b"]);
    network.watch("s", "empty");
    assert_eq!(network.news("s"), ["2 all"]);
}

#[test]
fn own_changes_are_reported_as_well() {
    for node in ["g", "s"] {
        let mut network = four();
        network.watch(node, "f");
        network.set(node, "f", "k", 1);
        network.del(node, "f", "k");
        assert_eq!(network.news(node), ["1 all", "1 +k=1", "1 -k"], "{node}");
    }
}

#[test]
fn one_monitor_of_the_master_serves_all_watches_of_a_family() {
    let mut network = four();
    network.packets();
    let first = network.watch("s", "f");
    let second = network.watch("s", "f");
    network.set("s", "f", "k", 1);
    assert_eq!(network.news("s"), ["1 all", "2 all", "1 +k=1", "2 +k=1"]);
    network.unwatch("s", first);
    network.unwatch("s", second);
    network.set("s", "f", "k", 2);
    assert!(network.news("s").is_empty());
    let packets = network.packets().join("\n");
    assert_eq!(packets.matches("g_mon1").count(), 1, "{packets}");
    assert_eq!(packets.matches("g_mon0").count(), 1, "{packets}");
    assert_eq!(packets.matches("g_chg2").count(), 1, "{packets}");
}

#[test]
fn a_node_alone_watches_its_own_entries() {
    let mut network = Network::new();
    network.start("a", &[]);
    network.watch("a", "f");
    network.set("a", "f", "k", 1);
    network.set("a", "f", "k", 1);
    network.del("a", "f", "k");
    assert_eq!(network.news("a"), ["1 all", "1 +k=1", "1 -k"]);
}

#[test]
fn the_first_master_adds_to_the_known_entries() {
    let mut network = Network::new();
    network.start("s", &["g"]);
    network.watch("s", "f");
    network.set("s", "f", "mine", 1);
    assert!(network.news("s").is_empty());
    network.pass(2.0);
    assert_eq!(network.news("s"), ["1 all mine=1"]);
    network.start("g", &[]);
    network.set("g", "f", "other", 2);
    network.pass(10.0);
    assert_eq!(network.news("s"), ["1 +other=2"]);
    network.del("g", "f", "other");
    assert_eq!(network.news("s"), ["1 -other"], "at once");
}

#[test]
fn a_change_of_master_invents_nothing_and_loses_nothing() {
    let mut network = four();
    network.set("s", "f", "own", 1);
    network.set("t", "f", "others", 1);
    network.set("t", "f", "goes", 1);
    network.set("t", "f", "changes", 1);
    network.watch("s", "f");
    network.news("s");
    // The database changes while s has no master.
    network.cut("s", "g");
    network.cut("s", "h");
    network.del("t", "f", "goes");
    network.set("t", "f", "changes", 2);
    network.set("t", "f", "new", 1);
    network.set("s", "f", "late", 1);
    network.pass(5.0);
    assert_eq!(network.news("s"), ["1 +late=1"]);
    network.heal();
    network.pass(60.0);
    let news = network.news("s");
    assert_eq!(news.len(), 2, "{news:?}");
    for change in ["changes=2", "+new=1"] {
        assert!(news[0].contains(change), "{news:?}");
    }
    assert_eq!(news[1], "1 -goes");
    assert_eq!(network.node("s").views.values().next().unwrap().len(), 5);
}

#[test]
fn an_only_seed_that_restarts_takes_nothing_with_it() {
    for outage in [0.5, 1.0, 5.0, 20.0, 60.0, 300.0] {
        let slaves = ["s", "t", "u", "v", "w"];
        let mut network = Network::of(&[("g", &[])]);
        for slave in slaves {
            network.start(slave, &["g"]);
            network.set(slave, "f", slave, 1);
        }
        network.pass(10.0);
        for slave in slaves {
            network.watch(slave, "f");
            assert_eq!(network.news(slave), ["1 all s=1 t=1 u=1 v=1 w=1"]);
        }
        network.kill("g");
        network.pass(outage);
        // One node does not come back.
        network.kill("w");
        network.start("g", &[]);
        network.pass(80.0);
        for slave in &slaves[..4] {
            assert_eq!(network.news(slave), ["1 -w"], "{slave}, after {outage} s");
        }
    }
}

#[test]
fn own_entries_of_a_lost_master_are_deleted() {
    let mut network = Network::of(&[("g", &[]), ("s", &["g"])]);
    network.set("g", "f", "g#port", 1);
    network.set("g", "f", "k", 1);
    network.watch("s", "f");
    network.news("s");
    network.kill("g");
    network.pass(120.0);
    assert_eq!(network.news("s"), ["1 -g#port"]);
    // A new watch gets the same content.
    network.watch("s", "f");
    assert_eq!(network.news("s"), ["2 all k=1"]);
    let keys = network.ask("s", Query::Keys, "f");
    assert_eq!(keys, Some(Answer::Keys(vec!["k".into()])));
}

#[test]
fn changes_just_before_the_loss_of_the_master_are_reported() {
    let mut network = Network::of(&[("g", &[]), ("s", &["g"])]);
    network.watch("s", "f");
    network.set("s", "f", "old", 1);
    network.news("s");
    network.let_write("s", false);
    network.set("s", "f", "k", 1);
    network.del("s", "f", "old");
    assert!(network.news("s").is_empty(), "the master tells");
    network.kill("g");
    let news = network.news("s").join(" ");
    assert!(news.contains("+k=1") && news.contains("-old"), "{news}");
}

#[test]
fn deleting_ones_own_does_not_delete_anothers() {
    let mut network = Network::of(&[("g", &[]), ("s", &["g"]), ("t", &["g"])]);
    network.set("s", "f", "k", 1);
    network.set("t", "f", "k", 2);
    network.watch("s", "f");
    network.news("s");
    network.kill("g");
    network.pass(120.0);
    network.del("s", "f", "k");
    assert!(network.news("s").is_empty(), "the entries of t show still");
}

#[test]
fn a_node_that_becomes_global_ends_its_monitors() {
    let mut network = four();
    network.watch("t", "f");
    network.packets();
    let now = network.now;
    network.mesh("t").become_global(now);
    network.settle();
    assert_eq!(
        network.packets()[..2],
        [r#"t>h "g_mon0","f""#, r#"t>h "g_global""#]
    );
}

#[test]
fn becoming_global_is_a_change_of_master_too() {
    let mut network = four();
    network.set("t", "f", "k", 1);
    network.watch("s", "f");
    network.news("s");
    let now = network.now;
    network.mesh("s").become_global(now);
    network.pass(10.0);
    assert!(network.news("s").is_empty());
    network.del("t", "f", "k");
    assert_eq!(network.news("s"), ["1 -k"]);
}

#[test]
fn watches_of_a_slave_that_is_gone_are_forgotten() {
    let mut network = four();
    network.watch("t", "f");
    network.kill("t");
    network.packets();
    network.set("g", "f", "k", 1);
    network.start("t", &["h"]);
    network.pass(5.0);
    let packets = network.packets().join("\n");
    assert!(!packets.contains("g_chg"), "{packets}");
}
