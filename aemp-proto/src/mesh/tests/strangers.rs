//! Many connections of strangers.

use super::rules::{Net, PROOF, hello, id};
use crate::peer::ConnId;

impl Net {
    fn come(&mut self, from: &str) -> ConnId {
        self.mesh.accepted(self.now, from)
    }

    fn warnings(&mut self) -> Vec<String> {
        let warns =
            |line: &String| line.contains("reached") || line.contains("the rest has to wait");
        self.todo().into_iter().filter(warns).collect()
    }
}

/// The log line of a closed connection.
fn closed(limit: &str) -> String {
    format!("disconnected - too many connections in handshake: {limit} reached.")
}

#[test]
fn too_many_from_one_address_make_room_for_each_other() {
    let mut net = Net::with(|config| config.max_strangers_per_address = 2);
    let first = net.come("1.2.3.4:1");
    let second = net.come("1.2.3.4:2");
    net.come("1.2.3.5:1");
    net.todo();
    net.come("1.2.3.4:3");
    let told = format!("1.2.3.4:1 {}", closed("max_strangers_per_address (2)"));
    assert_eq!(net.todo(), [&told, "close 1", "hello 4"]);
    net.mesh.closed(net.now, first, "Unexpected end-of-file");
    // A connection with a valid proof is no longer a stranger.
    net.receive(second, &(hello("b") + PROOF));
    assert!(net.mesh.is_up(&id("b")));
    net.todo();
    net.come("1.2.3.4:6");
    assert_eq!(net.todo(), ["hello 5"]);
}

#[test]
fn a_crowd_makes_room_for_others() {
    let mut net = Net::with(|config| config.max_strangers = 3);
    net.come("1.2.3.5:1");
    for port in 1..=2 {
        net.come(&format!("1.2.3.4:{port}"));
    }
    net.todo();
    net.come("1.2.3.6:1");
    let told = format!("1.2.3.4:1 {}", closed("max_strangers (3)"));
    assert_eq!(net.todo(), [&told, "close 2", "hello 4"]);
    // Now all sources have the same number.
    net.come("1.2.3.7:1");
    let told = format!("1.2.3.5:1 {}", closed("max_strangers (3)"));
    assert_eq!(net.todo(), [&told, "close 1", "hello 5"]);
}

#[test]
fn a_handshake_has_its_own_time() {
    let mut net = Net::with(|config| {
        config.handshake.handshake_timeout = Some(std::time::Duration::from_secs(3));
    });
    net.accept("aemp;1;");
    net.todo();
    assert_eq!(net.wait(), 3000);
    assert_eq!(net.todo(), ["close 1"]);
}

#[test]
fn a_proved_connection_that_is_held_back_is_not_read_from_for_ever() {
    let mut net = Net::with(|config| config.handshake.max_handshake_bytes = 20_000);
    // Another connection claims to be that node, and has our authentication line.
    let silent = net.accept(&hello("b"));
    let proved = net.accept(&(hello("b") + PROOF));
    net.todo();
    assert!(net.mesh.wants_more(proved));
    let spaces = " ".repeat(20_000);
    net.receive(proved, &spaces);
    let told = "b has sent max_handshake_bytes (20000) before the end of its handshake: the rest has to wait";
    assert_eq!(net.todo(), [told]);
    assert!(!net.mesh.wants_more(proved) && net.mesh.wants_more(silent));
    assert_eq!(net.wait(), 2000, "the silent one makes room");
    let todo = net.todo();
    assert_eq!(
        todo,
        [
            "close 1",
            "proof 2",
            &format!("established 2 b {spaces}"),
            "up b"
        ]
    );
    assert!(net.mesh.wants_more(proved));
}

#[test]
fn a_connection_that_waits_for_monitors_is_not_read_from_for_ever() {
    let (mut net, conn) = Net::up("b");
    net.monitor("b", 1);
    net.mesh.closed(net.now, conn, "Unexpected end-of-file");
    let next = net.accept(&(hello("b") + PROOF));
    net.todo();
    assert!(net.mesh.wants_more(next));
    net.receive(next, &" ".repeat(64 << 10));
    assert!(!net.mesh.wants_more(next));
    assert_eq!(net.warnings().len(), 1);
    net.mesh.drained(net.now, &id("b"));
    assert!(net.mesh.is_up(&id("b")) && net.mesh.wants_more(next));
}
