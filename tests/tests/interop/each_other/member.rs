//! A node of either kind, and the requests to it.

use std::time::Duration;

use aemp::{Cx, Map, Node, PortId, Value, args, spawnable};
use serde_json::{Value as Json, json};

use crate::{
    common::{Inbox, PATIENCE, SECRET, soon, watch},
    perl::Perl,
};

/// Sends its arguments back, but for the last one, which is the destination.
#[spawnable(name = "Each::echo")]
fn echo(cx: &mut Cx<'_>) {
    cx.rcv_default(|cx: &mut Cx<'_>, mut message: aemp::Args| {
        let to = message.pop().and_then(|to| PortId::parse(&to.text()?).ok());
        if let Some(to) = to {
            cx.node().snd(&to, message);
        }
    });
}

enum Kind {
    Rust(Node, Inbox),
    Perl(Perl),
}

pub(super) struct Member {
    pub(super) id: &'static str,
    pub(super) formats: &'static [&'static str],
    /// A port that records its messages.
    pub(super) inbox: PortId,
    kind: Kind,
}

fn value(json: &Json) -> Value {
    serde_json::from_value(json.clone()).unwrap()
}

/// Octets become the characters of their numbers, as Perl's JSON makes of them.
fn json(value: &Value) -> Json {
    serde_json::from_str(&value.to_string()).unwrap()
}

impl Member {
    pub(super) async fn start(
        id: &'static str,
        formats: &'static [&'static str],
        seeds: &[String; 2],
    ) -> Self {
        let (global, bind) = match id {
            "rust-all" => (true, seeds[0].as_str()),
            "perl-cbor" => (true, seeds[1].as_str()),
            _ => (false, "127.0.0.1:*"),
        };
        let (kind, inbox) = match id.starts_with("rust") {
            true => {
                let node = Node::builder().node_id(id).secret(SECRET).global(global);
                let node = node.bind(bind).framing_format(formats.iter().copied());
                let node = seeds.iter().fold(node, |node, seed| node.seed(seed));
                let node = node.start().await.unwrap();
                let inbox = Inbox::new(&node);
                let port = inbox.id.clone();
                (Kind::Rust(node, inbox), port)
            }
            false => {
                let formats = formats.join(",");
                let settings = [("PEER_FORMATS", formats.as_str()), ("PEER_GLOBAL", "1")];
                let settings = if global {
                    &settings[..]
                } else {
                    &settings[..1]
                };
                let perl = Perl::start_with(id, bind, seeds, settings).await;
                let mut perl = perl.unwrap();
                let port = PortId::parse(&perl.inbox().await).unwrap();
                (Kind::Perl(perl), port)
            }
        };
        Self {
            id,
            formats,
            inbox,
            kind,
        }
    }

    /// Itself, if it is one of ours.
    pub(super) fn node(&self) -> Option<&Node> {
        match &self.kind {
            Kind::Rust(node, _) => Some(node),
            Kind::Perl(_) => None,
        }
    }

    /// The function that makes an echo port on this member.
    pub(super) fn echo(&self) -> &'static str {
        match &self.kind {
            Kind::Rust(..) => "Each::echo",
            Kind::Perl(_) => "Peer::echo",
        }
    }

    fn order(perl: &mut Perl, start: &Json, rest: &[Value]) {
        let mut order = start.as_array().unwrap().clone();
        order.extend(rest.iter().map(json));
        perl.order(&order.into());
    }

    pub(super) fn send(&mut self, port: &PortId, message: Vec<Value>) {
        match &mut self.kind {
            Kind::Rust(node, _) => drop(node.snd(port, message)),
            Kind::Perl(perl) => Self::order(perl, &json!(["snd", port.as_str()]), &message),
        }
    }

    /// Asks another node to send it.
    pub(super) fn send_via(&mut self, via: &str, port: &PortId, message: Vec<Value>) {
        match &mut self.kind {
            Kind::Rust(node, _) => drop(node.snd_on(via, port, message)),
            Kind::Perl(perl) => {
                Self::order(perl, &json!(["snd_on", via, port.as_str()]), &message);
            }
        }
    }

    /// The next message of its inbox.
    pub(super) async fn receive(&mut self) -> Vec<Value> {
        match &mut self.kind {
            Kind::Rust(_, inbox) => inbox.next().await,
            Kind::Perl(perl) => perl.expect("got").await[1..].iter().map(value).collect(),
        }
    }

    pub(super) async fn spawn(&mut self, on: &str, function: &str) -> PortId {
        match &mut self.kind {
            Kind::Rust(node, _) => node.spawn(on, function, args![]),
            Kind::Perl(perl) => {
                let spawned = perl.ask(json!(["spawnmon", on, function]), "spawned").await;
                PortId::parse(spawned[0].as_str().unwrap()).unwrap()
            }
        }
    }

    /// The answer of a port.
    pub(super) async fn call(&mut self, port: &PortId, argument: Value) -> Value {
        match &mut self.kind {
            Kind::Rust(node, _) => soon(node.cal(port, vec![argument]))
                .await
                .unwrap()
                .remove(0),
            Kind::Perl(perl) => {
                Self::order(perl, &json!(["cal", port.as_str()]), &[argument]);
                value(&perl.expect("answer").await[0])
            }
        }
    }

    /// Kills a port and waits until its monitor has fired; the reason.
    pub(super) async fn kill(&mut self, port: &PortId, reason: &[Value]) -> Vec<Value> {
        match &mut self.kind {
            Kind::Rust(node, _) => {
                let died = watch(node, port);
                node.kil(port, reason.to_vec());
                died.await.to_vec()
            }
            Kind::Perl(perl) => {
                Self::order(perl, &json!(["kil", port.as_str()]), reason);
                let died = perl.expect("died").await;
                assert_eq!(died[0], port.as_str());
                died[1..].iter().map(value).collect()
            }
        }
    }

    pub(super) fn set(&mut self, family: &str, key: &str, value: &Value) {
        match &mut self.kind {
            Kind::Rust(node, _) => drop(node.db_set(family, key, value.clone()).unwrap()),
            Kind::Perl(perl) => perl.set(family, key, &json(value)),
        }
    }

    /// The content of a family, as the member's master knows it, or the member itself if it is global.
    async fn family(&mut self, family: &str) -> Value {
        match &mut self.kind {
            Kind::Rust(node, _) => {
                let query = node.db_family(family).timeout(PATIENCE);
                query.await.unwrap().into()
            }
            Kind::Perl(perl) => value(&perl.family(family).await),
        }
    }

    /// Asks until nothing is wrong with a family.
    pub(super) async fn until_family(
        &mut self,
        family: &str,
        wrong: impl Fn(&Map) -> Option<String>,
    ) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = self.family(family).await;
            let Some(wrong) = wrong(found.as_map().unwrap()) else {
                return;
            };
            let late = tokio::time::Instant::now() > deadline;
            assert!(!late, "{}: family {family}: {wrong}", self.id);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
