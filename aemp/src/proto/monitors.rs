//! What is monitored on one other node.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::peer::MonitorId;

/// The monitors of one node's ports.
// A hash map, although the machines are deterministic: what leaves it is sorted by the order in which it was set.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    ports: HashMap<Box<str>, Entry>,
    /// Ports that have (or had) no monitor left while the other node goes on watching them for us.
    lingering: Vec<Box<str>>,
    next: u64,
}

#[derive(Debug, Default)]
struct Entry {
    /// In the order in which they were set.
    ids: VecDeque<(u64, MonitorId)>,
    /// Whether the port is in `lingering`.
    listed: bool,
}

/// What was left when a monitor was taken away.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// There was no such monitor.
    Unchanged,
    /// Other monitors of the same port.
    Others,
    /// None: the other node need not watch the port any longer.
    Nothing,
}

impl Monitors {
    /// Adds a monitor; true if the other node does not watch that port for us yet.
    pub(super) fn add(&mut self, port: &str, id: MonitorId) -> bool {
        let place = self.next;
        self.next += 1;
        if let Some(entry) = self.ports.get_mut(port) {
            entry.ids.push_back((place, id));
            return false;
        }
        let mut entry = Entry::default();
        entry.ids.push_back((place, id));
        self.ports.insert(port.into(), entry);
        true
    }

    /// Takes a monitor away.
    pub(super) fn remove(&mut self, port: &str, id: MonitorId) -> Left {
        let Some(entry) = self.ports.get_mut(port) else {
            return Left::Unchanged;
        };
        if !entry.remove(id) {
            return Left::Unchanged;
        }
        if !entry.ids.is_empty() {
            return Left::Others;
        }
        self.ports.remove(port);
        Left::Nothing
    }

    /// Takes a monitor away; if it was the last, the port is kept for [`sweep`](Self::sweep).
    pub(super) fn release(&mut self, port: &str, id: MonitorId) {
        let Some(entry) = self.ports.get_mut(port) else {
            return;
        };
        if entry.remove(id) && entry.ids.is_empty() && !entry.listed {
            entry.listed = true;
            self.lingering.push(port.into());
        }
    }

    /// The kept ports that nobody has monitored again; they are forgotten.
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

    /// The monitors of a port that has died; they are forgotten.
    pub(super) fn take(&mut self, port: &str) -> Vec<MonitorId> {
        let entry = self.ports.remove(port).unwrap_or_default();
        entry.ids.into_iter().map(|(_, id)| id).collect()
    }

    /// All monitors, each with its port, in the order in which they were set; nothing is left.
    pub(super) fn take_all(&mut self) -> Vec<(MonitorId, Arc<str>)> {
        self.lingering = Vec::new();
        let ports = std::mem::take(&mut self.ports);
        let mut all = Vec::new();
        for (port, entry) in ports {
            let port: Arc<str> = port.into();
            let ids = entry.ids.into_iter();
            all.extend(ids.map(|(place, id)| (place, id, Arc::clone(&port))));
        }
        all.sort_unstable_by_key(|(place, ..)| *place);
        all.into_iter().map(|(_, id, port)| (id, port)).collect()
    }

    /// Whether nothing is monitored and nothing kept.
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.lingering.is_empty()
    }

    /// How many monitors there are.
    pub(super) fn len(&self) -> usize {
        self.ports.values().map(|entry| entry.ids.len()).sum()
    }

    /// Whether that port has monitors.
    pub(super) fn has(&self, port: &str) -> bool {
        self.ports
            .get(port)
            .is_some_and(|entry| !entry.ids.is_empty())
    }

    /// Whether a port has monitors.
    pub(super) fn any(&self) -> bool {
        self.ports.values().any(|entry| !entry.ids.is_empty())
    }
}

impl Entry {
    /// Looks from both ends, because monitors go mostly in the order in which they came, or in the reverse.
    fn remove(&mut self, id: MonitorId) -> bool {
        let len = self.ids.len();
        let found = (0..len.div_ceil(2)).find_map(|i| {
            let j = len - 1 - i;
            if self.ids[i].1 == id {
                Some(i)
            } else if self.ids[j].1 == id {
                Some(j)
            } else {
                None
            }
        });
        found.and_then(|i| self.ids.remove(i)).is_some()
    }
}
