//! The members as one watcher reports them: a state machine without I/O.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use aemp_codec::{PortId, Value};
use tokio::time::Instant;

use crate::{db::FamilyEvent, topic::name::port_of};

/// The time for which a member whose entry is gone without a mark is still present.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// A change to report.
#[derive(Debug, PartialEq)]
pub(super) enum Change {
    /// The members at the beginning.
    Here(BTreeMap<PortId, Value>),
    Joined(PortId, Value),
    Changed(PortId, Value),
    Left(PortId),
}

#[derive(Debug, Default)]
pub(super) struct Roster {
    members: BTreeMap<PortId, Member>,
    /// The members without an entry, by the time at which they are gone.
    missing: BTreeSet<(Instant, PortId)>,
    changes: VecDeque<Change>,
    begun: bool,
}

#[derive(Debug)]
struct Member {
    meta: Value,
    /// The time at which it is gone, if it has no entry.
    until: Option<Instant>,
}

impl Roster {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.missing.first().map(|(at, _)| *at)
    }

    pub(super) fn metas(&self) -> impl Iterator<Item = (&PortId, &Value)> {
        self.members
            .iter()
            .map(|(port, member)| (port, &member.meta))
    }

    pub(super) fn receive(&mut self, now: Instant, event: FamilyEvent<Value>) {
        match event {
            FamilyEvent::All(contents) if !self.begun => {
                self.begun = true;
                for (key, value) in contents.entries {
                    self.set(&key, value);
                }
                let here = self
                    .metas()
                    .map(|(port, meta)| (port.clone(), meta.clone()));
                let here = here.collect();
                self.changes = VecDeque::from([Change::Here(here)]);
            }
            FamilyEvent::All(contents) => {
                let gone = self
                    .members
                    .keys()
                    .filter(|port| !contents.entries.contains_key(port.as_str()));
                for port in gone.cloned().collect::<Vec<_>>() {
                    self.miss(now, &port);
                }
                for (key, value) in contents.entries {
                    self.set(&key, value);
                }
            }
            FamilyEvent::Changes(changes) => {
                for (key, value) in changes.added.into_iter().chain(changes.changed) {
                    self.set(&key, value);
                }
                for key in changes.deleted {
                    if let Some((port, _)) = port_of(&key) {
                        self.miss(now, &port);
                    }
                }
            }
        }
    }

    /// The time has come to look for members that are gone.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((at, port)) = self.missing.first().cloned()
            && at <= now
        {
            self.remove(&port);
        }
    }

    /// An entry has this value: the metadata of a member, or the mark of one that has left.
    fn set(&mut self, key: &str, value: Value) {
        let (Some((port, _)), Value::Array(mut value)) = (port_of(key), value) else {
            return;
        };
        match value.pop() {
            Some(meta) if value.is_empty() => self.present(port, meta),
            Some(_) => {}
            None => self.remove(&port),
        }
    }

    fn present(&mut self, port: PortId, meta: Value) {
        let Some(member) = self.members.get_mut(&port) else {
            self.changes
                .push_back(Change::Joined(port.clone(), meta.clone()));
            self.members.insert(port, Member { meta, until: None });
            return;
        };
        if let Some(until) = member.until.take() {
            self.missing.remove(&(until, port.clone()));
        }
        if member.meta != meta {
            member.meta = meta.clone();
            self.changes.push_back(Change::Changed(port, meta));
        }
    }

    /// A member has no entry any more.
    fn miss(&mut self, now: Instant, port: &PortId) {
        if let Some(member) = self.members.get_mut(port)
            && member.until.is_none()
        {
            let until = now + GRACE;
            member.until = Some(until);
            self.missing.insert((until, port.clone()));
        }
    }

    fn remove(&mut self, port: &PortId) {
        if let Some(member) = self.members.remove(port) {
            if let Some(until) = member.until {
                self.missing.remove(&(until, port.clone()));
            }
            self.changes.push_back(Change::Left(port.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{FamilyChanges, FamilyContents};
    use aemp_codec::Value;
    use proptest::prelude::*;

    fn port(name: &str) -> PortId {
        PortId::parse(name).unwrap()
    }

    fn meta(meta: i64) -> Value {
        Value::Array(vec![meta.into()])
    }

    fn all(entries: &[(&str, Value)]) -> FamilyEvent<Value> {
        let entries = entries
            .iter()
            .map(|(key, value)| ((*key).into(), value.clone()))
            .collect();
        FamilyEvent::All(FamilyContents {
            entries,
            odd: BTreeMap::new(),
        })
    }

    fn set(key: &str, value: Value) -> FamilyEvent<Value> {
        let mut changes = FamilyChanges::default();
        changes.changed.insert(key.into(), value);
        FamilyEvent::Changes(changes)
    }

    fn deleted(key: &str) -> FamilyEvent<Value> {
        let mut changes = FamilyChanges::default();
        changes.deleted.push(key.into());
        FamilyEvent::Changes(changes)
    }

    fn changes(roster: &mut Roster) -> Vec<Change> {
        std::iter::from_fn(|| roster.next()).collect()
    }

    #[test]
    fn a_mark_counts_at_once_and_a_deletion_after_a_while() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        roster.receive(
            now,
            all(&[
                ("a#1", meta(1)),
                ("a#2", meta(2)),
                ("b#1", Value::Array(vec![])),
                ("nonsense", meta(1)),
            ]),
        );
        let here = [(port("a#1"), 1.into()), (port("a#2"), 2.into())].into();
        assert_eq!(changes(&mut roster), [Change::Here(here)]);
        roster.receive(now, set("a#1", Value::Array(vec![])));
        assert_eq!(changes(&mut roster), [Change::Left(port("a#1"))]);
        roster.receive(now, deleted("a#1"));
        assert_eq!(roster.deadline(), None);
        // It flickers.
        roster.receive(now, deleted("a#2"));
        assert_eq!(roster.deadline(), Some(now + GRACE));
        roster.expire(now + GRACE / 2);
        roster.receive(now, set("a#2", meta(2)));
        assert!(roster.is_empty() && roster.deadline().is_none());
        // It is lost.
        roster.receive(now, deleted("a#2"));
        roster.expire(now + GRACE);
        assert_eq!(changes(&mut roster), [Change::Left(port("a#2"))]);
        roster.receive(now, set("a#2", meta(3)));
        roster.receive(now, set("a#2", meta(4)));
        let expected = [
            Change::Joined(port("a#2"), 3.into()),
            Change::Changed(port("a#2"), 4.into()),
        ];
        assert_eq!(changes(&mut roster), expected);
    }

    #[test]
    fn contents_that_come_anew_are_compared() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        roster.receive(now, all(&[("a#1", meta(1))]));
        changes(&mut roster);
        roster.receive(now, all(&[("b#1", meta(1))]));
        assert_eq!(
            changes(&mut roster),
            [Change::Joined(port("b#1"), 1.into())]
        );
        roster.expire(now + GRACE);
        assert_eq!(changes(&mut roster), [Change::Left(port("a#1"))]);
    }

    proptest! {
        /// In any order of events, the reports are those of a set: joins of the absent, departures of the present. In the
        /// end both sides agree.
        #[test]
        fn reports_are_consistent(steps in prop::collection::vec((0..4_u8, 0..5_u8, 0..4_u64), 0..80)) {
            let (mut roster, mut now) = (Roster::default(), Instant::now());
            roster.receive(now, all(&[]));
            let (mut entries, mut seen) = (BTreeMap::new(), BTreeMap::new());
            for (which, event, seconds) in steps {
                let key = format!("a#{which}");
                match event {
                    0 => { entries.remove(&key); roster.receive(now, deleted(&key)); }
                    1 => { entries.remove(&key); roster.receive(now, set(&key, Value::Array(vec![]))); }
                    meta_of => {
                        let meta = i64::from(meta_of);
                        entries.insert(key.clone(), Value::from(meta));
                        roster.receive(now, set(&key, Value::Array(vec![meta.into()])));
                    }
                }
                now += Duration::from_secs(seconds);
                roster.expire(now);
            }
            roster.expire(now + GRACE);
            for change in changes(&mut roster) {
                match change {
                    Change::Here(here) => prop_assert!(here.is_empty()),
                    Change::Joined(port, meta) => prop_assert!(seen.insert(port.to_string(), meta).is_none()),
                    Change::Changed(port, meta) => prop_assert!(seen.insert(port.to_string(), meta).is_some()),
                    Change::Left(port) => prop_assert!(seen.remove(port.as_str()).is_some()),
                }
            }
            prop_assert_eq!(seen, entries);
        }
    }
}
