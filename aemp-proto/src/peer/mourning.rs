//! A loss whose monitors are being fired, and the monitors and messages that belong to the next connection.

use std::{collections::HashMap, sync::Arc};

use super::{LossId, MonitorId};
use crate::{monitors::Monitors, queue::Queue};

/// One loss that was handed out to be fired.
///
/// Everything that is monitored and kept from now on belongs to the next connection, which cannot be before all of
/// these monitors have fired.
#[derive(Debug)]
pub(super) struct Mourning {
    pub(super) loss: LossId,
    unfired: Unfired,
    pub(super) next: Next,
}

/// What was sent since the loss.
#[derive(Debug)]
pub(super) enum Next {
    /// It is kept for the next connection.
    Kept(Queue),
    /// It was too much, and is lost as well: for this reason the monitors fire that have been set since the loss.
    Lost(String),
}

/// Monitors that were handed out, and whose turn has not come.
// Hash maps, although the machines are deterministic: nobody goes through them.
#[derive(Debug, Default)]
struct Unfired {
    monitors: HashMap<MonitorId, Arc<str>>,
    /// How many there are of each port; the empty name stands for the node.
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

    /// The turn of a monitor has come: it is called now.
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

    /// What is sent to the port now, if it is kept at all.
    ///
    /// Messages to a port of which a monitor has not been called yet come from somebody who has not been told: they would
    /// arrive behind a hole. Who has set a new one since the loss has a promise, and it is of the next connection.
    /// Requests to the node itself are in order with all that is new.
    pub(super) fn keeps(&mut self, port: &str, new: &Monitors) -> Option<&mut Queue> {
        let mourned = !port.is_empty() && self.unfired.covers(port);
        match &mut self.next {
            Next::Kept(queue) if !mourned || new.has(port) || new.has("") => Some(queue),
            Next::Kept(_) | Next::Lost(_) => None,
        }
    }
}

impl Unfired {
    /// Whether a monitor of the port, or of the node, is among them.
    fn covers(&self, port: &str) -> bool {
        self.ports.contains_key(port) || self.ports.contains_key("")
    }
}
