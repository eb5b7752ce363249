//! Handlers that fail: the reasons, and that the rest of the node goes on.

use std::panic::panic_any;

use aemp::{Args, Cx, Local, Node, Value, args, msg, port, snd};

use crate::{Journal, Recorder, death, node, on_both, settle, watch, within};

/// Fails in every way.
struct Fragile;

#[port(strict)]
impl Fragile {
    #[rcv]
    fn text(&self) {
        panic!("plain text");
    }

    #[rcv]
    fn formatted(&self, n: i64) {
        panic!("number {n}\n");
    }

    #[rcv]
    fn structure(&self) {
        panic_any(42);
    }

    #[rcv(try, send)]
    fn error(&self, text: String) -> Result<(), String> {
        Err(text)
    }

    #[rcv]
    fn overflow(&self, n: u8) -> u8 {
        [n][usize::from(n)]
    }
}

#[test]
fn panics_and_errors_kill_with_their_texts() {
    on_both(|| async {
        let node = node();
        for (message, text) in [
            (msg!["text"], "plain text"),
            (msg!["formatted", 7], "number 7"),
            (msg!["structure"], "panicked with a value that is no text"),
            (msg!["error", "out of tea"], "out of tea"),
            (msg!["error", "line feeds\n\n"], "line feeds"),
            (msg!["error", "a\nb"], "a\nb"),
            (msg!["error", ""], ""),
        ] {
            let port = node.port(Fragile);
            let told = watch(&port);
            node.snd(&port.id(), message);
            let reason = within(told).await.unwrap();
            assert_eq!(reason.into_values(), args!["die", text]);
        }
        assert_eq!(node.port_count(), 0);
    });
}

#[tokio::test]
async fn the_caller_of_a_panicking_handler_gets_the_reason() {
    let port = node().port(Fragile);
    let error = within(port.overflow(3)).await.unwrap_err();
    let text = error.reason().expect("it died").to_string();
    assert!(text.starts_with("die index out of bounds"), "{text}");
}

#[tokio::test]
async fn closures_fail_as_well() {
    let node = node();
    let port = node.untyped(|_: &mut Cx<'_>, _: Args| Err::<(), _>("no\n"));
    snd!(node, port, "x");
    assert_eq!(death(&port).await, "die no");
    let port = node.empty_port();
    let panicking = |_: &mut Cx<'_>, _: Args| panic!("in a tag's handler");
    node.rcv::<()>(&port.id(), "tag", panicking).unwrap();
    snd!(node, port, "tag");
    assert_eq!(death(&port).await, "die in a tag's handler");
}

#[tokio::test]
async fn unhandled_tags_have_exact_texts() {
    let node = node();
    for (message, shown) in [
        (msg!["nonsense", 1, 2], "nonsense"),
        (msg![], ""),
        (msg![""], ""),
        (msg![Value::Null], ""),
        (msg![42], "42"),
        (msg!["~ it's \"printable\" "], "~ it's \"printable\" "),
        (msg!["tab\tline\nü\u{7f}€"], "tab.line...."),
        (msg!["x".repeat(31)], &*"x".repeat(30)),
        (
            msg![format!("{}yz", "ä".repeat(29))],
            &*format!("{}y", ".".repeat(29)),
        ),
    ] {
        let text = format!("no callback found for message '{shown}'");
        let expected = args!["unhandled_message", text];
        let typed = node.port(Fragile);
        let told = watch(&typed);
        node.snd(&typed.id(), message.clone());
        let reason = within(told).await.unwrap();
        assert_eq!(reason.into_values(), expected, "typed: {message:?}");
        let empty = node.empty_port();
        let told = watch(&empty);
        node.snd(&empty.id(), message.clone());
        let reason = within(told).await.unwrap();
        assert_eq!(reason.into_values(), expected, "empty: {message:?}");
    }
}

/// Panics when it is dropped.
struct Bomb(Journal);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.note("dropped");
        panic!("in a drop");
    }
}

#[port]
impl Bomb {
    #[rcv]
    fn hold(&mut self, bomb: Local<Self>) {
        std::mem::forget(bomb);
    }
}

async fn goes_on(node: &Node) {
    let port = node.port(Recorder::default());
    assert_eq!(within(port.count()).await.unwrap(), 0);
    port.kill(());
    death(&port).await;
    assert_eq!(node.port_count(), 0);
}

#[test]
fn panics_in_drops_are_only_logged() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let bomb = || Bomb(journal.clone());
        let port = node.port(bomb());
        let told = watch(&port);
        let (handle, bombs) = (port.clone(), [bomb(), bomb(), bomb()]);
        port.peval(move |cx: &mut Cx<'_>| {
            for bomb in bombs {
                handle.hold(Local(bomb));
            }
            cx.kill("with a bang");
        });
        assert_eq!(within(told).await.unwrap().to_string(), "with a bang");
        assert_eq!(journal.take().len(), 4);
        goes_on(&node).await;
    });
}

#[test]
fn panics_in_guards_and_timers_are_only_logged() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let port = node.port(Recorder::default());
        let told = watch(&port);
        port.monitor_guard(Bomb(journal.clone())).detach();
        port.monitor_guard(Bomb(journal.clone())).detach();
        let bombs = [Bomb(journal.clone()), Bomb(journal.clone())];
        port.peval(move |cx: &mut Cx<'_>| {
            for bomb in bombs {
                cx.after(std::time::Duration::from_secs(3600), move |_| drop(bomb));
            }
        });
        port.kill("guarded");
        assert_eq!(within(told).await.unwrap().to_string(), "guarded");
        assert_eq!(journal.take().len(), 4);
        goes_on(&node).await;
    });
}

#[test]
fn a_panicking_monitor_does_not_keep_others_from_firing() {
    on_both(|| async {
        let node = node();
        let port = node.port(Recorder::default());
        let first = watch(&port);
        port.monitor(|_| panic!("in a monitor")).detach();
        port.monitor(|_| panic_any(())).detach();
        let last = watch(&port);
        port.kill("watched");
        assert_eq!(within(first).await.unwrap().to_string(), "watched");
        assert_eq!(within(last).await.unwrap().to_string(), "watched");
        goes_on(&node).await;
    });
}

#[tokio::test]
async fn messages_behind_a_failure_are_dropped() {
    let node = node();
    let journal = Journal::default();
    let port = node.port(Recorder::new(&journal));
    port.add(1);
    port.fail("now".into());
    port.add(2);
    assert_eq!(death(&port).await, "die now");
    settle(&port).await;
    assert_eq!(journal.take(), ["1", "fail"]);
}
