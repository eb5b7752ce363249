//! Rust global nodes in the midst of Perl nodes.

use std::collections::BTreeMap;

use aemp::Node;
use serde_json::{Value as Json, json};

use crate::{
    BOTH, Dial,
    common::soon,
    perl::{self, Perl},
    rust,
};

/// A Rust node and a global Perl node, connected. The Rust node is not global yet.
async fn neighbours(dial: Dial) -> (Node, Perl) {
    match dial {
        Dial::Rust => {
            let perl = Perl::start_global("perl", &[]).await.unwrap();
            let node = rust().seed(&perl.address).start().await.unwrap();
            soon(node.until_up("perl")).await;
            (node, perl)
        }
        Dial::Perl => {
            let node = rust().start().await.unwrap();
            let perl = Perl::start_global("perl", &node.listeners()).await;
            soon(node.until_up("perl")).await;
            (node, perl.unwrap())
        }
    }
}

/// A Perl slave of that node.
async fn slave(id: &str, seeds: &[String]) -> Perl {
    let mut perl = Perl::start(id, seeds).await.unwrap();
    perl.expect("up").await;
    perl
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn perl_slaves_of_a_rust_global() {
    if !perl::is_there() {
        return;
    }
    let node = rust().start().await.unwrap();
    let mut s = slave("s", &node.listeners()).await;
    let mut m = slave("m", &node.listeners()).await;
    m.watch("mon", "fam");
    m.until_told("mon", &json!({})).await;
    let steps = [
        ("k", json!(1), json!({"k": 1})),
        ("k", json!([2]), json!({"k": [2]})),
        ("k2", Json::Null, json!({"k": [2], "k2": null})),
        (
            "\u{20ac}",
            json!("\u{e4}"),
            json!({"k": [2], "k2": null, "\u{20ac}": "\u{e4}"}),
        ),
    ];
    for (key, value, expected) in steps {
        s.set("fam", key, &value);
        let told = m.until_told("mon", &expected).await;
        assert_eq!(told.len(), 1, "{told:?}");
    }
    s.del("fam", "\u{20ac}");
    m.until_told("mon", &json!({"k": [2], "k2": null})).await;
    assert_eq!(m.family("fam").await, json!({"k": [2], "k2": null}));
    assert_eq!(
        m.ask(json!(["keys", "fam"]), "reply").await[1],
        json!(["k", "k2"])
    );
    assert_eq!(m.family("nothing").await, json!({}));
    assert_eq!(
        m.ask(json!(["values", "nothing"]), "reply").await[1],
        json!([])
    );
    m.order(&json!(["db_mon", "mon2", "fam"]));
    m.until_told("mon2", &json!({"k": [2], "k2": null})).await;
    s.kill();
    m.until_told("mon2", &json!({})).await;
    let listeners = json!({"rust": node.listeners(), "m": [m.address]});
    m.until_family("'l", &listeners).await;
    assert_eq!(m.family("'g").await, json!({"rust": null}));
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn the_last_to_set_a_key_shows_and_the_other_comes_back() {
    if !perl::is_there() {
        return;
    }
    let node = rust().start().await.unwrap();
    let mut a = slave("a", &node.listeners()).await;
    let mut b = slave("b", &node.listeners()).await;
    b.watch("mon", "fam");
    a.set("fam", "k", &json!("one"));
    b.until_told("mon", &json!({"k": "one"})).await;
    b.set("fam", "k", &json!("two"));
    b.until_told("mon", &json!({"k": "two"})).await;
    b.del("fam", "k");
    let told = b.until_told("mon", &json!({"k": "one"})).await;
    assert_eq!(told.len(), 1, "it was never gone");
    a.del("fam", "k");
    b.until_told("mon", &json!({})).await;
}

/// One global node of each kind, and a slave of each.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn two_globals() {
    if !perl::is_there() {
        return;
    }
    for dial in BOTH {
        let (node, mut perl) = neighbours(dial).await;
        let mut at_perl = slave("at-perl", std::slice::from_ref(&perl.address)).await;
        at_perl.set("fam", "old", &json!("set before"));
        let mut at_rust = slave("at-rust", &node.listeners()).await;
        at_rust.watch("mon", "fam");
        at_rust
            .until_told("mon", &json!({"old": "set before"}))
            .await;
        at_perl.watch("mon", "fam");
        at_perl.set("fam", "k", &json!(1));
        at_rust
            .until_told("mon", &json!({"old": "set before", "k": 1}))
            .await;
        at_rust.set("fam", "own", &json!({"x": []}));
        let all = json!({"old": "set before", "k": 1, "own": {"x": []}});
        at_perl.until_told("mon", &all).await;
        perl.set("fam", "old", &json!("by the global"));
        let all = json!({"old": "by the global", "k": 1, "own": {"x": []}});
        at_rust.until_told("mon", &all).await;
        at_rust.del("fam", "own");
        at_perl
            .until_told("mon", &json!({"old": "by the global", "k": 1}))
            .await;
        at_perl.kill();
        at_rust
            .until_told("mon", &json!({"old": "by the global"}))
            .await;
        let globals = json!({"rust": null, "perl": null});
        for one in [&mut perl, &mut at_rust] {
            one.until_family("'g", &globals).await;
        }
        let address = json!([at_rust.address]);
        assert_eq!(perl.address_of("at-rust").await, address);
        assert_eq!(perl.address_of("rust").await, json!(node.listeners()));
        at_rust.kill();
        let left = json!({"rust": node.listeners(), "perl": [perl.address]});
        perl.until_family("'l", &left).await;
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn keys_that_slaves_of_both_globals_set() {
    if !perl::is_there() {
        return;
    }
    let (node, perl) = neighbours(Dial::Perl).await;
    let mut at_perl = slave("at-perl", std::slice::from_ref(&perl.address)).await;
    let mut at_rust = slave("at-rust", &node.listeners()).await;
    for one in [&mut at_perl, &mut at_rust] {
        one.watch("mon", "fam");
        one.until_told("mon", &json!({})).await;
    }
    at_perl.set("fam", "k", &json!("one"));
    at_rust.until_told("mon", &json!({"k": "one"})).await;
    at_rust.set("fam", "k", &json!("two"));
    for one in [&mut at_perl, &mut at_rust] {
        one.until_told("mon", &json!({"k": "two"})).await;
    }
    at_rust.del("fam", "k");
    for one in [&mut at_perl, &mut at_rust] {
        one.until_told("mon", &json!({"k": "one"})).await;
    }
    at_rust.set("fam", "k", &json!("two"));
    at_perl.until_told("mon", &json!({"k": "two"})).await;
    at_perl.del("fam", "k");
    at_perl.until_family("fam", &json!({"k": "two"})).await;
    at_rust.del("fam", "k");
    for one in [&mut at_perl, &mut at_rust] {
        one.until_told("mon", &json!({})).await;
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn nodes_that_know_only_their_masters_find_each_other() {
    if !perl::is_there() {
        return;
    }
    let (node, perl) = neighbours(Dial::Rust).await;
    let mut at_perl = slave("at-perl", std::slice::from_ref(&perl.address)).await;
    let mut at_rust = slave("at-rust", &node.listeners()).await;
    let known = json!([at_perl.address]);
    while at_rust.address_of("at-perl").await != known {}
    let inbox = at_perl.inbox().await;
    at_rust.order(&json!(["snd", inbox, "hello", 1]));
    assert_eq!(at_perl.expect("got").await[1..], [json!("hello"), json!(1)]);
    let died = at_rust.ask(json!(["mon", "nobody#x"]), "died").await;
    let reason = [
        json!("nobody#x"),
        json!("transport_error"),
        json!("nobody"),
        json!("no known address"),
    ];
    assert_eq!(died, reason);
}

/// A database that does not fit into one packet is complete everywhere, and so are the addresses.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_large_database() {
    if !perl::is_there() {
        return;
    }
    let node = rust().start().await.unwrap();
    let mut s = slave("s", &node.listeners()).await;
    let text = "x".repeat(1000);
    let all: BTreeMap<String, String> = (0..2000).map(|n| (n.to_string(), text.clone())).collect();
    for (key, value) in &all {
        s.set("large", key, &json!(value));
    }
    s.until_family("large", &json!(all)).await;
    let mut perl = Perl::start_global("perl", &node.listeners()).await.unwrap();
    let mut other = Perl::start_global("other", std::slice::from_ref(&perl.address))
        .await
        .unwrap();
    soon(node.until_up("other")).await;
    for one in [&mut perl, &mut other] {
        one.until_family("large", &json!(all)).await;
        assert_eq!(one.address_of("rust").await, json!(node.listeners()));
        assert_eq!(one.address_of("s").await, json!([s.address]));
    }
}

/// Each the other's seed, and its own: both are global, and stay connected.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn seeds_of_each_other_and_themselves() {
    if !perl::is_there() {
        return;
    }
    let seeds = [aemp_tests::free_address(), aemp_tests::free_address()];
    let node = rust().bind(&seeds[0]).seed(&seeds[0]).seed(&seeds[1]);
    let node = node.start().await.unwrap();
    let mut perl = Perl::start_at("perl", &seeds[1], &seeds, false)
        .await
        .unwrap();
    soon(node.until_up("perl")).await;
    perl.expect("up").await;
    perl.until_family("'g", &json!({"rust": null, "perl": null}))
        .await;
    assert_eq!(perl.role().await, (true, Some("perl".into())));
    let listeners = json!({"rust": node.listeners(), "perl": [perl.address]});
    perl.until_family("'l", &listeners).await;
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_plain_perl_seed_becomes_global() {
    let Some(mut perl) = Perl::start("perl", &[]).await else {
        return;
    };
    let node = rust().seed(&perl.address).start().await.unwrap();
    soon(node.until_up("perl")).await;
    perl.until_master("perl").await;
    assert_eq!(perl.role().await, (true, Some("perl".into())));
    assert_eq!(perl.address_of("rust").await, json!(node.listeners()));
}
