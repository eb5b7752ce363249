//! One family of the database: its entries with their owners, and its changes.
//!
//! The changes are the differences of two answers. So they are those of any database, that of a Perl node too; an entry that
//! changes twice within a second has changed once.

use std::collections::{BTreeMap, VecDeque};

/// The number of changes that are kept.
const CHANGES: usize = 50;

/// The answer about a family.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The name.
    pub family: String,
    /// The time of the answer, in seconds.
    pub at: f64,
    /// The entries by key, or an error text.
    pub entries: Result<BTreeMap<String, Entry>, String>,
}

/// An entry of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value, in the form for the screen.
    pub value: String,
    /// The node that has set it, if that is known.
    pub owner: Option<String>,
}

/// A change of an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The time at which it was noticed, in seconds.
    pub at: f64,
    /// The key.
    pub key: String,
    /// The entry before, if there was one.
    pub before: Option<Entry>,
    /// The entry since then, if it is still there.
    pub now: Option<Entry>,
}

/// An open family.
#[derive(Clone, Debug)]
pub struct Family {
    /// The entries by key, or an error text.
    pub entries: Result<BTreeMap<String, Entry>, String>,
    /// The last changes, the newest first.
    pub changes: VecDeque<Turn>,
    /// True if there has been an answer to compare with.
    is_known: bool,
}

impl Default for Family {
    fn default() -> Self {
        Self {
            entries: Ok(BTreeMap::new()),
            changes: VecDeque::new(),
            is_known: false,
        }
    }
}

impl Family {
    /// Takes an answer.
    pub(super) fn take(&mut self, opened: Opened) {
        let Opened { at, entries, .. } = opened;
        // The entries before a failure are still those to compare with.
        let (Ok(now), Ok(before)) = (&entries, &self.entries) else {
            (self.entries, self.is_known) = (entries, false);
            return;
        };
        if self.is_known {
            let mut turns = turns(at, before, now);
            turns.truncate(CHANGES);
            for turn in turns {
                self.changes.push_front(turn);
            }
            self.changes.truncate(CHANGES);
        }
        (self.entries, self.is_known) = (entries, true);
    }
}

fn turns(at: f64, before: &BTreeMap<String, Entry>, now: &BTreeMap<String, Entry>) -> Vec<Turn> {
    let turn = |key: &String| {
        let (before, now) = (before.get(key), now.get(key));
        // The owner may become known later.
        let is_same = match (before, now) {
            (Some(before), Some(now)) => {
                let owners = before.owner.as_ref().zip(now.owner.as_ref());
                before.value == now.value && owners.is_none_or(|(before, now)| before == now)
            }
            _ => false,
        };
        (!is_same).then(|| Turn {
            at,
            key: key.clone(),
            before: before.cloned(),
            now: now.cloned(),
        })
    };
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    now.keys().chain(gone).filter_map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(at: f64, entries: &[(&str, &str, &str)]) -> Opened {
        let entries = entries.iter().map(|(key, value, owner)| {
            let owner = (!owner.is_empty()).then(|| (*owner).to_owned());
            let value = (*value).to_owned();
            ((*key).to_owned(), Entry { value, owner })
        });
        Opened {
            family: "menu".into(),
            at,
            entries: Ok(entries.collect()),
        }
    }

    #[test]
    fn changes_are_the_differences_of_answers() {
        let mut family = Family::default();
        family.take(opened(
            0.0,
            &[("a", "1", "x"), ("b", "1", ""), ("c", "1", "x")],
        ));
        assert!(
            family.changes.is_empty(),
            "there was nothing to compare with"
        );
        family.take(opened(
            1.0,
            &[("a", "2", "x"), ("b", "1", "y"), ("d", "1", "x")],
        ));
        family.take(opened(
            2.0,
            &[("a", "2", "z"), ("b", "1", ""), ("d", "1", "x")],
        ));
        let changes = family.changes.iter();
        let changes = changes.map(|turn| {
            (
                turn.at,
                &*turn.key,
                turn.before.is_some(),
                turn.now.is_some(),
            )
        });
        let changes: Vec<_> = changes.collect();
        assert_eq!(
            changes,
            [
                (2.0, "a", true, true),
                (1.0, "c", true, false),
                (1.0, "d", false, true),
                (1.0, "a", true, true)
            ]
        );
    }

    #[test]
    fn a_failure_is_no_change() {
        let mut family = Family::default();
        family.take(opened(0.0, &[("a", "1", "x")]));
        let failed = Opened {
            entries: Err("no answer".into()),
            ..opened(1.0, &[])
        };
        family.take(failed);
        assert!(family.entries.is_err());
        family.take(opened(2.0, &[("b", "1", "x")]));
        family.take(opened(3.0, &[("b", "1", "x")]));
        assert!(family.changes.is_empty(), "{:?}", family.changes);
    }

    #[test]
    fn there_are_so_many_changes_and_no_more() {
        let mut family = Family::default();
        for at in 0..100 {
            let value = at.to_string();
            let entries: Vec<_> = (0..20).map(|n| format!("key{n}")).collect();
            let entries: Vec<_> = entries.iter().map(|key| (&**key, &*value, "x")).collect();
            family.take(opened(f64::from(at), &entries));
            assert!(family.changes.len() <= CHANGES);
        }
        assert_eq!(family.changes[0].at, 99.0);
    }
}
