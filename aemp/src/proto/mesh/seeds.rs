//! The nodes to stay connected to (PROTOCOL.md section 9).

use std::{collections::BTreeMap, time::Duration};

use aemp_codec::NodeId;

use crate::proto::{Random, Time, peer::ConnId};

/// The first delay between two attempts is between this and twice as much.
const FIRST_DELAY: Duration = Duration::from_millis(1200);

/// How long a node may still wait before its next attempt when it has tried in vain for that long; nothing if it has not tried.
pub(in crate::proto) fn longest_pause(tried: Duration, longest: Duration) -> Duration {
    if tried.is_zero() {
        return Duration::ZERO;
    }
    // Pauses double: each is as long as all before it and the first again.
    (tried + 2 * FIRST_DELAY).min(longest)
}

/// What is known of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedState<'a> {
    /// The node that was found there last.
    pub node: Option<&'a NodeId>,
    /// Whether that node is connected.
    pub connected: bool,
    /// What went wrong last, since its node was connected.
    pub failure: Option<&'a SeedFailure>,
}

/// What came of an attempt to connect to a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFailure {
    /// How it ended.
    pub kind: SeedFailureKind,
    /// Why, as it is logged.
    pub text: String,
}

/// How an attempt to connect to a seed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedFailureKind {
    /// Nobody took the connection.
    Unreachable,
    /// The other end said too little for too long.
    Silent,
    /// The other end closed the connection without a word.
    Closed,
    /// The node there has said who it is, and ended the handshake.
    TurnedAway,
    /// The other end is no node.
    NoNode,
    /// This end ended the handshake.
    Refused,
}

/// All seeds by their addresses.
#[derive(Debug)]
pub(super) struct Seeds {
    seeds: BTreeMap<String, Seed>,
    longest_delay: Duration,
}

#[derive(Debug, Default)]
struct Seed {
    node: Option<NodeId>,
    connected: bool,
    /// The attempt that is under way.
    conn: Option<ConnId>,
    /// When the next attempt is due, the present one failing.
    retry: Time,
    /// How long after an attempt the next one follows; nothing before the first.
    delay: Duration,
    /// What went wrong last, since its node was connected.
    trouble: Option<String>,
    failure: Option<SeedFailure>,
    /// How often its node has ended the handshake since then.
    hung_up: u32,
}

impl Seed {
    /// Puts the next attempt off, longer each time.
    fn back_off(&mut self, now: Time, longest: Duration, random: &mut Random) {
        self.delay = if self.delay.is_zero() {
            random.between(FIRST_DELAY, 2 * FIRST_DELAY)
        } else {
            2 * self.delay
        };
        self.delay = self.delay.min(longest);
        self.retry = now + self.delay;
    }

    fn is_wanted(&self) -> bool {
        self.conn.is_none() && !self.connected
    }
}

impl Seeds {
    pub(super) fn new(longest_delay: Duration) -> Self {
        Self {
            seeds: BTreeMap::new(),
            longest_delay,
        }
    }

    pub(super) fn add(&mut self, now: Time, address: &str) {
        let seed = Seed {
            retry: now,
            ..Seed::default()
        };
        self.seeds.entry(address.into()).or_insert(seed);
    }

    /// Forgets a seed. Returns the attempt that is under way.
    pub(super) fn remove(&mut self, address: &str) -> Option<ConnId> {
        self.seeds.remove(address)?.conn
    }

    pub(super) fn clear(&mut self) {
        self.seeds.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, SeedState<'_>)> {
        self.seeds.iter().map(|(address, seed)| {
            let state = SeedState {
                node: seed.node.as_ref(),
                connected: seed.connected,
                failure: seed.failure.as_ref(),
            };
            (address.as_str(), state)
        })
    }

    /// The addresses at which a node was found.
    pub(super) fn addresses(&self, node: &NodeId) -> impl Iterator<Item = &str> {
        let here = |seed: &Seed| seed.node.as_ref() == Some(node);
        self.seeds
            .iter()
            .filter(move |(_, seed)| here(seed))
            .map(|(address, _)| address.as_str())
    }

    /// A seed that has to be dialled now.
    pub(super) fn due(&self, now: Time) -> Option<String> {
        let due = |seed: &Seed| seed.is_wanted() && seed.retry <= now;
        self.seeds
            .iter()
            .find(|(_, seed)| due(seed))
            .map(|(address, _)| address.clone())
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let wanted = self.seeds.values().filter(|seed| seed.is_wanted());
        wanted.map(|seed| seed.retry).min()
    }

    /// An attempt begins.
    pub(super) fn dialing(&mut self, now: Time, address: &str, conn: ConnId, random: &mut Random) {
        if let Some(seed) = self.seeds.get_mut(address) {
            seed.conn = Some(conn);
            seed.back_off(now, self.longest_delay, random);
        }
    }

    /// An attempt has found a node.
    pub(super) fn found(&mut self, address: &str, node: &NodeId, connected: bool) {
        if let Some(seed) = self.seeds.get_mut(address) {
            seed.node = Some(node.clone());
            seed.connected = connected;
        }
    }

    /// An attempt has ended, one way or the other.
    pub(super) fn ended(&mut self, address: &str, conn: ConnId) {
        if let Some(seed) = self.seeds.get_mut(address)
            && seed.conn == Some(conn)
        {
            seed.conn = None;
        }
    }

    pub(super) fn node_up(&mut self, node: &NodeId) {
        for seed in self.at(node) {
            seed.connected = true;
            (seed.trouble, seed.failure) = (None, None);
            seed.hung_up = 0;
        }
    }

    /// An attempt has failed.
    pub(super) fn failed(&mut self, address: &str, kind: SeedFailureKind, text: &str) {
        if let Some(seed) = self.seeds.get_mut(address).filter(|seed| !seed.connected) {
            let text = text.into();
            seed.failure = Some(SeedFailure { kind, text });
        }
    }

    /// An attempt has failed in a way that is logged; whether that is news.
    pub(super) fn trouble(&mut self, address: &str, text: &str) -> bool {
        let Some(seed) = self.seeds.get_mut(address) else {
            return false;
        };
        seed.trouble.replace(text.into()).as_deref() != Some(text)
    }

    /// A node has ended the handshake of an attempt; how often in a row by now.
    pub(super) fn hung_up(&mut self, address: &str) -> u32 {
        let Some(seed) = self.seeds.get_mut(address) else {
            return 0;
        };
        seed.hung_up = seed.hung_up.saturating_add(1);
        seed.hung_up
    }

    /// A node is lost after that time: its seeds are dialled at once, unless it keeps going.
    pub(super) fn node_down(
        &mut self,
        now: Time,
        node: &NodeId,
        lived: Duration,
        random: &mut Random,
    ) {
        let longest = self.longest_delay;
        for seed in self.at(node) {
            seed.connected = false;
            if lived > seed.delay {
                seed.delay = Duration::ZERO;
                seed.retry = now;
            } else {
                seed.back_off(now, longest, random);
            }
        }
    }

    fn at(&mut self, node: &NodeId) -> impl Iterator<Item = &mut Seed> {
        self.seeds
            .values_mut()
            .filter(move |seed| seed.node.as_ref() == Some(node))
    }
}
