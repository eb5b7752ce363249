//! Message traces.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use aemp::{Node, logs::TRACE, msg};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    layer::{Context, SubscriberExt},
};

use crate::{
    common::{Inbox, soon, until},
    nodes::{CounterRef, address, counter, listening, pair, start},
};

/// Keeps the traces of this thread.
#[derive(Clone, Default)]
struct Traces(Arc<Mutex<Vec<Fields>>>);

#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    fn of(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Traces {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields);
    }
}

impl Traces {
    fn start() -> (Self, DefaultGuard) {
        let traces = Self::default();
        let filter = Targets::new().with_target(TRACE, Level::TRACE);
        let layer = traces.clone().with_filter(filter);
        let guard = tracing::subscriber::set_default(Registry::default().with(layer));
        (traces, guard)
    }

    fn lines(&self) -> Vec<Fields> {
        self.0.lock().unwrap().clone()
    }

    /// The lines about a port, as `SND OTHER-NODE MESSAGE`.
    fn about(&self, port: &str) -> Vec<String> {
        let lines = self.lines().into_iter();
        let lines = lines.filter(|line| line.of("port") == port);
        lines
            .map(|line| {
                let (way, message) = line.of("message").split_once(' ').unwrap();
                format!("{way} {} {message}", line.of("node"))
            })
            .collect()
    }
}

async fn writing(format: &str) -> (Node, Node) {
    let a = start(listening("a").framing_format([format])).await;
    let b = listening("b").framing_format([format]).seed(address(&a));
    let b = start(b).await;
    soon(a.until_up("b")).await;
    soon(b.until_up("a")).await;
    (a, b)
}

#[tokio::test]
async fn messages_are_traced_at_both_ends_in_every_format() {
    for format in ["json", "cbor", "postcard/1"] {
        let (traces, _guard) = Traces::start();
        let (a, b) = writing(format).await;
        let counter: CounterRef = counter::on(&a, "b", 5);
        counter.inc(37);
        let inbox = Inbox::new(&b);
        a.snd(&inbox.id, msg!["tag", 1.5, "two", ["three"], ()]);
        assert_eq!(soon(counter.get()).await.unwrap(), 42);
        let name = aemp::PortRef::handle(&counter).id().name().to_owned();
        until(|| traces.about(&name).len() == 4).await;
        let lines = traces.about(&name);
        assert_eq!(lines[0], r#"SND b ["inc",37]"#, "{format}");
        assert!(lines.contains(&r#"RCV a ["inc",37]"#.into()), "{lines:?}");
        let until_inbox = || traces.about(inbox.id.name()).len() == 2;
        until(until_inbox).await;
        let message = r#"["tag",1.5,"two",["three"],null]"#;
        let lines = traces.about(inbox.id.name());
        assert_eq!(
            lines,
            [format!("SND b {message}"), format!("RCV a {message}")]
        );
        // Requests have no port.
        let requests = traces.about("");
        let spawn = |line: &&String| line.starts_with("SND b [\"AnyEvent::MP::_spawn\"");
        assert!(requests.iter().any(|line| spawn(&line)), "{requests:?}");
        assert!(traces.lines().iter().any(|line| line.of("tag") == "mon1"));
        soon(b.stop()).await;
        soon(a.stop()).await;
    }
}

#[tokio::test]
async fn large_messages_are_cut_or_left_out() {
    let (traces, _guard) = Traces::start();
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    for size in [2000, 100_000, 300_000] {
        a.snd(&inbox.id, msg!["x".repeat(size)]);
        inbox.next().await;
    }
    // The largest one is read on a thread of its own, where this test has no subscriber.
    until(|| traces.about(inbox.id.name()).len() >= 5).await;
    let lines = traces.about(inbox.id.name());
    let is_large = |line: &&String| line.contains("bytes: too large to be shown");
    let (large, cut): (Vec<_>, Vec<_>) = lines.iter().partition(is_large);
    assert_eq!(cut.len(), 2, "{cut:?}");
    assert!(
        cut.iter()
            .all(|line| line.ends_with("x...") && line.len() < 1100)
    );
    assert!(large.len() >= 3, "{large:?}");
}

/// As many as a slow subscriber cannot take are counted.
#[tokio::test]
async fn traces_that_are_left_out_are_counted() {
    const MOST: u64 = 5000;
    let (traces, _guard) = Traces::start();
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    // Nothing else runs meanwhile, and then all of them are written at once.
    for n in 0..MOST {
        a.snd(&inbox.id, msg![n]);
    }
    for n in 0..MOST {
        assert_eq!(inbox.next().await, msg![n]);
    }
    // The next line says how many were lost.
    let lost = || {
        let lines = traces.lines();
        let lost = lines
            .iter()
            .filter_map(|line| line.of("lost").parse::<u64>().ok());
        lost.sum::<u64>()
    };
    let seen = || traces.about(inbox.id.name()).len() as u64;
    let mut sent = MOST;
    until(|| {
        a.snd(&inbox.id, msg![0]);
        sent += 1;
        lost() > 0
    })
    .await;
    assert!(lost() + seen() <= 2 * sent, "{} {}", lost(), seen());
    assert!(lost() > MOST / 2, "{}", lost());
}

/// A subscriber for everything else is not told, and lines of level TRACE elsewhere do not switch traces on.
#[tokio::test]
async fn without_the_target_there_are_none() {
    let traces = Traces::default();
    let filter = Targets::new()
        .with_default(Level::TRACE)
        .with_target(TRACE, Level::INFO);
    let layer = traces.clone().with_filter(filter);
    let _guard = tracing::subscriber::set_default(Registry::default().with(layer));
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    a.snd(&inbox.id, msg!["hello"]);
    inbox.next().await;
    tracing::trace!("the last one");
    assert!(
        traces
            .lines()
            .iter()
            .any(|line| line.of("message") == "the last one")
    );
    assert!(traces.about(inbox.id.name()).is_empty());
}
