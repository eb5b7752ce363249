//! The time limit of a node's calls, the deadline that a handler sees, and callers that leave.

use std::time::Duration;

use aemp::{CallError, Cx, Local, Node, Reply, cal, msg, port};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

use crate::node;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone)]
struct Worker;

#[port]
impl Worker {
    #[rcv]
    async fn nap(&mut self, ms: u64) -> u64 {
        sleep(Duration::from_millis(ms)).await;
        ms
    }

    /// The milliseconds that the caller still waits.
    #[rcv]
    async fn left(&mut self, cx: &mut Cx<'_>, nap: u64) -> Option<u64> {
        sleep(Duration::from_millis(nap)).await;
        cx.deadline().map(left)
    }

    #[rcv(try)]
    fn left_at_once(&mut self, cx: &mut Cx<'_>) -> Result<Option<u64>, String> {
        Ok(cx.deadline().map(left))
    }

    #[rcv]
    fn left_of_reply(&mut self, cx: &mut Cx<'_>, reply: Reply<Option<u64>>) {
        assert_eq!(cx.deadline(), None);
        let left = reply.deadline().map(left);
        reply.send(left);
    }

    #[rcv]
    async fn work(
        &mut self,
        cx: &mut Cx<'_>,
        told: Local<mpsc::UnboundedSender<&'static str>>,
    ) -> i64 {
        let text = tokio::select! {
            () = cx.cancelled() => "cancelled",
            () = sleep(HOUR) => "done",
        };
        assert_eq!(cx.is_cancelled(), text == "cancelled");
        told.0.send(text).unwrap();
        1
    }

    #[rcv]
    async fn posted(&mut self, cx: &mut Cx<'_>, told: Local<oneshot::Sender<bool>>) {
        let waited = timeout(HOUR, cx.cancelled()).await;
        let _ = told
            .0
            .send(waited.is_ok() || cx.is_cancelled() || cx.deadline().is_some());
    }

    #[rcv(concurrent = 2)]
    async fn left_beside(cx: &mut Cx<'_>, nap: u64) -> Option<u64> {
        sleep(Duration::from_millis(nap)).await;
        cx.deadline().map(left)
    }

    #[rcv(concurrent = 2)]
    async fn left_of_reply_beside(cx: &mut Cx<'_>, reply: Reply<Option<u64>>) {
        assert_eq!(cx.deadline(), None);
        let left = reply.deadline().map(left);
        reply.send(left);
    }

    #[rcv(concurrent = 2, try)]
    async fn work_beside(
        &self,
        cx: &mut Cx<'_>,
        told: Local<mpsc::UnboundedSender<&'static str>>,
    ) -> Result<i64, String> {
        self.clone().work(cx, told).await;
        Ok(2)
    }

    #[rcv(concurrent = 2)]
    async fn posted_beside(&self, cx: &mut Cx<'_>, told: Local<oneshot::Sender<bool>>) {
        self.clone().posted(cx, told).await;
    }

    /// The requests of a handler to its context reach the port.
    #[rcv]
    async fn end(&mut self, cx: &mut Cx<'_>) -> i64 {
        cx.kill("asked");
        sleep(SECOND).await;
        1
    }
}

fn left(deadline: Instant) -> u64 {
    (deadline - Instant::now()).as_millis() as u64
}

fn limited() -> Node {
    let builder = Node::builder().call_timeout(2 * SECOND);
    builder.start_local().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_node_limits_calls_without_a_limit() {
    let node = limited();
    let worker = node.port(Worker);
    let began = Instant::now();
    assert!(matches!(worker.nap(9000).await, Err(CallError::Timeout)));
    assert_eq!(began.elapsed().as_secs(), 2);
    let untyped = cal!(node, worker, "nap", 9000).await;
    assert!(matches!(untyped, Err(CallError::Timeout)));
    sleep(HOUR).await;
    assert_eq!(worker.nap(1000).await.unwrap(), 1000);
    // The handler sees it like any other limit.
    assert_eq!(worker.left(0).await.unwrap(), Some(2000));
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_call_itself_wins() {
    let worker = limited().port(Worker);
    assert_eq!(worker.nap(9000).timeout(10 * SECOND).await.unwrap(), 9000);
    assert_eq!(worker.nap(9000).timeout(Duration::MAX).await.unwrap(), 9000);
    let short = worker.nap(1500).timeout(SECOND).await;
    assert!(matches!(short, Err(CallError::Timeout)));
    sleep(HOUR).await;
    assert_eq!(worker.left(0).timeout(Duration::MAX).await.unwrap(), None);
    // It may come after the first poll.
    let mut late = worker.nap(9000).timeout(Duration::MAX);
    assert!(timeout(SECOND, &mut late).await.is_err());
    assert!(matches!(
        late.timeout(SECOND).await,
        Err(CallError::Timeout)
    ));
    let endless = Node::builder().call_timeout(Duration::MAX);
    let worker = endless.start_local().unwrap().port(Worker);
    assert_eq!(worker.nap(9000).await.unwrap(), 9000);
}

#[tokio::test(start_paused = true)]
async fn a_handler_sees_how_long_its_caller_waits() {
    let node = node();
    let worker = node.port(Worker);
    assert_eq!(worker.left(10).await.unwrap(), None);
    assert_eq!(worker.left(300).timeout(SECOND).await.unwrap(), Some(700));
    assert_eq!(
        worker.left_at_once().timeout(SECOND).await.unwrap(),
        Some(1000)
    );
    assert_eq!(worker.left_at_once().await.unwrap(), None);
    assert_eq!(
        worker.left_of_reply().timeout(SECOND).await.unwrap(),
        Some(1000)
    );
    // The time in the queue counts.
    let busy = tokio::spawn(worker.nap(400).into_future());
    tokio::task::yield_now().await;
    assert_eq!(worker.left(0).timeout(SECOND).await.unwrap(), Some(600));
    busy.await.unwrap().unwrap();
    // An untyped call becomes an encoded one.
    let call = cal!(node, worker, "left", 100).timeout(SECOND);
    assert_eq!(call.await.unwrap(), msg![900]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_sees_that_its_caller_has_left() {
    let worker = node().port(Worker);
    let (tell, mut told) = mpsc::unbounded_channel();
    let began = Instant::now();
    let late = worker.work(Local(tell.clone())).timeout(SECOND).await;
    assert!(matches!(late, Err(CallError::Timeout)));
    assert_eq!(told.recv().await, Some("cancelled"));
    assert!(
        timeout(SECOND, worker.work(Local(tell.clone())))
            .await
            .is_err()
    );
    assert_eq!(told.recv().await, Some("cancelled"));
    assert_eq!(began.elapsed().as_secs(), 2);
    // A caller that wants no answer wants the work all the same.
    worker.work(Local(tell.clone())).forget();
    assert_eq!(told.recv().await, Some("done"));
    assert_eq!(worker.work(Local(tell)).await.unwrap(), 1);
    assert_eq!(told.recv().await, Some("done"));
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_handler_sees_the_same() {
    let node = node();
    let worker = node.port(Worker);
    assert_eq!(worker.left_beside(10).await.unwrap(), None);
    // The time without a place counts.
    let busy = [600, 700].map(|nap| tokio::spawn(worker.left_beside(nap).into_future()));
    tokio::task::yield_now().await;
    let call = worker.left_beside(300).timeout(SECOND);
    assert_eq!(call.await.unwrap(), Some(100));
    for one in busy {
        assert_eq!(one.await.unwrap().unwrap(), None);
    }
    let call = worker.left_of_reply_beside().timeout(SECOND);
    assert_eq!(call.await.unwrap(), Some(1000));
    let call = cal!(node, worker, "left_beside", 100).timeout(SECOND);
    assert_eq!(call.await.unwrap(), msg![900]);

    let (tell, mut told) = mpsc::unbounded_channel();
    let late = worker.work_beside(Local(tell.clone())).timeout(SECOND);
    assert!(matches!(late.await, Err(CallError::Timeout)));
    assert_eq!(told.recv().await, Some("cancelled"));
    worker.work_beside(Local(tell.clone())).forget();
    assert_eq!(told.recv().await, Some("done"));
    assert_eq!(worker.work_beside(Local(tell)).await.unwrap(), 2);
    let (tell, told) = oneshot::channel();
    worker.posted_beside(Local(tell));
    assert!(!told.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_message_has_no_caller_to_leave() {
    let worker = node().port(Worker);
    let (tell, told) = oneshot::channel();
    worker.posted(Local(tell));
    assert!(!told.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_sees_its_caller_may_end_its_port() {
    let worker = node().port(Worker);
    let ended = tokio::spawn({
        let worker = worker.clone();
        async move { worker.closed().await }
    });
    tokio::task::yield_now().await;
    assert_eq!(worker.end().await.unwrap(), 1);
    assert_eq!(ended.await.unwrap().to_string(), "asked");
}
