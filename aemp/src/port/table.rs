//! The table of a node's live ports, by number. A slot takes 16 bytes.
//!
//! A port's number is `(generation, shard, index)` in 56 bits. Its name is the node's random prefix and that number as
//! text, and is made on demand. The generation of a slot grows with every use. A slot is retired before its generation
//! would wrap, so a name never comes back. Ports that another node has spawned here have names given by that node; they
//! are in a map of names beside the table.

use std::{
    cell::Cell,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::any::AnyPort;
use crate::lock::Lock;

const SHARDS: usize = 16;
const SHARD_BITS: u32 = 4;
/// The bits of an index within a shard. Together with the shard's bits they are the low half of a number.
const INDEX_BITS: u32 = 28;
/// The last generation of a slot. The rest of its word holds the port's speed.
pub(crate) const MAX_GENERATION: u32 = (1 << 24) - 1;
/// The number of slots that are examined under one lock: some microseconds.
const SOME: usize = 1024;

/// The live and dying ports. A slot has sixteen bytes beside the port's cell.
///
/// A number is `generation << 32 | index << 4 | shard`, with a generation of 24 bits. The generation grows with every
/// use of a slot. A slot without unused generations is retired, so no number is used twice while the process lives.
pub(crate) struct Table {
    shards: [Shard; SHARDS],
}

#[derive(Default)]
struct Shard {
    slots: Lock<Slots>,
    /// The number of ports that were ever inserted. `retired` is the number of those that no longer count; the dying
    /// ones among them are still in their slots.
    made: AtomicU64,
    retired: AtomicU64,
    /// The number of reply ports among those that were made.
    #[cfg(feature = "metrics")]
    replies: AtomicU64,
}

#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    /// The index of the first vacant slot, plus one; zero if there is none.
    free: u32,
    taken: usize,
}

enum Slot {
    Taken(Arc<dyn AnyPort>),
    Vacant { next: u32, generation: u32 },
}

/// The progress of [`Table::some`].
#[derive(Debug, Default)]
pub(crate) struct Place {
    shard: usize,
    index: usize,
}

thread_local! {
    // Threads that create ports at the same time should use different shards.
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

/// Makes this thread choose shards in the same order as every other thread that has called this. Simulations must be
/// repeatable.
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

    /// Inserts a port. `make` makes it from its number.
    pub(crate) fn insert<T: AnyPort + 'static>(&self, make: impl FnOnce(u64) -> Arc<T>) -> Arc<T> {
        let own = own_shard();
        let shard = &self.shards[own];
        let mut slots = shard.lock();
        let (index, generation) = slots.vacant();
        let number = u64::from(generation) << 32 | u64::from(index) << SHARD_BITS | own as u64;
        let port = make(number);
        slots.all[index as usize] = Slot::Taken(Arc::<T>::clone(&port));
        slots.taken += 1;
        // It is written under the lock only.
        let made = shard.made.load(Ordering::Relaxed) + 1;
        shard.made.store(made, Ordering::Release);
        #[cfg(feature = "metrics")]
        if port.takes_answers() {
            let replies = shard.replies.load(Ordering::Relaxed) + 1;
            shard.replies.store(replies, Ordering::Relaxed);
        }
        port
    }

    pub(crate) fn get(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        let (shard, index) = place(number);
        match self.shards[shard].lock().all.get(index) {
            Some(Slot::Taken(port)) if port.number() == number => Some(Arc::clone(port)),
            _ => None,
        }
    }

    /// Marks a port as dying. It can be found until it is removed, but no longer counts.
    pub(crate) fn retire(&self, number: u64) {
        let (shard, _) = place(number);
        self.shards[shard].retired.fetch_add(1, Ordering::Release);
    }

    /// Removes a retired port. The caller drops it outside of the lock.
    pub(crate) fn remove(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        let (shard, index) = place(number);
        self.shards[shard].lock().vacate(index, number)
    }

    /// The number of live ports.
    pub(crate) fn len(&self) -> usize {
        let live = self.shards.iter().map(|shard| {
            // In this order, because a retired port was made before it was retired.
            let retired = shard.retired.load(Ordering::Acquire);
            shard.made.load(Ordering::Acquire).saturating_sub(retired)
        });
        usize::try_from(live.sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// The number of ports that were ever made, without reply ports.
    #[cfg(feature = "metrics")]
    pub(crate) fn spawned(&self) -> u64 {
        let spawned = self.shards.iter().map(|shard| {
            let replies = shard.replies.load(Ordering::Relaxed);
            shard.made.load(Ordering::Acquire).saturating_sub(replies)
        });
        spawned.sum()
    }

    /// True if there are neither live nor dying ports.
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock().taken == 0)
    }

    /// Some of the live and dying ports, beginning at `place`: at most as many as a lock should be held for. It
    /// serves to visit all ports without delaying other threads.
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

    /// All live and dying ports, in no particular order.
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
        self.slots.lock()
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
    /// The index and generation of a slot for a new port.
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
        // A retired slot is vacant, but in no list.
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
