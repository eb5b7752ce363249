//! Bounded queues: senders that wait, and senders that do not.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

use aemp::{Args, Cx, Local, PortId, SendError, port};
use tokio::sync::Semaphore;

use crate::{Journal, Recorder, RecorderMsg, RecorderRef, node, on_both, settle, until, within};

/// Handles one message for every permit.
struct Gated {
    permits: Arc<Semaphore>,
    journal: Journal,
}

#[port]
impl Gated {
    #[rcv]
    async fn take(&mut self, n: usize) {
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
        self.journal.note(n);
    }

    #[rcv]
    fn hold(&mut self, value: Local<Arc<()>>) {
        drop(value);
    }
}

fn gated(node: &aemp::Node) -> (GatedRef, Arc<Semaphore>, Journal) {
    let (permits, journal) = (Arc::new(Semaphore::new(0)), Journal::default());
    let state = Gated {
        permits: Arc::clone(&permits),
        journal: journal.clone(),
    };
    (node.port(state), permits, journal)
}

async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|task| Poll::Ready(future.as_mut().poll(task))).await
}

/// Fills the port: one message is being handled, and `waiting` wait.
async fn fill(port: &GatedRef, waiting: usize) {
    for n in 0..=waiting {
        port.take(n);
        tokio::task::yield_now().await;
    }
    within(async {
        while port.queue_len() != Some(waiting) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[test]
fn senders_wait_for_room() {
    on_both(|| async {
        let node = node();
        let (port, permits, journal) = gated(&node);
        assert!(port.bound(2));
        fill(&port, 2).await;
        let mut waiting = pin!(port.send(GatedMsg::Take(3)));
        for _ in 0..20 {
            assert!(poll_once(waiting.as_mut()).await.is_pending());
            tokio::task::yield_now().await;
        }
        assert_eq!(port.queue_len(), Some(2), "it has not been sent");
        permits.add_permits(4);
        within(waiting).await.unwrap();
        settle(&port).await;
        assert_eq!(journal.take(), ["0", "1", "2", "3"]);
    });
}

/// The rest of a batch counts as queued while one of its handlers waits, and not as being handled as well.
#[test]
fn messages_that_are_being_handled_count_once() {
    on_both(|| async {
        let node = node();
        let (port, permits, journal) = gated(&node);
        assert!(port.bound(4));
        let (me, gate) = (port.clone(), Arc::new(()));
        // Queued while the port is at work, so that they are taken as one batch.
        port.peval(move |_: &mut Cx<'_>| {
            me.take(0);
            me.hold(Local(Arc::clone(&gate)));
            me.hold(Local(gate));
        });
        within(async {
            while port.queue_len() != Some(2) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        within(port.send(GatedMsg::Hold(Local(Arc::new(())))))
            .await
            .unwrap();
        let mut waiting = pin!(port.send(GatedMsg::Take(1)));
        assert!(
            poll_once(waiting.as_mut()).await.is_pending(),
            "now it is full"
        );
        permits.add_permits(2);
        within(waiting).await.unwrap();
        settle(&port).await;
        assert_eq!(journal.take(), ["0", "1"]);
    });
}

#[test]
fn plain_sends_exceed_the_bound_and_lose_nothing() {
    on_both(|| async {
        let node = node();
        let (port, permits, journal) = gated(&node);
        assert!(port.bound(2));
        fill(&port, 9).await;
        permits.add_permits(10);
        settle(&port).await;
        let expected: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(journal.take(), expected);
    });
}

#[test]
fn a_sender_that_gives_up_has_not_sent() {
    on_both(|| async {
        let node = node();
        let (port, permits, journal) = gated(&node);
        assert!(port.bound(1));
        fill(&port, 1).await;
        let probe = Arc::new(());
        {
            let message = GatedMsg::Hold(Local(Arc::clone(&probe)));
            let mut waiting = pin!(port.send(message));
            assert!(poll_once(waiting.as_mut()).await.is_pending());
            assert_eq!(Arc::strong_count(&probe), 2);
        }
        assert_eq!(Arc::strong_count(&probe), 1);
        permits.add_permits(2);
        settle(&port).await;
        assert_eq!(journal.take(), ["0", "1"]);
    });
}

#[test]
fn a_death_ends_the_wait_of_senders() {
    on_both(|| async {
        let node = node();
        let (port, _permits, _) = gated(&node);
        assert!(port.bound(1));
        fill(&port, 1).await;
        let senders: Vec<_> = (0..3)
            .map(|n| {
                let port = port.clone();
                tokio::spawn(async move { port.send(GatedMsg::Take(n)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        port.kill("full");
        for sender in senders {
            let error = within(sender).await.unwrap().unwrap_err();
            assert!(matches!(error, SendError::Dead), "{error}");
        }
        let error = within(port.send(GatedMsg::Take(9))).await.unwrap_err();
        assert_eq!(error.to_string(), "the port is dead");
        assert!(!port.bound(5), "the dead have no queue");
    });
}

#[test]
fn a_wider_bound_lets_waiting_senders_in() {
    on_both(|| async {
        let node = node();
        let (port, permits, journal) = gated(&node);
        assert!(port.bound(1));
        fill(&port, 1).await;
        let mut waiting = pin!(port.send(GatedMsg::Take(2)));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        assert!(port.bound(10));
        within(waiting).await.unwrap();
        permits.add_permits(3);
        settle(&port).await;
        assert_eq!(journal.take(), ["0", "1", "2"]);
    });
}

#[test]
fn each_sender_stays_in_order_and_the_queue_short() {
    on_both(|| async {
        const SENDERS: i64 = 4;
        const EACH: i64 = 200;
        const BOUND: usize = 3;
        let node = node();
        let journal = Journal::default();
        let port = node.port(Recorder::new(&journal));
        assert!(port.bound(BOUND));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let port: RecorderRef = port.clone();
                tokio::spawn(async move {
                    for n in 0..EACH {
                        let message = RecorderMsg::Add(sender * EACH + n);
                        port.send(message).await.unwrap();
                        let length = port.queue_len().expect("it lives");
                        // Senders that see room at the same time may all use it.
                        assert!(length <= BOUND + SENDERS as usize, "{length} wait");
                    }
                })
            })
            .collect();
        for sender in senders {
            within(sender).await.unwrap();
        }
        assert_eq!(within(port.count()).await.unwrap(), SENDERS * EACH);
        let mut next = [0; SENDERS as usize];
        for note in journal.take() {
            let n: i64 = note.parse().unwrap();
            let sender = (n / EACH) as usize;
            assert_eq!(n % EACH, next[sender], "out of order from {sender}");
            next[sender] += 1;
        }
    });
}

#[tokio::test]
async fn without_a_bound_no_sender_waits() {
    let node = node();
    let (port, permits, journal) = gated(&node);
    for n in 0..100 {
        let mut sent = pin!(port.send(GatedMsg::Take(n)));
        assert!(poll_once(sent.as_mut()).await.is_ready());
    }
    permits.add_permits(100);
    settle(&port).await;
    assert_eq!(journal.take().len(), 100);
    let untyped = node.untyped(|_: &mut Cx<'_>, _: Args| ());
    let far: GatedRef = node.handle(&untyped.id());
    far.send(GatedMsg::Take(1)).await.unwrap();
    let error = far.send(GatedMsg::Hold(Local(Arc::new(())))).await;
    assert!(matches!(error, Err(SendError::Encode(_))));
    let elsewhere: GatedRef = node.handle(&PortId::parse("elsewhere#port").unwrap());
    assert!(!elsewhere.bound(1), "not a port of this node");
}

#[tokio::test]
async fn a_bound_of_nothing_is_one_of_one() {
    let node = node();
    let port = node.port(Recorder::default());
    assert!(port.bound(0));
    within(port.send(RecorderMsg::Add(1))).await.unwrap();
    within(port.send(RecorderMsg::Add(2))).await.unwrap();
    assert_eq!(within(port.count()).await.unwrap(), 2);
}

#[derive(Default)]
struct Own {
    polls: Arc<AtomicUsize>,
}

#[port]
impl Own {
    #[rcv]
    async fn fill(&mut self, cx: &mut Cx<'_>) {
        let me = cx.handle_of(self);
        me.bound(1);
        for _ in 0..2 {
            let mut sending = pin!(me.send(OwnMsg::Nothing));
            std::future::poll_fn(|task| {
                self.polls.fetch_add(1, Relaxed);
                sending.as_mut().poll(task)
            })
            .await
            .unwrap();
        }
    }

    #[rcv]
    fn nothing(&mut self) {}
}

/// A handler that waits for room in its own queue waits for ever, but without work: its wait makes no room.
#[tokio::test]
async fn a_full_port_does_not_wake_its_own_handler() {
    let node = node();
    let own = Own::default();
    let polls = Arc::clone(&own.polls);
    let port = node.port(own);
    port.fill();
    until(|| polls.load(Relaxed) > 0).await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(polls.load(Relaxed) < 10, "{polls:?} polls");
    port.kill("enough");
    within(port.closed()).await;
}

/// Room wakes the sender that has waited for the longest, and no other one, so that many senders cost no more each than a few.
#[tokio::test]
async fn room_wakes_the_first_sender_alone() {
    const SENDERS: usize = 100;
    let node = node();
    let (port, permits, journal) = gated(&node);
    assert!(port.bound(1));
    fill(&port, 1).await;
    let polls = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (2..SENDERS + 2)
        .map(|n| {
            let (port, polls) = (port.clone(), Arc::clone(&polls));
            tokio::spawn(async move {
                let mut sending = pin!(port.send(GatedMsg::Take(n)));
                std::future::poll_fn(|task| {
                    polls.fetch_add(1, Relaxed);
                    sending.as_mut().poll(task)
                })
                .await
            })
        })
        .collect();
    until(|| polls.load(Relaxed) == SENDERS).await;
    permits.add_permits(SENDERS + 2);
    for sender in senders {
        within(sender).await.unwrap().unwrap();
    }
    settle(&port).await;
    let polls = polls.load(Relaxed);
    assert!(polls <= 4 * SENDERS, "{polls} polls");
    let all: Vec<String> = (0..SENDERS + 2).map(|n| n.to_string()).collect();
    assert_eq!(journal.take(), all, "in the order of their calls");
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// A sender that was woken and gives up passes the room on.
#[tokio::test]
async fn a_sender_that_was_woken_and_gives_up_wakes_the_next() {
    let node = node();
    let (port, permits, _journal) = gated(&node);
    assert!(port.bound(1));
    fill(&port, 1).await;
    let mut first = Box::pin(port.send(GatedMsg::Take(2)));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let polled = first.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let other = port.clone();
    let second = tokio::spawn(async move { other.send(GatedMsg::Take(3)).await });
    tokio::task::yield_now().await;
    permits.add_permits(2);
    until(|| woken.0.load(Relaxed)).await;
    assert!(!second.is_finished(), "it is not its turn");
    drop(first);
    within(second).await.unwrap().unwrap();
}
