//! Slow receivers, and requests that come in parts.

use std::time::Duration;

use aemp_codec::{EncodeError, NodeId, PacketWriter};

use super::network::id;
use crate::{
    Time,
    global::{Effect, Global, GlobalRequest, Outgoing, Pairs, Quota, Watched},
};

/// A connection that takes everything, and reports this size for each request.
struct Out {
    size: usize,
    sent: usize,
}

impl Outgoing for Out {
    fn relays(&self, _: &NodeId) -> bool {
        false
    }

    fn send(
        &mut self,
        _: &NodeId,
        _: &mut dyn FnMut(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<usize, EncodeError> {
        self.sent += 1;
        Ok(self.size)
    }

    fn limit(&mut self, _: &NodeId) -> (usize, usize) {
        (64 << 20, 1 << 20)
    }
}

fn global() -> Global {
    let listeners = ["g:1".to_owned()];
    let (interval, timeout) = (Duration::from_secs(2), Duration::from_secs(30));
    let mut global = Global::new(id("g"), &listeners, interval, timeout, Quota::default());
    global.become_global(Time::ZERO);
    global
}

fn pairs(keys: &[&str]) -> Pairs {
    keys.iter().map(|key| ((*key).into(), 1.into())).collect()
}

#[test]
fn a_slow_receiver_costs_at_most_the_database() {
    let (mut global, mut out) = (global(), Out { size: 0, sent: 0 });
    for node in ["s", "h"] {
        global.node_up(Time::ZERO, &id(node), false);
    }
    global.request(Time::ZERO, &id("s"), GlobalRequest::Monitor("f".into()));
    global.request(Time::ZERO, &id("h"), GlobalRequest::Global);
    global.flush(Time::ZERO, &mut out);
    // From now on one request fills both connections.
    out.size = 2 << 20;
    global.set("f", "first", 1.into());
    global.flush(Time::ZERO, &mut out);
    let sent = out.sent;
    for number in 0..10_000 {
        let key = format!("g#{number}");
        global.set("f", &key, 1.into());
        global.flush(Time::ZERO, &mut out);
        global.del("f", &key);
        global.flush(Time::ZERO, &mut out);
    }
    assert_eq!(out.sent, sent, "both are held");
    let watcher = global
        .peers
        .get(&id("s"))
        .unwrap()
        .monitors
        .get("f")
        .map(|monitor| monitor.dirty.len());
    let other: usize = global
        .peers
        .get(&id("h"))
        .unwrap()
        .ours
        .values()
        .map(|keys| keys.len())
        .sum();
    assert_eq!((watcher, other), (Some(0), 0));
}

#[test]
fn a_busy_receiver_gets_the_rest_after_its_queue_is_written() {
    let (mut global, mut out) = (
        global(),
        Out {
            size: 2 << 20,
            sent: 0,
        },
    );
    global.node_up(Time::ZERO, &id("s"), false);
    global.request(Time::ZERO, &id("s"), GlobalRequest::Monitor("f".into()));
    // The messages are `g_global` and the content of the family. The second finds the connection full.
    assert_eq!(global.flush(Time::ZERO, &mut out), [id("s")]);
    assert_eq!(out.sent, 1);
    global.set("f", "k", 1.into());
    assert!(
        global.flush(Time::ZERO, &mut out).is_empty(),
        "it is asked for already"
    );
    global.caught_up(&id("s"));
    assert!(
        global.flush(Time::ZERO, &mut out).is_empty(),
        "nothing waits any more"
    );
    assert_eq!(out.sent, 2);
}

#[test]
fn a_set_in_parts_takes_nothing_away() {
    let (mut global, mut out) = (global(), Out { size: 0, sent: 0 });
    global.node_up(Time::ZERO, &id("s"), false);
    let database = vec![("f".into(), pairs(&["k", "l"]))];
    global.request(Time::ZERO, &id("s"), GlobalRequest::Slave(Some(database)));
    global.watch("f");
    global.request(Time::ZERO, &id("s"), GlobalRequest::Global);
    global.flush(Time::ZERO, &mut out);
    global.effects().for_each(drop);
    // The rest of its entries comes later, without `l`.
    global.request(Time::ZERO, &id("s"), GlobalRequest::Set(vec![]));
    let rest = vec![("f".into(), pairs(&["k"]))];
    global.flush(Time::ZERO, &mut out);
    let changes = |effect: &Effect| matches!(effect, Effect::Watched(_, Watched::Changes(_)));
    assert!(!global.effects().any(|effect| changes(&effect)));
    global.request(Time::ZERO, &id("s"), GlobalRequest::Set(rest));
    let later = Time::from(Duration::from_secs(5));
    global.timeout(later, &mut crate::Random::predictable(1));
    global.flush(later, &mut out);
    assert_eq!(global.view("f").len(), 1);
}

#[test]
fn a_node_alone_keeps_no_list_of_searched_nodes() {
    let (interval, timeout) = (Duration::from_secs(2), Duration::from_secs(30));
    let mut alone = Global::new(id("a"), &[], interval, timeout, Quota::default());
    for _ in 0..100 {
        alone.find(&id("b"));
        alone.cancel_find(&id("b"));
    }
    assert!(!alone.upstream.questions.has_unsent());
}
