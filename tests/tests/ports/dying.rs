//! Ports that take long to die: the monitors that fire, and those that no longer do.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use aemp::{Monitor, Node, port};
use tokio::sync::oneshot;

use crate::{Journal, Recorder, death, many_threads, node, on_both, settle, until, watch, within};

/// Tells when it is being dropped, and then waits until it may end.
struct Slow {
    begun: Sender<()>,
    may_end: Receiver<()>,
}

#[port]
impl Slow {
    #[rcv]
    fn get(&self) -> i64 {
        1
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.begun.send(());
        let _ = self.may_end.recv();
    }
}

/// A port that dies slowly.
struct Dying {
    port: SlowRef,
    begun: Receiver<()>,
    let_end: Sender<()>,
}

impl Dying {
    fn new(node: &Node) -> Self {
        let (begin, begun) = channel();
        let (let_end, may_end) = channel();
        let port = node.port(Slow {
            begun: begin,
            may_end,
        });
        Self {
            port,
            begun,
            let_end,
        }
    }

    /// Kills it, and waits until its state is being dropped.
    fn begin(&self, reason: &str) {
        self.port.kill(reason);
        self.begun.recv().expect("it is being dropped");
    }

    fn end(&self) {
        self.let_end.send(()).expect("it waits");
    }
}

#[test]
fn a_monitor_that_is_dropped_meanwhile_does_not_fire() {
    many_threads().block_on(within(async {
        let node = node();
        let dying = Dying::new(&node);
        let journal = Journal::default();
        let probe = Arc::new(());
        let guard = |n: i64| {
            let (notes, held) = (journal.clone(), Arc::clone(&probe));
            dying.port.monitor(move |_| {
                let _ = &held;
                notes.note(n);
            })
        };
        let (one, two, three) = (guard(1), guard(2), guard(3));
        dying.begin("gone");
        drop(two);
        assert_eq!(Arc::strong_count(&probe), 3, "dropped at once");
        let last = watch(&dying.port);
        dying.end();
        within(last).await.unwrap();
        assert_eq!(journal.take(), ["1", "3"]);
        drop((one, three));
    }));
}

#[test]
fn a_monitor_of_a_dying_port_gets_the_reason() {
    many_threads().block_on(within(async {
        let node = node();
        let dying = Dying::new(&node);
        let id = dying.port.id();
        dying.begin("gone");
        assert_eq!(node.port_count(), 0, "it does not count any more");
        let by_handle = watch(&dying.port);
        let far: SlowRef = node.handle(&id);
        let by_id = watch(&far);
        let (tell, told_by_node) = oneshot::channel();
        node.mon(&id, move |reason| drop(tell.send(reason.to_string())))
            .detach();
        for call in [dying.port.get(), far.get()] {
            let error = within(call).await.unwrap_err();
            assert_eq!(error.reason().unwrap().to_string(), "gone");
        }
        dying.end();
        assert_eq!(within(by_handle).await.unwrap().to_string(), "gone");
        assert_eq!(within(by_id).await.unwrap().to_string(), "gone");
        assert_eq!(within(told_by_node).await.unwrap(), "gone");
        // Handles keep the reason.
        assert_eq!(death(&dying.port).await, "gone");
        assert_eq!(death(&far).await, "gone");
        let error = within(far.get()).await.unwrap_err();
        assert_eq!(error.reason().unwrap().to_string(), "gone");
        // The thread of the last monitor takes the port's ID away, after that monitor has fired.
        let later: SlowRef = node.handle(&id);
        within(async {
            while !death(&later).await.starts_with("no_such_port") {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(node.port_count(), 0);
    }));
}

#[test]
fn a_callback_takes_the_next_monitor_back() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let journal = Journal::default();
        let kept: Arc<Mutex<Option<Monitor>>> = Arc::default();
        let (notes, to_drop) = (journal.clone(), Arc::clone(&kept));
        port.monitor(move |_| {
            notes.note("first");
            to_drop.lock().unwrap().take();
        })
        .detach();
        let notes = journal.clone();
        *kept.lock().unwrap() = Some(port.monitor(move |_| notes.note("second")));
        let last = watch(&port);
        port.kill(());
        within(last).await.unwrap();
        assert_eq!(journal.take(), ["first"]);
    });
}

/// They hear the reason each time, and other monitors of the port fire meanwhile. By the port's ID, there is an end.
#[test]
fn callbacks_that_monitor_again_hear_the_reason_again() {
    fn again(port: &crate::RecorderRef, journal: &Journal, times: u32, done: oneshot::Sender<()>) {
        let (notes, next) = (journal.clone(), port.clone());
        let callback = move |reason: &aemp::Reason| {
            notes.note(reason.kind());
            match times.checked_sub(1) {
                None => drop(done.send(())),
                Some(times) => again(&next, &notes, times, done),
            }
        };
        port.monitor(callback).detach();
    }
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let journal = Journal::default();
        let (done, is_done) = oneshot::channel();
        again(&port, &journal, 5, done);
        port.kill("gone");
        within(is_done).await.unwrap();
        assert_eq!(journal.take(), ["gone"; 6]);

        let port = node.port(Recorder::default());
        let mut all_done = Vec::new();
        for _ in 0..3 {
            let (done, is_done) = oneshot::channel();
            again(&port, &journal, 2, done);
            all_done.push(is_done);
        }
        port.kill("gone");
        for is_done in all_done {
            within(is_done).await.unwrap();
        }
        assert_eq!(journal.take(), ["gone"; 9]);
    });
}

#[test]
fn a_slow_callback_holds_up_its_port_alone() {
    many_threads().block_on(within(async {
        let node = node();
        let (port, other) = (
            node.port(Recorder::default()),
            node.port(Recorder::default()),
        );
        let (begin, begun) = channel();
        let (let_end, may_end) = channel::<()>();
        port.monitor(move |_| {
            begin.send(()).unwrap();
            let _ = may_end.recv();
        })
        .detach();
        let journal = Journal::default();
        let notes = journal.clone();
        let guard = port.monitor(move |_| notes.note("fired"));
        let last = watch(&port);
        port.kill("gone");
        begun.recv().unwrap();
        for _ in 0..100 {
            within(other.count()).await.unwrap();
        }
        drop(guard);
        let meanwhile = watch(&port);
        let_end.send(()).unwrap();
        within(last).await.unwrap();
        assert_eq!(within(meanwhile).await.unwrap().to_string(), "gone");
        assert!(journal.take().is_empty());
    }));
}

/// In every order of the threads, each monitor fires once, with the true reason.
#[test]
fn monitors_that_are_set_around_a_death_fire_once() {
    many_threads().block_on(within(async {
        let node = node();
        for round in 0..300 {
            let port = node.port(Recorder::default());
            let journal = Journal::default();
            let setter = thread::spawn({
                let (port, journal) = (port.clone(), journal.clone());
                move || {
                    for n in 0..50 {
                        let notes = journal.clone();
                        port.monitor(move |reason| notes.note(format!("{n} {}", reason.kind())))
                            .detach();
                    }
                }
            });
            if round % 2 == 0 {
                thread::yield_now();
            }
            port.kill("gone");
            setter.join().unwrap();
            // The last may be about to fire.
            until(|| journal.0.lock().unwrap().len() >= 50).await;
            let mut heard = journal.take();
            heard.sort_by_key(|note| note.split(' ').next().unwrap().parse::<u32>().unwrap());
            assert_eq!(heard.len(), 50, "{heard:?}");
            for (n, note) in heard.iter().enumerate() {
                assert_eq!(*note, format!("{n} gone"));
            }
        }
    }));
}

#[tokio::test]
async fn many_monitors_go_one_by_one() {
    const MANY: usize = 100_000;
    let node = node();
    let port = node.port(Recorder::default());
    let mut guards: Vec<Option<Monitor>> = (0..MANY).map(|_| Some(port.monitor(|_| ()))).collect();
    // A stride that is prime to their number comes by all of them.
    for n in 0..MANY {
        drop(guards[n * 48_271 % MANY].take());
    }
    settle(&port).await;
    let journal = Journal::default();
    for _ in 0..MANY {
        let notes = journal.clone();
        port.monitor(move |_| notes.note("")).detach();
    }
    port.kill(());
    death(&port).await;
    assert_eq!(journal.take().len(), MANY);
}
