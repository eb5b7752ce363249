//! A tree over slots that knows the slot with the least key.
//!
//! A tournament: each inner node has the winner of its two children. A change costs as many comparisons as the tree has
//! levels, and no allocation, and the winner of all is at the root.

/// Keys of slots. The least of them is found at once; setting one is O(log n).
#[derive(Debug)]
pub(super) struct Least<K> {
    keys: Vec<Option<K>>,
    /// The winners of the inner nodes. The root is 1, and the children of `n` are `2n` and `2n + 1`.
    winners: Vec<u32>,
}

impl<K> Default for Least<K> {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            winners: Vec::new(),
        }
    }
}

impl<K: Ord + Copy> Least<K> {
    /// Sets or removes the key of a slot.
    pub(super) fn set(&mut self, slot: usize, key: Option<K>) {
        if slot >= self.keys.len() {
            self.grow(slot + 1);
        }
        if self.keys[slot] != key {
            self.keys[slot] = key;
            self.play(slot);
        }
    }

    /// The slot with the least key; the first one of several.
    pub(super) fn first(&self) -> Option<usize> {
        let winner = self.winner(1)?;
        self.keys[winner].map(|_| winner)
    }

    fn grow(&mut self, slots: usize) {
        let size = slots.next_power_of_two();
        self.keys.resize(size, None);
        self.winners = vec![0; size];
        for node in (1..size).rev() {
            self.winners[node] = self.better(node);
        }
    }

    /// Plays the matches of a slot, from its leaf to the root.
    fn play(&mut self, slot: usize) {
        let mut node = (self.keys.len() + slot) / 2;
        while node > 0 {
            self.winners[node] = self.better(node);
            node /= 2;
        }
    }

    fn winner(&self, node: usize) -> Option<usize> {
        match node.checked_sub(self.keys.len()) {
            Some(leaf) => (leaf < self.keys.len()).then_some(leaf),
            None => Some(self.winners[node] as usize),
        }
    }

    fn better(&self, node: usize) -> u32 {
        let rank = |slot: &usize| (self.keys[*slot].is_none(), self.keys[*slot], *slot);
        let children = [self.winner(2 * node), self.winner(2 * node + 1)];
        let winner = children.into_iter().flatten().min_by_key(rank);
        winner.unwrap_or_default() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::pool::key::mix;

    #[test]
    fn the_least_is_found_after_each_change() {
        let (mut least, mut plain) = (Least::default(), Vec::<Option<u64>>::new());
        assert_eq!(least.first(), None);
        for number in 0..5000 {
            let slot = (mix(number) % 37) as usize;
            let key = (!mix(number + 7).is_multiple_of(3)).then(|| mix(!number) % 50);
            plain.resize(plain.len().max(slot + 1), None);
            plain[slot] = key;
            least.set(slot, key);
            let keys = plain.iter().enumerate();
            let expected = keys.filter_map(|(slot, key)| Some(((*key)?, slot))).min();
            assert_eq!(least.first(), expected.map(|(_, slot)| slot));
        }
    }
}
