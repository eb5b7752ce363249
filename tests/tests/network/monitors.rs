//! Monitors on ports of other nodes, in all forms.

use aemp::{Args, Cx, Handle, NodeId, PortId, UntypedMsg, args, cal, msg, snd};

use serde_json::json;

use crate::{
    common::{Inbox, PATIENCE, soon, until, watch},
    logs::Logs,
    nodes::{CounterMsg, CounterRef, address, counter, listening, node_port, pair, start},
    proxy::Proxy,
    raw::Raw,
};

#[tokio::test]
async fn a_callback_hears_the_reason() {
    let (a, b) = pair().await;
    let (first, second) = (b.port(counter(0)), b.port(counter(0)));
    let deaths = [watch(&a, &first.id()), watch(&a, &second.id())];
    a.kil(&first.id(), msg!["because", 7, true, ()]);
    a.kil(&second.id(), ());
    let [because, normal] = deaths;
    assert_eq!(because.await.into_values(), msg!["because", 7, true, ()]);
    assert!(normal.await.is_normal());
}

#[tokio::test]
async fn a_death_without_a_monitor_is_logged() {
    let logs = Logs::catch();
    let a = start(listening("a")).await;
    let (alone, quiet) = (Inbox::new(&a).id, Inbox::new(&a).id);
    a.kil(&quiet, ());
    a.kil(&alone, msg!["unheard", 1]);
    logs.warned(&format!(
        "unmonitored local port {alone} died with reason: unheard 1"
    ))
    .await;
    assert_eq!(logs.count(quiet.as_str()), 0, "a normal end is no news");
}

#[tokio::test]
async fn a_kill_is_in_order_with_its_senders_messages() {
    let (a, b) = pair().await;
    let mut inbox = Inbox::new(&b);
    let death = watch(&a, &inbox.id);
    for n in 0..100 {
        snd!(a, inbox.id, n);
    }
    a.kil(&inbox.id, "enough");
    snd!(a, inbox.id, "too late");
    assert_eq!(death.await.to_string(), "enough");
    for n in 0..100 {
        assert_eq!(inbox.next().await, msg![n]);
    }
    let after = soon(inbox.messages.recv()).await;
    assert_eq!(after, None, "a message came after the kill");
}

#[tokio::test]
async fn failing_handlers_report_their_reason() {
    let (a, b) = pair().await;
    let counter: CounterRef = a.handle(&b.port(counter(0)).id());
    let death = watch(&a, &counter.id());
    counter.inc(1);
    assert!(soon(counter.divide(0)).await.is_err());
    assert_eq!(
        death.await.into_values(),
        msg!["die", "cannot divide by zero"]
    );

    let panics =
        b.untyped(|_: &mut Cx<'_>, message: Args| assert!(message.is_empty(), "overboard"));
    let death = watch(&a, &panics.id());
    snd!(a, panics.id(), "go");
    assert!(death.await.to_string().starts_with("die overboard"));

    let mute = b.empty_port();
    let death = watch(&a, &mute.id());
    snd!(a, mute.id(), "t\u{e4}g");
    let text = "no callback found for message 't.g'";
    assert_eq!(death.await.into_values(), msg!["unhandled_message", text]);
}

#[tokio::test]
async fn links_kill_with_the_same_reason() {
    let (a, b) = pair().await;
    let (far, near, other) = (Inbox::new(&b), Inbox::new(&a), Inbox::new(&a));
    a.mon_kil(&far.id, &near.id).detach();
    a.mon_kil(&far.id, &other.id).detach();
    let deaths = (watch(&a, &near.id), watch(&a, &other.id));
    a.kil(&far.id, msg!["pulled", "down"]);
    assert_eq!(deaths.0.await.to_string(), "pulled down");
    assert_eq!(deaths.1.await.to_string(), "pulled down");
}

/// As in the reference, the killed port may live on any node.
#[tokio::test]
async fn links_kill_ports_of_other_nodes() {
    let (a, b) = pair().await;
    let (near, far, other) = (Inbox::new(&a), Inbox::new(&b), b.port(counter(0)));
    let typed: CounterRef = a.handle(&other.id());
    a.mon_kil(&near.id, &far.id).detach();
    a.handle::<Handle<UntypedMsg>>(&near.id)
        .link(&typed)
        .detach();
    let deaths = (watch(&b, &far.id), watch(&b, &other.id()));
    a.kil(&near.id, msg!["pulled", "down"]);
    assert_eq!(deaths.0.await.to_string(), "pulled down");
    assert_eq!(deaths.1.await.to_string(), "pulled down");
}

/// The first answer of the other node says how much room there is.
#[tokio::test]
async fn a_message_is_sent_to_another_node_if_there_is_room() {
    let (a, b) = pair().await;
    let port = b.port(counter(0));
    port.bound(2);
    let far: CounterRef = a.handle(&port.id());
    until(|| far.try_send(CounterMsg::Inc(5)).is_ok()).await;
    assert_eq!(soon(far.get()).await.unwrap(), 5);
}

#[tokio::test]
async fn a_normal_end_passes_no_link() {
    let (a, b) = pair().await;
    let (far, mut near) = (Inbox::new(&b), Inbox::new(&a));
    let linked = a.mon_kil(&far.id, &near.id);
    let death = watch(&a, &far.id);
    a.kil(&far.id, ());
    assert!(death.await.is_normal());
    drop(linked);
    snd!(a, near.id, "alive");
    assert_eq!(near.next().await, msg!["alive"]);
}

#[tokio::test]
async fn a_port_links_itself() {
    let (a, b) = pair().await;
    let far = Inbox::new(&b);
    let to = far.id.clone();
    let near = a.untyped(move |cx: &mut Cx<'_>, _: Args| cx.link_id(&to).detach());
    let death = watch(&b, &near.id());
    snd!(a, near, "link");
    // Behind that message, so that the link is set.
    assert_eq!(near.peval(|_| 7).await.unwrap(), 7);
    until(|| near.queue_len() == Some(0)).await;
    a.kil(&far.id, "together");
    assert_eq!(death.await.to_string(), "together");
}

#[tokio::test]
async fn a_message_has_the_reason_appended() {
    let (a, b) = pair().await;
    let (far, mut near) = (Inbox::new(&b), Inbox::new(&a));
    a.mon_snd(&far.id, &near.id, msg!["it died of", 1]).detach();
    a.kil(&far.id, msg!["age", 99]);
    assert_eq!(near.next().await, msg!["it died of", 1, "age", 99]);
}

#[tokio::test]
async fn a_port_that_does_not_exist() {
    let (a, b) = pair().await;
    let nobody = PortId::new(b.id(), "nobody");
    let expected = msg![
        "no_such_port",
        "cannot monitor nonexistent port",
        "b#nobody"
    ];
    assert_eq!(watch(&a, &nobody).await.into_values(), expected);
    assert_eq!(watch(&a, &nobody).await.into_values(), expected);
}

#[tokio::test]
async fn a_guard_that_is_dropped_cancels() {
    let a = start(listening("a")).await;
    let mut raw = Raw::login(&a, "raw").await;
    let port = PortId::parse("raw#p").unwrap();
    let first = a.mon(&port, |_| panic!("it was cancelled"));
    let second = a.mon(&port, |_| panic!("it was cancelled"));
    assert_eq!(raw.packet().await, serde_json::json!(["", "mon1", "p"]));
    drop(first);
    snd!(a, port, "between");
    // Only the last monitor's end is the other node's business.
    assert_eq!(raw.packet().await, serde_json::json!(["p", "between"]));
    drop(second);
    assert_eq!(raw.packet().await, serde_json::json!(["", "mon0", "p"]));
    let mut inbox = Inbox::new(&a);
    let name = inbox.id.name().to_owned();
    raw.send(format!(r#"["","kil0","p","late"]["{name}"]"#))
        .await;
    assert_eq!(inbox.next().await, msg![]);
    let death = watch(&a, &port);
    assert_eq!(raw.packet().await, serde_json::json!(["", "mon1", "p"]));
    raw.send(r#"["","kil0","p","right",[1]]["","kil0","p","again"]"#)
        .await;
    assert_eq!(death.await.to_string(), "right [1]");
}

#[tokio::test]
async fn all_monitors_of_a_lost_node_fire_once() {
    let a = start(listening("a")).await;
    let wire = Proxy::to(address(&a)).await;
    let b = start(listening("b").seed(wire.address())).await;
    soon(a.until_up("b")).await;
    let (inbox, mut near) = (Inbox::new(&b), Inbox::new(&a));
    let deaths = [
        watch(&a, &inbox.id),
        watch(&a, &inbox.id),
        watch(&a, &node_port(&b)),
    ];
    a.mon_snd(&inbox.id, &near.id, msg!["lost"]).detach();
    wire.cut();
    for death in deaths {
        let reason = death.await.into_values();
        assert_eq!(reason[..2], msg!["transport_error", "b"]);
    }
    let reason = near.next().await;
    assert_eq!(reason[..3], msg!["lost", "transport_error", "b"]);
    soon(a.until_up("b")).await;
    // A second one would have come before this.
    b.snd(&near.id, msg!["again"]);
    assert_eq!(near.next().await, msg!["again"]);
}

#[tokio::test]
async fn the_other_nodes_monitors_do_not_outlive_the_connection() {
    let a = start(listening("a")).await;
    let mut inbox = Inbox::new(&a);
    let mut raw = Raw::login(&a, "raw").await;
    let name = inbox.id.name().to_owned();
    raw.send(format!(r#"["","mon1","{name}"]["{name}","set"]"#))
        .await;
    assert_eq!(inbox.next().await, msg!["set"]);
    let down = watch(&a, &PortId::parse("raw").unwrap());
    drop(raw);
    down.await;
    let mut raw = Raw::login(&a, "raw").await;
    a.kil(&inbox.id, "unheard");
    a.snd(&PortId::parse("raw#p").unwrap(), args!["first"]);
    assert_eq!(raw.packet().await, serde_json::json!(["p", "first"]));
}

#[tokio::test]
async fn a_reset_is_reported_as_such() {
    let a = start(listening("a")).await;
    let raw = Raw::login(&a, "raw").await;
    let death = watch(&a, &PortId::parse("raw#p").unwrap());
    raw.reset();
    let reason = death.await;
    assert_eq!(
        reason.to_string(),
        "transport_error raw Connection reset by peer"
    );
    let raw = Raw::login(&a, "raw").await;
    let death = watch(&a, &PortId::parse("raw").unwrap());
    drop(raw);
    assert_eq!(
        death.await.to_string(),
        "transport_error raw Unexpected end-of-file"
    );
}

#[tokio::test]
async fn a_wire_that_goes_dead_is_noticed_idle_and_busy() {
    for busy in [false, true] {
        let timeout = std::time::Duration::from_millis(600);
        let a = start(listening("a").monitor_timeout(timeout)).await;
        let wire = Proxy::to(address(&a)).await;
        let b = listening("b").seed(wire.address()).monitor_timeout(timeout);
        let b = start(b).await;
        soon(a.until_up("b")).await;
        soon(b.until_up("a")).await;
        let (there, back) = (Inbox::new(&b), Inbox::new(&a));
        let deaths = (watch(&a, &there.id), watch(&b, &back.id));
        let began = std::time::Instant::now();
        wire.go_dead();
        if busy {
            // More than the sockets' buffers take.
            let text = "x".repeat(1 << 20);
            (0..20).for_each(|_| drop(snd!(a, there.id, &text)));
        }
        for reason in [deaths.0.await, deaths.1.await] {
            assert!(
                reason.to_string().ends_with(" Connection timed out"),
                "{reason}"
            );
        }
        assert!(began.elapsed() < PATIENCE / 3);
    }
}

#[tokio::test]
async fn the_node_port_connects_and_fires_when_it_cannot() {
    let a = start(listening("a")).await;
    let b = start(listening("b")).await;
    a.learn(&NodeId::new("b").unwrap(), &address(&b));
    let monitor = a.mon(&node_port(&b), |_| ());
    soon(a.until_up("b")).await;
    drop(monitor);
    let c = PortId::parse("c").unwrap();
    let reason = watch(&a, &c).await.into_values();
    assert_eq!(reason[..2], msg!["transport_error", "c"]);
}

/// A node that comes back has forgotten its monitors, and so has the node that it monitored.
#[tokio::test]
async fn those_of_a_lost_connection_are_forgotten() {
    let a = start(listening("a")).await;
    let port = a.untyped(|_: &mut Cx<'_>, _: Args| ());
    let name = port.id().name().to_owned();
    let mut raw = Raw::login(&a, "raw").await;
    raw.send(json!(["", "mon1", name]).to_string()).await;
    raw.send(json!(["", "can", "mon1", "raw#x", "asked"]).to_string())
        .await;
    assert_eq!(raw.packet().await[1], "asked");
    raw.reset();
    until(|| a.node_is_up("raw") == Some(false)).await;

    let mut raw = Raw::login(&a, "raw").await;
    port.kill("gone");
    until(|| a.port_count() == 0).await;
    raw.send(json!(["", "mon1", name]).to_string()).await;
    let told = raw.packet().await;
    assert_eq!(told[1], "kil0");
    assert_eq!(
        told[3], "no_such_port",
        "not the reason of the forgotten monitor: {told}"
    );
}

/// Drops slowly: until it is let.
struct Slow(std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<()>);

#[aemp::port]
impl Slow {
    #[rcv]
    fn nothing(&mut self) {}
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.0.send(());
        let _ = self.1.recv();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_port_that_is_dying_there_hear_why() {
    let (a, b) = pair().await;
    let (begin, begun) = std::sync::mpsc::channel();
    let (let_end, may_end) = std::sync::mpsc::channel();
    let port = b.port(Slow(begin, may_end));
    port.kill("gone");
    tokio::task::spawn_blocking(move || begun.recv())
        .await
        .unwrap()
        .unwrap();
    let told = watch(&a, &port.id());
    // Behind the monitor on the same connection.
    soon(cal!(a, node_port(&b), "time")).await.unwrap();
    let_end.send(()).unwrap();
    assert_eq!(told.await.to_string(), "gone");
}
