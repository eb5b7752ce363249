//! The log lines of nodes, caught for each test: a test's runtime is its thread, and so its events are those of the
//! thread.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::filter_fn,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use crate::common::soon;

/// Catches the log of this thread for as long as it lives.
pub(crate) struct Logs {
    caught: Arc<Caught>,
    _guard: DefaultGuard,
}

#[derive(Default)]
struct Caught {
    lines: Mutex<Vec<(Level, String)>>,
    more: Notify,
}

struct Catcher(Arc<Caught>);

impl<S: Subscriber> Layer<S> for Catcher {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let mut lines = self.0.lines.lock().unwrap();
        lines.push((*event.metadata().level(), message.0));
        self.0.more.notify_one();
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Logs {
    pub(crate) fn catch() -> Self {
        Self::catch_with(Registry::default())
    }

    /// As `catch`, with the layers of this subscriber.
    pub(crate) fn catch_with<S>(subscriber: S) -> Self
    where
        S: Subscriber + Send + Sync + for<'span> LookupSpan<'span>,
    {
        let caught = Arc::new(Caught::default());
        // Traces of packets contain the texts of lines.
        let plain = filter_fn(|metadata| metadata.target() != aemp::logs::TRACE);
        let catcher = Catcher(Arc::clone(&caught)).with_filter(plain);
        let subscriber = subscriber.with(catcher);
        Self {
            caught,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// Waits for a line that contains `text`; the line's level and text.
    pub(crate) async fn expect(&self, text: &str) -> (Level, String) {
        let found = async {
            loop {
                if let Some(line) = self.find(text) {
                    return line;
                }
                self.caught.more.notified().await;
            }
        };
        match tokio::time::timeout(std::time::Duration::from_secs(10), found).await {
            Ok(line) => line,
            Err(_) => panic!("nothing logged of {text:?}, but: {:#?}", self.lines()),
        }
    }

    /// As `expect`, and the line must be a warning or an error.
    pub(crate) async fn warned(&self, text: &str) {
        let (level, line) = soon(self.expect(text)).await;
        assert!(level <= Level::WARN, "{level}: {line}");
    }

    pub(crate) fn find(&self, text: &str) -> Option<(Level, String)> {
        let lines = self.lines();
        lines.into_iter().find(|(_, line)| line.contains(text))
    }

    /// The number of lines that contain `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        let lines = self.lines();
        lines.iter().filter(|(_, line)| line.contains(text)).count()
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<(Level, String)> {
        self.caught.lines.lock().unwrap().clone()
    }
}
