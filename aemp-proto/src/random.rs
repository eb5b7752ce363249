//! Randomness from a seed that the caller gives.

use std::time::Duration;

use crate::hash;

/// The octets of randomness in a nonce, as in the reference.
const NONCE_OCTETS: usize = 66;

/// A generator of nonces and delays. The same seed gives the same sequence.
///
/// The caller seeds it from the system's entropy. Nonces cannot be predicted without the seed. (Without the
/// feature `auth` they can, and are of no use.)
pub struct Random {
    seed: [u8; 32],
    count: u64,
}

impl Random {
    /// Creates a generator from 32 octets of entropy.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, count: 0 }
    }

    /// Creates a generator for simulations, which need a sequence that can be repeated.
    #[must_use]
    pub fn predictable(seed: u64) -> Self {
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&seed.to_le_bytes());
        Self::new(octets)
    }

    fn block(&mut self) -> [u8; 64] {
        self.count += 1;
        hash::block(&self.seed, self.count)
    }

    /// A nonce: 66 random octets in base64, which is a greeting's second line ([protocol](crate::protocol::handshake#greeting-line-2)).
    pub fn nonce(&mut self) -> String {
        let (one, two) = (self.block(), self.block());
        let octets: Vec<u8> = one.into_iter().chain(two).take(NONCE_OCTETS).collect();
        base64(&octets)
    }

    /// A number from 0 to `most`, both included.
    pub fn up_to(&mut self, most: u32) -> u32 {
        let [a, b, c, d, ..] = self.block();
        let drawn = u64::from(u32::from_le_bytes([a, b, c, d]));
        u32::try_from((drawn * (u64::from(most) + 1)) >> 32).unwrap_or(most)
    }

    /// A duration between `least` and `most`.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let [a, b, c, d, ..] = self.block();
        let part = f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX);
        least + most.saturating_sub(least).mul_f64(part)
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random(..)")
    }
}

/// Base64 of octets whose number is a multiple of three.
fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    octets
        .chunks_exact(3)
        .map(|three| u32::from_be_bytes([0, three[0], three[1], three[2]]))
        .flat_map(|bits| {
            [
                digit(bits >> 18),
                digit(bits >> 12),
                digit(bits >> 6),
                digit(bits),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_usual_one() {
        assert_eq!(base64(b"Man"), "TWFu");
        assert_eq!(base64(&[0xff, 0xef, 0xbe, 0, 0, 0]), "/+++AAAA");
    }

    #[test]
    fn nonces_never_repeat_and_have_no_line_ends() {
        let mut random = Random::predictable(1);
        let nonces: Vec<_> = (0..100).map(|_| random.nonce()).collect();
        assert!(
            nonces
                .iter()
                .all(|nonce| nonce.len() == 88 && !nonce.contains(['\r', '\n']))
        );
        let distinct: std::collections::BTreeSet<_> = nonces.iter().collect();
        assert_eq!(distinct.len(), 100);
        assert_eq!(Random::predictable(1).nonce(), nonces[0]);
    }

    #[test]
    fn delays_stay_between_their_bounds() {
        let mut random = Random::predictable(2);
        let (least, most) = (Duration::from_millis(1200), Duration::from_millis(2400));
        for _ in 0..1000 {
            let delay = random.between(least, most);
            assert!(least <= delay && delay <= most);
        }
    }
}
