//! Global nodes of either kind that end, and slaves that go over to the other kind.

use std::time::Duration;

use aemp::Node;
use serde_json::json;

use crate::{
    common::{SECRET, soon},
    perl::{self, Perl},
    rust,
};

/// Two global nodes, one of each kind, each the other's seed.
struct Globals {
    addresses: [String; 2],
    node: Option<Node>,
    perl: Option<Perl>,
}

impl Globals {
    fn new() -> Self {
        Self {
            addresses: [aemp_tests::free_address(), aemp_tests::free_address()],
            node: None,
            perl: None,
        }
    }

    async fn start(&mut self, which: &str) {
        let [at_rust, at_perl] = &self.addresses;
        if which == "perl" {
            self.perl = Perl::global_at("perl", at_perl, std::slice::from_ref(at_rust)).await;
        } else {
            let node = Node::builder().node_id("rust").secret(SECRET);
            let node = node.bind(at_rust).seed(at_rust).seed(at_perl);
            self.node = Some(node.start().await.unwrap());
        }
    }

    async fn end(&mut self, which: &str) {
        match which {
            "perl" => self.perl.take().unwrap().kill(),
            _ => self.node.take().unwrap().stop().await,
        }
    }
}

/// Slaves of the one node, which are connected to the other as well.
async fn slaves(globals: &mut Globals, master: &str, other: &str) -> Vec<Perl> {
    globals.start(master).await;
    let mut slaves = Vec::new();
    for id in ["s1", "s2", "s3"] {
        let mut slave = Perl::start(id, &globals.addresses).await.unwrap();
        slave.expect("up").await;
        slave.until_master(master).await;
        slave.watch("mon", "fam");
        slave.set("fam", id, &json!("of it"));
        slaves.push(slave);
    }
    globals.start(other).await;
    for slave in &mut slaves {
        slave.expect("up").await;
    }
    soon(globals.node.as_ref().unwrap().until_up("perl")).await;
    slaves
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn perl_slaves_go_over_and_nothing_is_lost() {
    if !perl::is_there() {
        return;
    }
    for (master, other) in [("perl", "rust"), ("rust", "perl")] {
        let mut globals = Globals::new();
        let mut slaves = slaves(&mut globals, master, other).await;
        let mut all = json!({"s1": "of it", "s2": "of it", "s3": "of it"});
        for slave in &mut slaves {
            slave.until_last_told("mon", &all).await;
        }
        globals.end(master).await;
        for slave in &mut slaves {
            slave.until_master(other).await;
            slave.until_family("fam", &all).await;
        }
        all["s2"] = json!("changed");
        slaves[1].set("fam", "s2", &all["s2"]);
        for slave in &mut slaves {
            slave.until_last_told("mon", &all).await;
        }
        // A master that comes back gets the whole database again.
        globals.start(master).await;
        let at = globals.addresses[usize::from(master == "perl")].clone();
        let mut late = Perl::start("late", &[at]).await.unwrap();
        late.until_family("fam", &all).await;
        let mut listeners = json!({"rust": [globals.addresses[0]], "perl": [globals.addresses[1]]});
        for (id, slave) in [
            ("s1", &slaves[0]),
            ("s2", &slaves[1]),
            ("s3", &slaves[2]),
            ("late", &late),
        ] {
            listeners[id] = json!([slave.address]);
        }
        slaves.push(late);
        for slave in &mut slaves {
            slave.until_family("'l", &listeners).await;
        }
    }
}

/// A Perl slave does not notice that its second master in a row is lost, and never sends it its database again. Entries
/// that it sets later are everywhere all the same.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_perl_slave_that_misses_the_restart_of_its_master() {
    if !perl::is_there() {
        return;
    }
    let mut globals = Globals::new();
    let mut slaves = slaves(&mut globals, "perl", "rust").await;
    globals.end("perl").await;
    globals.start("perl").await;
    for slave in &mut slaves {
        slave.expect("down").await;
        slave.expect("up").await;
        slave.until_master("rust").await;
    }
    globals.end("rust").await;
    for slave in &mut slaves {
        slave.expect("down").await;
    }
    globals.start("rust").await;
    for slave in &mut slaves {
        slave.expect("up").await;
        assert_eq!(slave.role().await, (false, Some("rust".into())));
    }
    slaves[0].set("new", "k", &json!("v"));
    let perl = globals.perl.as_mut().unwrap();
    perl.until_family("new", &json!({"k": "v"})).await;
    slaves.remove(0).kill();
    perl.until_family("new", &json!({})).await;
}

/// A slave that knows no other node than its master, a Perl global, and a watcher at a Rust global that is patient with
/// lost nodes.
async fn at_both(patience: Duration) -> (Node, Perl, Perl, Perl) {
    let node = rust().connect_interval(patience).start().await.unwrap();
    let perl = Perl::global_at("perl", &aemp_tests::free_address(), &node.listeners()).await;
    let perl = perl.unwrap();
    let at = std::slice::from_ref(&perl.address);
    let mut at_perl = Perl::start("at-perl", at).await.unwrap();
    at_perl.set("fam", "k", &json!("v"));
    let mut at_rust = Perl::start("at-rust", &node.listeners()).await.unwrap();
    at_rust.watch("mon", "fam");
    at_rust.until_last_told("mon", &json!({"k": "v"})).await;
    (node, perl, at_perl, at_rust)
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn entries_of_a_lost_global_node_survive_its_return() {
    if !perl::is_there() {
        return;
    }
    let (node, perl, mut at_perl, mut at_rust) = at_both(Duration::from_secs(10)).await;
    let at = perl.address.clone();
    at_rust.so_far();
    perl.kill();
    let mut perl = Perl::global_at("perl", &at, &node.listeners())
        .await
        .unwrap();
    at_perl.expect("down").await;
    at_perl.expect("up").await;
    at_perl.set("fam", "more", &json!("w"));
    perl.until_family("fam", &json!({"k": "v", "more": "w"}))
        .await;
    let told = at_rust
        .until_told("mon", &json!({"k": "v", "more": "w"}))
        .await;
    assert!(told.iter().all(|state| state["k"] == "v"), "{told:?}");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn entries_of_a_lost_global_node_are_deleted_in_the_end() {
    if !perl::is_there() {
        return;
    }
    let (node, perl, _at_perl, mut at_rust) = at_both(Duration::from_millis(100)).await;
    perl.kill();
    at_rust.until_last_told("mon", &json!({})).await;
    let left = json!({"rust": node.listeners(), "at-rust": [at_rust.address]});
    at_rust.until_family("'l", &left).await;
    at_rust.until_family("'g", &json!({"rust": null})).await;
}
