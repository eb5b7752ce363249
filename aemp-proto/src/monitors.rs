//! The monitors on ports of one other node.

use std::{collections::HashMap, sync::Arc};

use super::peer::MonitorId;
use crate::register::Register;

/// The monitors on the ports of one other node.
// A hash map does not harm determinism here: all results are sorted by the order in which the monitors were set.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    ports: HashMap<Box<str>, Entry>,
    /// Ports that may have no monitor left while the other node still watches them for us.
    lingering: Vec<Box<str>>,
    next: u64,
}

#[derive(Debug, Default)]
struct Entry {
    /// The monitors' IDs, each with its place in the order of all monitors. A `Register`, because they are removed in
    /// any order.
    ids: Register<u64>,
    /// True if the port is in `lingering`.
    listed: bool,
}

/// The monitors that remain on a port after the removal of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The monitor was not set.
    Unchanged,
    /// The port has other monitors.
    Others,
    /// The port has no monitors: the other node need not watch it any longer.
    Nothing,
}

impl Monitors {
    /// Adds a monitor. Returns true if the other node does not watch that port for us yet.
    pub(super) fn add(&mut self, port: &str, id: MonitorId) -> bool {
        let place = self.next;
        self.next += 1;
        if let Some(entry) = self.ports.get_mut(port) {
            entry.ids.insert(id.0, place);
            return false;
        }
        let mut entry = Entry::default();
        entry.ids.insert(id.0, place);
        self.ports.insert(port.into(), entry);
        true
    }

    /// Removes a monitor.
    pub(super) fn remove(&mut self, port: &str, id: MonitorId) -> Left {
        let Some(entry) = self.ports.get_mut(port) else {
            return Left::Unchanged;
        };
        if entry.ids.remove(id.0).is_none() {
            return Left::Unchanged;
        }
        if !entry.ids.is_empty() {
            return Left::Others;
        }
        self.ports.remove(port);
        Left::Nothing
    }

    /// Removes a monitor. If it was the port's last, the port lingers until [`sweep`](Self::sweep).
    pub(super) fn release(&mut self, port: &str, id: MonitorId) {
        let Some(entry) = self.ports.get_mut(port) else {
            return;
        };
        if entry.ids.remove(id.0).is_some() && entry.ids.is_empty() && !entry.listed {
            entry.listed = true;
            self.lingering.push(port.into());
        }
    }

    /// Takes the lingering ports that have not been monitored again.
    pub(super) fn sweep(&mut self) -> Vec<Box<str>> {
        let mut unwatched = std::mem::take(&mut self.lingering);
        unwatched.retain(|port| {
            let Some(entry) = self.ports.get_mut(port) else {
                return false;
            };
            entry.listed = false;
            let unused = entry.ids.is_empty();
            if unused {
                self.ports.remove(port);
            }
            unused
        });
        unwatched
    }

    /// Takes the monitors of a port that has died.
    pub(super) fn take(&mut self, port: &str) -> Vec<MonitorId> {
        let entry = self.ports.remove(port).unwrap_or_default();
        in_order(entry.ids)
    }

    /// Takes all monitors, each with its port, in the order in which they were set.
    pub(super) fn take_all(&mut self) -> Vec<(MonitorId, Arc<str>)> {
        self.lingering = Vec::new();
        let ports = std::mem::take(&mut self.ports);
        let mut all = Vec::new();
        for (port, entry) in ports {
            let port: Arc<str> = port.into();
            let ids = entry.ids.into_iter();
            all.extend(ids.map(|(id, place)| (place, MonitorId(id), Arc::clone(&port))));
        }
        all.sort_unstable_by_key(|(place, ..)| *place);
        all.into_iter().map(|(_, id, port)| (id, port)).collect()
    }

    /// True if there are neither monitors nor lingering ports.
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.lingering.is_empty()
    }

    /// The number of monitors.
    pub(super) fn len(&self) -> usize {
        self.ports.values().map(|entry| entry.ids.len()).sum()
    }

    /// True if the port has monitors.
    pub(super) fn has(&self, port: &str) -> bool {
        self.ports
            .get(port)
            .is_some_and(|entry| !entry.ids.is_empty())
    }

    /// True if any port has monitors.
    pub(super) fn any(&self) -> bool {
        self.ports.values().any(|entry| !entry.ids.is_empty())
    }
}

/// Sorts monitors by the order in which they were set.
fn in_order(ids: impl IntoIterator<Item = (u64, u64)>) -> Vec<MonitorId> {
    let mut ids: Vec<_> = ids.into_iter().collect();
    ids.sort_unstable_by_key(|(_, place)| *place);
    ids.into_iter().map(|(id, _)| MonitorId(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searching all monitors for each removal would take minutes.
    #[test]
    fn many_go_in_any_order() {
        const MANY: u64 = 100_000;
        let mut monitors = Monitors::default();
        for id in 0..MANY {
            monitors.add("p", MonitorId(id));
        }
        // A stride that is coprime to the number of monitors visits each once, in an order that suits no list.
        for n in 0..MANY - 1 {
            let id = MonitorId((n * 48_271) % MANY);
            assert_eq!(monitors.remove("p", id), Left::Others);
        }
        assert_eq!(monitors.len(), 1);
    }

    #[test]
    fn fire_in_the_order_in_which_they_were_set() {
        let mut monitors = Monitors::default();
        let ids = [5, 2, 9, 1].map(MonitorId);
        for id in ids {
            monitors.add("p", id);
        }
        assert_eq!(monitors.remove("p", MonitorId(2)), Left::Others);
        assert_eq!(monitors.take("p"), [5, 9, 1].map(MonitorId));
        for (port, id) in ["a", "b", "a"].into_iter().zip(ids) {
            monitors.add(port, id);
        }
        let left: Vec<_> = monitors.take_all().into_iter().map(|(id, _)| id).collect();
        assert_eq!(left, ids[..3]);
    }
}
