//! A loss whose monitors are being fired, and the monitors and messages that belong to the next connection.

use std::{collections::HashMap, sync::Arc};

use super::{LossId, MonitorId};
use crate::{monitors::Monitors, queue::Queue};

/// A loss whose monitors are being fired.
///
/// Monitors and packets that come from now on belong to the next connection, which has to wait until all of these
/// monitors have fired.
#[derive(Debug)]
pub(super) struct Mourning {
    pub(super) loss: LossId,
    unfired: Unfired,
    pub(super) next: Next,
}

/// The packets that were sent since the loss.
#[derive(Debug)]
pub(super) enum Next {
    /// They are kept for the next connection.
    Kept(Queue),
    /// They were too many and are lost as well. The monitors that have been set since the loss fire for this reason.
    Lost(String),
}

/// The handed-out monitors that have not been called yet.
// Hash maps do not harm determinism here: nothing iterates over them.
#[derive(Debug, Default)]
struct Unfired {
    monitors: HashMap<MonitorId, Arc<str>>,
    /// The number of such monitors for each port. The empty name stands for the node.
    ports: HashMap<Arc<str>, usize>,
}

impl Mourning {
    pub(super) fn new(loss: LossId, monitors: &[(MonitorId, Arc<str>)]) -> Self {
        let mut unfired = Unfired::default();
        for (monitor, port) in monitors {
            unfired.monitors.insert(*monitor, Arc::clone(port));
            *unfired.ports.entry(Arc::clone(port)).or_default() += 1;
        }
        Self {
            loss,
            unfired,
            next: Next::Kept(Queue::default()),
        }
    }

    /// Removes a monitor, because it is about to be called.
    pub(super) fn begun(&mut self, monitor: MonitorId) {
        let Some(port) = self.unfired.monitors.remove(&monitor) else {
            return;
        };
        if let Some(left) = self.unfired.ports.get_mut(&port) {
            *left -= 1;
            if *left == 0 {
                self.unfired.ports.remove(&port);
            }
        }
    }

    /// The queue for a message that is sent to `port` now; `None` if the message is to be dropped.
    ///
    /// If the port has an uncalled monitor, the monitor's owner has not heard of the loss, and the message would follow
    /// a hole. A monitor that was set since the loss promises delivery over the next connection, so it overrides this.
    /// Requests to the node itself are kept if all monitors are new.
    pub(super) fn keeps(&mut self, port: &str, new: &Monitors) -> Option<&mut Queue> {
        let mourned = !port.is_empty() && self.unfired.covers(port);
        match &mut self.next {
            Next::Kept(queue) if !mourned || new.has(port) || new.has("") => Some(queue),
            Next::Kept(_) | Next::Lost(_) => None,
        }
    }
}

impl Unfired {
    /// True if an uncalled monitor is on the port or on the node.
    fn covers(&self, port: &str) -> bool {
        self.ports.contains_key(port) || self.ports.contains_key("")
    }
}
