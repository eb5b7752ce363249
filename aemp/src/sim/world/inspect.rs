//! Inspection of a world.

use std::collections::BTreeMap;

use aemp_codec::{NodeId, PortId};

use super::{Member, World, connection::Way};
use crate::sim::End;
use aemp_proto::mesh::{Mesh, PeerMap};

impl World {
    /// All nodes, running or not.
    pub fn members(&self) -> impl Iterator<Item = Member> + use<> {
        (0..self.slots.len()).map(Member)
    }

    /// True if a node is running.
    #[must_use]
    pub fn is_running(&self, member: Member) -> bool {
        self.slots[member.0].machine.is_some()
    }

    /// The ID of a node.
    #[must_use]
    pub fn id(&self, member: Member) -> &NodeId {
        &self.slots[member.0].setup.id
    }

    /// Returns the node with this ID.
    #[must_use]
    pub fn find(&self, id: &NodeId) -> Option<Member> {
        self.ids.get(id).copied()
    }

    /// The number of times that a node has been started.
    #[must_use]
    pub fn life(&self, member: Member) -> u32 {
        self.slots[member.0].life
    }

    /// True if a port is alive.
    #[must_use]
    pub fn is_alive(&self, port: &PortId) -> bool {
        let member = self.member(port.node());
        let machine = member.and_then(|member| self.slots[member.0].machine.as_ref());
        machine.is_some_and(|machine| machine.ports.is_alive(port.name()))
    }

    /// The mesh of a running node.
    #[must_use]
    pub fn mesh(&self, member: Member) -> Option<&Mesh<PeerMap>> {
        let machine = self.slots[member.0].machine.as_ref()?;
        Some(&machine.mesh)
    }

    /// The connections that a node considers established, by the other node: their sockets, or `None` for those through
    /// a relay. Empty if the node is not running.
    #[must_use]
    pub fn established(&self, member: Member) -> BTreeMap<NodeId, Vec<Option<End>>> {
        let mut established: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let machine = self.slots[member.0].machine.iter();
        for connection in machine.flat_map(|machine| machine.connections.values()) {
            if let Some(line) = &connection.line {
                let ends = established.entry(line.node.clone()).or_default();
                ends.push(match connection.way {
                    Way::Socket(end) => Some(end),
                    Way::Tunnel => None,
                });
            }
        }
        established
    }

    /// The nodes that watch ports of a node, once for each port.
    #[must_use]
    pub fn watchers(&self, member: Member) -> Vec<&NodeId> {
        let machine = self.slots[member.0].machine.iter();
        machine
            .flat_map(|machine| machine.ports.watchers())
            .collect()
    }
}
