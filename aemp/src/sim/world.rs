//! The protocol's machines by the thousand, under a virtual clock.

mod connection;
mod core;
mod database;
mod inspect;
mod machine;
mod observation;
mod perform;
mod ports;
mod setup;
mod speakers;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, time::Duration};

use aemp_codec::{NodeId, PortId, Value};

use self::{
    core::{Core, Due},
    machine::Machine,
};
pub use self::{
    observation::Observation,
    setup::{Member, PORT, Setup},
};
use super::{Chance, Crash, HostId, Network, Traffic};
use aemp_proto::{Random, Time, peer::MonitorId};

/// A network of nodes that consist of the [protocol's machines](crate::proto) alone: a few kilobytes each, without
/// tasks, sockets and user code. Thousands fit into one process, and hours pass in moments.
///
/// Each node has a host with its own name, and listens on its [`PORT`]. The caller sends messages, sets monitors and
/// causes faults, and [observes](Self::observe) the events.
///
/// The same seed and the same calls give the same history, on every machine.
///
/// ```
/// use std::time::Duration;
/// use aemp::sim::{Observation, Setup, World};
///
/// let mut world = World::new(1);
/// let a = world.add(Setup::new("a"));
/// let b = world.add(Setup::new("b").seed("a"));
/// let port = world.open_port(a);
/// world.run_for(Duration::from_secs(1));
///
/// world.send(b, &port, &["hello".into()]);
/// world.run_for(Duration::from_secs(1));
/// let all: Vec<_> = std::iter::from_fn(|| world.observe()).collect();
/// assert!(all.iter().any(|seen| matches!(seen, Observation::Received { at, .. } if *at == a)));
/// ```
pub struct World {
    core: Core,
    slots: Vec<Slot>,
    hosts: BTreeMap<HostId, Member>,
    ids: BTreeMap<NodeId, Member>,
}

/// A node, running or not.
struct Slot {
    setup: Setup,
    host: HostId,
    /// The number of times that it has been started.
    life: u32,
    machine: Option<Box<Machine>>,
}

impl World {
    /// Creates a world without nodes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let network = Network::new(chance.next_u64());
        Self {
            core: Core::new(network, chance),
            slots: Vec::new(),
            hosts: BTreeMap::new(),
            ids: BTreeMap::new(),
        }
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.core.now
    }

    /// The network, for changes of its quality.
    pub fn network(&mut self) -> &mut Network {
        &mut self.core.network
    }

    /// The traffic of the network so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.core.network.traffic()
    }

    /// The number of packets that nodes have received, with keepalives.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.core.packets
    }

    /// Sets whether log lines of nodes are observed, too.
    pub fn set_logging(&mut self, logging: bool) {
        self.core.logging = logging;
    }

    /// Sets the longest time that a node takes to fire monitors, as if user code ran in between. The default is 10 ms.
    pub fn set_fire_delay(&mut self, most: Duration) {
        self.core.fire_delay = most;
    }

    /// Adds a node and starts it.
    ///
    /// # Panics
    ///
    /// Panics if there is a node with this ID.
    pub fn add(&mut self, setup: Setup) -> Member {
        let member = Member(self.slots.len());
        let other = self.ids.insert(setup.id.clone(), member);
        assert!(other.is_none(), "two nodes are called {}", setup.id);
        let host = self.core.network.add_host(setup.id.as_str());
        self.hosts.insert(host, member);
        self.slots.push(Slot {
            setup,
            host,
            life: 0,
            machine: None,
        });
        self.start(member);
        member
    }

    /// Starts a node that was stopped or has crashed: a new process with the same ID, on the same machine. Does nothing
    /// if it is running.
    pub fn start(&mut self, member: Member) {
        let slot = &mut self.slots[member.0];
        if slot.machine.is_some() {
            return;
        }
        slot.life += 1;
        self.core.network.recover(slot.host);
        if slot.setup.listens {
            self.core.network.listen(slot.host, PORT);
        }
        let random = Random::predictable(self.core.chance.next_u64());
        let life = (member, slot.life);
        let machine = Machine::new(self.core.now, life, slot.host, &slot.setup, random);
        slot.machine = Some(Box::new(machine));
        self.work(member, |_, _| ());
    }

    /// Stops a node in order: packets that are queued for connected nodes are written, and its connections are closed.
    /// Its monitors fire.
    pub fn stop(&mut self, member: Member) {
        self.work(member, Machine::stop);
        let slot = &mut self.slots[member.0];
        if slot.machine.take().is_some() {
            self.core.network.unlisten(slot.host, PORT);
        }
    }

    /// Ends a node without warning. None of its monitors fire.
    pub fn crash(&mut self, member: Member, how: Crash) {
        let slot = &mut self.slots[member.0];
        if slot.machine.take().is_some() {
            self.core.network.crash(slot.host, how);
        }
    }

    /// Cuts the connections between two nodes.
    pub fn cut(&mut self, one: Member, other: Member) {
        let (one, other) = (self.slots[one.0].host, self.slots[other.0].host);
        self.core.network.cut_all(one, other);
    }

    /// Separates two groups of nodes: nothing passes between them in either direction; see [`Network::partition`].
    pub fn partition(&mut self, one: &[Member], other: &[Member]) {
        let (one, other) = (self.hosts_of(one), self.hosts_of(other));
        self.core.network.partition(&one, &other);
    }

    /// Like [`partition`](Self::partition), in one direction only; see [`Network::partition_one_way`].
    pub fn partition_one_way(&mut self, from: &[Member], to: &[Member]) {
        let (from, to) = (self.hosts_of(from), self.hosts_of(to));
        self.core.network.partition_one_way(&from, &to);
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        self.core.network.heal();
    }

    /// Opens a port on a running node, with a name that was never used before.
    ///
    /// # Panics
    ///
    /// Panics if the node is not running.
    pub fn open_port(&mut self, member: Member) -> PortId {
        let slot = &mut self.slots[member.0];
        let machine = slot.machine.as_mut().expect("the node is running");
        machine.open_port()
    }

    /// Kills a port of a running node, so that its monitors fire. Does nothing if it is dead already.
    pub fn kill_port(&mut self, port: &PortId, reason: &[Value]) {
        if let Some(member) = self.member(port.node()) {
            self.work(member, |machine, core| {
                machine.kill_port(core, port.name(), reason);
            });
        }
    }

    /// Sends a message to a port of another node. The message may be lost.
    pub fn send(&mut self, from: Member, to: &PortId, message: &[Value]) {
        self.work(from, |machine, core| machine.send(core, to, message));
    }

    /// Sends a numbered message to a port of another node. The number is its first value, and [`Observation::Said`]
    /// reports it.
    ///
    /// If the sender has no monitor on the port, it sets one first ([`Observation::Monitored`]). For some ports, the
    /// callback of the monitor monitors and sends again when a connection is lost.
    pub fn speak(&mut self, from: Member, port: &PortId) {
        self.work(from, |machine, core| machine.speak(core, port));
    }

    /// Calls [`speak`](Self::speak) `count` times at random moments: between any two accesses of the node to its data
    /// about the other node, as other threads might.
    pub fn crowd(&mut self, from: Member, port: &PortId, count: usize) {
        self.work(from, |machine, _| machine.speakers.crowd(port, count));
    }

    /// Ends all [crowds](Self::crowd). From now on only [`speak`](Self::speak) sends numbered messages, and they are
    /// short.
    pub fn hush(&mut self) {
        for machine in self.slots.iter().flat_map(|slot| &slot.machine) {
            machine.speakers.hush();
        }
    }

    /// Monitors a port of another node. Returns `None` if the node is not running.
    pub fn monitor(&mut self, from: Member, port: &PortId) -> Option<MonitorId> {
        self.ask(from, |machine, core| machine.monitor(core, port))
    }

    /// Removes a monitor.
    pub fn unmonitor(&mut self, from: Member, port: &PortId, monitor: MonitorId) {
        self.work(from, |machine, core| machine.unmonitor(core, port, monitor));
    }

    /// Tells a node the addresses of another node.
    pub fn learn(&mut self, member: Member, node: &NodeId, addresses: Vec<String>) {
        self.work(member, |machine, core| {
            machine.mesh.learn(core.now, node, addresses);
        });
    }

    /// Lets the next event happen, if it is due before or at `until`. Otherwise moves the clock there and returns
    /// false.
    pub fn step(&mut self, until: Time) -> bool {
        let due = self.core.next_due();
        let network = self.core.network.deadline();
        let Some(next) = due
            .into_iter()
            .chain(network)
            .min()
            .filter(|next| *next <= until)
        else {
            self.core.set_now(until);
            return false;
        };
        self.core.set_now(next);
        if network.is_some_and(|network| network <= next) {
            self.core.network.advance_one(next);
            self.dispatch_events();
        } else if let Some(due) = self.core.take_due() {
            self.happen(due);
        }
        true
    }

    /// Runs for this time.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.core.now + time;
        while self.step(until) {}
    }

    /// Returns the next observation, in order.
    pub fn observe(&mut self) -> Option<Observation> {
        self.core.observations.pop_front()
    }

    fn member(&self, node: &str) -> Option<Member> {
        self.ids.get(&NodeId::new(node).ok()?).copied()
    }

    fn hosts_of(&self, members: &[Member]) -> Vec<HostId> {
        let host = |member: &Member| self.slots[member.0].host;
        members.iter().map(host).collect()
    }

    /// Calls `work` with a running machine, and carries out the results.
    fn work(&mut self, member: Member, work: impl FnOnce(&mut Machine, &mut Core)) {
        if let Some(machine) = &mut self.slots[member.0].machine {
            work(machine, &mut self.core);
            machine.perform_outputs(&mut self.core);
        }
        self.dispatch_events();
    }

    /// Like `work`, with a result. Returns `None` if the node is not running.
    fn ask<R>(
        &mut self,
        member: Member,
        work: impl FnOnce(&mut Machine, &mut Core) -> R,
    ) -> Option<R> {
        let mut result = None;
        self.work(member, |machine, core| result = Some(work(machine, core)));
        result
    }

    /// Passes the events of the network to the machines.
    fn dispatch_events(&mut self) {
        while let Some(happening) = self.core.network.poll() {
            let slot = self
                .hosts
                .get(&happening.end().host())
                .map(|member| &mut self.slots[member.0]);
            if let Some(machine) = slot.and_then(|slot| slot.machine.as_mut()) {
                machine.on_happening(&mut self.core, happening);
                machine.perform_outputs(&mut self.core);
            }
        }
    }

    fn happen(&mut self, due: Due) {
        let (member, life) = due.life();
        let slot = &mut self.slots[member.0];
        if slot.life == life
            && let Some(machine) = &mut slot.machine
        {
            machine.due(&mut self.core, due);
            machine.perform_outputs(&mut self.core);
        }
        self.dispatch_events();
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.core.now)
            .field("nodes", &self.slots.len())
            .finish_non_exhaustive()
    }
}
