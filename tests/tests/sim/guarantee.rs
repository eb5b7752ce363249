//! The delivery guarantee (`aemp_proto::protocol::monitors`, "The guarantee"), checked message by message.

use std::collections::{BTreeMap, BTreeSet};

use aemp::{
    PortId, Value,
    sim::{Member, World},
};
use aemp_proto::peer::MonitorId;

/// A sender's life and the port that it sends to.
type Road = (Member, u32, PortId);

/// The state of a sender. Between two fires of its monitor it counts its messages from 1: that is an epoch.
#[derive(Debug, Default)]
struct Sender {
    epoch: i64,
    sent: i64,
    monitor: Option<MonitorId>,
}

/// The messages of each sender, and those of them that have arrived.
#[derive(Debug, Default)]
pub(crate) struct Guarantee {
    senders: BTreeMap<Road, Sender>,
    /// All messages, by their sender and number: their epoch, and their place in it.
    said: BTreeMap<(Member, u64), (Road, i64, i64)>,
    /// The last message that has arrived: epoch and place.
    arrived: BTreeMap<Road, (i64, i64)>,
    /// The sender and port of each monitor.
    monitors: BTreeMap<(Member, MonitorId), Road>,
    /// Epochs in which others have monitored the port as well.
    shared: BTreeSet<(Road, i64)>,
}

impl Guarantee {
    /// A sender has set a monitor; its messages come behind it.
    pub(crate) fn monitored(&mut self, road: Road, monitor: MonitorId) {
        self.monitors.insert((road.0, monitor), road.clone());
        self.senders.entry(road).or_default().monitor = Some(monitor);
    }

    /// A sender has sent a message.
    pub(crate) fn said(&mut self, road: Road, number: u64) {
        let sender = self.senders.entry(road.clone()).or_default();
        sender.sent += 1;
        let (epoch, place) = (sender.epoch, sender.sent);
        self.said.insert((road.0, number), (road, epoch, place));
    }

    /// Takes note that another sender monitors a port, or its node. If a connection has been lost and the first sender
    /// has not been told yet, its next messages are among those of the new monitor: they may arrive, but not before the
    /// sender's own has fired.
    pub(crate) fn shared(&mut self, at: Member, port: &PortId) {
        for (road, sender) in &self.senders {
            let same = road.2 == *port || port.name().is_empty();
            if road.0 == at && same && road.2.node() == port.node() {
                self.shared.insert((road.clone(), sender.epoch));
            }
        }
    }

    /// A monitor has fired; one that is not a sender's does not matter here.
    pub(crate) fn fired(&mut self, at: Member, monitor: MonitorId) {
        let road = self.monitors.remove(&(at, monitor));
        if let Some(sender) = road.and_then(|road| self.senders.get_mut(&road)) {
            sender.epoch += 1;
            sender.sent = 0;
            sender.monitor = None;
        }
    }

    /// A message has arrived: since the last fire nothing is missing, and nothing of the time before comes late.
    pub(crate) fn received(
        &mut self,
        port: &PortId,
        message: &[Value],
        from: Member,
    ) -> Result<(), String> {
        let number = message.first().and_then(Value::as_i64).unwrap_or(-1);
        let said = self.said.get(&(from, number as u64));
        let Some((road, epoch, place)) = said.cloned() else {
            return Err(format!("{port} got {message:?}, which no port has sent"));
        };
        if road.2 != *port {
            return Err(format!("{port} gets a message of {road:?}"));
        }
        let last = self.arrived.get(&road).copied().unwrap_or((0, 0));
        let expected = if epoch == last.0 { last.1 + 1 } else { 1 };
        let told = self
            .senders
            .get(&road)
            .is_none_or(|sender| sender.epoch > epoch);
        let shared = told && place > expected && self.shared.contains(&(road.clone(), epoch));
        if epoch < last.0 || (place != expected && !shared) {
            return Err(format!("{road:?}: {epoch}.{place} after {last:?}"));
        }
        self.arrived.insert(road, (epoch, place));
        Ok(())
    }

    /// True if a monitor is a sender's.
    pub(crate) fn needs(&self, at: Member, monitor: MonitorId) -> bool {
        self.monitors.contains_key(&(at, monitor))
    }

    /// A node's life has ended.
    pub(crate) fn forget(&mut self, member: Member) {
        self.senders.retain(|road, _| road.0 != member);
        self.monitors.retain(|(at, _), _| *at != member);
    }

    /// Nothing is on its way any more: everything has arrived that no monitor has fired for.
    pub(crate) fn check_end(&self, world: &World) -> Result<(), String> {
        for (road, sender) in &self.senders {
            if sender.monitor.is_none() || !world.is_alive(&road.2) {
                continue;
            }
            let arrived = self.arrived.get(road).copied().unwrap_or((0, 0));
            if arrived != (sender.epoch, sender.sent) {
                return Err(format!(
                    "{road:?}: {arrived:?} has arrived of {sender:?}, and no monitor has fired"
                ));
            }
        }
        Ok(())
    }
}
