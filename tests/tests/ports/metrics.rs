//! The metrics of a node without others.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aemp::{
    Cx, Node, Reason, Reply,
    metrics::{Metrics, Reading},
    msg, port,
    supervisor::{Restart, Supervisor},
};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tokio::{runtime::Builder, time::sleep};

use crate::node;

/// Waits for a future that must be ready soon.
async fn soon<F: Future>(future: F) -> F::Output {
    let patient = tokio::time::timeout(Duration::from_secs(20), future);
    patient.await.expect("it has not come in time")
}

#[derive(Default)]
struct Tallied {
    n: i64,
}

#[port]
impl Tallied {
    #[rcv]
    fn inc(&mut self, by: i64) {
        self.n += by;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    #[rcv]
    async fn wait(&mut self, millis: u64) -> i64 {
        sleep(Duration::from_millis(millis)).await;
        self.n
    }

    #[rcv]
    fn never(&self, reply: Reply<i64>) {
        drop(reply);
    }

    #[rcv(try)]
    fn fail(&self, kind: String) -> Result<(), Reason> {
        Err(Reason::new(vec![kind.into()]))
    }
}

struct Wrapped<T>(T);

#[port]
impl<T: Send + 'static> Wrapped<T> {
    #[rcv]
    fn touch(&self) -> bool {
        size_of_val(&self.0) > 0
    }
}

struct Blocking;

#[port(blocking)]
impl Blocking {
    #[rcv]
    fn touch(&self) -> bool {
        true
    }
}

/// The label of a type of this module.
fn of(name: &str) -> String {
    format!("{}::{name}", module_path!())
}

/// The sum of all values that a histogram has observed.
fn sum(metrics: &Metrics, name: &str, labels: &[&str]) -> f64 {
    let mut named = metrics.iter().filter(|m| m.description.name == name);
    let samples = &named.next().unwrap().samples;
    let sample = samples.iter().find(|sample| sample.labels == labels);
    match sample.unwrap().reading {
        Reading::Classes { sum, .. } => sum,
        _ => panic!("{name} is no histogram"),
    }
}

/// The metrics, when this one has this value.
async fn until(node: &Node, name: &str, labels: &[&str], value: f64) -> Metrics {
    soon(async {
        loop {
            let metrics = node.metrics().await;
            if metrics.value(name, labels) == Some(value) {
                return metrics;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn messages_count_by_type_and_handler() {
    let node = node();
    let port = node.port(Tallied::default());
    (0..1000).for_each(|_| drop(port.inc(1)));
    for _ in 0..10 {
        assert_eq!(port.get().await.unwrap(), 1000);
    }
    let metrics = node.metrics().await;
    let tallied = of("Tallied");
    let count = |name, handler| metrics.value(name, &[&tallied, handler]);
    assert_eq!(count("aemp_messages_total", "inc"), Some(1000.0));
    assert_eq!(count("aemp_messages_total", "get"), Some(10.0));
    assert_eq!(count("aemp_messages_total", "wait"), None);
    // A time stands for at most 128 messages, and the messages after the last one are not in it.
    let timed = count("aemp_handler_seconds", "inc").unwrap();
    assert!(timed > 1000.0 - 128.0 && timed <= 1000.0, "{timed}");
    assert_eq!(
        metrics.value("aemp_calls_total", &["local", "answered"]),
        Some(10.0)
    );
    assert_eq!(metrics.value("aemp_ports", &[&tallied]), Some(1.0));
    // Another node of the process has counted nothing.
    let other = Node::local().unwrap();
    assert_eq!(
        other
            .metrics()
            .await
            .value("aemp_messages_total", &[&tallied, "inc"]),
        None
    );
}

#[tokio::test]
async fn async_handlers_are_timed_with_their_waits() {
    let node = node();
    let port = node.port(Tallied::default());
    port.wait(30).await.unwrap();
    let metrics = node.metrics().await;
    let tallied = of("Tallied");
    let labels = [&*tallied, "wait"];
    assert_eq!(metrics.value("aemp_messages_total", &labels), Some(1.0));
    if metrics.value("aemp_handler_seconds", &labels) == Some(1.0) {
        assert!(sum(&metrics, "aemp_handler_seconds", &labels) >= 0.03);
    } else {
        // Another test has shown that the handler is quick to be polled: it is timed each 128th time.
        for _ in 0..128 {
            port.wait(1).await.unwrap();
        }
        let metrics = node.metrics().await;
        assert!(sum(&metrics, "aemp_handler_seconds", &labels) >= 0.001);
    }
}

#[tokio::test]
async fn queues_are_seen() {
    let node = node();
    let port = node.port(Tallied::default());
    let waits = tokio::spawn(port.wait(100));
    while node
        .metrics()
        .await
        .value("aemp_messages_total", &[&of("Tallied"), "wait"])
        .is_none()
    {
        sleep(Duration::from_millis(1)).await;
    }
    (0..20).for_each(|_| drop(port.inc(1)));
    let metrics = node.metrics().await;
    let of_type = |name| metrics.value(name, &[&of("Tallied")]);
    assert_eq!(of_type("aemp_queued_messages"), Some(20.0));
    assert_eq!(of_type("aemp_longest_queue_messages"), Some(20.0));
    assert!(sum(&metrics, "aemp_queue_messages", &[&of("Tallied")]) >= 20.0);
    waits.await.unwrap().unwrap();
}

#[tokio::test]
async fn deaths_count_by_known_kinds() {
    let node = node();
    for kind in ["die", "die", "mine/1", "mine/2", "shutdown"] {
        let port = node.port(Tallied::default());
        port.fail(kind.into()).await.unwrap_err();
        soon(port.closed()).await;
    }
    node.port(Tallied::default()).kill(Reason::normal());
    let metrics = until(&node, "aemp_ports_died_total", &["normal"], 1.0).await;
    let died = |kind| metrics.value("aemp_ports_died_total", &[kind]);
    assert_eq!((died("die"), died("shutdown")), (Some(2.0), Some(1.0)));
    assert_eq!((died("(other)"), died("mine/1")), (Some(2.0), None));
    assert_eq!(metrics.value("aemp_ports_spawned_total", &[]), Some(6.0));
}

#[tokio::test]
async fn calls_count_by_their_ends() {
    let node = node();
    let port = node.port(Tallied::default());
    port.never().await.unwrap_err();
    port.wait(1000)
        .timeout(Duration::from_millis(5))
        .await
        .unwrap_err();
    let mut dropped = Box::pin(port.get());
    assert!(
        tokio::time::timeout(Duration::from_millis(5), &mut dropped)
            .await
            .is_err()
    );
    drop(dropped);
    // Never sent, so it is no call.
    drop(port.get());
    port.get().forget();
    port.kill(Reason::die("enough"));
    port.get().await.unwrap_err();
    node.cal(&port.id(), msg!["get"]).await.unwrap_err();
    let metrics = node.metrics().await;
    let ended = |end| metrics.value("aemp_calls_total", &["local", end]);
    assert_eq!(
        (ended("no_reply"), ended("timeout")),
        (Some(1.0), Some(1.0))
    );
    assert_eq!((ended("dropped"), ended("died")), (Some(1.0), Some(2.0)));
    assert_eq!(ended("answered"), Some(0.0));
}

#[tokio::test]
async fn restarts_count() {
    let node = node();
    let supervisor = Supervisor::builder().child("a", Restart::Permanent, |node| {
        node.port(Tallied::default())
    });
    let supervisor = supervisor.start(&node);
    let child = supervisor.follow::<TalliedRef>("a").await.unwrap();
    let first = soon(child.wait()).await.unwrap();
    first.fail("die".into()).await.unwrap_err();
    until(&node, "aemp_restarts_total", &[], 1.0).await;
}

/// Senders choose tags, and generic ports can have any number of types.
#[tokio::test]
async fn nothing_makes_labels_without_end() {
    let node = node();
    let untyped = node.untyped(|_: &mut Cx<'_>, _: aemp::Args| ());
    for n in 0..500 {
        node.snd(&untyped.id(), msg![format!("tag/{n}")]);
    }
    assert!(node.port(Wrapped(1_u8)).touch().await.unwrap());
    assert!(node.port(Wrapped(1_u16)).touch().await.unwrap());
    let all = ["untyped", "(untyped)"];
    let metrics = until(&node, "aemp_messages_total", &all, 500.0).await;
    let wrapped = of("Wrapped");
    assert_eq!(
        metrics.value("aemp_messages_total", &[&wrapped, "touch"]),
        Some(2.0)
    );
    assert_eq!(metrics.value("aemp_ports", &[&wrapped]), Some(2.0));
    let messages = metrics
        .iter()
        .find(|m| m.description.name == "aemp_messages_total");
    assert_eq!(messages.unwrap().samples.len(), 2);
}

/// The counts of a thread outlive it.
#[test]
fn threads_that_end_leave_their_counts() {
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all();
    let runtime = runtime
        .thread_keep_alive(Duration::from_millis(1))
        .build()
        .unwrap();
    runtime.block_on(async {
        let node = node();
        let port = node.port(Blocking);
        for _ in 0..50 {
            assert!(port.touch().await.unwrap());
            sleep(Duration::from_millis(3)).await;
        }
        let metrics = node.metrics().await;
        let labels = [&*of("Blocking"), "touch"];
        assert_eq!(metrics.value("aemp_messages_total", &labels), Some(50.0));
        assert_eq!(metrics.value("aemp_workers", &[]), Some(2.0));
        node.stop().await;
    });
}

/// A recorder that keeps its reports. Its first call panics.
#[derive(Default)]
struct Notebook {
    counts: Mutex<BTreeMap<String, u64>>,
    panicked: Mutex<bool>,
}

impl Notebook {
    fn note(&self, key: &Key, count: u64) {
        let labels = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()));
        let labels = labels.collect::<Vec<_>>().join(",");
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.insert(format!("{}{{{labels}}}", key.name()), count);
    }
}

struct Note(&'static Notebook, Key);

impl metrics::CounterFn for Note {
    fn increment(&self, _: u64) {
        panic!("counters are set");
    }

    fn absolute(&self, value: u64) {
        self.0.note(&self.1, value);
    }
}

impl metrics::HistogramFn for Note {
    fn record(&self, _: f64) {}
}

impl Recorder for &'static Notebook {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        let mut panicked = self.panicked.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            std::mem::replace(&mut *panicked, true),
            "a recorder that fails once"
        );
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Note(self, key.clone()).into())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Note(self, key.clone()).into())
    }
}

#[tokio::test]
async fn recorders_are_told_at_an_interval() {
    let notebook: &'static Notebook = Box::leak(Box::default());
    metrics::set_global_recorder(notebook).ok().unwrap();
    let node = node();
    let port = node.port(Tallied::default());
    port.get().await.unwrap();
    node.publish_metrics(Duration::ZERO);
    let name = format!(
        "aemp_messages_total{{type={},handler=get,node=}}",
        of("Tallied")
    );
    soon(async {
        while notebook.counts.lock().unwrap().get(&name) != Some(&1) {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(
        *notebook
            .panicked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    );
}
