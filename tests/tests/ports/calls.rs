//! Typed calls: every outcome, and that nothing is left behind.

use std::{future::pending, pin::pin, sync::Arc, task::Poll, time::Duration};

use aemp::{Args, CallError, Cx, Local, PortId, msg, port, snd};
use tokio::{sync::oneshot, time::sleep};

use crate::{Recorder, RecorderRef, death, node, on_both, settle, until, watch, within};

/// Polls a future once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|task| Poll::Ready(std::pin::Pin::new(&mut *future).poll(task))).await
}

#[test]
fn are_answered() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        for n in 0..300 {
            port.add(n);
            assert_eq!(within(port.count()).await.unwrap(), n + 1);
        }
        let calls: Vec<_> = (0..64).map(|_| tokio::spawn(port.count())).collect();
        for call in calls {
            assert_eq!(within(call).await.unwrap().unwrap(), 300);
        }
        assert_eq!(node.port_count(), 1, "no reply port is left");
    });
}

#[tokio::test]
async fn are_sent_when_first_polled() {
    let node = node();
    let port = node.port(Recorder::default());
    let call = port.count();
    port.add(1);
    settle(&port).await;
    assert_eq!(call.await.unwrap(), 1);
    drop(port.count());
    settle(&port).await;
}

#[test]
fn wait_for_a_deferred_reply() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let calls: Vec<_> = (0..3).map(|_| tokio::spawn(port.keep())).collect();
        let keeper = port.clone();
        until(|| keeper.queue_len() == Some(0)).await;
        settle(&port).await;
        port.add(1);
        // The calls may not have come in yet; each answer takes those that have.
        for call in calls {
            let mut call = pin!(call);
            let answer = within(async {
                loop {
                    port.answer();
                    if let Poll::Ready(answer) = poll_once(&mut call).await {
                        return answer;
                    }
                    tokio::task::yield_now().await;
                }
            });
            assert!(answer.await.unwrap().is_ok());
        }
    });
}

#[test]
fn of_the_dead_fail() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        port.kill("before");
        death(&port).await;
        let error = within(port.count()).await.unwrap_err();
        assert_eq!(error.to_string(), "the port died: before");
        let text = format!("no_such_port cannot monitor nonexistent port {}", port.id());
        // As long as it is dying, which goes on behind the monitor, its ID is known.
        let far: RecorderRef = node.handle(&port.id());
        let error = within(far.count()).await.unwrap_err();
        let told = error.reason().expect("it died").to_string();
        assert!(told == text || told == "before", "{told}");
        until(|| node.port_count() == 0).await;
    });
}

#[test]
fn end_when_the_port_dies() {
    on_both(|| async {
        let node = node();
        let died = |error: CallError| error.reason().expect("it died").to_string();
        let port = node.port(Recorder::default());
        let error = within(port.explode()).await.unwrap_err();
        assert_eq!(died(error), "die boom 0");
        // Killed while the reply is kept, and while the call is queued.
        let port = node.port(Recorder::default());
        let mut kept = port.keep();
        assert!(poll_once(&mut kept).await.is_pending());
        settle(&port).await;
        port.kill("meanwhile");
        let queued = port.count();
        assert_eq!(died(within(kept).await.unwrap_err()), "meanwhile");
        // Sent when it is awaited: the port is dying then, or dead.
        assert_eq!(died(within(queued).await.unwrap_err()), "meanwhile");
        let port = node.port(Recorder::default());
        let blocker = port.clone();
        port.peval(move |cx: &mut Cx<'_>| {
            cx.kill("with a call in the queue");
            blocker.add(1);
        });
        let error = within(port.count()).await.unwrap_err();
        assert_eq!(died(error), "with a call in the queue");
        until(|| node.port_count() == 0).await;
    });
}

#[test]
fn without_an_answer_end() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let error = within(port.ignore()).await.unwrap_err();
        assert!(matches!(error, CallError::NoReply), "{error}");
        assert_eq!(within(port.count()).await.unwrap(), 0, "and the port lives");
    });
}

#[tokio::test(start_paused = true)]
async fn time_out() {
    let node = node();
    let port = node.port(Recorder::default());
    let started = tokio::time::Instant::now();
    let call = port.keep().timeout(Duration::from_secs(3));
    // Counted from the first poll.
    sleep(Duration::from_secs(1)).await;
    let error = call.await.unwrap_err();
    assert!(matches!(error, CallError::Timeout), "{error}");
    assert_eq!(started.elapsed().as_secs(), 4);
    port.answer();
    settle(&port).await;
    assert_eq!(
        port.count().timeout(Duration::from_secs(1)).await.unwrap(),
        0
    );
    assert_eq!(node.port_count(), 1);
    let mut kept = port.keep().timeout(Duration::from_secs(3));
    assert!(poll_once(&mut kept).await.is_pending());
    port.kill("before the time is over");
    let error = kept.await.unwrap_err();
    assert_eq!(
        error.reason().expect("it died").to_string(),
        "before the time is over"
    );
}

#[test]
fn that_are_dropped_leave_nothing() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let mut call = port.keep();
        assert!(poll_once(&mut call).await.is_pending());
        drop(call);
        port.answer();
        let far = untyped_that_never_answers(&node);
        let mut call = far.count();
        assert!(poll_once(&mut call).await.is_pending());
        assert_eq!(node.port_count(), 3, "with a reply port");
        drop(call);
        assert_eq!(node.port_count(), 2);
        assert_eq!(within(port.count()).await.unwrap(), 0);
    });
}

/// A typed handle of a port of closures.
fn untyped_that_never_answers(node: &aemp::Node) -> RecorderRef {
    let port = node.untyped(|_: &mut Cx<'_>, _: Args| ());
    node.handle(&port.id())
}

#[test]
fn of_untyped_ports() {
    on_both(|| async {
        let node = node();
        let untyped = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
            let reply = message
                .pop()
                .and_then(|to| PortId::parse(to.as_str()?).ok());
            let reply = reply.ok_or("no reply port")?;
            match message[0].as_str() {
                Some("count") => drop(snd!(cx, reply, "42")),
                Some("keep") => drop(snd!(cx, reply, "no number")),
                Some("ignore") => cx.node().kil(&reply, "killed instead"),
                _ => return Err("unknown"),
            }
            // The first answer counts, the second has no receiver.
            snd!(cx, reply, 43);
            Ok(())
        });
        let port: RecorderRef = node.handle(&untyped.id());
        assert_eq!(within(port.count()).await.unwrap(), 42);
        let error = within(port.keep()).await.unwrap_err();
        assert!(matches!(error, CallError::Answer(_)), "{error}");
        let error = within(port.ignore()).await.unwrap_err();
        assert_eq!(
            error.reason().expect("killed").to_string(),
            "killed instead"
        );
        let error = within(port.explode()).await.unwrap_err();
        assert_eq!(error.reason().expect("died").to_string(), "die unknown");
        assert_eq!(node.port_count(), 0);
    });
}

#[tokio::test(start_paused = true)]
async fn of_untyped_ports_time_out() {
    let node = node();
    let port = untyped_that_never_answers(&node);
    let call = port.count().timeout(Duration::from_secs(1));
    assert!(matches!(call.await, Err(CallError::Timeout)));
    assert_eq!(node.port_count(), 1);
    let told = watch(&port);
    port.kill(());
    within(told).await.unwrap();
    assert_eq!(node.port_count(), 0);
}

/// Takes a value that cannot be serialized.
struct Safe;

#[port]
impl Safe {
    #[rcv]
    fn store(&mut self, value: Local<Arc<()>>) -> bool {
        Arc::strong_count(&value.0) > 1
    }

    /// Calls a port of its own node from a handler.
    #[rcv]
    async fn ask(&mut self, other: RecorderRef) -> i64 {
        other.count().await.unwrap_or(-1)
    }

    #[rcv]
    async fn hang(&mut self, dropped: Local<oneshot::Sender<()>>) -> i64 {
        let _dropped = dropped;
        pending().await
    }
}

#[tokio::test]
async fn that_cannot_be_encoded_fail() {
    let node = node();
    let probe = Arc::new(());
    let near = node.port(Safe);
    assert!(near.store(Local(Arc::clone(&probe))).await.unwrap());
    let untyped = node.untyped(|_: &mut Cx<'_>, _: Args| ());
    let far: SafeRef = node.handle(&untyped.id());
    let error = far.store(Local(Arc::clone(&probe))).await.unwrap_err();
    assert!(matches!(error, CallError::Send(_)), "{error}");
    assert!(far.handle_post(&probe).is_err());
    assert_eq!(Arc::strong_count(&probe), 1);
    assert_eq!(node.port_count(), 2);
    assert!(node.cal(&near.id(), msg!["store", 1]).await.is_err());
}

impl SafeRef {
    /// A plain send of the same.
    fn handle_post(&self, probe: &Arc<()>) -> Result<(), aemp::SendError> {
        let (reply, value) = (aemp::Reply::none(), Local(Arc::clone(probe)));
        self.post(SafeMsg::Store(value, reply)).check()
    }
}

#[test]
fn from_handlers_work() {
    on_both(|| async {
        let node = node();
        let (asker, other) = (node.port(Safe), node.port(Recorder::default()));
        other.add(1);
        assert_eq!(within(asker.ask(other.clone())).await.unwrap(), 1);
        let untyped = node.untyped(|cx: &mut Cx<'_>, message: Args| {
            let reply = message
                .last()
                .and_then(|to| PortId::parse(to.as_str()?).ok());
            snd!(cx, reply.expect("a call"), 2);
        });
        let other = node.handle(&untyped.id());
        assert_eq!(within(asker.ask(other)).await.unwrap(), 2);
    });
}

#[test]
fn that_are_dropped_do_not_cancel_the_handler() {
    on_both(|| async {
        let node = node();
        let port = node.port(Safe);
        let (held, mut dropped) = oneshot::channel();
        let mut call = port.hang(Local(held));
        assert!(poll_once(&mut call).await.is_pending());
        drop(call);
        tokio::task::yield_now().await;
        let state = dropped.try_recv().unwrap_err();
        assert_eq!(state, oneshot::error::TryRecvError::Empty, "it still waits");
        port.kill(());
        assert!(within(dropped).await.is_err());
    });
}

/// Gives its replies away.
struct Giver(Local<std::sync::mpsc::Sender<aemp::Reply<u64>>>);

#[port]
impl Giver {
    #[rcv]
    fn give(&mut self, reply: aemp::Reply<u64>) {
        self.0.0.send(reply).expect("the test keeps the receiver");
    }

    #[rcv]
    async fn give_late(&mut self, reply: aemp::Reply<u64>) {
        tokio::task::yield_now().await;
        self.0.0.send(reply).expect("the test keeps the receiver");
    }
}

#[test]
fn end_when_the_port_dies_even_if_the_reply_has_moved() {
    on_both(|| async {
        let node = node();
        let (sender, given) = std::sync::mpsc::channel();
        let port = node.port(Giver(Local(sender)));
        let mut call = port.give();
        let mut late = port.give_late();
        assert!(poll_once(&mut call).await.is_pending());
        assert!(poll_once(&mut late).await.is_pending());
        let replies = std::cell::RefCell::new(Vec::new());
        until(|| {
            replies.borrow_mut().extend(given.try_iter());
            replies.borrow().len() == 2
        })
        .await;
        let replies = replies.into_inner();
        port.kill("gone");
        for call in [call, late] {
            let error = within(call).await.unwrap_err();
            assert_eq!(error.reason().expect("it died").to_string(), "gone");
        }
        for reply in replies {
            reply.send(1);
        }
        assert_eq!(node.port_count(), 0);
    });
}
