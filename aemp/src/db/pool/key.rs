//! Weighted rendezvous hashing: each key has an order of all members, and goes to the first of them.
//!
//! A member has a random number `u` for each key, evenly distributed between 0 and 1: a hash of both. The key goes to the member with the least
//! `-log(u) / weight`. So each member gets a share of the keys that is its weight among all weights. A member that
//! comes, or whose weight grows, takes keys over; no key moves between two others.
//!
//! All nodes must choose the same member. So hashes and logarithms are integers here: the logarithm of floats differs
//! between platforms.

/// FNV-1a, because the hash must be the same on all nodes and in all versions.
pub(super) fn hash(text: &str) -> u64 {
    let octet = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, octet)
}

/// Spreads a number over all its bits (the finalizer of SplitMix64).
pub(super) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The claim of a member to a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bid<'a> {
    luck: u64,
    weight: u32,
    name: &'a str,
}

impl<'a> Bid<'a> {
    /// `key` and `member` are hashes, and `name` is the member's port ID.
    pub(super) fn new(key: u64, member: u64, name: &'a str, weight: u32) -> Self {
        Self {
            luck: mix(key ^ member),
            weight,
            name,
        }
    }

    /// True if the key goes to this member rather than to the other.
    pub(super) fn beats(&self, other: &Self) -> bool {
        if self.weight != other.weight {
            let ours = u128::from(minus_log2(self.luck)) * u128::from(other.weight);
            let theirs = u128::from(minus_log2(other.luck)) * u128::from(self.weight);
            if ours != theirs {
                return ours < theirs;
            }
        }
        (self.luck, self.name) > (other.luck, other.name)
    }
}

/// `-log2((n + 1) / 2^64)`, with 32 bits behind the point. It never grows with `n`.
fn minus_log2(n: u64) -> u64 {
    let Some(n) = n.checked_add(1) else { return 0 };
    let whole = 63 - n.leading_zeros();
    // Between 1 and 2, with 63 bits behind the point.
    let mut rest = n << n.leading_zeros();
    let mut log = u64::from(whole) << 32;
    for bit in (0..32).rev() {
        let square = (u128::from(rest) * u128::from(rest)) >> 63;
        if square >> 64 == 0 {
            rest = square as u64;
        } else {
            rest = (square >> 1) as u64;
            log |= 1 << bit;
        }
    }
    (64 << 32) - log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_those_of_floats() {
        for n in (0..20_000).map(mix).chain([0, 1, u64::MAX - 1, u64::MAX]) {
            let float = -((n as f64 + 1.0) / 2_f64.powi(64)).log2();
            let ours = minus_log2(n) as f64 / 2_f64.powi(32);
            assert!((float - ours).abs() < 1e-9, "{n}: {float} {ours}");
        }
        let mut some: Vec<u64> = (0..20_000).map(mix).collect();
        some.sort_unstable();
        assert!(some.is_sorted_by(|a, b| minus_log2(*a) >= minus_log2(*b)));
    }
}
