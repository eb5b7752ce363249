//! Requests to the node ports of other nodes.

use std::time::Duration;

use aemp::{CallError, Origin, args, msg};
use tokio::sync::mpsc;

use crate::{
    common::{Inbox, soon},
    logs::Logs,
    nodes::{address, listening, pair, start},
};

#[tokio::test]
async fn registered_functions_are_called() {
    let (keep, mut kept) = mpsc::unbounded_channel();
    let b = listening("b").function("My::note", move |origin, args| {
        drop(keep.send((origin, args)))
    });
    let b = start(b).await;
    let a = start(listening("a").seed(address(&b))).await;
    soon(a.until_up("b")).await;
    assert!(
        a.snd_to_func("b", "My::note", args![1, "two"])
            .check()
            .is_ok()
    );
    let (origin, args) = soon(kept.recv()).await.unwrap();
    assert_eq!(origin, Origin::Node(a.id().clone()));
    assert_eq!(args, args![1, "two"]);
    b.snd_to_func("b", "My::note", args![]);
    assert_eq!(soon(kept.recv()).await.unwrap(), (Origin::Local, args![]));
}

#[tokio::test]
async fn unknown_functions_are_logged_and_nothing_else() {
    let logs = Logs::catch();
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    a.snd_to_func("b", "CORE::exit", args![1]);
    a.snd(&inbox.id, msg!["on"]);
    assert_eq!(inbox.next().await, msg!["on"]);
    logs.warned("error processing node message from a: unable to resolve function 'CORE::exit'")
        .await;
}

#[tokio::test]
async fn a_panicking_function_has_no_other_effect() {
    let b = listening("b").function("My::crash", |_, _| panic!("crashed"));
    let b = start(b).await;
    let a = start(listening("a").seed(address(&b))).await;
    soon(a.until_up("b")).await;
    let mut inbox = Inbox::new(&b);
    a.snd_to_func("b", "My::crash", args![]);
    a.snd(&inbox.id, msg!["on"]);
    assert_eq!(inbox.next().await, msg!["on"]);
}

#[tokio::test]
async fn snd_on_sends_from_there() {
    let (a, b) = pair().await;
    let (mut here, mut there) = (Inbox::new(&a), Inbox::new(&b));
    a.snd_on("b", &here.id, msg!["echo", 1]);
    assert_eq!(here.next().await, msg!["echo", 1]);
    a.snd_on("b", &there.id, msg!["to its own"]);
    assert_eq!(there.next().await, msg!["to its own"]);
    a.snd_on("a", &there.id, msg!["by ourselves"]);
    assert_eq!(there.next().await, msg!["by ourselves"]);
}

#[tokio::test]
async fn the_fixed_requests_answer() {
    let (a, _b) = pair().await;
    let mut inbox = Inbox::new(&a);
    let node = aemp::PortId::parse("b").unwrap();
    a.snd(&node, msg!["can", "mon1", &inbox.id, "known?"]);
    assert_eq!(inbox.next().await[1].text().unwrap(), "1");
    a.snd(&node, msg!["can", "My::thing", &inbox.id, "unknown"]);
    let no = inbox.next().await;
    assert_eq!(
        (&no[0], no[1].text().unwrap()),
        (&"unknown".into(), "".into())
    );
    a.snd(&node, msg!["devnull", &inbox.id]);
    a.snd(&node, msg!["", 1, 2]);
    a.snd(&node, msg!["time", &inbox.id, "now"]);
    let now = inbox.next().await;
    assert_eq!(now[0], "now".into());
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now[1].as_f64().unwrap() - since).abs() < 60.0);
}

#[tokio::test]
async fn code_is_not_evaluated() {
    let (a, _b) = pair().await;
    let answer = a.eval_on("b", "1 + 1", Duration::from_secs(20)).await;
    let answer = answer.unwrap();
    assert_eq!(
        answer,
        msg!["this node is not written in Perl: it evaluates no code"]
    );
    let up = a.eval_on(
        "b",
        "AnyEvent::MP::Kernel::up_nodes",
        Duration::from_secs(20),
    );
    assert_eq!(up.await.unwrap()[..2], msg!["", "a"]);
    assert_eq!(a.port_count(), 0);
}

#[tokio::test]
async fn secure_mode_calls_nothing_and_answers_no_eval() {
    let logs = Logs::catch();
    let b = listening("b").secure(true);
    let b = start(b.function("My::note", |_, _| panic!("it must not be called"))).await;
    let a = start(listening("a").seed(address(&b))).await;
    soon(a.until_up("b")).await;
    a.snd_to_func("b", "My::note", args![]);
    logs.warned("My::note from a: remote execution not allowed")
        .await;
    let eval = a.eval_on("b", "1", Duration::from_millis(200)).await;
    assert!(matches!(eval, Err(CallError::Timeout)));
    logs.warned("eval from a: remote execution not allowed")
        .await;
    let mut inbox = Inbox::new(&a);
    a.snd_on("b", &inbox.id, msg!["a relay is no execution"]);
    assert_eq!(inbox.next().await, msg!["a relay is no execution"]);
}
