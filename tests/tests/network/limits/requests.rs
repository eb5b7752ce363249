//! Requests of other nodes to the node port, and their limits.

use aemp::{Args, PortId, args, msg};
use serde_json::json;

use super::Scene;
use crate::{
    common::{Inbox, until, watch},
    nodes::counter,
    raw::Raw,
};

#[tokio::test]
async fn spawned_ports() {
    let scene = Scene::new(|node| node.max_spawned_ports(3)).await;
    let spawn = |n| scene.neighbour.spawn("a", "Net::counter", args![n]);
    let ports: Vec<PortId> = (0..3).map(spawn).collect();
    let refused = spawn(3);
    let reason = watch(&scene.neighbour, &refused).await.to_string();
    let text = "max_spawned_ports (3) reached: no more are spawned for it";
    assert_eq!(reason, format!("die {text}"));
    scene.logs.warned(&format!("b: {text}")).await;
    assert_eq!(scene.logs.count("max_spawned_ports"), 1);
    // Others have their own account.
    let mut raw = Raw::login(&scene.node, "raw").await;
    let spawn = json!(["", "AnyEvent::MP::_spawn", "p", "Net::counter", 7]);
    raw.send(spawn.to_string() + r#"["p","get","raw#r"]"#).await;
    assert_eq!(raw.packet().await, json!(["r", 7]));
    scene.goes_on().await;
    // A port that has died makes room, and those that live do so still.
    let before = scene.node.port_count();
    scene.neighbour.kil(&ports[0], ());
    until(|| scene.node.port_count() == before - 1).await;
    let again = scene.neighbour.spawn("a", "Net::counter", args![9]);
    for (port, n) in [(&ports[1], 1), (&ports[2], 2), (&again, 9)] {
        let answer = scene.neighbour.cal(port, msg!["get"]).await;
        assert_eq!(answer.unwrap(), msg![n]);
    }
}

/// The ports of a node that comes back are its own still.
#[tokio::test]
async fn spawned_ports_are_counted_over_connections() {
    let scene = Scene::new(|node| node.max_spawned_ports(2)).await;
    let spawn =
        |name: &str| json!(["", "AnyEvent::MP::_spawn", name, "Net::counter", 1]).to_string();
    let mut raw = Raw::login(&scene.node, "raw").await;
    raw.send(spawn("p") + &spawn("q")).await;
    until(|| scene.node.port_count() == 2).await;
    let down = watch(&scene.node, &PortId::parse("raw").unwrap());
    drop(raw);
    down.await;
    let mut raw = Raw::login(&scene.node, "raw").await;
    raw.send(spawn("r") + r#"["","mon1","r"]"#).await;
    let text = "max_spawned_ports (2) reached: no more are spawned for it";
    assert_eq!(raw.packet().await, json!(["", "kil0", "r", "die", text]));
    raw.send(r#"["","kil1","p"]"#).await;
    until(|| scene.node.port_count() == 1).await;
    raw.send(spawn("s") + r#"["s","get","raw#x"]"#).await;
    assert_eq!(raw.packet().await, json!(["x", 1]));
    scene.goes_on().await;
}

/// A name can be as long as a packet, and lives as long as its port.
#[tokio::test]
async fn names_of_spawned_ports() {
    let scene = Scene::new(|node| node).await;
    let mut raw = Raw::login(&scene.node, "raw").await;
    let name = "n".repeat(100_000);
    let spawn = json!(["", "AnyEvent::MP::_spawn", name, "Net::counter", 1]);
    raw.send(spawn.to_string()).await;
    let unknown = json!(["", "AnyEvent::MP::_spawn", "p", "F::".repeat(100_000)]);
    raw.send(unknown.to_string() + r#"["","mon1","p"]"#).await;
    let death = raw.packet().await;
    assert!(death[4].as_str().unwrap().len() < 200, "{death}");
    let (_, line) = scene.logs.expect("the port name \"nnn").await;
    assert!(line.len() < 200, "{line}");
    assert_eq!(scene.node.port_count(), 0);
    scene.goes_on().await;
}

#[tokio::test]
async fn monitors() {
    let scene = Scene::new(|node| node.max_monitors(2)).await;
    let ports: Vec<PortId> = (0..4).map(|n| scene.node.port(counter(n)).id()).collect();
    let mut raw = Raw::login(&scene.node, "raw").await;
    let mon = |request: &str, n: usize| json!(["", request, ports[n].name()]).to_string();
    // Asking twice for one is asking once.
    raw.send(mon("mon1", 0) + &mon("mon1", 0) + &mon("mon1", 1) + &mon("mon1", 2))
        .await;
    let text = "max_monitors (2) reached: no more ports are monitored for it";
    let fired = json!(["", "kil0", ports[2].name(), "monitor_refused", text]);
    assert_eq!(raw.packet().await, fired);
    scene.logs.warned(&format!("raw: {text}")).await;
    // The neighbour may monitor any port.
    let deaths: Vec<_> = (2..4).map(|n| watch(&scene.neighbour, &ports[n])).collect();
    scene.goes_on().await;
    raw.send(mon("mon0", 0) + &mon("mon1", 3)).await;
    raw.send(r#"["","time","raw#t"]"#).await;
    assert_eq!(raw.packet().await[0], "t", "there was room again");
    for port in &ports {
        scene.node.kil(port, "bye");
    }
    for death in deaths {
        assert_eq!(death.await.to_string(), "bye");
    }
    for n in [1, 3] {
        assert_eq!(
            raw.packet().await,
            json!(["", "kil0", ports[n].name(), "bye"])
        );
    }
}

/// Passing messages on must not cost a third node its connection.
#[tokio::test]
async fn a_third_node_that_takes_too_little() {
    let scene = Scene::new(|node| node.max_queue_bytes(1 << 20)).await;
    let slow = Raw::login(&scene.node, "slow").await;
    let slow_is_lost = watch(&scene.node, &PortId::parse("slow").unwrap());
    let mut raw = Raw::login(&scene.node, "raw").await;
    let relay = json!(["", "snd", "slow#p", "x".repeat(50_000)]).to_string();
    // More than all buffers of the system and of the node.
    for _ in 0..400 {
        raw.send(&relay).await;
    }
    scene
        .logs
        .warned("raw: a message to slow is not passed on: ")
        .await;
    scene.goes_on().await;
    assert!(scene.logs.find("slow is down").is_none());
    drop(slow);
    assert_eq!(slow_is_lost.await.kind(), "transport_error");
}

/// Unknown nodes are looked for, and forgotten.
#[tokio::test]
async fn relays_to_nowhere() {
    let scene = Scene::new(|node| node.max_requests_per_second(2000)).await;
    let mut raw = Raw::login(&scene.node, "raw").await;
    for n in 0..100 {
        let relay = json!(["", "snd", format!("nowhere/{n}#p"), 1]);
        raw.send(relay.to_string()).await;
    }
    // 100 times what an ordinary request costs: the rest waits.
    scene
        .logs
        .warned("raw: max_requests_per_second (2000) reached: reading from it stops for ")
        .await;
    scene.goes_on().await;
    until(|| scene.logs.count("nowhere/99 cannot be reached") == 1).await;
}

#[tokio::test]
async fn questions() {
    let scene = Scene::new(|node| node).await;
    for n in 0..5000 {
        scene.node.port(counter(n));
    }
    let mut raw = Raw::login(&scene.node, "raw").await;
    let ask = r#"["","inspect",["ports",{"most":1}],"raw#i"]"#.repeat(20);
    raw.send(ask).await;
    let mut refused = 0;
    for _ in 0..20 {
        let answer = raw.packet().await;
        refused += usize::from(answer[1] == "too many questions about ports wait already");
    }
    // Eight may wait. Connections take turns with the answers, so some of these may be through already.
    assert!((1..=12).contains(&refused), "{refused} were refused");
    scene.goes_on().await;
}

#[tokio::test]
async fn nonsense_does_not_fill_the_log() {
    let scene = Scene::new(|node| node).await;
    let mut raw = Raw::login(&scene.node, "raw").await;
    for _ in 0..1000 {
        raw.send(
            r#"["","No::such"]["","mon1"]["","kil1",""]["","AnyEvent::MP::_spawn","","F::f"]"#,
        )
        .await;
    }
    raw.send(r#"["","time","raw#t"]"#).await;
    assert_eq!(raw.packet().await[0], "t");
    let lines = scene.logs.lines().len();
    assert!(lines < 200, "{lines}");
    scene.goes_on().await;
}

#[tokio::test]
async fn only_allowed_requests_are_served() {
    let scene = Scene::new(|node| {
        node.allow("b", "Net::*")
            .allow("ra?", "Other::thing")
            .allow("b", "inspect")
            .allow("*", "eval")
            .function("Other::thing", |_, _: Args| ())
    })
    .await;
    let port = scene.neighbour.spawn("a", "Net::counter", args![5]);
    let answer = scene.neighbour.cal(&port, msg!["get"]).await;
    assert_eq!(answer.unwrap(), msg![5]);
    scene.neighbour.inspect("a").node().await.unwrap();
    let mut raw = Raw::login(&scene.node, "raw").await;
    let spawn = json!(["", "AnyEvent::MP::_spawn", "p", "Net::counter", 1]);
    raw.send(spawn.to_string() + r#"["","mon1","p"]"#).await;
    let death = raw.packet().await;
    assert_eq!(
        death[3], "no_such_port",
        "as in the reference's secure mode"
    );
    scene
        .logs
        .warned("spawn of Net::counter from raw: remote execution not allowed")
        .await;
    raw.send(r#"["","inspect","node","raw#i"]"#).await;
    assert_eq!(raw.packet().await, json!(["i", "not allowed here", null]));
    raw.send(r#"["","Net::Counter::x"]["","eval","1","raw#e"]"#)
        .await;
    assert_eq!(raw.packet().await[0], "e");
    scene
        .logs
        .warned("node port: Net::Counter::x from raw: remote execution not allowed")
        .await;
    assert!(scene.logs.find("Other::thing").is_none());
    raw.send(r#"["","Other::thing"]["","Other::things"]"#).await;
    scene.logs.warned("Other::things from raw").await;
    assert_eq!(scene.logs.count("Other::thing from raw"), 0);
    scene.goes_on().await;
}

/// Every request that runs a function by its name is refused, and no other: as in the reference.
#[tokio::test]
async fn secure_mode() {
    let scene = Scene::new(|node| node.secure(true)).await;
    let mut inbox = Inbox::new(&scene.node);
    let mut raw = Raw::login(&scene.node, "raw").await;
    let spawn = json!(["", "AnyEvent::MP::_spawn", "p", "Net::counter", 1]);
    raw.send(spawn.to_string() + r#"["","Net::counter",1]["","eval","1","raw#e"]"#)
        .await;
    for what in ["spawn of Net::counter", "Net::counter", "eval"] {
        let line = format!("node port: {what} from raw: remote execution not allowed");
        scene.logs.warned(&line).await;
    }
    let local = inbox.id.clone();
    raw.send(format!(
        r#"["","snd","{local}","relayed"]["","can","snd","raw#can"]["","time","raw#time"]"#
    ))
    .await;
    assert_eq!(inbox.next().await, msg!["relayed"]);
    assert_eq!(raw.packet().await, json!(["can", "1"]));
    assert_eq!(raw.packet().await[0], "time");
    raw.send(r#"["","inspect","node","raw#i"]"#).await;
    assert_eq!(raw.packet().await[1], "");
    raw.send(format!(
        r#"["","mon1","{0}"]["","kil1","{0}","bye"]"#,
        local.name()
    ))
    .await;
    assert_eq!(raw.packet().await, json!(["", "kil0", local.name(), "bye"]));
    scene.goes_on().await;
}

/// A port whose handler never ends dies when its queue is full. The connection, and other ports, stay.
#[tokio::test]
async fn messages_that_a_port_does_not_take() {
    let scene = Scene::new(|node| node.max_port_queue(3000)).await;
    let port = scene.neighbour.spawn("a", "Net::counter", args![0]);
    let mut raw = Raw::login(&scene.node, "raw").await;
    let died = watch(&scene.node, &port);
    let ponder = json!([port.name(), "ponder"]).to_string();
    // As many as may wait are none too many; the port ends with the next that are counted.
    raw.send(ponder.repeat(3000)).await;
    raw.send(r#"["","AnyEvent::MP::_spawn","q","Net::counter",7]["q","get","raw#r"]"#)
        .await;
    assert_eq!(raw.packet().await, json!(["r", 7]));
    let _ = raw.try_send(ponder.repeat(2000)).await;
    let so = format!("{} takes no more, and is ended", port.name());
    let reason = died.await.to_string();
    assert!(
        reason.contains(&format!("max_port_queue (3000) reached: {so}")),
        "{reason}"
    );
    raw.send(r#"["q","get","raw#r"]"#).await;
    assert_eq!(raw.packet().await, json!(["r", 7]));
    scene
        .logs
        .warned(&format!("raw: max_port_queue (3000) reached: {so}"))
        .await;
    scene.goes_on().await;
}
