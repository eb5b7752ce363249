//! What became of the attempts to connect to the seeds.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// Behind an address in the node's log when an attempt has failed (REFERENCE.md, "Handshake").
const FAILED: &str = " disconnected - ";

/// The end of a connection by itself. Who closes without a word may be starting, or not like us.
const END_OF_FILE: &str = "Unexpected end-of-file";

/// Texts of the system, which say that nobody is there yet.
const PASSING: [&str; 5] = [
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Broken pipe",
    END_OF_FILE,
];

/// Listens to the node's log for what the seeds do.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeedLog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    failures: Mutex<BTreeMap<String, String>>,
    changed: Notify,
}

impl SeedLog {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        let failures = self.0.failures.lock();
        failures.unwrap_or_else(PoisonError::into_inner)
    }

    /// The last failure of each address.
    pub(crate) fn failures(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }

    /// Ready when there is a new failure, perhaps.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// How many addresses have failed in a way that trying again does not mend.
    pub(crate) fn hopeless(&self) -> usize {
        self.lock()
            .values()
            .filter(|text| !is_passing(text))
            .count()
    }

    fn take_in(&self, line: &str) {
        let Some((address, text)) = line.split_once(FAILED) else {
            return;
        };
        // Before the address there may be what is wrong with a seed.
        let address = address.rsplit(": ").next().unwrap_or(address);
        let text = text.strip_suffix('.').unwrap_or(text);
        self.lock().insert(address.into(), explained(text));
        self.0.changed.notify_one();
    }
}

fn is_passing(text: &str) -> bool {
    PASSING.iter().any(|passing| text.starts_with(passing))
}

/// The log's text, and what to do about it.
fn explained(text: &str) -> String {
    if text.starts_with("unparsable greeting") {
        return format!("that is no AnyEvent::MP node ({text})");
    }
    if text == END_OF_FILE || text.starts_with("Connection reset") {
        return format!(
            "{text} (it closes the connection: is it an AnyEvent::MP node, and is its secret ours?)"
        );
    }
    text.to_owned()
}

impl<S: Subscriber> Layer<S> for SeedLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("aemp") {
            let mut line = Line::default();
            event.record(&mut line);
            self.take_in(&line.0);
        }
    }
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_read_from_the_log() {
        let log = SeedLog::default();
        log.take_in("127.0.0.1:4040 disconnected - authentication failure/shared secret mismatch.");
        log.take_in("seed not reached: 127.0.0.1:4041 disconnected - Connection refused.");
        log.take_in("green is up");
        let failures = log.failures();
        assert_eq!(
            failures["127.0.0.1:4040"],
            "authentication failure/shared secret mismatch"
        );
        assert_eq!(failures["127.0.0.1:4041"], "Connection refused");
        assert_eq!((failures.len(), log.hopeless()), (2, 1));
    }

    #[test]
    fn a_later_failure_replaces_the_first() {
        let log = SeedLog::default();
        log.take_in("a:1 disconnected - unparsable greeting, expected 'aemp', got 'HTTP/1.1 400'.");
        assert_eq!(log.hopeless(), 1);
        assert!(log.failures()["a:1"].starts_with("that is no AnyEvent::MP node ("));
        log.take_in("a:1 disconnected - Connection refused.");
        assert_eq!((log.failures().len(), log.hopeless()), (1, 0));
    }
}
