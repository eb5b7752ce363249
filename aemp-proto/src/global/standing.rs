//! The role of this node, as far as it knows it, and the times that follow from it.

use std::time::Duration;

use aemp_codec::NodeId;

use super::{Role, watch::grace};
use crate::{Time, backoff::longest_pause};

/// The role of this node, and the facts that the next one depends on.
#[derive(Debug)]
pub(super) struct Standing {
    role: Role,
    /// True if there are seeds, one of which may become the master.
    seeds: bool,
    /// The last master that was lost.
    lost: Option<Lost>,
    connect_interval: Duration,
    monitor_timeout: Duration,
}

#[derive(Debug)]
struct Lost {
    master: NodeId,
    at: Time,
}

impl Standing {
    pub(super) fn new(connect_interval: Duration, monitor_timeout: Duration) -> Self {
        Self {
            role: Role::Alone,
            seeds: false,
            lost: None,
            connect_interval,
            monitor_timeout,
        }
    }

    pub(super) fn role(&self) -> &Role {
        &self.role
    }

    pub(super) fn is_global(&self) -> bool {
        self.role == Role::Global
    }

    pub(super) fn master(&self) -> Option<&NodeId> {
        match &self.role {
            Role::Slave(master) => Some(master),
            _ => None,
        }
    }

    pub(super) fn is_master(&self, node: &NodeId) -> bool {
        self.master() == Some(node)
    }

    pub(super) fn is_waiting_for_master(&self) -> bool {
        matches!(self.role, Role::Searching(_) | Role::Alone)
    }

    /// The end of the search for a master, if there is a search.
    pub(super) fn searches_until(&self) -> Option<Time> {
        match self.role {
            Role::Searching(until) => Some(until),
            _ => None,
        }
    }

    /// The last master that was lost.
    pub(super) fn lost(&self) -> Option<&NodeId> {
        self.lost.as_ref().map(|lost| &lost.master)
    }

    /// Sets whether there are seeds. Returns true if the search for a master is to be given up.
    pub(super) fn seeds_changed(&mut self, now: Time, any: bool) -> bool {
        self.seeds = any;
        match self.role {
            // A node that never had a master waits for its first. A node that has lost its master stays as it is.
            Role::Alone if any && self.lost.is_none() => self.search(now),
            Role::Searching(_) => return !any,
            _ => {}
        }
        false
    }

    pub(super) fn be_alone(&mut self) {
        self.role = Role::Alone;
    }

    pub(super) fn be_slave(&mut self, master: &NodeId) {
        self.role = Role::Slave(master.clone());
    }

    pub(super) fn be_global(&mut self) {
        self.role = Role::Global;
    }

    /// Takes note that the master is lost.
    pub(super) fn lose(&mut self, master: &NodeId, now: Time) {
        self.lost = Some(Lost {
            master: master.clone(),
            at: now,
        });
    }

    /// Searches for a master, if there are seeds. Returns true if it does.
    pub(super) fn search_seeds(&mut self, now: Time) -> bool {
        if self.seeds {
            self.search(now);
        }
        self.seeds
    }

    fn search(&mut self, now: Time) {
        self.role = Role::Searching(now + self.connect_interval);
    }

    pub(super) fn grace(&self) -> Duration {
        grace(self.connect_interval)
    }

    /// The time until which a new source of entries may lack some whose owners are alive. None if this node never had
    /// another source.
    ///
    /// Other nodes have searched for a master as long as this one, at growing intervals. So they may come back within
    /// one more interval of that length.
    pub(super) fn doubtful_until(&self, now: Time) -> Option<Time> {
        let outage = match (&self.role, &self.lost) {
            (Role::Slave(_), _) | (Role::Global, Some(_)) => Duration::ZERO,
            (Role::Searching(_) | Role::Alone, Some(lost)) => now - lost.at,
            (_, None) => return None,
        };
        Some(now + longest_pause(outage, self.monitor_timeout) + self.grace())
    }
}
