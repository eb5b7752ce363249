//! Processes that are spawned by name, attached to other ports, and called through typed handles.

use aemp::{
    Args, Cx, Feed, Inbox, Node, PortId, Reason, args, msg, port, protocol, receive, snd, spawnable,
};
use tokio::sync::oneshot;

use super::recorder;
use crate::{Journal, death_by, node, on_both, settle, until, within};

#[test]
fn handlers_take_their_tags_and_the_process_the_rest() {
    on_both(|| async {
        let node = node();
        let journal = Journal::default();
        let notes = journal.clone();
        let port = node.empty_port();
        node.rcv(&port.id(), "handled", move |_: &mut Cx<'_>, args: Args| {
            notes.note(format!("{args:?}"));
        })
        .unwrap();
        let notes = journal.clone();
        node.rcv_async(&port.id(), |inbox| async move {
            notes.note(format!("{:?}", inbox.recv().await));
            inbox.get("end").await;
        })
        .unwrap();
        snd!(node, port, "handled", 1);
        snd!(node, port, "other", 2);
        settle(&port).await;
        let mut noted = journal.take();
        noted.sort_unstable();
        assert_eq!(noted, [r#"[Int(1)]"#, r#"[Str("other"), Int(2)]"#]);
        assert_eq!(
            death_by(&port, || drop(snd!(node, port, "end"))).await,
            "normal"
        );
        until(|| node.rcv_async(&port.id(), |_inbox| async {}).is_err()).await;
    });
}

/// A typed port with a process for all other messages.
struct Desk {
    others: Feed,
}

#[port]
impl Desk {
    #[rcv]
    fn ping(&self) -> String {
        "pong".into()
    }

    #[rcv(default)]
    fn other(&mut self, tag: &str, args: Args) {
        self.others.put(tag, args);
    }
}

#[spawnable(name = "Process::desk")]
fn desk(cx: &mut Cx<'_>) -> Desk {
    let others = cx.attach(|inbox| async move {
        let to = inbox.get("to").await.remove(0);
        let to = PortId::parse(to.as_str().ok_or("no text")?).map_err(|error| error.to_string())?;
        let what = inbox.get("what").await;
        inbox.snd(&to, what);
        inbox.get("end").await;
        Err::<(), _>("the end".to_owned())
    });
    Desk { others }
}

#[test]
fn a_typed_port_has_a_process() {
    on_both(|| async {
        let node = node();
        let (inbox, mut told) = recorder(&node);
        let desk = desk::on(&node, "");
        snd!(node, desk, "what", "for", 1);
        snd!(node, desk, "to", inbox.id().to_string());
        assert_eq!(within(told.recv()).await, Some(msg!["for", 1]));
        assert_eq!(within(desk.ping()).await.unwrap(), "pong");
        assert_eq!(
            death_by(&desk, || drop(snd!(node, desk, "end"))).await,
            "die the end"
        );
    });
}

#[spawnable(name = "Process::sum")]
async fn sum(inbox: Inbox, start: i64, times: Option<u32>) -> Result<(), Reason> {
    let mut sum = start;
    for _ in 0..times.unwrap_or(2) {
        sum += inbox.get("add").await[0].as_i64().ok_or("no number")?;
    }
    let whence = format!("{:?}", inbox.origin());
    Err(Reason::new(msg!["sum", sum, whence]))
}

#[test]
fn a_process_is_spawned_by_name() {
    on_both(|| async {
        let node = node();
        for handle in [sum::on(&node, "", 5, None), sum::on(&node, "", 5, Some(2))] {
            snd!(node, handle, "other", 100);
            snd!(node, handle, "add", 1);
            let last = || drop(snd!(node, handle, "add", 2));
            assert_eq!(death_by(&handle, last).await, "sum 8 Some(Local)");
        }
        let bad = node.spawn("", "Process::sum", args!["x"]);
        let (tell, told) = oneshot::channel();
        node.mon(&bad, |reason| drop(tell.send(reason.to_string())))
            .detach();
        let reason = within(told).await.unwrap();
        assert!(
            reason.starts_with("die Process::sum: argument 1 (`start`)"),
            "{reason}"
        );
    });
}

#[test]
fn an_init_function_attaches_a_process() {
    on_both(|| async {
        let builder = Node::builder().init("Hand::process", |cx: &mut Cx<'_>, args: Args| {
            cx.rcv_async(|inbox| async move {
                let got = inbox.get("end").await;
                Err::<(), _>(Reason::new([args, got].concat()))
            });
        });
        let node = builder.start_local().unwrap();
        let port = node.spawn("", "Hand::process", args![1]);
        let (tell, told) = oneshot::channel();
        node.mon(&port, |reason| drop(tell.send(reason.to_string())))
            .detach();
        snd!(node, port, "end", 2);
        assert_eq!(within(told).await.unwrap(), "1 2");
    });
}

/// The messages of a process, for its typed handle.
#[protocol]
trait Sums {
    fn add(&self, n: i64);
    fn total(&self) -> i64;
}

#[test]
fn a_protocol_makes_a_typed_handle() {
    on_both(|| async {
        let node = node();
        let process = node.process(|inbox| async move {
            let mut total = 0;
            loop {
                receive! { inbox,
                    ("add", n: i64) => total += n,
                    ("total", reply: PortId) => drop(snd!(inbox, reply, total)),
                }
            }
        });
        let sums: SumsRef = node.handle(&process.id());
        sums.add(40);
        sums.add(2);
        assert_eq!(within(sums.total()).await.unwrap(), 42);
        let waits = sums.total();
        process.kill("gone");
        let error = within(waits).await.unwrap_err();
        assert!(error.reason().is_some(), "{error}");
    });
}
