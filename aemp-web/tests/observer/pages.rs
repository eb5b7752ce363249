//! The pages and the documents of a network that behaves.

use std::time::Duration;

use aemp::{
    Cx, Node, port,
    supervisor::{Restart, Supervisor},
};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    http::{Events, get, soon},
    watched::Watched,
};

struct Shop;

#[port]
impl Shop {
    #[rcv]
    fn buy(&self, _cx: &mut Cx<'_>) {}
}

/// The pages of a network with the node `green` and the family `menu`.
pub(crate) const PAGES: [&str; 13] = [
    "/",
    "/?ago=30",
    "/connections",
    "/ports",
    "/calls",
    "/supervision",
    "/database",
    "/logs",
    "/node?id=green",
    "/port?id=green%23nobody",
    "/port?id=green%23nobody&tap=1",
    "/family?id=menu",
    "/trace?id=00000000000000000000000000000001",
];

/// The page, after it contains the text.
async fn until(watched: &Watched, path: &str, text: &str) -> String {
    soon(async {
        loop {
            let page = get(watched.at, path).await;
            if page.body.contains(text) {
                return page.body;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

#[tokio::test]
async fn every_page_is_safe_and_says_where_it_is() {
    let watched = Watched::start().await;
    let _entry = watched.green.db_set("menu", "soup", "hot").expect("a name");
    for path in PAGES {
        let page = get(watched.at, path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert!(page.body.contains("<html lang=\"en\">"), "{path}");
        assert!(page.body.contains("<main id=\"main\""), "{path}");
        for (at, _) in page.body.match_indices("<script") {
            let tag = &page.body[at..];
            assert!(
                tag.starts_with("<script defer src=\"/assets/"),
                "{path}: {tag}"
            );
        }
        for inline in [" style=", " onclick=", " onload=", "javascript:", "<style"] {
            assert!(!page.body.contains(inline), "{path} has {inline}");
        }
    }
    watched.stop().await;
}

#[tokio::test]
async fn a_page_and_its_assets_are_light() {
    let watched = Watched::start().await;
    let page = get(watched.at, "/").await.body;
    let mut bytes = page.len();
    for start in ["href=\"/assets/", "src=\"/assets/"] {
        for (at, _) in page.match_indices(start) {
            let name = page[at + start.len()..].split('"').next().expect("a name");
            let file = get(watched.at, &format!("/assets/{name}")).await;
            assert_eq!(file.status, 200, "{name}");
            bytes += file.body.len();
        }
    }
    println!("the first page with everything: {bytes} bytes");
    assert!(bytes < 250_000, "{bytes}");
    watched.stop().await;
}

#[tokio::test]
async fn missing_pages_and_nodes_are_explained() {
    let watched = Watched::start().await;
    let at = watched.at;
    for (path, status, text) in [
        ("/nowhere", 404, "There is no such page."),
        ("/node", 404, "There is no such page."),
        ("/assets/../secret", 404, "There is no such"),
        ("/api/nothing", 404, "There is no such document"),
        (
            "/api/nodes?node=blue",
            404,
            "There is no such document, node, family, trace or port.",
        ),
        ("/ports?from=-1", 400, "The address is not understood"),
        ("/ports?sort=99&from=4000000000", 200, "The longest queues"),
        ("/node?id=blue", 200, "There is no node <code>blue</code>"),
        ("/node?id=%23%00%0a", 200, "There is no node"),
        (
            "/port?id=blue%23a",
            200,
            "There is no node <code>blue</code>",
        ),
        ("/port?id=", 200, "There is no node"),
        ("/port?id=green%23a", 200, "There is no such port now."),
    ] {
        let answer = get(at, path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains(text), "{path}: {}", answer.body);
    }
    watched.stop().await;
}

#[tokio::test]
async fn a_node_that_vanishes_is_said_to() {
    let watched = Watched::start().await;
    let blue = watched.add("blue").await;
    let path = "/node?id=blue";
    until(&watched, path, "<h1>Node blue</h1>").await;
    until(&watched, path, "aemp-rs-").await;
    let mut page = Events::open(watched.at, "/live/node?id=blue")
        .await
        .expect("a page");
    page.until("aemp-rs-").await;
    blue.stop().await;
    page.until("The node gives no answer").await;
    until(&watched, "/", "blue is lost").await;
    page.until("There is no node").await;
    watched.stop().await;
}

#[tokio::test]
async fn names_are_text() {
    let watched = Watched::start().await;
    let id = "<img/src=x/onerror=alert(1)>";
    let odd = watched.add(id).await;
    let key = "<script>alert(2)</script>";
    let _entry = odd
        .db_set("odd", key, "</td><script>alert(3)</script>")
        .expect("a name");
    for (path, text) in [
        ("/", "&lt;img/src=x/onerror=alert(1)&gt;"),
        ("/connections", "&lt;img/src=x"),
        ("/family?id=odd", "&lt;script&gt;alert(2)"),
        ("/node?id=%3Cimg/src=x/onerror=alert(1)%3E", "aemp-rs-"),
        ("/family?id=odd", "&lt;script&gt;alert(3)"),
        (
            "/logs?q=%22%3E%3Cscript%3E",
            "value=\"&quot;&gt;&lt;script&gt;\"",
        ),
    ] {
        let page = until(&watched, path, text).await;
        for raw in ["<img", "<script>", "<b>"] {
            assert!(!page.contains(raw), "{path} has {raw}: {page}");
        }
    }
    odd.stop().await;
    watched.stop().await;
}

/// The documents are those that the nodes give.
#[tokio::test]
async fn documents_agree_with_the_nodes() {
    let watched = Watched::start().await;
    let green = &watched.green;
    let shops: Vec<_> = (0..3).map(|_| green.port(Shop)).collect();
    let supervisor =
        Supervisor::builder().child("shop", Restart::Permanent, |node: &Node| node.port(Shop));
    let supervisor = supervisor.start(green);
    soon(supervisor.ready()).await.expect("it is ready");
    let _entry = green.db_set("menu", "soup", "hot").expect("a name");
    until(&watched, "/api/ports?node=green", "\"total\":5").await;
    let document = get(watched.at, "/api/ports?node=green").await.json();
    let ports = green
        .inspect("green")
        .at_most(200)
        .ports()
        .await
        .expect("its own");
    assert_eq!(document["green"], json!(ports));
    let listed = |id: &str| ports.ports.iter().any(|port| port.id == id);
    assert!(shops.iter().all(|shop| listed(shop.id().as_str())));
    let document = get(watched.at, "/api/nodes").await.json();
    assert_eq!(document[0]["id"], "green");
    assert_eq!(document[0]["ports"], 5);
    let document = get(watched.at, "/api/network").await.json();
    assert_eq!(document["nodes"][0]["node"], "green");
    until(&watched, "/api/database?family=menu", "hot").await;
    let document = get(watched.at, "/api/database?family=menu").await.json();
    assert_eq!(document, json!({ "soup": "\"hot\"" }));
    until(&watched, "/api/supervision", "shop").await;
    let document = get(watched.at, "/api/supervision").await.json();
    assert_eq!(document["green"][0]["children"][0]["name"], "shop");
    let path = format!("/port?id={}", supervisor.id().as_str().replace('#', "%23"));
    until(&watched, &path, "Supervisor").await;
    watched.stop().await;
}

#[tokio::test]
async fn there_are_so_many_live_pages_and_no_more() {
    let watched = Watched::start().await;
    let mut pages = Vec::new();
    for _ in 0..64 {
        pages.push(
            Events::open(watched.at, "/live/network")
                .await
                .expect("a page"),
        );
    }
    let refused = Events::open(watched.at, "/live/network").await;
    let refused = refused.err().expect("it is one too many");
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    pages.pop();
    let again = async { while Events::open(watched.at, "/live/ports").await.is_err() {} };
    soon(again).await;
    watched.stop().await;
}
