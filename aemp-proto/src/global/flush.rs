//! Sending changes to other nodes, as fast as they accept them.

use std::sync::Arc;

use aemp_codec::{NodeId, Value};

use super::{
    GLOBALS, Global, LISTENERS, Role,
    dirty::{Note, merged},
    outgoing::{Outgoing, Set, Style, Way, keys_of},
    peer::{GlobalPeer, Message, Monitor},
    pending::Ask,
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
        if let Role::Slave(master) = &self.role
            && self.has_upstream()
        {
            self.due.insert(master.clone());
        }
        for node in std::mem::take(&mut self.due) {
            if self.send_due(&node, out) {
                full.push(node);
            }
        }
        full
    }

    /// Continues to send to a node whose queue has been written.
    pub(crate) fn caught_up(&mut self, node: &NodeId) {
        if let Some(known) = self.known.get_mut(node) {
            known.held = false;
            known.queued = 0;
            self.due.insert(node.clone());
        }
    }

    fn has_upstream(&self) -> bool {
        self.upload || !self.upstream.is_empty() || self.pending.has_unsent()
    }

    /// Gives this node's own watches the new visible values.
    pub(super) fn publish(&mut self) {
        for (family, notes) in &self.shown {
            if self.watches.contains(family) {
                let shown = |(key, _): &(Arc<str>, Note)| {
                    let value = self.shards.shown(family, key).cloned();
                    (Arc::clone(key), value)
                };
                let entries: Vec<_> = notes.iter().map(shown).collect();
                self.watches.update(family, entries, &mut self.news);
            }
        }
        // The noted changes are kept: `spread` needs them for other nodes.
    }

    /// Updates the list of global nodes to stay connected to.
    fn update_globals(&mut self, now: Time) {
        let Some(nodes) = self.shown.get(GLOBALS) else {
            return;
        };
        for (key, _) in nodes {
            let Ok(node) = NodeId::new(key) else { continue };
            if self.shards.shown(GLOBALS, key).is_none() {
                self.keep.remove(key);
            } else if node != self.node {
                let connected = self.known.contains_key(&node);
                self.keep.add(now, &node, connected);
            }
        }
    }

    /// Adds the changes to the dirty keys of all nodes that must get them.
    fn spread(&mut self) {
        for (family, notes) in std::mem::take(&mut self.shown) {
            let Some(nodes) = self.monitors.get(&family) else {
                continue;
            };
            for (key, Note { was, .. }) in merged(notes) {
                let is = self.shards.shown(&family, &key).is_some();
                for node in nodes {
                    let known = self.known.get_mut(node);
                    if let Some(known) = known {
                        known.monitors.changed(&family, &key, was, is);
                    }
                }
            }
            self.due.extend(nodes.iter().cloned());
        }
        for (family, notes) in std::mem::take(&mut self.ours) {
            if self.globals.is_empty() {
                continue;
            }
            for (key, Note { was, by }) in merged(notes) {
                let is = self.shards.is_ours_set(&family, &key);
                let by = by.and_then(|place| self.shards.owner_at(place));
                for node in &self.globals {
                    if let Some(known) = self.known.get_mut(node)
                        && !known.set_due
                        && (by != Some(node) || known.slave)
                    {
                        known
                            .ours
                            .entry(Arc::clone(&family))
                            .or_default()
                            .add(&key, was, is);
                    }
                }
            }
            self.due.extend(self.globals.iter().cloned());
        }
    }

    /// Sends one node everything that is due. Returns true if its queue has become full enough.
    fn send_due(&mut self, node: &NodeId, out: &mut impl Outgoing) -> bool {
        let Some(mut known) = self.known.remove(node) else {
            return false;
        };
        let mut way = Way::new(out, node, known.queued);
        for message in std::mem::take(&mut known.messages) {
            self.send_message(&mut way, &message);
        }
        let is_master = matches!(&self.role, Role::Slave(master) if master == node);
        if !known.held {
            if is_master {
                self.send_master(&mut way);
            }
            known.send_due(&mut way, &self.node, &self.shards);
        }
        let waits = known.is_due() || is_master && self.has_upstream();
        // If the node was held already, the mesh has been asked to report before.
        let full = !known.held && way.is_full() && waits;
        known.held |= full;
        known.queued = way.queued;
        let odd = way.odd;
        self.known.insert(node.clone(), known);
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
                    packet.value(self.shards.listeners(wanted).unwrap_or(&Value::Null))?;
                    relay
                        .iter()
                        .try_for_each(|relay| packet.str(relay.as_str()))
                })
            }
            Message::Reply { what, family, id } => {
                let mut answer = what.reply(self.shards.family(family));
                let (size, values) = (weight(&answer), kept(&answer).values);
                if size > way.most() || values > way.most_values() {
                    // Answers with an error, so that the query does not wait for an answer that cannot come.
                    let text = format!(
                        "family {family} is too large for one packet: about {size} bytes, {values} values"
                    );
                    way.odd
                        .push(format!("{} from {}: {text}", what.request(), way.node));
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

    /// Sends the master the whole local database first, then changes, then questions. So an answer covers everything
    /// that was set before the question.
    fn send_master(&mut self, way: &mut Way<'_, impl Outgoing>) {
        if std::mem::take(&mut self.upload) {
            self.upload(way);
        }
        for (family, keys) in &mut self.upstream {
            let value = |key: &str| {
                self.local
                    .family(family)
                    .and_then(|entries| entries.get(key))
            };
            way.changes(Style::Upstream, family, keys, value);
        }
        self.upstream.retain(|_, keys| !keys.is_empty());
        if !self.upstream.is_empty() {
            return;
        }
        while let Some((ask, query)) = self.pending.next_unsent() {
            // Every format can express names and numbers.
            let _ = way.send(|packet| match (&ask, &query) {
                (Ask::Find(node), _) => {
                    packet.str("g_find")?;
                    packet.str(node.as_str())
                }
                (Ask::Query(id), Some((what, family))) => {
                    packet.str(what.request())?;
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

    fn upload(&mut self, way: &mut Way<'_, impl Outgoing>) {
        let families: Vec<_> = self.local.iter().collect();
        let all: Vec<(&str, Vec<Set<'_>>)> = families
            .iter()
            .map(|(family, entries)| {
                let entries = entries.iter().map(|(key, value)| (&**key, value));
                (&***family, entries.collect())
            })
            .collect();
        self.upstream.clear();
        if !way.database("g_slave", &[], &all) {
            for (family, entries) in families {
                let dirty = self.upstream.entry(Arc::clone(family)).or_default();
                dirty.add_new(keys_of(entries));
            }
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
