//! The table of a node's live ports, by number. A slot takes 16 bytes.
//!
//! A port's number is `(generation, shard, index)` in 56 bits. Its name is the node's random prefix and that number as
//! text, and is made on demand. The generation of a slot grows with every use. A slot is retired before its generation
//! would wrap, so a name never comes back. Ports that another node has spawned here have names given by that node; they
//! are in a map of names beside the table.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::any::AnyPort;

const SHARDS: usize = 16;
const SHARD_BITS: u32 = 4;
/// Index within a shard: with the shard's bits, the low half of a number.
const INDEX_BITS: u32 = 28;
/// The last generation of a slot: what is beside it in a word is how quick the port is.
pub(crate) const MAX_GENERATION: u32 = (1 << 24) - 1;
/// How many slots are looked at under one lock: some microseconds.
const SOME: usize = 1024;

/// The ports that live or are dying, sixteen bytes each beside their cells.
///
/// A number is `generation << 32 | index << 4 | shard`, with a generation of 24 bits. The generation grows with every use of a slot, and a
/// slot whose generation is used up is retired, so no number comes back while the process lives.
pub(crate) struct Table {
    shards: [Shard; SHARDS],
}

#[derive(Default)]
struct Shard {
    slots: Mutex<Slots>,
    /// Ports that were put into it, ever, and that count no more. Those that are dying are among the latter, and in their slots.
    made: AtomicU64,
    retired: AtomicU64,
}

#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    /// First vacant slot, plus one; 0: none.
    free: u32,
    taken: usize,
}

enum Slot {
    Taken(Arc<dyn AnyPort>),
    Vacant { next: u32, generation: u32 },
}

/// How far [`Table::some`] has come.
#[derive(Debug, Default)]
pub(crate) struct Place {
    shard: usize,
    index: usize,
}

thread_local! {
    // Threads that create ports at the same time should not meet at one lock.
    static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
}
static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

fn own_shard() -> usize {
    let shard = SHARD.get();
    if shard != usize::MAX {
        return shard;
    }
    let shard = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS;
    SHARD.set(shard);
    shard
}

/// Has this thread number its ports as every other thread does that has called this: for simulations, which repeat.
#[cfg(feature = "sim")]
pub(crate) fn number_alike() {
    SHARD.set(0);
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Shard::default()),
        }
    }

    /// Makes a port that knows its own number, and keeps it.
    pub(crate) fn insert<T: AnyPort + 'static>(&self, make: impl FnOnce(u64) -> Arc<T>) -> Arc<T> {
        let own = own_shard();
        let shard = &self.shards[own];
        let mut slots = shard.lock();
        let (index, generation) = slots.vacant();
        let number = u64::from(generation) << 32 | u64::from(index) << SHARD_BITS | own as u64;
        let port = make(number);
        slots.all[index as usize] = Slot::Taken(Arc::<T>::clone(&port));
        slots.taken += 1;
        // It is written under the lock alone.
        let made = shard.made.load(Ordering::Relaxed) + 1;
        shard.made.store(made, Ordering::Release);
        port
    }

    pub(crate) fn get(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        let (shard, index) = place(number);
        match self.shards[shard].lock().all.get(index) {
            Some(Slot::Taken(port)) if port.number() == number => Some(Arc::clone(port)),
            _ => None,
        }
    }

    /// A port is dying: it is found until it is removed, but does not count any more.
    pub(crate) fn retire(&self, number: u64) {
        let (shard, _) = place(number);
        self.shards[shard].retired.fetch_add(1, Ordering::Release);
    }

    /// Forgets a port that was retired; the caller drops it, outside of the lock.
    pub(crate) fn remove(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        let (shard, index) = place(number);
        self.shards[shard].lock().vacate(index, number)
    }

    /// How many live.
    pub(crate) fn len(&self) -> usize {
        let live = self.shards.iter().map(|shard| {
            // In this order: whoever is retired was made before.
            let retired = shard.retired.load(Ordering::Acquire);
            shard.made.load(Ordering::Acquire).saturating_sub(retired)
        });
        usize::try_from(live.sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// True if there is none that lives or is dying.
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock().taken == 0)
    }

    /// Some of those that live or are dying, from `place` on: at most as many as a lock should be held for. For looking at all
    /// of them without holding anybody up.
    pub(crate) fn some(&self, place: &mut Place, into: &mut Vec<Arc<dyn AnyPort>>) -> bool {
        if place.shard == SHARDS {
            return false;
        }
        let slots = self.shards[place.shard].lock();
        let end = slots.all.len().min(place.index + SOME);
        into.extend(
            slots.all[place.index.min(end)..end]
                .iter()
                .filter_map(Slot::port),
        );
        place.index = end;
        if end == slots.all.len() {
            (place.shard, place.index) = (place.shard + 1, 0);
        }
        true
    }

    /// All that live or are dying, in no particular order.
    pub(crate) fn all(&self) -> Vec<Arc<dyn AnyPort>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().all.iter().filter_map(Slot::port));
        }
        all
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn port(&self) -> Option<Arc<dyn AnyPort>> {
        match self {
            Self::Taken(port) => Some(Arc::clone(port)),
            Self::Vacant { .. } => None,
        }
    }
}

fn place(number: u64) -> (usize, usize) {
    let low = number as u32;
    let shard = low & (SHARDS as u32 - 1);
    (shard as usize, (low >> SHARD_BITS) as usize)
}

impl Slots {
    /// Index and generation of a slot to use.
    fn vacant(&mut self) -> (u32, u32) {
        if let Some(index) = self.free.checked_sub(1)
            && let Slot::Vacant { next, generation } = self.all[index as usize]
        {
            self.free = next;
            return (index, generation);
        }
        let index = self.all.len();
        assert!(
            index < 1 << INDEX_BITS,
            "more ports than a node can number: 2^28 per thread group"
        );
        self.all.push(Slot::Vacant {
            next: 0,
            generation: 1,
        });
        (index as u32, 1)
    }

    fn vacate(&mut self, index: usize, number: u64) -> Option<Arc<dyn AnyPort>> {
        match self.all.get(index) {
            Some(Slot::Taken(port)) if port.number() == number => {}
            _ => return None,
        }
        self.taken -= 1;
        let generation = (number >> 32) as u32;
        // A retired slot is vacant but in no list.
        let reusable = generation < MAX_GENERATION;
        let vacant = Slot::Vacant {
            next: self.free,
            generation: generation.wrapping_add(1),
        };
        if reusable {
            self.free = index as u32 + 1;
        }
        match std::mem::replace(&mut self.all[index], vacant) {
            Slot::Taken(port) => Some(port),
            Slot::Vacant { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_two_words() {
        assert_eq!(size_of::<Slot>(), 16);
    }
}
