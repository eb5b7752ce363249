//! The changes that a watch has received and its user has not taken yet. There are at most as many as the family has
//! keys.

use std::sync::Arc;

use aemp_codec::Value;
use indexmap::{IndexMap, map::Entry};

use aemp_proto::global::{Change, Watched};

/// The events that one watch has gathered.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The contents, until they are taken.
    all: Option<IndexMap<Arc<str>, Value>>,
    changes: IndexMap<Arc<str>, Pending>,
}

/// A pending change of one key.
#[derive(Debug)]
struct Pending {
    /// True if the user of the watch knows the key.
    was: bool,
    value: Option<Value>,
}

/// The events that [`Gathered::take`] returns.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    All(IndexMap<Arc<str>, Value>),
    Changes(Vec<Change>),
}

impl Gathered {
    pub(super) fn add(&mut self, told: Watched) {
        match told {
            Watched::All(entries) => {
                self.changes.clear();
                self.all = Some(entries.into_iter().collect());
            }
            Watched::Changes(changes) => {
                for change in changes.iter() {
                    self.change(change);
                }
            }
        }
    }

    fn change(&mut self, change: &Change) {
        if let Some(all) = &mut self.all {
            match &change.value {
                Some(value) => drop(all.insert(Arc::clone(&change.key), value.clone())),
                None => drop(all.swap_remove(&change.key)),
            }
            return;
        }
        let value = change.value.clone();
        let mut pending = match self.changes.entry(Arc::clone(&change.key)) {
            Entry::Occupied(pending) => pending,
            Entry::Vacant(vacant) => {
                let was = change.was;
                vacant.insert(Pending { was, value });
                return;
            }
        };
        if !pending.get().was && value.is_none() {
            // The key was added and deleted again before the user saw it.
            pending.swap_remove();
        } else {
            pending.get_mut().value = value;
        }
    }

    /// Takes the gathered events.
    pub(super) fn take(&mut self) -> Option<Taken> {
        if let Some(all) = self.all.take() {
            return Some(Taken::All(all));
        }
        if self.changes.is_empty() {
            return None;
        }
        let changes = std::mem::take(&mut self.changes).into_iter();
        let change = |(key, Pending { was, value })| Change { key, was, value };
        Some(Taken::Changes(changes.map(change).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, was: bool, value: Option<i64>) -> Change {
        let (key, value) = (key.into(), value.map(Value::from));
        Change { key, was, value }
    }

    fn changes(changes: &[Change]) -> Watched {
        Watched::Changes(changes.into())
    }

    #[test]
    fn changes_of_one_key_become_one() {
        let mut gathered = Gathered::default();
        gathered.add(changes(&[
            change("new", false, Some(1)),
            change("old", true, Some(1)),
            change("brief", false, Some(1)),
        ]));
        gathered.add(changes(&[
            change("new", true, Some(2)),
            change("old", true, None),
            change("brief", true, None),
        ]));
        let mut expected = vec![change("new", false, Some(2)), change("old", true, None)];
        let Some(Taken::Changes(mut changes)) = gathered.take() else {
            panic!("nothing to take")
        };
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        expected.sort_by(|a, b| a.key.cmp(&b.key));
        assert_eq!(changes, expected);
        assert_eq!(gathered.take(), None);
    }

    #[test]
    fn a_deleted_key_that_returns_counts_as_changed() {
        let mut gathered = Gathered::default();
        gathered.add(changes(&[change("k", true, None)]));
        gathered.add(changes(&[change("k", false, Some(2))]));
        let changes = vec![change("k", true, Some(2))];
        assert_eq!(gathered.take(), Some(Taken::Changes(changes)));
    }

    #[test]
    fn contents_that_were_not_taken_are_kept_up_to_date() {
        let mut gathered = Gathered::default();
        gathered.add(Watched::All(vec![
            ("a".into(), 1.into()),
            ("b".into(), 1.into()),
        ]));
        gathered.add(changes(&[
            change("a", true, None),
            change("c", false, Some(3)),
        ]));
        let Some(Taken::All(all)) = gathered.take() else {
            panic!("nothing to take")
        };
        let mut all: Vec<_> = all
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        all.sort();
        assert_eq!(all, ["b=1", "c=3"]);
        gathered.add(changes(&[]));
        assert_eq!(gathered.take(), None);
    }
}
