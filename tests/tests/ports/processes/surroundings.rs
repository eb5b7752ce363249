//! Limits of mailboxes, fairness, tokio, and calls that block.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{CallError, Node, PortId, UntypedMsg, cal, msg, snd};
use tokio::{sync::mpsc, time::sleep};

use super::{SECOND, result_of};
use crate::{Recorder, many_threads, node, on_both, settle, watch, within};

/// The policy of a full mailbox: the process dies.
#[tokio::test(start_paused = true)]
async fn a_full_mailbox_ends_the_process() {
    let node = Node::builder().max_port_queue(100).start_local().unwrap();
    let process = node.process(|inbox| async move {
        loop {
            inbox.get("wanted").await;
        }
    });
    let told = watch(&process);
    for n in 0..100 {
        snd!(node, process, "wanted", n);
        snd!(node, process, "unwanted", n);
    }
    settle(&process).await;
    assert_eq!(process.queue_len(), Some(100));
    assert_eq!(node.inspect("").ports().await.unwrap().queued, 100);
    snd!(node, process, "unwanted", 100);
    let reason = within(told).await.unwrap().to_string();
    assert!(
        reason.starts_with("die max_port_queue (100) reached"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn messages_in_the_mailbox_count_for_the_bound() {
    let node = node();
    let (take, mut takes) = mpsc::unbounded_channel::<()>();
    let process = node.process(move |inbox| async move {
        while takes.recv().await.is_some() {
            inbox.recv().await;
        }
    });
    assert!(process.bound(3));
    for n in 0..3 {
        snd!(node, process, "n", n);
    }
    settle(&process).await;
    let limited = process.clone();
    // A message of the untyped layer waits for room as any other.
    let message = UntypedMsg::from(msg!["n", 3]);
    let waits = tokio::spawn(async move { limited.send(message).await });
    sleep(SECOND).await;
    assert!(!waits.is_finished());
    take.send(()).unwrap();
    within(waits).await.unwrap().unwrap();
    settle(&process).await;
    assert_eq!(process.queue_len(), Some(3));
}

/// A process that always finds messages lets others run.
#[tokio::test(start_paused = true)]
async fn a_busy_process_yields() {
    let node = node();
    let rounds = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&rounds);
    let process = node.process(|inbox| async move {
        loop {
            let message = inbox.recv().await;
            count.fetch_add(1, Ordering::Relaxed);
            snd!(
                inbox,
                inbox.id(),
                message.first().cloned().unwrap_or_default()
            );
        }
    });
    for n in 0..200 {
        snd!(node, process, n);
    }
    for _ in 0..10 {
        settle(&process).await;
        tokio::task::yield_now().await;
    }
    assert!(rounds.load(Ordering::Relaxed) > 100);
    let told = watch(&process);
    process.kill("enough");
    assert_eq!(within(told).await.unwrap().to_string(), "enough");
}

/// Every future of tokio that a process awaits shares the budget of the task that polls it.
#[test]
fn tokios_budget_is_respected() {
    on_both(|| async {
        let node = node();
        let (send, mut receive) = mpsc::unbounded_channel();
        for n in 0..10_000u32 {
            send.send(n).unwrap();
        }
        drop(send);
        let sum = result_of(node.clone(), vec![], |_inbox| async move {
            let mut sum = 0;
            while let Some(n) = receive.recv().await {
                sum += n;
            }
            sum
        });
        assert_eq!(sum.await, 49_995_000);
    });
}

#[test]
fn all_futures_of_tokio_can_be_awaited() {
    on_both(|| async {
        let sum = result_of(node(), vec![], |inbox| async move {
            for _ in 0..300 {
                tokio::task::yield_now().await;
            }
            let blocking = tokio::task::spawn_blocking(|| 1);
            let mut tasks = tokio::task::JoinSet::new();
            (0..10).for_each(|n| drop(tasks.spawn(async move { n })));
            snd!(inbox, inbox.id(), "n", 2);
            let message = async { inbox.get("n").await[0].as_i64().unwrap() };
            let timer = sleep(Duration::from_millis(1));
            let (one, two, (), all) = tokio::join!(blocking, message, timer, tasks.join_all());
            one.unwrap() + two + all.into_iter().sum::<i64>()
        });
        assert_eq!(sum.await, 48);
    });
}

#[test]
fn a_blocking_call_waits_outside_of_the_runtime() {
    let runtime = many_threads();
    let node = runtime.block_on(async { node() });
    let process = node.process(|inbox| async move {
        let args = inbox.get("double").await;
        let to = PortId::parse(args[1].as_str().unwrap()).unwrap();
        snd!(inbox, to, 2 * args[0].as_i64().unwrap());
        inbox.get("never").await;
    });
    let call = cal!(node, process, "double", 21).timeout(20 * SECOND);
    assert_eq!(call.wait().unwrap(), msg![42]);
    let late = cal!(node, process, "other")
        .timeout(Duration::from_millis(1))
        .wait();
    assert!(matches!(late, Err(CallError::Timeout)), "{late:?}");
    let typed = node.port(Recorder::default());
    typed.add(1);
    assert_eq!(typed.count().wait().unwrap(), 1);
}
