//! The entries that the master must be sent, and the questions to it.

use std::sync::Arc;

use super::{
    dirty::{Dirty, DirtyFamilies},
    local::Local,
    outgoing::{Outgoing, Set, Style, Way, keys_of},
    pending::{Ask, Pending},
};

#[derive(Debug, Default)]
pub(super) struct Upstream {
    entries: Entries,
    pub(super) questions: Pending,
}

/// The entries of this node that the master has not been sent.
#[derive(Debug)]
enum Entries {
    /// It must be sent all.
    All,
    /// It has been sent all but these.
    Changes(DirtyFamilies),
}

impl Default for Entries {
    fn default() -> Self {
        Self::Changes(DirtyFamilies::new())
    }
}

impl Upstream {
    /// Begins with a new master, which must be sent everything.
    pub(super) fn begin(&mut self) {
        self.entries = Entries::All;
        self.questions.ask_again();
    }

    /// Ends with the master: this node is its own.
    pub(super) fn end(&mut self) {
        self.entries = Entries::default();
    }

    /// Notes that an entry was set or deleted.
    pub(super) fn changed(&mut self, family: &Arc<str>, key: &Arc<str>, was: bool, is: bool) {
        let Entries::Changes(changes) = &mut self.entries else {
            return;
        };
        match changes.get_mut(&**family) {
            Some(dirty) => dirty.add(key, was, is),
            None => {
                let mut dirty = Dirty::default();
                dirty.add(key, was, is);
                changes.insert(Arc::clone(family), dirty);
            }
        }
    }

    /// True if there is something to send.
    pub(super) fn is_due(&self) -> bool {
        let entries = match &self.entries {
            Entries::All => true,
            Entries::Changes(changes) => !changes.is_empty(),
        };
        entries || self.questions.has_unsent()
    }

    /// Sends the master the whole local database first, then changes, then questions. So an answer covers everything
    /// that was set before the question.
    pub(super) fn send(&mut self, local: &Local, way: &mut Way<'_, impl Outgoing>) {
        let changes = match &mut self.entries {
            Entries::Changes(changes) => changes,
            all @ Entries::All => {
                *all = Entries::Changes(upload(local, way));
                return self.send(local, way);
            }
        };
        for (family, keys) in &mut *changes {
            let value = |key: &str| local.get(family, key);
            way.changes(Style::Upstream, family, keys, value);
        }
        changes.retain(|_, keys| !keys.is_empty());
        if changes.is_empty() {
            self.ask(way);
        }
    }

    fn ask(&mut self, way: &mut Way<'_, impl Outgoing>) {
        while let Some((ask, query)) = self.questions.next_unsent() {
            // Every format can express names and numbers.
            let _ = way.send(|packet| match (&ask, &query) {
                (Ask::Find(node), _) => {
                    packet.str("g_find")?;
                    packet.str(node.as_str())
                }
                (Ask::Query(id), Some((kind, family))) => {
                    packet.str(kind.request())?;
                    packet.str(family)?;
                    packet.arg(&id.0)
                }
                (Ask::Monitor(family), _) => {
                    packet.str("g_mon1")?;
                    packet.str(family)
                }
                (Ask::Query(_), None) => Ok(()),
            });
        }
    }
}

/// Sends all entries. Returns those that must follow as changes.
fn upload(local: &Local, way: &mut Way<'_, impl Outgoing>) -> DirtyFamilies {
    let families: Vec<_> = local.iter().collect();
    let all: Vec<(&str, Vec<Set<'_>>)> = families
        .iter()
        .map(|(family, entries)| {
            let entries = entries.iter().map(|(key, value)| (&**key, value));
            (&***family, entries.collect())
        })
        .collect();
    let mut rest = DirtyFamilies::new();
    if !way.database("g_slave", &[], &all) {
        for (family, entries) in families {
            let dirty = rest.entry(Arc::clone(family)).or_default();
            dirty.add_new(keys_of(entries));
        }
    }
    rest
}
