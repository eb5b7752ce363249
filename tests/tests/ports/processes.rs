//! Processes: ports whose body is one async function with a mailbox.

use std::{
    future::{Pending, pending},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{
    Args, CallError, Cx, Feed, Handle, Inbox, Node, Origin, PortId, Reason, UntypedMsg, Value,
    args, cal, msg, port, protocol, receive, snd, spawnable,
};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

use crate::{Journal, death, death_by, many_threads, node, on_both, settle, until, watch, within};

const SECOND: Duration = Duration::from_secs(1);

/// A process that notes its end of any kind, and waits for a message that never comes.
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
        assert_eq!(death_by(&normal, go).await, "");
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
        let reason = death(&early).await;
        assert!(
            reason == "die early" || reason.starts_with("no_such_port"),
            "{reason}"
        );
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
fn handlers_take_their_tags_and_the_process_the_rest() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let notes = journal.clone();
        let port = node.empty_port();
        node.rcv(&port.id(), "handled", move |_: &mut Cx<'_>, args: Args| {
            notes.note(format!("{args:?}"));
        })
        .unwrap();
        let notes = journal.clone();
        node.rcv_async(&port.id(), |inbox| async move {
            notes.note(format!("{:?}", inbox.recv().await));
            inbox.get("end").await;
        })
        .unwrap();
        snd!(node, port, "handled", 1);
        snd!(node, port, "other", 2);
        settle(&port).await;
        let mut noted = journal.take();
        noted.sort_unstable();
        assert_eq!(noted, [r#"[Int(1)]"#, r#"[Str("other"), Int(2)]"#]);
        assert_eq!(death_by(&port, || drop(snd!(node, port, "end"))).await, "");
        until(|| node.rcv_async(&port.id(), |_inbox| async {}).is_err()).await;
    });
}

/// A typed port with a process for all other messages.
struct Desk {
    others: Feed,
}

#[port]
impl Desk {
    #[rcv]
    fn ping(&self) -> String {
        "pong".into()
    }

    #[rcv(default)]
    fn other(&mut self, tag: &str, args: Args) {
        self.others.put(tag, args);
    }
}

#[spawnable(name = "Process::desk")]
fn desk(cx: &mut Cx<'_>) -> Desk {
    let others = cx.attach(|inbox| async move {
        let to = inbox.get("to").await.remove(0);
        let to = PortId::parse(to.as_str().ok_or("no text")?).map_err(|error| error.to_string())?;
        let what = inbox.get("what").await;
        inbox.snd(&to, what);
        inbox.get("end").await;
        Err::<(), _>("the end".to_owned())
    });
    Desk { others }
}

#[test]
fn a_typed_port_has_a_process() {
    on_both(|| async {
        let node = node();
        let (inbox, mut told) = recorder(&node);
        let desk = desk::on(&node, "");
        snd!(node, desk, "what", "for", 1);
        snd!(node, desk, "to", inbox.id().to_string());
        assert_eq!(within(told.recv()).await, Some(msg!["for", 1]));
        assert_eq!(within(desk.ping()).await.unwrap(), "pong");
        assert_eq!(
            death_by(&desk, || drop(snd!(node, desk, "end"))).await,
            "die the end"
        );
    });
}

#[spawnable(name = "Process::sum")]
async fn sum(inbox: Inbox, start: i64, times: Option<u32>) -> Result<(), Reason> {
    let mut sum = start;
    for _ in 0..times.unwrap_or(2) {
        sum += inbox.get("add").await[0].as_i64().ok_or("no number")?;
    }
    let whence = format!("{:?}", inbox.origin());
    Err(Reason::new(msg!["sum", sum, whence]))
}

#[test]
fn a_process_is_spawned_by_name() {
    on_both(|| async {
        let node = node();
        for handle in [sum::on(&node, "", 5, None), sum::on(&node, "", 5, Some(2))] {
            snd!(node, handle, "other", 100);
            snd!(node, handle, "add", 1);
            let last = || drop(snd!(node, handle, "add", 2));
            assert_eq!(death_by(&handle, last).await, "sum 8 Some(Local)");
        }
        let bad = node.spawn("", "Process::sum", args!["x"]);
        let (tell, told) = oneshot::channel();
        node.mon(&bad, |reason| drop(tell.send(reason.to_string())))
            .detach();
        let reason = within(told).await.unwrap();
        assert!(
            reason.starts_with("die Process::sum: argument 1 (`start`)"),
            "{reason}"
        );
    });
}

#[test]
fn an_init_function_attaches_a_process() {
    on_both(|| async {
        let builder = Node::builder().init("Hand::process", |cx: &mut Cx<'_>, args: Args| {
            cx.rcv_async(|inbox| async move {
                let got = inbox.get("end").await;
                Err::<(), _>(Reason::new([args, got].concat()))
            });
        });
        let node = builder.start_local().unwrap();
        let port = node.spawn("", "Hand::process", args![1]);
        let (tell, told) = oneshot::channel();
        node.mon(&port, |reason| drop(tell.send(reason.to_string())))
            .detach();
        snd!(node, port, "end", 2);
        assert_eq!(within(told).await.unwrap(), "1 2");
    });
}

/// The messages of a process, for its typed handle.
#[protocol]
trait Sums {
    fn add(&self, n: i64);
    fn total(&self) -> i64;
}

#[test]
fn a_protocol_makes_a_typed_handle() {
    on_both(|| async {
        let node = node();
        let process = node.process(|inbox| async move {
            let mut total = 0;
            loop {
                receive! { inbox,
                    ("add", n: i64) => total += n,
                    ("total", reply: PortId) => drop(snd!(inbox, reply, total)),
                }
            }
        });
        let sums: SumsRef = node.handle(&process.id());
        sums.add(40);
        sums.add(2);
        assert_eq!(within(sums.total()).await.unwrap(), 42);
        let waits = sums.total();
        process.kill("gone");
        let error = within(waits).await.unwrap_err();
        assert!(error.reason().is_some(), "{error}");
    });
}

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

/// Whatever a process awaits from tokio shares the budget of the task that polls it.
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
fn whatever_tokio_offers_can_be_awaited() {
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
    let desk = desk::on(&node, "");
    assert_eq!(desk.ping().wait().unwrap(), "pong");
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
