//! The log line of a runtime that has no worker left. It comes from a thread of its own, so the subscriber is the process's.

use std::{
    fmt,
    sync::{Mutex, PoisonError, mpsc},
};

use aemp::{Local, Node, port};
use tokio::runtime;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps the reports about blocked workers, and nothing else.
struct Keep;

impl Subscriber for Keep {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
                self.0 = format!("{value:?}");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        if text.0.contains("blocked") {
            lines().push(text.0);
        }
    }

    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn lines() -> std::sync::MutexGuard<'static, Vec<String>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Blocker;

#[port]
impl Blocker {
    #[rcv]
    fn wait_for_ever(&mut self, until: Local<mpsc::Receiver<()>>) {
        let _ = until.0.recv();
    }
}

#[test]
fn the_log_names_port_and_handler() {
    let _ = tracing::subscriber::set_global_default(Keep);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let node = runtime.block_on(async { Node::local().unwrap() });
    let mut gates = Vec::new();
    let ports: Vec<_> = (0..2).map(|_| node.port(Blocker)).collect();
    for port in &ports {
        let (open, closed) = mpsc::channel();
        port.wait_for_ever(Local(closed));
        gates.push(open);
    }
    let ids: Vec<_> = ports.iter().map(|port| port.id().to_string()).collect();
    let told = || {
        let lines = lines();
        lines
            .iter()
            .any(|line| ids.iter().all(|id| line.contains(id.as_str())))
    };
    // The handlers wait until the line has come, however long that takes.
    while !told() {
        std::thread::yield_now();
    }
    let line = lines().join("\n");
    assert!(line.contains("`wait_for_ever`"), "{line}");
    assert!(line.contains("#[port(blocking)]"), "{line}");
    drop(gates);
}
