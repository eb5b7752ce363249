//! Typed ports that are fed untyped messages, and handles as arguments.

use aemp::{Args, Cx, Handle, PortId, UntypedMsg, Value, args, cal, msg, port, snd, spawnable};

use crate::{
    Journal, Recorder, RecorderRef, death, death_by, node, on_both, settle, watch, within,
};

/// Takes arguments of many types.
#[derive(Default)]
struct Picky {
    journal: Journal,
}

#[port]
impl Picky {
    #[rcv]
    fn int(&mut self, n: i64) {
        self.journal.note(n);
    }

    #[rcv]
    fn small(&mut self, n: u8) {
        self.journal.note(n);
    }

    #[rcv]
    fn text(&mut self, text: String) {
        self.journal.note(text);
    }

    #[rcv]
    fn flag(&mut self, flag: bool) {
        self.journal.note(flag);
    }

    #[rcv]
    fn float(&mut self, n: f64) {
        self.journal.note(n);
    }

    #[rcv]
    fn optional(&mut self, n: i64, label: Option<String>, more: Option<u8>) {
        self.journal.note(format!("{n} {label:?} {more:?}"));
    }

    #[rcv]
    fn pass(&self, to: RecorderRef, n: i64) -> RecorderRef {
        to.add(n);
        to
    }

    #[rcv]
    fn pass_untyped(&self, cx: &mut Cx<'_>, to: Handle<UntypedMsg>) {
        snd!(cx, to, "passed");
    }

    #[rcv]
    fn pass_many(&self, to: Vec<RecorderRef>) -> usize {
        for to in &to {
            to.add(1);
        }
        to.len()
    }
}

#[test]
fn are_read_leniently() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let port = node.port(Picky {
            journal: journal.clone(),
        });
        for (message, noted) in [
            (msg!["int", "42"], "42"),
            (msg!["int", 42], "42"),
            (msg!["int", 42.0], "42"),
            (msg!["int", i64::MIN], "-9223372036854775808"),
            (msg!["int", Value::Null], "0"),
            (msg!["small", "255"], "255"),
            (msg!["text", 42], "42"),
            (msg!["text", "42"], "42"),
            (msg!["flag", true], "true"),
            (msg!["flag", 1], "true"),
            (msg!["flag", "0"], "false"),
            (msg!["flag", ""], "false"),
            (msg!["float", "2.5"], "2.5"),
            (msg!["float", 2], "2"),
            (msg!["optional", 1, "a", 2], "1 Some(\"a\") Some(2)"),
            (msg!["optional", 1, "a"], "1 Some(\"a\") None"),
            (msg!["optional", 1], "1 None None"),
            (msg!["optional", 1, Value::Null, "2"], "1 None Some(2)"),
        ] {
            node.snd(&port.id(), message.clone());
            settle(&port).await;
            assert_eq!(journal.take(), [noted], "{message:?}");
        }
    });
}

#[tokio::test]
async fn that_do_not_fit_kill() {
    let node = node();
    for (message, start) in [
        (msg!["int", "forty"], "die int: argument 1 (`n`): "),
        (msg!["int", 1.5], "die int: argument 1 (`n`): "),
        (msg!["int", u64::MAX], "die int: argument 1 (`n`): "),
        (msg!["int"], "die int: argument 1 (`n`): "),
        (msg!["int", args![1]], "die int: argument 1 (`n`): "),
        (msg!["small", 256], "die small: argument 1 (`n`): "),
        (msg!["small", -1], "die small: argument 1 (`n`): "),
        (msg!["text", args![]], "die text: argument 1 (`text`): "),
        (
            msg!["optional", 1, "a", "b"],
            "die optional: argument 3 (`more`): ",
        ),
        (msg!["pass", "no port", 1], "die pass: argument 1 (`to`): "),
    ] {
        let port = node.port(Picky::default());
        let reason = death_by(&port, || drop(node.snd(&port.id(), message.clone()))).await;
        assert!(reason.starts_with(start), "{message:?}: {reason}");
        assert!(
            reason.len() > start.len() || reason.contains("got"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn that_do_not_fit_kill_in_order() {
    let node = node();
    let journal = Journal::default();
    let port = node.port(Picky {
        journal: journal.clone(),
    });
    let told = watch(&port);
    snd!(node, port, "int", 1);
    snd!(node, port, "int", "two");
    snd!(node, port, "int", 3);
    assert!(within(told).await.unwrap().kind() == "die");
    assert_eq!(journal.take(), ["1"]);
}

#[test]
fn may_be_handles() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let picky = node.port(Picky::default());
        let to = node.port(Recorder::new(&journal));
        // Typed, within the node: the handle itself is moved.
        let back = within(picky.pass(to.clone(), 1)).await.unwrap();
        assert_eq!(back.id(), to.id());
        // By value: its ID travels.
        let answer = within(cal!(node, picky, "pass", to.id().as_str(), 2)).await;
        assert_eq!(answer.unwrap(), msg![to.id().as_str()]);
        let ids = args![to.id().as_str(), to.id().as_str()];
        let answer = within(cal!(node, picky, "pass_many", ids)).await;
        assert_eq!(answer.unwrap(), msg![2]);
        settle(&to).await;
        assert_eq!(journal.take(), ["1", "2", "1", "1"]);
        assert_eq!(node.port_count(), 2);
    });
}

#[test]
fn may_be_handles_of_untyped_ports() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let notes = journal.clone();
        let untyped = node.untyped(move |_: &mut Cx<'_>, message: Args| {
            notes.note(message[0].text().unwrap_or_default());
        });
        let picky = node.port(Picky::default());
        picky.pass_untyped(untyped.clone());
        snd!(node, picky, "pass_untyped", untyped.id().as_str());
        // A typed handle of it sends messages that it understands as well.
        let typed: RecorderRef = node.handle(&untyped.id());
        let back = within(picky.pass(typed, 5)).await.unwrap();
        assert_eq!(back.id(), untyped.id());
        settle(&picky).await;
        settle(&untyped).await;
        assert_eq!(journal.take(), ["passed", "passed", "add"]);
    });
}

#[tokio::test]
async fn a_handle_is_written_as_its_id() {
    let node = node();
    let port = node.port(Recorder::default());
    let id = port.id().to_string();
    assert_eq!(serde_json::to_value(&port).unwrap(), serde_json::json!(id));
    assert_eq!(
        PortId::from(aemp::PortRef::handle(&port).clone()).as_str(),
        id
    );
}

#[tokio::test]
async fn a_handle_is_read_within_a_message_only() {
    let node = node();
    let port = node.port(Recorder::default());
    let text = serde_json::to_string(&port).unwrap();
    let error = serde_json::from_str::<RecorderRef>(&text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a handle can only be read from a message; read a `PortId` and ask a node for its handle"
    );
    let error = serde_json::from_str::<Handle<UntypedMsg>>("\"no port\"");
    assert!(error.is_err());
    let id: PortId = serde_json::from_str(&text).unwrap();
    let handle: RecorderRef = node.handle(&id);
    assert_eq!(within(handle.count()).await.unwrap(), 0);
}

/// Reads itself badly.
#[derive(serde::Serialize)]
struct Touchy;

impl<'de> serde::Deserialize<'de> for Touchy {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("do not touch")
    }
}

struct Parser;

#[port]
impl Parser {
    /// A handler is not where messages are read.
    #[rcv]
    fn parse(&self, text: String) -> bool {
        serde_json::from_str::<RecorderRef>(&text).is_ok()
    }

    #[rcv]
    fn touch(&self, touchy: Touchy) {
        let _ = touchy;
    }
}

#[spawnable(name = "Ports::touchy")]
fn touchy(touchy: Touchy) -> Parser {
    let _ = touchy;
    Parser
}

#[tokio::test]
async fn that_panic_while_they_are_read_kill_the_receiver() {
    let node = node();
    let port = node.port(Parser);
    let sender = node.untyped(|cx: &mut Cx<'_>, message: Args| {
        let to = PortId::parse(message[0].as_str().unwrap_or_default());
        snd!(cx, to.expect("an ID"), "touch", 1);
        cx.node().spawn("", "Ports::touchy", args![1]);
    });
    let told = watch(&port);
    snd!(node, sender, port.id().as_str());
    assert_eq!(within(told).await.unwrap().to_string(), "die do not touch");
    settle(&sender).await;
    assert!(sender.queue_len().is_some(), "the sender lives");
    port.touch(Touchy);
    let id = node.spawn("", "Ports::touchy", args![1]);
    let spawned: Handle<ParserMsg> = node.handle(&id);
    assert_eq!(death(&spawned).await, "die do not touch");
    assert_eq!(node.port_count(), 1);
}

#[tokio::test]
async fn a_handle_is_not_read_in_a_handler() {
    let node = node();
    let port = node.port(Parser);
    let answer = within(cal!(node, port, "parse", "\"#port\"")).await;
    assert_eq!(answer.unwrap(), msg![false]);
    assert!(!within(port.parse("\"#port\"".into())).await.unwrap());
}
