//! Async handlers: one at a time, cancelled by a kill.

use std::{future::pending, sync::Arc, time::Duration};

use aemp::{Cx, Local, port};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::sleep,
};

use crate::{Journal, Recorder, death_by, node, on_both, settle, until, watch, within};

/// Waits, one way or another.
#[derive(Default)]
pub(crate) struct Slow {
    journal: Journal,
    count: u64,
}

/// Notes that it is dropped, and panics if it is told to.
struct Note(Journal, bool);

impl Drop for Note {
    fn drop(&mut self) {
        self.0.note("dropped");
        assert!(!self.1, "in a drop");
    }
}

#[port(vis = pub(crate))]
impl Slow {
    #[rcv]
    fn note(&mut self, text: String) {
        self.journal.note(text);
    }

    #[rcv]
    async fn sleep(&mut self, ms: u64) {
        let before = self.count;
        self.count += 1;
        self.journal.note("begin");
        sleep(Duration::from_millis(ms)).await;
        self.count += 1;
        assert_eq!(self.count, before + 2, "another handler has run");
        self.journal.note("end");
    }

    /// Notes the task in which it continues.
    #[rcv]
    async fn task(&mut self) {
        tokio::task::yield_now().await;
        self.journal.note(format!("{:?}", tokio::task::try_id()));
    }

    #[rcv]
    async fn at_once(&mut self, n: u64) -> u64 {
        self.count += n;
        self.count
    }

    #[rcv]
    async fn forever(&mut self, begun: Local<oneshot::Sender<()>>, loud: bool) {
        let _note = Note(self.journal.clone(), loud);
        self.journal.note("forever");
        let _ = begun.0.send(());
        pending().await
    }

    #[rcv]
    async fn until(&mut self, gate: Local<Arc<Notify>>) -> u64 {
        gate.0.notified().await;
        self.count += 1;
        self.count
    }

    #[rcv(try)]
    async fn fail(&mut self, cx: &mut Cx<'_>, how: String, wait: bool) -> Result<u64, String> {
        if wait {
            sleep(Duration::from_millis(1)).await;
        }
        match &*how {
            "panic" => panic!("{how}"),
            "kil" => cx.kill("kil"),
            _ => return Err(how),
        }
        Ok(1)
    }

    #[rcv]
    async fn again(&mut self, cx: &mut Cx<'_>) {
        let me: SlowRef = cx.me().expect("itself");
        me.again();
    }
}

fn slow(journal: &Journal) -> Slow {
    Slow {
        journal: journal.clone(),
        count: 0,
    }
}

#[test]
fn one_message_at_a_time_and_in_order() {
    on_both(|| async {
        let journal = Journal::default();
        let port = node().port(slow(&journal));
        port.note("1".into());
        port.sleep(3);
        port.note("2".into());
        port.sleep(1);
        port.sleep(0);
        port.note("3".into());
        settle(&port).await;
        let expected = [
            "1", "begin", "end", "2", "begin", "end", "begin", "end", "3",
        ];
        assert_eq!(journal.take(), expected);
    });
}

#[test]
fn handlers_that_need_not_wait_do_not() {
    on_both(|| async {
        let port = node().port(Slow::default());
        for n in 1..=200 {
            assert_eq!(within(port.at_once(1)).await.unwrap(), n);
        }
        for _ in 0..1_000 {
            drop(port.post(SlowMsg::AtOnce(1, aemp::Reply::none())));
        }
        assert_eq!(within(port.at_once(0)).await.unwrap(), 1_200);
    });
}

#[test]
fn one_task_handles_a_queue_whose_handlers_wait() {
    on_both(|| async {
        let journal = Journal::default();
        let port = node().port(slow(&journal));
        // Twice: afterwards the handler is known to wait.
        for _ in 0..2 {
            let gate = Arc::new(Notify::new());
            let begun = tokio::spawn(port.until(Local(Arc::clone(&gate))));
            while port.queue_len() != Some(0) {
                tokio::task::yield_now().await;
            }
            for _ in 0..200 {
                port.task();
                port.note("plain".into());
            }
            gate.notify_one();
            within(begun).await.unwrap().unwrap();
            settle(&port).await;
            let notes = journal.take();
            assert_eq!(notes.len(), 400);
            let tasks: Vec<_> = notes.iter().filter(|note| *note != "plain").collect();
            assert!(tasks.iter().all(|task| *task == tasks[0]), "{tasks:?}");
        }
    });
}

/// The task is as good as new for each message, and ends with the port.
#[tokio::test]
async fn the_task_of_an_idle_port_rests() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let (journal, node, before) = (Journal::default(), node(), tasks());
    let ports: Vec<_> = (0..2).map(|_| node.port(slow(&journal))).collect();
    for (port, resting) in ports.iter().zip(1..) {
        // At first, handlers are not known to wait.
        for _ in 0..10 {
            port.task();
            settle(port).await;
            until(|| tasks() == before + resting).await;
        }
        let ids = journal.take();
        assert_eq!(ids.len(), 10);
        assert!(ids[1..].iter().all(|id| *id == ids[1]), "{ids:?}");
    }
    for (port, killed) in ports.iter().zip(1..) {
        port.kill("no task without a port");
        until(|| tasks() == before + ports.len() - killed).await;
    }
}

/// Ports beyond the limit are handled all the same, and the tasks of the others go on.
#[tokio::test]
async fn resting_tasks_are_limited() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let (journal, node, before) = (Journal::default(), node(), tasks());
    let ports: Vec<_> = (0..3_000).map(|_| node.port(slow(&journal))).collect();
    for _ in 0..3 {
        ports.iter().for_each(|port| drop(port.task()));
        for port in &ports {
            settle(port).await;
        }
        assert_eq!(journal.take().len(), ports.len());
    }
    until(|| tasks() <= before + 1024).await;
    assert!(tasks() > before + 1000, "{}", tasks());
}

#[test]
fn answers_come_when_the_handler_returns() {
    on_both(|| async {
        let port = node().port(Slow::default());
        let gate = Arc::new(Notify::new());
        let first = tokio::spawn(port.until(Local(Arc::clone(&gate))));
        let second = tokio::spawn(port.at_once(10));
        gate.notify_one();
        let mut answers = [
            within(first).await.unwrap().unwrap(),
            within(second).await.unwrap().unwrap(),
        ];
        answers.sort_unstable();
        assert!(answers == [1, 11] || answers == [10, 11], "{answers:?}");
    });
}

#[test]
fn a_kill_cancels() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let port = node.port(slow(&journal));
        let (begun, has_begun) = oneshot::channel();
        let told = watch(&port);
        port.forever(Local(begun), false);
        within(has_begun).await.unwrap();
        port.kill("cancelled");
        assert_eq!(within(told).await.unwrap().to_string(), "cancelled");
        assert_eq!(journal.take(), ["forever", "dropped"]);
        assert_eq!(node.port_count(), 0);
    });
}

#[test]
fn messages_before_the_kill_are_handled() {
    on_both(|| async {
        for early in [true, false] {
            let node = node();
            let journal = Journal::default();
            let port = node.port(slow(&journal));
            let told = watch(&port);
            let (begun, has_begun) = oneshot::channel();
            port.forever(Local(begun), false);
            if !early {
                within(has_begun).await.unwrap();
            }
            port.note("1".into());
            port.sleep(3_600_000);
            port.note("2".into());
            port.kill("in order");
            port.note("3".into());
            assert_eq!(within(told).await.unwrap().to_string(), "in order");
            let expected = ["forever", "dropped", "1", "begin", "2"];
            assert_eq!(journal.take(), expected);
        }
    });
}

#[test]
fn a_drop_that_panics_does_not_save_the_port() {
    on_both(|| async {
        for early in [true, false] {
            let node = node();
            let journal = Journal::default();
            let port = node.port(slow(&journal));
            let told = watch(&port);
            let (begun, has_begun) = oneshot::channel();
            port.forever(Local(begun), true);
            if !early {
                within(has_begun).await.unwrap();
            }
            port.kill("cancelled");
            within(told).await.expect("the monitor fires");
            assert_eq!(journal.take(), ["forever", "dropped"]);
            let other = node.port(Recorder::default());
            assert_eq!(within(other.count()).await.unwrap(), 0);
            assert_eq!(node.port_count(), 1);
        }
    });
}

#[test]
fn failures_kill() {
    on_both(|| async {
        let node = node();
        for wait in [false, true] {
            for (how, reason) in [
                ("panic", "die panic"),
                ("kil", "kil"),
                ("error", "die error"),
            ] {
                let port = node.port(Slow::default());
                let told = watch(&port);
                let answer = within(port.fail(how.into(), wait)).await;
                assert_eq!(within(told).await.unwrap().to_string(), reason);
                match answer {
                    Ok(answer) => assert_eq!((how, answer), ("kil", 1)),
                    Err(error) => {
                        assert_eq!(error.reason().expect("it died").to_string(), reason);
                    }
                }
            }
        }
        assert_eq!(node.port_count(), 0);
    });
}

#[test]
fn one_that_never_waits_does_not_keep_others_from_running() {
    on_both(|| async {
        let node = node();
        let port = node.port(Slow::default());
        port.again();
        tokio::task::yield_now().await;
        let other = node.port(Recorder::default());
        assert_eq!(within(other.count()).await.unwrap(), 0);
        let reason = death_by(&port, || port.kill("enough")).await;
        assert_eq!(reason, "enough");
    });
}

#[tokio::test(start_paused = true)]
async fn code_in_the_ports_context_waits_for_its_turn() {
    let journal = Journal::default();
    let port = node().port(slow(&journal));
    let notes = journal.clone();
    port.peval(move |cx: &mut Cx<'_>| {
        cx.after(Duration::from_secs(1), move |_| notes.note("timer"));
    });
    port.sleep(5_000);
    settle(&port).await;
    assert_eq!(journal.take(), ["begin", "end", "timer"]);
}

#[test]
fn a_future_of_the_port_can_kill_it_while_it_waits() {
    on_both(|| async {
        let node = node();
        let port = node.port(Slow::default());
        let (begun, has_begun) = oneshot::channel();
        port.peval(move |cx: &mut Cx<'_>| {
            cx.spawn(async move {
                let _ = has_begun.await;
                Err::<(), _>("its future failed")
            });
        });
        let told = watch(&port);
        port.forever(Local(begun), false);
        assert_eq!(
            within(told).await.unwrap().to_string(),
            "die its future failed"
        );
    });
}
