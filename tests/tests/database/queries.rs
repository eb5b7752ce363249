use std::{collections::BTreeMap, time::Duration};

use aemp::{DbError, Node, Value};

use crate::{builder, common::soon, has, stop, three};

#[tokio::test]
async fn families_keys_and_values() {
    let [g, a, b] = three().await;
    a.db_set("f", "one", 1).unwrap();
    a.db_set("f", "two", "2").unwrap();
    for node in [&g, &a, &b] {
        has(node, "f", 2).await;
        assert_eq!(node.db_keys("f").await.unwrap(), ["one", "two"]);
        let mut values = node.db_values("f").await.unwrap();
        values.sort_by_key(Value::to_string);
        assert_eq!(values, ["2".into(), Value::from(1)]);
        assert_eq!(node.db_family("f").await.unwrap().len(), 2);
        assert!(node.db_family("empty").await.unwrap().is_empty());
        assert_eq!(node.db_keys("'l").await.unwrap(), ["a", "b", "g"]);
    }
    stop([a, b, g]).await;
}

#[tokio::test]
async fn types_of_ones_own() {
    let node = Node::local().unwrap();
    let family = node.family::<(i64, String)>("f").unwrap();
    family.set("k", &(1, "x".into())).unwrap();
    let expected = BTreeMap::from([("k".to_owned(), (1, "x".to_owned()))]);
    assert_eq!(family.entries().await.unwrap(), expected);
    assert_eq!(family.values().await.unwrap(), [(1, "x".to_owned())]);
    assert_eq!(family.keys().await.unwrap(), ["k"]);
    assert_eq!(family.name(), "f");
    node.db_set("f", "odd", "text").unwrap();
    let error = family.entries().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("database family \"f\": the value of \"odd\" cannot be understood: "),
        "{text}"
    );
    let contents = family.contents().await.unwrap();
    assert_eq!((contents.entries, contents.odd.len()), (expected, 1));
    assert_eq!(family.get("k").await.unwrap(), Some((1, "x".to_owned())));
    assert_eq!(family.get("none").await.unwrap(), None);
    assert!(family.get("odd").await.is_err());
    family.clone().del(["k", "odd"]);
    assert!(family.entries().await.unwrap().is_empty());
}

/// A loose value that a Perl node may have set.
#[tokio::test]
async fn numbers_that_are_texts_are_numbers() {
    let node = Node::local().unwrap();
    node.db_set("f", "k", "42").unwrap();
    let family = node.family::<i64>("f").unwrap();
    assert_eq!(family.entries().await.unwrap()["k"], 42);
}

#[tokio::test(start_paused = true)]
async fn a_query_ends_with_its_time() {
    let node = builder("s")
        .seed("127.0.0.1:1")
        .connect_interval(Duration::from_secs(5));
    let node = node.start().await.unwrap();
    node.db_set("f", "k", 1).unwrap();
    let query = node.db_keys("f").timeout(Duration::from_secs(3));
    let error = query.await.unwrap_err();
    assert!(
        matches!(&error, DbError::Timeout(family) if family == "f"),
        "{error}"
    );
    // By now there is no hope for a master.
    assert_eq!(node.db_keys("f").await.unwrap(), ["k"]);
    node.stop().await;
}

#[tokio::test]
async fn a_query_that_is_dropped_leaves_nothing_behind() {
    let [g, a, b] = three().await;
    for _ in 0..10 {
        let query = a.db_keys("f").timeout(Duration::from_nanos(1));
        let _ = query.await;
    }
    soon(async { assert!(a.db_keys("f").await.unwrap().is_empty()) }).await;
    stop([a, b, g]).await;
}

#[tokio::test]
async fn a_query_of_a_stopped_node_is_an_error() {
    for node in [Node::local().unwrap(), builder("a").start().await.unwrap()] {
        node.stop().await;
        let asked = soon(node.db_keys("f")).await;
        assert!(matches!(asked, Err(DbError::Stopped)), "{asked:?}");
    }
}
