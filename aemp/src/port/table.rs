//! Every live port of a node, found by number.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
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

/// The ports that live, sixteen bytes each beside their cells.
///
/// A number is `generation << 32 | index << 4 | shard`, with a generation of 24 bits. The generation grows with every use of a slot, and a
/// slot whose generation is used up is retired, so no number comes back while the process lives.
pub(crate) struct Table {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    slots: Vec<Slot>,
    /// First vacant slot, plus one; 0: none.
    free: u32,
    live: usize,
}

enum Slot {
    Live(Arc<dyn AnyPort>),
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
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    fn shard(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a port that knows its own number, and keeps it.
    pub(crate) fn insert<T: AnyPort + 'static>(&self, make: impl FnOnce(u64) -> Arc<T>) -> Arc<T> {
        let own = own_shard();
        let mut shard = self.shard(own);
        let (index, generation) = shard.vacant();
        let number = u64::from(generation) << 32 | u64::from(index) << SHARD_BITS | own as u64;
        let port = make(number);
        shard.slots[index as usize] = Slot::Live(Arc::<T>::clone(&port));
        shard.live += 1;
        port
    }

    pub(crate) fn get(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        let (shard, index) = place(number);
        match self.shard(shard).slots.get(index) {
            Some(Slot::Live(port)) if port.number() == number => Some(Arc::clone(port)),
            _ => None,
        }
    }

    /// Forgets a port; the caller drops it, outside of the lock.
    pub(crate) fn remove(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        let (shard, index) = place(number);
        let mut shard = self.shard(shard);
        match shard.slots.get(index) {
            Some(Slot::Live(port)) if port.number() == number => {}
            _ => return None,
        }
        Some(shard.vacate(index, (number >> 32) as u32))
    }

    pub(crate) fn len(&self) -> usize {
        (0..SHARDS).map(|shard| self.shard(shard).live).sum()
    }

    /// Some of those that live now, from `place` on: at most as many as a lock should be held for. For looking at all
    /// of them without holding anybody up.
    pub(crate) fn some(&self, place: &mut Place, into: &mut Vec<Arc<dyn AnyPort>>) -> bool {
        if place.shard == SHARDS {
            return false;
        }
        let shard = self.shard(place.shard);
        let end = shard.slots.len().min(place.index + SOME);
        for slot in &shard.slots[place.index.min(end)..end] {
            if let Slot::Live(port) = slot {
                into.push(Arc::clone(port));
            }
        }
        place.index = end;
        if end == shard.slots.len() {
            (place.shard, place.index) = (place.shard + 1, 0);
        }
        true
    }

    /// All that live now, in no particular order.
    pub(crate) fn all(&self) -> Vec<Arc<dyn AnyPort>> {
        let mut all = Vec::new();
        for shard in 0..SHARDS {
            all.extend(
                self.shard(shard)
                    .slots
                    .iter()
                    .filter_map(|slot| match slot {
                        Slot::Live(port) => Some(Arc::clone(port)),
                        Slot::Vacant { .. } => None,
                    }),
            );
        }
        all
    }
}

fn place(number: u64) -> (usize, usize) {
    let low = number as u32;
    let shard = low & (SHARDS as u32 - 1);
    (shard as usize, (low >> SHARD_BITS) as usize)
}

impl Shard {
    /// Index and generation of a slot to use.
    fn vacant(&mut self) -> (u32, u32) {
        if let Some(index) = self.free.checked_sub(1)
            && let Slot::Vacant { next, generation } = self.slots[index as usize]
        {
            self.free = next;
            return (index, generation);
        }
        let index = self.slots.len();
        assert!(
            index < 1 << INDEX_BITS,
            "more ports than a node can number: 2^28 per thread group"
        );
        self.slots.push(Slot::Vacant {
            next: 0,
            generation: 1,
        });
        (index as u32, 1)
    }

    fn vacate(&mut self, index: usize, generation: u32) -> Arc<dyn AnyPort> {
        self.live -= 1;
        // A retired slot is vacant but in no list.
        let reusable = generation < MAX_GENERATION;
        let vacant = Slot::Vacant {
            next: self.free,
            generation: generation.wrapping_add(1),
        };
        if reusable {
            self.free = index as u32 + 1;
        }
        match std::mem::replace(&mut self.slots[index], vacant) {
            Slot::Live(port) => port,
            Slot::Vacant { .. } => unreachable!("the caller has just seen a port there"),
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
