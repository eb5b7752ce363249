//! Time limits of calls that travel: the called node sees how long the caller waits, and that it has left.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use aemp::{Args, Cx, NodeId, PortId, Reply, cal, msg, port};
use tokio::time::Instant;

use crate::{
    common::{soon, until},
    nodes::{listening, pair, start},
    raw::Raw,
};

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Worker {
    seen: Arc<Mutex<Vec<Option<Instant>>>>,
    gate: Option<mpsc::Receiver<()>>,
    left: Arc<Mutex<bool>>,
}

#[port]
impl Worker {
    #[rcv]
    fn see(&mut self, cx: &mut Cx<'_>) -> bool {
        self.seen.lock().unwrap().push(cx.deadline());
        cx.deadline().is_some()
    }

    #[rcv]
    fn see_reply(&mut self, reply: Reply<bool>) {
        self.seen.lock().unwrap().push(reply.deadline());
        reply.send(true);
    }

    #[rcv]
    fn block(&mut self) {
        self.seen.lock().unwrap().push(None);
        if let Some(gate) = self.gate.take() {
            let _ = gate.recv();
        }
    }

    #[rcv]
    async fn work(&mut self, cx: &mut Cx<'_>) -> i64 {
        cx.cancelled().await;
        *self.left.lock().unwrap() = cx.is_cancelled();
        1
    }
}

#[tokio::test]
async fn the_called_node_sees_the_limit() {
    let (a, b) = pair().await;
    let worker = Worker::default();
    let seen = Arc::clone(&worker.seen);
    let worker: WorkerRef = a.handle(&b.port(worker).id());
    assert!(!soon(worker.see()).await.unwrap());
    assert_eq!(seen.lock().unwrap().pop(), Some(None));
    let began = Instant::now();
    assert!(soon(worker.see().timeout(LIMIT)).await.unwrap());
    assert!(soon(worker.see_reply().timeout(LIMIT)).await.unwrap());
    let untyped = a.cal(&worker.id(), msg!["see"]).timeout(LIMIT);
    assert_eq!(soon(untyped).await.unwrap().len(), 1);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.len(), 3);
    for deadline in seen {
        let deadline = deadline.expect("a limit");
        // Milliseconds travel, so it may come one earlier.
        assert!(deadline + Duration::from_millis(1) >= began + LIMIT);
        assert!(deadline <= Instant::now() + LIMIT);
    }
    assert_eq!(a.port_count(), 0);
}

/// The time that a message waits for its port counts, decoded or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_limit_counts_from_the_arrival() {
    let (a, b) = pair().await;
    let (open, gate) = mpsc::channel();
    let worker = Worker {
        gate: Some(gate),
        ..Worker::default()
    };
    let seen = Arc::clone(&worker.seen);
    let here = b.port(worker);
    let there: WorkerRef = a.handle(&here.id());
    there.block();
    until(|| seen.lock().unwrap().len() == 1).await;
    let call = tokio::spawn({
        let call = there.see().timeout(LIMIT);
        call.into_future()
    });
    until(|| here.queue_len() == Some(1)).await;
    let arrived = Instant::now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    open.send(()).unwrap();
    assert!(soon(call).await.unwrap().unwrap());
    let deadline = seen.lock().unwrap().pop().unwrap().unwrap();
    assert!(deadline <= arrived + LIMIT);
}

#[tokio::test]
async fn a_handler_sees_that_a_caller_on_another_node_has_left() {
    let (a, b) = pair().await;
    let worker = Worker::default();
    let left = Arc::clone(&worker.left);
    let here = b.port(worker);
    let there: WorkerRef = a.handle(&here.id());
    let late = soon(there.work().timeout(Duration::from_millis(20))).await;
    assert!(late.is_err());
    until(|| *left.lock().unwrap()).await;
    assert!(!soon(here.see()).await.unwrap());
}

/// Code without types answers to the ID that it sees.
#[tokio::test]
async fn untyped_ports_answer_calls_with_a_limit() {
    let (a, b) = pair().await;
    let echo = b.untyped(|cx: &mut Cx<'_>, mut message: Args| {
        let reply = message.pop().unwrap();
        let reply = PortId::parse(reply.as_str().unwrap()).unwrap();
        cx.node().snd(&reply, message);
    });
    let answer = soon(cal!(a, echo.id(), "echo", 5).timeout(LIMIT)).await;
    assert_eq!(answer.unwrap(), msg!["echo", 5]);
    assert_eq!(a.port_count(), 0);
}

#[tokio::test]
async fn only_nodes_that_read_limits_are_sent_them() {
    let a = start(listening("a")).await;
    let mut perl = Raw::login(&a, "perl").await;
    let mut rust = Raw::login_saying(&a, "rust", ";deadline=1").await;
    for node in ["perl", "rust"] {
        let to = PortId::new(&NodeId::new(node).unwrap(), "p");
        let call = a
            .cal(&to, msg!["hello"])
            .timeout(Duration::from_millis(100));
        assert!(soon(call).await.is_err());
    }
    let reply = async |raw: &mut Raw| {
        assert_eq!(raw.packet().await[1], "mon1");
        raw.packet().await[2].as_str().unwrap().to_owned()
    };
    assert!(reply(&mut perl).await.ends_with('?'));
    let (_, limit) = {
        let name = reply(&mut rust).await;
        let (name, limit) = name.split_once('?').expect("a mark");
        (name.to_owned(), limit.parse::<u64>().expect("a number"))
    };
    assert!((50..=100).contains(&limit), "{limit}");
}

/// A peer may state a wrong time limit.
#[tokio::test]
async fn a_limit_may_be_any_number() {
    let a = start(listening("a")).await;
    let worker = Worker::default();
    let seen = Arc::clone(&worker.seen);
    let worker = a.port(worker);
    let mut raw = Raw::login_saying(&a, "raw", ";deadline=1").await;
    let name = worker.id().name().to_owned();
    for limit in [u64::MAX.to_string(), "9".repeat(50), "0".into()] {
        raw.send(format!(r#"["{name}","see","raw#x?{limit}"]"#))
            .await;
        // The answer goes to the port without the limit.
        assert_eq!(raw.packet().await[0], "x?");
    }
    let seen = seen.lock().unwrap();
    assert!(seen[0].is_some() && seen[1].is_none() && seen[2].is_some());
}
