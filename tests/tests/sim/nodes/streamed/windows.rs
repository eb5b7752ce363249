//! Windows of streams between distant nodes: their growth, and the items that wait when the consumer stops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{
    Cx, Node, port,
    sim::{Conditions, Sim},
    streamed::Streamed,
};
use tokio::sync::watch;

use super::{MS, SECOND, member};

/// Two nodes with a round trip of 20 ms, and the figures of a stream of octets between them.
struct Far {
    sim: Sim,
    a: Node,
    b: Node,
    sent: Arc<AtomicUsize>,
    taken: Arc<AtomicUsize>,
    may_take: watch::Sender<usize>,
}

impl Far {
    /// Items of so many octets go from `b` to `a`, with a pause of the sender before each.
    fn begin(octets: usize, pause: Duration, window: Option<usize>) -> Self {
        let mut sim = Sim::new(5);
        let [a, b] = ["a", "b"].map(|id| sim.start(member(id)).unwrap());
        sim.block_on(async { tokio::join!(a.until_up("b"), b.until_up("a")) });
        let far = Conditions {
            latency: 10 * MS..=10 * MS,
            ..Conditions::default()
        };
        sim.set_conditions(far);
        let sent = Arc::<AtomicUsize>::default();
        let source = b.port(Source {
            octets,
            pause,
            sent: Arc::clone(&sent),
        });
        let taken = Arc::<AtomicUsize>::default();
        let (may_take, gate) = watch::channel(usize::MAX);
        let source: SourceRef = a.handle(&source.id());
        let count = Arc::clone(&taken);
        let take = take_while_allowed(source, window, count, gate);
        sim.block_on(async { drop(tokio::spawn(take)) });
        Self {
            sim,
            a,
            b,
            sent,
            taken,
            may_take,
        }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// The number of items that were taken in a second.
    fn rate(&mut self) -> usize {
        let before = self.taken();
        self.sim.run_for(SECOND);
        self.taken() - before
    }

    /// The items that wait when the consumer has stopped.
    fn waiting(mut self) -> usize {
        self.may_take.send_replace(0);
        self.sim.run_for(5 * SECOND);
        let _ = (&self.a, &self.b);
        self.sent.load(Ordering::Relaxed) - self.taken()
    }
}

struct Source {
    octets: usize,
    pause: Duration,
    sent: Arc<AtomicUsize>,
}

#[port]
impl Source {
    #[rcv]
    fn items(&self, cx: &Cx<'_>) -> Streamed<String> {
        let (mut sink, items) = cx.node().streamed();
        let (item, pause, sent) = ("x".repeat(self.octets), self.pause, Arc::clone(&self.sent));
        cx.spawn(async move {
            loop {
                if pause > Duration::ZERO {
                    tokio::time::sleep(pause).await;
                }
                if sink.send(item.clone()).await.is_err() {
                    return;
                }
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        items
    }
}

async fn take_while_allowed(
    source: SourceRef,
    window: Option<usize>,
    taken: Arc<AtomicUsize>,
    mut gate: watch::Receiver<usize>,
) {
    let mut items = source.items().await.unwrap();
    if let Some(window) = window {
        items = items.window(window);
    }
    while let Some(Ok(_)) = items.next().await {
        taken.fetch_add(1, Ordering::Relaxed);
        let _ = gate.wait_for(|may_take| *may_take > 0).await;
    }
}

/// With a window of 64, 64 items come in each round trip of 20 ms.
#[test]
fn a_window_that_was_not_set_grows_while_it_is_the_limit() {
    let mut fixed = Far::begin(4, Duration::ZERO, Some(64));
    fixed.rate();
    let rate = fixed.rate();
    assert!((2500..3300).contains(&rate), "{rate}");
    assert!(fixed.waiting() <= 2 * 64 + 2);
    let mut grown = Far::begin(4, Duration::ZERO, None);
    grown.rate();
    let rate = grown.rate();
    assert!((9000..26_000).contains(&rate), "{rate}");
    let waiting = grown.waiting();
    assert!((200..=512 + 64 + 2).contains(&waiting), "{waiting}");
}

#[test]
fn a_window_of_large_items_does_not_grow() {
    let mut far = Far::begin(2000, Duration::ZERO, None);
    far.rate();
    assert!(far.rate() < 3300);
    assert!(far.waiting() <= 2 * 64 + 2);
}

/// The sender is the limit: items that come by and by are no reason to let more of them wait.
#[test]
fn the_window_of_a_slow_sender_does_not_grow() {
    let mut far = Far::begin(4, MS, None);
    for _ in 0..10 {
        far.rate();
    }
    assert!(far.rate() > 300);
    assert!(far.waiting() <= 2 * 64 + 2);
}
