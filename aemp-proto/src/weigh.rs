//! The memory of values that are kept, as allocators give it. It can be a hundred times their size on the wire.

use aemp_codec::{Map, Value};

/// The overhead of an allocation, and the granularity of its size.
const HEAD: usize = 8;
const GRAIN: usize = 16;
/// The size of the smallest allocation.
const LEAST: usize = 32;
/// The counters of an `Arc`, beside its content.
const COUNTERS: usize = 16;
/// The size of a map without its entries.
const MAP: usize = 72;
/// The size of a map's entry: hash, key and value.
const MAP_ENTRY: usize = 8 + size_of::<String>() + size_of::<Value>();
/// The overhead of a hash table, beside its slots.
const TABLE: usize = 16;
/// The size of a slot in a hash table of indices, with its control byte.
const PLACE: usize = 9;

/// The memory of something that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The bytes on the heap.
    pub bytes: usize,
    /// The number of values and keys, as the packet counts them.
    pub values: usize,
}

/// The memory that an allocation of `bytes` bytes takes.
pub(crate) fn block(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        _ => (bytes + HEAD).next_multiple_of(GRAIN).max(LEAST),
    }
}

/// The memory of a shared name.
pub(crate) fn name(text: &str) -> usize {
    block(COUNTERS + text.len())
}

/// The memory of a value, without the `Value` itself.
pub fn kept(value: &Value) -> Kept {
    let mut kept = Kept::default();
    kept.add(value);
    kept
}

impl Kept {
    fn add(&mut self, value: &Value) {
        self.values += 1;
        match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Float(_) => {}
            Value::Str(text) => self.bytes += block(text.capacity()),
            Value::Bytes(octets) => self.bytes += block(octets.capacity()),
            Value::Array(list) => {
                self.bytes += block(list.capacity() * size_of::<Value>());
                list.iter().for_each(|value| self.add(value));
            }
            Value::Map(map) => self.add_map(map),
        }
    }

    fn add_map(&mut self, map: &Map) {
        self.values += map.len();
        self.bytes += block(MAP) + table(map.len(), MAP_ENTRY);
        for (key, value) in map {
            self.bytes += block(key.len());
            self.add(value);
        }
    }
}

/// The memory of an ordered hash table that has grown to `entries` entries of `entry` bytes each.
fn table(entries: usize, entry: usize) -> usize {
    let places = match entries {
        0 => return 0,
        1..=3 => 4,
        4..=7 => 8,
        _ => (entries * 8).div_ceil(7).next_power_of_two(),
    };
    let room = if places == 4 { 3 } else { places / 8 * 7 };
    block(room * entry) + block(places * PLACE + TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contents_of_a_value_count() {
        assert_eq!(
            kept(&1.into()),
            Kept {
                bytes: 0,
                values: 1
            }
        );
        let text = Value::from("x".repeat(100));
        assert_eq!(
            kept(&text),
            Kept {
                bytes: 112,
                values: 1
            }
        );
        let list = Value::from(vec![text.clone(), Value::Null]);
        let both = block(2 * size_of::<Value>()) + 112;
        assert_eq!(
            kept(&list),
            Kept {
                bytes: both,
                values: 3
            }
        );
        let map: Map = [("a", list), ("b", Value::Null)].into_iter().collect();
        let kept = kept(&Value::Map(map));
        assert_eq!(kept.values, 1 + 2 + 3 + 1);
        assert!(
            kept.bytes > both + MAP + 2 * MAP_ENTRY + 2 * LEAST,
            "{kept:?}"
        );
    }

    #[test]
    fn allocations_have_a_least_size() {
        let taken = [0, 1, 24, 25, 40, 41].map(block);
        assert_eq!(taken, [0, 32, 32, 48, 48, 64]);
    }
}
