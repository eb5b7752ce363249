//! Seeds: the nodes to stay connected to ([protocol](crate::protocol::global#seeds)).
//!
//! A seed is an address, or something to look up: a host name, a command, or a source of the program (`net::source`).
//! The mesh knows only the addresses that a look-up gives. `Output::LookUp` asks `net` before each round of attempts.
//! Each address (`place`) is an attempt of its own with its own pauses, because every node behind a seed is one to stay
//! connected to.
//!
//! - All addresses of a round are dialled at once. An address that never answers does not delay the others.
//! - A name is looked up when an attempt at one of its addresses is due, and also once in `monitor_timeout`, because
//!   the name may have new addresses while all old ones are connected. A failed look-up keeps the known addresses. An
//!   address that the name no longer has is forgotten when its node is lost.
//! - An address that has proved to be this node is tried again, like one that has failed: another node may be there
//!   later, and a stranger in between may have relayed the answer. No address is ever dropped.
//! - A node that finds itself among its seeds becomes global, but not before every other address has a node or has been
//!   tried for `connect_interval`.
//! - `Mesh::joining` says whether the node is part of the network. `Output::SeedsChanged` wakes the waiters of
//!   `Node::joined`.
//!
//! A name with hundreds of addresses makes connections to 64 of them, and all these nodes become global.

mod place;
mod source;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use aemp_codec::NodeId;

use self::{
    place::Place,
    source::{Kind, Round, Source},
};
pub use self::{
    source::LookUpId,
    state::{Joining, SeedFailure, SeedFailureKind, SeedState},
};
use crate::{Random, Time, peer::ConnId};

/// The largest number of addresses of one name that are tried.
const MOST_ADDRESSES: usize = 64;

/// All seeds, and the addresses that they stand for.
#[derive(Debug)]
pub(super) struct Seeds {
    sources: BTreeMap<String, Source>,
    places: BTreeMap<String, Place>,
    longest_delay: Duration,
    /// The time for which other addresses must have been tried before this node, a seed itself, becomes global.
    patience: Duration,
    last_look_up: u64,
    /// The addresses still to be dialled in this round.
    round: VecDeque<String>,
    itself: Itself,
    /// The time of the next step, valid unless `stirred` is set.
    next: Option<Time>,
    stirred: bool,
    /// True if callers that wait for the seeds should look again.
    changed: bool,
}

/// True if this node is one of its seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Itself {
    Unknown,
    /// It is a seed, and becomes global when the others have been tried.
    Met,
    /// It is a seed, and is global.
    Settled,
}

/// The next step for a seed.
#[derive(Debug)]
pub(super) enum Step {
    LookUp(LookUpId, String),
    Dial(String),
}

impl Seeds {
    pub(super) fn new(longest_delay: Duration, patience: Duration) -> Self {
        Self {
            sources: BTreeMap::new(),
            places: BTreeMap::new(),
            longest_delay,
            patience,
            last_look_up: 0,
            round: VecDeque::new(),
            itself: Itself::Unknown,
            next: None,
            stirred: false,
            changed: false,
        }
    }

    /// Adds an address, which is dialled as it is.
    pub(super) fn add(&mut self, now: Time, address: &str) {
        self.stirred = true;
        if self.sources.contains_key(address) {
            return;
        }
        let mut source = Source::new(Kind::Address, now);
        source.addresses.push(address.into());
        self.sources.insert(address.into(), source);
        let place = || Place::new(now);
        self.places.entry(address.into()).or_insert_with(place);
    }

    /// Adds a name, which stands for addresses.
    pub(super) fn add_name(&mut self, now: Time, name: &str) {
        self.stirred = true;
        let source = || Source::new(Kind::Name, now);
        self.sources.entry(name.into()).or_insert_with(source);
    }

    /// Removes a seed. Returns its attempts that are under way.
    pub(super) fn remove(&mut self, seed: &str) -> Vec<ConnId> {
        self.stirred = true;
        let Some(source) = self.sources.remove(seed) else {
            return Vec::new();
        };
        let attempts = source.addresses.iter();
        attempts
            .filter_map(|address| self.drop_place(address)?.conn)
            .collect()
    }

    /// Removes an address, unless another seed stands for it.
    fn drop_place(&mut self, address: &str) -> Option<Place> {
        let listed = |source: &Source| source.lists(address);
        if self.sources.values().any(listed) {
            return None;
        }
        self.places.remove(address)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.longest_delay, self.patience);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The nodes that are found by this seed alone.
    pub(super) fn only_by(&self, seed: &str) -> Vec<NodeId> {
        let elsewhere: BTreeSet<&NodeId> = self
            .sources
            .iter()
            .filter(|(name, _)| *name != seed)
            .flat_map(|(_, source)| self.places_of(source))
            .filter_map(|(_, place)| place.node.as_ref())
            .collect();
        let here = self.sources.get(seed).into_iter();
        here.flat_map(|source| self.places_of(source))
            .filter_map(|(_, place)| place.node.as_ref())
            .filter(|node| !elsewhere.contains(node))
            .cloned()
            .collect()
    }

    fn places_of<'s>(&'s self, source: &'s Source) -> impl Iterator<Item = (&'s str, &'s Place)> {
        let addresses = source.addresses.iter();
        addresses.filter_map(|address| Some((address.as_str(), self.places.get(address)?)))
    }

    /// The addresses at which a node was found.
    pub(super) fn addresses(&self, node: &NodeId) -> impl Iterator<Item = &str> {
        let here = |place: &Place| place.node.as_ref() == Some(node);
        self.places
            .iter()
            .filter(move |(_, place)| here(place))
            .map(|(address, _)| address.as_str())
    }

    /// The text for an address in the log, with the name by which it was found.
    pub(super) fn title(&self, address: &str) -> String {
        let named = |source: &Source| source.kind == Kind::Name && source.lists(address);
        let mut names = self.sources.iter().filter(|(_, source)| named(source));
        match names.next() {
            Some((name, _)) if name != address => format!("{name} ({address})"),
            _ => address.into(),
        }
    }

    /// Returns the step that is due now, if any.
    pub(super) fn step(&mut self, now: Time, random: &mut Random) -> Option<Step> {
        if !self.stirred && self.next.is_none_or(|next| next > now) {
            return None;
        }
        loop {
            while let Some(address) = self.round.pop_front() {
                if self.places.get(&address).is_some_and(Place::is_wanted) {
                    self.back_off(now, &address, random);
                    return Some(Step::Dial(address));
                }
            }
            let due = |source: &Source| self.time_of(source).is_some_and(|time| time <= now);
            let mut sources = self.sources.iter();
            let Some((name, _)) = sources.find(|(_, source)| source.is_resting() && due(source))
            else {
                self.next = self.next_time();
                self.stirred = false;
                return None;
            };
            let name = name.clone();
            if let Some(look_up) = self.begin_round(now, &name) {
                return Some(Step::LookUp(look_up, name));
            }
        }
    }

    fn back_off(&mut self, now: Time, address: &str, random: &mut Random) {
        if let Some(place) = self.places.get_mut(address) {
            place.back_off(now, self.longest_delay, random);
        }
    }

    /// Begins a round for a seed that is due. A name is looked up first.
    fn begin_round(&mut self, now: Time, seed: &str) -> Option<LookUpId> {
        let source = self.sources.get_mut(seed)?;
        match source.kind {
            Kind::Address => {
                self.round.extend(source.addresses.iter().cloned());
                None
            }
            Kind::Name => {
                self.last_look_up += 1;
                let look_up = LookUpId(self.last_look_up);
                source.round = Round::LookingUp(look_up, now + self.longest_delay);
                Some(look_up)
            }
        }
    }

    /// The time of the next step for a seed.
    fn time_of(&self, source: &Source) -> Option<Time> {
        let places = self.places_of(source).map(|(_, place)| place);
        let wanted = places.filter(|place| place.is_wanted());
        let wanted = wanted.map(|place| place.retry).min();
        match (source.kind, source.round) {
            (_, Round::LookingUp(_, deadline)) => Some(deadline),
            (Kind::Name, Round::Resting(until)) => Some(wanted.map_or(until, |at| at.min(until))),
            (Kind::Address, Round::Resting(_)) => wanted,
        }
    }

    fn next_time(&self) -> Option<Time> {
        let times = self.sources.values();
        let times = times.filter_map(|source| self.time_of(source));
        times.chain(self.global_at()).min()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.next
    }

    /// The look-ups that have taken too long.
    pub(super) fn overdue(&self, now: Time) -> Vec<LookUpId> {
        let rounds = self.sources.values().map(|source| source.round);
        rounds
            .filter_map(|round| match round {
                Round::LookingUp(look_up, deadline) if deadline <= now => Some(look_up),
                _ => None,
            })
            .collect()
    }

    /// The seed that is being looked up.
    pub(super) fn looking_up(&self, look_up: LookUpId) -> Option<String> {
        let looking =
            |source: &Source| matches!(source.round, Round::LookingUp(id, _) if id == look_up);
        let mut sources = self.sources.iter();
        let seed = sources.find(|(_, source)| looking(source));
        seed.map(|(name, _)| name.clone())
    }

    /// Takes the result of a look-up: the addresses of a name, in order. The address of a connected node is kept.
    pub(super) fn looked_up(&mut self, now: Time, seed: &str, found: Vec<String>) {
        let known: BTreeSet<String> = found.iter().cloned().collect();
        let Some(source) = self.sources.get_mut(seed) else {
            return;
        };
        let mut addresses = source.found(now, found, self.longest_delay);
        let old = std::mem::take(&mut source.addresses);
        let stays = |place: &Place| place.connected || place.conn.is_some();
        let (kept, gone): (Vec<_>, Vec<_>) = old
            .into_iter()
            .filter(|address| !addresses.contains(address))
            .partition(|address| self.places.get(address).is_some_and(stays));
        for address in &addresses {
            let place = || Place::new(now);
            self.places.entry(address.clone()).or_insert_with(place);
        }
        addresses.extend(kept);
        source.addresses = addresses;
        for address in gone {
            self.drop_place(&address);
        }
        self.try_places(now, seed, |address| known.contains(address));
    }

    /// Takes the failure of a look-up. The addresses of the last result are tried. Returns true if the failure is news.
    pub(super) fn not_looked_up(
        &mut self,
        now: Time,
        seed: &str,
        text: &str,
        random: &mut Random,
    ) -> bool {
        let longest = self.longest_delay;
        let Some(source) = self.sources.get_mut(seed) else {
            return false;
        };
        let news = source.not_found(now, text, longest, random);
        self.try_places(now, seed, |_| true);
        self.changed = true;
        news
    }

    /// Begins a round of attempts. It includes those that would be due soon, so that a name is not looked up for each.
    fn try_places(&mut self, now: Time, seed: &str, listed: impl Fn(&str) -> bool) {
        self.stirred = true;
        let Some(source) = self.sources.get(seed) else {
            return;
        };
        let due = self.places_of(source).filter(|(address, place)| {
            let soon = place.retry <= now + place.delay / 2;
            place.is_wanted() && soon && listed(address)
        });
        let due: Vec<_> = due.map(|(address, _)| address.to_owned()).collect();
        self.round.extend(due);
    }

    /// Takes note that an attempt begins.
    pub(super) fn dialing(&mut self, now: Time, address: &str, conn: ConnId) {
        self.stirred = true;
        if let Some(place) = self.places.get_mut(address) {
            place.conn = Some(conn);
            place.tried.get_or_insert(now);
        }
    }

    /// Takes note that an attempt has found a node.
    pub(super) fn found(&mut self, address: &str, node: &NodeId, connected: bool) {
        (self.stirred, self.changed) = (true, true);
        if let Some(place) = self.places.get_mut(address) {
            place.node = Some(node.clone());
            place.connected = connected;
            place.own = false;
        }
    }

    /// Takes note that an attempt has found this node itself. Returns true if that is news.
    pub(super) fn is_myself(&mut self, address: &str) -> bool {
        (self.stirred, self.changed) = (true, true);
        if self.itself == Itself::Unknown {
            self.itself = Itself::Met;
        }
        let Some(place) = self.places.get_mut(address) else {
            return false;
        };
        (place.node, place.failure, place.trouble) = (None, None, None);
        !std::mem::replace(&mut place.own, true)
    }

    /// The time at which this node becomes global because it is a seed.
    fn global_at(&self) -> Option<Time> {
        if self.itself != Itself::Met {
            return None;
        }
        let places = self.places.values();
        let untried = places.filter(|place| !place.is_settled());
        let places = untried.map(|place| place.tried.unwrap_or(place.listed) + self.patience);
        let unknown = self.sources.values().filter(|source| source.is_unknown());
        let sources = unknown.map(|source| source.begun + self.patience);
        Some(places.chain(sources).max().unwrap_or(Time::ZERO))
    }

    /// Returns true once, when this node becomes global because it is a seed.
    pub(super) fn makes_global(&mut self, now: Time) -> bool {
        let due = self.global_at().is_some_and(|time| time <= now);
        if due {
            self.itself = Itself::Settled;
            (self.stirred, self.changed) = (true, true);
        }
        due
    }

    /// Takes note that an attempt has ended, with or without success.
    pub(super) fn ended(&mut self, address: &str, conn: ConnId) {
        self.stirred = true;
        if let Some(place) = self.places.get_mut(address) {
            place.conn.take_if(|trying| *trying == conn);
        }
    }

    pub(super) fn node_up(&mut self, node: &NodeId) {
        (self.stirred, self.changed) = (true, true);
        for place in self.at(node) {
            place.up();
        }
    }

    /// Takes note that an attempt has failed.
    pub(super) fn failed(&mut self, address: &str, kind: SeedFailureKind, text: &str) {
        if let Some(place) = self
            .places
            .get_mut(address)
            .filter(|place| !place.connected)
        {
            let text = text.into();
            place.failure = Some(SeedFailure { kind, text });
            place.own = false;
            self.changed = true;
        }
    }

    /// Takes note of a failure that is to be logged. Returns true if it is news.
    pub(super) fn trouble(&mut self, address: &str, text: &str) -> bool {
        let Some(place) = self.places.get_mut(address) else {
            return false;
        };
        place.trouble.replace(text.into()).as_deref() != Some(text)
    }

    /// Takes note that a node has ended the handshake. Returns how often in a row.
    pub(super) fn hung_up(&mut self, address: &str) -> u32 {
        let Some(place) = self.places.get_mut(address) else {
            return 0;
        };
        place.hung_up = place.hung_up.saturating_add(1);
        place.hung_up
    }

    /// Takes note that a node was lost after the time `lived`. Its seeds are dialled at once, unless it is lost again
    /// and again.
    pub(super) fn node_down(
        &mut self,
        now: Time,
        node: &NodeId,
        lived: Duration,
        random: &mut Random,
    ) {
        self.stirred = true;
        let longest = self.longest_delay;
        for place in self.at(node) {
            place.down(now, lived, longest, random);
        }
    }

    fn at(&mut self, node: &NodeId) -> impl Iterator<Item = &mut Place> {
        self.places
            .values_mut()
            .filter(move |place| place.node.as_ref() == Some(node))
    }

    /// Returns true if anything has changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}
