//! A network of five nodes, two of them global, of both kinds.

use std::collections::BTreeMap;

use aemp::{Node, PortId, snd};
use serde_json::{Value as Json, json};

use crate::{
    common::{Inbox, SECRET},
    perl::{self, Perl},
    rust_db,
};

enum Kind {
    Rust(Node, Inbox),
    Perl(Perl),
}

/// A node that has registered a port in family `ports`, and set its own ID in family `names`.
struct Member {
    kind: Kind,
    port: String,
}

impl Member {
    async fn start_rust(id: &str, bind: &str, seeds: &[String]) -> Self {
        let node = Node::builder().node_id(id).secret(SECRET).bind(bind);
        let node = seeds.iter().fold(node, |node, seed| node.seed(seed));
        let node = node.start().await.unwrap();
        let inbox = Inbox::new(&node);
        let port = inbox.id.as_str().to_owned();
        node.db_reg("ports", &inbox.id, id).unwrap();
        node.db_set("names", id, id).unwrap();
        let kind = Kind::Rust(node, inbox);
        Self { kind, port }
    }

    async fn start_perl(id: &str, bind: &str, seeds: &[String]) -> Self {
        let mut perl = Perl::start_at(id, bind, seeds, false).await.unwrap();
        let port = perl.inbox().await;
        perl.order(&json!(["db_reg", "ports", port, id]));
        perl.set("names", id, &json!(id));
        let kind = Kind::Perl(perl);
        Self { kind, port }
    }

    async fn until_family(&mut self, family: &str, expected: &Json) {
        match &mut self.kind {
            Kind::Rust(node, _) => rust_db::until_family(node, family, expected).await,
            Kind::Perl(perl) => perl.until_family(family, expected).await,
        }
    }

    fn send(&mut self, port: &str, text: &str) {
        match &mut self.kind {
            Kind::Rust(node, _) => {
                snd!(node, PortId::parse(port).unwrap(), "hello", text);
            }
            Kind::Perl(perl) => perl.order(&json!(["snd", port, "hello", text])),
        }
    }

    async fn receive(&mut self) -> String {
        match &mut self.kind {
            Kind::Rust(_, inbox) => inbox.next().await[1].as_str().unwrap().into(),
            Kind::Perl(perl) => perl.expect("got").await[2].as_str().unwrap().into(),
        }
    }

    /// A Rust node stops in order, a Perl process is killed.
    async fn end(self) {
        match self.kind {
            Kind::Rust(node, _) => node.stop().await,
            Kind::Perl(perl) => perl.kill(),
        }
    }
}

/// The nodes by their IDs, and the addresses of the global ones, which are their own and each other's seeds.
struct Network {
    members: BTreeMap<&'static str, Member>,
    seeds: [String; 2],
}

impl Network {
    async fn start(&mut self, id: &'static str) {
        let anywhere = "127.0.0.1:*".to_owned();
        let (bind, seeds) = match id {
            "rust-global" => (&self.seeds[0], &self.seeds),
            "perl-global" => (&self.seeds[1], &self.seeds),
            _ => (&anywhere, &self.seeds),
        };
        let member = match id.starts_with("rust") {
            true => Member::start_rust(id, &bind.replace('*', "0"), seeds).await,
            false => Member::start_perl(id, bind, seeds).await,
        };
        self.members.insert(id, member);
    }

    /// Waits until the members know each other, and no other node.
    async fn settle(&mut self) {
        let names = self.members.keys().map(|id| ((*id).to_owned(), json!(id)));
        let names: Json = names.collect();
        let ports = self.members.iter();
        let ports: Json = ports
            .map(|(id, member)| (member.port.clone(), json!(id)))
            .collect();
        for member in self.members.values_mut() {
            member.until_family("names", &names).await;
            member.until_family("ports", &ports).await;
        }
    }

    /// Checks that each member can reach each other one.
    async fn greet(&mut self) {
        let ports: Vec<_> = self
            .members
            .values()
            .map(|member| member.port.clone())
            .collect();
        for (id, member) in &mut self.members {
            ports.iter().for_each(|port| member.send(port, id));
        }
        let all: Vec<_> = self.members.keys().copied().collect();
        for member in self.members.values_mut() {
            let mut heard = Vec::new();
            while heard.len() < all.len() {
                heard.push(member.receive().await);
            }
            heard.sort();
            assert_eq!(heard, all);
        }
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn each_ends_in_turn_and_comes_back() {
    if !perl::is_there() {
        return;
    }
    let mut network = Network {
        members: BTreeMap::new(),
        seeds: [aemp_tests::free_address(), aemp_tests::free_address()],
    };
    let all = ["rust-global", "perl-global", "rust", "rust-2", "perl"];
    for id in all {
        network.start(id).await;
    }
    network.settle().await;
    network.greet().await;
    for id in ["rust", "perl", "perl-global", "rust-2", "rust-global"] {
        network.members.remove(id).unwrap().end().await;
        network.settle().await;
        network.start(id).await;
        // A slave of the reference that has once changed its master directly does not notice when that one ends.
        if id == "perl-global" {
            network.members.remove("perl").unwrap().end().await;
            network.start("perl").await;
        }
        network.settle().await;
        network.greet().await;
    }
}
