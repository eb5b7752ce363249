use aemp::{Args, Cx, Node, Value, db::DbError};

use crate::{common::soon, has, stop, three};

#[tokio::test]
async fn entries_stay_until_they_are_deleted_and_guards_delete_theirs() {
    let node = Node::local().unwrap();
    let entry = node.db_set("f", "stays", 1).unwrap();
    let guard = node.db_set("f", "guarded", ()).unwrap().guard();
    let detached = node.db_set("f", "detached", "x").unwrap().guard();
    assert_eq!(
        node.db_keys("f").await.unwrap(),
        ["detached", "guarded", "stays"]
    );
    drop(guard);
    detached.detach();
    assert_eq!(node.db_keys("f").await.unwrap(), ["detached", "stays"]);
    assert_eq!(entry.key(), "stays");
    entry.del();
    node.db_del("f", ["detached", "never there"]).unwrap();
    assert!(node.db_keys("f").await.unwrap().is_empty());
}

#[tokio::test]
async fn names_and_values_that_cannot_be_are_refused_with_their_names() {
    let node = Node::local().unwrap();
    let text = |error: DbError| error.to_string();
    assert_eq!(
        text(node.db_set("no-family", "k", 1).unwrap_err()),
        "database family \"no-family\": '-' is not allowed in it: only letters, digits, `_` and `:` are"
    );
    assert_eq!(
        text(node.db_set("f", "", 1).unwrap_err()),
        "database family \"f\": a key must not be empty"
    );
    assert_eq!(
        text(node.db_set("f", "k", f64::NAN).unwrap_err()),
        "database family \"f\": the value of \"k\" cannot be encoded: infinity and not-a-number cannot be sent"
    );
    assert!(node.db_set("'l", "k", 1).is_err(), "the protocol's own");
    let large = "x".repeat(40 << 20);
    let error = node.db_set("f", "k", &large).unwrap_err();
    assert!(text(error).contains("larger than"));
    assert!(node.db_del("", ["k"]).is_err());
    assert!(node.db_family("").await.is_err());
    assert!(node.db_mon("1", |_| ()).is_err());
    assert!(node.family::<i64>("a b").is_err());
    assert!(node.db_keys("f").await.unwrap().is_empty());
    assert!(node.db_keys("'l").await.unwrap().is_empty());
}

#[tokio::test]
async fn registered_ports_are_there_until_they_die() {
    let node = Node::local().unwrap();
    let port = node.untyped(|_: &mut Cx<'_>, _: Args| ());
    node.db_reg("ports", &port.id(), "value").unwrap();
    let ports = node.db_family("ports").await.unwrap();
    assert_eq!(ports.get(port.id().as_str()), Some(&Value::from("value")));
    port.kill(());
    has(&node, "ports", 0).await;
    node.db_reg("ports", &port.id(), ()).unwrap();
    has(&node, "ports", 0).await;
}

#[tokio::test]
async fn a_registered_port_may_change_its_value() {
    let node = Node::local().unwrap();
    let port = node.untyped(|_: &mut Cx<'_>, _: Args| ());
    node.db_reg("ports", &port.id(), 0).unwrap();
    let family = node.family::<i64>("ports").unwrap();
    family.set(port.id().as_str(), &5).unwrap();
    assert_eq!(family.get(port.id().as_str()).await.unwrap(), Some(5));
    port.kill(());
    has(&node, "ports", 0).await;
}

#[tokio::test]
async fn a_deleted_registration_is_not_deleted_again_when_the_port_dies() {
    let node = Node::local().unwrap();
    let port = node.untyped(|_: &mut Cx<'_>, _: Args| ());
    node.db_reg("ports", &port.id(), ()).unwrap().del();
    node.db_set("ports", port.id().as_str(), "by hand").unwrap();
    port.kill(());
    soon(async {
        while node.port_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(node.db_keys("ports").await.unwrap().len(), 1);
}

#[tokio::test]
async fn entries_are_visible_everywhere_until_their_node_stops() {
    let [g, a, b] = three().await;
    a.db_set("f", "k", vec![1, 2]).unwrap();
    g.db_set("f", "of g", "x").unwrap();
    for node in [&g, &a, &b] {
        has(node, "f", 2).await;
    }
    let family = b.db_family("f").await.unwrap();
    assert_eq!(family.get("k"), Some(&vec![1, 2].into()));
    let port = b.untyped(|_: &mut Cx<'_>, _: Args| ());
    a.db_reg("ports", &port.id(), ()).unwrap();
    has(&b, "ports", 1).await;
    port.kill("gone");
    has(&b, "ports", 0).await;
    a.stop().await;
    has(&b, "f", 1).await;
    has(&g, "'l", 2).await;
    stop([g, b]).await;
}
