use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
};

use aemp::{
    Node,
    db::{FamilyEvent, Watch},
};
use futures_core::Stream;
use tokio::sync::mpsc;

use crate::{common::soon, has, start, stop, three};

/// Takes events until the family has this number of keys, and keeps its content in `held`.
async fn until(watch: &mut Watch<i64>, held: &mut BTreeMap<String, i64>, keys: usize) {
    while held.len() != keys {
        match soon(watch.next()).await.expect("the node runs") {
            FamilyEvent::All(contents) => *held = contents.entries,
            FamilyEvent::Changes(changes) => {
                for (key, value) in changes.added {
                    assert!(held.insert(key, value).is_none(), "it was there");
                }
                for (key, value) in changes.changed {
                    assert!(held.insert(key, value).is_some(), "it was not there");
                }
                for key in changes.deleted {
                    assert!(held.remove(&key).is_some(), "it was not there");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_watch_is_a_stream_of_contents_and_changes() {
    let [g, a, b] = three().await;
    let family = b.family::<i64>("f").unwrap();
    let mut watch = family.watch();
    let Some(FamilyEvent::All(contents)) = soon(watch.next()).await else {
        panic!("the contents come first")
    };
    assert!(contents.entries.is_empty() && contents.odd.is_empty());
    a.db_set("f", "k", 1).unwrap();
    let mut held = BTreeMap::new();
    until(&mut watch, &mut held, 1).await;
    a.db_set("f", "k", 2).unwrap();
    g.db_set("f", "l", "not a number").unwrap();
    let mut odd = None;
    while odd.is_none() {
        let Some(FamilyEvent::Changes(changes)) = soon(watch.next()).await else {
            panic!("only changes now")
        };
        odd = changes.odd.get("l").cloned();
    }
    a.db_del("f", ["k"]).unwrap();
    let mut deleted = Vec::new();
    while deleted.is_empty() {
        let event = soon(poll_fn(|task| Pin::new(&mut watch).poll_next(task))).await;
        let Some(FamilyEvent::Changes(changes)) = event else {
            panic!("a change")
        };
        deleted = changes.deleted;
    }
    assert_eq!(deleted, ["k"]);
    stop([a, b, g]).await;
}

#[tokio::test]
async fn a_slow_reader_sees_merged_changes() {
    let node = Node::local().unwrap();
    let family = node.family::<i64>("f").unwrap();
    let mut watch = family.watch();
    soon(watch.next()).await;
    for n in 0..1000 {
        family.set("k", &n).unwrap();
        family.set("brief", &n).unwrap();
        family.del(["brief"]);
    }
    let Some(FamilyEvent::Changes(changes)) = soon(watch.next()).await else {
        panic!("changes")
    };
    assert_eq!(changes.added, BTreeMap::from([("k".to_owned(), 999)]));
    assert!(changes.deleted.is_empty() && changes.changed.is_empty());
}

#[tokio::test]
async fn a_callback_gets_the_contents_and_which_keys_have_changed() {
    let node = Node::local().unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    let monitor = node
        .db_mon("f", move |change| {
            let keys = |keys: &[Arc<str>]| keys.join(",");
            let _ = tell.send(format!(
                "{} +{} ~{} -{}",
                change.contents.len(),
                keys(change.added),
                keys(change.changed),
                keys(change.deleted)
            ));
        })
        .unwrap();
    let mut next = async || soon(told.recv()).await.unwrap();
    assert_eq!(next().await, "0 + ~ -");
    node.db_set("f", "k", 1).unwrap();
    assert_eq!(next().await, "1 +k ~ -");
    node.db_set("f", "k", 2).unwrap();
    assert_eq!(next().await, "1 + ~k -");
    node.db_del("f", ["k"]).unwrap();
    assert_eq!(next().await, "0 + ~ -k");
    drop(monitor);
    node.db_set("f", "k", 3).unwrap();
    assert_eq!(soon(told.recv()).await, None, "the callback is dropped");
}

#[tokio::test]
async fn a_callback_may_use_the_database_and_panic() {
    let node = Node::local().unwrap();
    let inner = node.clone();
    let _monitor = node
        .db_mon("f", move |change| {
            for key in change.added {
                inner.db_set("copy", key, change.contents.get(key)).unwrap();
            }
            assert!(!change.contents.contains_key("bad"), "a panic of the user");
        })
        .unwrap();
    for key in ["a", "bad", "b"] {
        node.db_set("f", key, 1).unwrap();
        has(&node, "f", node.db_keys("f").await.unwrap().len()).await;
    }
    has(&node, "copy", 3).await;
}

#[tokio::test]
async fn a_callback_is_not_called_after_its_guard_is_dropped() {
    let node = Node::local().unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    let monitor = node.db_mon("f", move |change| {
        let _ = tell.send(change.contents.len());
    });
    drop(monitor.unwrap());
    assert_eq!(soon(told.recv()).await, None, "nothing was told yet");
}

#[tokio::test]
async fn a_callback_may_end_its_own_monitor() {
    let node = Node::local().unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    let own = Arc::new(Mutex::new(None));
    let held = Arc::clone(&own);
    let monitor = node.db_mon("f", move |change| {
        let _ = tell.send(change.contents.len());
        if !change.contents.is_empty() {
            let ended = held.lock().unwrap().take();
            drop(ended);
        }
    });
    *own.lock().unwrap() = Some(monitor.unwrap());
    assert_eq!(soon(told.recv()).await, Some(0));
    node.db_set("f", "k", 1).unwrap();
    assert_eq!(soon(told.recv()).await, Some(1));
    node.db_set("f", "k", 2).unwrap();
    assert_eq!(soon(told.recv()).await, None, "the callback is dropped");
}

#[tokio::test]
async fn a_watch_ends_with_its_node() {
    let node = Node::local().unwrap();
    let family = node.family::<i64>("f").unwrap();
    let mut watch = family.watch();
    soon(watch.next()).await;
    let waiting = tokio::spawn(async move { watch.next().await });
    node.stop().await;
    assert_eq!(soon(waiting).await.unwrap(), None);
}

#[tokio::test]
async fn watches_go_on_with_another_master() {
    let g = start("g", &[]).await;
    let h = start("h", &[&g]).await;
    soon(h.until_up("g")).await;
    h.become_global();
    let a = start("a", &[&g, &h]).await;
    let b = start("b", &[&h]).await;
    soon(a.until_up("g")).await;
    soon(a.until_up("h")).await;
    soon(b.until_up("h")).await;
    b.db_set("f", "k", 1).unwrap();
    has(&a, "f", 1).await;
    let family = a.family::<i64>("f").unwrap();
    let (mut watch, mut held) = (family.watch(), BTreeMap::new());
    until(&mut watch, &mut held, 1).await;
    g.stop().await;
    b.db_set("f", "l", 2).unwrap();
    until(&mut watch, &mut held, 2).await;
    stop([a, b, h]).await;
}
