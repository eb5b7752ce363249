//! Weights of slots, one of which is found by a number: a binary indexed tree.

/// Weights of slots, and their sums. Setting a weight and finding a slot are O(log n).
#[derive(Debug, Default)]
pub(super) struct Shares {
    weights: Vec<u32>,
    /// `sums[n - 1]` has the weights of the slots from `n - (n & -n)` up to `n`.
    sums: Vec<u64>,
    total: u64,
}

impl Shares {
    pub(super) fn set(&mut self, slot: usize, weight: u32) {
        if slot >= self.weights.len() {
            self.grow(slot + 1);
        }
        let before = std::mem::replace(&mut self.weights[slot], weight);
        self.total = self.total - u64::from(before) + u64::from(weight);
        let mut place = slot + 1;
        while let Some(sum) = self.sums.get_mut(place - 1) {
            *sum = *sum - u64::from(before) + u64::from(weight);
            place += place & place.wrapping_neg();
        }
    }

    /// The slot that a number from the whole range of `u64` falls to. Each slot has a part of the range that is as large as its weight.
    pub(super) fn find(&self, number: u64) -> Option<usize> {
        if self.total == 0 {
            return None;
        }
        let mut point = ((u128::from(number) * u128::from(self.total)) >> 64) as u64;
        let (mut place, mut step) = (0, self.sums.len());
        while step > 0 {
            if let Some(sum) = self.sums.get(place + step - 1)
                && *sum <= point
            {
                point -= sum;
                place += step;
            }
            step /= 2;
        }
        Some(place)
    }

    fn grow(&mut self, slots: usize) {
        self.weights.resize(slots.next_power_of_two(), 0);
        let weights = std::mem::take(&mut self.weights);
        self.sums = vec![0; weights.len()];
        self.weights = vec![0; weights.len()];
        self.total = 0;
        for (slot, weight) in weights.into_iter().enumerate() {
            if weight > 0 {
                self.set(slot, weight);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slot_has_its_part_of_the_range() {
        let mut shares = Shares::default();
        assert_eq!(shares.find(0), None);
        for (slot, weight) in [(0, 7), (5, 3), (2, 1), (9, 4), (0, 2), (5, 0)] {
            shares.set(slot, weight);
        }
        // 2 of slot 0, 1 of slot 2, 4 of slot 9.
        let found = (0..7_u64).map(|part| shares.find(u64::MAX / 7 * part + 10).unwrap());
        assert_eq!(found.collect::<Vec<_>>(), [0, 0, 2, 9, 9, 9, 9]);
        assert_eq!(shares.find(u64::MAX), Some(9));
    }
}
