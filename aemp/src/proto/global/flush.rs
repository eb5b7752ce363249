//! Telling others what has changed, as far as they take it.

use std::sync::Arc;

use aemp_codec::{NodeId, Value};
use indexmap::IndexSet;

use super::{
    GLOBALS, Global, LISTENERS, Role,
    known::{Keys, Known, Message, Monitor},
    outgoing::{self, Outgoing, Set, Style},
    pending::Ask,
    shards::Shards,
};
use crate::proto::{Time, mesh::Level};

impl Global {
    /// Sends what there is to be sent. The nodes that have enough for now are returned; they have to be
    /// [given more](Self::caught_up) when what is queued for them has been written.
    pub(in crate::proto) fn flush(&mut self, now: Time, out: &mut impl Outgoing) -> Vec<NodeId> {
        self.publish();
        self.follow_globals(now);
        self.spread();
        let mut full = Vec::new();
        if let Role::Slave(master) = &self.role
            && self.has_upstream()
        {
            self.due.insert(master.clone());
        }
        for node in std::mem::take(&mut self.due) {
            if self.tell(&node, out) {
                full.push(node);
            }
        }
        full
    }

    /// What was queued for a node has been written.
    pub(in crate::proto) fn caught_up(&mut self, node: &NodeId) {
        if let Some(known) = self.known.get_mut(node) {
            known.held = false;
            self.due.insert(node.clone());
        }
    }

    fn has_upstream(&self) -> bool {
        self.upload || !self.upstream.is_empty() || self.pending.has_unsent()
    }

    /// Tells this node's own watches what shows now.
    pub(super) fn publish(&mut self) {
        for (family, keys) in &self.shown {
            if self.watches.contains(family) {
                let shown = |key: &Arc<str>| {
                    let value = self.shards.shown(family, key).cloned();
                    (Arc::clone(key), value)
                };
                let entries: Vec<_> = keys.iter().map(shown).collect();
                self.watches.update(family, entries, &mut self.news);
            }
        }
        // What shows has still to be told to others.
    }

    /// Who is global has changed.
    fn follow_globals(&mut self, now: Time) {
        let Some(nodes) = self.shown.get(GLOBALS) else {
            return;
        };
        for key in nodes {
            let Ok(node) = NodeId::new(key) else { continue };
            if self.shards.shown(GLOBALS, key).is_none() {
                self.keep.remove(key);
            } else if node != self.node {
                let connected = self.known.contains_key(&node);
                self.keep.add(now, &node, connected);
            }
        }
    }

    /// Hands what has changed to all who have to be told.
    fn spread(&mut self) {
        for (family, keys) in std::mem::take(&mut self.shown) {
            for node in self.monitors.get(&family).into_iter().flatten() {
                let known = self.known.get_mut(node);
                if let Some(monitor) = known.and_then(|known| known.monitors.get_mut(&family))
                    && !monitor.fresh
                {
                    monitor.dirty.extend(keys.iter().cloned());
                    self.due.insert(node.clone());
                }
            }
        }
        let ours = std::mem::take(&mut self.ours);
        if ours.is_empty() {
            return;
        }
        for node in &self.globals {
            if let Some(known) = self.known.get_mut(node)
                && !known.set_due
            {
                for (family, keys) in &ours {
                    let dirty = known.ours.entry(Arc::clone(family)).or_default();
                    dirty.extend(keys.iter().cloned());
                }
                self.due.insert(node.clone());
            }
        }
    }

    /// Tells one node what it has to know; whether it has enough for now.
    fn tell(&mut self, node: &NodeId, out: &mut impl Outgoing) -> bool {
        let Some(mut known) = self.known.remove(node) else {
            return false;
        };
        let mut odd = Vec::new();
        for message in std::mem::take(&mut known.messages) {
            self.send_message(node, &message, out, &mut odd);
        }
        if matches!(&self.role, Role::Slave(master) if master == node) {
            self.tell_master(node, &mut known, out, &mut odd);
        }
        known.tell(node, &self.node, &self.shards, out, &mut odd);
        let more = known.is_due();
        known.held = out.is_full(node) && (more || self.is_waiting(node));
        let held = known.held;
        self.known.insert(node.clone(), known);
        odd.into_iter()
            .for_each(|text| self.log(Level::Error, text));
        held
    }

    fn is_waiting(&self, node: &NodeId) -> bool {
        matches!(&self.role, Role::Slave(master) if master == node) && self.has_upstream()
    }

    fn send_message(
        &self,
        node: &NodeId,
        message: &Message,
        out: &mut impl Outgoing,
        odd: &mut Vec<String>,
    ) {
        let sent = out.send(node, &mut |packet| match message {
            Message::Global => packet.str("g_global"),
            Message::BecomeGlobal => packet.str("g_slave"),
            Message::Unmonitor(family) => {
                packet.str("g_mon0")?;
                packet.str(family)
            }
            Message::Found(wanted) => {
                packet.str("g_found")?;
                packet.str(wanted)?;
                packet.value(self.shards.shown(LISTENERS, wanted).unwrap_or(&Value::Null))
            }
            Message::Reply { what, family, id } => {
                packet.str("g_reply")?;
                packet.value(id)?;
                packet.value(&what.reply(self.shards.family(family)))
            }
        });
        if let Err(error) = sent {
            odd.push(format!("{message:?} cannot be sent to {node}: {error}"));
        }
    }

    /// The whole local database first, then changes of it, then what is to be asked: so a question is answered with what
    /// was set before it.
    fn tell_master(
        &mut self,
        node: &NodeId,
        known: &mut Known,
        out: &mut impl Outgoing,
        odd: &mut Vec<String>,
    ) {
        if known.held {
            return;
        }
        if std::mem::take(&mut self.upload) {
            let families: Vec<_> = self.local.iter().collect();
            let entries = families.iter().map(|(family, entries)| {
                let entries: Vec<Set<'_>> = entries.iter().map(|(key, v)| (&**key, v)).collect();
                (&***family, entries)
            });
            let families: Vec<_> = entries.collect();
            outgoing::database(out, node, "g_slave", &[], &families, odd);
        }
        for (family, keys) in &mut self.upstream {
            let value = |key: &str| {
                self.local
                    .family(family)
                    .and_then(|entries| entries.get(key))
            };
            outgoing::changes(out, node, Style::Upstream, family, keys, value, odd);
        }
        self.upstream.retain(|_, keys| !keys.is_empty());
        if !self.upstream.is_empty() {
            return;
        }
        while let Some((ask, query)) = self.pending.next_unsent() {
            // Names and numbers can be expressed in every format.
            let _ = out.send(node, &mut |packet| match (&ask, &query) {
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
}

impl Known {
    /// Whether it has to be told changes.
    fn is_due(&self) -> bool {
        let monitor = |monitor: &Monitor| monitor.fresh || !monitor.dirty.is_empty();
        self.set_due || !self.ours.is_empty() || self.monitors.values().any(monitor)
    }

    fn tell(
        &mut self,
        node: &NodeId,
        own: &NodeId,
        shards: &Shards,
        out: &mut impl Outgoing,
        odd: &mut Vec<String>,
    ) {
        if self.held {
            return;
        }
        if self.set_due {
            if out.is_full(node) {
                return;
            }
            self.set_due = false;
            self.ours.clear();
            tell_set(node, own, shards, out, odd);
        }
        for (family, keys) in &mut self.ours {
            let value = |key: &str| shards.ours(family, key, node);
            outgoing::changes(out, node, Style::Broadcast, family, keys, value, odd);
        }
        self.ours.retain(|_, keys| !keys.is_empty());
        for (family, monitor) in &mut self.monitors {
            monitor.tell(node, family, shards, out, odd);
        }
    }
}

impl Monitor {
    fn tell(
        &mut self,
        node: &NodeId,
        family: &str,
        shards: &Shards,
        out: &mut impl Outgoing,
        odd: &mut Vec<String>,
    ) {
        if self.fresh {
            if out.is_full(node) {
                return;
            }
            let entries = shards.family(family);
            let entries: Vec<Set<'_>> = entries.map(|(key, value)| (&**key, value)).collect();
            outgoing::all(out, node, family, &entries, odd);
            self.fresh = false;
            self.dirty.clear();
        }
        let value = |key: &str| shards.shown(family, key);
        let style = Style::Monitor;
        outgoing::changes(out, node, style, family, &mut self.dirty, value, odd);
    }
}

/// Tells another global node all that this one answers for.
fn tell_set(
    node: &NodeId,
    own: &NodeId,
    shards: &Shards,
    out: &mut impl Outgoing,
    odd: &mut Vec<String>,
) {
    let ours: Keys = shards.all_ours(node);
    let entries = |family: &str, keys: &IndexSet<Arc<str>>| {
        let keys = keys.iter();
        keys.filter_map(|key| {
            let value = shards.ours(family, key, node)?;
            // The keys outlive the call, those of the table do not have to be looked up again.
            Some((Arc::clone(key), value))
        })
        .collect::<Vec<_>>()
    };
    let families: Vec<_> = ours
        .iter()
        .map(|(family, keys)| (&**family, entries(family, keys)))
        .collect();
    let families: Vec<(&str, Vec<Set<'_>>)> = families
        .iter()
        .map(|(family, entries)| {
            let entries = entries.iter().map(|(key, value)| (&**key, *value));
            (*family, entries.collect())
        })
        .collect();
    // The reference takes our addresses out of this very packet, and holds us for unreachable if they are not there.
    let listeners = shards.ours(LISTENERS, own.as_str(), node);
    let listeners = listeners.map(|listeners| vec![(own.as_str(), listeners)]);
    let first: Vec<_> = listeners.into_iter().map(|own| (LISTENERS, own)).collect();
    outgoing::database(out, node, "g_set", &first, &families, odd);
}
