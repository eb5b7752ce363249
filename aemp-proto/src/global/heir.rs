//! The choice of a new master after a loss, so that the slaves of the lost master spread evenly.
//!
//! The slaves of a lost master decide at once and know nothing of each other. So the choice among the connected seeds
//! depends on the slave's name: numbered names take turns by the golden ratio, which is more even than chance for every
//! stride; other names are spread by a hash. A node whose master lives never moves.

use aemp_codec::NodeId;

/// The fraction of the golden ratio, in 64 bits. Its multiples are spread evenly, and so are every second, third or
/// fourth multiple.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Chooses the candidate that `node` takes as its master.
///
/// All slaves of a lost node choose at the same time, without knowing of each other. A random choice would put 20 of 30
/// on one of two candidates in every tenth case. But most nodes are numbered, so consecutive numbers can go to
/// different masters. Names without a number are spread by a hash. The same node always makes the same choice.
pub(super) fn choose<'a>(
    node: &NodeId,
    candidates: impl IntoIterator<Item = &'a NodeId>,
) -> Option<&'a NodeId> {
    let candidates: Vec<_> = candidates.into_iter().collect();
    let place = u128::from(place(node.as_str())) * candidates.len() as u128;
    candidates.get((place >> 64) as usize).copied()
}

/// The place of a name, from 0 to 2^64.
fn place(name: &str) -> u64 {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = name[stem.len()..].bytes();
    let number = digits.fold(0u64, |number, digit| {
        number.wrapping_mul(10).wrapping_add((digit - b'0').into())
    });
    number.wrapping_mul(GOLDEN).wrapping_add(hash(stem))
}

/// FNV-1a, followed by mixing of bits, because short names hardly change the upper bits.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    fn id(name: &str) -> NodeId {
        NodeId::new(name).expect("a node ID")
    }

    /// The number of nodes that choose the most popular candidate.
    fn most(names: impl Iterator<Item = String>, candidates: usize) -> usize {
        let candidates: Vec<_> = (0..candidates).map(|n| id(&format!("g{n}"))).collect();
        let mut counts = vec![0; candidates.len()];
        for name in names {
            let chosen = choose(&id(&name), &candidates).expect("there are some");
            let at = candidates.iter().position(|candidate| candidate == chosen);
            counts[at.expect("one of them")] += 1;
        }
        counts.into_iter().max().unwrap_or_default()
    }

    #[test]
    fn numbered_nodes_spread_more_evenly_than_by_chance() {
        for stem in ["node", "worker/", "", "a.b:4040/", "s"] {
            // If slaves list their seeds in turn, each second or third one has lost its master.
            for (first, step) in [(0, 1), (1, 1), (0, 2), (1, 3), (7, 4), (0, 5)] {
                let names = (0..30).map(|n| format!("{stem}{}", first + n * step));
                let most = most(names, 2);
                assert!(most <= 18, "{stem}: {most} of 30, each {step}th");
            }
            let most = most((0..30).map(|n| format!("{stem}{n}")), 3);
            assert!(most <= 13, "{stem}: {most} of 30");
        }
    }

    #[test]
    fn other_names_are_left_to_chance() {
        let mut random = Random::predictable(1);
        let mut names: Vec<String> = (0..3000).map(|_| random.nonce()[..8].to_owned()).collect();
        names
            .iter_mut()
            .for_each(|name| name.insert_str(0, "host/"));
        for candidates in 2..6 {
            let most = most(names.iter().cloned(), candidates);
            let even = names.len() / candidates;
            assert!(most < even * 6 / 5, "{most} of {}", names.len());
        }
    }

    #[test]
    fn a_choice_stays() {
        let candidates = [id("g"), id("h"), id("i")];
        let first = choose(&id("s"), &candidates);
        assert!((0..10).all(|_| choose(&id("s"), &candidates) == first));
        assert_eq!(choose(&id("s"), [&candidates[1]]), Some(&candidates[1]));
        assert_eq!(choose(&id("s"), []), None);
    }
}
