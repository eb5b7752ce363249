//! Dispatchers, workers and submitters of one node, in paused time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aemp::{
    Node, PortId, Value, port,
    supervisor::Backoff,
    work::{
        Attempt, Builder, DeadLetter, Dispatcher, DispatcherRef, Failure, JobError, Jobs, WhenFull,
        Worker,
    },
};
use tokio::{sync::Semaphore, time::sleep};

use crate::{Journal, node, within};

const MS: Duration = Duration::from_millis(1);

fn start(node: &Node, builder: Builder) -> (DispatcherRef, Jobs<u32, u32>) {
    let dispatcher = builder.start(node).unwrap();
    let jobs = Jobs::new(node, &dispatcher).unwrap();
    (dispatcher, jobs)
}

/// A worker that doubles numbers, each when the gate lets it.
fn doubling(node: &Node, dispatcher: &DispatcherRef, at_once: u32, gate: &Arc<Semaphore>) {
    let gate = Arc::clone(gate);
    let double = move |attempt: Attempt<u32>| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok::<_, tokio::sync::AcquireError>(2 * attempt.job)
        }
    };
    let worker = Worker::builder(dispatcher).at_once(at_once);
    worker.start(node, double).unwrap();
}

#[tokio::test(start_paused = true)]
async fn workers_that_are_free_take_the_jobs_of_one_that_is_not() {
    let node = node();
    let (dispatcher, jobs) = start(&node, Dispatcher::builder());
    for _ in 0..3 {
        Worker::builder(&dispatcher)
            .start(&node, |attempt: Attempt<u32>| async move {
                sleep(attempt.job * MS).await;
                Ok::<_, Failure>(attempt.job)
            })
            .unwrap();
    }
    let _busy = jobs.submit(&1000).await.unwrap();
    let begin = tokio::time::Instant::now();
    let mut submitted = Vec::new();
    for _ in 0..10 {
        submitted.push(jobs.submit(&10).await.unwrap());
    }
    for job in submitted {
        assert_eq!(within(job.result()).await.unwrap(), 10);
    }
    // Paused time: ten jobs of 10 ms for two workers, and a tick for each.
    let took = begin.elapsed();
    assert!(took < 100 * MS, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn each_policy_of_a_full_queue() {
    let node = node();
    let gate = Arc::new(Semaphore::new(0));
    let refuse = Dispatcher::builder()
        .capacity(2)
        .when_full(WhenFull::Refuse);
    let (dispatcher, jobs) = start(&node, refuse);
    let first = jobs.submit(&1).await.unwrap();
    let second = jobs.submit(&2).await.unwrap();
    assert!(matches!(jobs.submit(&3).await, Err(JobError::Full)));
    doubling(&node, &dispatcher, 1, &gate);
    gate.add_permits(9);
    assert_eq!(within(first.result()).await.unwrap(), 2);
    assert_eq!(within(second.result()).await.unwrap(), 4);

    let drop_oldest = Dispatcher::builder()
        .capacity(1)
        .when_full(WhenFull::DropOldest);
    let (_dispatcher, jobs) = start(&node, drop_oldest);
    let first = jobs.submit(&1).await.unwrap();
    let _second = jobs.submit(&2).await.unwrap();
    assert!(matches!(first.result().await, Err(JobError::Dropped)));

    let (dispatcher, jobs) = start(&node, Dispatcher::builder().capacity(1));
    let first = jobs.submit(&1).await.unwrap();
    let waiting = {
        let jobs = jobs.clone();
        tokio::spawn(async move { jobs.submit(&2).await.unwrap().result().await })
    };
    while dispatcher.stats().await.unwrap().unaccepted == 0 {
        tokio::task::yield_now().await;
    }
    // Dropping it takes the job back.
    let third = tokio::time::timeout(MS, jobs.submit(&3).into_future()).await;
    assert!(third.is_err());
    doubling(&node, &dispatcher, 1, &gate);
    assert_eq!(within(first.result()).await.unwrap(), 2);
    assert_eq!(within(waiting).await.unwrap().unwrap(), 4);
    assert_eq!(dispatcher.stats().await.unwrap().done, 2);
}

#[derive(Default)]
struct Undertaker {
    letters: Vec<DeadLetter>,
}

#[port]
impl Undertaker {
    #[rcv]
    fn dead_letter(&mut self, letter: DeadLetter) {
        self.letters.push(letter);
    }

    #[rcv]
    fn letters(&self) -> Vec<DeadLetter> {
        self.letters.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn failures_and_panics_are_tried_again_and_then_buried() {
    let node = node();
    let undertaker = node.port(Undertaker::default());
    let builder = Dispatcher::builder().attempts(3);
    let (dispatcher, jobs) = start(&node, builder.dead_letters(&undertaker.id()));
    let journal = Journal::default();
    let tell = journal.clone();
    Worker::builder(&dispatcher)
        .start(&node, move |attempt: Attempt<u32>| {
            let tell = tell.clone();
            async move {
                tell.note(format_args!("{} {}", attempt.job, attempt.number()));
                match (attempt.job, attempt.number()) {
                    (1, 1) => panic!("boom"),
                    (1, 2) | (2, _) => Err("out of tea".into()),
                    (3, _) => Err(Failure::last("never")),
                    _ => Ok(attempt.number()),
                }
            }
        })
        .unwrap();
    let first = jobs.submit(&1).await.unwrap();
    assert_eq!(within(first.result()).await.unwrap(), 3);
    let second = jobs.submit(&2).await.unwrap();
    let error = within(second.result()).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "the job has failed, attempts: 3: out of tea");
    let third = jobs.submit(&3).key("k").await.unwrap();
    let error = within(third.result()).await.unwrap_err();
    assert!(matches!(error, JobError::Failed { attempts: 1, .. }));
    assert_eq!(
        journal.take(),
        ["1 1", "1 2", "1 3", "2 1", "2 2", "2 3", "3 1"]
    );
    let letters = undertaker.letters().await.unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[0].id, *second.id());
    assert_eq!(letters[1].job::<u32>().unwrap(), 3);
    assert_eq!(letters[1].key.as_deref(), Some("k"));
    assert_eq!(letters[1].error, "never");
    let stats = dispatcher.stats().await.unwrap();
    assert_eq!((stats.done, stats.dead, stats.repeated), (1, 2, 4));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_returns_its_jobs() {
    let node = node();
    let (dispatcher, jobs) = start(&node, Dispatcher::builder());
    let worker = Worker::builder(&dispatcher)
        .start(&node, |_: Attempt<u32>| {
            std::future::pending::<Result<u32, Failure>>()
        })
        .unwrap();
    let job = jobs.submit(&4).await.unwrap();
    while dispatcher.stats().await.unwrap().running == 0 {
        tokio::task::yield_now().await;
    }
    worker.kill("boom");
    Worker::builder(&dispatcher)
        .start(&node, |attempt: Attempt<u32>| async move {
            Ok::<_, Failure>(if attempt.is_repeat() {
                attempt.number()
            } else {
                0
            })
        })
        .unwrap();
    assert_eq!(within(job.result()).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_tells_how_far_it_is_and_is_cancelled() {
    struct Told(Arc<AtomicU32>);

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let node = node();
    let (dispatcher, jobs) = start(&node, Dispatcher::builder());
    let dropped = Arc::new(AtomicU32::new(0));
    let drops = Arc::clone(&dropped);
    Worker::builder(&dispatcher)
        .start(&node, move |attempt: Attempt<u32>| {
            let told = Told(Arc::clone(&drops));
            async move {
                let _told = told;
                for percent in (0..).step_by(10) {
                    attempt.progress(&percent)?;
                    sleep(10 * MS).await;
                }
                Ok::<u32, aemp::SendError>(0)
            }
        })
        .unwrap();
    let job = jobs.submit(&1).await.unwrap();
    let waits = jobs.submit(&2).await.unwrap();
    let mut progress = job.progress::<u32>();
    for percent in [0, 10, 20] {
        assert_eq!(within(progress.next()).await, Some(Ok(percent)));
    }
    waits.cancel();
    let cancelled = within(waits.result()).await;
    assert!(matches!(cancelled, Err(JobError::Cancelled)));
    job.cancel();
    let cancelled = within(job.result()).await;
    assert!(matches!(cancelled, Err(JobError::Cancelled)));
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    while let Some(report) = within(progress.next()).await {
        report.unwrap();
    }
}

/// The first reports and the last one are enough.
#[tokio::test(start_paused = true)]
async fn a_job_that_reports_in_a_loop_does_not_flood_its_dispatcher() {
    let node = node();
    let (dispatcher, jobs) = start(&node, Dispatcher::builder());
    let flooded = dispatcher.clone();
    Worker::builder(&dispatcher)
        .start(&node, move |attempt: Attempt<u32>| {
            let flooded = flooded.clone();
            async move {
                let mut most = 0;
                for round in 1..=2 {
                    for number in 0..10_000 {
                        attempt.progress(&(round * number))?;
                        most = most.max(flooded.queue_len().unwrap_or(0));
                    }
                    sleep(attempt.job * MS).await;
                }
                Ok::<_, aemp::SendError>(most as u32)
            }
        })
        .unwrap();
    let job = jobs.submit(&100).await.unwrap();
    let mut progress = job.progress::<u32>();
    while within(progress.next()).await.unwrap().unwrap() != 9_999 {}
    while within(progress.next()).await.unwrap().unwrap() != 2 * 9_999 {}
    let most = within(job.result()).await.unwrap();
    assert!(most < 100, "{most} reports wait");
    // The report at the end comes before the end.
    let job = jobs.submit(&0).await.unwrap();
    let mut progress = job.progress::<u32>();
    let mut last = 0;
    while let Some(report) = within(progress.next()).await {
        last = report.unwrap();
    }
    assert_eq!(last, 2 * 9_999);
}

#[tokio::test(start_paused = true)]
async fn workers_and_dispatchers_drain() {
    let node = node();
    let gate = Arc::new(Semaphore::new(0));
    let (dispatcher, jobs) = start(&node, Dispatcher::builder());
    let open = Arc::clone(&gate);
    let worker = Worker::builder(&dispatcher)
        .start(&node, move |attempt: Attempt<u32>| {
            let gate = Arc::clone(&open);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok::<_, Failure>(attempt.job)
            }
        })
        .unwrap();
    let first = jobs.submit(&1).await.unwrap();
    let second = jobs.submit(&2).await.unwrap();
    while dispatcher.stats().await.unwrap().running == 0 {
        tokio::task::yield_now().await;
    }
    let drained = tokio::spawn(worker.drain());
    sleep(MS).await;
    gate.add_permits(1);
    within(drained).await.unwrap().unwrap();
    assert_eq!(first.result().await.unwrap(), 1);
    let stats = dispatcher.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.workers), (1, 0));

    let drained = tokio::spawn(dispatcher.drain());
    sleep(MS).await;
    assert!(matches!(jobs.submit(&3).await, Err(JobError::Draining)));
    gate.add_permits(9);
    doubling(&node, &dispatcher, 1, &gate);
    within(drained).await.unwrap().unwrap();
    assert_eq!(second.result().await.unwrap(), 4);
    assert!(matches!(jobs.submit(&4).await, Err(JobError::Died(_))));
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_and_the_repeated_are_marked() {
    let node = node();
    let builder = Dispatcher::builder().register("work");
    let first = builder.clone().start(&node).unwrap();
    sleep(MS).await;
    let second = builder.start(&node).unwrap();
    let jobs = Jobs::<u32, u32>::new(&node, "work").unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    Worker::builder("work")
        .at_once(2)
        .start(&node, move |attempt: Attempt<u32>| {
            let gate = Arc::clone(&open);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok::<_, Failure>(attempt.number())
            }
        })
        .unwrap();
    let mut all = Vec::new();
    for job in 0..5 {
        all.push(jobs.submit(&job).await.unwrap());
    }
    while first.stats().await.unwrap().running < 2 {
        sleep(MS).await;
    }
    first.kill("boom");
    while second.stats().await.unwrap().running < 2 {
        sleep(MS).await;
    }
    gate.add_permits(9);
    for job in &all {
        assert_eq!(within(job.result()).await.unwrap(), 2);
    }
    // One that drains gives its new jobs to the next one, and does those that it has.
    let third = Dispatcher::builder().register("work").start(&node).unwrap();
    sleep(MS).await;
    within(second.drain()).await.unwrap();
    gate.add_permits(1);
    let job = within(jobs.submit(&9).into_future()).await.unwrap();
    assert_eq!(within(job.result()).await.unwrap(), 1);
    assert_eq!(third.stats().await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_dispatcher_there_is_an_error_and_no_wait() {
    let node = node();
    let dead = PortId::parse(&format!("{}#nothing", node.id())).unwrap();
    let jobs = Jobs::<u32, u32>::new(&node, dead).unwrap();
    let error = within(jobs.submit(&1).into_future()).await.unwrap_err();
    assert!(matches!(error, JobError::Died(_)), "{error}");
    let error = within(jobs.submit(&1).into_future()).await.unwrap_err();
    assert!(matches!(error, JobError::Died(_)), "{error}");
    assert!(Jobs::<u32, u32>::new(&node, "no family").is_err());

    let jobs = Jobs::<u32, u32>::new(&node, "work").unwrap();
    let waiting = {
        let jobs = jobs.clone();
        tokio::spawn(async move { jobs.submit(&1).await })
    };
    sleep(MS).await;
    node.stop().await;
    let error = within(waiting).await.unwrap().unwrap_err();
    assert!(matches!(error, JobError::Stopped), "{error}");
    let error = within(jobs.submit(&1).into_future()).await.unwrap_err();
    assert!(matches!(error, JobError::Stopped), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_submitter_ends_with_its_handles_and_its_jobs() {
    let node = node();
    let (dispatcher, jobs) = start(&node, Dispatcher::builder());
    let job = jobs.submit(&1).await.unwrap();
    drop(jobs);
    let gate = Arc::new(Semaphore::new(9));
    doubling(&node, &dispatcher, 1, &gate);
    assert_eq!(within(job.result()).await.unwrap(), 2);
    while dispatcher.stats().await.unwrap().submitters > 0 {
        tokio::task::yield_now().await;
    }
}

/// A port that keeps its messages as a worker, or as a dispatcher.
#[derive(Default)]
struct Told {
    attempts: Vec<u64>,
    ended: Vec<(u64, Value)>,
}

#[port]
impl Told {
    #[rcv]
    fn attempt(&mut self, _dispatcher: Value, _run: u64, assignment: Value) {
        let number = assignment
            .as_map()
            .and_then(|map| map.get("attempt")?.as_u64());
        self.attempts.push(number.expect("an assignment"));
    }

    #[rcv]
    fn ended(&mut self, run: u64, outcome: Value) {
        self.ended.push((run, outcome));
    }

    #[rcv]
    fn attempts(&self) -> Vec<u64> {
        self.attempts.clone()
    }

    #[rcv]
    fn all_ended(&self) -> Vec<(u64, Value)> {
        self.ended.clone()
    }
}

/// A worker offers its room once in each session. If it does so again, it has lost the one before, whose attempts it has
/// dropped, and no monitor of the dispatcher needs to fire for that.
#[tokio::test(start_paused = true)]
async fn the_attempts_of_a_worker_that_begins_anew_are_repeated() {
    let node = node();
    let (dispatcher, jobs) = start(&node, Dispatcher::builder());
    let told = node.port(Told::default());
    dispatcher.offer(node.handle(&told.id()), 1);
    let _job = jobs.submit(&1).await.unwrap();
    sleep(MS).await;
    assert_eq!(told.attempts().await.unwrap(), [1]);
    dispatcher.offer(node.handle(&told.id()), 1);
    sleep(100 * MS).await;
    assert_eq!(told.attempts().await.unwrap(), [1, 2]);
    assert_eq!(dispatcher.stats().await.unwrap().workers, 1);
}

#[tokio::test(start_paused = true)]
async fn a_worker_gives_an_attempt_back_that_it_has_not_asked_for() {
    let node = node();
    let (dispatcher, _jobs) = start(&node, Dispatcher::builder());
    let worker = Worker::builder(&dispatcher).start(&node, |_: Attempt<u32>| async {
        panic!("it is not begun");
        #[expect(unreachable_code, reason = "the type of the result")]
        Ok::<u32, Failure>(0)
    });
    let told = node.port(Told::default());
    let assignment =
        serde_json::json!({ "id": { "submitter": "s#1", "number": 1 }, "attempt": 1, "job": 1 });
    let assignment = aemp_codec::to_value(&assignment).unwrap();
    let from = told.id().to_string();
    let message = vec!["attempt".into(), from.into(), 7.into(), assignment];
    node.snd(&worker.unwrap().id(), message);
    sleep(MS).await;
    let ended = told.all_ended().await.unwrap();
    assert_eq!(ended, [(7, "stopped".into())]);
}

/// The dispatcher gives the job back while the order to cancel it is under way.
#[tokio::test(start_paused = true)]
async fn a_cancelled_job_of_a_dispatcher_that_drains_goes_to_no_other() {
    let node = node();
    let builder = Dispatcher::builder().register("work").capacity(1);
    let first = builder.clone().start(&node).unwrap();
    sleep(MS).await;
    let second = builder.start(&node).unwrap();
    sleep(MS).await;
    let jobs = Jobs::<u32, u32>::new(&node, "work").unwrap();
    let _accepted = jobs.submit(&1).await.unwrap();
    let unaccepted = tokio::time::timeout(MS, async {
        let waiting = jobs.submit(&2).into_future();
        let drain = async {
            while first.stats().await.unwrap().unaccepted == 0 {
                tokio::task::yield_now().await;
            }
            tokio::spawn(first.drain());
        };
        tokio::select! {
            _ = waiting => panic!("there is no room"),
            () = drain => {}
        }
    });
    unaccepted.await.unwrap();
    sleep(MS).await;
    let stats = second.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.unaccepted), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_zero_takes_no_time() {
    let node = node();
    let at_once = Backoff {
        first: Duration::ZERO,
        most: Duration::ZERO,
        reset: Duration::ZERO,
    };
    let (dispatcher, jobs) = start(&node, Dispatcher::builder().attempts(20).backoff(at_once));
    Worker::builder(&dispatcher)
        .start(&node, |attempt: Attempt<u32>| async move {
            match attempt.number() {
                20 => Ok(attempt.job),
                _ => Err("not yet"),
            }
        })
        .unwrap();
    let begin = tokio::time::Instant::now();
    let job = jobs.submit(&7).await.unwrap();
    assert_eq!(within(job.result()).await.unwrap(), 7);
    assert_eq!(begin.elapsed(), Duration::ZERO);
}
