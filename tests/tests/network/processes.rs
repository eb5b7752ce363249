//! Processes on other nodes: spawned by name, monitored, killed, and limited.

use std::{sync::Arc, time::Duration};

use aemp::{Handle, Inbox, PortId, Reason, UntypedMsg, args, msg, receive, snd, spawnable};
use tokio::sync::{Notify, oneshot};

use crate::{
    common::{Inbox as Keeper, soon, watch},
    nodes::{address, listening, pair, start},
    raw::Raw,
};

/// Collects numbers, and answers with them. Dies when the port that it monitors dies.
#[spawnable(name = "Net::collector")]
async fn collector(inbox: Inbox, limit: u64, reports: Option<PortId>) -> Result<(), Reason> {
    let _guard = reports.as_ref().map(|port| inbox.monitor(port));
    let mut all = Vec::new();
    loop {
        receive! { inbox,
            ("keep", n: i64) if (all.len() as u64) < limit => all.push(n),
            ("tell", to: PortId) => {
                let origin = format!("{:?}", inbox.origin());
                snd!(inbox, to, all.len(), all.iter().sum::<i64>(), origin);
            }
            ("DOWN", dead: PortId, reason: Reason) => {
                return Err(Reason::new(msg!["lost", dead.to_string(), reason.to_string()]));
            }
            ("fail", text: String) => return Err(Reason::die(text)),
            ("end") => return Ok(()),
        }
    }
}

#[tokio::test]
async fn a_process_is_spawned_monitored_and_killed_from_afar() {
    let (a, _b) = pair().await;
    let mut answers = Keeper::new(&a);
    let handle: Handle<UntypedMsg> = collector::on(&a, "b", 2, None);
    let death = watch(&a, &handle.id());
    for n in [40, 2, 7] {
        snd!(a, handle, "keep", n);
    }
    snd!(a, handle, "tell", &answers.id);
    let origin = "Some(Node(NodeId(\"a\")))";
    assert_eq!(answers.next().await, msg![2, 42, origin]);
    a.kil(&handle.id(), "killed");
    assert_eq!(death.await.to_string(), "killed");
    let ends = [
        (msg!["end"], "normal"),
        (msg!["fail", "no more"], "die no more"),
    ];
    for (message, reason) in ends {
        let port = a.spawn("b", "Net::collector", args![1]);
        let death = watch(&a, &port);
        a.snd(&port, message);
        assert_eq!(death.await.to_string(), reason);
    }
    let port = a.spawn("b", "Net::collector", args!["many"]);
    let reason = watch(&a, &port).await.to_string();
    assert!(
        reason.starts_with("die Net::collector: argument 1"),
        "{reason}"
    );
}

/// The kill drops the body on its node before the other node hears of the death.
#[tokio::test]
async fn a_kill_from_afar_drops_the_body() {
    struct Dropped(Arc<Notify>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (a, b) = pair().await;
    let dropped = Arc::new(Notify::new());
    let held = Dropped(Arc::clone(&dropped));
    let process = b.process(|inbox| async move {
        let _held = held;
        inbox.get("never").await;
    });
    let death = watch(&a, &process.id());
    a.kil(&process.id(), "far");
    assert_eq!(death.await.to_string(), "far");
    soon(dropped.notified()).await;
}

#[tokio::test]
async fn far_deaths_and_lost_nodes_are_messages() {
    let (a, b) = pair().await;
    let first = Keeper::new(&b);
    let watcher = collector::on(&a, "a", 0, Some(first.id.clone()));
    let death = watch(&a, &watcher.id());
    a.kil(&first.id, "killed");
    assert_eq!(death.await.to_string(), format!("lost {} killed", first.id));
    let second = Keeper::new(&b);
    let watcher = collector::on(&a, "a", 0, Some(second.id.clone()));
    let death = watch(&a, &watcher.id());
    // Its monitor stands when it answers.
    let mut answers = Keeper::new(&a);
    snd!(a, watcher, "tell", &answers.id);
    answers.next().await;
    b.stop().await;
    let reason = death.await.to_string();
    let expected = format!("lost {}", second.id);
    assert!(reason.starts_with(&expected), "{reason}");
}

/// Messages that the process does not want count for the bound that senders on other nodes wait for.
#[tokio::test]
async fn senders_of_other_nodes_wait_for_room_in_the_mailbox() {
    let (a, b) = pair().await;
    let gate = Arc::new(Notify::new());
    let (open, (tell, told)) = (Arc::clone(&gate), oneshot::channel());
    let process = b.process(move |inbox| async move {
        open.notified().await;
        for n in 0..20 {
            assert_eq!(inbox.get("n").await, msg![n]);
        }
        let _ = tell.send(inbox.len());
    });
    process.bound(4);
    let far: Handle<UntypedMsg> = a.handle(&process.id());
    let sends = tokio::spawn(async move {
        for n in 0..20 {
            far.send(msg!["n", n].into()).await.unwrap();
        }
    });
    crate::common::until(|| process.queue_len() == Some(4)).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!sends.is_finished());
    assert_eq!(process.queue_len(), Some(4));
    gate.notify_one();
    soon(sends).await.unwrap();
    assert_eq!(soon(told).await.unwrap(), 0);
}

/// A peer that fills a mailbox ends the process, and nothing else.
#[tokio::test]
async fn a_peer_that_fills_the_mailbox_ends_the_process() {
    let node = start(listening("a").max_port_queue(2000)).await;
    let neighbour = start(listening("n").seed(address(&node))).await;
    soon(neighbour.until_up("a")).await;
    let port = neighbour.spawn("a", "Net::collector", args![0]);
    let death = watch(&neighbour, &port);
    let mut raw = Raw::login(&node, "raw").await;
    let message = format!(r#"["{}","unwanted",1]"#, port.name());
    raw.send(message.repeat(2001)).await;
    let reason = death.await.to_string();
    assert!(
        reason.starts_with("die max_port_queue (2000) reached"),
        "{reason}"
    );
    raw.send(r#"["","AnyEvent::MP::_spawn","q","Net::counter",7]["q","get","raw#r"]"#)
        .await;
    assert_eq!(raw.packet().await, serde_json::json!(["r", 7]));
}
