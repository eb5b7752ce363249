//! Handlers that run beside their port.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use aemp::{CallError, Cx, Node, Origin, PortId, Reason, Reply, SendError, WeakHandle, msg, port};
use tokio::{sync::Semaphore, time::timeout};

use crate::{Journal, death_by, node, on_both, settle, until, within};

const SECOND: Duration = Duration::from_secs(1);

/// A gate that handlers wait at, and the number of those that are in it.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<Open>,
    inside: Arc<AtomicUsize>,
}

struct Open(Semaphore);

impl Default for Open {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

/// Counts a handler for as long as its future lives.
struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gate {
    async fn pass(&self) {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let _inside = Inside(self.inside.clone());
        self.open.0.acquire().await.unwrap().forget();
    }

    fn open(&self, times: usize) {
        self.open.0.add_permits(times);
    }

    fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Default)]
struct Crawler {
    gate: Gate,
    base: i64,
    most: usize,
    journal: Journal,
}

#[port]
impl Crawler {
    #[rcv(concurrent = 3)]
    async fn fetch(&self, n: i64) -> i64 {
        self.gate.pass().await;
        self.base + n
    }

    #[rcv(concurrent = self.most)]
    async fn note(&self, cx: &mut Cx<'_>, n: i64) {
        self.gate.pass().await;
        self.journal.note(n);
        let me: CrawlerRef = cx.me().unwrap();
        me.noted(n);
    }

    #[rcv]
    fn noted(&mut self, n: i64) {
        self.base += n;
    }

    #[rcv]
    fn set(&mut self, base: i64) {
        self.base = base;
    }

    #[rcv]
    fn base(&self) -> i64 {
        self.base
    }

    /// Without a state.
    #[rcv(concurrent = 2)]
    async fn double(n: i64) -> i64 {
        tokio::task::yield_now().await;
        n * 2
    }

    #[rcv(concurrent = 8)]
    async fn defer(&self, n: i64, reply: Reply<i64>) {
        self.gate.pass().await;
        reply.send(n);
    }

    #[rcv(concurrent = 8, try)]
    async fn fail(&self, text: String) -> Result<i64, String> {
        self.gate.pass().await;
        Err(text)
    }

    #[rcv(concurrent = 8)]
    async fn panic(&self) -> i64 {
        self.gate.pass().await;
        panic!("oops")
    }

    #[rcv(concurrent = 8)]
    async fn end(&self, cx: &mut Cx<'_>) -> i64 {
        cx.kill("enough");
        1
    }

    /// True if a request to a node, sent and called, is refused.
    #[rcv(concurrent = 8)]
    async fn request(&self, cx: &mut Cx<'_>, wait: bool) -> bool {
        if wait {
            self.gate.pass().await;
        }
        let node = PortId::from(cx.node().id().clone());
        let sent = cx.node().snd(&node, msg!["devnull"]).check();
        let called = cx.node().cal(&node, msg!["devnull"]).await;
        matches!(sent, Err(SendError::NodePort(_)))
            && matches!(called, Err(CallError::Send(SendError::NodePort(_))))
    }

    /// Kills its port by a handle, and goes on.
    #[rcv(concurrent = 8)]
    async fn end_by_handle(&self, cx: &mut Cx<'_>) -> i64 {
        let me: CrawlerRef = cx.me().unwrap();
        me.kill("enough");
        tokio::task::yield_now().await;
        2
    }

    #[rcv(concurrent = 8)]
    async fn ask_yourself(&self, cx: &mut Cx<'_>) -> Result<i64, bool> {
        self.gate.pass().await;
        let me: CrawlerRef = cx.me().unwrap();
        me.base()
            .await
            .map_err(|error| matches!(error, CallError::Died(_)))
    }

    #[rcv(concurrent = 8)]
    async fn whence(&self, origin: Origin) -> bool {
        matches!(origin, Origin::Local)
    }
}

fn crawler(node: &Node) -> (CrawlerRef, Gate, Journal) {
    let state = Crawler {
        most: 2,
        ..Crawler::default()
    };
    let (gate, journal) = (state.gate.clone(), state.journal.clone());
    (node.port(state), gate, journal)
}

#[test]
fn so_many_run_at_once_and_the_port_goes_on() {
    on_both(|| async {
        let (crawler, gate, _) = crawler(&node());
        let calls: Vec<_> = (0..5).map(|n| tokio::spawn(crawler.fetch(n))).collect();
        // Two wait for a place, and count as queued.
        until(|| gate.inside() == 3 && crawler.queue_len() == Some(2)).await;
        // The port handles messages that change its state meanwhile, and other handlers have places of their own.
        crawler.set(100);
        assert_eq!(within(crawler.base()).await.unwrap(), 100);
        assert_eq!(within(crawler.double(4)).await.unwrap(), 8);
        assert!(within(crawler.whence()).await.unwrap());
        assert_eq!((gate.inside(), crawler.queue_len()), (3, Some(2)));
        gate.open(1);
        until(|| gate.inside() == 3 && crawler.queue_len() == Some(1)).await;
        gate.open(4);
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(within(call).await.unwrap().unwrap(), n as i64);
        }
        until(|| gate.inside() == 0).await;
    });
}

#[test]
fn a_handler_sees_the_state_at_its_place_in_the_queue() {
    on_both(|| async {
        let (crawler, gate, _) = crawler(&node());
        let mut answers = Vec::new();
        for base in [10, 20, 30, 40] {
            crawler.set(base);
            let mut call = Box::pin(crawler.fetch(1));
            // Sent at the first poll.
            assert!(timeout(Duration::ZERO, &mut call).await.is_err());
            answers.push((base + 1, call));
        }
        crawler.set(0);
        gate.open(4);
        for (expected, call) in answers {
            assert_eq!(within(call).await.unwrap(), expected);
        }
    });
}

#[test]
fn the_limit_may_depend_on_the_state() {
    on_both(|| async {
        let (crawler, gate, journal) = crawler(&node());
        for n in 1..=4 {
            crawler.note(n);
        }
        until(|| gate.inside() == 2).await;
        settle(&crawler).await;
        assert_eq!((gate.inside(), crawler.queue_len()), (2, Some(2)));
        gate.open(4);
        within(async {
            while crawler.base().await.unwrap() != 10 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(journal.take().len(), 4);
    });
}

#[test]
fn they_are_dropped_with_the_port() {
    on_both(|| async {
        let (crawler, gate, _) = crawler(&node());
        let running = tokio::spawn(crawler.fetch(1));
        until(|| gate.inside() == 1).await;
        let deferred = tokio::spawn(crawler.defer(1));
        until(|| gate.inside() == 2).await;
        let more: Vec<_> = (0..4).map(|n| tokio::spawn(crawler.fetch(n))).collect();
        until(|| gate.inside() == 4 && crawler.queue_len() == Some(2)).await;
        crawler.kill("enough");
        assert_eq!(within(crawler.closed()).await.to_string(), "enough");
        // Dropped before the monitors have fired, and not some time later.
        assert_eq!(gate.inside(), 0);
        for call in more.into_iter().chain([running, deferred]) {
            match within(call).await.unwrap() {
                Err(CallError::Died(reason)) => assert_eq!(reason.to_string(), "enough"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(Arc::strong_count(&gate.inside), 1, "the copies are gone");
    });
}

#[test]
fn a_stop_waits_for_all_of_them() {
    on_both(|| async {
        let (crawler, gate, _) = crawler(&node());
        let calls: Vec<_> = (0..5).map(|n| tokio::spawn(crawler.fetch(n))).collect();
        until(|| gate.inside() == 3 && crawler.queue_len() == Some(2)).await;
        crawler.stop();
        let mut closed = crawler.closed();
        // Calls behind the stop fail at once: with its reason, or as calls of a port that is gone.
        let late = within(crawler.base()).await;
        assert!(matches!(late, Err(CallError::Died(_))), "{late:?}");
        assert!(timeout(Duration::ZERO, &mut closed).await.is_err());
        assert_eq!(gate.inside(), 3);
        gate.open(5);
        assert!(within(closed).await.is_normal());
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(within(call).await.unwrap().unwrap(), n as i64);
        }
    });
}

#[test]
fn a_stopped_port_stays_closed() {
    on_both(|| async {
        let ends: [fn(&CrawlerRef); 3] = [
            |crawler| crawler.stop(),
            |crawler| crawler.stop_within(SECOND * 60),
            |crawler| crawler.node().stop_port(&crawler.id()),
        ];
        for end in ends {
            let (crawler, gate, _) = crawler(&node());
            let weak = WeakHandle::new(&crawler);
            let call = tokio::spawn(crawler.fetch(1));
            until(|| gate.inside() == 1).await;
            crawler.stop();
            // It waits for its handler.
            until(|| weak.upgrade::<CrawlerRef>().is_none()).await;
            end(&crawler);
            assert_eq!(weak.upgrade::<CrawlerRef>(), None);
            let late = within(crawler.base()).await;
            assert!(matches!(late, Err(CallError::Died(_))), "{late:?}");
            gate.open(1);
            assert_eq!(within(call).await.unwrap().unwrap(), 1);
            assert!(within(crawler.closed()).await.is_normal());
        }
    });
}

#[test]
fn one_that_calls_its_port_does_not_keep_it_from_stopping() {
    on_both(|| async {
        let (crawler, gate, _) = crawler(&node());
        gate.open(1);
        assert_eq!(within(crawler.ask_yourself()).await.unwrap(), Ok(0));
        let call = tokio::spawn(crawler.ask_yourself());
        until(|| gate.inside() == 1).await;
        crawler.stop();
        assert!(within(crawler.base()).await.is_err());
        gate.open(1);
        assert_eq!(within(call).await.unwrap().unwrap(), Err(true));
        assert!(within(crawler.closed()).await.is_normal());
    });
}

#[tokio::test(start_paused = true)]
async fn a_stop_within_a_time_ends_them() {
    let node = Node::local().unwrap();
    let (crawler, gate, _) = crawler(&node);
    let call = tokio::spawn(crawler.fetch(1));
    until(|| gate.inside() == 1).await;
    crawler.stop_within(SECOND);
    let reason = crawler.closed().await;
    assert_eq!(reason.to_string(), "killed it did not stop within 1s");
    assert_eq!(gate.inside(), 0);
    assert!(matches!(call.await.unwrap(), Err(CallError::Died(_))));
}

#[test]
fn a_kill_ends_a_stop_that_waits() {
    on_both(|| async {
        let (crawler, gate, _) = crawler(&node());
        let call = tokio::spawn(crawler.fetch(1));
        until(|| gate.inside() == 1).await;
        crawler.stop();
        crawler.kill("enough");
        assert_eq!(within(crawler.closed()).await.to_string(), "enough");
        assert_eq!(gate.inside(), 0);
        assert!(matches!(
            within(call).await.unwrap(),
            Err(CallError::Died(_))
        ));
    });
}

#[test]
fn a_kill_with_a_normal_reason_does_not_wait() {
    on_both(|| async {
        let (crawler, gate, _) = crawler(&node());
        let call = tokio::spawn(crawler.fetch(1));
        until(|| gate.inside() == 1).await;
        crawler.kill(());
        assert!(within(crawler.closed()).await.is_normal());
        assert_eq!(gate.inside(), 0);
        assert!(matches!(
            within(call).await.unwrap(),
            Err(CallError::Died(_))
        ));
    });
}

#[test]
fn a_failure_is_the_death_of_the_port() {
    on_both(|| async {
        let (first, gate, _) = crawler(&node());
        gate.open(1);
        let answer = within(first.fail("no".into())).await;
        assert!(matches!(answer, Err(CallError::Died(reason)) if reason == Reason::die("no")));
        let (second, gate, _) = crawler(&node());
        gate.open(1);
        let answer = within(second.panic()).await;
        assert!(matches!(answer, Err(CallError::Died(reason)) if reason == Reason::die("oops")));
        // It answers, and then the port ends.
        let (third, ..) = crawler(&node());
        assert_eq!(within(third.end()).await.unwrap(), 1);
        assert_eq!(within(third.closed()).await.to_string(), "enough");
    });
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_for_a_place_at_most() {
    let node = Node::builder().max_port_queue(10).start_local().unwrap();
    let (crawler, gate, _) = crawler(&node);
    for n in 0..12 {
        crawler.note(n);
    }
    settle(&crawler).await;
    assert_eq!((gate.inside(), crawler.queue_len()), (2, Some(10)));
    // Those with a place of another handler are not concerned.
    assert_eq!(within(crawler.double(4)).await.unwrap(), 8);
    crawler.note(12);
    let reason = within(crawler.closed()).await.to_string();
    assert!(
        reason.starts_with("die max_port_queue (10) reached"),
        "{reason}"
    );
    assert_eq!(gate.inside(), 0);
}

#[test]
fn one_cannot_send_requests_to_nodes() {
    on_both(|| async {
        let (crawler, gate, _) = crawler(&node());
        assert!(within(crawler.request(false)).await.unwrap());
        // In a later poll as well.
        let call = tokio::spawn(crawler.request(true));
        until(|| gate.inside() == 1).await;
        gate.open(1);
        assert!(within(call).await.unwrap().unwrap());
    });
}

#[test]
fn a_kill_by_a_handle_waits_for_the_handler() {
    on_both(|| async {
        let (crawler, ..) = crawler(&node());
        assert_eq!(within(crawler.end_by_handle()).await.unwrap(), 2);
        assert_eq!(within(crawler.closed()).await.to_string(), "enough");
    });
}

#[tokio::test(start_paused = true)]
async fn a_port_with_running_ones_is_not_idle() {
    #[derive(Clone)]
    struct Session;

    #[port]
    impl Session {
        #[start]
        fn start(&mut self, cx: &mut Cx<'_>) {
            cx.idle_after(SECOND);
        }

        #[rcv(concurrent = 1)]
        async fn work(&self) -> u8 {
            tokio::time::sleep(10 * SECOND).await;
            1
        }
    }

    let session = Node::local().unwrap().port(Session);
    let began = tokio::time::Instant::now();
    assert_eq!(session.work().await.unwrap(), 1);
    assert!(session.closed().await.is_normal());
    assert!(began.elapsed() >= 11 * SECOND);
}

#[test]
fn senders_wait_for_room_among_those_that_wait_for_a_place() {
    on_both(|| async {
        let (crawler, gate, _) = crawler(&node());
        crawler.bound(1);
        for n in 0..2 {
            crawler.note(n);
        }
        until(|| gate.inside() == 2).await;
        crawler.note(2);
        until(|| crawler.queue_len() == Some(1)).await;
        let sender = crawler.clone();
        let sent = tokio::spawn(async move { sender.send(CrawlerMsg::Set(5)).await });
        settle(&crawler).await;
        assert!(!sent.is_finished());
        gate.open(1);
        within(sent).await.unwrap().unwrap();
        gate.open(2);
    });
}

/// Counts the `#[stop]` method and its copies' futures in the order of their ends.
#[derive(Clone, Default)]
struct Ordered(Arc<Mutex<Vec<&'static str>>>);

struct Noted(Ordered);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().push("cancelled");
    }
}

#[port]
impl Ordered {
    #[rcv(concurrent = 4)]
    async fn hang(&self, _n: u8) {
        let _noted = Noted(self.clone());
        self.0.lock().unwrap().push("began");
        std::future::pending().await
    }

    #[stop]
    async fn stop(&mut self) {
        tokio::task::yield_now().await;
        self.0.lock().unwrap().push("stopped");
    }
}

#[test]
fn they_are_cancelled_before_the_stop_method_runs() {
    on_both(|| async {
        let state = Ordered::default();
        let port = node().port(state.clone());
        port.hang(1);
        until(|| state.0.lock().unwrap().len() == 1).await;
        port.kill("enough");
        within(port.closed()).await;
        assert_eq!(*state.0.lock().unwrap(), ["began", "cancelled", "stopped"]);
    });
}

/// Works on threads for blocking code, each time until the other end of the gate is dropped.
struct Computer {
    done: usize,
    gate: Arc<Mutex<mpsc::Receiver<()>>>,
    dropped: Arc<AtomicUsize>,
}

impl Computer {
    fn new() -> (Self, mpsc::Sender<()>) {
        let (open, gate) = mpsc::channel();
        let computer = Self {
            done: 0,
            gate: Arc::new(Mutex::new(gate)),
            dropped: Arc::default(),
        };
        (computer, open)
    }
}

struct Answer(Arc<AtomicUsize>);

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[port]
impl Computer {
    #[rcv]
    fn block(&mut self, cx: &mut Cx<'_>, reply: Reply<usize>) {
        let (gate, dropped) = (self.gate.clone(), self.dropped.clone());
        let work = cx.blocking(move || {
            let _ = gate.lock().unwrap().recv();
            Answer(dropped)
        });
        cx.then(work, |me: &mut Self, _, _answer| {
            me.done += 1;
            reply.send(me.done);
        });
    }

    #[rcv]
    async fn wait_for_it(&mut self, cx: &mut Cx<'_>, n: u64) -> u64 {
        cx.blocking(move || n + 1).await
    }

    #[rcv]
    async fn fail(&mut self, cx: &mut Cx<'_>) {
        cx.blocking(|| panic!("oops")).await
    }

    #[rcv]
    fn done(&self) -> usize {
        self.done
    }
}

#[test]
fn blocking_work_comes_back_to_the_port() {
    on_both(|| async {
        let (state, held) = Computer::new();
        let computer = node().port(state);
        let calls: Vec<_> = (0..2).map(|_| tokio::spawn(computer.block())).collect();
        // The port goes on meanwhile.
        assert_eq!(within(computer.done()).await.unwrap(), 0);
        assert_eq!(within(computer.wait_for_it(4)).await.unwrap(), 5);
        drop(held);
        for call in calls {
            assert!(within(call).await.unwrap().unwrap() > 0);
        }
        assert_eq!(within(computer.done()).await.unwrap(), 2);
        assert_eq!(
            death_by(&computer, || drop(computer.fail())).await,
            "die oops"
        );
    });
}

#[test]
fn blocking_work_is_forgotten_with_the_port() {
    on_both(|| async {
        let (state, held) = Computer::new();
        let dropped = state.dropped.clone();
        let computer = node().port(state);
        let call = tokio::spawn(computer.block());
        // The work has begun, or will not begin.
        within(computer.wait_for_it(1)).await.unwrap();
        computer.kill("enough");
        assert!(matches!(
            within(call).await.unwrap(),
            Err(CallError::Died(_))
        ));
        within(computer.closed()).await;
        drop(held);
        until(|| Arc::strong_count(&dropped) == 1).await;
        assert!(dropped.load(Ordering::SeqCst) <= 1);
    });
}
