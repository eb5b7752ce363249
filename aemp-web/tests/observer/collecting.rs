//! The requests to the nodes: none without a viewer, and one round of them for any number of viewers.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    http::{Events, get},
    watched::Watched,
};

/// The number of packets that green has got from the observer.
async fn packets(watched: &Watched) -> u64 {
    let connections = watched.green.inspect("green").connections().await;
    let connections = connections.expect("its own").connections;
    let mut of = connections.iter().filter(|one| one.node == "observer");
    of.next().expect("it is connected").received.packets
}

#[tokio::test]
async fn nothing_is_asked_before_a_page_is_open() {
    let watched = Watched::start().await;
    // The packets of the beginning.
    sleep(Duration::from_millis(500)).await;
    let before = packets(&watched).await;
    sleep(Duration::from_secs(3)).await;
    let idle = packets(&watched).await - before;
    // Keepalives.
    assert!(idle <= 3, "{idle}");
    get(watched.at, "/").await;
    assert!(packets(&watched).await - before > idle + 3);
    watched.stop().await;
}

#[tokio::test]
async fn many_browsers_are_one_collector() {
    let watched = Watched::start().await;
    let mut pages = Vec::new();
    for at in 0..40 {
        let path = ["/live/network", "/live/ports", "/live/node?id=green"][at % 3];
        let mut page = Events::open(watched.at, path).await.expect("a page");
        page.until("data:").await;
        pages.push(page);
    }
    let (begun, before) = (Instant::now(), packets(&watched).await);
    sleep(Duration::from_secs(3)).await;
    let asked = packets(&watched).await - before;
    let rounds = begun.elapsed().as_secs() + 2;
    // A round has five questions. Each browser would have its own otherwise.
    assert!(asked <= rounds * 8, "{asked} packets in {rounds} rounds");
    assert!(asked >= 4, "{asked}");
    watched.stop().await;
}
