//! The members of a pool, their offers, and the next one. No I/O.
//!
//! *Turns* are stride scheduling: each member has a place in virtual time, the one that is furthest behind is next, and
//! it advances by the inverse of its weight. *Load* is the calls that are out from this pool, and the load that a member has published,
//! by its weight. A published load contains the calls of this pool, so those that were out when it came are subtracted; if
//! they were not, a busy pool would count them twice. Both orders are trees, so a choice is O(log n).
//!
//! A member is *full* when as many calls are out as it has room for. It is left out then, and a key whose member is full waits for it.
//!
//! A member that fails fast has no calls out, and would attract all of them. So the loss of its node is a *penalty*, which counts
//! as calls that are out.

use std::{collections::HashMap, sync::Arc};

use aemp_codec::{PortId, Value};

use tokio::sync::Notify;

use super::{
    Pick, PoolError,
    key::{Bid, hash, mix},
    least::Least,
    member::{Member, PoolMember},
    offer::{Terms, UNIT},
    shares::Shares,
};
use aemp_proto::global::Watched;

/// The penalties that a member may have at once.
const MOST_PENALTY: u64 = 1000;

#[derive(Default)]
pub(super) struct Members {
    slots: Vec<Option<Member>>,
    free: Vec<usize>,
    names: HashMap<Arc<str>, usize>,
    turns: Least<u128>,
    loads: Least<(u64, u128)>,
    shares: Shares,
    /// The number of members that take work.
    active: usize,
    /// The room of a member that has named none.
    room: Option<u64>,
    /// True if the database, or the death of a port, has changed the choice.
    changed: bool,
    /// The place in virtual time of the last member that was chosen.
    now: u128,
    random: u64,
    /// The number of members so far.
    made: u64,
    /// The number of times that the whole family was told.
    round: u64,
}

/// A member that was chosen. The number is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    slot: usize,
    number: u64,
}

impl Members {
    /// No members. The seed decides which one is first, because pools should not all begin with the same one.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: seed,
            ..Self::default()
        }
    }

    /// The number of members that take work.
    pub(super) fn len(&self) -> usize {
        self.active
    }

    /// Those that take work.
    pub(super) fn ids(&self) -> Vec<PortId> {
        let active = self.all().filter(|member| member.active);
        active.map(|member| member.id.clone()).collect()
    }

    /// All that are listed.
    pub(super) fn show(&self) -> Vec<PoolMember> {
        let listed = self.all().filter(|member| member.listed);
        listed.map(Member::show).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Member> {
        self.slots.iter().flatten()
    }

    /// Sets the room of the members that have named none.
    pub(super) fn set_room(&mut self, room: u64) {
        self.room = Some(room);
        (0..self.slots.len()).for_each(|slot| self.sort(slot));
    }

    /// Chooses a member that is not full.
    pub(super) fn pick(&mut self, pick: Pick<'_>) -> Result<(Chosen, PortId), PoolError> {
        if self.active == 0 {
            return Err(PoolError::Empty);
        }
        let slot = match pick {
            Pick::RoundRobin => self.turns.first(),
            Pick::LeastLoaded => self.loads.first(),
            Pick::Random => {
                self.random = self.random.wrapping_add(1);
                self.shares.find(mix(self.random))
            }
            Pick::Key(key) => self.owner(key).filter(|slot| !self.is_full(*slot)),
        };
        let slot = slot.ok_or(PoolError::Busy)?;
        if matches!(pick, Pick::RoundRobin | Pick::LeastLoaded) {
            self.advance(slot);
        }
        let member = self.slots[slot].as_ref().ok_or(PoolError::Empty)?;
        let number = member.number;
        Ok((Chosen { slot, number }, member.id.clone()))
    }

    fn owner(&self, key: &str) -> Option<usize> {
        let key = hash(key);
        let bids = self.slots.iter().enumerate().filter_map(|(slot, member)| {
            let member = member.as_ref().filter(|member| member.active)?;
            let bid = Bid::new(key, member.hash, &member.key, member.terms.weight);
            Some((slot, bid))
        });
        bids.reduce(|best, bid| if bid.1.beats(&best.1) { bid } else { best })
            .map(|(slot, _)| slot)
    }

    /// The notice that the member of a key has room again.
    pub(super) fn place(&mut self, key: &str) -> Option<Arc<Notify>> {
        let slot = self.owner(key)?;
        let member = self.slots[slot].as_mut()?;
        Some(Arc::clone(member.place.get_or_insert_default()))
    }

    fn is_full(&self, slot: usize) -> bool {
        let member = self.slots[slot].as_ref();
        member.is_some_and(|member| member.is_full(self.room))
    }

    /// A member has had its turn.
    fn advance(&mut self, slot: usize) {
        if let Some(member) = &mut self.slots[slot] {
            // It has saved up no turns while others were chosen for their load.
            self.now = self.now.max(member.pass);
            member.pass = self.now + member.stride();
            self.sort(slot);
        }
    }

    /// A call of a member begins.
    pub(super) fn lease(&mut self, chosen: Chosen) {
        if let Some(member) = self.member(chosen) {
            member.leases += 1;
            self.sort(chosen.slot);
        }
    }

    /// A call of a member has ended. Returns true if its room is limited, so that others may wait for the place, and the notice for
    /// keys that wait for it.
    ///
    /// Each place is told, not only the first one of a full member: one that waits may not have taken the place before when the next is free.
    pub(super) fn release(&mut self, chosen: Chosen) -> (bool, Option<Arc<Notify>>) {
        let room = self.room;
        let Some(member) = self.member(chosen) else {
            return (false, None);
        };
        member.leases = member.leases.saturating_sub(1);
        let (limited, place) = (member.room(room).is_some(), member.place.clone());
        self.sort(chosen.slot);
        self.forget(chosen.slot);
        (limited, place)
    }

    /// The port of a member is ending or dead. It does not come back, because names of ports are never used twice.
    pub(super) fn ended(&mut self, chosen: Chosen) {
        if let Some(member) = self.member(chosen) {
            member.ended = true;
            self.sort(chosen.slot);
        }
    }

    /// The node of a member was lost. True if this is its first penalty: the caller takes all of them back later.
    pub(super) fn penalise(&mut self, chosen: Chosen) -> bool {
        let Some(member) = self.member(chosen) else {
            return false;
        };
        member.penalty = (member.penalty + 1).min(MOST_PENALTY);
        let first = member.penalty == 1;
        self.sort(chosen.slot);
        first
    }

    /// Takes the penalties of a member back.
    pub(super) fn pardon(&mut self, chosen: Chosen) {
        if let Some(member) = self.member(chosen) {
            member.penalty = 0;
            self.sort(chosen.slot);
        }
    }

    fn member(&mut self, chosen: Chosen) -> Option<&mut Member> {
        let member = self.slots.get_mut(chosen.slot)?.as_mut();
        member.filter(|member| member.number == chosen.number)
    }

    /// Takes a report of the database. True if those that wait for a member must look again.
    pub(super) fn learn(&mut self, event: &Watched) -> bool {
        self.changed = false;
        match event {
            Watched::All(all) => {
                self.round += 1;
                all.iter().for_each(|(key, value)| self.list(key, value));
                let gone = |member: &&Member| member.round != self.round;
                let gone: Vec<Arc<str>> = self
                    .all()
                    .filter(gone)
                    .map(|member| Arc::clone(&member.key))
                    .collect();
                gone.iter().for_each(|key| self.unlist(key));
            }
            Watched::Changes(changes) => {
                for change in changes.iter() {
                    match &change.value {
                        Some(value) => self.list(&change.key, value),
                        None => self.unlist(&change.key),
                    }
                }
            }
        }
        self.changed
    }

    fn list(&mut self, key: &Arc<str>, value: &Value) {
        let terms = Terms::read(value);
        let Some(&slot) = self.names.get(key) else {
            return self.add(key, terms);
        };
        let Some(member) = &mut self.slots[slot] else {
            return;
        };
        (member.listed, member.round) = (true, self.round);
        if member.terms.load != terms.load {
            let ours = member.leases.saturating_mul(UNIT.into());
            member.others = terms.load.saturating_sub(ours);
        }
        self.changed |= member.terms.room != terms.room || member.terms.weight != terms.weight;
        member.terms = terms;
        self.sort(slot);
    }

    fn add(&mut self, key: &Arc<str>, terms: Terms) {
        // A key that is not a port ID cannot be a worker.
        let Ok(id) = PortId::parse(key) else { return };
        self.made += 1;
        let member = Member::new(key, id, self.made, terms, self.round);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(member);
        self.names.insert(Arc::clone(key), slot);
        self.sort(slot);
    }

    fn unlist(&mut self, key: &Arc<str>) {
        let Some(&slot) = self.names.get(key) else {
            return;
        };
        if let Some(member) = &mut self.slots[slot] {
            member.listed = false;
            self.sort(slot);
            self.forget(slot);
        }
    }

    /// Forgets a member that is not listed, unless a call is out: its entry may come back, as after a change of masters.
    fn forget(&mut self, slot: usize) {
        let gone = |member: &mut Member| !member.listed && member.leases == 0;
        if let Some(member) = self.slots[slot].take_if(gone) {
            self.names.remove(&member.key);
            self.free.push(slot);
        }
    }

    /// Puts a member at its place in all orders.
    fn sort(&mut self, slot: usize) {
        let Some(member) = &mut self.slots[slot] else {
            return;
        };
        let active = member.takes_work();
        self.changed |= active != member.active;
        if active && !member.active {
            // Behind those that are there, by a random part of its first step. It has saved up no turns.
            let phase = (u128::from(mix(self.random ^ member.hash)) * member.stride()) >> 64;
            member.pass = member.pass.max(self.now + phase);
            self.active += 1;
        } else if !active && member.active {
            self.active -= 1;
        }
        member.active = active;
        let free = active && !member.is_full(self.room);
        let (pass, score, weight) = (member.pass, member.score(), member.terms.weight);
        self.turns.set(slot, free.then_some(pass));
        self.loads.set(slot, free.then_some((score, pass)));
        self.shares.set(slot, if free { weight } else { 0 });
    }
}
