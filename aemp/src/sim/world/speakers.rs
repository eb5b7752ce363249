//! Senders that act between any two locks, and callbacks that monitor and send again.
//!
//! `PeerMap::interleave` calls them before each piece of work on a peer, also within a step of the mesh. Some overflow
//! the queue.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aemp_codec::{NodeId, PortId};

use super::{Observation, core::Life};
use crate::sim::Chance;
use aemp_proto::peer::{MonitorId, Peer, Urge};

/// The first number of speakers' monitors; those of the caller are below.
const FIRST: u64 = 1 << 40;
/// How often the callback of one speaker's monitor monitors and sends again: a node that is gone for good must not keep it busy.
const AGAIN: u32 = 5;
/// The longest filling of a message, in bytes: some of them overflow a short queue.
const LONGEST: u64 = 900;

/// All speakers of one life of a node.
#[derive(Clone)]
pub(super) struct Speakers(Arc<Mutex<State>>);

struct State {
    life: Life,
    chance: Chance,
    roads: BTreeMap<PortId, Speaker>,
    /// Whose the monitors are that stand.
    monitors: BTreeMap<MonitorId, PortId>,
    monitored: u64,
    spoken: u64,
    hushed: bool,
    /// What has not been told yet.
    seen: Vec<Observation>,
}

/// Whoever sends numbered messages to a port, behind a monitor.
struct Speaker {
    monitor: Option<MonitorId>,
    /// Messages that go out between locks, as chance has it.
    waiting: usize,
    /// How often its monitor's callback monitors and sends again.
    again: u32,
}

impl Speakers {
    pub(super) fn new(life: Life, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be done between two locks.
    pub(super) fn between(&self) -> impl FnMut(&NodeId, &mut Peer) -> Urge + Send + use<> {
        let speakers = self.clone();
        move |_, peer| speakers.lock().interrupt(peer)
    }

    /// So many messages more for that port go out between locks.
    pub(super) fn crowd(&self, port: &PortId, count: usize) {
        self.lock().road(port).waiting += count;
    }

    /// Sends the next message; a monitor comes first, unless one stands.
    pub(super) fn say(&self, peer: &mut Peer, port: &PortId) -> Urge {
        self.lock().say(peer, port)
    }

    /// A monitor has fired. The port, if the callback sends there again.
    pub(super) fn told(&self, monitor: MonitorId, of_a_loss: bool) -> Option<PortId> {
        let mut state = self.lock();
        let port = state.monitors.remove(&monitor)?;
        let speaker = state.road(&port);
        speaker.monitor = None;
        if !of_a_loss || speaker.again == 0 {
            return None;
        }
        speaker.again -= 1;
        Some(port)
    }

    /// From now on nothing goes out by itself.
    pub(super) fn hush(&self) {
        let mut state = self.lock();
        state.hushed = true;
        for speaker in state.roads.values_mut() {
            (speaker.waiting, speaker.again) = (0, 0);
        }
    }

    /// What has been seen since the last time, in order.
    pub(super) fn seen(&self) -> Vec<Observation> {
        std::mem::take(&mut self.lock().seen)
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
            urge = urge.and(self.say(peer, &port));
        }
        urge
    }

    fn say(&mut self, peer: &mut Peer, port: &PortId) -> Urge {
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
