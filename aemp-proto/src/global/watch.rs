//! Watched families: their known contents, and the changes to report.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aemp_codec::{NodeId, Value};
use indexmap::{IndexMap, IndexSet};

use super::names::is_own_key;
use crate::{Time, deadlines::Deadlines};

/// A watch, as a number. No two watches of a node ever have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// A change of a key in a watched family.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The key.
    pub key: Arc<str>,
    /// True if the key existed before.
    pub was: bool,
    /// The new value; `None` if the key is deleted.
    pub value: Option<Value>,
}

/// An event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// The present content of the family. Every watch gets this first.
    All(Vec<(Arc<str>, Value)>),
    /// The changes since the last event.
    Changes(Arc<[Change]>),
}

/// The content of one family, as its watches know it.
#[derive(Debug, Default)]
struct Watch {
    ids: Vec<WatchId>,
    known: IndexMap<Arc<str>, Value>,
    /// True if the watches have got the content.
    delivered: bool,
    /// Keys that the new master does not have, or deletes. Their owners may still be searching for a master.
    doubtful: IndexSet<Arc<str>>,
    /// The time until which deletions are doubted.
    settling: Option<Time>,
    /// The lost master, whose own entries are not doubted.
    lost: Option<NodeId>,
    /// Keys that this node has set or deleted, and that the master has not reported yet.
    unheard: IndexSet<Arc<str>>,
}

/// All watched families.
#[derive(Debug, Default)]
pub(super) struct Watches {
    families: BTreeMap<Arc<str>, Watch>,
    /// The family of each watch.
    watched: BTreeMap<WatchId, Arc<str>>,
    /// The times until which deletions are doubted, by family.
    settling: Deadlines<Arc<str>>,
    last: u64,
    /// The events that have not been taken.
    news: News,
}

/// Events, with the watches that get them.
type News = Vec<(WatchId, Watched)>;

impl Watches {
    /// Takes the events, with the watches that get them.
    pub(super) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Adds a watch. Returns true if it is the first of its family. If other watches have got the content, it gets it
    /// at once.
    pub(super) fn add(&mut self, family: &str) -> (WatchId, bool) {
        self.last += 1;
        let id = WatchId(self.last);
        let first = !self.families.contains_key(family);
        let family: Arc<str> = family.into();
        self.watched.insert(id, Arc::clone(&family));
        let watch = self.families.entry(family).or_default();
        watch.ids.push(id);
        if watch.delivered {
            self.news.push((id, Watched::All(watch.all())));
        }
        (id, first)
    }

    /// Removes a watch. Returns its family if that has no other watches.
    pub(super) fn remove(&mut self, id: WatchId) -> Option<Arc<str>> {
        let family = self.watched.remove(&id)?;
        let watch = self.families.get_mut(&family)?;
        watch.ids.retain(|other| *other != id);
        if !watch.ids.is_empty() {
            return None;
        }
        self.families.remove(&family);
        self.settling.set(&family, None);
        Some(family)
    }

    /// Takes note that the master is sent a key, and will report the result.
    pub(super) fn expect(&mut self, family: &str, key: &Arc<str>) {
        if let Some(watch) = self.families.get_mut(family) {
            watch.unheard.insert(Arc::clone(key));
        }
    }

    /// Takes the keys that the master has not reported. No more reports are expected.
    pub(super) fn unheard(&mut self) -> Vec<(Arc<str>, IndexSet<Arc<str>>)> {
        let families = self.families.iter_mut();
        families
            .map(|(family, watch)| (Arc::clone(family), std::mem::take(&mut watch.unheard)))
            .collect()
    }

    /// Deletes the keys that belong to a lost node by their names.
    pub(super) fn forget(&mut self, lost: &NodeId) {
        for watch in self.families.values_mut() {
            let own = watch
                .known
                .keys()
                .filter(|key| is_own_key(lost.as_str(), key));
            let own: Vec<_> = own.cloned().collect();
            let changes = own.iter().filter_map(|key| watch.del(key, true)).collect();
            watch.deliver(changes, &mut self.news);
        }
    }

    /// Deletes this node's value of a key. The value of another node stays visible.
    pub(super) fn del_own(&mut self, family: &str, key: &Arc<str>, old: &Value) {
        let Some(watch) = self.families.get_mut(family) else {
            return;
        };
        if watch.known.get(key) == Some(old) {
            let changes = watch.del(key, true).into_iter().collect();
            watch.deliver(changes, &mut self.news);
        }
    }

    /// The content of a family as its watches know it, if they have got it.
    pub(super) fn known(&self, family: &str) -> Option<&IndexMap<Arc<str>, Value>> {
        let watch = self.families.get(family).filter(|watch| watch.delivered)?;
        Some(&watch.known)
    }

    pub(super) fn contains(&self, family: &str) -> bool {
        self.families.contains_key(family)
    }

    /// The watched families.
    pub(super) fn families(&self) -> impl Iterator<Item = &Arc<str>> {
        self.families.keys()
    }

    /// Takes note that entries come from a new source. Keys that it lacks are doubted until `until`, except those of
    /// the lost source itself.
    pub(super) fn doubt_until(&mut self, until: Time, lost: Option<&NodeId>) {
        let families = self.families.iter_mut();
        for (family, watch) in families.filter(|(_, watch)| watch.delivered) {
            watch.settling = watch.settling.max(Some(until));
            self.settling.set(family, watch.settling);
            watch.lost = lost.cloned();
        }
    }

    /// Replaces the content of a family.
    pub(super) fn replace(
        &mut self,
        family: &str,
        entries: impl IntoIterator<Item = (Arc<str>, Value)>,
    ) {
        let Some(watch) = self.families.get_mut(family) else {
            return;
        };
        if !watch.delivered {
            watch.known = entries.into_iter().collect();
            watch.deliver_all(&mut self.news);
            return;
        }
        let mut missing: IndexSet<Arc<str>> = watch.known.keys().cloned().collect();
        let mut changes = Vec::new();
        for (key, value) in entries {
            missing.swap_remove(&key);
            changes.extend(watch.set(key, value));
        }
        for key in missing {
            changes.extend(watch.del(&key, false));
        }
        watch.deliver(changes, &mut self.news);
    }

    /// Sets keys, or deletes keys without a value.
    pub(super) fn update(
        &mut self,
        family: &str,
        entries: impl IntoIterator<Item = (Arc<str>, Option<Value>)>,
    ) {
        // Watches without the content get everything later.
        let Some(watch) = self
            .families
            .get_mut(family)
            .filter(|watch| watch.delivered)
        else {
            return;
        };
        let mut changes = Vec::new();
        for (key, value) in entries {
            changes.extend(match value {
                Some(value) => watch.set(key, value),
                None => watch.del(&key, false),
            });
        }
        watch.deliver(changes, &mut self.news);
    }

    /// True if a family's watches wait for its content.
    pub(super) fn is_waiting(&self, family: &str) -> bool {
        self.families
            .get(family)
            .is_some_and(|watch| !watch.delivered)
    }

    /// The next time at which doubts end.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.settling.first()
    }

    /// Deletes the keys that were doubted until now.
    pub(super) fn expire(&mut self, now: Time) {
        for family in self.settling.take_due(now) {
            if let Some(watch) = self.families.get_mut(&family) {
                watch.settling = None;
                let doubtful = std::mem::take(&mut watch.doubtful);
                let changes = doubtful
                    .iter()
                    .filter_map(|key| watch.del(key, true))
                    .collect();
                watch.deliver(changes, &mut self.news);
            }
        }
    }
}

impl Watch {
    fn all(&self) -> Vec<(Arc<str>, Value)> {
        let entries = self.known.iter();
        entries
            .map(|(key, value)| (Arc::clone(key), value.clone()))
            .collect()
    }

    fn deliver_all(&mut self, news: &mut News) {
        self.delivered = true;
        let all = Watched::All(self.all());
        news.extend(self.ids.iter().map(|id| (*id, all.clone())));
    }

    fn deliver(&self, changes: Vec<Change>, news: &mut News) {
        if !changes.is_empty() {
            let changes: Arc<[Change]> = changes.into();
            let told = |id: &WatchId| (*id, Watched::Changes(Arc::clone(&changes)));
            news.extend(self.ids.iter().map(told));
        }
    }

    fn set(&mut self, key: Arc<str>, value: Value) -> Option<Change> {
        self.doubtful.swap_remove(&key);
        self.unheard.swap_remove(&key);
        let old = self.known.insert(Arc::clone(&key), value.clone());
        if old.as_ref() == Some(&value) {
            return None;
        }
        let (was, value) = (old.is_some(), Some(value));
        Some(Change { key, was, value })
    }

    fn doubts(&self, key: &str) -> bool {
        let lost = self.lost.as_ref();
        self.settling.is_some() && !lost.is_some_and(|lost| is_own_key(lost.as_str(), key))
    }

    fn del(&mut self, key: &Arc<str>, certain: bool) -> Option<Change> {
        self.unheard.swap_remove(key);
        if !certain && self.doubts(key) {
            if self.known.contains_key(key) {
                self.doubtful.insert(Arc::clone(key));
            }
            return None;
        }
        self.doubtful.swap_remove(key);
        let (key, _) = self.known.swap_remove_entry(key)?;
        let (was, value) = (true, None);
        Some(Change { key, was, value })
    }
}

/// The shortest time for which deletions are doubted, and entries of lost global nodes are kept.
pub(super) fn grace(connect_interval: Duration) -> Duration {
    2 * connect_interval
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from(Duration::from_secs(seconds))
    }

    fn entries(entries: &[(&str, i64)]) -> Vec<(Arc<str>, Value)> {
        let entry = |(key, value): &(&str, i64)| ((*key).into(), (*value).into());
        entries.iter().map(entry).collect()
    }

    fn reports(watches: &mut Watches) -> Vec<String> {
        let text = |(id, watched): (WatchId, Watched)| match watched {
            Watched::All(all) => format!("{}: all {}", id.0, all.len()),
            Watched::Changes(changes) => {
                changes.iter().fold(format!("{}:", id.0), |text, change| {
                    let value = change.value.as_ref().map(Value::to_string);
                    text + &format!(
                        " {}{}={value:?}",
                        if change.was { "" } else { "+" },
                        change.key
                    )
                })
            }
        };
        watches.take_news().into_iter().map(text).collect()
    }

    #[test]
    fn all_first_then_changes_and_nothing_twice() {
        let mut watches = Watches::default();
        assert!(watches.add("f").1);
        assert!(watches.news.is_empty() && watches.is_waiting("f"));
        watches.replace("f", entries(&[("a", 1)]));
        assert_eq!(reports(&mut watches), ["1: all 1"]);
        assert!(!watches.add("f").1);
        assert_eq!(reports(&mut watches), ["2: all 1"]);
        let update = |key: &str, value: Option<i64>| [(key.into(), value.map(Value::from))];
        watches.update("f", update("b", Some(2)));
        assert_eq!(
            reports(&mut watches),
            ["1: +b=Some(\"2\")", "2: +b=Some(\"2\")"]
        );
        watches.update("f", update("b", Some(2)));
        watches.update("f", update("x", None));
        assert!(watches.news.is_empty());
        assert_eq!(watches.remove(WatchId(1)), None);
        watches.update("f", update("a", None));
        assert_eq!(reports(&mut watches), ["2: a=None"]);
        assert_eq!(watches.remove(WatchId(2)).as_deref(), Some("f"));
        assert!(!watches.contains("f"));
    }

    #[test]
    fn an_empty_family_is_reported_too() {
        let mut watches = Watches::default();
        watches.add("f");
        watches.replace("f", []);
        assert_eq!(reports(&mut watches), ["1: all 0"]);
    }

    #[test]
    fn a_new_source_is_given_time() {
        let mut watches = Watches::default();
        watches.add("f");
        let before = [
            ("kept", 1),
            ("changed", 1),
            ("gone", 1),
            ("m#1", 1),
            ("m#2", 1),
        ];
        watches.replace("f", entries(&before));
        reports(&mut watches);
        watches.doubt_until(at(4), Some(&NodeId::new("m").unwrap()));
        watches.replace("f", entries(&[("new", 1), ("m#2", 1)]));
        assert_eq!(reports(&mut watches), ["1: +new=Some(\"1\") m#1=None"]);
        watches.update("f", [("m#2".into(), None)]);
        assert_eq!(
            reports(&mut watches),
            ["1: m#2=None"],
            "it is the lost one's own"
        );
        watches.update("f", [("kept".into(), Some(1.into()))]);
        assert!(watches.news.is_empty(), "it was never gone");
        watches.update("f", [("changed".into(), Some(2.into()))]);
        assert_eq!(reports(&mut watches), ["1: changed=Some(\"2\")"]);
        watches.update("f", [("kept".into(), None)]);
        watches.update("f", [("kept".into(), Some(1.into()))]);
        watches.expire(at(3));
        assert!(watches.news.is_empty());
        assert_eq!(watches.deadline(), Some(at(4)));
        watches.expire(at(4));
        assert_eq!(reports(&mut watches), ["1: gone=None"]);
        watches.update("f", [("kept".into(), None)]);
        assert_eq!(reports(&mut watches), ["1: kept=None"]);
    }
}
