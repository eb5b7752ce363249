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

/// A port of ours that another node monitors.
pub(super) struct Watch {
    port: Weak<dyn AnyPort>,
    /// Its number among all watches of that node.
    number: u64,
    /// The port's name for it, once it is set there.
    id: Option<u64>,
    /// The connection that it came over, and ends with.
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

    /// Whether it monitors that port of this node.
    pub(crate) fn watches(&self, port: &str) -> bool {
        self.watched().contains_key(port)
    }

    /// How many ports of this node it monitors.
    pub(crate) fn watching(&self) -> usize {
        self.watched().len()
    }

    /// It monitors a port of ours, over that connection. A reference node asks once per monitor that is the first for
    /// a port, so one that asks again has forgotten the first. False if the port is dead already.
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
        // Entered before it is set: the port may die on another thread at any time, and its death takes the entry away.
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

    /// A watch is set at its port; whether it is still wanted.
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

    /// A port of ours has died that it monitors by the watch of that number.
    pub(crate) fn tell_death(&self, port: &str, number: u64, reason: &Reason) {
        let mut watched = self.watched();
        let is_it = watched.get(port).is_some_and(|it| it.number == number);
        let watch = if is_it { watched.remove(port) } else { None };
        drop(watched);
        if let Some(watch) = watch {
            self.tell_dead(port, watch.conn, reason);
        }
    }

    /// A port of ours that it has asked for over a connection is dead.
    pub(crate) fn tell_dead(&self, port: &str, conn: ConnId, reason: &Reason) {
        // Who asked over a connection that is lost has fired all that it had there. Should this one be lost only now,
        // the next one says nothing untrue: no port ever comes back.
        let asked = self.peer().is_up_over(conn);
        if asked {
            self.tell("kil0", port, reason);
        }
    }

    /// The connection has ended: what was monitored here through it is not any more.
    pub(crate) fn forget_watched(&self, conn: ConnId) {
        let watched: Vec<_> = self
            .watched()
            .extract_if(|_, watch| watch.conn == conn)
            .collect();
        watched.into_iter().for_each(|(_, watch)| watch.end());
    }
}
