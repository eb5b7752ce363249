//! Whole nodes against recorded peers: the connections that they accept and refuse.

use std::collections::BTreeMap;

use aemp_codec::{Format, Limits, NodeId};
use aemp_proto::{
    Random, Time,
    auth::Secret,
    handshake::HandshakeConfig,
    mesh::{Mesh, MeshConfig, Output, PeerMap, Peers},
    peer::{ConnId, Peer, PeerLimits, Urge},
};

use aemp_tests::transcript::{self, Transcript};

/// Proves to any node with any nonce; recorded proofs are good for recorded nonces only.
const PROOF: &[u8] = b"cleartext;67656865696d;json\n";

/// The recordings that are played here.
pub(crate) const SCENARIOS: &[&str] = &[
    "connect_two_addresses",
    "handshake_already_connected",
    "switched_connections",
];

struct Node {
    mesh: Mesh<PeerMap>,
    /// The greetings that it has sent.
    hellos: BTreeMap<ConnId, Vec<u8>>,
    proofs: BTreeMap<ConnId, Vec<u8>>,
}

impl Node {
    fn new(id: &str, seeds: &[&str]) -> Self {
        let secret = Secret::new("geheim");
        let mut handshake = HandshakeConfig::new(NodeId::new(id).unwrap(), Some(secret));
        handshake.formats = vec![Format::Json];
        let mut config = MeshConfig::new(handshake);
        config.seeds = seeds.iter().map(|seed| (*seed).into()).collect();
        let packet = Limits::default();
        let peers = PeerMap::new(PeerLimits {
            max_queue_bytes: 1 << 20,
            packet,
        });
        let mesh = Mesh::new(Time::ZERO, config, peers, Random::predictable(1));
        let (hellos, proofs) = Default::default();
        Self {
            mesh,
            hellos,
            proofs,
        }
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        self.mesh.received(Time::ZERO, conn, bytes);
    }

    /// The actions that the mesh asks for, in a word each, and the log lines.
    fn todo(&mut self) -> (Vec<String>, String) {
        let (mut acts, mut logs) = (Vec::new(), String::new());
        while let Some(output) = self.mesh.poll() {
            match output {
                Output::Dial { addr, .. } => acts.push(format!("dial {addr}")),
                Output::Transmit { conn, bytes } => {
                    let what = if bytes.starts_with(b"aemp;") {
                        self.hellos.insert(conn, bytes);
                        "hello"
                    } else {
                        self.proofs.insert(conn, bytes);
                        "proof"
                    };
                    acts.push(format!("{what} {}", conn.0));
                }
                Output::Close { conn } => acts.push(format!("close {}", conn.0)),
                Output::NodeUp(node) => acts.push(format!("up {node}")),
                Output::Log { text, .. } => logs += &text,
                _ => {}
            }
        }
        (acts, logs)
    }
}

fn greeting(transcript: &Transcript, conn: u64, from: &str) -> Vec<u8> {
    transcript.sent(conn, from, "greeting").concat()
}

#[test]
fn a_second_connection_of_a_node_is_refused() {
    let transcript = transcript::one("handshake_already_connected");
    let mut node = Node::new("b", &[]);
    let first = node.mesh.accepted(Time::ZERO, "127.0.0.1:56058");
    node.receive(first, &greeting(&transcript, 1, "a"));
    node.receive(first, PROOF);
    assert_eq!(node.todo().0, ["hello 1", "proof 1", "up a"]);
    let second = node.mesh.accepted(Time::ZERO, "127.0.0.1:56064");
    node.receive(second, &greeting(&transcript, 2, "a"));
    let (acts, logs) = node.todo();
    assert_eq!(acts, ["hello 2", "close 2"]);
    assert!(transcript.logged().contains(&logs), "{logs}");
}

#[test]
fn of_two_handshakes_of_one_node_only_one_completes() {
    let transcript = transcript::one("switched_connections");
    let mut node = Node::new("b", &[]);
    let conns = [1, 2].map(|number| {
        let conn = node.mesh.accepted(Time::ZERO, "127.0.0.1:56078");
        node.receive(conn, &greeting(&transcript, number, "a"));
        conn
    });
    conns.iter().for_each(|conn| node.receive(*conn, PROOF));
    assert_eq!(
        node.todo().0,
        ["hello 1", "proof 1", "hello 2", "close 2", "up a"]
    );
}

#[test]
fn seeds_that_are_each_other_and_themselves() {
    let transcript = transcript::one("mutual_seeds");
    let mut node = Node::new("g1", &["127.0.0.1:4041", "127.0.0.1:4042"]);
    assert_eq!(
        node.todo().0,
        ["dial 127.0.0.1:4041", "dial 127.0.0.1:4042"]
    );
    node.mesh
        .dialed(Time::ZERO, ConnId(1), Ok("127.0.0.1:4041".into()));
    // Recorded nonces are not this node's: it has to meet itself.
    let own = node.mesh.accepted(Time::ZERO, "127.0.0.1:34856");
    assert_eq!(node.todo().0, ["hello 1", "hello 3"]);
    node.receive(ConnId(1), &node.hellos[&own].clone());
    node.receive(own, &node.hellos[&ConnId(1)].clone());
    assert_eq!(node.todo().0, ["proof 1", "proof 3"]);
    node.receive(ConnId(1), &node.proofs[&own].clone());
    node.receive(own, &node.proofs[&ConnId(1)].clone());
    node.mesh
        .dialed(Time::ZERO, ConnId(2), Err("Connection refused".into()));
    let (acts, logs) = node.todo();
    assert_eq!(acts, ["close 3", "close 1"]);
    for text in [
        "127.0.0.1:4041 disconnected - I refuse to talk to myself.",
        "127.0.0.1:4042 disconnected - Connection refused.",
    ] {
        assert!(
            logs.contains(text) && transcript.logged().contains(text),
            "{logs}"
        );
    }
    let conn = node.mesh.accepted(Time::ZERO, "127.0.0.1:34860");
    node.receive(conn, &greeting(&transcript, 2, "g2"));
    node.receive(conn, PROOF);
    assert_eq!(node.todo().0, ["hello 4", "proof 4", "up g2"]);
}

#[test]
fn the_address_behind_a_refused_one_is_tried() {
    let transcript = transcript::one("connect_two_addresses");
    let mut node = Node::new("a", &[]);
    let other = NodeId::new("b").unwrap();
    let send = |peer: &mut Peer| peer.send("", |packet| packet.str("devnull")).unwrap();
    assert_eq!(node.mesh.peers().with(&other, send), Urge::Connect);
    node.mesh.connect(Time::ZERO, &other);
    let addresses = ["127.0.0.1:1", "127.0.0.1:4041"].map(Into::into).into();
    node.mesh.learn(Time::ZERO, &other, addresses);
    assert_eq!(node.todo().0, ["dial 127.0.0.1:1"]);
    let refused = Err("Connection refused".into());
    node.mesh.dialed(Time::ZERO, ConnId(1), refused);
    let (acts, logs) = node.todo();
    // The reference waits for almost `connect_interval` instead.
    assert_eq!(acts, ["dial 127.0.0.1:4041"]);
    assert!(transcript.logged().contains(&logs), "{logs}");
    let address = Ok("127.0.0.1:4041".into());
    node.mesh.dialed(Time::ZERO, ConnId(2), address);
    node.receive(ConnId(2), &greeting(&transcript, 1, "b"));
    node.receive(ConnId(2), PROOF);
    assert_eq!(node.todo().0, ["hello 2", "proof 2", "up b"]);
    let mut sent = Vec::new();
    node.mesh
        .peers()
        .with(&other, |peer| peer.swap_output(ConnId(2), &mut sent));
    assert_eq!(sent, transcript.sent(1, "a", "data").concat());
}
