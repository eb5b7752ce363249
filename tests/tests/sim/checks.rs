//! The invariants that hold after every step and at the end.

use std::collections::{BTreeMap, BTreeSet};

use aemp::{
    NodeId, PortId, Value,
    sim::{Member, Observation, World},
};
use aemp_proto::peer::MonitorId;

use crate::{database::Database, guarantee::Guarantee};

/// The tests' knowledge of a world.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub(crate) guarantee: Guarantee,
    pub(crate) database: Database,
    /// Monitors that have not fired.
    pub(crate) monitors: BTreeMap<(Member, MonitorId), PortId>,
    up: BTreeSet<(Member, NodeId)>,
    /// Monitors that were set while the node was not connected, and that it has not been since.
    apart: BTreeSet<(Member, MonitorId)>,
    /// True if everything that happens is printed.
    pub(crate) traced: bool,
}

impl Checks {
    /// Looks at everything that has happened.
    pub(crate) fn observe(&mut self, world: &mut World) -> Result<(), String> {
        while let Some(observation) = world.observe() {
            self.see(world, observation)?;
        }
        Ok(())
    }

    fn see(&mut self, world: &World, observation: Observation) -> Result<(), String> {
        if self.traced {
            println!("{:?} {observation:?}", world.now());
        }
        match observation {
            Observation::Received {
                from,
                port,
                message,
                ..
            } => {
                let from = world.find(&from).ok_or("a message without a sender")?;
                self.guarantee.received(&port, &message, from)
            }
            Observation::Said { at, port, number } => {
                self.guarantee.said((at, world.life(at), port), number);
                Ok(())
            }
            Observation::Monitored { at, port, monitor } => {
                self.monitored(at, monitor, &port);
                self.guarantee
                    .monitored((at, world.life(at), port), monitor);
                Ok(())
            }
            Observation::Fired {
                at,
                monitor,
                reason,
            } => {
                if self.apart.remove(&(at, monitor)) && of_a_lost_connection(&reason) {
                    return Err(format!(
                        "{monitor:?} of {at:?} fires for a connection that was lost before it was set: {reason:?}"
                    ));
                }
                self.guarantee.fired(at, monitor);
                match self.monitors.remove(&(at, monitor)) {
                    Some(_) => Ok(()),
                    None => Err(format!("{monitor:?} of {at:?} fires again: {reason:?}")),
                }
            }
            Observation::Up { at, node } => {
                let text = format!("{node} is up twice at {at:?}");
                let elsewhere = |set: &(Member, MonitorId)| {
                    let port = self.monitors.get(set);
                    set.0 != at || port.is_some_and(|port| port.node_id() != node)
                };
                self.apart.retain(elsewhere);
                self.up.insert((at, node)).then_some(()).ok_or(text)?;
                one_connection_per_pair(world, at)
            }
            Observation::Down { at, node, .. } => {
                let text = format!("{node} is down twice at {at:?}");
                self.up.remove(&(at, node)).then_some(()).ok_or(text)
            }
            Observation::Answered { at, query, answer } => {
                self.database.answered(at, query, answer)
            }
            Observation::Watched { at, watch, told } => self.database.watched(at, watch, told),
            _ => Ok(()),
        }
    }

    /// A monitor has been set.
    pub(crate) fn monitored(&mut self, at: Member, monitor: MonitorId, port: &PortId) {
        self.monitors.insert((at, monitor), port.clone());
        if !self.up.contains(&(at, port.node_id())) {
            self.apart.insert((at, monitor));
        }
    }

    /// A node's life ends in order: nothing that it monitored is left out.
    pub(crate) fn stopped(&mut self, world: &mut World, member: Member) -> Result<(), String> {
        self.observe(world)?;
        let left: Vec<_> = self.of(member).collect();
        if !left.is_empty() {
            return Err(format!("{member:?} has stopped and not fired {left:?}"));
        }
        if let Some(up) = self.up.iter().find(|(at, _)| *at == member) {
            return Err(format!("{member:?} has stopped and {up:?} is up"));
        }
        self.apart.retain(|(at, _)| *at != member);
        self.guarantee.forget(member);
        self.database.forget(member);
        Ok(())
    }

    /// A node has ended without warning, so none of its monitors and watches will report any more.
    pub(crate) fn crashed(&mut self, world: &mut World, member: Member) -> Result<(), String> {
        self.observe(world)?;
        self.monitors.retain(|(at, _), _| *at != member);
        self.up.retain(|(at, _)| *at != member);
        self.apart.retain(|(at, _)| *at != member);
        self.guarantee.forget(member);
        self.database.forget(member);
        Ok(())
    }

    /// The monitors of a node that have not fired.
    pub(crate) fn of(&self, member: Member) -> impl Iterator<Item = (MonitorId, &PortId)> {
        let mine = self
            .monitors
            .iter()
            .filter(move |((at, _), _)| *at == member);
        mine.map(|((_, monitor), port)| (*monitor, port))
    }

    /// Everything has been well for long enough.
    pub(crate) fn check_end(&mut self, world: &mut World) -> Result<(), String> {
        self.observe(world)?;
        self.guarantee.check_end(world)?;
        for ((at, monitor), port) in &self.monitors {
            let alive = match world.find(&port.node_id()) {
                Some(node) if port.name().is_empty() => world.is_running(node),
                Some(_) => world.is_alive(port),
                None => false,
            };
            if !alive {
                return Err(format!("{monitor:?} of {at:?} on {port} has never fired"));
            }
            if !self.up.contains(&(*at, port.node_id())) {
                return Err(format!("{at:?} monitors {port} without being connected"));
            }
        }
        let running: Vec<_> = world
            .members()
            .filter(|member| world.is_running(*member))
            .collect();
        for member in running {
            self.agrees(world, member)?;
            nothing_dead(world, member)?;
            one_connection_per_pair(world, member)?;
        }
        Ok(())
    }

    /// The nodes that a node has reported as up are those that it knows, and those that it has connections to.
    fn agrees(&self, world: &World, member: Member) -> Result<(), String> {
        let told: Vec<_> = self
            .up
            .iter()
            .filter(|(at, _)| *at == member)
            .map(|(_, node)| node)
            .collect();
        let mesh = world.mesh(member).ok_or("it is not running")?;
        let up: Vec<_> = mesh.up_nodes().collect();
        let established = world.established(member);
        let connected: Vec<_> = established.keys().collect();
        if told != up || connected != up {
            return Err(format!(
                "{member:?} has told of {told:?}, knows {up:?}, has connections to {connected:?}"
            ));
        }
        Ok(())
    }
}

/// True if the reason is that of a connection that was up; others are of attempts to connect and of queues.
fn of_a_lost_connection(reason: &[Value]) -> bool {
    let text = reason.get(2).and_then(Value::as_str).unwrap_or_default();
    let others = ["no known address", "connect timeout", "node stopped"];
    reason.first().and_then(Value::as_str) == Some("transport_error")
        && !others.contains(&text)
        && !text.ends_with("bytes queued")
}

/// No node has two established connections to another.
fn one_connection_per_pair(world: &World, member: Member) -> Result<(), String> {
    for (node, ends) in world.established(member) {
        if ends.len() > 1 {
            return Err(format!(
                "{member:?} has {} connections to {node}",
                ends.len()
            ));
        }
    }
    Ok(())
}

/// Nothing about a node that is not running is left, but that a seed is being looked for.
fn nothing_dead(world: &World, member: Member) -> Result<(), String> {
    let dead = |node: &NodeId| {
        let found = world.find(node);
        found.is_none_or(|found| !world.is_running(found))
    };
    let mesh = world.mesh(member).ok_or("it is not running")?;
    let traces = mesh.traces();
    let peers = mesh.peer_map().iter().map(|peer| peer.remote());
    if let Some(node) = traces.iter().chain(peers).find(|node| dead(node)) {
        return Err(format!("{member:?} still deals with {node}, which is dead"));
    }
    if let Some(node) = world.watchers(member).into_iter().find(|node| dead(node)) {
        return Err(format!(
            "a port of {member:?} is watched by {node}, which is dead"
        ));
    }
    Ok(())
}
