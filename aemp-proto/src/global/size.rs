//! The memory that entries and watches take, as far as the quotas count it.

use aemp_codec::Value;

use crate::weigh::{Kept, kept, name};

/// The average memory of an entry in the tables of its family and of its owner: 64 and 24 bytes, and two slots of hash
/// tables, where the tables are between half full and full.
const ENTRY: usize = 150;
/// The memory of a family with its first tables, for each owner of entries in it.
const FAMILY: usize = 500;
/// The memory of a watch of a family.
const WATCH: usize = 400;
/// The usage of an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) keys: usize,
    pub(super) bytes: usize,
}

/// The approximate memory of an entry in bytes, and its number of values.
pub(super) fn size(key: &str, value: &Value) -> Kept {
    let Kept { bytes, values } = kept(value);
    Kept {
        bytes: ENTRY + name(key) + bytes,
        values,
    }
}

/// The approximate memory of a family in bytes, for an owner of entries in it.
pub(super) fn size_of_family(family: &str) -> usize {
    FAMILY + name(family)
}

/// The approximate memory of a watch of a family, in bytes.
pub(super) fn size_of_watch(family: &str) -> usize {
    WATCH + name(family)
}
