//! Appending heads, short strings and numbers in one step.
//!
//! Most parts of a packet are shorter than 16 bytes. Such a part is put together in a register and appended as 16
//! bytes, and the buffer is then cut to the right length. So there is one check of the buffer's capacity, and no call
//! that copies memory.

/// The number of bytes that one step can append.
const STEP: usize = size_of::<u128>();

/// The number of octets that fit into one step together with a head of `HEAD` bytes.
pub(crate) const fn few<const HEAD: usize>() -> usize {
    STEP - HEAD
}

/// Appends the first `length` bytes of a word, which are its least significant ones.
#[inline]
pub(crate) fn push_word(out: &mut Vec<u8>, word: u128, length: usize) {
    let start = out.len();
    if out.capacity().wrapping_sub(start) < STEP {
        return push_word_with_room(out, word, length);
    }
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(start + length);
}

/// A function of its own, so that the short path saves no registers for this one.
#[cold]
#[inline(never)]
fn push_word_with_room(out: &mut Vec<u8>, word: u128, length: usize) {
    out.extend_from_slice(&word.to_le_bytes()[..length]);
}

/// Appends a head of `HEAD` bytes and at most [`few`] octets.
#[inline]
pub(crate) fn push_few<const HEAD: usize>(out: &mut Vec<u8>, head: u16, octets: &[u8]) {
    let word = word(octets) << (8 * HEAD) | u128::from(head);
    push_word(out, word, HEAD + octets.len());
}

/// Up to 15 octets as a number. The first octet is the least significant one.
#[inline]
fn word(octets: &[u8]) -> u128 {
    let n = octets.len();
    // The overlapping bytes are equal in both.
    if let (Some(first), Some(last)) = (octets.first_chunk(), octets.last_chunk()) {
        let [first, last] = [first, last].map(|chunk| u128::from(u64::from_le_bytes(*chunk)));
        return first | last << (8 * (n % 8));
    }
    if let (Some(first), Some(last)) = (octets.first_chunk(), octets.last_chunk()) {
        let [first, last] = [first, last].map(|chunk| u64::from(u32::from_le_bytes(*chunk)));
        return u128::from(first | last << (8 * (n % 4)));
    }
    let [Some(&first), Some(&middle), Some(&last)] =
        [0, n / 2, n.saturating_sub(1)].map(|at| octets.get(at))
    else {
        return 0;
    };
    let [first, middle, last] = [first, middle, last].map(u32::from);
    u128::from(first | middle << (8 * (n / 2)) | last << (8 * (n - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_octets_in_one_step() {
        let octets: Vec<u8> = (0xe1..).take(15).collect();
        for length in 0..=few::<2>() {
            for capacity in [0, 64] {
                let mut out = Vec::with_capacity(capacity);
                out.push(1);
                push_few::<2>(&mut out, 0x0302, &octets[..length]);
                assert_eq!(out, [&[1, 2, 3], &octets[..length]].concat());
                push_few::<1>(&mut out, 4, &octets[..=length]);
                assert_eq!(out[3 + length..], [&[4], &octets[..=length]].concat());
            }
        }
    }
}
