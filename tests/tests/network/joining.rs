//! Waiting until a node is part of the network, or knows why not.

use std::time::Duration;

use aemp::{JoinError, Node};
use tokio::net::TcpListener;

use crate::{
    common::soon,
    nodes::{address, listening, start},
};

async fn refused(node: &Node) -> String {
    match soon(node.joined()).await {
        Err(error @ JoinError::Refused(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn unreached(node: &Node) -> String {
    match soon(node.joined()).await {
        Err(error @ JoinError::Unreached(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_node_has_joined_when_it_is_connected() {
    // The first has no seeds to look for.
    let first = start(listening("first")).await;
    soon(first.joined()).await.unwrap();
    let node = start(
        listening("a")
            .seed(aemp_tests::free_address())
            .seed(address(&first)),
    )
    .await;
    soon(node.joined()).await.unwrap();
    assert_eq!(node.node_is_up("first"), Some(true));
}

#[tokio::test]
async fn a_wrong_secret_at_each_seed_is_reported_at_once() {
    let foreign = [
        start(listening("f1").secret("between foes")).await,
        start(listening("f2").secret("between foes")).await,
    ];
    let node = foreign
        .iter()
        .fold(listening("a"), |node, seed| node.seed(address(seed)));
    // Nothing that has to do with time.
    let node = start(node.connect_interval(Duration::from_secs(1000))).await;
    let text = refused(&node).await;
    for seed in &foreign {
        let expected = format!(
            "{}: authentication failure/shared secret mismatch",
            address(seed)
        );
        assert!(text.contains(&expected), "{text}");
    }
}

#[tokio::test]
async fn unreachable_seeds_are_reported_soon() {
    let seed = aemp_tests::free_address();
    let node = start(listening("a").seed(&seed)).await;
    let text = unreached(&node).await;
    assert_eq!(
        text,
        format!("has not joined the network yet: {seed}: Connection refused")
    );
    // It goes on all the same.
    let _late = start(
        Node::builder()
            .node_id("late")
            .secret("between friends")
            .bind(&seed),
    )
    .await;
    soon(node.until_up("late")).await;
    soon(node.joined()).await.unwrap();
}

/// One that takes connections and says nothing.
#[tokio::test]
async fn silence_is_not_waited_for_for_ever() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let seed = silent.local_addr().unwrap().to_string();
    let node = listening("a")
        .seed(&seed)
        .monitor_timeout(Duration::from_secs(1));
    let text = unreached(&start(node).await).await;
    assert!(text.contains(&seed), "{text}");
}

#[tokio::test]
async fn a_node_that_has_ended_has_not_joined() {
    let node = start(listening("a").seed(aemp_tests::free_address())).await;
    let (waiting, stopped) = (node.clone(), node.clone());
    let waiting = tokio::spawn(async move { waiting.joined().await });
    tokio::spawn(async move { stopped.stop().await });
    let ended = soon(waiting).await.unwrap();
    assert!(matches!(ended, Err(JoinError::Ended)), "{ended:?}");
    assert!(matches!(soon(node.joined()).await, Err(JoinError::Ended)));
    let local = Node::local().unwrap();
    assert!(matches!(local.joined().await, Err(JoinError::NoNetwork)));
}
