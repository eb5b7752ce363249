//! Changed keys that a receiver has not been sent yet: at most as many as the family and the receiver have.

use std::{collections::BTreeMap, sync::Arc};

use indexmap::{IndexMap, map::Entry};

/// The keys of one family that must be sent to one receiver. The values are true if the receiver knows the key.
#[derive(Debug, Default)]
pub(super) struct Dirty(IndexMap<Arc<str>, bool>);

/// Dirty keys by family.
pub(super) type DirtyFamilies = BTreeMap<Arc<str>, Dirty>;

impl Dirty {
    /// Adds a key that has changed. `was` and `is` say whether it existed before, and whether it exists now.
    pub(super) fn add(&mut self, key: &Arc<str>, was: bool, is: bool) {
        match self.0.entry(Arc::clone(key)) {
            // The key has come and gone before it was sent.
            Entry::Occupied(known) if !*known.get() && !is => drop(known.swap_remove()),
            Entry::Vacant(vacant) if was || is => drop(vacant.insert(was)),
            Entry::Occupied(_) | Entry::Vacant(_) => {}
        }
    }

    /// Adds keys that exist and that the receiver does not know.
    pub(super) fn add_new(&mut self, keys: impl IntoIterator<Item = Arc<str>>) {
        for key in keys {
            self.0.entry(key).or_insert(false);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys()
    }

    /// Removes the first keys, which have been sent.
    pub(super) fn remove_sent(&mut self, count: usize) {
        if count == self.0.len() {
            self.0.clear();
        } else {
            self.0.drain(..count);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A change of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// True if the key existed before.
    pub(super) was: bool,
    /// The place of the owner whose value has changed; `None` if there may be several.
    pub(super) by: Option<u32>,
}

/// The changes of one family in order.
pub(super) type Notes = Vec<(Arc<str>, Note)>;

/// Changes by family.
pub(super) type Noted = BTreeMap<Arc<str>, Notes>;

/// Notes that a key has changed.
pub(super) fn changed(noted: &mut Noted, family: &Arc<str>, key: &Arc<str>, note: Note) {
    let note = (Arc::clone(key), note);
    match noted.get_mut(&**family) {
        Some(notes) => notes.push(note),
        None => drop(noted.insert(Arc::clone(family), vec![note])),
    }
}

/// Each key once: whether it existed before the first of its changes, and the owner if it is the same for all.
pub(super) fn merged(notes: Notes) -> impl Iterator<Item = (Arc<str>, Note)> {
    let (one, several) = if notes.len() == 1 {
        (notes, IndexMap::new())
    } else {
        let mut first: IndexMap<Arc<str>, Note> = IndexMap::with_capacity(notes.len());
        for (key, note) in notes {
            let known = first.entry(key).or_insert(note);
            if known.by != note.by {
                known.by = None;
            }
        }
        (Vec::new(), first)
    };
    one.into_iter().chain(several)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_come_and_go_unsent_are_forgotten() {
        let mut dirty = Dirty::default();
        let key: Arc<str> = "k".into();
        dirty.add(&key, false, true);
        dirty.add(&key, true, true);
        assert_eq!(dirty.len(), 1);
        dirty.add(&key, true, false);
        assert!(dirty.is_empty());
        dirty.add(&key, false, false);
        assert!(dirty.is_empty());
        dirty.add(&key, true, false);
        dirty.add(&key, false, true);
        dirty.add(&key, true, false);
        assert_eq!(dirty.len(), 1, "the receiver knows it");
    }

    #[test]
    fn the_first_of_several_changes_of_a_key_counts() {
        let note = |key: &str, was, by| (Arc::from(key), Note { was, by });
        let notes = vec![
            note("a", false, Some(1)),
            note("b", true, Some(1)),
            note("a", true, Some(2)),
            note("b", true, Some(1)),
        ];
        let merged: Vec<_> = merged(notes).collect();
        assert_eq!(merged, [note("a", false, None), note("b", true, Some(1))]);
    }
}
