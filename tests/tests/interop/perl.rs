//! A process of `peer.pl`, led by the hand.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

use crate::common::{SECRET, soon};

/// True if there is a Perl with AnyEvent::MP 2.
fn found() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let mut perl = Command::new("perl");
        perl.args(["-e", "use AnyEvent::MP 2; use JSON::XS"]);
        let tried = perl.stdout(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    })
}

/// There is a Perl with AnyEvent::MP 2: where there is none, the tests are ignored.
///
/// # Panics
///
/// If there is none all the same.
pub(crate) fn is_there() -> bool {
    assert!(found(), "`perl -MAnyEvent::MP -e1` does not work here");
    true
}

/// Says, past the test harness, that a test has Perl but nothing to do with it.
pub(crate) fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "interop: SKIPPED: {why}");
}

/// The tests that are ignored are those that cannot run.
#[test]
fn the_build_detects_perl() {
    let hint = "AnyEvent::MP has come or gone since the tests were built: `touch tests/build.rs`";
    assert_eq!(found(), cfg!(perl), "{hint}");
}

pub(crate) struct Perl {
    process: Child,
    events: mpsc::UnboundedReceiver<Vec<Json>>,
    /// The address at which it listens.
    pub(crate) address: String,
}

impl Perl {
    /// Starts a node that listens on a free port.
    pub(crate) async fn start(id: &str, seeds: &[String]) -> Option<Self> {
        Self::start_at(id, "127.0.0.1:*", seeds, false).await
    }

    /// Starts a global node that listens on a free port.
    pub(crate) async fn start_global(id: &str, seeds: &[String]) -> Option<Self> {
        Self::global_at(id, "127.0.0.1:*", seeds).await
    }

    /// Starts a global node that listens there.
    pub(crate) async fn global_at(id: &str, bind: &str, seeds: &[String]) -> Option<Self> {
        Self::start_with(id, bind, seeds, &[("PEER_GLOBAL", "1")]).await
    }

    /// Starts a node that listens there. `None` where there is no Perl.
    pub(crate) async fn start_at(
        id: &str,
        bind: &str,
        seeds: &[String],
        secure: bool,
    ) -> Option<Self> {
        let settings: &[_] = if secure { &[("PEER_SECURE", "1")] } else { &[] };
        Self::start_with(id, bind, seeds, settings).await
    }

    /// Starts a node that knows those wire formats only.
    pub(crate) async fn start_speaking(id: &str, seeds: &[String], formats: &str) -> Option<Self> {
        Self::start_with(id, "127.0.0.1:*", seeds, &[("PEER_FORMATS", formats)]).await
    }

    /// Starts a node that listens on a free port, with these settings in its environment.
    pub(crate) async fn start_set(
        id: &str,
        seeds: &[String],
        settings: &[(&str, &str)],
    ) -> Option<Self> {
        Self::start_with(id, "127.0.0.1:*", seeds, settings).await
    }

    /// Starts a node with those variables in its environment, which `peer.pl` explains.
    pub(crate) async fn start_with(
        id: &str,
        bind: &str,
        seeds: &[String],
        settings: &[(&str, &str)],
    ) -> Option<Self> {
        if !is_there() {
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/peer.pl");
        let mut command = Command::new("perl");
        command.args([script, id, bind, SECRET]).args(seeds);
        command.envs(settings.iter().copied());
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = piped.spawn().expect("perl starts");
        let out = process.stdout.take().expect("it is piped");
        let (sender, events) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).expect("an event is an array");
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let mut perl = Self {
            process,
            events,
            address: String::new(),
        };
        let ready = perl.expect("ready").await;
        perl.address = ready[1].as_str().expect("an address").into();
        Some(perl)
    }

    /// Gives an order: a verb and its arguments.
    pub(crate) fn order(&mut self, order: &Json) {
        let input = self.process.stdin.as_mut().expect("it is piped");
        writeln!(input, "{order}").expect("it takes orders");
    }

    /// Waits for an event of that kind; its arguments. Others that come before are passed over.
    pub(crate) async fn expect(&mut self, kind: &str) -> Vec<Json> {
        let found = async {
            loop {
                let mut event = self.events.recv().await.expect("perl has ended");
                assert_ne!(event[0], "error", "{event:?}");
                if event[0] == kind {
                    event.remove(0);
                    return event;
                }
            }
        };
        soon(found).await
    }

    /// Gives an order and waits for an event.
    pub(crate) async fn ask(&mut self, order: Json, kind: &str) -> Vec<Json> {
        self.order(&order);
        self.expect(kind).await
    }

    /// A port there that records its messages.
    pub(crate) async fn inbox(&mut self) -> String {
        let answer = self.ask(json!(["inbox"]), "inbox").await;
        answer[0].as_str().expect("a port ID").into()
    }

    /// The events that have come so far.
    pub(crate) fn so_far(&mut self) -> Vec<Vec<Json>> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// Kills it at once.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it has ended");
    }
}

impl Drop for Perl {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
