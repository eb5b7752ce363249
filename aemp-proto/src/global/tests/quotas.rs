//! Nodes that exceed their quota of the database.

use aemp_codec::Value;

use super::{
    network::{Network, id},
    strangers::{logs, map, say},
};
use crate::global::Quota;

/// A global node with this quota, two of its slaves, and another global node.
fn network(quota: Quota) -> Network {
    let mut network = Network::new();
    network.start_with("g", |config| {
        config.seeds = vec!["g:1".into()];
        config.quota = quota;
    });
    for (node, seeds) in [("s", &["g"][..]), ("t", &["g"]), ("h", &["h", "g"])] {
        network.start(node, seeds);
    }
    network.pass(10.0);
    network
}

fn view(network: &mut Network, node: &str) -> Vec<String> {
    let entries = network.mesh(node).db_view("f");
    let mut entries: Vec<_> = entries
        .iter()
        .map(|(key, value)| format!("{key}={}", value.text().unwrap_or_default()))
        .collect();
    entries.sort();
    entries
}

#[test]
fn keys_have_the_owners_of_their_visible_values() {
    let mut network = network(Quota::default());
    for (node, key) in [("s", "a"), ("s", "b"), ("t", "b"), ("g", "c")] {
        network.set(node, "f", key, node);
        network.pass(1.0);
    }
    let mut owners = |node: &str, most| {
        let mesh = network.mesh(node);
        let owned = mesh.db_owners("f", most);
        let mut owned: Vec<_> = owned
            .iter()
            .map(|(key, owner)| format!("{key} {owner}"))
            .collect();
        owned.sort();
        owned
    };
    assert_eq!(owners("g", 9), ["a s", "b t", "c g"]);
    assert_eq!(owners("g", 2).len(), 2);
    // Another global node answers for its slaves.
    assert_eq!(owners("h", 9), ["a g", "b g", "c g"]);
    assert_eq!(owners("s", 9), ["a s", "b s"]);
}

#[test]
fn too_many_entries() {
    // One entry has the listeners.
    let mut network = network(Quota {
        max_keys: 3,
        ..Quota::default()
    });
    let set = map(&[("a", 1.into()), ("b", 2.into()), ("c", 3.into())]);
    say(&mut network, "s", "g", "g_upd", &["f".into(), set]);
    network.pass(1.0);
    for node in ["g", "h"] {
        assert_eq!(view(&mut network, node), ["a=1", "b=2"], "{node}");
    }
    let told = "s: max_db_keys (3) reached: its new entries are left out";
    assert_eq!(logs(&mut network, "g").matches(told).count(), 1);
    // Existing entries may change, and a deletion makes room.
    let set = map(&[("a", 7.into()), ("d", 4.into())]);
    let change = ["f".into(), set, Value::from(vec!["b"])];
    say(&mut network, "s", "g", "g_upd", &change);
    let set = ["f".into(), map(&[("d", 4.into())])];
    say(&mut network, "s", "g", "g_upd", &set);
    // Other nodes have their own quotas.
    let set = ["f".into(), map(&[("t", 1.into())])];
    say(&mut network, "t", "g", "g_upd", &set);
    network.pass(1.0);
    for node in ["g", "h"] {
        assert_eq!(view(&mut network, node), ["a=7", "d=4", "t=1"], "{node}");
    }
    assert_eq!(logs(&mut network, "g"), "", "told lately");
    assert!(network.mesh("g").is_up(&id("s")));
}

/// A value that is too large is not kept. The old value is deleted, because it is no longer true.
#[test]
fn too_many_bytes() {
    let mut network = network(Quota {
        max_bytes: 4000,
        ..Quota::default()
    });
    let set = |key: &str, bytes: usize| ["f".into(), map(&[(key, "x".repeat(bytes).into())])];
    // The listeners and the two families take about 1500 bytes.
    say(&mut network, "s", "g", "g_upd", &set("a", 1500));
    say(&mut network, "s", "g", "g_upd", &set("a", 2000));
    assert_eq!(view(&mut network, "g").len(), 1);
    say(&mut network, "s", "g", "g_upd", &set("b", 1500));
    assert_eq!(view(&mut network, "g").len(), 1);
    say(&mut network, "s", "g", "g_upd", &set("a", 4000));
    network.pass(1.0);
    for node in ["g", "h"] {
        assert!(view(&mut network, node).is_empty(), "{node}");
    }
    let told = "s: max_db_bytes (4000) reached: its new entries are left out";
    assert!(logs(&mut network, "g").contains(told));
    say(&mut network, "t", "g", "g_upd", &set("a", 2000));
    assert_eq!(view(&mut network, "g").len(), 1);
}

/// The memory of values counts: a list of numbers is small on the wire only.
#[test]
fn too_many_bytes_of_small_things() {
    let mut network = network(Quota {
        max_bytes: 40_000,
        ..Quota::default()
    });
    let set = |key: &str, count| ["f".into(), map(&[(key, vec![0; count].into())])];
    say(&mut network, "s", "g", "g_upd", &set("a", 1000));
    say(&mut network, "s", "g", "g_upd", &set("b", 1000));
    assert_eq!(view(&mut network, "g").len(), 1);
    let told = "s: max_db_bytes (40000) reached: its new entries are left out";
    assert!(logs(&mut network, "g").contains(told));
}

/// The name of a family is kept once for each family, with some room.
#[test]
fn too_many_bytes_of_families() {
    let mut network = network(Quota {
        max_bytes: 100_000,
        ..Quota::default()
    });
    let all: Vec<String> = (0..1000).map(|n| format!("{n:0>255}")).collect();
    for family in &all {
        let set = [family.as_str().into(), map(&[("k", 1.into())])];
        say(&mut network, "s", "g", "g_upd", &set);
    }
    let families = network.mesh("g").db_sizes().len();
    assert!((50..150).contains(&families), "{families}");
    let told = "s: max_db_bytes (100000) reached: its new entries are left out";
    assert!(logs(&mut network, "g").contains(told));
    // A deleted entry makes room.
    for family in &all {
        let del = [family.as_str().into(), Value::Null, Value::from(vec!["k"])];
        say(&mut network, "s", "g", "g_upd", &del);
    }
    let set = ["f".into(), map(&[("a", "x".repeat(90_000).into())])];
    say(&mut network, "s", "g", "g_upd", &set);
    assert_eq!(view(&mut network, "g").len(), 1);
}

/// Watches count together with entries.
#[test]
fn too_many_bytes_of_watches() {
    let mut network = network(Quota {
        max_bytes: 100_000,
        ..Quota::default()
    });
    let all: Vec<String> = (0..1000).map(|n| format!("{n:0>255}")).collect();
    for family in &all {
        say(&mut network, "s", "g", "g_mon1", &[family.as_str().into()]);
    }
    let told = "s: max_db_bytes (100000) reached: no more families are watched for it";
    assert_eq!(logs(&mut network, "g").matches(told).count(), 1);
    let set = ["f".into(), map(&[("a", "x".repeat(1000).into())])];
    say(&mut network, "s", "g", "g_upd", &set);
    assert!(view(&mut network, "g").is_empty(), "there is no room");
    for family in &all {
        say(&mut network, "s", "g", "g_mon0", &[family.as_str().into()]);
    }
    say(&mut network, "s", "g", "g_upd", &set);
    assert_eq!(view(&mut network, "g").len(), 1);
}

/// An entry must fit into a packet for other nodes, which has a limit of values.
#[test]
fn too_many_values_in_an_entry() {
    let mut network = network(Quota {
        max_values: 1000,
        ..Quota::default()
    });
    for (count, kept) in [(999, 1), (1000, 0), (500, 1)] {
        let set = ["f".into(), map(&[("a", vec![0; count].into())])];
        say(&mut network, "s", "g", "g_upd", &set);
        assert_eq!(view(&mut network, "g").len(), kept, "{count}");
    }
    let told = "s: a quarter of max_packet_values in an entry (1000) reached";
    assert!(logs(&mut network, "g").contains(told));
}

#[test]
fn too_many_watches() {
    let mut network = network(Quota {
        max_watches: 2,
        ..Quota::default()
    });
    for family in ["a", "b", "b", "c"] {
        say(&mut network, "s", "g", "g_mon1", &[family.into()]);
    }
    let told = "s: max_monitors (2) reached: no more families are watched for it";
    assert_eq!(logs(&mut network, "g").matches(told).count(), 1);
    network.watch("t", "c");
    network.pass(1.0);
    assert!(
        !network.news("t").is_empty(),
        "the quotas of others are their own"
    );
    say(&mut network, "s", "g", "g_mon0", &["a".into()]);
    network.pass(20.0);
    say(&mut network, "s", "g", "g_mon1", &["c".into()]);
    assert_eq!(logs(&mut network, "g").matches(told).count(), 0);
}

/// This node would try to reach each of them again and again.
#[test]
fn too_many_global_nodes() {
    let mut network = network(Quota::default());
    let names: Vec<String> = (0..1100).map(|n| format!("x/{n}")).collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Value::Null))
        .collect();
    say(
        &mut network,
        "s",
        "g",
        "g_upd",
        &["'g".into(), map(&entries)],
    );
    let globals = network.mesh("g").db_view("'g").len();
    assert!((1000..=1010).contains(&globals), "{globals}");
    let told = "s: the number of global nodes (1000) reached: its new entries are left out";
    assert!(logs(&mut network, "g").contains(told));
}

/// Entries that calls set count towards the caller's quota, together with its own.
#[test]
fn too_much_set_by_calls() {
    let mut network = network(Quota {
        max_bytes: 10_000,
        max_values: 1000,
        ..Quota::default()
    });
    let bytes = Err("max_db_bytes (10000) reached".to_owned());
    let mut set = |by: &str, key: &str, value: Value| network.lend("g", by, key, value);
    assert_eq!(set("s", "a", "x".repeat(20_000).into()), bytes);
    assert_eq!(set("s", "a", "x".repeat(1000).into()), Ok(()));
    let again = set("s", "a", "y".repeat(1000).into());
    assert_eq!(again, Ok(()), "instead of the other");
    assert_eq!(set("s", "b", "x".repeat(4000).into()), bytes);
    let values = "a quarter of max_packet_values in an entry (1000) reached";
    assert_eq!(set("s", "b", vec![0; 2000].into()), Err(values.into()));
    assert_eq!(set("t", "b", "x".repeat(1000).into()), Ok(()));
    let nobody = set("nobody", "b", 1.into());
    assert_eq!(nobody, Err("nobody is not connected".into()));
    let told = "s: max_db_bytes (10000) reached: no more entries are set for it";
    assert_eq!(logs(&mut network, "g").matches(told).count(), 1);
}

/// The entries are deleted when the caller is lost, and not before.
#[test]
fn entries_set_by_calls_disappear_with_the_caller() {
    let mut network = network(Quota::default());
    network.set("g", "f", "own", 1);
    for key in ["a", "b", "c", "d"] {
        network.lend("g", "s", key, "s").unwrap();
    }
    network.lend("g", "t", "b", "t").unwrap();
    let taken = Err("the key is set by this node itself".to_owned());
    assert_eq!(network.lend("g", "s", "own", 2), taken);
    network.set("g", "f", "c", "g");
    assert_eq!(network.lend("g", "s", "c", 2), taken);
    network.del("g", "f", "d");
    network.lend("g", "s", "d", "s").unwrap();
    network.pass(1.0);
    let all = ["a=s", "b=t", "c=g", "d=s", "own=1"];
    assert_eq!(view(&mut network, "h"), all);
    network.kill("s");
    network.pass(60.0);
    for node in ["g", "h"] {
        assert_eq!(view(&mut network, node), ["b=t", "c=g", "own=1"], "{node}");
    }
    network.kill("t");
    network.pass(60.0);
    assert_eq!(view(&mut network, "g"), ["c=g", "own=1"]);
}

#[test]
fn calls_cannot_set_more_keys_than_there_may_be() {
    let mut network = network(Quota {
        max_keys: 4,
        ..Quota::default()
    });
    // One entry has the listeners.
    let set = map(&[("x", 1.into())]);
    say(&mut network, "s", "g", "g_upd", &["f".into(), set]);
    let mut set = |key| network.lend("g", "s", key, 1).is_ok();
    let all = ["a", "b", "c", "a", "b"].map(&mut set);
    assert_eq!(all, [true, true, false, true, true]);
    // The same in the other order.
    let set = map(&[("y", 1.into())]);
    say(&mut network, "s", "g", "g_upd", &["f".into(), set]);
    assert_eq!(view(&mut network, "g"), ["a=1", "b=1", "x=1"]);
}
