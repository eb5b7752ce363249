//! Names that stand for several addresses, and a node that is its own seed.

use super::rules::{Net, PROOF, at, hello, id};
use crate::{
    global::Role,
    mesh::{Joining, Level, LookUpId, SeedFailureKind},
    peer::ConnId,
};

impl Net {
    fn name() -> Self {
        Self::with(|config| config.names = vec!["n:1".into()])
    }

    fn looked_up(&mut self, look_up: u64, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| (*address).into()).collect();
        self.mesh
            .looked_up(self.now, LookUpId(look_up), Ok(addresses));
    }

    fn refused(&mut self, conn: u64) {
        let refused = Err("Connection refused".into());
        self.mesh.dialed(self.now, ConnId(conn), refused);
    }

    fn wait_until(&mut self, millis: u64) {
        while self
            .mesh
            .checked_deadline()
            .is_some_and(|next| next <= at(millis))
        {
            self.wait();
        }
        self.now = at(millis);
    }

    /// Connects a dialled connection to this node itself. Each end gets the first lines that the other end sends.
    fn meet_myself(&mut self, dialled: u64, lines: usize) -> ConnId {
        let (dialled, accepted) = (ConnId(dialled), self.mesh.accepted(self.now, "1.2.3.4:5"));
        self.mesh.dialed(self.now, dialled, Ok("9.9.9.9:1".into()));
        for _ in 0..lines {
            let (_, sent) = self.logs();
            for (to, from) in [(dialled, accepted), (accepted, dialled)] {
                if let Some(bytes) = sent.get(&from.0) {
                    self.mesh.received(self.now, to, bytes);
                }
            }
        }
        accepted
    }
}

#[test]
fn each_address_of_a_name_is_an_attempt_of_its_own() {
    let mut net = Net::name();
    assert_eq!(net.todo(), ["look up 1 n:1"]);
    net.looked_up(1, &["a:1", "b:1", "a:1"]);
    assert_eq!(net.todo(), ["dial 1 a:1", "dial 2 b:1"]);
    // The first connection never gets a byte.
    net.seed_says(ConnId(2), &(hello("s") + PROOF));
    assert!(net.mesh.is_up(&id("s")));
    let (seed, state) = net.mesh.seeds().next().unwrap();
    assert_eq!(
        (seed, state.node, state.connected),
        ("n:1", Some(&id("s")), true)
    );
    assert_eq!(net.mesh.joining(), Joining::Joined);
}

#[test]
fn a_name_is_looked_up_anew_at_each_round() {
    let mut net = Net::name();
    net.todo();
    net.looked_up(1, &["a:1", "b:1"]);
    net.refused(1);
    net.refused(2);
    net.todo();
    let mut round = |look_up: u64, addresses: &[&str]| {
        assert_eq!(net.work().1, [format!("look up {look_up} n:1")]);
        net.looked_up(look_up, addresses);
        net.todo()
    };
    // Both new addresses are dialled at once. The old ones are not dialled again.
    assert_eq!(round(2, &["b:1", "c:1"]), ["dial 3 b:1", "dial 4 c:1"]);
    net.refused(3);
    net.refused(4);
    net.todo();
    // The answer to an earlier look-up is ignored.
    net.looked_up(1, &["d:1"]);
    assert!(net.todo().is_empty());
}

#[test]
fn a_name_whose_nodes_are_connected_is_looked_up_now_and_then() {
    let mut net = Net::name();
    net.todo();
    net.looked_up(1, &["a:1"]);
    net.seed_says(ConnId(1), &(hello("s") + PROOF));
    net.todo();
    assert_eq!(net.wait(), 30_000);
    assert_eq!(net.todo(), ["look up 2 n:1"]);
    // The name stands for another address now. The first address is kept while its node is connected.
    net.looked_up(2, &["b:1"]);
    assert_eq!(net.todo(), ["dial 2 b:1"]);
    net.refused(2);
    assert!(net.mesh.seeds().next().unwrap().1.connected);
    net.mesh.closed(net.now, ConnId(1), "gone");
    let todo = net.todo();
    assert_eq!(todo.last().unwrap(), "look up 3 n:1");
    net.looked_up(3, &["b:1"]);
    net.todo();
    net.mesh.remove_seed(net.now, "n:1");
    net.mesh.drained(net.now, &id("s"));
    net.todo();
    net.assert_idle();
}

#[test]
fn while_a_name_cannot_be_looked_up_its_last_addresses_are_tried() {
    let mut net = Net::name();
    net.todo();
    let fail = |net: &mut Net, look_up| {
        net.mesh
            .looked_up(net.now, LookUpId(look_up), Err("no DNS".into()));
    };
    fail(&mut net, 1);
    assert_eq!(net.todo(), ["seed not reached: n:1: no DNS."]);
    let failure = net.mesh.seeds().next().unwrap().1.failure.unwrap();
    assert_eq!(failure.kind, SeedFailureKind::Unreachable);
    assert_eq!(net.mesh.joining(), Joining::Failed { lasting: false });
    let now = net.wait();
    assert!((1200..=2400).contains(&now), "{now}");
    assert_eq!(net.todo(), ["look up 2 n:1"]);
    net.looked_up(2, &["a:1"]);
    net.refused(1);
    net.todo();
    assert_eq!(net.work().1, ["look up 3 n:1"]);
    fail(&mut net, 3);
    assert!(net.todo().contains(&"dial 2 a:1".into()));
    // A look-up without an answer counts as failed.
    net.refused(2);
    net.todo();
    assert_eq!(net.work().1, ["look up 4 n:1"]);
    net.wait_until(60_000);
    assert!(net.todo().contains(&"dial 3 a:1".into()));
    // An empty result counts as failed.
    net = Net::name();
    net.todo();
    net.looked_up(1, &[]);
    assert_eq!(net.todo(), ["seed not reached: n:1: it has no address."]);
}

#[test]
fn failures_of_all_addresses_are_reported_together() {
    let mut net = Net::name();
    net.todo();
    assert_eq!(net.mesh.joining(), Joining::Trying);
    net.looked_up(1, &["a:1", "b:1"]);
    net.todo();
    net.seed_says(ConnId(1), &(hello("s") + "cleartext;00;json\n"));
    let text = "seed not reached: n:1 (a:1) disconnected - authentication failure/shared secret mismatch \
                (it says it is node \"s\").";
    assert_eq!(net.todo().first().unwrap(), "hello 1");
    assert_eq!(net.mesh.joining(), Joining::Trying);
    assert!(net.mesh.seeds().next().unwrap().1.failure.is_none());
    net.refused(2);
    let failure = net.mesh.seeds().next().unwrap().1.failure.unwrap();
    // Another attempt may succeed.
    assert_eq!(failure.kind, SeedFailureKind::Unreachable);
    assert!(
        failure.text.starts_with("a:1: authentication failure"),
        "{failure:?}"
    );
    assert!(
        failure.text.ends_with("; b:1: Connection refused"),
        "{failure:?}"
    );
    assert_eq!(net.mesh.joining(), Joining::Failed { lasting: false });
    let mut net = Net::name();
    net.looked_up(1, &["a:1"]);
    net.seed_says(ConnId(1), &(hello("s") + "cleartext;00;json\n"));
    assert!(net.todo().contains(&text.into()));
    assert_eq!(net.mesh.joining(), Joining::Failed { lasting: true });
}

/// The node has no other seed.
#[test]
fn a_seed_that_is_the_node_itself_makes_it_global_and_is_tried_again() {
    let mut net = Net::seed();
    assert_eq!(net.mesh.joining(), Joining::Trying);
    net.meet_myself(1, 2);
    let (logs, _) = net.logs();
    for text in [
        "seed s:1 is this node itself",
        "this node is a seed itself, which makes it global",
    ] {
        assert!(logs.contains(&(Level::Info, text.into())), "{logs:?}");
    }
    assert!(
        logs.iter().all(|(level, _)| *level >= Level::Info),
        "{logs:?}"
    );
    assert_eq!(net.mesh.connections(), 0);
    assert_eq!(net.mesh.role(), &Role::Global);
    assert_eq!(net.mesh.joining(), Joining::Joined);
    // Another node may be found next time.
    let conn = net.redial();
    net.seed_says(conn, &(hello("s") + PROOF));
    assert!(net.mesh.is_up(&id("s")));
}

#[test]
fn a_node_that_meets_itself_gives_the_other_addresses_their_time() {
    let mut net = Net::name();
    net.todo();
    net.now = at(100);
    net.looked_up(1, &["own:1", "other:1"]);
    net.todo();
    net.meet_myself(1, 2);
    assert_ne!(net.mesh.role(), &Role::Global);
    // One refusal is not enough, because the node may be about to start.
    net.refused(2);
    net.wait_until(2099);
    assert_ne!(net.mesh.role(), &Role::Global);
    net.wait_until(2100);
    assert_eq!(net.mesh.role(), &Role::Global);
}

#[test]
fn a_node_that_meets_itself_is_global_as_soon_as_the_others_are_known() {
    let mut net = Net::name();
    net.todo();
    net.looked_up(1, &["own:1", "other:1"]);
    net.todo();
    net.meet_myself(1, 2);
    net.seed_says(ConnId(2), &(hello("s") + PROOF));
    assert!(net.mesh.is_up(&id("s")));
    assert_eq!(net.mesh.role(), &Role::Global);
}

#[test]
fn a_name_that_is_being_looked_up_counts_as_untried() {
    let mut net = Net::with(|config| {
        config.names = vec!["n:1".into()];
        config.seeds = vec!["own:1".into()];
    });
    assert_eq!(net.todo(), ["look up 1 n:1", "dial 1 own:1"]);
    net.meet_myself(1, 2);
    net.wait_until(1999);
    assert_ne!(net.mesh.role(), &Role::Global);
    net.wait_until(2000);
    assert_eq!(net.mesh.role(), &Role::Global);
}

/// An attacker relays the node's own greeting to it, at the seed's address.
#[test]
fn a_greeting_that_is_passed_on_proves_nothing() {
    let mut net = Net::seed();
    let accepted = net.meet_myself(1, 1);
    net.logs();
    assert_eq!(net.mesh.connections(), 2);
    net.mesh.closed(net.now, accepted, "gone");
    net.wait_until(100_000);
    assert_ne!(net.mesh.role(), &Role::Global);
    assert_eq!(net.mesh.seeds().count(), 1);
    net.redial();
}

/// The attacker relays between two connections of strangers.
#[test]
fn two_strangers_are_not_this_node() {
    let mut net = Net::new();
    let [one, other] = [(); 2].map(|()| net.mesh.accepted(net.now, "1.2.3.4:5"));
    let (_, sent) = net.logs();
    net.mesh.received(net.now, one, &sent[&other.0]);
    let (logs, sent) = net.logs();
    assert!(logs[0].1.contains("I refuse to talk to myself"), "{logs:?}");
    assert!(sent.is_empty(), "no proof");
}
