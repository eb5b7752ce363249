//! Rates, times, failures, waits and changes of the database, from nodes to pages and documents.

use std::time::Duration;

use aemp::{Cx, Node, port};
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    http::{get, soon},
    watched::Watched,
};

struct Till {
    other: Option<TillRef>,
}

#[port]
impl Till {
    #[rcv]
    async fn pay(&self, millis: u64) -> u64 {
        sleep(Duration::from_millis(millis)).await;
        millis
    }

    #[rcv]
    fn meet(&mut self, other: TillRef) {
        self.other = Some(other);
    }

    #[rcv]
    async fn change(&self) -> bool {
        match &self.other {
            Some(other) => other.change().await.is_ok(),
            None => true,
        }
    }

    #[rcv]
    fn break_down(&self, cx: &mut Cx<'_>) {
        cx.kill(vec!["die".into(), "out of paper".into()]);
    }
}

fn till(node: &Node) -> TillRef {
    node.port(Till { other: None })
}

/// The document, when it has the expected contents.
async fn until<T>(watched: &Watched, path: &str, find: impl Fn(&Value) -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(found) = find(&get(watched.at, path).await.json()) {
                return found;
            }
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await
}

/// The document of a handler.
fn handler(handlers: &Value, name: &str) -> Option<Value> {
    let mut handlers = handlers.as_array()?.iter();
    handlers.find(|of| of["handler"] == name).cloned()
}

#[tokio::test]
async fn rates_times_deaths_and_failing_calls_are_shown() {
    let watched = Watched::start().await;
    let blue = watched.add("blue").await;
    let (broken, here) = (till(&blue), till(&blue));
    broken.break_down();
    let there: TillRef = watched.green.handle(&here.id());
    // A viewer must look, or nothing is counted in a program without the feature `metrics`.
    until(&watched, "/api/counts", |counts| {
        counts["blue"]["counting"].as_bool()
    })
    .await;
    let paying = tokio::spawn(async move {
        loop {
            there.pay(20).await.expect("it is paid");
            let late = there.pay(30).timeout(Duration::from_millis(5)).await;
            assert!(late.is_err());
        }
    });
    let pay = until(&watched, "/api/handlers", |handlers| {
        let pay = handler(handlers, "pay")?;
        let is_known = pay["p50"].is_f64() && pay["calls"]["p99"].is_f64();
        (is_known && pay["rate"].as_f64()? > 1.0).then_some(pay)
    })
    .await;
    let calls = &pay["calls"];
    assert!(
        pay["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("::Till"))
    );
    assert!(
        pay["p50"].as_f64() > Some(0.008) && pay["p99"].as_f64() < Some(0.6),
        "{pay}"
    );
    assert!(calls["ended"]["answered"].as_u64() >= Some(1), "{pay}");
    assert!(calls["ended"]["timeout"].as_u64() >= Some(1), "{pay}");
    assert!(calls["failing"].as_f64() > Some(0.0), "{pay}");
    let types = get(watched.at, "/api/types?node=blue").await.json();
    let mut types = types.as_array().expect("a list").iter();
    let of = types
        .find(|of| of["type"] == pay["type"])
        .expect("it is there");
    assert_eq!((&of["ports"], &of["died"]["die"]), (&1.into(), &1.into()));
    for (path, texts) in [
        ("/ports", &["::Till", "pay", "1 die"][..]),
        ("/calls", &["::Till", "pay", "timeout"]),
        ("/node?id=blue", &["limits reached", "restarts", "1 die"]),
    ] {
        let page = get(watched.at, path).await.body;
        for text in texts {
            assert!(page.contains(text), "{path} lacks {text}: {page}");
        }
    }
    paying.abort();
    blue.stop().await;
    watched.stop().await;
}

#[tokio::test]
async fn a_circle_over_two_nodes_is_marked() {
    let watched = Watched::start().await;
    let blue = watched.add("blue").await;
    let (first, second) = (till(&watched.green), till(&blue));
    first.meet(watched.green.handle(&second.id()));
    second.meet(blue.handle(&first.id()));
    // It waits for the circle, and is no part of it.
    let third = till(&blue);
    third.meet(second.clone());
    for till in [&first, &second, &third] {
        till.change().forget();
    }
    let waits = until(&watched, "/api/waits", |waits| {
        let waits = waits.as_array()?;
        let marked = waits.iter().filter(|wait| !wait["circle"].is_null());
        (waits.len() == 3 && marked.count() == 2).then(|| waits.clone())
    })
    .await;
    let of = |till: &TillRef| {
        let mut of = waits
            .iter()
            .filter(|wait| wait["port"] == till.id().as_str());
        of.next().expect("it waits").clone()
    };
    assert_eq!(of(&first)["circle"], of(&second)["circle"]);
    assert_eq!(
        of(&first)["calls"],
        serde_json::json!([second.id().as_str()])
    );
    assert_eq!(
        (&of(&third)["circle"], &of(&third)["handler"]),
        (&Value::Null, &"change".into())
    );
    let page = get(watched.at, "/ports").await.body;
    assert!(
        page.contains("1 circle of handlers that wait for each other."),
        "{page}"
    );
    second.kill(vec!["die".into(), "a way out".into()]);
    until(&watched, "/api/waits", |waits| {
        waits.as_array()?.is_empty().then_some(())
    })
    .await;
    assert!(!get(watched.at, "/ports").await.body.contains("1 circle of"));
    blue.stop().await;
    watched.stop().await;
}

#[tokio::test]
async fn a_family_has_owners_and_changes() {
    let watched = Watched::start().await;
    let blue = watched.add("blue").await;
    let _soup = watched.green.db_set("menu", "soup", "hot").expect("a name");
    let _rice = blue.db_set("menu", "rice", "cold").expect("a name");
    let path = "/family?id=menu";
    let page = |text: &'static str| {
        let watched = &watched;
        async move {
            soon(async {
                while !get(watched.at, path).await.body.contains(text) {
                    sleep(Duration::from_millis(100)).await;
                }
            })
            .await;
        }
    };
    page("<a href=\"/node?id=green\">green</a>").await;
    page("<a href=\"/node?id=blue\">blue</a>").await;
    page("Nothing since the observer began.").await;
    let _soup = watched
        .green
        .db_set("menu", "soup", "burnt")
        .expect("a name");
    page("changed to <code>&quot;burnt&quot;</code> by green").await;
    blue.db_del("menu", ["rice"]).expect("names");
    page("<code>rice</code> was deleted, set by blue").await;
    blue.stop().await;
    watched.stop().await;
}
