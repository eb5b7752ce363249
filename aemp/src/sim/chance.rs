//! A seeded source of chance.

use std::time::Duration;

/// A random generator that can be repeated: the same seed gives the same sequence.
///
/// It is fast and can be predicted, so it is good for simulations only.
///
/// ```
/// use aemp::sim::Chance;
///
/// let mut one = Chance::new(7);
/// let mut same = Chance::new(7);
/// assert_eq!(one.below(1000), same.below(1000));
/// assert!(one.below(3) < 3);
/// ```
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Creates the generator with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits, by the algorithm SplitMix64.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias is far too small to be noticed in a simulation.
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// An index of a slice with this length; 0 if it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Returns true with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        // Draws nothing for probability 0, so that a fault that is switched off does not change a history.
        probability > 0.0 && (self.next_u64() >> 11) as f64 / ((1_u64 << 53) as f64) < probability
    }

    /// A duration between `least` and `most`, in whole microseconds.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let spread = most.saturating_sub(least).as_micros();
        let spread = u64::try_from(spread).unwrap_or(u64::MAX - 1);
        least + Duration::from_micros(self.below(spread + 1))
    }

    /// Fills a buffer with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }

    /// Creates another generator, which depends on this one.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self(self.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stays_within_its_bounds() {
        let mut chance = Chance::new(3);
        let (least, most) = (Duration::from_millis(1), Duration::from_millis(3));
        let mut seen = [false; 4];
        for _ in 0..1000 {
            seen[chance.index(4)] = true;
            let between = chance.between(least, most);
            assert!(least <= between && between <= most, "{between:?}");
            assert!(!chance.happens(0.0) && chance.happens(1.0));
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(chance.below(0), 0);
        assert_eq!(chance.between(least, least), least);
    }

    #[test]
    fn a_probability_of_zero_draws_no_number() {
        let (mut one, mut other) = (Chance::new(1), Chance::new(1));
        one.happens(0.0);
        assert_eq!(one.next_u64(), other.next_u64());
    }
}
