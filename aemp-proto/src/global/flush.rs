//! Sending changes to other nodes, as fast as they accept them.

use std::sync::Arc;

use aemp_codec::{NodeId, Value};

use super::{
    GLOBALS, Global, LISTENERS,
    dirty::{Note, merged},
    outgoing::{Outgoing, Set, Style, Way, keys_of},
    peer::{GlobalPeer, Message, Monitor},
    shards::Shards,
};
use crate::{Level, Time, queue::weight, weigh::kept};

impl Global {
    /// Sends everything that is to be sent.
    ///
    /// Returns the nodes whose queues are full enough. Call [`caught_up`](Self::caught_up) for each when everything
    /// that is queued for it now has been written.
    pub(crate) fn flush(&mut self, now: Time, out: &mut impl Outgoing) -> Vec<NodeId> {
        self.publish();
        self.update_globals(now);
        self.spread();
        let mut full = Vec::new();
        if let Some(master) = self.standing.master()
            && self.upstream.is_due()
        {
            self.peers.is_due_now(master);
        }
        for node in self.peers.take_due() {
            if self.send_due(&node, out) {
                full.push(node);
            }
        }
        full
    }

    /// Continues to send to a node whose queue has been written.
    pub(crate) fn caught_up(&mut self, node: &NodeId) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.held = false;
            peer.queued = 0;
            self.peers.is_due_now(node);
        }
    }

    /// Gives this node's own watches the new visible values.
    pub(super) fn publish(&mut self) {
        for (family, notes) in self.merged.shown() {
            if self.watches.contains(family) {
                let shown = |(key, _): &(Arc<str>, Note)| {
                    let value = self.merged.shards().shown(family, key).cloned();
                    (Arc::clone(key), value)
                };
                let entries: Vec<_> = notes.iter().map(shown).collect();
                self.watches.update(family, entries);
            }
        }
        // The noted changes are kept: `spread` needs them for other nodes.
    }

    /// Updates the list of global nodes to stay connected to.
    fn update_globals(&mut self, now: Time) {
        let Some(nodes) = self.merged.shown().get(GLOBALS) else {
            return;
        };
        for (key, _) in nodes {
            let Ok(node) = NodeId::new(key) else { continue };
            if self.merged.shards().shown(GLOBALS, key).is_none() {
                self.keep.remove(key);
            } else if node != self.node {
                let connected = self.peers.contains(&node);
                self.keep.add(now, &node, connected);
            }
        }
    }

    /// Adds the changes to the dirty keys of all nodes that must get them.
    fn spread(&mut self) {
        for (family, notes) in self.merged.take_shown() {
            if !self.peers.is_watched(&family) {
                continue;
            }
            let shards = self.merged.shards();
            let changes = merged(notes).map(|(key, Note { was, .. })| {
                let is = shards.shown(&family, &key).is_some();
                (key, was, is)
            });
            self.peers.shown(&family, changes);
        }
        for (family, notes) in self.merged.take_ours() {
            if !self.peers.has_globals() {
                continue;
            }
            let shards = self.merged.shards();
            let changes = merged(notes).map(|(key, Note { was, by })| {
                let is = shards.is_ours_set(&family, &key);
                let by = by.and_then(|place| shards.owner_at(place));
                (key, was, is, by)
            });
            self.peers.ours(&family, changes);
        }
    }

    /// Sends one node everything that is due. Returns true if its queue has become full enough.
    fn send_due(&mut self, node: &NodeId, out: &mut impl Outgoing) -> bool {
        let Some(peer) = self.peers.get_mut(node) else {
            return false;
        };
        let messages = std::mem::take(&mut peer.messages);
        let (was_held, queued) = (peer.held, peer.queued);
        let mut way = Way::new(out, node, queued);
        for message in messages {
            self.send_message(&mut way, &message);
        }
        let is_master = self.standing.is_master(node);
        if !was_held && is_master {
            self.upstream.send(&self.local, &mut way);
        }
        let Some(peer) = self.peers.get_mut(node) else {
            return false;
        };
        if !was_held {
            peer.send_due(&mut way, &self.node, self.merged.shards());
        }
        let waits = peer.is_due() || is_master && self.upstream.is_due();
        // If the node was held already, the mesh has been asked to report before.
        let full = !was_held && way.is_full() && waits;
        peer.held |= full;
        peer.queued = way.queued;
        let odd = way.odd;
        odd.into_iter()
            .for_each(|text| self.log(Level::Error, text));
        full
    }

    /// The relay for a node without listeners: this node if both are connected to it, or else the wanted node's master.
    fn relay_for(&self, way: &Way<'_, impl Outgoing>, wanted: &NodeId) -> Option<NodeId> {
        let master = self.relay_of(wanted).filter(|_| way.relays(way.node))?;
        if way.relays(wanted) {
            return Some(self.node.clone());
        }
        Some(master).filter(|master| *master != self.node)
    }

    fn send_message(&self, way: &mut Way<'_, impl Outgoing>, message: &Message) {
        let sent = match message {
            Message::Global => way.send(|packet| packet.str("g_global")),
            Message::BecomeGlobal => way.send(|packet| packet.str("g_slave")),
            Message::Unmonitor(family) => way.send(|packet| {
                packet.str("g_mon0")?;
                packet.str(family)
            }),
            Message::Found(wanted) => {
                let relay = self.relay_for(way, wanted);
                way.send(|packet| {
                    packet.str("g_found")?;
                    packet.str(wanted.as_str())?;
                    packet.value(
                        self.merged
                            .shards()
                            .listeners(wanted)
                            .unwrap_or(&Value::Null),
                    )?;
                    relay
                        .iter()
                        .try_for_each(|relay| packet.str(relay.as_str()))
                })
            }
            Message::Reply { kind, family, id } => {
                let mut answer = kind.reply(self.merged.shards().family(family));
                let (size, values) = (weight(&answer), kept(&answer).values);
                if size > way.most() || values > way.most_values() {
                    // Answers with an error, so that the query does not wait for an answer that cannot come.
                    let text = format!(
                        "family {family} is too large for one packet: about {size} bytes, {values} values"
                    );
                    way.odd
                        .push(format!("{} from {}: {text}", kind.request(), way.node));
                    answer = text.into();
                }
                way.send(|packet| {
                    packet.str("g_reply")?;
                    packet.value(id)?;
                    packet.value(&answer)
                })
            }
        };
        if let Err(error) = sent {
            let node = way.node;
            way.odd
                .push(format!("{message:?} cannot be sent to {node}: {error}"));
        }
    }
}

impl GlobalPeer {
    /// True if the node must be sent changes.
    fn is_due(&self) -> bool {
        self.set_due || !self.ours.is_empty() || self.monitors.is_due()
    }

    fn send_due(&mut self, way: &mut Way<'_, impl Outgoing>, own: &NodeId, shards: &Shards) {
        if self.set_due && !way.is_full() {
            self.set_due = false;
            self.ours.clear();
            self.send_set(way, own, shards);
        }
        let but = self.left_out(way);
        for (family, keys) in &mut self.ours {
            let value = |key: &str| shards.ours(family, key, but);
            way.changes(Style::Broadcast, family, keys, value);
        }
        self.ours.retain(|_, keys| !keys.is_empty());
        self.monitors
            .send_due(|monitor, family| monitor.send_due(way, family, shards));
    }

    /// The owner whose entries the node is not sent: itself, unless it is also a slave. A global node that uses this one
    /// as its master takes its own entries from the answers, because it sends them nowhere else.
    fn left_out<'a>(&self, way: &Way<'a, impl Outgoing>) -> Option<&'a NodeId> {
        (!self.slave).then_some(way.node)
    }

    /// Sends another global node all entries that this one answers for.
    fn send_set(&mut self, way: &mut Way<'_, impl Outgoing>, own: &NodeId, shards: &Shards) {
        let but = self.left_out(way);
        let ours = shards.all_ours(but);
        let all: Vec<(&str, Vec<Set<'_>>)> = ours
            .iter()
            .map(|(family, keys)| {
                let entry = |key: &'_ Arc<str>| shards.ours_entry(family, key, but);
                (&**family, keys.iter().filter_map(entry).collect())
            })
            .collect();
        // The reference takes our addresses from this packet, and takes us for unreachable without them.
        let listeners = shards.ours(LISTENERS, own.as_str(), but);
        let listeners = listeners.map(|listeners| vec![(own.as_str(), listeners)]);
        let first: Vec<_> = listeners.into_iter().map(|own| (LISTENERS, own)).collect();
        if !way.database("g_set", &first, &all) {
            for (family, keys) in &ours {
                let dirty = self.ours.entry(Arc::clone(family)).or_default();
                dirty.add_new(keys.iter().cloned());
            }
        }
    }
}

impl Monitor {
    fn send_due(&mut self, way: &mut Way<'_, impl Outgoing>, family: &str, shards: &Shards) {
        if self.fresh {
            if way.is_full() {
                return;
            }
            self.fresh = false;
            self.dirty.clear();
            let entries = shards.family(family);
            let entries: Vec<Set<'_>> = entries.map(|(key, value)| (&**key, value)).collect();
            if !way.all(family, &entries) {
                self.dirty.add_new(keys_of(shards.family(family)));
            }
        }
        let value = |key: &str| shards.shown(family, key);
        way.changes(Style::Monitor, family, &mut self.dirty, value);
    }
}
