//! Ports that kill themselves: they end when the running handler returns.

use std::sync::Arc;

use aemp::{Args, Cx, Handle, PortId, UntypedMsg, port, snd};

use crate::{Journal, Recorder, RecorderRef, death, node, on_both, settle, watch, within};

/// Ends itself, one way or another.
#[derive(Default)]
struct Quitter {
    journal: Journal,
    other: Option<RecorderRef>,
}

#[port]
impl Quitter {
    #[rcv]
    fn note(&self, text: String) {
        self.journal.note(text);
    }

    #[rcv]
    fn by_context(&self, cx: &mut Cx<'_>) {
        cx.kill("first");
        cx.kill("second");
        self.journal.note("still running");
    }

    #[rcv]
    fn by_handle(&self, cx: &mut Cx<'_>) {
        let me: QuitterRef = cx.me().expect("itself");
        me.note("posted to itself".into());
        me.kill("first");
        me.kill("second");
        self.journal.note("still running");
    }

    #[rcv]
    fn by_id(&self, cx: &mut Cx<'_>) {
        cx.node().kil(&cx.id(), "first");
        self.journal.note("still running");
    }

    #[rcv]
    fn by_link(&self, cx: &mut Cx<'_>, nobody: PortId) {
        cx.link_id(&nobody).detach();
        self.journal.note("still running");
    }

    #[rcv]
    async fn by_context_waiting(&mut self, cx: &mut Cx<'_>) {
        cx.kill("first");
        tokio::task::yield_now().await;
        cx.kill("second");
        self.journal.note("still running");
    }

    #[rcv]
    async fn by_handle_waiting(&mut self, cx: &mut Cx<'_>) {
        tokio::task::yield_now().await;
        let me: QuitterRef = cx.me().expect("itself");
        me.kill("first");
        tokio::task::yield_now().await;
        self.journal.note("still running");
    }

    /// A call may run another port in place, which is not the one that is to end.
    #[rcv]
    async fn by_handle_calling(&mut self, cx: &mut Cx<'_>) {
        tokio::task::yield_now().await;
        let me: QuitterRef = cx.me().expect("itself");
        me.kill("first");
        if let Some(other) = &self.other {
            let count = other.count().await;
            self.journal
                .note(count.map_or_else(|error| error.to_string(), |n| n.to_string()));
        }
    }
}

async fn ends(tag: &str, args: Args, reason: &str, notes: &[&str]) {
    let node = node();
    let journal = Journal::default();
    let other = node.port(Recorder::default());
    let port = node.port(Quitter {
        journal: journal.clone(),
        other: Some(other.clone()),
    });
    let told = watch(&port);
    let mut message = vec![tag.into()];
    message.extend(args);
    port.note("before".into());
    // From within a port all of it is queued before any of it is handled.
    let (id, first) = (port.id(), port.clone());
    settle(&port).await;
    let starter = node.port(Recorder::default());
    starter.peval(move |cx: &mut Cx<'_>| {
        cx.node().snd(&id, message);
        first.note("behind".into());
    });
    assert_eq!(within(told).await.unwrap().to_string(), reason, "{tag}");
    let mut expected = vec!["before"];
    expected.extend(notes);
    assert_eq!(journal.take(), expected, "{tag}");
    assert_eq!(within(other.count()).await.unwrap(), 0, "{tag}");
}

#[test]
fn when_the_handler_returns_and_the_queue_is_dropped() {
    on_both(|| async {
        let still = ["still running"];
        ends("by_context", vec![], "first", &still).await;
        ends("by_handle", vec![], "first", &still).await;
        ends("by_id", vec![], "first", &still).await;
        let nobody = "no_such_port cannot monitor nonexistent port #nobody";
        ends("by_link", vec!["#nobody".into()], nobody, &still).await;
    });
}

#[test]
fn when_an_async_handler_returns() {
    on_both(|| async {
        let still = ["still running"];
        ends("by_context_waiting", vec![], "first", &still).await;
        ends("by_handle_waiting", vec![], "first", &still).await;
    });
}

#[test]
fn and_no_other_port_instead() {
    on_both(|| async {
        ends("by_handle_calling", vec![], "first", &["0"]).await;
    });
}

#[tokio::test]
async fn closures_end_themselves() {
    let node = node();
    let journal = Journal::default();
    for way in ["context", "handle"] {
        let notes = journal.clone();
        let port = node.untyped(move |cx: &mut Cx<'_>, message: Args| {
            notes.note(message[1].text().unwrap_or_default());
            let me: Handle<UntypedMsg> = cx.me().expect("itself");
            match way {
                "context" => cx.kill(way),
                _ => me.kill(way),
            }
        });
        let told = watch(&port);
        snd!(node, port, "message", 1);
        snd!(node, port, "message", 2);
        assert_eq!(within(told).await.unwrap().to_string(), way);
        assert_eq!(journal.take(), ["1"]);
    }
}

/// Kills itself when it is dropped, which is too late.
struct Late(Arc<std::sync::OnceLock<LateRef>>);

#[port]
impl Late {
    #[rcv]
    fn nothing(&self) {}
}

impl Drop for Late {
    fn drop(&mut self) {
        if let Some(me) = self.0.get() {
            me.kill("late");
        }
    }
}

/// Ports that are run next on the same thread live on.
async fn others_live(others: &[RecorderRef]) {
    for other in others {
        other.add(1);
        snd!(other.node(), other, "add", 2);
    }
    for other in others {
        assert_eq!(within(other.count()).await.unwrap(), 2);
    }
}

#[test]
fn a_kill_in_the_drop_of_a_state_has_no_effect() {
    on_both(|| async {
        let node = node();
        let others: Vec<RecorderRef> = (0..8).map(|_| node.port(Recorder::default())).collect();
        let me = Arc::default();
        let port = node.port(Late(Arc::clone(&me)));
        me.set(port.clone()).expect("set once");
        let told = watch(&port);
        port.kill("in time");
        others_live(&others).await;
        assert_eq!(within(told).await.unwrap().to_string(), "in time");
        assert_eq!(node.port_count(), 8);
    });
}

#[test]
fn a_kill_in_a_monitor_of_the_port_itself_has_no_effect() {
    on_both(|| async {
        let node = node();
        let others: Vec<RecorderRef> = (0..8).map(|_| node.port(Recorder::default())).collect();
        let port = node.port(Recorder::default());
        let again = port.clone();
        port.monitor(move |_| again.kill("again")).detach();
        let told = watch(&port);
        port.kill("once");
        others_live(&others).await;
        assert_eq!(within(told).await.unwrap().to_string(), "once");
        assert_eq!(node.port_count(), 8);
    });
}

#[test]
fn a_failing_handler_that_has_killed_itself_affects_no_other_port() {
    on_both(|| async {
        let node = node();
        let others: Vec<RecorderRef> = (0..8).map(|_| node.port(Recorder::default())).collect();
        let port = node.untyped(|cx: &mut Cx<'_>, _: Args| -> () {
            let me: Handle<UntypedMsg> = cx.me().expect("itself");
            me.kill("by itself");
            panic!("and by a panic");
        });
        let told = watch(&port);
        snd!(node, port, "end");
        others_live(&others).await;
        settle(&port).await;
        let reason = within(told).await.unwrap();
        assert!(!reason.is_normal());
        assert_eq!(node.port_count(), 8);
        assert_eq!(death(&port).await, reason.to_string());
    });
}
