//! Failed connections: the level of their log lines, and how often these are repeated.

use std::collections::BTreeMap;

use super::rules::{Net, PROOF, at, hello, id};
use crate::{
    global::Role,
    mesh::{Level, Output, SeedFailureKind},
    peer::ConnId,
};

/// The bytes that were sent on each connection.
pub(super) type Sent = BTreeMap<u64, Vec<u8>>;

impl Net {
    /// Takes the log lines, and the bytes that were sent on each connection.
    pub(super) fn logs(&mut self) -> (Vec<(Level, String)>, Sent) {
        let (mut logs, mut sent) = (Vec::new(), Sent::new());
        while let Some(output) = self.mesh.poll() {
            match output {
                Output::Log { level, text } => logs.push((level, text)),
                Output::Transmit { conn, bytes } => sent.entry(conn.0).or_default().extend(bytes),
                _ => {}
            }
        }
        (logs, sent)
    }

    /// Takes the only log line.
    fn only_log(&mut self) -> (Level, String) {
        let (mut logs, _) = self.logs();
        assert_eq!(logs.len(), 1, "{logs:?}");
        logs.remove(0)
    }

    /// Waits for the next attempt at the seed, and returns its connection.
    pub(super) fn redial(&mut self) -> ConnId {
        loop {
            self.wait();
            while let Some(output) = self.mesh.poll() {
                if let Output::Dial { conn, .. } = output {
                    return conn;
                }
            }
        }
    }

    /// Connects to the seed, which sends this.
    pub(super) fn seed_says(&mut self, conn: ConnId, words: &str) {
        self.mesh.dialed(self.now, conn, Ok("9.9.9.9:1".into()));
        self.receive(conn, words);
    }
}

fn warn(text: &str) -> (Level, String) {
    (Level::Warn, text.into())
}

fn debug(text: &str) -> (Level, String) {
    (Level::Debug, text.into())
}

#[test]
fn an_unreachable_seed_is_told_of_once_until_it_has_been_up() {
    let mut net = Net::seed();
    net.todo();
    let refused = "seed not reached: s:1 disconnected - Connection refused.";
    let refuse = |net: &mut Net, conn| {
        net.mesh
            .dialed(net.now, conn, Err("Connection refused".into()));
        net.only_log()
    };
    assert_eq!(refuse(&mut net, ConnId(1)), warn(refused));
    for _ in 0..5 {
        let conn = net.redial();
        assert_eq!(refuse(&mut net, conn), debug(refused));
    }
    // Another failure follows.
    let conn = net.redial();
    net.mesh
        .dialed(net.now, conn, Err("No route to host".into()));
    let other = "seed not reached: s:1 disconnected - No route to host.";
    assert_eq!(net.only_log(), warn(other));
    let conn = net.redial();
    net.seed_says(conn, &(hello("s") + PROOF));
    assert!(net.mesh.is_up(&id("s")));
    net.mesh.closed(net.now, conn, "Unexpected end-of-file");
    net.logs();
    let conn = net.redial();
    assert_eq!(refuse(&mut net, conn), warn(refused));
}

#[test]
fn a_seed_that_is_no_node_is_told_of_once() {
    let mut net = Net::seed();
    net.todo();
    let mut conn = ConnId(1);
    for round in 0..3 {
        net.seed_says(conn, "SSH-2.0-OpenSSH_9\r\n");
        let text = "seed is not a node: s:1 disconnected - unparsable greeting, expected 'aemp', got 'SSH-2.0-OpenSSH_9'.";
        let level = if round == 0 {
            Level::Warn
        } else {
            Level::Debug
        };
        assert_eq!(net.only_log(), (level, text.into()));
        conn = net.redial();
    }
    // The seed closes the connection before its greeting.
    net.seed_says(conn, "");
    net.mesh.closed(net.now, conn, "Unexpected end-of-file");
    let text = "seed sends no greeting: s:1 disconnected - Unexpected end-of-file.";
    assert_eq!(net.only_log(), warn(text));
    let conn = net.redial();
    net.seed_says(conn, "");
    net.wait();
    let text = "seed sends no greeting: s:1 disconnected - Connection timed out.";
    assert_eq!(net.only_log(), warn(text));
}

#[test]
fn a_seed_with_another_secret_is_told_of_once_and_by_its_name() {
    let mut net = Net::seed();
    net.todo();
    let words = hello("s") + "cleartext;00;json\n";
    let text = "seed not reached: s:1 disconnected - authentication failure/shared secret mismatch \
                (it says it is node \"s\").";
    net.seed_says(ConnId(1), &words);
    assert_eq!(net.only_log(), warn(text));
    let conn = net.redial();
    net.seed_says(conn, &words);
    assert_eq!(net.only_log(), debug(text));
}

/// Closing once is normal: the other end may have preferred another connection.
#[test]
fn a_seed_that_hangs_up_is_told_of_when_it_does_so_again() {
    let mut net = Net::seed();
    net.todo();
    let mut conn = ConnId(1);
    let hang_up = |net: &mut Net, conn| {
        net.seed_says(conn, &hello("s"));
        net.mesh.closed(net.now, conn, "Unexpected end-of-file");
        net.only_log()
    };
    let first = "s:1 disconnected - Unexpected end-of-file.";
    assert_eq!(hang_up(&mut net, conn), debug(first));
    let text = "seed hangs up: s:1 disconnected - Unexpected end-of-file; it says it is node \"s\": \
                it may have no secret, or know another node with our ID \"m\".";
    for level in [Level::Warn, Level::Debug, Level::Debug] {
        conn = net.redial();
        assert_eq!(hang_up(&mut net, conn), (level, text.into()));
    }
    conn = net.redial();
    net.seed_says(conn, &(hello("s") + PROOF));
    net.mesh.closed(net.now, conn, "Unexpected end-of-file");
    net.logs();
    conn = net.redial();
    assert_eq!(hang_up(&mut net, conn), debug(first));
}

#[test]
fn a_seed_with_our_id_is_not_this_node() {
    let mut net = Net::seed();
    net.todo();
    let text = "seed not reached: s:1 disconnected - another node uses our ID \"m\".";
    let mut conn = ConnId(1);
    for level in [Level::Error, Level::Debug] {
        // The second line decides.
        let hello = hello("m");
        let (first, second) = hello.split_once('\n').unwrap();
        net.seed_says(conn, &format!("{first}\n"));
        assert_eq!(net.logs().0, []);
        net.receive(conn, second);
        assert_eq!(net.only_log(), (level, text.into()));
        assert_ne!(net.mesh.role(), &Role::Global);
        assert_eq!(net.mesh.seeds().count(), 1);
        conn = net.redial();
    }
    // A peer that sends our own greeting back is not this node either.
    net.mesh.dialed(net.now, conn, Ok("9.9.9.9:1".into()));
    let (_, sent) = net.logs();
    net.mesh.received(net.now, conn, &sent[&conn.0]);
    let text = "seed not reached: s:1 disconnected - authentication error, echo attack?.";
    assert_eq!(net.only_log(), warn(text));
    assert_eq!(net.mesh.seeds().count(), 1);
}

#[test]
fn a_namesake_that_comes_is_told_of_now_and_then() {
    let mut net = Net::new();
    let text = "1.2.3.4:5 disconnected - another node uses our ID \"m\".";
    for (second, level) in [
        (0, Level::Error),
        (30, Level::Debug),
        (299, Level::Debug),
        (300, Level::Error),
    ] {
        net.now = at(second * 1000);
        net.accept(&hello("m"));
        assert_eq!(net.only_log(), (level, text.into()));
    }
    net.assert_idle();
}

#[test]
fn two_nodes_with_one_id_are_reported_by_the_node_that_sees_both() {
    let (mut net, _) = Net::up("b");
    net.logs();
    for second in [0, 10, 30] {
        net.now = at(second * 1000);
        net.accept(&hello("b"));
        assert_eq!(net.only_log().0, Level::Debug);
    }
    net.now = at(40_000);
    net.accept(&hello("b"));
    let text = "1.2.3.4:5 says again and again that it is node \"b\", which is connected from 1.2.3.4:5: two \
                nodes use that ID";
    assert_eq!(net.logs().0[0], warn(text));
    net.now = at(50_000);
    net.accept(&hello("b"));
    assert_eq!(net.only_log().0, Level::Debug);
}

/// A seed's last failure is known until it is connected.
#[test]
fn seeds_keep_their_last_failure() {
    let mut net = Net::seed();
    net.todo();
    let last = |net: &Net| {
        let (_, state) = net.mesh.seeds().next().unwrap();
        state.failure.map(|failure| (failure.kind, failure.text))
    };
    assert_eq!(last(&net), None);
    net.mesh.dialed(net.now, ConnId(1), Err("refused".into()));
    let expected = (SeedFailureKind::Unreachable, "refused".to_owned());
    assert_eq!(last(&net), Some(expected));

    let conn = net.redial();
    net.seed_says(conn, "HTTP/1.1 400 Bad Request\n");
    assert_eq!(last(&net).unwrap().0, SeedFailureKind::NoNode);

    let conn = net.redial();
    net.seed_says(conn, "");
    net.mesh.closed(net.now, conn, "the end");
    let expected = (SeedFailureKind::Closed, "the end".to_owned());
    assert_eq!(last(&net), Some(expected));

    let conn = net.redial();
    net.seed_says(conn, &hello("s"));
    net.mesh.closed(net.now, conn, "the end");
    let (kind, text) = last(&net).unwrap();
    assert_eq!(kind, SeedFailureKind::TurnedAway);
    assert!(text.contains("it says it is node \"s\""), "{text}");

    let conn = net.redial();
    net.seed_says(conn, &hello("s"));
    net.receive(conn, "cleartext;00;json\n");
    assert_eq!(last(&net).unwrap().0, SeedFailureKind::Refused);

    let conn = net.redial();
    net.seed_says(conn, &hello("s"));
    net.receive(conn, PROOF);
    assert_eq!(last(&net), None);

    let mut net = Net::seed();
    net.seed_says(ConnId(1), "");
    while last(&net).is_none() && net.now < at(100_000) {
        net.wait();
    }
    assert_eq!(last(&net).unwrap().0, SeedFailureKind::Silent);
}
