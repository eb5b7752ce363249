//! Processes: ports whose body is one async function with a mailbox.

mod attached;
mod receiving;
mod surroundings;

use std::{
    future::{Pending, pending},
    sync::Arc,
    time::Duration,
};

use aemp::{
    Args, Cx, Handle, Inbox, Node, Origin, PortId, Reason, UntypedMsg, Value, cal, msg, snd,
};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{Journal, death, death_by, node, on_both, settle, until, watch, within};

const SECOND: Duration = Duration::from_secs(1);

/// Notes that it is dropped.
struct Note(Journal, &'static str);

impl Drop for Note {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// A process that sends everything to a channel, in the order in which it receives it.
fn recorder(node: &Node) -> (Handle<UntypedMsg>, mpsc::UnboundedReceiver<Args>) {
    let (tell, told) = mpsc::unbounded_channel();
    let process = node.process(move |inbox| async move {
        loop {
            let _ = tell.send(inbox.recv().await);
        }
    });
    (process, told)
}

/// Fails before there is a future.
fn fails() -> Pending<()> {
    panic!("early")
}

/// The result of `run`, which a process has found.
async fn result_of<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    node: Node,
    before: Vec<Args>,
    run: impl FnOnce(Inbox) -> F + Send + 'static,
) -> T {
    let (tell, told) = oneshot::channel();
    let gate = Arc::new(Notify::new());
    let open = Arc::clone(&gate);
    let process = node.process(move |inbox| async move {
        gate.notified().await;
        let _ = tell.send(run(inbox).await);
    });
    for message in before {
        node.snd(&process.id(), message).check().unwrap();
    }
    settle(&process).await;
    open.notify_one();
    within(told).await.expect("the process returns")
}

#[test]
fn a_process_waits_for_messages() {
    on_both(|| async {
        let node = node();
        let (process, mut told) = recorder(&node);
        for n in 0..1000 {
            snd!(node, process, "n", n);
            if n % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        for n in 0..1000 {
            assert_eq!(within(told.recv()).await, Some(msg!["n", n]));
        }
        assert_eq!(process.queue_len(), Some(0));
    });
}

#[test]
fn the_end_of_the_function_is_that_of_the_port() {
    on_both(|| async {
        let node = node();
        let failed: fn() -> Result<(), Reason> = || Err(Reason::new(msg!["a", 1]));
        let normal = node.process(|inbox| async move { drop(inbox.recv().await) });
        let go = || drop(snd!(node, normal, "go"));
        assert_eq!(death_by(&normal, go).await, "normal");
        let text = node.process(|inbox| async move {
            inbox.recv().await;
            Err::<(), _>("out of tea")
        });
        assert_eq!(
            death_by(&text, || drop(snd!(node, text, 1))).await,
            "die out of tea"
        );
        let reason = node.process(move |inbox| async move {
            inbox.recv().await;
            failed()
        });
        assert_eq!(
            death_by(&reason, || drop(snd!(node, reason, 1))).await,
            "a 1"
        );
        let panics = node.process(|inbox| async move { panic!("{:?}", inbox.recv().await) });
        let text = death_by(&panics, || drop(snd!(node, panics, 1))).await;
        assert_eq!(text, "die [Int(1)]");
        let early = node.process(|_inbox| fails());
        assert_eq!(death(&early).await, "die early");
        assert_eq!(node.port_count(), 0);
    });
}

#[test]
fn a_kill_drops_the_body_before_the_monitors_fire() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let (notes, begun) = (journal.clone(), Arc::new(Notify::new()));
        let begins = Arc::clone(&begun);
        let process = node.process(move |inbox| async move {
            let _note = Note(notes, "dropped");
            begins.notify_one();
            inbox.get("never").await;
        });
        let notes = journal.clone();
        let (tell, told) = oneshot::channel();
        let callback = move |reason: &Reason| {
            notes.note(reason);
            let _ = tell.send(());
        };
        process.monitor(callback).detach();
        within(begun.notified()).await;
        process.kill("enough");
        within(told).await.unwrap();
        assert_eq!(journal.take(), ["dropped", "enough"]);
        assert!(snd!(node, process, "late").check().is_ok());
        assert_eq!(node.port_count(), 0);
    });
}

/// The kill is in order with the messages: the process gets those before it, if it waits for them.
#[test]
fn a_kill_comes_between_two_polls() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let notes = journal.clone();
        let process = node.process(move |inbox| async move {
            let _note = Note(notes.clone(), "dropped");
            loop {
                notes.note(inbox.get("n").await[0].as_i64().unwrap());
            }
        });
        settle(&process).await;
        let told = watch(&process);
        for n in 0..3 {
            snd!(node, process, "n", n);
        }
        process.kill("enough");
        snd!(node, process, "n", 3);
        assert_eq!(within(told).await.unwrap().to_string(), "enough");
        assert_eq!(journal.take(), ["0", "1", "2", "dropped"]);
    });
}

#[test]
fn a_panic_in_a_drop_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    on_both(|| async {
        let node = node();
        let process = node.process(|inbox| async move {
            let _bomb = Bomb;
            inbox.recv().await;
        });
        settle(&process).await;
        assert_eq!(
            death_by(&process, || process.kill("enough")).await,
            "enough"
        );
        let process = node.process(|inbox| async move {
            let _bomb = Bomb;
            inbox.recv().await;
        });
        settle(&process).await;
        let reason = death_by(&process, || drop(snd!(node, process, "go"))).await;
        assert_eq!(reason, "die in a drop");
    });
}

#[test]
fn a_process_kills_itself() {
    on_both(|| async {
        let node = node();
        let by_id = node.process(|inbox| async move {
            inbox.recv().await;
            inbox.node().kil(&inbox.id(), "by its ID");
            inbox.kill("too late");
            inbox.recv().await;
            unreachable!()
        });
        settle(&by_id).await;
        assert_eq!(
            death_by(&by_id, || drop(snd!(node, by_id, 1))).await,
            "by its ID"
        );
    });
}

#[test]
fn deaths_are_messages() {
    on_both(|| async {
        let node = node();
        let victim = node.process(|inbox| async move {
            let to = inbox.get("to").await;
            let to = PortId::parse(to[0].as_str().unwrap()).unwrap();
            for n in 0..3 {
                snd!(inbox, to, "n", n);
            }
            Err::<(), _>(Reason::new(msg!["gone", vec![Value::from(1)]]))
        });
        let id = victim.id();
        let received = result_of(node.clone(), vec![], move |inbox| async move {
            let _guard = inbox.monitor(&id);
            drop(inbox.monitor(&id));
            snd!(inbox, id, "to", inbox.id().to_string());
            let mut all = Vec::new();
            for _ in 0..4 {
                all.push(inbox.recv().await);
            }
            inbox.monitor(&id).detach();
            let again = inbox.get("DOWN").await;
            assert_eq!(inbox.origin(), Some(Origin::Local));
            (all, again)
        });
        let (all, again) = received.await;
        let reason = Value::Array(msg!["gone", vec![Value::from(1)]]);
        assert_eq!(all[..3], [msg!["n", 0], msg!["n", 1], msg!["n", 2]]);
        assert_eq!(all[3], msg!["DOWN", victim.id().to_string(), reason]);
        assert_eq!(again[1].as_array().unwrap()[0], "no_such_port".into());
    });
}

#[test]
fn links_kill_the_process() {
    on_both(|| async {
        let node = node();
        let other = node.empty_port();
        let id = other.id();
        let process = node.process(|inbox| async move {
            let _link = inbox.link(&id);
            inbox.recv().await;
        });
        settle(&process).await;
        assert_eq!(death_by(&process, || other.kill("both")).await, "both");
    });
}

#[test]
fn a_future_of_the_process_dies_with_it_and_kills_it() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let notes = journal.clone();
        let process = node.process(move |inbox| async move {
            let note = Note(notes, "dropped");
            inbox.spawn(async move {
                let _note = note;
                pending::<()>().await;
            });
            inbox.get("fail").await;
            inbox.spawn(async { Err::<(), _>("its future") });
            inbox.get("never").await;
        });
        settle(&process).await;
        assert_eq!(
            death_by(&process, || drop(snd!(node, process, "fail"))).await,
            "die its future"
        );
        until(|| !journal.0.lock().unwrap().is_empty()).await;
    });
}

/// Within a process, node ports are out of reach, as within handlers.
#[test]
fn a_process_counts_as_its_port() {
    on_both(|| async {
        let refused = result_of(node(), vec![], |inbox| async move {
            let node_port = PortId::parse("#").unwrap();
            inbox.snd(&node_port, msg!["time"]).check().is_err()
        });
        assert!(refused.await);
    });
}

#[test]
fn a_process_calls_and_is_called_by_itself() {
    on_both(|| async {
        let node = node();
        let echo = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
            let to = message.pop().unwrap();
            snd!(
                cx,
                PortId::parse(to.as_str().unwrap()).unwrap(),
                message.remove(1)
            );
        });
        let echo = echo.id();
        let answer = result_of(node.clone(), vec![], move |inbox| async move {
            let answer = cal!(inbox, echo, "echo", 7).timeout(SECOND).await;
            snd!(inbox, inbox.id(), "self", 1);
            (answer.unwrap(), inbox.get("self").await)
        });
        assert_eq!(answer.await, (msg![7], msg![1]));
    });
}

#[test]
fn the_node_ends_its_processes() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        for _ in 0..3 {
            let notes = journal.clone();
            let process = node.process(|inbox| async move {
                let _note = Note(notes, "dropped");
                inbox.recv().await;
            });
            settle(&process).await;
        }
        within(node.stop()).await;
        assert_eq!(journal.take(), ["dropped"; 3]);
        let late = node.process(|_inbox| async { panic!("it never runs") });
        assert_eq!(late.queue_len(), None);
    });
}
