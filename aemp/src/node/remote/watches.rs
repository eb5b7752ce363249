//! Ports of this node that another node monitors.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError, Weak, atomic::Ordering},
};

use super::Remote;
use crate::{
    Reason,
    port::{any::AnyPort, monitor::Action},
};
use aemp_proto::peer::ConnId;

pub(super) type Watched = HashMap<Box<str>, Watch>;

/// The watch of another node on a port of ours.
pub(super) struct Watch {
    port: Weak<dyn AnyPort>,
    /// Its number among all watches of that node.
    number: u64,
    /// The number of its monitor at the port, once that is set.
    id: Option<u64>,
    /// The connection that it arrived on. It ends with this connection.
    conn: ConnId,
}

impl Watch {
    fn end(self) {
        if let (Some(id), Some(port)) = (self.id, self.port.upgrade()) {
            port.unmonitor(id);
        }
    }
}

impl Remote {
    pub(super) fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the node monitors this port of ours.
    pub(crate) fn watches(&self, port: &str) -> bool {
        self.watched().contains_key(port)
    }

    /// The number of our ports that the node monitors.
    pub(crate) fn watching(&self) -> usize {
        self.watched().len()
    }

    /// Sets a watch of the node on a port of ours, over a connection. A reference node asks only for its first
    /// monitor of a port, so a second request means that it has forgotten the first. Returns false if the port is
    /// dead already.
    #[must_use]
    pub(crate) fn watch(
        self: &Arc<Self>,
        port: &Arc<dyn AnyPort>,
        name: &str,
        conn: ConnId,
    ) -> bool {
        let number = self.next_monitor.fetch_add(1, Ordering::Relaxed);
        let watch = Watch {
            port: Arc::downgrade(port),
            number,
            id: None,
            conn,
        };
        // Entered before the monitor is set: the port may die at any time on another thread, and its death removes
        // the entry.
        let before = self.watched().insert(name.into(), watch);
        if let Some(before) = before {
            before.end();
        }
        let action = Action::Tell(Arc::clone(self), name.into(), number);
        match port.add_monitor(action) {
            Ok(id) if !self.has_set(name, number, id) => port.unmonitor(id),
            Ok(_) => {}
            Err(_) => {
                let mut watched = self.watched();
                let is_it = watched.get(name).is_some_and(|it| it.number == number);
                let _unused = if is_it { watched.remove(name) } else { None };
                return false;
            }
        }
        true
    }

    /// Records the monitor of a watch. Returns whether the watch is still wanted.
    fn has_set(&self, name: &str, number: u64, id: u64) -> bool {
        let mut watched = self.watched();
        let watch = watched.get_mut(name);
        match watch.filter(|watch| watch.number == number) {
            Some(watch) => {
                watch.id = Some(id);
                true
            }
            None => false,
        }
    }

    pub(crate) fn unwatch(&self, name: &str) {
        let watched = self.watched().remove(name);
        if let Some(watched) = watched {
            watched.end();
        }
    }

    /// Reports the death of a port of ours to the node, for the watch with this number.
    pub(crate) fn report_watched_death(&self, port: &str, number: u64, reason: &Reason) {
        let mut watched = self.watched();
        let is_it = watched.get(port).is_some_and(|it| it.number == number);
        let watch = if is_it { watched.remove(port) } else { None };
        drop(watched);
        if let Some(watch) = watch {
            self.report_dead(port, watch.conn, reason);
        }
    }

    /// Reports that a port of ours, which the node asked for over a connection, is dead.
    pub(crate) fn report_dead(&self, port: &str, conn: ConnId, reason: &Reason) {
        // If that connection is lost, the node has fired all its monitors. If it is lost only now, the report
        // goes over the next one and is still true, because a port never comes back.
        let asked = self.peer().is_up_over(conn);
        if asked {
            self.report_death("kil0", port, reason);
        }
    }

    /// Ends the watches of a connection that has ended.
    pub(crate) fn forget_watched(&self, conn: ConnId) {
        let watched: Vec<_> = self
            .watched()
            .extract_if(|_, watch| watch.conn == conn)
            .collect();
        watched.into_iter().for_each(|(_, watch)| watch.end());
    }
}
