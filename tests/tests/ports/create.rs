//! Making ports, and handlers that come and go.

use aemp::{Args, Cx, Handle, Node, PortId, RcvError, UntypedMsg, msg, port, snd};

use crate::{Journal, Recorder, RecorderRef, death, node, on_both, settle, texts, within};

/// A handler that notes its name and its arguments.
fn noting(journal: &Journal, name: &'static str) -> impl FnMut(&mut Cx<'_>, Args) + Send + 'static {
    let journal = journal.clone();
    move |_, args| journal.note(format!("{name}({})", texts(&args).join(",")))
}

fn empty(node: &Node) -> (Handle<UntypedMsg>, PortId) {
    let port = node.empty_port();
    let id = port.id();
    (port, id)
}

#[test]
fn of_a_state_of_a_closure_and_empty() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let typed = node.port(Recorder::new(&journal));
        typed.add(1);
        assert_eq!(typed.count().await.unwrap(), 1);
        let closure = node.untyped(noting(&journal, "closure"));
        snd!(node, closure, "tag", 2);
        settle(&closure).await;
        let (port, id) = empty(&node);
        node.rcv(&id, "tag", noting(&journal, "empty")).unwrap();
        snd!(node, port, "tag", 3);
        settle(&port).await;
        assert_eq!(journal.take(), ["1", "closure(tag,2)", "empty(3)"]);
        assert_eq!(node.port_count(), 3);
    });
}

#[test]
fn handlers_change_in_order_with_messages() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let (port, id) = empty(&node);
        node.rcv(&id, "a", noting(&journal, "first")).unwrap();
        snd!(node, port, "a", 1);
        node.rcv(&id, "a", noting(&journal, "second")).unwrap();
        snd!(node, port, "a", 2);
        node.rcv_default(&id, noting(&journal, "default")).unwrap();
        snd!(node, port, "b", 3);
        snd!(node, port, "a", 4);
        node.rcv_remove(&id, "a").unwrap();
        snd!(node, port, "a", 5);
        node.rcv_default(&id, noting(&journal, "other")).unwrap();
        snd!(node, port, "a", 6);
        settle(&port).await;
        let expected = [
            "first(1)",
            "second(2)",
            "default(b,3)",
            "second(4)",
            "default(a,5)",
            "other(a,6)",
        ];
        assert_eq!(journal.take(), expected);
    });
}

#[tokio::test]
async fn a_handler_changes_handlers_from_the_next_message_on() {
    let node = node();
    let journal = Journal::default();
    let notes = journal.clone();
    let port = node.untyped(move |cx: &mut Cx<'_>, message: Args| {
        notes.note(format!("closure({})", message.len()));
        cx.rcv("a", noting(&notes, "a"));
        let within = notes.clone();
        cx.rcv("swap", move |cx: &mut Cx<'_>, _| {
            cx.rcv("swap", noting(&within, "swapped"));
            cx.rcv_remove("a");
            cx.rcv_default(noting(&within, "default"));
            within.note("swapping");
        });
    });
    for tag in ["a", "a", "swap", "swap", "a", "x"] {
        snd!(node, port, tag);
    }
    settle(&port).await;
    let expected = [
        "closure(1)",
        "a()",
        "swapping",
        "swapped()",
        "default(a)",
        "default(x)",
    ];
    assert_eq!(journal.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn code_in_the_context_of_a_port_changes_handlers() {
    let node = node();
    let journal = Journal::default();
    let (port, id) = empty(&node);
    let notes = journal.clone();
    port.peval(move |cx: &mut Cx<'_>| cx.rcv("a", noting(&notes, "peval")));
    settle(&port).await;
    snd!(node, port, "a", 1);
    let notes = journal.clone();
    node.rcv(&id, "arm", move |cx: &mut Cx<'_>, _| {
        let notes = notes.clone();
        cx.after(std::time::Duration::from_secs(1), move |cx| {
            cx.rcv("a", noting(&notes, "timer"));
        });
    })
    .unwrap();
    snd!(node, port, "arm");
    settle(&port).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    snd!(node, port, "a", 2);
    settle(&port).await;
    assert_eq!(journal.take(), ["peval(1)", "timer(2)"]);
}

#[tokio::test]
async fn handlers_cannot_be_set_everywhere() {
    let node = node();
    let typed = node.port(Recorder::default()).id();
    let nothing = |_: &mut Cx<'_>, _: Args| ();
    let error = node.rcv(&typed, "a", nothing).unwrap_err();
    assert!(matches!(&error, RcvError::Typed(id) if *id == typed));
    let text = format!("{typed} is a typed port: its handlers are those of its `#[port]` block");
    assert_eq!(error.to_string(), text);
    let error = node.rcv_default(&typed, nothing).unwrap_err();
    assert!(matches!(error, RcvError::Typed(_)));

    let far = PortId::parse("elsewhere#port").unwrap();
    let error = node.rcv(&far, "a", nothing).unwrap_err();
    let text = "elsewhere#port is a port of another node: handlers can only be set on its own";
    assert_eq!(error.to_string(), text);
    let error = node.rcv_remove(&far, "a").unwrap_err();
    assert!(matches!(error, RcvError::Remote(_)));

    let (port, id) = empty(&node);
    port.kill(());
    death(&port).await;
    let error = node.rcv_default(&id, nothing).unwrap_err();
    assert_eq!(error.to_string(), format!("{id}: no such port"));
    let unknown = PortId::parse("#nobody").unwrap();
    let error = node.rcv(&unknown, "a", nothing).unwrap_err();
    assert!(matches!(error, RcvError::Dead(_)));
}

#[tokio::test]
async fn a_removed_handler_is_dropped_and_its_tag_unhandled() {
    let node = node();
    let probe = std::sync::Arc::new(());
    let (port, id) = empty(&node);
    let held = std::sync::Arc::clone(&probe);
    let handler = move |_: &mut Cx<'_>, _: Args| {
        let _ = &held;
    };
    node.rcv(&id, "a", handler).unwrap();
    snd!(node, port, "a");
    settle(&port).await;
    assert_eq!(std::sync::Arc::strong_count(&probe), 2);
    node.rcv_remove(&id, "a").unwrap();
    settle(&port).await;
    assert_eq!(std::sync::Arc::strong_count(&probe), 1);
    snd!(node, port, "a");
    assert_eq!(
        death(&port).await,
        "unhandled_message no callback found for message 'a'"
    );
}

/// Knows itself.
struct Narcissus;

#[port]
impl Narcissus {
    #[rcv]
    fn who(&self, cx: &mut Cx<'_>) -> (PortId, NarcissusRef) {
        assert!(cx.me::<RecorderRef>().is_none(), "that is another type");
        assert_eq!(cx.handle_of(self).id(), cx.id());
        assert!(cx.node().port_is_local(&cx.id()));
        (cx.id(), cx.me().expect("its own type"))
    }
}

/// As Perl programs receive an answer: the ID of the reply port is a tag, whose handler removes itself.
#[tokio::test]
async fn a_tag_may_be_the_id_of_a_port() {
    let node = node();
    let journal = Journal::default();
    let port = node.untyped(noting(&journal, "rest"));
    let (notes, tag) = (journal.clone(), node.empty_port().id());
    let own = tag.to_string();
    let once = move |cx: &mut Cx<'_>, args: Args| {
        cx.rcv_remove(&own);
        notes.note(format!("answer {}", args.len()));
    };
    node.rcv(&port.id(), tag.as_str(), once).unwrap();
    snd!(node, port, &tag, 1);
    snd!(node, port, &tag);
    settle(&port).await;
    assert_eq!(journal.take().join(" "), format!("answer 1 rest({tag})"));
}

#[test]
fn a_port_knows_itself() {
    on_both(|| async {
        let node = node();
        let port = node.port(Narcissus);
        let (id, me) = port.who().await.unwrap();
        assert_eq!(id, port.id());
        assert_eq!(me.id(), port.id());
        assert!(me.is_local());
        assert_eq!(me.who().await.unwrap().0, id);
        let closure = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
            let reply = message
                .pop()
                .and_then(|to| PortId::parse(to.as_str()?).ok());
            let me: Handle<UntypedMsg> = cx.me().expect("its own type");
            let id = cx.id();
            snd!(cx, reply.expect("a call"), id.as_str(), me.id().as_str());
        });
        let id = closure.id();
        let answer = within(node.cal(&id, msg!["who"])).await.unwrap();
        assert_eq!(answer, msg![id.as_str(), id.as_str()]);
    });
}

#[tokio::test]
async fn ports_live_without_handles_and_ids_are_never_reused() {
    let node = node();
    let journal = Journal::default();
    let first = node.port(Recorder::new(&journal)).id();
    snd!(node, first, "add", 1);
    let handle: RecorderRef = node.handle(&first);
    settle(&handle).await;
    assert_eq!(journal.take(), ["1"]);
    handle.kill(());
    death(&handle).await;
    let mut seen = vec![first];
    for _ in 0..100 {
        let port = node.port(Recorder::new(&journal));
        assert!(!seen.contains(&port.id()), "an ID has come back");
        seen.push(port.id());
        port.kill(());
        death(&port).await;
    }
    snd!(node, seen[0], "add", 2);
    let last = node.port(Recorder::new(&journal));
    last.add(3);
    settle(&last).await;
    assert_eq!(journal.take(), ["3"], "an old ID reaches no port");
}
