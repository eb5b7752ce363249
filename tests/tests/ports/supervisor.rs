//! Supervisors of one node, in paused time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use aemp::{
    CallError, Node, Reason, port,
    supervisor::{
        Backoff, Child, ChildError, ChildState, Follow, Restart, Strategy, Supervisor,
        SupervisorRef,
    },
};

use crate::{Journal, death, node, within};

const SECOND: Duration = Duration::from_secs(1);

/// Says when it begins and ends.
struct Worker {
    name: &'static str,
    journal: Journal,
}

#[port]
impl Worker {
    #[rcv]
    fn name(&self) -> String {
        self.name.into()
    }

    #[rcv(try, send)]
    fn fail(&self, text: String) -> Result<(), String> {
        Err(text)
    }

    #[rcv]
    async fn hang(&mut self) -> u32 {
        std::future::pending().await
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.journal.note(format_args!("-{}", self.name));
    }
}

fn worker(name: &'static str, journal: &Journal) -> impl FnMut(&Node) -> WorkerRef + use<> {
    let journal = journal.clone();
    move |node| {
        journal.note(format_args!("+{name}"));
        let journal = journal.clone();
        node.port(Worker { name, journal })
    }
}

/// A supervisor of `a`, `b` and `c`.
async fn three(strategy: Strategy, journal: &Journal) -> (Node, SupervisorRef) {
    let node = node();
    let mut builder = Supervisor::builder().strategy(strategy);
    for name in ["a", "b", "c"] {
        builder = builder.child(name, Restart::Permanent, worker(name, journal));
    }
    let sup = builder.start(&node);
    within(sup.ready()).await.unwrap();
    assert_eq!(journal.take(), ["+a", "+b", "+c"]);
    (node, sup)
}

async fn child(sup: &SupervisorRef, name: &str) -> Follow<WorkerRef> {
    within(sup.follow(name)).await.unwrap()
}

/// Waits longer than any back-off of these tests.
async fn pass() {
    tokio::time::sleep(SECOND).await;
}

/// A supervisor of a child that is restarted without a pause.
fn quick() -> (Node, SupervisorRef) {
    let (node, journal) = (node(), Journal::default());
    let backoff = Backoff {
        first: Duration::ZERO,
        most: Duration::ZERO,
        ..Backoff::default()
    };
    let child = Child::new("quick", worker("quick", &journal)).backoff(backoff);
    let supervisor = Supervisor::builder().with_child(child).start(&node);
    (node, supervisor)
}

/// Without a pause there is no timer, which would take a millisecond.
#[tokio::test(start_paused = true)]
async fn a_restart_without_a_pause_takes_no_time() {
    let (_node, supervisor) = quick();
    let follow: Follow<WorkerRef> = supervisor.follow("quick").await.unwrap();
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        follow.wait().await.unwrap().fail("as demanded".into());
        let call = follow.call(WorkerRef::name).retry(1);
        assert_eq!(call.await.unwrap(), "quick");
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn each_strategy_restarts_its_group() {
    let table: [(Strategy, &[&str]); 3] = [
        (Strategy::OneForOne, &["-b", "+b"]),
        (Strategy::OneForAll, &["-b", "-c", "-a", "+a", "+b", "+c"]),
        (Strategy::RestForOne, &["-b", "-c", "+b", "+c"]),
    ];
    for (strategy, expected) in table {
        let journal = Journal::default();
        let (_node, sup) = three(strategy, &journal).await;
        child(&sup, "b")
            .await
            .wait()
            .await
            .unwrap()
            .fail("x".into());
        pass().await;
        assert_eq!(journal.take(), expected, "{strategy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_children_end_in_reverse_order_with_their_supervisor() {
    let journal = Journal::default();
    let (_node, sup) = three(Strategy::OneForOne, &journal).await;
    sup.shutdown().await.unwrap();
    assert_eq!(journal.take(), ["-c", "-b", "-a"]);
    assert_eq!(death(&sup).await, "normal");
}

#[tokio::test(start_paused = true)]
async fn a_killed_supervisor_takes_its_children_along() {
    let journal = Journal::default();
    let (node, sup) = three(Strategy::OneForOne, &journal).await;
    sup.kill("tea");
    assert_eq!(death(&sup).await, "tea");
    pass().await;
    assert_eq!(journal.take(), ["-c", "-b", "-a"]);
    assert_eq!(node.port_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn children_are_shown_with_restarts_and_reasons() {
    let journal = Journal::default();
    let (_node, sup) = three(Strategy::OneForOne, &journal).await;
    let b = child(&sup, "b").await;
    let first = b.wait().await.unwrap();
    first.fail("out of tea".into());
    pass().await;
    let children = sup.children().await.unwrap();
    let names: Vec<&str> = children.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!((children[0].restarts, children[1].restarts), (0, 1));
    assert_eq!(children[1].reason, Some(Reason::die("out of tea")));
    assert_eq!(children[1].state, ChildState::Running);
    assert_eq!(children[1].port, Some(b.wait().await.unwrap().id()));
    assert_ne!(children[1].port, Some(first.id()));
}

#[tokio::test(start_paused = true)]
async fn too_many_restarts_reach_the_parent_which_restarts_the_subtree() {
    let node = node();
    let journal = Journal::default();
    let inner = journal.clone();
    let top = Supervisor::builder()
        .child("inner", Restart::Permanent, move |node| {
            Supervisor::builder()
                .intensity(2, 10 * SECOND)
                .child("calm", Restart::Permanent, worker("calm", &inner))
                .child("wild", Restart::Permanent, worker("wild", &inner))
                .start(node)
        })
        .start(&node);
    let inner = top.follow::<SupervisorRef>("inner").await.unwrap();
    let first = inner.wait().await.unwrap();
    first.ready().await.unwrap();
    journal.take();
    let wild = child(&first, "wild").await;
    for _ in 0..3 {
        wild.wait().await.unwrap().fail("x".into());
        pass().await;
    }
    assert_eq!(
        journal.take(),
        [
            "-wild", "+wild", "-wild", "+wild", "-wild", "-calm", "+calm", "+wild"
        ]
    );
    let children = top.children().await.unwrap();
    assert_eq!(children[0].restarts, 1);
    let reason = children[0].reason.clone().unwrap();
    assert_eq!(reason.kind(), "restart_limit");
    // The old subtree is not followed any further.
    let ended = wild.wait().await.unwrap_err();
    assert_eq!(ended.reason(), Some(&reason));
    assert!(inner.wait().await.unwrap() != first);
}

/// The state of an async handler is dropped late, and the new subtree waits for that.
#[tokio::test(start_paused = true)]
async fn a_killed_subtree_starts_again_when_all_of_it_has_ended() {
    let node = node();
    let journal = Journal::default();
    let inner = journal.clone();
    let top = Supervisor::builder()
        .child("inner", Restart::Permanent, move |node| {
            let inner = inner.clone();
            Supervisor::builder()
                .child("a", Restart::Permanent, worker("a", &inner))
                .child("b", Restart::Permanent, worker("b", &inner))
                .start(node)
        })
        .start(&node);
    let inner = top.follow::<SupervisorRef>("inner").await.unwrap();
    for _ in 0..3 {
        let sup = inner.wait().await.unwrap();
        sup.ready().await.unwrap();
        child(&sup, "a").await.wait().await.unwrap().hang().forget();
        sup.kill("tea");
        pass().await;
    }
    let notes = journal.take();
    let alive = notes.iter().scan(0, |alive, note| {
        *alive += if note.starts_with('+') { 1 } else { -1 };
        Some(*alive)
    });
    assert!(alive.clone().all(|alive| alive <= 2), "{notes:?}");
    assert_eq!(notes.len(), 3 * 4 + 2, "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn children_are_made_by_fallible_and_async_closures() {
    let node = node();
    let journal = Journal::default();
    let tries = Arc::new(AtomicU32::new(0));
    let (count, notes, later) = (Arc::clone(&tries), journal.clone(), journal.clone());
    let sup = Supervisor::builder()
        .child("fallible", Restart::Permanent, move |node| {
            match count.fetch_add(1, Ordering::Relaxed) {
                0 => Err("not yet"),
                1 => panic!("never"),
                _ => Ok(worker("fallible", &notes)(node)),
            }
        })
        .child_async("async", Restart::Permanent, move |node| {
            let journal = later.clone();
            async move {
                tokio::time::sleep(SECOND).await;
                Ok::<_, Reason>(worker("async", &journal)(&node))
            }
        })
        .child("last", Restart::Permanent, worker("last", &journal))
        .start(&node);
    pass().await;
    let state = sup.children().await.unwrap()[1].state;
    assert_eq!(
        state,
        ChildState::Starting,
        "the supervisor answers meanwhile"
    );
    within(sup.ready()).await.unwrap();
    assert_eq!(journal.take(), ["+fallible", "+async", "+last"]);
    let reason = sup.children().await.unwrap()[0].reason.clone();
    assert_eq!(reason, Some(Reason::die("never")));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_being_made_ends_with_its_supervisor() {
    for kill in [true, false] {
        let node = node();
        let dropped = Arc::new(());
        let probe = Arc::clone(&dropped);
        let sup = Supervisor::builder()
            .child_async("slow", Restart::Permanent, move |node| {
                let probe = Arc::clone(&probe);
                async move {
                    std::future::pending::<()>().await;
                    drop(probe);
                    node.empty_port()
                }
            })
            .start(&node);
        pass().await;
        match kill {
            true => sup.kill("tea"),
            false => sup.shutdown().await.unwrap(),
        }
        pass().await;
        assert_eq!(Arc::strong_count(&dropped), 1);
        assert_eq!(node.port_count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn dynamic_children_come_by_the_thousand_and_leave_no_trace() {
    let node = node();
    let journal = Journal::default();
    let sup = Supervisor::builder().start(&node);
    let mut ports = Vec::new();
    for _ in 0..3000 {
        let child = Child::new("", worker("w", &journal)).restart(Restart::Temporary);
        ports.push(within(sup.start_child(child)).await.unwrap().unwrap());
    }
    assert_eq!(sup.children().await.unwrap().len(), 3000);
    for port in &ports[..2000] {
        node.kil(port, ());
    }
    pass().await;
    assert_eq!(sup.children().await.unwrap().len(), 1000);
    assert_eq!(node.port_count(), 1001);
    sup.shutdown().await.unwrap();
    pass().await;
    assert_eq!(node.port_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_child_has_a_name_of_its_own_or_none() {
    let node = node();
    let journal = Journal::default();
    let sup = Supervisor::builder().start(&node);
    let make = |name| Child::new(name, worker("w", &journal));
    let port = sup.start_child(make("one")).await.unwrap().unwrap();
    let taken = sup.start_child(make("one")).await.unwrap();
    assert_eq!(taken, Err(ChildError::Taken("one".into())));
    let failing = Child::new("two", |_| Err::<WorkerRef, _>("no"));
    let failed = sup.start_child(failing).await.unwrap();
    assert_eq!(failed, Err(ChildError::Failed(Reason::die("no"))));
    assert_eq!(child(&sup, "one").await.wait().await.unwrap().id(), port);
    let one = child(&sup, "one").await;
    assert_eq!(sup.stop_child("one".into()).await.unwrap(), Ok(()));
    let gone = Err(ChildError::NoChild("one".into()));
    assert_eq!(sup.stop_child("one".into()).await.unwrap(), gone);
    assert!(sup.children().await.unwrap().is_empty());
    let ended = one.wait().await.unwrap_err();
    assert_eq!(ended.reason().map(Reason::kind), Some("no_child"));
    assert!(sup.follow::<WorkerRef>("one").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_significant_child_ends_its_supervisor() {
    let node = node();
    let journal = Journal::default();
    let main = Child::new("main", worker("main", &journal))
        .restart(Restart::Transient)
        .significant();
    let sup = Supervisor::builder()
        .with_child(main)
        .child("other", Restart::Permanent, worker("other", &journal))
        .start(&node);
    let main = child(&sup, "main").await;
    main.wait().await.unwrap().fail("x".into());
    pass().await;
    main.wait().await.unwrap().kill(());
    assert_eq!(death(&sup).await.split(' ').next(), Some("shutdown"));
    assert_eq!(node.port_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_end_in_time_is_ended() {
    let node = node();
    let journal = Journal::default();
    let quick = Child::new("hangs", worker("hangs", &journal)).shutdown(SECOND);
    let sup = Supervisor::builder().with_child(quick).start(&node);
    let hangs = child(&sup, "hangs").await.wait().await.unwrap();
    hangs.hang().forget();
    pass().await;
    within(sup.shutdown()).await.unwrap();
    pass().await;
    assert_eq!(journal.take(), ["+hangs", "-hangs"]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_fails_with_the_old_reason_and_switches() {
    let journal = Journal::default();
    let (_node, sup) = three(Strategy::OneForOne, &journal).await;
    let a = child(&sup, "a").await;
    let first = a.wait().await.unwrap();
    let hanging = tokio::spawn(a.call(|a| a.hang()).into_future());
    tokio::task::yield_now().await;
    tokio::time::sleep(SECOND / 100).await;
    first.kill("tea");
    let error = hanging.await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::from("tea")));
    let second = a.wait().await.unwrap();
    assert!(first != second && a.get() == Some(second.clone()));
    assert_eq!(a.call(|a| a.name()).await.unwrap(), "a");
    // A call that may be repeated is repeated.
    let failed = AtomicBool::new(false);
    let name = a
        .call(move |a| {
            if !failed.swap(true, Ordering::Relaxed) {
                a.fail("x".into());
            }
            a.name()
        })
        .retry(1);
    assert_eq!(name.await.unwrap(), "a");
    let failing = a.call(|a| {
        a.fail("y".into());
        a.name()
    });
    let error = failing.await.unwrap_err();
    assert!(matches!(error, CallError::Died(reason) if reason == Reason::die("y")));
}

#[tokio::test(start_paused = true)]
async fn a_follower_shows_the_end_of_the_supervisor() {
    let journal = Journal::default();
    let (_node, sup) = three(Strategy::OneForOne, &journal).await;
    let a = child(&sup, "a").await;
    a.wait().await.unwrap();
    sup.kill("tea");
    pass().await;
    assert!(a.get().is_none());
    let error = a.wait().await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::from("tea")));
}

/// Passes its argument on.
struct Desk;

#[port]
impl Desk {
    #[rcv]
    async fn ask(&mut self, whom: Follow<WorkerRef>) -> String {
        let answer = whom.call(|worker| worker.name()).await;
        answer.unwrap_or_else(|error| error.to_string())
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_travels() {
    let journal = Journal::default();
    let (node, sup) = three(Strategy::OneForOne, &journal).await;
    let desk = node.port(Desk);
    assert_eq!(desk.ask(child(&sup, "a").await).await.unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn the_back_off_of_a_child_is_its_own() {
    let node = node();
    let journal = Journal::default();
    let backoff = Backoff {
        first: 60 * SECOND,
        most: 60 * SECOND,
        ..Backoff::default()
    };
    let slow = Child::new("slow", worker("slow", &journal)).backoff(backoff);
    let sup = Supervisor::builder().with_child(slow).start(&node);
    child(&sup, "slow").await.wait().await.unwrap().kill("x");
    tokio::time::sleep(29 * SECOND).await;
    assert_eq!(journal.take(), ["+slow", "-slow"]);
    assert_eq!(sup.children().await.unwrap()[0].state, ChildState::Waiting);
    tokio::time::sleep(32 * SECOND).await;
    assert_eq!(journal.take(), ["+slow"]);
}

#[tokio::test]
#[should_panic(expected = "two children are named \"a\"")]
async fn two_children_of_one_name_are_a_mistake() {
    let journal = Journal::default();
    let _ = Supervisor::builder()
        .child("a", Restart::Permanent, worker("a", &journal))
        .child("a", Restart::Permanent, worker("a", &journal));
}

/// A dozen tasks kill all ports that they can reach, on several threads. No child ever lives twice, and all live in the end.
#[test]
fn no_child_lives_twice_on_many_threads() {
    const CHILDREN: usize = 8;

    struct Once(Arc<AtomicU32>);

    #[port(msg = OnceMsg, handle = OnceRef)]
    impl Once {
        #[rcv]
        fn ping(&self) -> u32 {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Drop for Once {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    crate::many_threads().block_on(async {
        let node = node();
        let backoff = Backoff {
            first: SECOND / 1000,
            most: SECOND / 500,
            ..Backoff::default()
        };
        let alive: Vec<_> = (0..CHILDREN).map(|_| Arc::new(AtomicU32::new(0))).collect();
        let twice = Arc::new(AtomicBool::new(false));
        let mut builder = Supervisor::builder()
            .strategy(Strategy::RestForOne)
            .intensity(u32::MAX, SECOND);
        for (n, alive) in alive.iter().enumerate() {
            let (alive, twice) = (Arc::clone(alive), Arc::clone(&twice));
            let child = Child::new(n.to_string(), move |node: &Node| {
                if alive.fetch_add(1, Ordering::SeqCst) != 0 {
                    twice.store(true, Ordering::SeqCst);
                }
                node.port(Once(Arc::clone(&alive)))
            });
            builder = builder.with_child(child.backoff(backoff));
        }
        let sup = builder.start(&node);
        within(sup.ready()).await.unwrap();
        let mut killers = tokio::task::JoinSet::new();
        for n in 0..12 {
            let child = sup
                .follow::<OnceRef>(&(n % CHILDREN).to_string())
                .await
                .unwrap();
            killers.spawn(async move {
                for _ in 0..20 {
                    child.wait().await.unwrap().kill("tea");
                    tokio::task::yield_now().await;
                }
                child.call(|child| child.ping()).retry(100).await.unwrap()
            });
        }
        while let Some(pinged) = within(killers.join_next()).await {
            assert_eq!(pinged.unwrap(), 1);
        }
        let settled = async {
            while alive.iter().any(|alive| alive.load(Ordering::SeqCst) != 1) {
                tokio::task::yield_now().await;
            }
        };
        within(settled).await;
        assert!(!twice.load(Ordering::SeqCst));
        within(sup.shutdown()).await.unwrap();
        within(async {
            while node.port_count() != 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    });
}

/// Other nodes decide how many callers wait, so there is a limit.
#[tokio::test(start_paused = true)]
async fn not_too_many_callers_wait_for_news() {
    let journal = Journal::default();
    let (_node, sup) = three(Strategy::OneForOne, &journal).await;
    let known = sup.incarnation("a".into(), None).await.unwrap().unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..16_384 {
        waiting.spawn(sup.incarnation("a".into(), Some(known.number)));
    }
    pass().await;
    let error = sup.incarnation("a".into(), Some(known.number)).await;
    assert!(matches!(error, Err(CallError::NoReply)), "{error:?}");
    // Those that are gone make room, once their number is looked at.
    waiting.shutdown().await;
    let a = child(&sup, "a").await;
    a.wait().await.unwrap().kill("tea");
    pass().await;
    assert!(a.wait().await.is_ok());
}

/// The end of the old incarnation and the begin of the new one need no question in between.
#[tokio::test(start_paused = true)]
async fn a_restart_without_a_pause_is_one_piece_of_news() {
    let (node, sup) = quick();
    within(sup.ready()).await.unwrap();
    let known = sup
        .incarnation("quick".into(), None)
        .await
        .unwrap()
        .unwrap();
    let next = sup.incarnation("quick".into(), Some(known.number));
    let old = known.port.expect("it lives");
    node.kil(&old, "tea");
    let next = within(next).await.unwrap().unwrap();
    assert_ne!(next.port.expect("the next incarnation lives"), old);
}

/// The child has ended before its supervisor can set a monitor.
#[tokio::test(start_paused = true)]
async fn a_child_that_ends_at_once_ends_with_its_own_reason() {
    for (reason, lives) in [(Reason::normal(), 1), (Reason::die("early"), 2)] {
        let node = node();
        let made = Arc::new(AtomicU32::new(0));
        let (count, end) = (Arc::clone(&made), reason.clone());
        let child = Child::with_async("brief", move |node: Node| {
            let (first, end) = (count.fetch_add(1, Ordering::Relaxed) == 0, end.clone());
            async move {
                let port = node.empty_port();
                if first {
                    port.kill(end);
                    port.closed().await;
                }
                port
            }
        });
        let sup = Supervisor::builder()
            .with_child(child.restart(Restart::Transient))
            .start(&node);
        within(sup.ready()).await.unwrap();
        pass().await;
        assert_eq!(made.load(Ordering::Relaxed), lives, "{reason}");
        let brief = &within(sup.children()).await.unwrap()[0];
        assert_eq!(brief.reason, Some(reason));
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_shows_its_child_at_once() {
    let (_node, sup) = three(Strategy::OneForOne, &Journal::default()).await;
    let a = child(&sup, "a").await;
    assert_eq!(
        a.get().map(|a| a.id()),
        sup.children().await.unwrap()[0].port
    );
}

/// Calls of a child that is done end at once. If others of its group take it along, it is followed again.
#[tokio::test(start_paused = true)]
async fn a_follower_does_not_wait_for_a_child_that_is_done() {
    let journal = Journal::default();
    let node = node();
    let sup = Supervisor::builder()
        .strategy(Strategy::OneForAll)
        .child("done", Restart::Transient, worker("done", &journal))
        .child("other", Restart::Permanent, worker("other", &journal))
        .start(&node);
    let done = child(&sup, "done").await;
    let waiting = tokio::spawn(done.call(|done| done.hang()).retry(9).into_future());
    tokio::time::sleep(SECOND).await;
    done.get().unwrap().stop_within(Duration::ZERO);
    tokio::time::sleep(SECOND).await;
    done.wait().await.unwrap().kill(Reason::normal());
    let error = within(waiting).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::normal()));
    assert!(done.get().is_none());
    let error = within(done.wait()).await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::normal()));
    let late = child(&sup, "done").await;
    assert!(
        within(late.call(|done| done.name()).into_future())
            .await
            .is_err()
    );
    child(&sup, "other").await.get().unwrap().kill("tea");
    tokio::time::sleep(SECOND).await;
    assert_eq!(
        within(done.call(|done| done.name()).into_future())
            .await
            .unwrap(),
        "done"
    );
    assert_eq!(
        within(late.call(|done| done.name()).into_future())
            .await
            .unwrap(),
        "done"
    );
}

#[tokio::test(start_paused = true)]
async fn a_child_may_have_any_time_for_its_end() {
    let node = node();
    let patient = Child::new("patient", worker("patient", &Journal::default()))
        .shutdown(Duration::MAX)
        .grace(Duration::MAX);
    let sup = Supervisor::builder().with_child(patient).start(&node);
    sup.ready().await.unwrap();
    tokio::time::sleep(SECOND).await;
    within(sup.shutdown()).await.unwrap();
    assert!(within(sup.closed()).await.is_normal());
}
