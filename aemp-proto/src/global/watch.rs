//! Watched families: their known contents, and the changes to report.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aemp_codec::{NodeId, Value};
use indexmap::{IndexMap, IndexSet};

use super::names::is_own_key;
use crate::Time;

/// A watch, by a number that no two of a node ever share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// What has happened to a key of a watched family.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The key.
    pub key: Arc<str>,
    /// Whether it was there before.
    pub was: bool,
    /// Its value now; `None` if it is deleted.
    pub value: Option<Value>,
}

/// What a watch is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// The family as it is: the first that every watch is told.
    All(Vec<(Arc<str>, Value)>),
    /// What has changed since.
    Changes(Arc<[Change]>),
}

/// What one family holds, as far as its watches have been told.
#[derive(Debug, Default)]
struct Watch {
    ids: Vec<WatchId>,
    known: IndexMap<Arc<str>, Value>,
    /// Whether the watches have been told what the family holds.
    told: bool,
    /// Keys that the new master does not have, or takes away: perhaps their owners are looking for a master still.
    doubtful: IndexSet<Arc<str>>,
    /// Until when deletions are doubted.
    settling: Option<Time>,
    /// Whose own entries are not doubted: the lost master.
    lost: Option<NodeId>,
    /// Keys that this node has set or deleted, and the master has not told of yet.
    unheard: IndexSet<Arc<str>>,
}

/// All watched families.
#[derive(Debug, Default)]
pub(super) struct Watches {
    families: BTreeMap<Arc<str>, Watch>,
    last: u64,
}

/// What there is to tell whom.
pub(super) type News = Vec<(WatchId, Watched)>;

impl Watches {
    /// A new watch; whether it is the first of its family. Others that have been told already have it told at once.
    pub(super) fn add(&mut self, family: &str, news: &mut News) -> (WatchId, bool) {
        self.last += 1;
        let id = WatchId(self.last);
        let first = !self.families.contains_key(family);
        let watch = self.families.entry(family.into()).or_default();
        watch.ids.push(id);
        if watch.told {
            news.push((id, Watched::All(watch.all())));
        }
        (id, first)
    }

    /// A watch ends: its family, if nobody watches it any more.
    pub(super) fn remove(&mut self, id: WatchId) -> Option<Arc<str>> {
        let (family, watch) = self
            .families
            .iter_mut()
            .find(|(_, watch)| watch.ids.contains(&id))?;
        watch.ids.retain(|other| *other != id);
        if !watch.ids.is_empty() {
            return None;
        }
        let family = Arc::clone(family);
        self.families.remove(&family);
        Some(family)
    }

    /// The master is to be told of a key, and will tell what has become of it.
    pub(super) fn expect(&mut self, family: &str, key: &Arc<str>) {
        if let Some(watch) = self.families.get_mut(family) {
            watch.unheard.insert(Arc::clone(key));
        }
    }

    /// The keys that the master has not told of; nothing is expected of it any more.
    pub(super) fn unheard(&mut self) -> Vec<(Arc<str>, IndexSet<Arc<str>>)> {
        let families = self.families.iter_mut();
        families
            .map(|(family, watch)| (Arc::clone(family), std::mem::take(&mut watch.unheard)))
            .collect()
    }

    /// A node is lost, and with it what is its own by its name.
    pub(super) fn forget(&mut self, lost: &NodeId, news: &mut News) {
        for watch in self.families.values_mut() {
            let own = watch
                .known
                .keys()
                .filter(|key| is_own_key(lost.as_str(), key));
            let own: Vec<_> = own.cloned().collect();
            let changes = own.iter().filter_map(|key| watch.del(key, true)).collect();
            watch.tell(changes, news);
        }
    }

    /// This node has deleted a key. What another node has set of it shows still.
    pub(super) fn del_own(&mut self, family: &str, key: &Arc<str>, old: &Value, news: &mut News) {
        let Some(watch) = self.families.get_mut(family) else {
            return;
        };
        if watch.known.get(key) == Some(old) {
            let changes = watch.del(key, true).into_iter().collect();
            watch.tell(changes, news);
        }
    }

    /// What watches have been told that a family holds, if they have.
    pub(super) fn known(&self, family: &str) -> Option<&IndexMap<Arc<str>, Value>> {
        let watch = self.families.get(family).filter(|watch| watch.told)?;
        Some(&watch.known)
    }

    pub(super) fn contains(&self, family: &str) -> bool {
        self.families.contains_key(family)
    }

    /// The families that are watched.
    pub(super) fn families(&self) -> impl Iterator<Item = &Arc<str>> {
        self.families.keys()
    }

    /// The source of what is known is another from now on. What it does not know is doubted until then, except what was the
    /// lost source's own.
    pub(super) fn settle(&mut self, until: Time, lost: Option<&NodeId>) {
        for watch in self.families.values_mut().filter(|watch| watch.told) {
            watch.settling = watch.settling.max(Some(until));
            watch.lost = lost.cloned();
        }
    }

    /// This is what a family holds.
    pub(super) fn replace(
        &mut self,
        family: &str,
        entries: impl IntoIterator<Item = (Arc<str>, Value)>,
        news: &mut News,
    ) {
        let Some(watch) = self.families.get_mut(family) else {
            return;
        };
        if !watch.told {
            watch.known = entries.into_iter().collect();
            watch.tell_all(news);
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
        watch.tell(changes, news);
    }

    /// Keys have been set, or deleted where there is no value.
    pub(super) fn update(
        &mut self,
        family: &str,
        entries: impl IntoIterator<Item = (Arc<str>, Option<Value>)>,
        news: &mut News,
    ) {
        // Who has been told nothing yet will be told all.
        let Some(watch) = self.families.get_mut(family).filter(|watch| watch.told) else {
            return;
        };
        let mut changes = Vec::new();
        for (key, value) in entries {
            changes.extend(match value {
                Some(value) => watch.set(key, value),
                None => watch.del(&key, false),
            });
        }
        watch.tell(changes, news);
    }

    /// Whether a family's watches wait for what it holds.
    pub(super) fn is_waiting(&self, family: &str) -> bool {
        self.families.get(family).is_some_and(|watch| !watch.told)
    }

    /// When doubts end next.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.families
            .values()
            .filter_map(|watch| watch.settling)
            .min()
    }

    /// What was doubted until now is gone.
    pub(super) fn expire(&mut self, now: Time, news: &mut News) {
        for watch in self.families.values_mut() {
            if watch.settling.take_if(|until| *until <= now).is_some() {
                let doubtful = std::mem::take(&mut watch.doubtful);
                let changes = doubtful
                    .iter()
                    .filter_map(|key| watch.del(key, true))
                    .collect();
                watch.tell(changes, news);
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

    fn tell_all(&mut self, news: &mut News) {
        self.told = true;
        let all = Watched::All(self.all());
        news.extend(self.ids.iter().map(|id| (*id, all.clone())));
    }

    fn tell(&self, changes: Vec<Change>, news: &mut News) {
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

/// How long deletions are doubted at least, and lost global nodes' entries kept.
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

    fn told(news: &mut News) -> Vec<String> {
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
        news.drain(..).map(text).collect()
    }

    #[test]
    fn all_first_then_changes_and_nothing_twice() {
        let (mut watches, mut news) = (Watches::default(), News::new());
        assert!(watches.add("f", &mut news).1);
        assert!(news.is_empty() && watches.is_waiting("f"));
        watches.replace("f", entries(&[("a", 1)]), &mut news);
        assert_eq!(told(&mut news), ["1: all 1"]);
        assert!(!watches.add("f", &mut news).1);
        assert_eq!(told(&mut news), ["2: all 1"]);
        let update = |key: &str, value: Option<i64>| [(key.into(), value.map(Value::from))];
        watches.update("f", update("b", Some(2)), &mut news);
        assert_eq!(told(&mut news), ["1: +b=Some(\"2\")", "2: +b=Some(\"2\")"]);
        watches.update("f", update("b", Some(2)), &mut news);
        watches.update("f", update("x", None), &mut news);
        assert!(news.is_empty());
        assert_eq!(watches.remove(WatchId(1)), None);
        watches.update("f", update("a", None), &mut news);
        assert_eq!(told(&mut news), ["2: a=None"]);
        assert_eq!(watches.remove(WatchId(2)).as_deref(), Some("f"));
        assert!(!watches.contains("f"));
    }

    #[test]
    fn an_empty_family_is_told_too() {
        let (mut watches, mut news) = (Watches::default(), News::new());
        watches.add("f", &mut news);
        watches.replace("f", [], &mut news);
        assert_eq!(told(&mut news), ["1: all 0"]);
    }

    #[test]
    fn a_new_source_is_given_time() {
        let (mut watches, mut news) = (Watches::default(), News::new());
        watches.add("f", &mut news);
        let before = [
            ("kept", 1),
            ("changed", 1),
            ("gone", 1),
            ("m#1", 1),
            ("m#2", 1),
        ];
        watches.replace("f", entries(&before), &mut news);
        told(&mut news);
        watches.settle(at(4), Some(&NodeId::new("m").unwrap()));
        watches.replace("f", entries(&[("new", 1), ("m#2", 1)]), &mut news);
        assert_eq!(told(&mut news), ["1: +new=Some(\"1\") m#1=None"]);
        watches.update("f", [("m#2".into(), None)], &mut news);
        assert_eq!(told(&mut news), ["1: m#2=None"], "it is the lost one's own");
        watches.update("f", [("kept".into(), Some(1.into()))], &mut news);
        assert!(news.is_empty(), "it was never gone");
        watches.update("f", [("changed".into(), Some(2.into()))], &mut news);
        assert_eq!(told(&mut news), ["1: changed=Some(\"2\")"]);
        watches.update("f", [("kept".into(), None)], &mut news);
        watches.update("f", [("kept".into(), Some(1.into()))], &mut news);
        watches.expire(at(3), &mut news);
        assert!(news.is_empty());
        assert_eq!(watches.deadline(), Some(at(4)));
        watches.expire(at(4), &mut news);
        assert_eq!(told(&mut news), ["1: gone=None"]);
        watches.update("f", [("kept".into(), None)], &mut news);
        assert_eq!(told(&mut news), ["1: kept=None"]);
    }
}
