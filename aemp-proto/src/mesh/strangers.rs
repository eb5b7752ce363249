//! Connections that peers have opened and that have given no proof.
//!
//! A new stranger closes the oldest stranger of the source that has most, when there are too many. A node proves itself
//! within milliseconds, so an attacker would have to open `max_strangers` connections within that time to keep a node
//! out. Strangers are counted by `limits::Source`: by /64 for IPv6, because every host there has that many addresses. A
//! stranger costs little: no read buffer while there is nothing to read, and room for few orders. Admitting one looks
//! at a count, not at all others.

use std::collections::BTreeMap;

use crate::{limits::Source, peer::ConnId};

/// The unauthenticated incoming connections.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// All strangers. Connection numbers grow, so the first is the oldest.
    open: BTreeMap<ConnId, Source>,
    /// The number of strangers of each source.
    sources: BTreeMap<Source, usize>,
}

impl Strangers {
    pub(super) fn came(&mut self, conn: ConnId, source: Source) {
        *self.sources.entry(source.clone()).or_default() += 1;
        self.open.insert(conn, source);
    }

    /// Removes a connection that is authenticated or closed.
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

    /// The number of strangers of a source.
    pub(super) fn len_of(&self, source: &Source) -> usize {
        self.sources.get(source).copied().unwrap_or(0)
    }

    /// The oldest stranger.
    pub(super) fn oldest(&self) -> Option<ConnId> {
        self.open.keys().next().copied()
    }

    /// The oldest stranger of a source.
    pub(super) fn oldest_of(&self, source: &Source) -> Option<ConnId> {
        let mut from_there = self.open.iter().filter(|(_, other)| *other == source);
        from_there.next().map(|(conn, _)| *conn)
    }

    /// The oldest stranger of the source that has most, so that a source with many connections cannot keep others out.
    pub(super) fn oldest_of_most(&self) -> Option<ConnId> {
        let most = self.sources.values().max()?;
        let crowded = |source| self.sources.get(source) == Some(most);
        let mut crowd = self.open.iter().filter(|(_, source)| crowded(*source));
        crowd.next().map(|(conn, _)| *conn)
    }
}
