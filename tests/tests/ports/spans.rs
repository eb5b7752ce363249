//! Spans of handlers: their contexts, their ends, and tracers that misbehave.

mod misbehaviour;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aemp::{
    Args, CallError, Cx, Node, PortId, Reason, Reply, cal, msg, port, snd,
    span::{SpanContext, Way},
    supervisor::{Restart, Supervisor},
};
use aemp_tests::recorder::{Record, Recorder, present};
use tokio::{sync::Notify, time::sleep};

fn traced(recorder: &Recorder) -> Node {
    let builder = Node::builder().tracer(recorder.clone());
    builder.start_local().expect("tests run within a runtime")
}

/// Waits until there are so many spans that have ended.
async fn ended(recorder: &Recorder, number: usize) -> Vec<Record> {
    soon(async {
        loop {
            let all = recorder.all();
            if all.iter().filter(|record| !record.end.is_empty()).count() >= number {
                return all;
            }
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
}

async fn soon<F: Future>(future: F) -> F::Output {
    let patient = tokio::time::timeout(Duration::from_secs(20), future);
    patient.await.expect("it has not come in time")
}

struct Leaf;

#[port]
impl Leaf {
    #[rcv]
    fn get(&self, by: i64) -> i64 {
        by + 1
    }

    #[rcv]
    fn note(&self, _text: String) {}

    #[rcv]
    async fn slow(&mut self, millis: u64) -> Option<String> {
        sleep(Duration::from_millis(millis)).await;
        present().map(|context| context.to_string())
    }
}

struct Middle {
    leaf: LeafRef,
    left: u32,
}

#[port]
impl Middle {
    #[rcv]
    async fn ask(&mut self, by: i64) -> Option<i64> {
        let before = present();
        self.leaf.note("first".into());
        let got = self.leaf.get(by).await;
        sleep(Duration::from_millis(3)).await;
        assert_eq!(present(), before);
        self.leaf.note("second".into());
        got.ok()
    }

    #[rcv]
    fn again(&mut self, cx: &mut Cx<'_>) {
        self.left -= 1;
        if self.left > 0 {
            cx.handle_of(self).again();
        }
    }

    #[rcv]
    fn then(&mut self, cx: &mut Cx<'_>, reply: Reply<i64>) {
        cx.then(
            self.leaf.get(1),
            |me: &mut Self, _, got: Result<i64, CallError>| {
                me.leaf.note("then".into());
                reply.send(got?);
                Ok::<_, CallError>(())
            },
        );
    }

    #[rcv(concurrent = 4)]
    async fn beside(text: String, gate: aemp::Local<Arc<Notify>>) -> bool {
        let own = present();
        gate.0.notified().await;
        own.is_some() && present() == own && !text.is_empty()
    }

    #[rcv(try)]
    fn fail(&self) -> Result<(), Reason> {
        Err(Reason::die("as asked"))
    }

    #[rcv]
    fn panic(&self) -> i64 {
        panic!("as asked")
    }

    #[rcv]
    async fn never(&mut self) -> () {
        std::future::pending().await
    }
}

fn middle(node: &Node) -> MiddleRef {
    let leaf = node.port(Leaf);
    node.port(Middle { leaf, left: 5 })
}

#[tokio::test]
async fn a_call_is_a_child_and_a_message_has_a_link() {
    let recorder = Recorder::default();
    let middle = middle(&traced(&recorder));
    assert_eq!(soon(middle.ask(1)).await.unwrap(), Some(2));
    let all = ended(&recorder, 4).await;
    let ask = recorder.only("Middle.ask");
    assert_eq!((ask.way, ask.sender.clone()), (Way::Called, None));
    assert!(recorder.only("Leaf.get").is_child_of(&ask));
    let notes = recorder.named("Leaf.note");
    assert!(notes.len() == 2 && notes.iter().all(|note| note.is_linked_to(&ask)));
    assert!(
        all.iter()
            .all(|record| record.end == "returned" && record.from.is_none())
    );
    assert!(ask.took >= Duration::from_millis(3));
    assert_eq!(ask.port, middle.id().to_string());
}

#[tokio::test]
async fn a_port_that_sends_to_itself_makes_many_traces() {
    let recorder = Recorder::default();
    middle(&traced(&recorder)).again();
    let all = ended(&recorder, 5).await;
    assert!(all.windows(2).all(|two| two[1].is_linked_to(&two[0])));
    let mut traces: Vec<_> = all.iter().map(|record| record.context.trace_id()).collect();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handlers_that_wait_at_the_same_time_have_their_own_spans() {
    let recorder = Recorder::default();
    let node = traced(&recorder);
    let ports: Vec<_> = (0..20).map(|_| node.port(Leaf)).collect();
    for round in 0..3 {
        let calls = ports.iter().zip(1..).map(|(port, number): (_, u64)| {
            let call = port.slow((number + round) % 7);
            tokio::spawn(call.into_future())
        });
        for call in calls.collect::<Vec<_>>() {
            let seen = soon(call).await.unwrap().unwrap();
            let all = recorder.all();
            assert!(
                all.iter()
                    .any(|record| Some(record.context.to_string()) == seen)
            );
        }
    }
    let all = ended(&recorder, 60).await;
    assert_eq!(all.len(), 60);
}

#[tokio::test]
async fn concurrent_handlers_have_spans_until_their_end() {
    let recorder = Recorder::default();
    let middle = middle(&traced(&recorder));
    let gate = Arc::new(Notify::new());
    let calls: Vec<_> = (0..6)
        .map(|n| {
            let call = middle.beside(format!("{n}"), aemp::Local(Arc::clone(&gate)));
            tokio::spawn(call.into_future())
        })
        .collect();
    soon(async {
        while recorder.all().len() < 6 {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(recorder.all().iter().all(|record| record.end.is_empty()));
    for call in calls {
        soon(async {
            while !call.is_finished() {
                gate.notify_one();
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        assert!(soon(call).await.unwrap().unwrap());
    }
    let all = ended(&recorder, 6).await;
    assert!(all.iter().all(|record| record.end == "returned"));
    // Dropped with the port.
    let call = tokio::spawn(
        middle
            .beside("x".into(), aemp::Local(Arc::default()))
            .into_future(),
    );
    soon(async {
        while recorder.all().len() < 7 {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    middle.kill("enough");
    assert!(soon(call).await.unwrap().is_err());
    assert_eq!(ended(&recorder, 7).await[6].end, "dropped");
}

#[tokio::test]
async fn the_end_of_a_handler_is_told() {
    let ends = [
        ("fail", "died: die as asked"),
        ("panic", "panicked"),
        ("never", "dropped"),
    ];
    for (tag, end) in ends {
        let recorder = Recorder::default();
        let node = traced(&recorder);
        let port = middle(&node);
        snd!(node, port.id(), tag);
        if tag == "never" {
            port.kill("tired");
        }
        soon(port.closed()).await;
        ended(&recorder, 1).await;
        let record = recorder.only(&format!("Middle.{tag}"));
        assert_eq!((&*record.end, record.way), (end, Way::Sent), "{tag}");
    }
}

#[tokio::test]
async fn a_continuation_belongs_to_its_handler() {
    let recorder = Recorder::default();
    let middle = middle(&traced(&recorder));
    assert_eq!(soon(middle.then()).await.unwrap(), 2);
    ended(&recorder, 3).await;
    let then = recorder.only("Middle.then");
    assert!(recorder.only("Leaf.get").is_child_of(&then));
    assert!(recorder.only("Leaf.note").is_linked_to(&then));
}

#[tokio::test]
async fn code_outside_of_ports_may_have_a_context() {
    let recorder = Recorder::default();
    let leaf = traced(&recorder).port(Leaf);
    let context = SpanContext::new([7; 16], [8; 8], SpanContext::SAMPLED).unwrap();
    let inner = SpanContext::new([7; 16], [9; 8], SpanContext::SAMPLED).unwrap();
    soon(context.scope(async {
        assert_eq!(SpanContext::current().as_ref(), Some(&context));
        tokio::task::yield_now().await;
        assert_eq!(leaf.get(1).await.unwrap(), 2);
        inner.run(|| leaf.note("x".into()));
        assert_eq!(SpanContext::current().as_ref(), Some(&context));
    }))
    .await;
    assert_eq!(SpanContext::current(), None);
    assert_eq!(soon(leaf.get(1)).await.unwrap(), 2);
    let all = ended(&recorder, 3).await;
    let senders: Vec<_> = all.iter().map(|record| record.sender.clone()).collect();
    assert_eq!(senders, [Some(context.clone()), Some(inner), None]);
    assert_eq!(all[0].context.trace_id(), context.trace_id());
}

#[tokio::test]
async fn a_handler_without_a_span_hides_that_of_its_caller() {
    let recorder = Recorder::without(&["Leaf.get"], &["Leaf.note"]);
    let node = traced(&recorder);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let untyped = node.untyped(move |_: &mut Cx<'_>, _: Args| {
        told.lock().unwrap().push(present());
    });
    // The called port is trusted after a while, and runs in place, within the poll of its caller.
    let middle = middle(&node);
    for _ in 0..40 {
        assert_eq!(soon(middle.ask(1)).await.unwrap(), Some(2));
    }
    assert!(recorder.named("Leaf.get").is_empty());
    assert!(
        recorder
            .named("Leaf.note")
            .iter()
            .all(|note| !note.context.is_sampled())
    );
    // A closure is no message.
    let closure = untyped.peval(|_| present());
    assert_eq!(soon(closure).await.unwrap(), None);
    snd!(node, untyped.id(), "look");
    ended(&recorder, 121).await;
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert!(seen.lock().unwrap()[0].is_some());
}

#[tokio::test]
async fn untyped_messages_are_named_by_their_tags() {
    let recorder = Recorder::default();
    let node = traced(&recorder);
    let port = node.empty_port();
    node.rcv(&port.id(), "get", |cx: &mut Cx<'_>, mut args: Args| {
        let reply = args.pop().and_then(|to| PortId::parse(to.as_str()?).ok());
        snd!(cx.node(), reply.unwrap(), 5);
    })
    .unwrap();
    assert_eq!(soon(cal!(node, port.id(), "get")).await.unwrap(), msg![5]);
    let get = &ended(&recorder, 1).await[0];
    assert_eq!((&*get.name, get.way), ("Untyped.get", Way::Called));
    let long = "x".repeat(5000);
    node.rcv_default(&port.id(), |_: &mut Cx<'_>, _: Args| ())
        .unwrap();
    snd!(node, port.id(), long);
    let all = ended(&recorder, 2).await;
    assert!(all.len() == 2 && all[1].name.len() < 200);
    assert_eq!(all[1].way, Way::Sent);
}

#[tokio::test]
async fn a_process_has_a_span_from_one_receive_to_the_next() {
    let recorder = Recorder::default();
    let node = traced(&recorder);
    let leaf = node.port(Leaf);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let process = node.process(move |inbox| async move {
        assert_eq!(present(), None);
        loop {
            let tag = inbox.recv().await.remove(0);
            let own = present();
            assert!(own.is_some());
            sleep(Duration::from_millis(2)).await;
            assert_eq!(present(), own);
            leaf.note(tag.to_string());
            tell.send(()).unwrap();
            if tag == "end".into() {
                return;
            }
        }
    });
    for tag in ["one", "two", "end"] {
        snd!(node, process.id(), tag);
    }
    for _ in 0..3 {
        soon(told.recv()).await.unwrap();
    }
    soon(process.closed()).await;
    ended(&recorder, 6).await;
    let notes = recorder.named("Leaf.note");
    for (tag, note) in ["one", "two", "end"].into_iter().zip(&notes) {
        let own = recorder.only(&format!("Process.{tag}"));
        assert!(note.is_linked_to(&own));
        assert_eq!(own.end, "returned");
        assert!(own.took >= Duration::from_millis(2));
    }
}

struct Killer {
    victim: LeafRef,
}

#[port]
impl Killer {
    #[rcv]
    fn strike(&self) {
        self.victim.kill("struck");
    }
}

#[tokio::test]
async fn kills_monitors_and_restarts_are_events() {
    let recorder = Recorder::default();
    let node = traced(&recorder);
    let victim = node.port(Leaf);
    victim.monitor(|_| ()).detach();
    let killer = node.port(Killer {
        victim: victim.clone(),
    });
    killer.strike();
    soon(victim.closed()).await;
    ended(&recorder, 1).await;
    assert_eq!(recorder.only("Killer.strike").events, ["kill struck"]);
    let (made, mut makes) = tokio::sync::mpsc::unbounded_channel();
    let supervisor = Supervisor::builder()
        .child("leaf", Restart::Permanent, move |node| {
            let leaf = node.port(Leaf);
            made.send(leaf.clone()).unwrap();
            leaf
        })
        .start(&node);
    let first = soon(makes.recv()).await.unwrap();
    first.kill("once more");
    soon(makes.recv()).await.unwrap();
    soon(async {
        loop {
            let told: Vec<_> = recorder
                .all()
                .into_iter()
                .flat_map(|record| record.events)
                .chain(recorder.events())
                .collect();
            if ["monitor struck", "kill once more", "restart 1"]
                .iter()
                .all(|event| told.iter().any(|told| told == event))
            {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    drop(supervisor);
}

/// The time in the queue is that of the virtual clock.
#[tokio::test(start_paused = true)]
async fn the_time_in_the_queue_is_told() {
    let recorder = Recorder::default();
    let leaf = traced(&recorder).port(Leaf);
    let slow = tokio::spawn(leaf.slow(500).into_future());
    tokio::task::yield_now().await;
    leaf.note("behind it".into());
    soon(slow).await.unwrap().unwrap();
    ended(&recorder, 2).await;
    let note = recorder.only("Leaf.note");
    assert!(note.waited >= Duration::from_millis(500), "{note:?}");
    let slow = recorder.only("Leaf.slow");
    assert!(slow.took >= Duration::from_millis(500) && slow.waited < slow.took);
}
