//! Confused deputies: requests that one node makes at the wish of another are not served in its own name.

use aemp::{Args, CallError, Cx, Node, PortId, Reply, SendError, args, msg, port};
use serde_json::json;

use crate::{
    common::{Inbox, soon},
    logs::Logs,
    nodes::{address, listening, start},
    raw::Raw,
};

/// The spawn that an attacker wants.
const SPAWN: [&str; 3] = ["AnyEvent::MP::_spawn", "p", "Net::counter"];

/// A node that refuses all that is asked of it, an attacker that is its member, and a third node that is one too.
struct Scene {
    logs: Logs,
    deputy: Node,
    attacker: Raw,
    third: Raw,
}

impl Scene {
    async fn new() -> Self {
        let logs = Logs::catch();
        let deputy = start(listening("a").allow("friend", "*")).await;
        Self {
            logs,
            attacker: Raw::login(&deputy, "attacker").await,
            third: Raw::login(&deputy, "third").await,
            deputy,
        }
    }

    async fn sends(&mut self, packet: serde_json::Value) {
        self.attacker.send(packet.to_string()).await;
    }

    /// All that was sent has been dealt with, nothing was spawned, and the third node was told nothing.
    async fn nothing_has_come_of_it(&mut self, ports: usize) {
        let word = json!(["", "snd", "third#x", "the first word"]);
        self.sends(word).await;
        assert_eq!(self.third.packet().await, json!(["x", "the first word"]));
        self.sends(json!(["", "snd", "attacker#x", "through"]))
            .await;
        assert_eq!(self.attacker.packet().await, json!(["x", "through"]));
        assert_eq!(self.deputy.port_count(), ports);
    }
}

/// Answers, and passes given messages on to given ports.
#[derive(Default)]
struct Clerk;

#[port]
impl Clerk {
    #[rcv]
    fn echo(&self, words: Vec<String>) -> Vec<String> {
        words
    }

    #[rcv]
    fn later(&self, words: Vec<String>, reply: Reply<Vec<String>>) {
        reply.send(words);
    }

    #[rcv]
    fn pass(&self, cx: &mut Cx<'_>, to: PortId, #[rest] words: Args) {
        cx.node().snd(&to, words.clone());
        cx.after_snd(std::time::Duration::ZERO, &to, words.clone());
        let dead = cx.node().empty_port();
        cx.node().mon_snd(&dead.id(), &to, words).detach();
        dead.kill(());
    }

    #[rcv("call")]
    async fn on_call(&self, cx: &mut Cx<'_>, to: PortId, #[rest] words: Args) -> String {
        match cx.node().cal(&to, words).await {
            Err(CallError::Send(SendError::NodePort(port))) => format!("refused: {port}"),
            other => format!("{other:?}"),
        }
    }

    #[rcv("handle")]
    fn on_handle(&self, other: ClerkRef) {
        other.hear("word".into());
    }

    #[rcv]
    fn hear(&self, word: String) {
        drop(word);
    }
}

#[tokio::test]
async fn relays_to_a_node_port_are_refused() {
    let mut scene = Scene::new().await;
    for node in ["a", "a#", "third", "third#"] {
        let mut packet = json!(["", "snd", node]);
        packet.as_array_mut().unwrap().extend(SPAWN.map(Into::into));
        scene.sends(packet).await;
        scene
            .sends(json!([
                "", "snd", node, "snd", node, SPAWN[0], "p", SPAWN[2]
            ]))
            .await;
        let death = json!(["", "snd", node, "kil0", "port", "transport_error", "forged"]);
        scene.sends(death).await;
        let entries = json!(["", "snd", node, "g_upd", "family", {"evil": 1}, ["key"]]);
        scene.sends(entries).await;
        for request in ["can", "time", "eval", "inspect"] {
            let what = if request == "time" {
                vec![]
            } else {
                vec!["node"]
            };
            let mut packet = vec![json!(""), json!(request)];
            packet.extend(what.into_iter().map(Into::into));
            packet.extend([json!(node), json!("g_upd"), json!("family")]);
            scene.sends(packet.into()).await;
        }
    }
    scene.nothing_has_come_of_it(0).await;
    scene
        .logs
        .warned("node port: snd from attacker: a is a node port: refused")
        .await;
    let keys = soon(scene.deputy.db_keys("family")).await.unwrap();
    assert!(keys.is_empty(), "{keys:?}");
}

/// One packet of many relays in each other ends nothing.
#[tokio::test]
async fn relays_in_each_other_cost_no_stack() {
    let mut scene = Scene::new().await;
    for levels in [500, 100_000] {
        let mut packet = vec![json!("")];
        packet.extend((0..levels).flat_map(|_| [json!("snd"), json!("a")]));
        packet.extend([json!("snd"), json!("attacker#x"), json!("echo")]);
        scene.sends(packet.into()).await;
    }
    scene.nothing_has_come_of_it(0).await;
}

#[tokio::test]
async fn answers_reach_no_node_port() {
    let mut scene = Scene::new().await;
    let clerk = scene.deputy.port(Clerk);
    let echo = scene.deputy.untyped(|cx: &mut Cx<'_>, mut message: Args| {
        let to = message.pop().and_then(|to| PortId::parse(&to.text()?).ok());
        let sent = cx.node().snd(&to.unwrap(), message.clone());
        assert_eq!(message.len() == 3, sent.check().is_err());
    });
    for node in ["a", "third", "third#"] {
        for tag in ["echo", "later"] {
            let call = json!([clerk.id().name(), tag, SPAWN, node]);
            scene.sends(call).await;
        }
        // A call that is not understood is refused, but not to a node.
        scene
            .sends(json!([clerk.id().name(), "unknown", node]))
            .await;
        let message = json!([echo.id().name(), SPAWN[0], SPAWN[1], SPAWN[2], node]);
        scene.sends(message).await;
    }
    scene.nothing_has_come_of_it(2).await;
    // Answers to ports are unchanged.
    scene
        .sends(json!([echo.id().name(), "word", "attacker#y"]))
        .await;
    assert_eq!(scene.attacker.packet().await, json!(["y", "word"]));
    let call = json!([clerk.id().name(), "echo", ["word"], "attacker#z"]);
    scene.sends(call).await;
    assert_eq!(scene.attacker.packet().await, json!(["z", "word"]));
}

#[tokio::test]
async fn relayed_messages_reach_no_node_port() {
    let mut scene = Scene::new().await;
    let clerk = scene.deputy.port(Clerk);
    for node in ["a", "third"] {
        let pass = json!([clerk.id().name(), "pass", node, SPAWN[0], "p", SPAWN[2]]);
        scene.sends(pass).await;
        let call = json!([
            clerk.id().name(),
            "call",
            node,
            SPAWN[0],
            "p",
            SPAWN[2],
            "attacker#r"
        ]);
        scene.sends(call).await;
        let refused = format!("refused: {node}");
        assert_eq!(scene.attacker.packet().await, json!(["r", refused]));
        let handle = json!([clerk.id().name(), "handle", node]);
        scene.sends(handle).await;
    }
    scene.nothing_has_come_of_it(1).await;
    scene
        .sends(json!([clerk.id().name(), "pass", "attacker#y", "word"]))
        .await;
    for reason in [
        json!(["y", "word"]),
        json!(["y", "word"]),
        json!(["y", "word"]),
    ] {
        assert_eq!(scene.attacker.packet().await, reason);
    }
}

/// Requests of the program itself are served: outside of ports, and within where it says so.
#[tokio::test]
async fn the_program_asks_for_itself() {
    let a = start(listening("a")).await;
    let b = start(listening("b").seed(address(&a))).await;
    soon(b.until_up("a")).await;
    let mut inbox = Inbox::new(&b);
    for node in [&a, &b] {
        let id = PortId::from(node.id().clone());
        b.snd(&id, msg!["snd", inbox.id.as_str(), "echo"]);
        assert_eq!(inbox.next().await, msg!["echo"]);
        assert_eq!(soon(b.cal(&id, msg!["time"])).await.unwrap().len(), 1);
    }
    let to = inbox.id.clone();
    let port = b.untyped(move |cx: &mut Cx<'_>, _: Args| {
        let node = cx.node();
        let sent = node.snd(&PortId::parse("a").unwrap(), msg!["time", to.as_str()]);
        assert!(matches!(sent.check(), Err(SendError::NodePort(_))));
        node.snd_to_func("a", "snd", args![to.as_str(), "asked"]);
    });
    b.snd(&port.id(), msg![]);
    assert_eq!(inbox.next().await, msg!["asked"]);
    let time = b.cal_to_func("a", "time", args![]).unwrap();
    assert_eq!(soon(time).await.unwrap().len(), 1);
}
