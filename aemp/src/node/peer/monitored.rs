//! Ports of this node that another node monitors.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, Weak, atomic::Ordering},
};

use super::Peer;
use crate::{
    Reason,
    port::{any::AnyPort, monitor::Action},
};
use aemp_proto::peer::ConnId;

pub(super) type MonitoredPorts = HashMap<Box<str>, PeerMonitor>;

/// The monitor of another node on a port of ours.
pub(super) struct PeerMonitor {
    port: Weak<dyn AnyPort>,
    /// Its number among all monitors of that node.
    number: u64,
    /// The number of its monitor at the port, once that is set.
    id: Option<u64>,
    /// The connection that it arrived on. It ends with this connection.
    conn: ConnId,
}

impl PeerMonitor {
    fn end(self) {
        if let (Some(id), Some(port)) = (self.id, self.port.upgrade()) {
            port.unmonitor(id);
        }
    }
}

impl Peer {
    pub(super) fn monitored(&self) -> MutexGuard<'_, MonitoredPorts> {
        self.monitored.lock()
    }

    /// True if the node monitors this port of ours.
    pub(crate) fn monitors(&self, port: &str) -> bool {
        self.monitored().contains_key(port)
    }

    /// The number of our ports that the node monitors.
    pub(crate) fn monitored_ports(&self) -> usize {
        self.monitored().len()
    }

    /// Sets a monitor of the node on a port of ours, over a connection. A reference node asks only for its first
    /// monitor of a port, so a second request means that it has forgotten the first. Returns false if the port is
    /// dead already.
    #[must_use]
    pub(crate) fn monitor_port(
        self: &Arc<Self>,
        port: &Arc<dyn AnyPort>,
        name: &str,
        conn: ConnId,
    ) -> bool {
        let number = self.next_monitor.fetch_add(1, Ordering::Relaxed);
        let monitor = PeerMonitor {
            port: Arc::downgrade(port),
            number,
            id: None,
            conn,
        };
        // Entered before the monitor is set: the port may die at any time on another thread, and its death removes
        // the entry.
        let before = self.monitored().insert(name.into(), monitor);
        if let Some(before) = before {
            before.end();
        }
        let action = Action::Tell(Arc::clone(self), name.into(), number);
        match port.add_monitor(action) {
            Ok(id) if !self.has_set(name, number, id) => port.unmonitor(id),
            Ok(_) => {}
            Err(_) => {
                let mut monitored = self.monitored();
                let is_it = monitored.get(name).is_some_and(|it| it.number == number);
                let _unused = if is_it { monitored.remove(name) } else { None };
                return false;
            }
        }
        true
    }

    /// Records the number of the monitor at the port. Returns true if the monitor is still wanted.
    fn has_set(&self, name: &str, number: u64, id: u64) -> bool {
        let mut monitored = self.monitored();
        let monitor = monitored.get_mut(name);
        match monitor.filter(|monitor| monitor.number == number) {
            Some(monitor) => {
                monitor.id = Some(id);
                true
            }
            None => false,
        }
    }

    pub(crate) fn unmonitor_port(&self, name: &str) {
        let monitored = self.monitored().remove(name);
        if let Some(monitored) = monitored {
            monitored.end();
        }
    }

    /// Reports the death of a port of ours to the node, for the monitor with this number.
    pub(crate) fn report_monitored_death(&self, port: &str, number: u64, reason: &Reason) {
        let mut monitored = self.monitored();
        let is_it = monitored.get(port).is_some_and(|it| it.number == number);
        let monitor = if is_it { monitored.remove(port) } else { None };
        drop(monitored);
        if let Some(monitor) = monitor {
            self.report_dead(port, monitor.conn, reason);
        }
    }

    /// Reports that a port of ours, which the node asked for over a connection, is dead.
    pub(crate) fn report_dead(&self, port: &str, conn: ConnId, reason: &Reason) {
        // If that connection is lost, the node has fired all its monitors. If it is lost only now, the report
        // goes over the next one and is still true, because a port never comes back.
        let asked = self.state().is_up_over(conn);
        if asked {
            self.report_death("kil0", port, reason);
        }
    }

    /// Ends the monitors of a connection that has ended.
    pub(crate) fn forget_monitored(&self, conn: ConnId) {
        let monitored: Vec<_> = self
            .monitored()
            .extract_if(|_, monitor| monitor.conn == conn)
            .collect();
        monitored.into_iter().for_each(|(_, monitor)| monitor.end());
    }
}
