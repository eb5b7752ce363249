//! The hashes that proofs are made of (feature `auth`). The HMAC is `SimpleHmac`, because the block-level one does not take
//! SHA-3.

#[cfg(feature = "auth")]
mod sha3_512 {
    use hmac::{KeyInit, Mac, SimpleHmac};
    use sha3::{Digest, Sha3_512};
    use subtle::ConstantTimeEq;
    use zeroize::Zeroizing;

    /// SHA3-512 over all pieces.
    pub(crate) fn hash<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<Zeroizing<Vec<u8>>> {
        let mut hash = Sha3_512::new();
        pieces.for_each(|piece| hash.update(piece));
        Some(Zeroizing::new(hash.finalize().to_vec()))
    }

    /// HMAC-SHA3-512 over all pieces.
    pub(crate) fn hmac<'a>(
        key: &[u8],
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let mut hmac =
            SimpleHmac::<Sha3_512>::new_from_slice(key).expect("HMAC takes keys of any length");
        pieces.for_each(|piece| hmac.update(piece));
        Some(Zeroizing::new(hmac.finalize().into_bytes().to_vec()))
    }

    /// True if the proofs are the same. The comparison takes constant time.
    pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
        a.ct_eq(b).into()
    }

    /// The block of that number in a sequence that cannot be foretold without the seed.
    pub(crate) fn block(seed: &[u8; 32], number: u64) -> [u8; 64] {
        let mut hash = Sha3_512::new();
        hash.update(seed);
        hash.update(number.to_le_bytes());
        hash.finalize().into()
    }
}

/// Without the feature there are no proofs, so no connection can be made.
#[cfg(not(feature = "auth"))]
mod absent {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use zeroize::Zeroizing;

    pub(crate) fn hash<'a>(_pieces: impl Iterator<Item = &'a [u8]>) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    pub(crate) fn hmac<'a>(
        _key: &[u8],
        _pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    pub(crate) fn equal(_: &[u8], _: &[u8]) -> bool {
        false
    }

    /// Good for delays. Nonces protect nothing where nothing can be proved.
    pub(crate) fn block(seed: &[u8; 32], number: u64) -> [u8; 64] {
        let mut block = [0; 64];
        for (index, part) in block.chunks_exact_mut(8).enumerate() {
            let mut hasher = DefaultHasher::new();
            (seed, number, index).hash(&mut hasher);
            part.copy_from_slice(&hasher.finish().to_le_bytes());
        }
        block
    }
}

#[cfg(not(feature = "auth"))]
pub(crate) use absent::{block, equal, hash, hmac};
#[cfg(feature = "auth")]
pub(crate) use sha3_512::{block, equal, hash, hmac};
