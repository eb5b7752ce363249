//! Arbitrary sequences of operations against a simple model.

mod op;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{Call, Cx, Local, Monitor, Node, PortId, Reply, cal, port, snd};
use proptest::prelude::*;
use tokio::task::JoinHandle;

use self::op::{Op, op};
use crate::{Journal, many_threads, one_thread, settle, until, within};

/// The state of one port, with journals of the messages that it has handled.
struct Actor {
    journal: Journal,
    /// The journal of the urgent messages.
    urgent: Journal,
    kept: Vec<Reply<u32>>,
    peers: Vec<ActorRef>,
    _probe: Arc<()>,
}

#[port]
impl Actor {
    #[rcv]
    fn note(&mut self, n: u32) {
        self.journal.note(n);
    }

    #[rcv(urgent)]
    fn note_first(&mut self, n: u32) {
        self.urgent.note(n);
    }

    #[rcv(urgent)]
    async fn note_first_slowly(&mut self, n: u32) {
        tokio::task::yield_now().await;
        self.urgent.note(n);
    }

    #[rcv]
    async fn note_slowly(&mut self, n: u32) {
        tokio::task::yield_now().await;
        self.journal.note(n);
    }

    #[rcv]
    fn hold(&mut self, n: u32, value: Local<Arc<()>>) {
        self.journal.note(n);
        drop(value);
    }

    #[rcv]
    fn know(&mut self, peer: ActorRef) {
        self.peers.push(peer);
    }

    #[rcv]
    fn ask(&mut self, n: u32) -> u32 {
        self.journal.note(n);
        n
    }

    #[rcv]
    fn keep(&mut self, reply: Reply<u32>) {
        self.kept.push(reply);
    }

    #[rcv]
    fn drop_kept(&mut self) {
        self.kept.clear();
    }
}

/// The test's knowledge of one port.
struct Known {
    id: PortId,
    handle: Option<ActorRef>,
    ordinary: Class,
    urgent: Class,
    /// Something that the model does not follow in time may have killed it: a link, or itself.
    uncertain: bool,
}

/// The messages of one class.
#[derive(Default)]
struct Class {
    journal: Journal,
    /// The messages in the order in which they were sent; true for those whose handlers wait.
    sent: Vec<(u32, bool)>,
    /// The number of messages in `sent` that must be handled: those from before the first kill. `None` before a kill.
    until_kill: Option<usize>,
}

struct Watched {
    fired: Arc<AtomicUsize>,
    guard: Option<Monitor>,
    /// Cancelled before it fired, as far as the test knows.
    cancelled: bool,
}

struct World {
    node: Node,
    probe: Arc<()>,
    ports: Vec<Known>,
    watched: BTreeMap<usize, Watched>,
    calls: Vec<JoinHandle<()>>,
    next: u32,
}

impl World {
    fn new() -> Self {
        Self {
            node: crate::node(),
            probe: Arc::new(()),
            ports: Vec::new(),
            watched: BTreeMap::new(),
            calls: Vec::new(),
            next: 0,
        }
    }

    fn create(&mut self) {
        let (ordinary, urgent) = (Class::default(), Class::default());
        let handle = self.node.port(Actor {
            journal: ordinary.journal.clone(),
            urgent: urgent.journal.clone(),
            kept: Vec::new(),
            peers: Vec::new(),
            _probe: Arc::clone(&self.probe),
        });
        self.ports.push(Known {
            id: handle.id(),
            handle: Some(handle),
            ordinary,
            urgent,
            uncertain: false,
        });
    }

    fn handle(&mut self, port: usize) -> ActorRef {
        let known = &self.ports[port];
        known
            .handle
            .clone()
            .unwrap_or_else(|| self.node.handle(&known.id))
    }

    fn sends(&mut self, port: usize, slow: bool, urgent: bool) -> u32 {
        self.next += 1;
        let known = &mut self.ports[port];
        let class = if urgent {
            &mut known.urgent
        } else {
            &mut known.ordinary
        };
        class.sent.push((self.next, slow));
        self.next
    }

    fn kills(&mut self, port: usize) {
        let known = &mut self.ports[port];
        for class in [&mut known.ordinary, &mut known.urgent] {
            class.until_kill.get_or_insert(class.sent.len());
        }
    }

    fn watch(&mut self, port: usize, detached: bool) {
        let fired = Arc::new(AtomicUsize::new(0));
        let (count, probe) = (Arc::clone(&fired), Arc::clone(&self.probe));
        let guard = self.handle(port).monitor(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            drop(probe);
        });
        let guard = if detached {
            guard.detach();
            None
        } else {
            Some(guard)
        };
        let cancelled = false;
        let watched = Watched {
            fired,
            guard,
            cancelled,
        };
        self.watched.insert(self.watched.len(), watched);
    }

    fn call<T: Send + 'static>(&mut self, call: Call<ActorMsg, T>) {
        self.calls
            .push(tokio::spawn(async move { drop(call.await) }));
    }

    async fn apply(&mut self, op: &Op) {
        if matches!(op, Op::Create) || self.ports.is_empty() {
            self.create();
            return;
        }
        let count = self.ports.len();
        match *op {
            Op::Create => {}
            Op::Unmonitor(n) => self.unmonitor(n),
            Op::Know(a, b) => drop(self.handle(a % count).know(self.handle(b % count))),
            Op::Link(a, b) => {
                self.handle(a % count)
                    .link(&self.handle(b % count))
                    .detach();
                self.ports[b % count].uncertain = true;
            }
            Op::Settle(n) => settle(&self.handle(n % count)).await,
            Op::DropHandle(n) => drop(self.ports[n % count].handle.take()),
            Op::Monitor(n) => self.watch(n % count, false),
            Op::MonitorDetached(n) => self.watch(n % count, true),
            Op::Kill(n) => {
                self.handle(n % count).kill("killed");
                self.kills(n % count);
            }
            Op::KillNormally(n) => {
                self.node.kil(&self.ports[n % count].id, ());
                self.kills(n % count);
            }
            Op::KillItself(n) => {
                self.ports[n % count].uncertain = true;
                self.handle(n % count)
                    .peval(|cx: &mut Cx<'_>| cx.kill("itself"));
            }
            Op::Note(n)
            | Op::NoteFirst(n)
            | Op::NoteFirstSlowly(n)
            | Op::NoteFirstUntyped(n)
            | Op::NoteSlowly(n)
            | Op::NoteUntyped(n)
            | Op::Hold(n) => self.send(op, n % count),
            Op::Guard(n) | Op::Timer(n) | Op::Task(n) => self.bind(op, n % count),
            Op::Ask(n)
            | Op::CallAndDrop(n)
            | Op::CallUntyped(n)
            | Op::CallForgotten(n)
            | Op::DropKept(n) => self.call_port(op, n % count),
        }
    }

    fn unmonitor(&mut self, n: usize) {
        let count = self.watched.len().max(1);
        if let Some(watched) = self.watched.get_mut(&(n % count))
            && let Some(guard) = watched.guard.take()
        {
            drop(guard);
            // On many threads it may be firing just now.
            watched.cancelled = true;
        }
    }

    fn send(&mut self, op: &Op, port: usize) {
        let slow = matches!(op, Op::NoteSlowly(_) | Op::NoteFirstSlowly(_));
        let urgent = matches!(
            op,
            Op::NoteFirst(_) | Op::NoteFirstSlowly(_) | Op::NoteFirstUntyped(_)
        );
        let (handle, n) = (self.handle(port), self.sends(port, slow, urgent));
        match op {
            Op::NoteFirst(_) => drop(handle.note_first(n)),
            Op::NoteFirstSlowly(_) => drop(handle.note_first_slowly(n)),
            Op::NoteFirstUntyped(_) => {
                drop(snd!(self.node, self.ports[port].id, "note_first", n));
            }
            Op::Note(_) => drop(handle.note(n)),
            Op::NoteSlowly(_) => drop(handle.note_slowly(n)),
            Op::NoteUntyped(_) => drop(snd!(self.node, self.ports[port].id, "note", n)),
            _ if handle.is_local() && self.ports[port].handle.is_some() => {
                drop(handle.hold(n, Local(Arc::clone(&self.probe))));
            }
            // Found by its ID it may be dead, and a value that cannot be serialized is not sent.
            _ => drop(handle.note(n)),
        }
    }

    fn bind(&mut self, op: &Op, port: usize) {
        let (handle, probe) = (self.handle(port), Arc::clone(&self.probe));
        match op {
            Op::Guard(_) => handle.monitor_guard(probe).detach(),
            Op::Timer(_) => drop(handle.peval(move |cx: &mut Cx<'_>| {
                cx.after(Duration::from_secs(3600), move |_| drop(probe));
            })),
            _ => drop(handle.peval(move |cx: &mut Cx<'_>| {
                cx.spawn(async move {
                    let _probe = probe;
                    std::future::pending::<()>().await;
                });
            })),
        }
    }

    fn call_port(&mut self, op: &Op, port: usize) {
        let handle = self.handle(port);
        match op {
            Op::Ask(_) => {
                // A task sends when it runs, in no order that the model follows.
                let call = handle.keep();
                self.call(call);
            }
            Op::CallAndDrop(_) => {
                let call = tokio::spawn(handle.keep());
                call.abort();
            }
            Op::CallUntyped(_) => {
                let call = cal!(self.node, self.ports[port].id, "keep");
                self.calls
                    .push(tokio::spawn(async move { drop(call.await) }));
            }
            Op::CallForgotten(_) => drop(handle.ask(0)),
            _ => drop(handle.drop_kept()),
        }
    }

    /// Kills everything, and checks the outcome.
    async fn end(mut self) {
        for port in 0..self.ports.len() {
            self.handle(port).kill("the end");
            self.kills(port);
        }
        until(|| self.node.port_count() == 0).await;
        for call in self.calls.drain(..) {
            within(call).await.expect("no call panics");
        }
        until(|| self.node.port_count() == 0).await;
        for known in &self.ports {
            known.check();
        }
        for watched in self.watched.values() {
            let fired = || watched.fired.load(Ordering::SeqCst);
            if watched.cancelled {
                assert!(fired() <= 1, "fired {} times", fired());
            } else {
                until(|| fired() > 0).await;
                assert_eq!(fired(), 1, "a monitor fires once");
            }
        }
        // Those that were created, monitors, guards, timers, tasks, messages: all dropped.
        until(|| Arc::strong_count(&self.probe) == 1).await;
    }
}

impl Known {
    fn check(&self) {
        self.ordinary.check(self.uncertain);
        self.urgent.check(self.uncertain);
    }
}

impl Class {
    fn check(&self, uncertain: bool) {
        let handled: Vec<u32> = self
            .journal
            .take()
            .iter()
            .map(|note| note.parse().expect("a number"))
            .collect();
        assert!(handled.is_sorted(), "out of order: {handled:?}");
        let before = self.until_kill.unwrap_or(self.sent.len());
        let before = &self.sent[..before];
        for n in &handled {
            assert!(
                before.iter().any(|(sent, _)| sent == n),
                "{n} is behind its kill"
            );
        }
        // Handlers that wait are cut off by a kill, so that their notes may be missing.
        let all = before.iter().filter(|(_, slow)| !slow).map(|(n, _)| *n);
        let quick: Vec<u32> = all.clone().filter(|n| handled.contains(n)).collect();
        let all: Vec<u32> = all.collect();
        assert!(all.starts_with(&quick), "a hole: {quick:?} of {all:?}");
        assert!(uncertain || quick == all, "lost: {quick:?} of {all:?}");
    }
}

async fn run(ops: &[Op]) {
    let mut world = World::new();
    for op in ops {
        world.apply(op).await;
    }
    world.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_is_left_and_nothing_happens_twice(ops in prop::collection::vec(op(), 1..120)) {
        one_thread().block_on(run(&ops));
        many_threads().block_on(run(&ops));
    }
}
