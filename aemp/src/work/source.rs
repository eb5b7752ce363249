//! The dispatchers that a submitter or a worker knows: one of them, or those of a family of the database.
//!
//! The entries of a family have ranks, which each dispatcher chooses when it registers: the highest that it sees, plus
//! one. The first dispatcher is the one with the lowest rank, and of several the one with the least port ID. So all nodes
//! that see the same entries agree, without a clock and without an election.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aemp_codec::{PortId, Value};

use super::DispatcherRef;
use crate::{Monitor, Node, Reason, db::DbChange};

/// The pause before a dispatcher is tried again after its node was lost.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// The dispatchers of a [`Jobs`](super::Jobs) or a [`Worker`](super::Worker): the handle or the port ID of one, or the name of the family in which
/// they [register](super::Builder::register).
#[derive(Debug, Clone)]
pub struct Source(pub(super) Kind);

#[derive(Debug, Clone)]
pub(super) enum Kind {
    One(PortId),
    Family(String),
}

impl From<&str> for Source {
    /// The name of a family.
    fn from(family: &str) -> Self {
        Self(Kind::Family(family.into()))
    }
}

impl From<&DispatcherRef> for Source {
    fn from(dispatcher: &DispatcherRef) -> Self {
        Self(Kind::One(dispatcher.id()))
    }
}

impl From<PortId> for Source {
    fn from(dispatcher: PortId) -> Self {
        Self(Kind::One(dispatcher))
    }
}

/// The dispatchers of a family in their order.
pub(super) fn in_order(change: &DbChange<'_>) -> Vec<PortId> {
    let mut all: Vec<(u64, PortId)> = change
        .contents
        .iter()
        .filter_map(|(key, rank)| Some((Value::as_u64(rank)?, PortId::parse(key).ok()?)))
        .collect();
    all.sort();
    all.into_iter().map(|(_, port)| port).collect()
}

/// The rank of a new dispatcher.
pub(super) fn next_rank<'a>(ranks: impl Iterator<Item = &'a u64>) -> u64 {
    ranks.max().map_or(1, |highest| highest.saturating_add(1))
}

/// The dispatchers, as far as they are known, and the sessions with them. A session lasts until its monitor fires.
#[derive(Default)]
pub(super) struct Dispatchers {
    listed: Vec<PortId>,
    sessions: BTreeMap<PortId, Session>,
    /// Those whose nodes are lost. They are tried again.
    away: BTreeSet<PortId>,
    /// Those of the listed ones that are dead, or take no more jobs.
    over: BTreeSet<PortId>,
    last: u64,
    /// The dispatcher that was identified last. To compare handles costs less than to make the ID of a port.
    recent: Option<(DispatcherRef, PortId)>,
}

/// A monitored dispatcher.
pub(super) struct Session {
    pub(super) number: u64,
    pub(super) dispatcher: DispatcherRef,
    _monitor: Monitor,
}

impl Dispatchers {
    pub(super) fn list(&mut self, listed: Vec<PortId>) {
        self.over.retain(|port| listed.contains(port));
        self.listed = listed;
    }

    /// Those that may be used, in their order.
    pub(super) fn usable(&self) -> impl Iterator<Item = &PortId> {
        let usable = |port: &&PortId| !self.away.contains(*port) && !self.over.contains(*port);
        self.listed.iter().filter(usable)
    }

    /// The first that may be used.
    pub(super) fn first(&self) -> Option<PortId> {
        self.usable().next().cloned()
    }

    pub(super) fn session(&self, port: &PortId) -> Option<&Session> {
        self.sessions.get(port)
    }

    /// The ID of a dispatcher, and the number of the session with it, if there is one.
    pub(super) fn identify(&mut self, dispatcher: &DispatcherRef) -> (PortId, Option<u64>) {
        let id = match &self.recent {
            Some((recent, id)) if recent == dispatcher => id.clone(),
            _ => dispatcher.id(),
        };
        let session = self.sessions.get(&id).map(|session| session.number);
        if session.is_some() {
            self.recent = Some((dispatcher.clone(), id.clone()));
        }
        (id, session)
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// The session with a dispatcher. A new one is begun if there is none; `lost` is called with its number when it ends.
    pub(super) fn open(
        &mut self,
        node: &Node,
        port: &PortId,
        lost: impl FnOnce(u64, Reason) + Send + 'static,
    ) -> &Session {
        let last = &mut self.last;
        self.sessions.entry(port.clone()).or_insert_with(|| {
            *last += 1;
            let number = *last;
            let dispatcher: DispatcherRef = node.handle(port);
            let lost = move |reason: &Reason| lost(number, reason.clone());
            Session {
                number,
                _monitor: dispatcher.monitor(lost),
                dispatcher,
            }
        })
    }

    /// The monitor of a session has fired. False if it is not the present one.
    pub(super) fn lost(&mut self, port: &PortId, number: u64, reason: &Reason) -> bool {
        if self.sessions.get(port).is_none_or(|it| it.number != number) {
            return false;
        }
        self.sessions.remove(port);
        self.recent = None;
        if reason.is_loss() {
            self.away.insert(port.clone());
        } else {
            self.leave_out(port);
        }
        true
    }

    /// A dispatcher takes no more jobs.
    pub(super) fn leave_out(&mut self, port: &PortId) {
        if self.listed.contains(port) {
            self.over.insert(port.clone());
        }
    }

    /// Those whose nodes were lost may be tried again.
    pub(super) fn retry(&mut self) {
        self.away.clear();
    }
}
