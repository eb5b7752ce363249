//! Sampled traces, from nodes to pages and documents.

use std::time::Duration;

use aemp::{Node, port};
use serde_json::Value;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    http::{get, soon},
    watched::Watched,
};

/// Calls the stock of another node, and tells its book.
struct Till {
    stock: StockRef,
    book: BookRef,
}

#[port]
impl Till {
    #[rcv]
    async fn pay(&mut self, what: String) -> u64 {
        self.book.note(what.clone());
        self.stock.take(what).await.unwrap_or(0)
    }
}

struct Stock;

#[port]
impl Stock {
    #[rcv]
    async fn take(&self, what: String) -> u64 {
        sleep(Duration::from_millis(3)).await;
        what.len() as u64
    }
}

struct Book;

#[port]
impl Book {
    #[rcv]
    fn note(&self, _what: String) {}
}

/// A shop on `green` with its stock on `blue`, and a customer who buys again and again.
pub(crate) struct Shops {
    blue: Node,
    buying: JoinHandle<()>,
}

impl Shops {
    pub(crate) async fn open(watched: &Watched) -> Self {
        let blue = watched.add("blue").await;
        let green = &watched.green;
        let till = green.port(Till {
            stock: green.handle(&blue.port(Stock).id()),
            book: green.handle(&blue.port(Book).id()),
        });
        let buying = tokio::spawn(async move {
            while till.pay("<b>soup</b>".into()).await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        });
        Self { blue, buying }
    }

    /// Waits until there is a whole trace, and returns its ID.
    pub(crate) async fn traced(&self, watched: &Watched) -> String {
        let whole = whole(watched).await;
        whole["trace"].as_str().expect("an ID").into()
    }
}

impl Drop for Shops {
    fn drop(&mut self) {
        self.buying.abort();
    }
}

/// A trace with its three spans.
async fn whole(watched: &Watched) -> Value {
    let find = async {
        loop {
            let document = get(watched.at, "/api/traces").await.json();
            let traces = document["traces"].as_array().cloned().unwrap_or_default();
            let mut whole = traces.into_iter().filter(|trace| {
                let root = trace["spans"][0]["span"]["handler"] == "pay";
                root && trace["spans"]
                    .as_array()
                    .is_some_and(|spans| spans.len() == 3)
            });
            if let Some(whole) = whole.next() {
                return whole;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    soon(find).await
}

#[tokio::test]
async fn a_trace_leads_over_nodes() {
    let watched = Watched::start().await;
    let shops = Shops::open(&watched).await;
    let trace = whole(&watched).await;
    assert_eq!(trace["nodes"], serde_json::json!(["green", "blue"]));
    let of = |handler: &str| {
        let spans = trace["spans"].as_array().expect("spans");
        let found = spans.iter().find(|span| span["span"]["handler"] == handler);
        found.expect("a span").clone()
    };
    let (pay, take, note) = (of("pay"), of("take"), of("note"));
    for (span, node, depth, tie) in [
        (&pay, "green", 0, "root"),
        (&take, "blue", 1, "called"),
        (&note, "blue", 1, "linked"),
    ] {
        assert_eq!(
            (&span["node"], &span["depth"], &span["tie"]),
            (&node.into(), &depth.into(), &tie.into()),
            "{span}"
        );
    }
    assert_eq!(take["span"]["parent"], pay["span"]["span"]);
    let took = |span: &Value| span["span"]["took"].as_f64().expect("a time");
    assert!(took(&take) >= 0.003 && took(&pay) >= took(&take));
    // The pages have the same.
    let id = trace["trace"].as_str().expect("an ID");
    let one = get(watched.at, &format!("/api/traces?trace={id}"))
        .await
        .json();
    assert_eq!(one["spans"], trace["spans"]);
    let page = get(watched.at, &format!("/trace?id={id}")).await.body;
    for text in [
        "Till.pay",
        "Stock.take",
        "Book.note",
        "sent by",
        "class=\"queued\"",
        "class=\"handled linked\"",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let calls = get(watched.at, "/calls").await.body;
    assert!(
        calls.contains(&format!("/trace?id={id}")) && calls.contains("class=\"waterfall\""),
        "{calls}"
    );
    // An unknown trace.
    let unknown = get(watched.at, "/trace?id=%3Cscript%3E").await;
    assert!(
        unknown.body.contains("There is no sampled trace") && !unknown.body.contains("<script>")
    );
    assert_eq!(get(watched.at, "/api/traces?trace=x").await.status, 404);
    shops.blue.stop().await;
    watched.stop().await;
}

/// While no page about calls is open, no node keeps anything.
#[tokio::test]
async fn nodes_are_asked_only_while_somebody_looks() {
    let watched = Watched::start().await;
    let _shops = Shops::open(&watched).await;
    for _ in 0..20 {
        assert_eq!(get(watched.at, "/connections").await.status, 200);
        sleep(Duration::from_millis(100)).await;
    }
    let traces = watched
        .green
        .inspect("green")
        .traces(0)
        .await
        .expect("its own");
    assert_eq!((traces.next, traces.spans.len()), (0, 0));
    watched.stop().await;
}
