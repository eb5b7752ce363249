//! The table of a node's own names.
//!
//! Look-ups are by far the most frequent use, by any thread. So the table has several shards, each with a lock, and a
//! look-up holds the lock of one only while it finds the entry and takes a reference to the port. Nothing else happens
//! under a lock: a reference that may be the last one of a port is dropped outside, because the port's messages are
//! dropped with it.
//!
//! The standard hash would take a third of a look-up. Names may be those of users and rooms, so a quick hash without a
//! secret would let them be chosen to collide. [`Keyed`] is quick and has a secret.

use std::{
    array,
    collections::{BTreeMap, HashMap},
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Weak},
};

use tokio::sync::Notify;

use crate::{Monitor, guard, lock::Lock, port::any::AnyPort};

/// The number of shards, a power of two.
const SHARDS: usize = 8;

/// The names of a node's ports.
pub(super) struct Table {
    shards: [Lock<Shard>; SHARDS],
    hash: Keyed,
}

struct Shard {
    names: HashMap<Box<str>, Member, Keyed>,
    /// The names that are waited for.
    awaited: HashMap<Box<str>, Awaited, Keyed>,
    /// The number of the last registration in this shard.
    last: u64,
}

/// One registration.
struct Member {
    number: u64,
    port: Weak<dyn AnyPort>,
    /// Removes the registration. `None` until it is set.
    monitor: Option<Monitor>,
}

struct Awaited {
    given: Arc<Notify>,
    /// The number of those that wait.
    by: usize,
}

/// The wait of one task for a name. Others are not woken.
pub(super) struct Awaiting<'a> {
    table: &'a Table,
    name: &'a str,
    pub(super) given: Arc<Notify>,
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        let mut shard = self.table.shard(self.name).lock();
        if let Some(awaited) = shard.awaited.get_mut(self.name) {
            awaited.by -= 1;
            if awaited.by == 0 {
                shard.awaited.remove(self.name);
            }
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        let hash = Keyed::default();
        let shard = |_| {
            Lock::new(Shard {
                names: HashMap::with_hasher(hash),
                awaited: HashMap::with_hasher(hash),
                last: 0,
            })
        };
        Self {
            shards: array::from_fn(shard),
            hash,
        }
    }
}

impl Table {
    /// The maps take the lowest and the highest bits of the same hash.
    #[inline]
    fn shard(&self, name: &str) -> &Lock<Shard> {
        let hash = self.hash.hash_one(name);
        &self.shards[(hash >> 32) as usize % SHARDS]
    }

    /// Gives a name. Returns the number of the registration, or the living port that has the name.
    pub(super) fn insert(
        &self,
        name: &str,
        port: &Arc<dyn AnyPort>,
    ) -> Result<u64, Arc<dyn AnyPort>> {
        let mut shard = self.shard(name).lock();
        let taken = shard.names.get(name);
        let holder = taken.and_then(|member| member.port.upgrade());
        if let Some(holder) = &holder
            && !holder.has_ended()
        {
            return Err(Arc::clone(holder));
        }
        shard.last += 1;
        let number = shard.last;
        let member = Member {
            number,
            port: Arc::downgrade(port),
            monitor: None,
        };
        let before = shard.names.insert(name.into(), member);
        drop(shard);
        drop((before, holder));
        Ok(number)
    }

    /// Begins to wait for a name.
    pub(super) fn awaits<'a>(&'a self, name: &'a str) -> Awaiting<'a> {
        let mut shard = self.shard(name).lock();
        let awaited = shard.awaited.entry(name.into()).or_insert_with(|| Awaited {
            given: Arc::default(),
            by: 0,
        });
        awaited.by += 1;
        let given = Arc::clone(&awaited.given);
        drop(shard);
        Awaiting {
            table: self,
            name,
            given,
        }
    }

    /// Wakes those that wait for a name, which has been given.
    pub(super) fn tell(&self, name: &str) {
        let shard = self.shard(name).lock();
        let given = shard.awaited.get(name).map(|it| Arc::clone(&it.given));
        drop(shard);
        if let Some(given) = given {
            guard::shielded(|| given.notify_waiters());
        }
    }

    /// Keeps the monitor of a registration. Returns false if the registration is over.
    pub(super) fn keep(&self, name: &str, number: u64, monitor: Monitor) -> bool {
        let mut unused = Some(monitor);
        if let Some(member) = self.shard(name).lock().names.get_mut(name)
            && member.number == number
        {
            member.monitor = unused.take();
        }
        unused.is_none()
    }

    /// Takes a name back, if it still belongs to this registration.
    pub(super) fn forget(&self, name: &str, number: u64) {
        let mut shard = self.shard(name).lock();
        let ours = shard.names.get(name).map(|member| member.number) == Some(number);
        let member = ours.then(|| shard.names.remove(name));
        drop(shard);
        drop(member);
    }

    /// Takes a name back. Returns the living port that had it.
    pub(super) fn remove(&self, name: &str) -> Option<Arc<dyn AnyPort>> {
        let removed = self.shard(name).lock().names.remove(name)?;
        alive(removed.port.upgrade()?)
    }

    /// The living port that has the name.
    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<Arc<dyn AnyPort>> {
        let port = self.shard(name).lock().names.get(name)?.port.upgrade()?;
        alive(port)
    }

    /// All names of living ports, in order. They are those of one moment.
    pub(super) fn all(&self) -> BTreeMap<String, Arc<dyn AnyPort>> {
        let locked = self.shards.each_ref().map(Lock::lock);
        let members = locked.iter().flat_map(|shard| &shard.names);
        let held: Vec<_> = members
            .filter_map(|(name, member)| Some((String::from(&**name), member.port.upgrade()?)))
            .collect();
        drop(locked);
        let alive = held.into_iter().filter(|(_, port)| !port.has_ended());
        alive.collect()
    }
}

#[inline]
fn alive(port: Arc<dyn AnyPort>) -> Option<Arc<dyn AnyPort>> {
    (!port.has_ended()).then_some(port)
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

/// A hash of text with two secret words: each sixteen octets are mixed by one multiplication to 128 bits, of which both halves
/// are kept. Without the words, no names can be chosen that collide. It is no hash for any other use.
#[derive(Clone, Copy)]
struct Keyed([u64; 2]);

impl Default for Keyed {
    fn default() -> Self {
        let random = RandomState::new();
        Self([0_u8, 1].map(|word| random.hash_one(word)))
    }
}

impl BuildHasher for Keyed {
    type Hasher = Mixed;

    #[inline]
    fn build_hasher(&self) -> Mixed {
        let Self([state, secret]) = *self;
        Mixed { state, secret }
    }
}

struct Mixed {
    state: u64,
    secret: u64,
}

impl Mixed {
    #[inline]
    fn mix(&mut self, first: u64, second: u64) {
        let product = u128::from(first ^ self.state) * u128::from(second ^ self.secret);
        self.state = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for Mixed {
    #[inline]
    fn write(&mut self, octets: &[u8]) {
        let (pairs, rest) = octets.as_chunks::<16>();
        for pair in pairs {
            let [first, second] = [0, 8].map(|at| word(&pair[at..at + 8]));
            self.mix(first, second);
        }
        // The last words overlap rather than being filled up. The length tells such texts apart. It is mixed by itself: where it
        // met octets, two texts could be chosen that are the same.
        match rest.len() {
            0 => {}
            1..4 => {
                let [first, middle, last] = [0, rest.len() / 2, rest.len() - 1].map(|at| rest[at]);
                self.mix(u32::from_le_bytes([first, middle, last, 0]).into(), 0);
            }
            4..8 => self.mix(half(&rest[..4]), half(&rest[rest.len() - 4..])),
            _ => self.mix(word(&rest[..8]), word(&rest[rest.len() - 8..])),
        }
        self.mix(octets.len() as u64, 0);
    }

    /// The end of a text, which its length marks already.
    #[inline]
    fn write_u8(&mut self, _: u8) {}

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}

#[inline]
fn word(octets: &[u8]) -> u64 {
    octets.try_into().map_or(0, u64::from_le_bytes)
}

#[inline]
fn half(octets: &[u8]) -> u64 {
    octets
        .try_into()
        .map_or(0, |half| u32::from_le_bytes(half).into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// All of the same octets but one, in each length and at each place.
    fn alike() -> impl Iterator<Item = Vec<u8>> {
        (0..50).flat_map(|length| {
            let with_one = move |at| {
                let mut octets = vec![b'a'; length];
                octets[at] = b'b';
                octets
            };
            [vec![b'a'; length]]
                .into_iter()
                .chain((0..length).map(with_one))
        })
    }

    #[test]
    fn names_that_are_nearly_the_same_have_other_hashes() {
        let hash = Keyed::default();
        let hashes = alike().map(|octets| hash.hash_one(str::from_utf8(&octets).expect("ASCII")));
        assert_eq!(hashes.collect::<BTreeSet<_>>().len(), alike().count());
    }

    #[test]
    fn each_table_has_a_secret_of_its_own() {
        let [one, other] = [Keyed::default(), Keyed::default()];
        assert_ne!(one.hash_one("log"), other.hash_one("log"));
        assert_eq!(one.hash_one("log"), one.hash_one(String::from("log")));
    }

    #[test]
    fn a_wait_for_a_name_leaves_nothing_behind() {
        let table = Table::default();
        let [one, same] = [(); 2].map(|()| table.awaits("log"));
        let other = table.awaits("room");
        let awaited = || -> usize {
            let shards = table.shards.iter();
            shards.map(|shard| shard.lock().awaited.len()).sum()
        };
        assert_eq!(awaited(), 2);
        drop(one);
        assert_eq!(awaited(), 2);
        drop((same, other));
        assert_eq!(awaited(), 0);
    }

    #[test]
    fn ordinary_names_use_all_shards_alike() {
        let table = Table::default();
        let mut used = [0; SHARDS];
        for number in 0..8000 {
            let shard: *const _ = table.shard(&format!("room {number}"));
            let at = table.shards.iter().position(|one| std::ptr::eq(one, shard));
            used[at.expect("a shard of the table")] += 1;
        }
        assert!(
            used.iter().all(|names| (800..1200).contains(names)),
            "{used:?}"
        );
    }
}
