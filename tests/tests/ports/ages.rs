//! Ports and callers of different versions: unknown messages do not end a port.

use aemp::{CallError, Value, cal, msg, port, protocol, snd};

use crate::{Journal, death, death_by, node, settle, within};

/// As it was.
#[derive(Default)]
struct Old {
    journal: Journal,
}

#[port]
impl Old {
    #[rcv]
    fn double(&self, n: u8) -> u8 {
        2 * n
    }

    #[rcv]
    fn pair(&self, a: u8, b: String) -> String {
        format!("{a}{b}")
    }

    #[rcv]
    fn note(&mut self, n: u8) {
        self.journal.note(n);
    }
}

/// As it is: with more, and more to say.
#[protocol]
trait New {
    fn double(&self, n: u8, unit: Option<u8>, factor: Option<u8>) -> u8;
    fn note(&self, n: u8, unit: Option<u8>);
    fn added(&self, n: u8);
    fn ask(&self, n: u8) -> u8;
    #[rcv("pair")]
    fn half_a_pair(&self, a: u8) -> String;
}

/// As it is elsewhere.
#[protocol]
trait Other {
    fn pair(&self, b: String, a: u8) -> String;
}

/// A typed handle of a newer version of the port: its messages are encoded.
fn both(journal: &Journal) -> (OldRef, NewRef) {
    let node = node();
    let old = node.port(Old {
        journal: journal.clone(),
    });
    let new = node.handle(&old.id());
    (old, new)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, CallError>, text: &str) {
    match answer {
        Err(CallError::Refused(why)) => assert!(why.starts_with(text), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn omitted_arguments_are_not_sent() {
    let journal = Journal::default();
    let (old, new) = both(&journal);
    assert_eq!(within(new.double(4, None, None)).await.unwrap(), 8);
    new.note(4, None);
    let all = msg!["note", 5, Value::Null, Value::Null];
    old.node().snd(&old.id(), all);
    settle(&old).await;
    assert_eq!(journal.take(), ["4", "5"]);
    // A foreign caller may send nulls in the places of omitted arguments.
    let answer = cal!(old.node(), old, "double", 3, Value::Null, Value::Null);
    assert_eq!(within(answer).await.unwrap(), msg![6]);
}

#[tokio::test]
async fn calls_that_are_not_understood_are_refused() {
    let (old, new) = both(&Journal::default());
    let other: OtherRef = old.node().handle(&old.id());
    let unhandled = "no callback found for message 'ask'";
    refused(within(new.ask(1)).await, unhandled);
    let too_many = "double: takes 1 argument, got ";
    refused(within(new.double(1, Some(2), None)).await, too_many);
    refused(within(new.double(1, None, Some(2))).await, too_many);
    refused(within(new.half_a_pair(1)).await, "pair: ");
    refused(
        within(other.pair("x".into(), 1)).await,
        "pair: argument 1 (`a`): ",
    );
    assert_eq!(within(old.double(1)).await.unwrap(), 2);
    assert_eq!(old.node().port_count(), 1, "no reply port is left");
}

#[tokio::test]
async fn messages_that_are_not_known_are_dropped() {
    let journal = Journal::default();
    let (old, new) = both(&journal);
    new.added(1);
    new.note(2, Some(3));
    // A message whose last argument is a port ID is no call: that port may be any port.
    let other = old.node().empty_port();
    snd!(old.node(), old, "register", other.id().as_str());
    new.note(4, None);
    settle(&old).await;
    assert_eq!(journal.take(), ["4"]);
    assert_eq!(other.queue_len(), Some(0), "it lives");
}

/// Takes nothing that it does not know.
struct Strict;

#[port(strict)]
impl Strict {
    #[rcv]
    fn double(&self, n: u8) -> u8 {
        2 * n
    }

    #[rcv]
    fn note(&mut self, _n: u8) {}
}

#[tokio::test]
async fn a_strict_port_dies_of_unknown_messages() {
    let node = node();
    for (message, text) in [
        (
            msg!["added"],
            "unhandled_message no callback found for message 'added'",
        ),
        (msg!["note", 1, 2], "die note: takes 1 argument, got 2"),
        (
            msg!["note", 1, Value::Null],
            "die note: takes 1 argument, got 2",
        ),
        (
            msg!["double", 1, 2, "a#b"],
            "die double: takes 2 arguments, got 3",
        ),
    ] {
        let port = node.port(Strict);
        let reason = death_by(&port, || drop(node.snd(&port.id(), message.clone()))).await;
        assert_eq!(reason, text, "{message:?}");
    }
    let port = node.port(Strict);
    let new: NewRef = node.handle(&port.id());
    let Err(CallError::Died(reason)) = within(new.ask(1)).await else {
        panic!("it should have died");
    };
    assert_eq!(reason.kind(), "unhandled_message");
    assert!(death(&port).await.starts_with("unhandled_message"));
}
