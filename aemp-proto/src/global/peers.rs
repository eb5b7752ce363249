//! The connected nodes, and the lists by which some of them are found without a look at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aemp_codec::NodeId;

use super::peer::{GlobalPeer, Message};
use crate::{Time, deadlines::Deadlines};

/// The connected nodes. The lists name only nodes that are connected.
#[derive(Debug, Default)]
pub(super) struct Peers {
    all: BTreeMap<NodeId, GlobalPeer>,
    /// The nodes that are global.
    globals: BTreeSet<NodeId>,
    /// The nodes for which there may be something to send.
    due: BTreeSet<NodeId>,
    /// The nodes that watch each family.
    watchers: BTreeMap<Arc<str>, BTreeSet<NodeId>>,
    /// The former slaves that became global, and the time until which this node still answers for them.
    released: Deadlines<NodeId>,
}

impl Peers {
    /// Adds a node that is connected now.
    pub(super) fn up(&mut self, node: &NodeId) {
        self.all.insert(node.clone(), GlobalPeer::default());
    }

    /// Removes a node whose connection is lost.
    pub(super) fn down(&mut self, node: &NodeId) -> Option<GlobalPeer> {
        let peer = self.all.remove(node)?;
        self.due.remove(node);
        self.globals.remove(node);
        self.released.set(node, None);
        for family in peer.monitors.families() {
            self.unlist(family, node);
        }
        Some(peer)
    }

    pub(super) fn get(&self, node: &NodeId) -> Option<&GlobalPeer> {
        self.all.get(node)
    }

    pub(super) fn get_mut(&mut self, node: &NodeId) -> Option<&mut GlobalPeer> {
        self.all.get_mut(node)
    }

    pub(super) fn contains(&self, node: &NodeId) -> bool {
        self.all.contains_key(node)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &GlobalPeer)> {
        self.all.iter()
    }

    /// Takes note that a node has said that it is global. Returns true if it was global, and whether it was a slave.
    pub(super) fn is_global_now(&mut self, node: &NodeId) -> Option<(bool, bool)> {
        let peer = self.all.get_mut(node)?;
        let was_global = std::mem::replace(&mut peer.global, true);
        let was_slave = std::mem::take(&mut peer.slave);
        self.globals.insert(node.clone());
        Some((was_global, was_slave))
    }

    /// Takes note that a node is a slave of this one.
    pub(super) fn is_slave_now(&mut self, node: &NodeId) {
        if let Some(peer) = self.all.get_mut(node) {
            peer.slave = true;
            peer.stale.clear();
        }
        self.released.set(node, None);
    }

    /// Takes note that a slave has become global. This node answers for it until a time.
    pub(super) fn release(&mut self, node: &NodeId, until: Time) {
        self.released.set(node, Some(until));
    }

    /// The former slaves whose time is over.
    pub(super) fn take_released(&mut self, now: Time) -> Vec<NodeId> {
        self.released.take_due(now)
    }

    /// The time at which the next former slave is to be taken.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.released.first()
    }

    /// Sends a message to a connected node at the next flush.
    pub(super) fn queue(&mut self, node: &NodeId, message: Message) {
        if let Some(peer) = self.all.get_mut(node) {
            peer.messages.push(message);
            self.due.insert(node.clone());
        }
    }

    /// Sends a global node all entries that this node answers for.
    pub(super) fn send_set(&mut self, node: &NodeId) {
        if let Some(peer) = self.all.get_mut(node) {
            peer.set_due = true;
            self.due.insert(node.clone());
        }
    }

    /// Notes that there is something to send to a node.
    pub(super) fn is_due_now(&mut self, node: &NodeId) {
        if self.all.contains_key(node) {
            self.due.insert(node.clone());
        }
    }

    /// Takes the nodes for which there may be something to send.
    pub(super) fn take_due(&mut self) -> BTreeSet<NodeId> {
        std::mem::take(&mut self.due)
    }

    /// Starts or restarts a node's watch of a family.
    pub(super) fn watch(&mut self, node: &NodeId, family: Arc<str>) {
        if let Some(peer) = self.all.get_mut(node) {
            let nodes = self.watchers.entry(Arc::clone(&family)).or_default();
            nodes.insert(node.clone());
            peer.watch(family);
            self.due.insert(node.clone());
        }
    }

    /// Ends a node's watch of a family.
    pub(super) fn unwatch(&mut self, node: &NodeId, family: &str) {
        if let Some(peer) = self.all.get_mut(node) {
            peer.unwatch(family);
        }
        self.unlist(family, node);
    }

    fn unlist(&mut self, family: &str, node: &NodeId) {
        if let Some(nodes) = self.watchers.get_mut(family) {
            nodes.remove(node);
            if nodes.is_empty() {
                self.watchers.remove(family);
            }
        }
    }

    pub(super) fn is_watched(&self, family: &str) -> bool {
        self.watchers.contains_key(family)
    }

    /// Notes changes of a family for the nodes that watch it: keys, and whether they existed before and exist now.
    pub(super) fn shown(
        &mut self,
        family: &Arc<str>,
        changes: impl Iterator<Item = (Arc<str>, bool, bool)>,
    ) {
        let Some(nodes) = self.watchers.get(family) else {
            return;
        };
        for (key, was, is) in changes {
            for node in nodes {
                if let Some(peer) = self.all.get_mut(node) {
                    peer.monitors.changed(family, &key, was, is);
                }
            }
        }
        self.due.extend(nodes.iter().cloned());
    }

    pub(super) fn has_globals(&self) -> bool {
        !self.globals.is_empty()
    }

    /// Notes changes of the entries that this node answers for, for all global nodes but the one that has caused them:
    /// keys, whether they existed before and exist now, and their cause.
    pub(super) fn ours<'a>(
        &mut self,
        family: &Arc<str>,
        changes: impl Iterator<Item = (Arc<str>, bool, bool, Option<&'a NodeId>)>,
    ) {
        for (key, was, is, by) in changes {
            for node in &self.globals {
                if let Some(peer) = self.all.get_mut(node)
                    && !peer.set_due
                    && (by != Some(node) || peer.slave)
                {
                    let dirty = peer.ours.entry(Arc::clone(family)).or_default();
                    dirty.add(&key, was, is);
                }
            }
        }
        self.due.extend(self.globals.iter().cloned());
    }

    /// All nodes that are named here.
    pub(super) fn traces(&self) -> impl Iterator<Item = &NodeId> {
        let lists = self.released.keys().chain(&self.globals).chain(&self.due);
        self.all
            .keys()
            .chain(lists)
            .chain(self.watchers.values().flatten())
    }
}
