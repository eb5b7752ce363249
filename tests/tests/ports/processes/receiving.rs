//! Receives: order, predicates, time limits, cancellation.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{msg, snd};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

use super::{SECOND, result_of};
use crate::{Journal, many_threads, node, on_both, settle, watch, within};

#[test]
fn messages_are_received_in_any_order() {
    on_both(|| async {
        let before = vec![msg!["a", 1], msg!["b", 2], msg!["a", 3], msg![7, "x"]];
        let received = result_of(node(), before, |inbox| async move {
            assert_eq!(inbox.len(), 4);
            let two = inbox.get("b").await;
            let seven = inbox.get("7").await;
            let rest = [inbox.recv().await, inbox.recv().await];
            assert!(inbox.is_empty());
            (two, seven, rest)
        });
        let expected = (msg![2], msg!["x"], [msg!["a", 1], msg!["a", 3]]);
        assert_eq!(received.await, expected);
    });
}

#[tokio::test(start_paused = true)]
async fn time_limits_follow_the_paused_clock() {
    let started = Instant::now();
    let took = result_of(node(), vec![msg!["other"]], move |inbox| async move {
        assert_eq!(inbox.get_timeout("a", 5 * SECOND).await, None);
        assert_eq!(
            inbox.get_timeout("other", Duration::ZERO).await,
            Some(msg![])
        );
        assert_eq!(inbox.get_timeout("other", Duration::ZERO).await, None);
        assert_eq!(inbox.recv_timeout(3 * SECOND).await, None);
        let never = inbox.get_cond_timeout(|_| true, 2 * SECOND).await;
        assert_eq!(never, None);
        sleep(SECOND).await;
        snd!(inbox, inbox.id(), "a", 1);
        assert_eq!(inbox.get_timeout("a", Duration::MAX).await, Some(msg![1]));
        started.elapsed()
    });
    assert_eq!(took.await, 11 * SECOND);
}

#[test]
fn predicates_see_each_message_once() {
    on_both(|| async {
        let node = node();
        let seen = Arc::new(AtomicUsize::new(0));
        let (count, taken) = (Arc::clone(&seen), Journal::default());
        let notes = taken.clone();
        let process = node.process(move |inbox| async move {
            loop {
                let n = inbox
                    .get_cond(|message| {
                        count.fetch_add(1, Ordering::Relaxed);
                        message[1].as_i64().filter(|n| *n >= 500)
                    })
                    .await;
                notes.note(n);
                // The next receive looks at all of them again, once.
                inbox.get("go on").await;
            }
        });
        for n in 0..=500 {
            snd!(node, process, "n", n);
        }
        settle(&process).await;
        assert_eq!(
            (taken.take(), seen.load(Ordering::Relaxed)),
            (vec!["500".into()], 501)
        );
        snd!(node, process, "go on");
        settle(&process).await;
        assert_eq!(seen.load(Ordering::Relaxed), 1001);
        snd!(node, process, "n", 600);
        settle(&process).await;
        assert_eq!(
            (taken.take(), seen.load(Ordering::Relaxed)),
            (vec!["600".into()], 1002)
        );
        assert_eq!(process.queue_len(), Some(500));
    });
}

#[test]
fn a_predicate_that_panics_leaves_the_messages() {
    on_both(|| async {
        let left = result_of(
            node(),
            vec![msg!["a", 1], msg!["b", 2]],
            |inbox| async move {
                let inbox = Arc::new(inbox);
                let own = Arc::clone(&inbox);
                let failed = tokio::spawn(async move {
                    own.get_cond(|message| {
                        assert!(message[0] != "b".into(), "in a predicate");
                        false
                    })
                    .await
                });
                assert!(failed.await.is_err());
                [inbox.recv().await, inbox.recv().await]
            },
        );
        assert_eq!(left.await, [msg!["a", 1], msg!["b", 2]]);
    });
}

/// A receive within a predicate of the same mailbox finds nothing, and no message is lost.
#[test]
fn a_predicate_may_use_its_own_inbox() {
    on_both(|| async {
        let before = vec![msg!["a"], msg!["b"], msg!["c"]];
        let left = result_of(node(), before, |inbox| async move {
            let mut inner = Vec::new();
            let taken = inbox.get_cond(|message| {
                let mut receive = std::pin::pin!(inbox.recv_timeout(Duration::ZERO));
                let mut task = std::task::Context::from_waker(std::task::Waker::noop());
                inner.push(receive.as_mut().poll(&mut task).is_ready());
                message[0] == "b".into()
            });
            let taken = taken.await;
            assert_eq!(inner, [true, true]);
            (taken, inbox.recv().await, inbox.recv().await)
        });
        assert_eq!(left.await, (msg!["b"], msg!["a"], msg!["c"]));
    });
}

/// A receive that is dropped has taken nothing, also if it was woken already.
#[test]
fn dropped_receives_lose_nothing() {
    on_both(|| async {
        let node = node();
        let (tell, mut told) = mpsc::unbounded_channel();
        let process = node.process(move |inbox| async move {
            for _ in 0..1000 {
                tokio::select! {
                    biased;
                    b = inbox.get("b") => drop(tell.send(("b", b))),
                    any = inbox.get_cond(|message| message[0] != "b".into()) => {
                        drop(tell.send(("a", any[1..].to_vec())));
                    }
                }
            }
        });
        for n in 0..1000 {
            snd!(node, process, if n % 3 == 0 { "b" } else { "a" }, n);
        }
        let mut numbers = Vec::new();
        while let Some((tag, args)) = within(told.recv()).await {
            let n = args[0].as_i64().unwrap();
            assert_eq!(tag, if n % 3 == 0 { "b" } else { "a" });
            numbers.push(n);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1000).collect::<Vec<i64>>());
    });
}

#[tokio::test(start_paused = true)]
async fn receives_in_timeouts_and_tasks_lose_nothing() {
    let node = node();
    let (tell, mut told) = mpsc::unbounded_channel();
    let process = node.process(move |inbox| async move {
        let inbox = Arc::new(inbox);
        let own = Arc::clone(&inbox);
        inbox.spawn(async move {
            loop {
                let _ = tell.send(own.get("task").await);
            }
        });
        let mut all = Vec::new();
        while all.len() < 50 {
            if let Ok(message) = timeout(Duration::from_millis(7), inbox.get("own")).await {
                all.push(message);
            }
        }
        assert_eq!(all, (0..50).map(|n| msg![n]).collect::<Vec<_>>());
    });
    let died = watch(&process);
    for n in 0..50 {
        snd!(node, process, "task", n);
        sleep(Duration::from_millis(10)).await;
        snd!(node, process, "own", n);
    }
    assert!(within(died).await.unwrap().is_normal());
    for n in 0..50 {
        assert_eq!(told.recv().await, Some(msg![n]));
    }
}

/// Senders on several threads: each one's messages are in order, and nothing is lost.
#[test]
fn many_senders_and_one_process() {
    many_threads().block_on(within(async {
        let node = node();
        let (tell, told) = oneshot::channel();
        let process = node.process(move |inbox| async move {
            let mut next = [0i64; 4];
            for _ in 0..4 * 5000 {
                let message = inbox
                    .get_cond(|message| message[0].as_i64() != Some(9))
                    .await;
                let sender = message[0].as_i64().unwrap() as usize;
                assert_eq!(message[1].as_i64(), Some(next[sender]));
                next[sender] += 1;
            }
            let _ = tell.send(inbox.len());
        });
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let (node, to) = (node.clone(), process.id());
                tokio::spawn(async move {
                    for n in 0..5000 {
                        snd!(node, to, sender, n);
                        if n % 1000 == 0 {
                            snd!(node, to, 9);
                            tokio::task::yield_now().await;
                        }
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        assert!(told.await.unwrap() <= 20);
    }));
}
