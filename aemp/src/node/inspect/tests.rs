//! Counts and waits of a node.

use std::time::Duration;

use tokio::time::sleep;

use super::{Counts, ExecutorInfo, HandlerCounts, PortFate, Times};
use crate::{Cx, Node, Reply, port};

struct Shop {
    next: Option<ShopRef>,
    kept: Vec<Reply<u64>>,
}

#[port(crate = crate)]
impl Shop {
    #[rcv]
    fn sell(&mut self, _price: u64) {}

    #[rcv]
    fn price(&self) -> u64 {
        5
    }

    #[rcv]
    async fn slow(&self) -> u64 {
        sleep(Duration::from_millis(20)).await;
        7
    }

    #[rcv]
    fn keep(&mut self, reply: Reply<u64>) {
        self.kept.push(reply);
    }

    #[rcv]
    async fn next(&self) -> u64 {
        match &self.next {
            Some(next) => next.keep().await.unwrap_or(0),
            None => 0,
        }
    }

    #[rcv]
    async fn next_for(&self, millis: u64) -> u64 {
        let limit = Duration::from_millis(millis);
        match &self.next {
            Some(next) => next.next_for(millis).timeout(limit).await.unwrap_or(0),
            None => 0,
        }
    }

    #[rcv]
    fn join(&mut self, next: ShopRef) {
        self.next = Some(next);
    }

    #[rcv]
    fn fail(&self, cx: &mut Cx<'_>) {
        cx.kill(vec!["die".into(), "bankrupt".into()]);
    }
}

fn shop(node: &Node) -> ShopRef {
    node.port(Shop {
        next: None,
        kept: Vec::new(),
    })
}

async fn counts(node: &Node) -> Counts {
    node.inspect(node.id()).counts().await.unwrap()
}

fn handler(counts: &Counts, name: &str) -> HandlerCounts {
    let shop = counts.types.iter().find(|of| of.kind.ends_with("::Shop"));
    let handlers = shop.into_iter().flat_map(|shop| &shop.handlers);
    let mut named = handlers.filter(|handler| handler.name == name);
    named.next().cloned().unwrap_or_default()
}

fn timed(times: &Times) -> u64 {
    times.classes.iter().sum()
}

#[tokio::test]
async fn handlers_and_calls_are_counted_from_the_first_question_on() {
    let node = Node::local().unwrap();
    let shop = shop(&node);
    assert_eq!(shop.price().await.unwrap(), 5);
    let first = counts(&node).await;
    let always = cfg!(feature = "metrics");
    assert_eq!(first.counting, always);
    let before = handler(&first, "price").handled;
    assert_eq!(before, u64::from(always));
    for price in 0..300 {
        shop.sell(price);
    }
    for _ in 0..3 {
        assert_eq!(shop.slow().await.unwrap(), 7);
    }
    let late = shop.slow().timeout(Duration::from_millis(1)).await;
    assert!(late.is_err());
    assert_eq!(shop.price().await.unwrap(), 5);
    let counts = counts(&node).await;
    assert!(counts.counting && counts.bounds.is_sorted() && counts.bounds.len() == 25);
    let sold = handler(&counts, "sell");
    assert_eq!((sold.handled, sold.calls.ended.len()), (300, 0));
    assert!(timed(&sold.times) > 100, "{sold:?}");
    let price = handler(&counts, "price");
    assert_eq!(price.handled - before, 1);
    assert_eq!(price.calls.ended["answered"] - before, 1);
    let slow = handler(&counts, "slow");
    assert_eq!(slow.handled, 4);
    assert_eq!(slow.calls.ended["answered"], 3);
    assert_eq!(slow.calls.ended["timeout"], 1);
    assert_eq!((slow.calls.remote, timed(&slow.calls.times)), (0, 4));
    assert!(slow.calls.times.sum >= 0.06, "{slow:?}");
    // It ends when its time is over, and not with its caller.
    assert!(
        timed(&slow.times) >= 3 && slow.times.sum >= 0.06,
        "{slow:?}"
    );
}

/// They are of interest afterwards.
#[tokio::test]
async fn deaths_are_counted_before_the_first_question() {
    let node = Node::local().unwrap();
    let (first, second) = (shop(&node), shop(&node));
    first.fail();
    second.kill(crate::Reason::normal());
    let over = async {
        while node.inspect(node.id()).node().await.unwrap().ports > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), over)
        .await
        .unwrap();
    let counts = counts(&node).await;
    let shop = counts.types.iter().find(|of| of.kind.ends_with("::Shop"));
    let died = &shop.unwrap().died;
    assert_eq!((died.len(), died["die"], died["normal"]), (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn counting_ends_without_questions() {
    let node = Node::local().unwrap();
    let shop = shop(&node);
    counts(&node).await;
    assert!(node.scheduler().is_counting());
    sleep(Duration::from_secs(10)).await;
    counts(&node).await;
    sleep(Duration::from_secs(10)).await;
    assert!(node.scheduler().is_counting());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(node.scheduler().is_counting(), cfg!(feature = "metrics"));
    shop.price().await.unwrap();
    let again = counts(&node).await;
    assert_eq!(again.counting, cfg!(feature = "metrics"));
}

#[tokio::test]
async fn waits_name_the_called_ports() {
    let node = Node::local().unwrap();
    let [a, b, c] = [(); 3].map(|()| shop(&node));
    a.join(b.clone());
    b.join(c.clone());
    c.join(b.clone());
    a.next().forget();
    // A circle that ends by its limit.
    b.next_for(60_000).forget();
    // This one waits for something else.
    let idle = shop(&node);
    idle.slow().forget();
    let inspect = node.inspect(node.id());
    let waits = async {
        loop {
            let waits = inspect.waits().await.unwrap();
            if waits.waits.len() == 3 {
                return waits;
            }
            tokio::task::yield_now().await;
        }
    };
    let waits = tokio::time::timeout(Duration::from_secs(20), waits)
        .await
        .unwrap();
    let of = |port: &ShopRef| {
        let mut of = waits
            .waits
            .iter()
            .filter(|wait| wait.port == port.id().as_str());
        of.next().cloned().unwrap()
    };
    assert_eq!(
        (of(&a).calls, &*of(&a).handler),
        (vec![b.id().to_string()], "next")
    );
    assert_eq!(
        (of(&b).calls, &*of(&b).handler),
        (vec![c.id().to_string()], "next_for")
    );
    assert_eq!(of(&c).calls, [b.id().to_string()]);
    // The same runs are seen again, also when they are asked again.
    sleep(Duration::from_millis(500)).await;
    let again = inspect.waits().await.unwrap();
    assert_eq!(again.waits, waits.waits);
    assert!(
        inspect
            .clone()
            .at_most(0)
            .waits()
            .await
            .unwrap()
            .waits
            .is_empty()
    );
}

#[tokio::test]
async fn a_port_that_has_died_is_remembered_with_its_reason() {
    let node = Node::local().unwrap();
    let inspect = node.inspect(node.id());
    let (first, second, third) = (shop(&node), shop(&node), shop(&node));
    let [failed, ended, alive] = [&first, &second, &third].map(|port| port.id());
    first.fail();
    second.kill(crate::Reason::normal());
    let over = async {
        while inspect.node().await.unwrap().ports > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), over)
        .await
        .unwrap();
    let fate = inspect.port(alive.name()).await.unwrap();
    let alive = fate.alive.unwrap();
    assert!(fate.died.is_none() && alive.kind.ends_with("::Shop"));
    let fate = inspect.port(failed.name()).await.unwrap();
    let died = fate.died.unwrap();
    assert_eq!(died.reason.to_string(), "die bankrupt");
    assert_eq!((&*died.port, &*died.kind), (failed.as_str(), &*alive.kind));
    assert!(fate.alive.is_none() && (0.0..20.0).contains(&died.ago));
    // A normal end explains nothing, and other names were never there.
    for name in [ended.name(), "", "other"] {
        assert_eq!(inspect.port(name).await.unwrap(), PortFate::default());
    }
    let deaths = inspect.deaths().await.unwrap();
    assert_eq!((deaths.total, deaths.deaths.len()), (1, 1));
    assert_eq!(deaths.deaths[0].port, failed.as_str());
}

#[tokio::test]
async fn a_large_reason_is_not_kept() {
    let node = Node::local().unwrap();
    let inspect = node.inspect(node.id());
    let large = vec![crate::Value::from("die"), "x".repeat(100_000).into()];
    for reason in [large, vec![vec![crate::Value::Null; 10_000].into()]] {
        let port = node.empty_port();
        let (id, last) = (port.id(), reason[0].clone());
        port.kill(reason);
        tokio::task::yield_now().await;
        let died = inspect.port(id.name()).await.unwrap().died.unwrap();
        let size: usize = died.reason.iter().map(aemp_proto::weight).sum();
        assert!((20..1000).contains(&size), "{size}");
        let kept = died.reason.kind() == "die";
        assert_eq!(kept, last.as_str() == Some("die"));
    }
}

/// Keeps a worker until the other end of its channel is gone.
struct Mill(std::sync::mpsc::Receiver<()>);

#[port(crate = crate)]
impl Mill {
    #[rcv]
    fn grind(&self) {
        let _ = self.0.recv();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_keeps_a_worker_is_listed() {
    let node = Node::local().unwrap();
    let (stop, until) = std::sync::mpsc::channel();
    let mill = node.port(Mill(until));
    mill.grind();
    let executor = |of: fn(&ExecutorInfo) -> bool| {
        let node = &node;
        async move {
            let found = async {
                loop {
                    let executor = counts(node).await.executor.unwrap();
                    if of(&executor) {
                        return executor;
                    }
                    sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), found)
                .await
                .unwrap()
        }
    };
    let busy = executor(|executor| !executor.running.is_empty()).await;
    assert_eq!((busy.workers, busy.busy, busy.blocking), (2, 1, 0));
    let running = &busy.running[0];
    let expected = (mill.id().to_string(), "grind".to_owned(), false);
    assert_eq!(
        (
            running.port.clone(),
            running.handler.clone(),
            running.blocking
        ),
        expected
    );
    assert!(running.kind.ends_with("::Mill") && running.time > 0.0);
    drop(stop);
    let idle = executor(|executor| executor.busy == 0).await;
    assert_eq!(idle.running, []);
}
