//! Rust slaves of Perl global nodes.

use aemp::{Node, PortId, db::Role, msg, snd};
use serde_json::json;

use crate::{
    common::{Inbox, SECRET, soon, watch},
    counter,
    perl::{self, Perl},
    rust,
    rust_db::{Told, family, until_family},
};

async fn slave(id: &str, seeds: &[String]) -> Node {
    let mut node = Node::builder().node_id(id).secret(SECRET);
    node = node.bind("127.0.0.1:0");
    for seed in seeds {
        node = node.seed(seed);
    }
    node.start().await.unwrap()
}

fn master(node: &Node) -> Option<String> {
    match node.role() {
        Role::Slave(master) => Some(master.to_string()),
        _ => None,
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn set_delete_watch_and_ask() {
    let Some(mut perl) = Perl::start("perl", &[]).await else {
        return;
    };
    let node = rust().seed(&perl.address).start().await.unwrap();
    // Before there is a connection.
    node.db_set("early", "k", "before").unwrap();
    let told = Told::new(&node, "fam");
    told.until(&json!({})).await;
    perl.until_family("early", &json!({"k": "before"})).await;
    assert_eq!(perl.role().await, (true, Some("perl".into())));
    assert_eq!(master(&node).as_deref(), Some("perl"));
    node.db_set("fam", "k", 1).unwrap();
    told.until(&json!({"k": 1})).await;
    perl.set("fam", "p", &json!({"a": [null, "\u{20ac}"]}));
    let both = json!({"k": 1, "p": {"a": [null, "\u{20ac}"]}});
    told.until(&both).await;
    assert_eq!(family(&node, "fam").await, both);
    assert_eq!(node.db_keys("fam").await.unwrap(), ["k", "p"]);
    assert_eq!(node.db_values("fam").await.unwrap().len(), 2);
    assert!(node.db_keys("nothing").await.unwrap().is_empty());
    assert!(node.db_values("nothing").await.unwrap().is_empty());
    node.db_del("fam", ["k"]).unwrap();
    told.until(&json!({"p": both["p"]})).await;
    perl.del("fam", "p");
    told.until(&json!({})).await;
    let listeners = json!({"rust": node.listeners(), "perl": [perl.address]});
    until_family(&node, "'l", &listeners).await;
    assert_eq!(family(&node, "'g").await, json!({"perl": null}));
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn entries_go_with_their_guards_ports_and_nodes() {
    let Some(mut perl) = Perl::start_global("perl", &[]).await else {
        return;
    };
    let node = rust().seed(&perl.address).start().await.unwrap();
    let guard = node.db_set("fam", "guarded", ()).unwrap().guard();
    let port = node.port(counter(1)).id();
    node.db_reg("fam", &port, "port").unwrap();
    node.db_set("fam", "kept", 0).unwrap();
    let mut all = json!({"guarded": null, port.as_str(): "port", "kept": 0});
    perl.until_family("fam", &all).await;
    drop(guard);
    all.as_object_mut().unwrap().remove("guarded");
    perl.until_family("fam", &all).await;
    node.kil(&port, ());
    perl.until_family("fam", &json!({"kept": 0})).await;
    node.stop().await;
    perl.until_family("fam", &json!({})).await;
    perl.until_family("'l", &json!({"perl": [perl.address]}))
        .await;
}

/// Rust finds the ports that Perl registers, and Perl those that Rust registers.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn registered_ports_are_found_and_reached() {
    let Some(perl) = Perl::start_global("perl", &[]).await else {
        return;
    };
    let seeds = std::slice::from_ref(&perl.address);
    let mut worker = Perl::start("worker", seeds).await.unwrap();
    let node = slave("rust", seeds).await;
    let far = worker.inbox().await;
    worker.order(&json!(["db_reg", "workers", far, null]));
    let mut own = Inbox::new(&node);
    node.db_reg("workers", &own.id, ()).unwrap();
    let both = json!({far.as_str(): null, own.id.as_str(): null});
    until_family(&node, "workers", &both).await;
    worker.until_family("workers", &both).await;
    // Neither knows more of the other than the port.
    assert_eq!(node.node_is_up("worker"), None);
    snd!(node, PortId::parse(&far).unwrap(), "found", 1);
    assert_eq!(worker.expect("got").await[1..], [json!("found"), json!(1)]);
    worker.order(&json!(["snd", own.id.as_str(), "found"]));
    assert_eq!(own.next().await, msg!["found"]);
    worker.order(&json!(["kil", far, "enough"]));
    until_family(&node, "workers", &json!({own.id.as_str(): null})).await;
    let nobody = watch(&node, &"nobody#x".parse().unwrap()).await;
    assert_eq!(
        nobody.to_string(),
        "transport_error nobody no known address"
    );
}

/// Masters of both kinds end, one after the other: nothing that is still there is ever told to be gone.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn masters_end_and_watches_go_on() {
    if !perl::is_there() {
        return;
    }
    let at = [aemp_tests::free_address(), aemp_tests::free_address()];
    let start_perl = || Perl::global_at("perl", &at[0], &at[1..]);
    let start_rust = || {
        let node = Node::builder().node_id("global").secret(SECRET);
        node.bind(&at[1]).seed(&at[0]).seed(&at[1]).start()
    };
    let perl = start_perl().await.unwrap();
    let node = slave("rust", &at).await;
    soon(node.until_up("perl")).await;
    let global = start_rust().await.unwrap();
    soon(node.until_up("global")).await;
    node.db_set("fam", "own", "v").unwrap();
    let mut friend = Perl::start("friend", &at).await.unwrap();
    friend.set("fam", "friend", &json!("w"));
    let (all, own) = (json!({"own": "v", "friend": "w"}), json!({"own": "v"}));
    let told = Told::new(&node, "fam");
    told.until(&all).await;
    assert_eq!(master(&node).as_deref(), Some("perl"));

    perl.kill();
    until_family(&node, "fam", &all).await;
    assert_eq!(master(&node).as_deref(), Some("global"));
    let mut perl = start_perl().await.unwrap();
    perl.until_family("fam", &all).await;
    soon(node.until_up("perl")).await;
    // The reference's slaves do not notice when the second of two masters ends, so this one's part ends here.
    friend.kill();
    told.until(&own).await;

    global.stop().await;
    perl.until_family("fam", &own).await;
    assert_eq!(master(&node).as_deref(), Some("perl"));
    let global = start_rust().await.unwrap();
    soon(node.until_up("global")).await;

    perl.kill();
    until_family(&node, "fam", &own).await;
    assert_eq!(master(&node).as_deref(), Some("global"));
    assert_eq!(global.role(), Role::Global);
    let states = told.states();
    assert!(states.iter().all(|state| state["own"] == "v"), "{states:?}");
}
