//! PROTOCOL.md section 7, checked message by message.

use std::collections::BTreeMap;

use aemp::{
    PortId, Value,
    proto::peer::MonitorId,
    sim::{Member, World},
};

/// A sender's life and the port that it sends to.
type Road = (Member, u32, PortId);

/// Where a sender stands. Between two fires of its monitor it counts its messages from 1: that is an epoch.
#[derive(Debug, Default)]
struct Sender {
    epoch: i64,
    sent: i64,
    monitor: Option<MonitorId>,
}

/// Who sends what where, and what of it has arrived.
#[derive(Debug, Default)]
pub(crate) struct Guarantee {
    senders: BTreeMap<Road, Sender>,
    /// The last message that has arrived: epoch and number.
    arrived: BTreeMap<Road, (i64, i64)>,
    /// Whose the monitors are.
    monitors: BTreeMap<(Member, MonitorId), Road>,
}

impl Guarantee {
    /// Sends the next message; in a new epoch a monitor comes first. What was monitored, if anything.
    pub(crate) fn send(
        &mut self,
        world: &mut World,
        from: Member,
        port: &PortId,
    ) -> Option<MonitorId> {
        if !world.is_running(from) {
            return None;
        }
        let road = (from, world.life(from), port.clone());
        let sender = self.senders.entry(road.clone()).or_default();
        let mut monitored = None;
        if sender.monitor.is_none() {
            monitored = world.monitor(from, port);
            sender.monitor = monitored;
            self.monitors
                .extend(monitored.map(|monitor| ((from, monitor), road)));
        }
        sender.sent += 1;
        let (life, from_index) = (i64::from(world.life(from)), from.index() as i64);
        let message = [from_index, life, sender.epoch, sender.sent].map(Value::from);
        world.send(from, port, &message);
        monitored
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
        let numbers: Vec<i64> = message.iter().filter_map(Value::as_i64).collect();
        let [index, life, epoch, number] = numbers[..] else {
            return Err(format!("{port} was sent {message:?}"));
        };
        if index != from.index() as i64 {
            return Err(format!(
                "{port}: a message of node {index} comes from {from:?}"
            ));
        }
        let road = (from, life as u32, port.clone());
        let last = self.arrived.get(&road).copied().unwrap_or((0, 0));
        let expected = if epoch == last.0 { last.1 + 1 } else { 1 };
        if epoch < last.0 || number != expected {
            return Err(format!("{road:?}: {epoch}.{number} after {last:?}"));
        }
        self.arrived.insert(road, (epoch, number));
        Ok(())
    }

    /// Whether a monitor is a sender's.
    pub(crate) fn needs(&self, at: Member, monitor: MonitorId) -> bool {
        self.monitors.contains_key(&(at, monitor))
    }

    /// A node's life has ended.
    pub(crate) fn forget(&mut self, member: Member) {
        self.senders.retain(|road, _| road.0 != member);
        self.monitors.retain(|(at, _), _| *at != member);
    }

    /// When nothing is on its way any more: everything has arrived that no monitor has fired for.
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
