//! Connections that others have opened and that have proved nothing: how many there are, and how much is said of them.

use std::{collections::BTreeMap, time::Duration};

use super::Level;
use crate::proto::{Time, limits::Source, peer::ConnId};

/// So much is told of strangers at once, in lines of the log.
const BURST: u32 = 100;
/// How long it takes until one more line may be told.
const PER_LINE: Duration = Duration::from_millis(100);

/// Whoever has come and proved nothing yet.
#[derive(Debug)]
pub(super) struct Strangers {
    /// Numbers of connections grow, so the first has been here longest.
    open: BTreeMap<ConnId, Source>,
    /// How many come from where.
    sources: BTreeMap<Source, usize>,
    log: Bucket,
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            sources: BTreeMap::new(),
            log: Bucket {
                left: BURST,
                since: Time::ZERO,
                hushed: 0,
            },
        }
    }
}

impl Strangers {
    pub(super) fn came(&mut self, conn: ConnId, source: Source) {
        *self.sources.entry(source.clone()).or_default() += 1;
        self.open.insert(conn, source);
    }

    /// It has proved itself, or is gone.
    pub(super) fn gone(&mut self, conn: ConnId) {
        if let Some(source) = self.open.remove(&conn)
            && let Some(count) = self.sources.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// How many of them come from there.
    pub(super) fn len_of(&self, source: &Source) -> usize {
        self.sources.get(source).copied().unwrap_or(0)
    }

    /// Who has been here longest, of all.
    pub(super) fn oldest(&self) -> Option<ConnId> {
        self.open.keys().next().copied()
    }

    /// Who has been here longest, of those from there.
    pub(super) fn oldest_of(&self, source: &Source) -> Option<ConnId> {
        let mut from_there = self.open.iter().filter(|(_, other)| *other == source);
        from_there.next().map(|(conn, _)| *conn)
    }

    /// Who has been here longest, of those from where most come: who comes in numbers must not keep others out.
    pub(super) fn oldest_of_most(&self) -> Option<ConnId> {
        let most = self.sources.values().max()?;
        let crowded = |source| self.sources.get(source) == Some(most);
        let mut crowd = self.open.iter().filter(|(_, source)| crowded(*source));
        crowd.next().map(|(conn, _)| *conn)
    }

    /// How urgent a line about a stranger is: anybody can cause them, and as often as they like, so that those above a measure
    /// are for debugging only. Also how many have been such since the last that was not.
    pub(super) fn tell(&mut self, now: Time, level: Level) -> (Level, u64) {
        if level == Level::Debug {
            return (level, 0);
        }
        match self.log.take(now) {
            Some(hushed) => (level, hushed),
            None => (Level::Debug, 0),
        }
    }
}

/// A measure of lines that fills up again with time.
#[derive(Debug)]
struct Bucket {
    left: u32,
    /// When it was filled last.
    since: Time,
    hushed: u64,
}

impl Bucket {
    /// Takes one, if there is one: how many have been asked for in vain before.
    fn take(&mut self, now: Time) -> Option<u64> {
        let more = (now - self.since).as_nanos() / PER_LINE.as_nanos();
        if let Some(more) = u32::try_from(more).ok().filter(|more| *more < BURST) {
            self.left = (self.left + more).min(BURST);
            self.since = self.since + PER_LINE * more;
        } else {
            self.left = BURST;
            self.since = now;
        }
        if self.left == 0 {
            self.hushed += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.hushed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::from(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_storm_is_told_of_in_measure() {
        let mut strangers = Strangers::default();
        let told = |strangers: &mut Strangers, times: &mut dyn Iterator<Item = u64>| {
            let tell = |time| strangers.tell(at(time), Level::Warn).0 == Level::Warn;
            times.map(tell).filter(|told| *told).count()
        };
        assert_eq!(told(&mut strangers, &mut (0..10_000).map(|_| 5)), 100);
        // Ten lines a second go on being told.
        assert_eq!(told(&mut strangers, &mut (0..3000)), 29);
        assert_eq!(strangers.tell(at(3100), Level::Info), (Level::Info, 99));
        assert_eq!(strangers.tell(at(3100), Level::Debug), (Level::Debug, 0));
        // After a pause there is as much as at first.
        assert_eq!(told(&mut strangers, &mut (0..500).map(|_| 90_000)), 100);
    }
}
