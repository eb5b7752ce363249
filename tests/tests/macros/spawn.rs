//! Init functions.

use std::time::Duration;

use aemp::{Args, Cx, Node, port, snd, spawnable};

use crate::{death, last_words, node};

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn inc(&mut self, by: i64) {
        self.n += by;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    #[rcv]
    fn child(&self, cx: &mut Cx<'_>) -> CounterRef {
        start::on(cx, cx.node().id(), self.n)
    }
}

/// Starts a counter.
#[spawnable(name = "My::Counter::start")]
fn start(cx: &mut Cx<'_>, n: i64) -> Counter {
    assert!(cx.node().port_is_local(&cx.id()));
    Counter { n }
}

#[spawnable]
fn checked(n: i64, label: Option<String>) -> Result<Counter, String> {
    match label {
        Some(label) => Err(format!("{label}: {n} will not do")),
        None => Ok(Counter { n }),
    }
}

#[spawnable]
async fn slow(ms: u64) -> Counter {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Counter { n: ms as i64 }
}

#[spawnable]
async fn slow_with_cx(cx: &mut Cx<'_>) -> Result<Counter, String> {
    tokio::task::yield_now().await;
    Err(format!("not on {:?}", cx.node().id().as_str()))
}

#[spawnable]
fn untyped(cx: &mut Cx<'_>, #[rest] rest: Args) {
    let expected = rest.len();
    cx.rcv("check", move |cx, args| {
        if args.len() == expected {
            cx.kill("as expected");
        }
    });
}

#[spawnable]
fn r#loop() -> Counter {
    Counter { n: 0 }
}

#[tokio::test]
async fn spawned_here_by_name() {
    let node = node();
    let counter: CounterRef = start::on(&node, node.id(), 5);
    counter.inc(2);
    assert_eq!(counter.get().await.unwrap(), 7);
    let child = counter.child().await.unwrap();
    assert_eq!(child.get().await.unwrap(), 7);
    assert_eq!(r#loop::on(&node, node.id()).get().await.unwrap(), 0);
    let by_hand: CounterRef =
        node.handle(&node.spawn(node.id().as_str(), start::NAME, aemp::args!["3"]));
    assert_eq!(by_hand.get().await.unwrap(), 3);
}

#[tokio::test]
async fn init_functions_may_fail_and_wait() {
    let node = node();
    assert_eq!(checked::on(&node, "", 1, None).get().await.unwrap(), 1);
    let failed = checked::on(&node, "", 1, Some("today".into()));
    assert_eq!(last_words(&failed).await, "today: 1 will not do");
    assert_eq!(slow::on(&node, "", 2).get().await.unwrap(), 2);
    assert_eq!(
        last_words(&slow_with_cx::on(&node, "")).await,
        "not on \"\""
    );
}

#[tokio::test]
async fn untyped_ports_set_their_handlers() {
    let node: Node = node();
    let port = untyped::on(&node, "", aemp::args![1, 2]);
    snd!(node, port, "check", "a", "b");
    assert_eq!(death(&port).await.to_string(), "as expected");
}

#[tokio::test]
async fn the_registry_knows_them() {
    let list = node().init_functions();
    let find = |name: &str| {
        list.iter()
            .find(|init| init.name == name)
            .unwrap_or_else(|| panic!("{name}"))
    };
    let module = module_path!();
    assert_eq!(start::NAME, "My::Counter::start");
    assert_eq!(
        find(start::NAME).signature,
        "fn start(cx: &mut Cx<'_>, n: i64) -> Counter"
    );
    assert_eq!(
        find(&format!("{module}::checked")).signature,
        "fn checked(n: i64, label: Option<String>) -> Result<Counter, String>"
    );
    assert_eq!(
        find(&format!("{module}::slow")).signature,
        "async fn slow(ms: u64) -> Counter"
    );
    assert_eq!(
        find(&format!("{module}::untyped")).signature,
        "fn untyped(cx: &mut Cx<'_>, rest: Args)"
    );
    let position = &find(&format!("{module}::loop")).position;
    assert!(position.contains("spawn.rs:"), "{position}");
}
