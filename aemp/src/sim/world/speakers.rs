//! Senders that act between any two locks, and callbacks that monitor and send again.
//!
//! `PeerMap::interleave` calls them before each piece of work on a peer, also within a step of the mesh. Some overflow
//! the queue.

use std::{collections::BTreeMap, fmt, sync::Arc};

use aemp_codec::{NodeId, PortId};

use super::{Observation, core::Life};
use crate::{lock::Lock, sim::Chance};
use aemp_proto::peer::{MonitorId, Peer, Urge};

/// The first ID of speakers' monitors. Lower IDs belong to the caller.
const FIRST: u64 = 1 << 40;
/// The number of times that the callback of a speaker's monitor monitors and sends again. The number is bounded, so that a node that
/// is gone for good does not keep the callback busy.
const AGAIN: u32 = 5;
/// The longest filling of a message, in bytes. Some messages overflow a short queue.
const LONGEST: u64 = 900;

/// All speakers of one run of a node.
#[derive(Clone)]
pub(super) struct Speakers(Arc<Lock<State>>);

struct State {
    life: Life,
    chance: Chance,
    roads: BTreeMap<PortId, Speaker>,
    /// The ports of the monitors that are set.
    monitors: BTreeMap<MonitorId, PortId>,
    monitored: u64,
    spoken: u64,
    hushed: bool,
    /// The observations that have not been taken yet.
    seen: Vec<Observation>,
}

/// A sender of numbered messages to a port that it monitors.
struct Speaker {
    monitor: Option<MonitorId>,
    /// The number of messages that are still to be sent at random moments.
    waiting: usize,
    /// The number of times that its monitor's callback still monitors and sends again.
    again: u32,
}

impl Speakers {
    pub(super) fn new(life: Life, seed: u64) -> Self {
        Self(Arc::new(Lock::new(State {
            life,
            chance: Chance::new(seed),
            roads: BTreeMap::new(),
            monitors: BTreeMap::new(),
            monitored: 0,
            spoken: 0,
            hushed: false,
            seen: Vec::new(),
        })))
    }

    /// Returns the closure that acts between two locks.
    pub(super) fn between(&self) -> impl FnMut(&NodeId, &mut Peer) -> Urge + Send + use<> {
        let speakers = self.clone();
        move |_, peer| speakers.0.lock().interrupt(peer)
    }

    /// Adds `count` messages to the port that are sent at random moments.
    pub(super) fn crowd(&self, port: &PortId, count: usize) {
        self.0.lock().road(port).waiting += count;
    }

    /// Sends the next message. Sets a monitor first, if none is set.
    pub(super) fn send_next(&self, peer: &mut Peer, port: &PortId) -> Urge {
        self.0.lock().send_next(peer, port)
    }

    /// Handles a monitor that has fired. Returns the port if the callback sends there again.
    pub(super) fn monitor_fired(&self, monitor: MonitorId, of_a_loss: bool) -> Option<PortId> {
        let mut state = self.0.lock();
        let port = state.monitors.remove(&monitor)?;
        let speaker = state.road(&port);
        speaker.monitor = None;
        if !of_a_loss || speaker.again == 0 {
            return None;
        }
        speaker.again -= 1;
        Some(port)
    }

    /// Stops sending at random moments.
    pub(super) fn hush(&self) {
        let mut state = self.0.lock();
        state.hushed = true;
        for speaker in state.roads.values_mut() {
            (speaker.waiting, speaker.again) = (0, 0);
        }
    }

    /// Takes the new observations, in order.
    pub(super) fn seen(&self) -> Vec<Observation> {
        std::mem::take(&mut self.0.lock().seen)
    }
}

impl State {
    fn road(&mut self, port: &PortId) -> &mut Speaker {
        if !self.roads.contains_key(port) {
            let speaker = Speaker {
                monitor: None,
                waiting: 0,
                again: if !self.hushed && self.chance.happens(0.5) {
                    AGAIN
                } else {
                    0
                },
            };
            self.roads.insert(port.clone(), speaker);
        }
        self.roads.get_mut(port).expect("it has just been made")
    }

    fn interrupt(&mut self, peer: &mut Peer) -> Urge {
        let node = peer.remote().clone();
        let mut waiting = self.roads.iter().filter(|(_, road)| road.waiting > 0);
        let Some(port) = waiting.find(|(port, _)| port.node_id() == node) else {
            return Urge::None;
        };
        let port = port.0.clone();
        let mut urge = Urge::None;
        while self.chance.happens(0.4) && self.road(&port).waiting > 0 {
            self.road(&port).waiting -= 1;
            urge = urge.and(self.send_next(peer, &port));
        }
        urge
    }

    fn send_next(&mut self, peer: &mut Peer, port: &PortId) -> Urge {
        let monitored = match self.road(port).monitor {
            Some(_) => Urge::None,
            None => self.monitor(peer, port),
        };
        self.spoken += 1;
        let number = u64::from(self.life.1) << 32 | self.spoken;
        let long = if !self.hushed && self.chance.happens(0.1) {
            self.chance.below(LONGEST)
        } else {
            0
        };
        let filling = "x".repeat(long as usize);
        let sent = peer.send(port.name(), |packet| {
            packet.value(&number.into())?;
            packet.str(&filling)
        });
        self.seen.push(Observation::Said {
            at: self.life.0,
            port: port.clone(),
            number,
        });
        monitored.and(sent.unwrap_or(Urge::None))
    }

    fn monitor(&mut self, peer: &mut Peer, port: &PortId) -> Urge {
        self.monitored += 1;
        let monitor = MonitorId(FIRST + self.monitored);
        self.road(port).monitor = Some(monitor);
        self.monitors.insert(monitor, port.clone());
        self.seen.push(Observation::Monitored {
            at: self.life.0,
            port: port.clone(),
            monitor,
        });
        peer.monitor(port.name(), monitor)
    }
}

impl fmt::Debug for Speakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speakers").finish_non_exhaustive()
    }
}
