//! The page of one port: alive, dead, with its messages.

use aemp::{Cx, Node, port};
use tokio::time::{Duration, sleep};

use crate::{
    http::{Events, ask, get, soon},
    watched::{Watched, node},
};

struct Shop;

#[port]
impl Shop {
    #[rcv]
    fn buy(&mut self, _what: String) {}

    #[rcv]
    fn close(&self, cx: &mut Cx<'_>) {
        cx.kill(vec!["die".into(), "<b>out of soup</b>".into()]);
    }
}

/// The query of the page about a port.
fn about(port: &ShopRef) -> String {
    port.id().as_str().replace('#', "%23")
}

/// Waits for a text in a page.
async fn until(watched: &Watched, path: &str, text: &str) -> String {
    soon(async {
        loop {
            let page = get(watched.at, path).await.body;
            if page.contains(text) {
                return page;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_port_without_a_queue_is_shown_among_many() {
    let watched = Watched::start().await;
    let many: Vec<_> = (0..300).map(|_| watched.green.port(Shop)).collect();
    // At most 200 are listed.
    for port in [&many[0], &many[299]] {
        until(&watched, &format!("/port?id={}", about(port)), "::Shop").await;
        let document = format!("/api/port?port={}", about(port));
        let document = get(watched.at, &document).await.json();
        assert_eq!(document["alive"]["id"], port.id().as_str());
        assert_eq!(
            (&document["died"], &document["error"]),
            (&().into(), &().into())
        );
    }
    watched.stop().await;
}

#[tokio::test]
async fn a_dead_port_is_shown_with_its_reason() {
    let watched = Watched::start().await;
    let (failed, ended) = (watched.green.port(Shop), watched.green.port(Shop));
    // This one dies before a page is open, and none of them is supervised.
    failed.close();
    let path = format!("/port?id={}", about(&failed));
    let page = until(&watched, &path, " ago: ").await;
    let reason = "<strong>die &lt;b&gt;out of soup&lt;/b&gt;</strong>";
    assert!(page.contains(reason) && page.contains("::Shop"), "{page}");
    let document = get(watched.at, &format!("/api/port?port={}", about(&failed))).await;
    let died = &document.json()["died"];
    assert_eq!(died["reason"][1], "<b>out of soup</b>");
    assert!(died["ago"].as_f64() < Some(60.0), "{died}");
    let page = until(&watched, "/node?id=green", "died of a reason").await;
    assert!(page.contains("out of soup") && page.contains(&about(&failed)));
    let deaths = get(watched.at, "/api/deaths?node=green").await.json();
    assert_eq!(
        (&deaths["total"], &deaths["deaths"][0]["port"]),
        (&1.into(), &failed.id().as_str().into())
    );
    assert_eq!(get(watched.at, "/api/deaths").await.status, 404);
    // One that ends while it is looked at.
    let path = format!("/live/port?id={}", about(&ended));
    let mut page = Events::open(watched.at, &path).await.expect("a page");
    page.until("waiting messages").await;
    ended.kill(aemp::Reason::normal());
    page.until("The port ended normally").await;
    watched.stop().await;
}

#[tokio::test]
async fn a_port_that_is_none_has_a_clear_message() {
    let watched = Watched::start().await;
    for (id, text) in [
        ("green%23nope", "There is no such port now."),
        ("green", "There is no such port now."),
        ("nowhere%23x", "There is no node <code>nowhere</code>"),
        (
            "%3Cscript%3E%23x",
            "There is no node <code>&lt;script&gt;</code>",
        ),
        ("", "There is no node"),
    ] {
        until(&watched, &format!("/port?id={id}"), text).await;
    }
    let document = get(watched.at, "/api/port?port=nowhere%23x").await.json();
    assert_eq!(document["error"], "there is no such node");
    assert_eq!(get(watched.at, "/api/port").await.status, 404);
    assert_eq!(
        get(watched.at, "/api/messages?port=nowhere%23x")
            .await
            .status,
        404
    );
    // The node goes while the port is looked at.
    let blue = watched.add("blue").await;
    let port = blue.port(Shop);
    let path = format!("/live/port?id={}&tap=1", about(&port));
    let mut page = Events::open(watched.at, &path).await.expect("a page");
    page.until("None has come yet.").await;
    blue.stop().await;
    page.until("The node gives no answer").await;
    page.until("There is no node <code>blue</code>").await;
    watched.stop().await;
}

/// Sends to the port from another node.
fn customer(from: &Node, of: &ShopRef) -> tokio::task::JoinHandle<()> {
    let shop: ShopRef = from.handle(&of.id());
    tokio::spawn(async move {
        loop {
            shop.buy("<i>soup</i>".into());
            sleep(Duration::from_millis(20)).await;
        }
    })
}

#[tokio::test]
async fn messages_are_shown_on_request_and_as_long_as_the_page_is_open() {
    let watched = Watched::start().await;
    let blue = watched.add("blue").await;
    let shop = watched.green.port(Shop);
    let buying = customer(&blue, &shop);
    // A tap is read at a port of the observer's node.
    let taps = || async {
        let ports = watched.observer.inspect("observer").ports().await;
        let types = ports.expect("its own").types;
        let untyped = types.iter().filter(|of| of.kind == "untyped");
        untyped.map(|of| of.count).sum::<u64>()
    };
    let path = format!("/port?id={}", about(&shop));
    // The page alone asks for no messages.
    let page = until(&watched, &path, "Show the last messages").await;
    assert!(
        page.contains(&format!("href=\"{path}&amp;tap=1\"")),
        "{page}"
    );
    assert!(!page.contains("soup"), "{page}");
    assert_eq!(taps().await, 0);
    let live = format!("/live{path}&tap=1");
    // A page of a stranger leads here.
    let headers = |site: &str| format!("Host: {}\r\nSec-Fetch-Site: {site}\r\n", watched.at);
    for site in ["cross-site", "same-site"] {
        let page = ask(watched.at, &format!("GET {path}&tap=1"), &headers(site), "").await;
        assert!(page.body.contains("Show the last messages"), "{site}");
        let line = format!("GET /api/messages?port={}", about(&shop));
        let document = ask(watched.at, &line, &headers(site), "").await;
        assert_eq!(document.status, 404, "{site}");
    }
    let mut page = Events::open(watched.at, &live).await.expect("a page");
    page.until("[&quot;buy&quot;,&quot;&lt;i&gt;soup&lt;/i&gt;&quot;]")
        .await;
    let document = get(watched.at, &format!("/api/messages?port={}", about(&shop))).await;
    let document = document.json();
    assert_eq!(
        (&document["tap"], &document["messages"][0]["from"]),
        (&"open".into(), &"blue".into())
    );
    assert!(
        document["messages"]
            .as_array()
            .is_some_and(|all| all.len() <= 50)
    );
    assert_eq!(taps().await, 1);
    // Some seconds after the last page, it closes.
    drop(page);
    soon(async {
        while taps().await > 0 {
            sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    buying.abort();
    blue.stop().await;
    watched.stop().await;
}

#[tokio::test]
async fn a_node_that_permits_no_tap_is_named() {
    let watched = Watched::start().await;
    let blue = node("blue").seed(watched.green.listeners().remove(0));
    let blue = blue.allow("*", "inspect").start().await.expect("it starts");
    let shop = blue.port(Shop);
    let path = format!("/port?id={}&tap=1", about(&shop));
    until(&watched, &path, "::Shop").await;
    let page = until(&watched, &path, "does not permit the function Aemp::tap").await;
    assert!(!page.contains("None has come yet"), "{page}");
    blue.stop().await;
    watched.stop().await;
}

/// Keeps a worker until the other end of its channel is gone.
struct Mill(std::sync::mpsc::Receiver<()>);

#[port]
impl Mill {
    #[rcv]
    fn grind(&self) {
        let _ = self.0.recv();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_keeps_a_worker_is_shown() {
    let watched = Watched::start().await;
    let (stop, stopped) = std::sync::mpsc::channel();
    let mill = watched.green.port(Mill(stopped));
    mill.grind();
    for path in ["/ports", "/node?id=green"] {
        let page = until(&watched, path, "Busy and stuck ports").await;
        assert!(page.contains("grind") && page.contains("::Mill"), "{page}");
    }
    let running = get(watched.at, "/api/running").await.json();
    assert_eq!(
        (&running[0]["port"], &running[0]["node"]),
        (&mill.id().as_str().into(), &"green".into())
    );
    until(&watched, "/node?id=green", "1 of 3 workers busy").await;
    drop(stop);
    soon(async {
        while get(watched.at, "/ports")
            .await
            .body
            .contains("Busy and stuck")
        {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    watched.stop().await;
}
