use std::time::Duration;

use aemp::{Args, Cx, Node, db::Role};

use crate::{
    builder,
    common::{Inbox, soon, until, watch},
    has, start, stop, three,
};

#[tokio::test]
async fn a_seed_becomes_global_and_others_find_each_other_through_it() {
    let [g, a, b] = three().await;
    has(&a, "'l", 3).await;
    assert_eq!(g.role(), Role::Global);
    assert!(matches!(a.role(), Role::Slave(master) if master.as_str() == "g"));
    assert_eq!(a.node_is_up("b"), None);
    let mut inbox = Inbox::new(&b);
    a.snd(&inbox.id, vec!["hello".into()]);
    assert_eq!(inbox.next().await, ["hello".into()]);
    assert_eq!(a.node_is_up("b"), Some(true));
    stop([a, b, g]).await;
}

#[tokio::test]
async fn an_unknown_node_is_reported_at_once() {
    let [g, a, b] = three().await;
    has(&a, "'l", 3).await;
    for node in [&a, &g] {
        let reason = watch(node, &"nobody#port".parse().unwrap()).await;
        assert_eq!(
            reason.to_string(),
            "transport_error nobody no known address"
        );
    }
    stop([a, b, g]).await;
}

#[tokio::test]
async fn a_node_without_a_network_is_alone() {
    let node = Node::local().unwrap();
    assert_eq!(node.role(), Role::Alone);
    node.db_set("f", "k", 1).unwrap();
    node.become_global();
    assert_eq!(node.role(), Role::Global);
    assert_eq!(node.db_keys("f").await.unwrap(), ["k"]);
}

#[tokio::test]
async fn a_lost_network_comes_back_by_itself() {
    let g = start("g", &[]).await;
    let address = g.listeners().remove(0);
    let a = builder("a")
        .seed(&address)
        .connect_interval(Duration::from_millis(200))
        .start()
        .await
        .unwrap();
    a.db_set("f", "k", 1).unwrap();
    has(&g, "f", 1).await;
    g.stop().await;
    until(|| a.role() == Role::Alone).await;
    assert_eq!(a.db_keys("f").await.unwrap(), ["k"]);
    let g = Node::builder()
        .node_id("g")
        .secret(crate::SECRET)
        .bind(&address);
    let g = g.start().await.unwrap();
    has(&g, "f", 1).await;
    until(|| matches!(a.role(), Role::Slave(_))).await;
    stop([a, g]).await;
}

#[tokio::test]
async fn a_client_without_listeners_is_answered() {
    let [g, a, b] = three().await;
    let client = Node::builder().node_id("client").secret(crate::SECRET);
    let client = client.seed(g.listeners().remove(0)).start().await.unwrap();
    has(&client, "'l", 4).await;
    let echo = a.untyped(|cx: &mut Cx<'_>, mut message: Args| {
        let to = message.remove(0);
        let to = to.text().unwrap().parse().unwrap();
        cx.node().snd(&to, message);
    });
    let mut inbox = Inbox::new(&client);
    client.snd(&echo.id(), vec![inbox.id.clone().into(), "hello".into()]);
    assert_eq!(inbox.next().await, ["hello".into()]);
    soon(client.stop()).await;
    has(&g, "'l", 3).await;
    stop([a, b, g]).await;
}
