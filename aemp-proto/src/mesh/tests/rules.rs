//! The rules one by one, against peers that are a few lines of text.

use std::time::Duration;

use aemp_codec::{Limits, NodeId};

use crate::{
    Random, Time,
    handshake::{HandshakeConfig, auth::Secret},
    mesh::{Level, Mesh, MeshConfig, Output, PeerMap, Peers},
    peer::{ConnId, MonitorId, PeerLimits, Standing, Urge},
};

pub(super) const PROOF: &str = "cleartext;67656865696d;json\n";

pub(super) fn at(millis: u64) -> Time {
    Time::from(Duration::from_millis(millis))
}

pub(super) fn id(node: &str) -> NodeId {
    NodeId::new(node).unwrap()
}

/// The two lines of a reference node.
pub(super) fn hello(node: &str) -> String {
    format!("aemp;1;{node};hmac_sha3_512;json\n\n")
}

/// The two lines of a node that chooses between connections if its ID is lower than ours, which is `m`.
fn hello_arbiter(node: &str) -> String {
    format!("aemp;1;{node};hmac_sha3_512;json;arbiter=1;keepalive=10\n\n")
}

pub(super) struct Net {
    pub(super) mesh: Mesh<PeerMap>,
    pub(super) now: Time,
}

impl Net {
    pub(super) fn with(change: impl FnOnce(&mut MeshConfig)) -> Self {
        let handshake = HandshakeConfig::new(id("m"), Some(Secret::new("geheim")));
        let mut config = MeshConfig::new(handshake);
        change(&mut config);
        let limits = PeerLimits {
            max_queue_bytes: 1000,
            packet: Limits::default(),
        };
        let mesh = Mesh::new(at(0), config, PeerMap::new(limits), Random::predictable(1));
        Self { mesh, now: at(0) }
    }

    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn seed() -> Self {
        Self::with(|config| config.seeds = vec!["s:1".into()])
    }

    /// Takes the outputs as one line each, without log lines below warnings.
    pub(super) fn todo(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.mesh.poll())
            .filter_map(|output| match output {
                Output::Dial { conn, addr } => Some(format!("dial {} {addr}", conn.0)),
                Output::Transmit { conn, bytes } => {
                    let bytes = String::from_utf8(bytes).unwrap();
                    let line = if bytes.starts_with("aemp;") {
                        "hello"
                    } else {
                        "proof"
                    };
                    Some(format!("{line} {}", conn.0))
                }
                Output::Close { conn } => Some(format!("close {}", conn.0)),
                Output::Established {
                    conn,
                    node,
                    leftover,
                    ..
                } => {
                    let leftover = String::from_utf8(leftover).unwrap();
                    Some(format!("established {} {node} {leftover}", conn.0))
                }
                Output::WakeWriter { node } => Some(format!("wake {node}")),
                Output::Fire {
                    node,
                    monitors,
                    text,
                    ..
                } => {
                    let monitors: Vec<_> = monitors.iter().map(|id| id.0).collect();
                    Some(format!("fire {node} {monitors:?} {text}"))
                }
                Output::TellWritten { node } => Some(format!("tell written {node}")),
                Output::Answer { query, answer } => Some(format!("answer {} {answer:?}", query.0)),
                Output::Watched { watch, told } => Some(format!("watched {} {told:?}", watch.0)),
                Output::NodeUp(node) => Some(format!("up {node}")),
                Output::NodeDown(node, text) => Some(format!("down {node} {text}")),
                Output::Log {
                    level: Level::Warn | Level::Error,
                    text,
                } => Some(text),
                Output::StartTls { conn, .. } => Some(format!("tls {conn:?}")),
                Output::LookUp { look_up, seed } => Some(format!("look up {} {seed}", look_up.0)),
                Output::Stream { conn, start, .. } => Some(format!("stream {} {conn:?}", start.id)),
                Output::Tunnel { conn, addr, dialed } => {
                    Some(format!("tunnel {conn:?} {addr} {dialed}"))
                }
                Output::TunnelStirred { conn } => Some(format!("stirred {conn:?}")),
                Output::StreamFailed { id, text, .. } => {
                    Some(format!("stream {id} failed: {text}"))
                }
                Output::Log { .. } | Output::SeedsChanged => None,
            })
            .collect()
    }

    pub(super) fn accept(&mut self, bytes: &str) -> ConnId {
        let conn = self.mesh.accepted(self.now, "1.2.3.4:5");
        self.mesh.received(self.now, conn, bytes.as_bytes());
        conn
    }

    pub(super) fn receive(&mut self, conn: ConnId, bytes: &str) {
        self.mesh.received(self.now, conn, bytes.as_bytes());
    }

    pub(super) fn up(node: &str) -> (Self, ConnId) {
        let mut net = Self::new();
        let conn = net.accept(&(hello(node) + PROOF));
        assert_eq!(net.todo().last().unwrap(), &format!("up {node}"));
        (net, conn)
    }

    pub(super) fn monitor(&mut self, node: &str, number: u64) {
        let node = id(node);
        let urge = self
            .mesh
            .peers()
            .with(&node, |peer| peer.monitor("p", MonitorId(number)));
        self.heed(&node, urge);
    }

    fn send(&mut self, node: &str, text: &str) {
        let node = id(node);
        let send = |peer: &mut crate::peer::Peer| peer.send("p", |packet| packet.str(text));
        let urge = self.mesh.peers().with(&node, send).unwrap();
        self.heed(&node, urge);
    }

    fn heed(&mut self, node: &NodeId, urge: Urge) {
        match urge {
            Urge::Connect => self.mesh.connect(self.now, node),
            Urge::Overflow => self.mesh.overflow(self.now, node),
            Urge::None | Urge::Write => {}
        }
    }

    /// Lets time pass until there are outputs. Returns the time in milliseconds, and the outputs.
    pub(super) fn work(&mut self) -> (u64, Vec<String>) {
        loop {
            let now = self.wait();
            let todo = self.todo();
            if !todo.is_empty() {
                return (now, todo);
            }
        }
    }

    /// Lets time pass, up to the next deadline.
    pub(super) fn wait(&mut self) -> u64 {
        self.now = self.mesh.checked_deadline().expect("there is a deadline");
        self.mesh.timeout(self.now);
        u64::try_from(self.now.since_origin().as_millis()).unwrap()
    }

    fn standing(&mut self, node: &str) -> Standing {
        self.mesh.peers().with(&id(node), |peer| peer.standing())
    }

    /// Checks that nothing is going on and that no state is left.
    pub(super) fn assert_idle(&self) {
        assert_eq!(self.mesh.connections(), 0);
        assert!(self.mesh.nodes.is_empty(), "{:?}", self.mesh.nodes);
        assert_eq!(self.mesh.checked_deadline(), None);
    }
}

#[test]
fn a_node_comes_and_goes() {
    let mut net = Net::new();
    let conn = net.accept(&(hello("b") + PROOF + "[\"x\"]"));
    assert_eq!(
        net.todo(),
        ["hello 1", "proof 1", "established 1 b [\"x\"]", "up b"]
    );
    assert!(net.mesh.is_up(&id("b")));
    assert_eq!(net.mesh.up_nodes().collect::<Vec<_>>(), [&id("b")]);
    net.monitor("b", 1);
    net.mesh.closed(net.now, conn, "Unexpected end-of-file");
    assert_eq!(
        net.todo(),
        [
            "fire b [1] Unexpected end-of-file",
            "down b Unexpected end-of-file"
        ]
    );
    assert_eq!(net.standing("b"), Standing::Draining);
    net.mesh.drained(net.now, &id("b"));
    assert!(net.todo().is_empty());
    assert_eq!(net.standing("b"), Standing::Down);
    net.assert_idle();
}

#[test]
fn a_second_connection_is_refused_after_its_first_line() {
    let (mut net, _) = Net::up("b");
    let first_line = "aemp;1;b;hmac_sha3_512;json\n";
    net.accept(first_line);
    assert_eq!(net.todo(), ["hello 2", "close 2"]);
    assert!(net.mesh.is_up(&id("b")));
    assert_eq!(net.mesh.connections(), 1);
}

#[test]
fn only_one_of_several_connections_gets_our_proof() {
    let mut net = Net::new();
    let first = net.accept(&hello("b"));
    net.accept(&hello("b"));
    net.accept(&(hello("b") + PROOF));
    assert_eq!(net.todo(), ["hello 1", "proof 1", "hello 2", "hello 3"]);
    net.receive(first, PROOF);
    assert_eq!(
        net.todo(),
        ["close 2", "close 3", "established 1 b ", "up b"]
    );
}

#[test]
fn when_the_first_fails_the_one_that_has_proved_itself_goes_on() {
    let mut net = Net::new();
    let first = net.accept(&hello("b"));
    net.accept(&hello("b"));
    net.accept(&(hello("b") + PROOF));
    net.todo();
    net.receive(first, "cleartext;00;json\n");
    assert_eq!(
        net.todo(),
        [
            "1.2.3.4:5 disconnected - authentication failure/shared secret mismatch (it says it is node \"b\").",
            "close 1",
            "proof 3",
            "close 2",
            "established 3 b ",
            "up b"
        ]
    );
}

#[test]
fn a_stranger_cannot_keep_a_node_out_by_claiming_to_be_it() {
    let mut net = Net::new();
    net.accept(&hello("b"));
    net.accept(&(hello("b") + PROOF));
    net.todo();
    assert_eq!(net.wait(), 2000);
    assert_eq!(
        net.todo(),
        ["close 1", "proof 2", "established 2 b ", "up b"]
    );
}

#[test]
fn the_end_that_does_not_choose_holds_nothing_back() {
    let mut net = Net::new();
    net.accept(&hello_arbiter("a"));
    net.accept(&hello_arbiter("a"));
    assert_eq!(net.todo(), ["hello 1", "proof 1", "hello 2", "proof 2"]);
    // We would choose between these two.
    net.accept(&hello_arbiter("z"));
    net.accept(&hello_arbiter("z"));
    assert_eq!(net.todo(), ["hello 3", "proof 3", "hello 4"]);
}

#[test]
fn switched_connections_fire_before_the_new_one_is_up() {
    let mut net = Net::new();
    let first = net.accept(&hello_arbiter("a"));
    let second = net.accept(&hello_arbiter("a"));
    net.receive(first, PROOF);
    net.monitor("a", 1);
    net.todo();
    net.receive(second, &(PROOF.to_owned() + "[1]"));
    assert_eq!(
        net.todo(),
        [
            "close 1",
            "fire a [1] switched connections",
            "down a switched connections"
        ]
    );
    net.receive(second, "[2]");
    net.send("a", "lost");
    net.monitor("a", 2);
    net.send("a", "of the next connection");
    net.mesh.drained(net.now, &id("a"));
    let todo = ["established 2 a [1][2]", "wake a", "up a"];
    assert_eq!(net.todo(), todo);
    assert_eq!(net.standing("a"), Standing::Up(second));
}

#[test]
fn a_connection_that_ends_before_it_takes_over_never_was() {
    let mut net = Net::new();
    let first = net.accept(&hello_arbiter("a"));
    let second = net.accept(&hello_arbiter("a"));
    net.receive(first, PROOF);
    net.monitor("a", 1);
    net.receive(second, PROOF);
    net.mesh.closed(net.now, second, "Connection reset by peer");
    net.todo();
    net.mesh.drained(net.now, &id("a"));
    assert!(net.todo().is_empty());
    net.assert_idle();
}

#[test]
fn without_an_address_a_node_cannot_be_reached() {
    let mut net = Net::new();
    net.monitor("b", 1);
    assert!(net.todo().is_empty());
    assert_eq!(net.wait(), 2000);
    assert_eq!(net.todo(), ["fire b [1] connect timeout"]);
    net.mesh.drained(net.now, &id("b"));
    net.assert_idle();

    net.monitor("b", 2);
    net.mesh.learn(net.now, &id("b"), vec![]);
    assert_eq!(net.todo(), ["fire b [2] no known address"]);
}

#[test]
fn the_node_itself_may_come_while_it_is_looked_for() {
    let mut net = Net::new();
    net.send("b", "x");
    net.monitor("b", 1);
    net.accept(&(hello("b") + PROOF));
    assert_eq!(
        net.todo(),
        ["hello 1", "proof 1", "established 1 b ", "wake b", "up b"]
    );
    let mut out = Vec::new();
    let node = id("b");
    assert!(
        net.mesh
            .peers()
            .with(&node, |peer| peer.swap_output(ConnId(1), &mut out))
    );
    assert_eq!(out, br#"["p","x"]["","mon1","p"]"#);
    assert_eq!(net.mesh.checked_deadline(), None);
}

#[test]
fn addresses_are_tried_in_turn() {
    let mut net = Net::new();
    net.send("b", "x");
    net.monitor("b", 1);
    net.mesh
        .learn(net.now, &id("b"), vec!["x:1".into(), "y:2".into()]);
    assert_eq!(net.todo(), ["dial 1 x:1"]);
    net.mesh
        .dialed(net.now, ConnId(1), Err("Connection refused".into()));
    assert_eq!(net.todo(), ["dial 2 y:2"]);
    net.mesh.dialed(net.now, ConnId(2), Ok("9.9.9.9:2".into()));
    net.receive(ConnId(2), &(hello("b") + PROOF));
    assert_eq!(
        net.todo(),
        ["hello 2", "proof 2", "established 2 b ", "wake b", "up b"]
    );

    // The deadline must be waited for even if all of them fail.
    net.mesh.closed(net.now, ConnId(2), "Broken pipe");
    net.mesh.drained(net.now, &id("b"));
    net.todo();
    net.monitor("b", 2);
    for conn in [3, 4] {
        net.mesh
            .dialed(net.now, ConnId(conn), Err("Connection refused".into()));
    }
    assert_eq!(net.todo(), ["dial 3 x:1", "dial 4 y:2"]);
    assert_eq!(net.wait(), 2000);
    assert_eq!(net.todo(), ["fire b [2] connect timeout"]);
}

#[test]
fn attempts_still_under_way_are_given_up_with_the_node() {
    let mut net = Net::new();
    net.monitor("b", 1);
    net.mesh
        .learn(net.now, &id("b"), vec!["x:1".into(), "y:2".into()]);
    assert!((1800..=2000).contains(&net.wait()));
    assert_eq!(net.todo(), ["dial 1 x:1", "dial 2 y:2"]);
    assert!((3800..=4000).contains(&net.wait()));
    assert_eq!(
        net.todo(),
        ["close 1", "close 2", "fire b [1] connect timeout"]
    );
    net.mesh.dialed(net.now, ConnId(1), Ok("9.9.9.9:1".into()));
    assert_eq!(net.todo(), ["close 1"]);
    net.mesh.drained(net.now, &id("b"));
    net.assert_idle();
}

#[test]
fn another_node_at_the_address_is_welcome_but_not_the_one() {
    let mut net = Net::new();
    net.monitor("b", 1);
    net.mesh.learn(net.now, &id("b"), vec!["x:1".into()]);
    net.mesh.dialed(net.now, ConnId(1), Ok("9.9.9.9:1".into()));
    net.receive(ConnId(1), &(hello("c") + PROOF));
    net.todo();
    assert!(net.mesh.is_up(&id("c")));
    assert_eq!(net.wait(), 2000);
    assert_eq!(net.todo(), ["fire b [1] connect timeout"]);
    assert!(net.mesh.is_up(&id("c")));
}

#[test]
fn a_seed_is_tried_again_and_again() {
    let mut net = Net::seed();
    let mut delays = Vec::new();
    let (mut last, mut todo) = (0, net.todo());
    for conn in 1..=9 {
        assert_eq!(todo, [format!("dial {conn} s:1")]);
        net.mesh
            .dialed(net.now, ConnId(conn), Err("Connection refused".into()));
        net.todo();
        let now;
        (now, todo) = net.work();
        delays.push(now - last);
        last = now;
    }
    assert!((1200..=2400).contains(&delays[0]), "{delays:?}");
    for pair in delays.windows(2) {
        assert!(
            pair[1].abs_diff(2 * pair[0]) <= 2 || pair[1] == 30_000,
            "{delays:?}"
        );
    }
    assert_eq!(delays[8], 30_000);
}

#[test]
fn a_seed_is_known_by_its_greeting_and_dialled_at_once_when_it_is_lost() {
    let mut net = Net::seed();
    net.mesh.dialed(net.now, ConnId(1), Ok("9.9.9.9:1".into()));
    net.receive(ConnId(1), &(hello("b") + PROOF));
    assert_eq!(
        net.todo(),
        [
            "dial 1 s:1",
            "hello 1",
            "proof 1",
            "established 1 b ",
            "up b",
            // The seed is asked to become global.
            "wake b"
        ]
    );
    let (address, state) = net.mesh.seeds().next().unwrap();
    assert_eq!(
        (address, state.node, state.connected),
        ("s:1", Some(&id("b")), true)
    );
    assert_eq!(net.mesh.checked_deadline(), None);
    net.now = at(60_000);
    net.mesh
        .closed(net.now, ConnId(1), "Unexpected end-of-file");
    assert_eq!(net.todo(), ["down b Unexpected end-of-file", "dial 2 s:1"]);
    // A connection that is lost soon is not dialled again at once.
    net.mesh.dialed(net.now, ConnId(2), Ok("9.9.9.9:1".into()));
    net.receive(ConnId(2), &(hello("b") + PROOF));
    net.todo();
    net.mesh
        .closed(net.now, ConnId(2), "Unexpected end-of-file");
    assert_eq!(net.todo(), ["down b Unexpected end-of-file"]);
    let (now, todo) = net.work();
    assert!(now > 61_200, "{now}");
    assert_eq!(todo, ["dial 3 s:1"]);
}

#[test]
fn a_seed_whose_node_is_connected_needs_no_connection() {
    let mut net = Net::seed();
    net.accept(&(hello("b") + PROOF));
    net.todo();
    net.mesh.dialed(net.now, ConnId(1), Ok("9.9.9.9:1".into()));
    net.receive(ConnId(1), "aemp;1;b;hmac_sha3_512;json\n");
    assert_eq!(net.todo(), ["hello 1", "close 1", "wake b"]);
    assert_eq!(net.mesh.checked_deadline(), None);
    net.now = at(10_000);
    net.mesh.closed(net.now, ConnId(2), "Broken pipe");
    assert_eq!(net.todo(), ["down b Broken pipe", "dial 3 s:1"]);
}

#[test]
fn seeds_come_and_go() {
    let mut net = Net::new();
    net.mesh.add_seed(net.now, "s:1");
    net.mesh.add_seed(net.now, "s:1");
    assert_eq!(net.todo(), ["dial 1 s:1"]);
    net.mesh.remove_seed(net.now, "s:1");
    assert_eq!(net.todo(), ["close 1"]);
    net.assert_idle();
}

#[test]
fn a_seeds_address_is_that_of_its_node() {
    let mut net = Net::seed();
    net.mesh.dialed(net.now, ConnId(1), Ok("9.9.9.9:1".into()));
    net.receive(ConnId(1), &(hello("b") + PROOF));
    net.mesh.closed(net.now, ConnId(1), "Broken pipe");
    net.todo();
    net.send("b", "x");
    assert_eq!(net.todo(), ["dial 2 s:1"]);
}

#[test]
fn strangers_leave_nothing_behind() {
    let mut net = Net::new();
    let long = "x".repeat(5000);
    for garbage in [
        "GET / HTTP/1.1\r\n",
        "aemp;1;;;\n",
        "\u{0}\n",
        &long,
        &hello("m"),
    ] {
        net.accept(garbage);
    }
    let conns = [
        net.accept(&hello("b")),
        net.accept("aemp"),
        net.accept(&hello("b")),
    ];
    for conn in conns {
        net.mesh.closed(net.now, conn, "Connection reset by peer");
    }
    net.todo();
    net.assert_idle();
    assert_eq!(net.mesh.peers().iter().count(), 0);
}

#[test]
fn a_slow_greeting_is_not_waited_for() {
    let (mut net, _) = Net::up("b");
    net.accept("aemp;1;");
    net.accept(&hello("c"));
    assert_eq!(net.wait(), 30_000);
    assert_eq!(
        net.todo(),
        ["hello 2", "hello 3", "proof 3", "close 2", "close 3"]
    );
    assert!(net.mesh.is_up(&id("b")));
}

#[test]
fn a_dial_without_an_answer_ends() {
    let mut net = Net::seed();
    net.todo();
    let told = "seed not reached: s:1 disconnected - Connection timed out.";
    let todo = ["close 1", told, "dial 2 s:1"].map(str::to_owned);
    assert_eq!(net.work(), (30_000, todo.to_vec()));
}

/// Old strangers make room for new ones. A connection with a valid proof does not.
#[test]
fn too_many_strangers_make_room() {
    let mut net = Net::with(|config| config.max_strangers = 2);
    let first = net.accept("");
    let second = net.accept("");
    let third = net.accept("");
    let told =
        "1.2.3.4:5 disconnected - too many connections in handshake: max_strangers (2) reached.";
    assert_eq!(
        net.todo(),
        ["hello 1", "hello 2", told, "close 1", "hello 3"]
    );
    // The late report of its end changes nothing.
    net.mesh.closed(net.now, first, "Unexpected end-of-file");
    net.mesh.closed(net.now, third, "Unexpected end-of-file");
    net.accept("");
    assert_eq!(net.todo(), ["hello 4"]);
    net.receive(second, &hello("b"));
    net.receive(second, PROOF);
    net.todo();
    net.accept("");
    assert_eq!(net.todo(), ["hello 5"]);
    assert!(net.mesh.is_up(&id("b")));
}

#[test]
fn strangers_make_room_when_the_system_has_none() {
    let mut net = Net::new();
    assert_eq!(net.mesh.make_room(net.now), 0);
    for _ in 0..3 {
        net.accept("");
    }
    net.todo();
    assert_eq!(net.mesh.make_room(net.now), 2);
    let told = "1.2.3.4:5 disconnected - too many connections in handshake: the system has no room for more.";
    assert_eq!(net.todo(), [told, "close 1", told, "close 2"]);
}

/// The first lines are logged, then a few of the others, so that no attacker can fill a disk.
#[test]
fn a_storm_of_strangers_is_not_a_storm_of_logs() {
    let mut net = Net::with(|config| config.max_strangers = 2);
    for _ in 0..1000 {
        net.accept("");
    }
    let told = |todo: &[String]| todo.iter().filter(|line| line.contains("too many")).count();
    assert_eq!(told(&net.todo()), 100);
    net.now = net.now + Duration::from_millis(500);
    for _ in 0..10 {
        net.accept("");
    }
    let todo = net.todo();
    assert_eq!(told(&todo), 5);
    let more = "898 more lines like those above and below were logged at debug level only";
    assert!(todo.iter().any(|line| line == more), "{todo:?}");
}

#[test]
fn too_much_queued_ends_the_connection() {
    let (mut net, conn) = Net::up("b");
    net.monitor("b", 1);
    let large = "x".repeat(1000);
    net.send("b", &large);
    let text = "more than 1000 bytes queued";
    let close = format!("close {}", conn.0);
    let told = "b: max_queue_bytes (1000) reached: it is given up";
    assert_eq!(
        net.todo(),
        [
            told.to_owned(),
            close,
            format!("fire b [1] {text}"),
            format!("down b {text}")
        ]
    );
    net.mesh.drained(net.now, &id("b"));
    // A late report has no effect.
    net.mesh.overflow(net.now, &id("b"));
    net.assert_idle();

    net.monitor("b", 2);
    net.send("b", &large);
    assert_eq!(net.todo(), [format!("fire b [2] {text}")]);
    net.mesh.drained(net.now, &id("b"));
    net.assert_idle();
}

#[test]
fn stopping_closes_everything() {
    let (mut net, _) = Net::up("b");
    net.monitor("b", 1);
    net.monitor("c", 2);
    net.accept("aemp;1;");
    net.mesh.add_seed(net.now, "s:1");
    net.todo();
    net.mesh.stop(net.now);
    assert_eq!(
        net.todo(),
        [
            "close 1",
            "fire b [1] node stopped",
            "down b node stopped",
            "fire c [2] node stopped",
            "close 2",
            "close 3"
        ]
    );
    net.mesh.drained(net.now, &id("b"));
    net.mesh.drained(net.now, &id("c"));
    net.assert_idle();
    net.monitor("b", 3);
    assert_eq!(net.todo(), ["fire b [3] node stopped"]);
    net.accept("");
    net.mesh.drained(net.now, &id("b"));
    net.assert_idle();
}

#[test]
fn a_seed_whose_node_was_about_to_be_up_is_tried_again() {
    let mut net = Net::seed();
    let first = net.accept(&hello_arbiter("a"));
    let second = net.accept(&hello_arbiter("a"));
    net.receive(first, PROOF);
    net.monitor("a", 1);
    net.receive(second, PROOF);
    // The seed turns out to be that node. So the second connection waits for the monitors of the first, and then ends.
    net.mesh.dialed(net.now, ConnId(1), Ok("9.9.9.9:1".into()));
    net.receive(ConnId(1), "aemp;1;a;hmac_sha3_512;json\n");
    net.mesh.closed(net.now, second, "Connection reset by peer");
    net.mesh.drained(net.now, &id("a"));
    net.todo();
    assert!(!net.mesh.is_up(&id("a")));
    let (_, todo) = net.work();
    assert_eq!(todo, ["dial 4 s:1"]);
}
